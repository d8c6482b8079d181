#!/usr/bin/env python3
"""Conditions and computed inputs through the real process equal the oracle: events of every field
type with nulls and extremes, one shard and three, after a crash too; faults are counted once."""

import collections
import re
import sys
import urllib.request

import dataset
import test_dataset_types as types

EVENTS = 1200
PRODUCERS = 3
OPERATORS = ["+", "-", "*", "/", "%", "||", "=", "<>", "<", "<=", ">", ">=", "!="]
WORDS = ["AND", "OR", "NOT", "IS NULL", "IN", "BETWEEN", "LIKE", "CASE", "ELSE", "CAST"]


def value_of(source, field):
    if field.type != "timestamp":
        return types.value_of(source, field)
    if source.random() < 0.2:
        return None, None
    time_us = source.choice([0, -1, 1 - 2**63, 2**63 - 1, types.time_of(source),
                             source.randrange(-10**16, 10**16)])
    return time_us, time_us


def messages_of(source, stream):
    """Messages of 10 events: decoded values, what goes over the wire, sequence, producer."""
    messages = []
    for number in range(EVENTS // 10):
        events = []
        for _ in range(10):
            time_us, key = types.time_of(source), source.choice([-7, 0, 1, 2**31 - 1])
            events.append([(time_us, time_us), (key, key)]
                          + [value_of(source, field) for field in stream.fields[2:]])
        decoded, wire = ([tuple(pair[side] for pair in event) for event in events]
                         for side in (0, 1))
        messages.append((decoded, wire, number // PRODUCERS + 1, number % PRODUCERS))
    return messages


def send(sender, model, stream, messages):
    for decoded, wire, sequence, producer in messages:
        message = dataset.oracle.Message(stream, decoded, sequence, producer)
        packed = dataset.oracle.Message(stream, wire, sequence, producer)
        sender.send(dataset.client.pack_message(stream, packed), len(wire))
        model.receive([message], dataset.time.time_ns() // 1000)
    sender.sync()


def faults_of(appliance):
    """(overflows, divisions by zero) of all shards."""
    with urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics") as page:
        text = page.read().decode()
    return tuple(sum(map(int, re.findall(rf"^freshet_shard_expression_{name}_total\S* (\d+)$",
                                         text, re.M)))
                 for name in ("overflows", "zero_divisions"))


def every_word_is_used(path):
    text = path.read_text()
    functions = (dataset.support.SOURCE / "dataplane" / "feature" / "expression_functions.def")
    names = re.findall(r"^FUNCTION\((\w+),", functions.read_text(), re.M)
    assert len(names) > 15
    missing = [name for name in names if name + "(" not in text]
    missing += [sign for sign in OPERATORS if f" {sign} " not in text]
    missing += [word for word in WORDS if not re.search(rf"\b{word}\b", text)]
    assert not missing, f"expressions.yaml uses none of {missing}"


def durable_await(redis, model):
    """A durable read of every entity returns when its commit is through."""
    for view in model.definition.views.values():
        keys = list(model.entities[view.name])
        redis.call("FS.MGET", len(keys), *keys, "FIELDS", 1, view.features()[0], "LATEST", "LEVEL",
                   "durable")


def applied_by_view(redis):
    return collections.Counter({v["view"]: v["applied"] for v in redis.status()["views"]})


def rows_by_view(model):
    return collections.Counter({name: sum(len(entity.rows) for entity in entities.values())
                                for name, entities in model.entities.items()})


def check(redis, model, times):
    for view in model.definition.views.values():
        for q_us in times:
            dataset.answers_check(redis, model, view, q_us)


def run(shards):
    source = dataset.seed_of(31)
    path, definition = dataset.definition("expressions")
    every_word_is_used(path)
    stream = definition.streams["sample"]
    model = dataset.oracle.Oracle(definition)
    messages = messages_of(source, stream)
    source.shuffle(messages)
    half = len(messages) // 2
    times = [types.time_of(source) for _ in range(8)] + [types.BASE_US + 10 * 60 * 10**6, None]
    with dataset.support.running(streams="", files=[path], shards=shards, memory="512MiB",
                                 data="directory: data") as appliance:
        redis, sender = dataset.opened(appliance)
        send(sender, model, stream, messages[:half])
        dataset.all_check(redis, model, times)
        faults = faults_of(appliance)
        assert faults == (model.overflows, model.zero_divisions), (
            faults, model.overflows, model.zero_divisions)
        assert min(faults) > 10, faults
        durable_await(redis, model)
        appliance.kill()
        appliance.start()
        redis, sender = dataset.opened(appliance)
        check(redis, model, times)
        before = applied_by_view(redis)
        before.subtract(rows_by_view(model))
        send(sender, model, stream, messages[half:])
        expected = rows_by_view(model)
        expected.update(before)
        dataset.support.wait_until(lambda: applied_by_view(redis) == expected, expected)
        check(redis, model, times)


if __name__ == "__main__":
    for count in [int(word) for word in sys.argv[1:]] or [1, 3]:
        run(count)
