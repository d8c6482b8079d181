#!/usr/bin/env python3
"""Views over several streams equal the oracle: one shard and three, after a crash, and rebuilt when
a view gets another stream."""

import sys

import dataset

EVENTS = 900  # Of each stream.
PRODUCERS = 2  # Of each stream.
DATA = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
BASE_US = dataset.utc_us(2021, 6, 1, 12)
SPAN_US = 25 * 60 * 10**6
# As the three views' sources change: one more, in another order, one less.
CHANGES = [("""    source: [web, app]
    windows: [30s""", """    source: [app, web]
    windows: [30s"""), ("source: [till, web, app]", "source: [till, web]"),
           ("source: web\n", "source: [web, till]\n")]


def time_of(source):
    """Near edges of tiles, and often where other events are."""
    time_us = BASE_US + source.randrange(SPAN_US)
    step_us = source.choice([1, 5 * 10**6, 60 * 10**6])
    return time_us // step_us * step_us + (source.randrange(-1, 2) if step_us > 1 else 0)


def value_of(source, field):
    """Decoded form and what goes over the wire."""
    if field.type == "timestamp":
        time_us = time_of(source)
        return time_us, time_us
    if field.optional and source.random() < 0.2:
        return None, None
    if field.type == "string":
        page = source.choice(["a", "ab", "b", "checkout"])[:field.size]
        return page, page
    if field.type == "f64":
        real = source.randrange(-8, 9) / 8
        return dataset.oracle.quantise(real, field.scale), real
    value = source.randrange(6) if field.name == "user" else source.randrange(-500, 1000)
    return (abs(value),) * 2 if field.type[0] == "u" else (value,) * 2


def messages_of(source, definition):
    """(stream, decoded events, what goes over the wire, sequence, producer), in any order."""
    messages = []
    for place, stream in enumerate(definition.streams.values()):
        for number in range(EVENTS // 10):
            events = [[value_of(source, field) for field in stream.fields] for _ in range(10)]
            decoded, wire = ([tuple(pair[side] for pair in event) for event in events]
                             for side in (0, 1))
            messages.append((stream.name, decoded, wire, number // PRODUCERS + 1,
                             place * PRODUCERS + number % PRODUCERS))
    source.shuffle(messages)
    return messages


def send(sender, model, messages):
    for name, decoded, wire, sequence, producer in messages:
        stream = model.definition.streams[name]
        packed = dataset.oracle.Message(stream, wire, sequence, producer)
        sender.send(dataset.client.pack_message(stream, packed), len(wire))
        receive(model, name, decoded, sequence, producer)
    sender.sync()


def receive(model, name, decoded, sequence, producer):
    message = dataset.oracle.Message(model.definition.streams[name], decoded, sequence, producer)
    model.receive([message], dataset.time.time_ns() // 1000)


def is_durable(redis, view, keys):
    try:
        redis.call("FS.MGET", len(keys), *keys, "FIELDS", 1, view.features()[0], "LATEST", "LEVEL",
                   "durable")
        return True
    except RuntimeError as error:
        assert "not durable yet" in str(error), error
        return False


def durable_await(redis, model):
    for view in model.definition.views.values():
        keys = list(model.entities[view.name])
        end = dataset.time.monotonic() + 30
        while not is_durable(redis, view, keys):
            assert dataset.time.monotonic() < end, view.name


def check(redis, model, times):
    checked = sum(dataset.answers_check(redis, model, view, q_us)
                  for view in model.definition.views.values() for q_us in times)
    assert checked > 1000, checked
    print(f"{checked} values equal")


def run(shards):
    source = dataset.seed_of(33)
    path, definition = dataset.definition("union")
    model = dataset.oracle.Oracle(definition)
    messages = messages_of(source, definition)
    third = len(messages) // 3
    times = [time_of(source) for _ in range(4)] + [BASE_US + SPAN_US + 1, None]
    with dataset.support.running(streams="", files=[path], shards=shards, memory="128MiB",
                                 data=DATA) as appliance:
        redis, sender = dataset.opened(appliance)
        send(sender, model, messages[:third])
        dataset.all_check(redis, model, times)
        appliance.verb("checkpoint")
        send(sender, model, messages[third:2 * third])
        dataset.all_check(redis, model, times)
        durable_await(redis, model)
        appliance.kill()
        appliance.start()  # From the checkpoint and the log behind it.
        redis, sender = dataset.opened(appliance)
        check(redis, model, times)
        appliance.verb("checkpoint")
        appliance.kill()
        # Other streams and another number of shards: changed views come from the log.
        changed = path.read_text()
        for before, after in CHANGES:
            assert changed.count(before) == 1, before
            changed = changed.replace(before, after)
        model = dataset.oracle.Oracle(dataset.oracle.Definition(changed))
        for name, decoded, _, sequence, producer in messages[:2 * third]:
            receive(model, name, decoded, sequence, producer)
        (appliance.folder / "changed.yaml").write_text(changed)
        appliance.files[1:] = [str(appliance.folder / "changed.yaml")]
        appliance.define("", 4 - shards, DATA)
        appliance.start()
        recovered = appliance.status()["store"]["recovery"]["views"]
        assert sorted(name for name, how in recovered.items() if how != "loaded") == [
            "alone", "clicks", "everywhere"], recovered
        redis, sender = dataset.opened(appliance)
        check(redis, model, times)
        send(sender, model, messages[2 * third:])
        dataset.support.wait_until(
            lambda: all(view["entities"] == len(model.entities[view["view"]])
                        for view in redis.status()["views"]), "all entities are there")
        durable_await(redis, model)
        check(redis, model, times)


if __name__ == "__main__":
    for count in [int(word) for word in sys.argv[1:]] or [1, 3]:
        run(count)
