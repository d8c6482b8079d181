#!/usr/bin/env python3
"""Made-up events through every kind of aggregate that takes their type, over every kind of window,
equal the oracle: extreme values, nulls, times on edges, ties between producers, text that JSON
escapes. One view per field, with a condition, `by` another field, edges and single events in turn.

usage: test_rich_types.py still|folding|ties
"""

import re
import sys

import dataset
import test_dataset_types as types

support, oracle = dataset.support, dataset.oracle
EVENTS, KEYS = 2500, (-7, 0, 1, 2**31 - 1)
MINUTE_US = 60 * 10**6
COLUMN_ONE_IN = 11  # A stream has place for 64 fields and computed columns.
CELLS = ("count", "sum", "sumsq", "min", "max", "first", "last", "avg", "var_pop", "var_samp",
         "stddev_pop", "stddev_samp")
PARAMETERS = {"COUNT": ", 5", "CAP": ", 6", "SHARE": ", 0.37", "DURATION": ", 90s", "NONE": ""}
SETTINGS = ("", '    edges: "(]"\n', "    exact: 3m\n    raw_cap: 300\n",
            '    edges: "[]"\n    exact: 8m\n    raw_cap: 4096\n')
WINDOWS = ("[2m, 24m, hopping 4m by 1m, 7 events]", "[1m, 8m, tumbling 1m, 3 events]",
           "[3m, 10m, 12 events]", "[8m, 12m, hopping 6m by 2m, tumbling 3m, 1 events]")


def kinds_of():
    """(name, type of its argument, parameter) of aggregates.def."""
    table = (support.SOURCE / "dataplane" / "feature" / "aggregates.def").read_text()
    return re.findall(r"^AGGREGATE\((\w+), \w+, (\w+), (\w+),", table, re.M)


def view_text(name, windows, settings, calls):
    return (f"  {name}:\n    version: 1\n    entity: key\n    source: sample\n    ttl: 2d\n"
            f"    windows: {windows}\n    ladder: [30s, 1m, 2m]\n{settings}    aggregates:\n" +
            "".join(f'      a{i}: "{call}"\n' for i, call in enumerate(calls)))


def definition_text(history):
    """What types.yaml says of the stream; its views are made here."""
    stream = (dataset.HERE / "data" / "types.yaml").read_text().split("\nviews:")[0]
    stream = stream.replace("history: 1h", "history: " + history).replace("late: apply",
                                                                          "late: ledger")
    fields = re.findall(r"^      (\w+): +\{type: (\w+).*optional", stream, re.M)
    views, number = [], 0
    for place, (field, type) in enumerate(fields):
        other = fields[(place + 5) % len(fields)][0]
        calls = []
        for kind, takes, parameter in kinds_of():
            if type == "string" and takes == "NUMBER":
                continue
            number += 1
            where = f" where {other} IS NOT NULL" if number % COLUMN_ONE_IN == 0 else ""
            calls.append(f"{kind}({field}{PARAMETERS[parameter]}){where}")
        calls += [f"{kind}({field}) by {other}" for kind in (CELLS[place % 12], "last")]
        views.append(view_text("of_" + field, WINDOWS[place % 4], SETTINGS[place // 4 % 4], calls))
        if type in ("u64", "string"):
            still = [call for call in calls if not call.startswith("decayed_sum")]
            views.append(view_text("ever_" + field, "[lifetime, tumbling 2m]", "", still))
    calls = [f"{kind}({field})" for field in ("a_i64", "a_f64") for kind in CELLS]
    views.append(view_text("visits", "[session 5s, session 10s, 2m]", SETTINGS[1],
                           calls + ["first(a_text) where a_bool"]))
    return stream + "\nviews:\n" + "".join(views)


def value_of(source, field):
    """As types.value_of(), with texts that JSON has to escape and fewer different numbers."""
    if field.type == "string" and source.random() < 0.7:
        text = "".join(source.choice('"\\\t\x01\x1fz\u20ac') for _ in range(source.randrange(1, 4)))
        text = text.encode()[:field.size].decode(errors="ignore")
        return (text, text) if text else (None, None)
    if source.random() < 0.4 and field.type not in ("string", "f64", "bool"):
        low, high = types.BOUNDS[field.type]
        value = max(low, min(high, source.randrange(-3, 4) * 67))
        return value, value
    return types.value_of(source, field)


def messages_of(source, stream, ties):
    """Two producers; with ties both number alike, often at one time: then only the value decides
    which event is the last."""
    messages, before = [], None
    for number in range(EVENTS // 10):
        decoded, wire = [], []
        for place in range(10):
            time_us, key = types.time_of(source), source.choice(KEYS)
            if ties and number % 2 == 1 and source.random() < 0.5:
                time_us, key = before[place][:2]
            pairs = [(time_us, time_us), (key, key)]
            pairs += [value_of(source, field) for field in stream.fields[2:]]
            decoded.append(tuple(pair[0] for pair in pairs))
            wire.append(tuple(pair[1] for pair in pairs))
        sequence = number // 2 + 1 if ties else number + 1
        messages.append((decoded, wire, sequence, number % 2))
        before = decoded
    return messages


def run(history, times, ties=False):
    source = dataset.seed_of(61)
    text = definition_text(history)
    if ties:  # Which of them is the last of n events the bits of all that a view reads decide.
        text = re.sub(r", \d+ events\]", "]", text)
    definition = oracle.Definition(text)
    stream = definition.streams["sample"]
    model = oracle.Oracle(definition)
    messages = messages_of(source, stream, ties)
    source.shuffle(messages)
    with support.running(streams=text, memory="512MiB") as appliance:
        redis, sender = dataset.opened(appliance)
        for decoded, wire, sequence, producer in messages:
            packed = oracle.Message(stream, wire, sequence, producer)
            sender.send(dataset.client.pack_message(stream, packed), len(wire))
            model.receive([oracle.Message(stream, decoded, sequence, producer)],
                          dataset.time.time_ns() // 1000)
        sender.sync()
        dataset.all_check(redis, model, times(source))


def end_times(source):
    """From the last event on: folding goes on behind it."""
    last_us = types.BASE_US + types.SPAN_US
    return [last_us + source.randrange(8 * MINUTE_US) for _ in range(4)] + [
        last_us + MINUTE_US, last_us + 11 * 10**6]


def any_times(source):
    return [types.time_of(source) for _ in range(6)] + [types.BASE_US + 10 * MINUTE_US, None]


RUNS = {"still": lambda: run("1h", any_times), "folding": lambda: run("20s", end_times),
        "ties": lambda: run("1h", any_times, ties=True)}

if __name__ == "__main__":
    RUNS[sys.argv[1]]()
