#!/usr/bin/env python3
"""Every kind of aggregate over every kind of window, on both data sets, through the real process:
equal to the oracle while folding goes on, and the same after a checkpoint, a crash, a stop and with
another number of shards.

usage: test_rich.py taxi|wikipedia [shards]
"""

import collections
import csv
import datetime
import gzip
import itertools
import json
import re
import sys
import time

import dataset

support, client, oracle = dataset.support, dataset.client, dataset.oracle
MINUTE_US, HOUR_US, DAY_US = 60 * 10**6, 3600 * 10**6, 86400 * 10**6
ENTITIES, ENTITIES_LARGEST = 40, 3
LAST_EVENTS = 64  # Enough keys for every shard to own some.
LATE_ONE_IN = 25
PART_ROWS, RATE = 3000, "10000"
VALUES_LEAST = 200
SENT_AGAIN = {"message_duplicate", "message_mesh_full", "message_log_full"}
SHARDS_AFTER = {1: 3, 3: 1}
CELLS = {"count", "sum", "sumsq", "min", "max", "first", "last", "avg", "var_pop", "var_samp",
         "stddev_pop", "stddev_samp"}
OVER_ALL = {"sliding", "tumbling", "hopping", "events"}


def kinds_check(definition):
    """What aggregates.def lists stands over every kind of window that takes all of it."""
    table = (support.SOURCE / "dataplane" / "feature" / "aggregates.def").read_text()
    kinds = set(re.findall(r"^AGGREGATE\((\w+),", table, re.M))
    assert "decayed_sum" in kinds and len(kinds) >= 24, kinds
    windows = {kind: set() for kind in kinds}
    for view in definition.views.values():
        for aggregate in (a for a in view.aggregates if a.by_field is None):
            windows[aggregate.kind] |= {window.kind for window in view.windows}
    for kind, over in windows.items():
        assert OVER_ALL <= over, f"{kind} stands over {over}, not over all of {OVER_ALL}"
        assert kind == "decayed_sum" or "lifetime" in over, f"{kind} stands over no lifetime"
        assert kind not in CELLS or "session" in over, f"{kind} stands over no session"
    aggregates = [a for view in definition.views.values() for a in view.aggregates]
    assert any(a.by_field for a in aggregates) and any(v.derived for v in definition.views.values())
    return kinds


# Events.

class Taxi:
    name, file, stream = "taxi", "green_taxi_2020_04.csv.gz", "trip"
    late_us = 2 * DAY_US
    since_us, until_us = dataset.utc_us(2020, 4, 1), dataset.utc_us(2020, 5, 2)

    @staticmethod
    def rows():
        with gzip.open(dataset.data_file(Taxi.file), "rt", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    @staticmethod
    def time_of(row):
        when = datetime.datetime.fromisoformat(row["lpep_dropoff_datetime"] + "+00:00")
        return int(when.timestamp()) * 10**6

    @staticmethod
    def last(row, number):
        """An event a second later, of an entity of its own in each view."""
        when = datetime.datetime.fromisoformat(row["lpep_dropoff_datetime"])
        when += datetime.timedelta(seconds=1)
        return {**row, "lpep_dropoff_datetime": when.isoformat(" "),
                "PULocationID": str(1000 + number), "DOLocationID": str(2000 + number)}

    @staticmethod
    def decoded(stream, row):
        return tuple(dataset.taxi_value(f, row[f.name]) for f in stream.fields)

    @staticmethod
    def write(path, rows):
        with open(path, "w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)


class Wikipedia:
    name, file, stream = "wikipedia", "wikipedia_edits.ndjson.gz", "edit"
    late_us = 6 * HOUR_US
    since_us, until_us = dataset.utc_us(2015, 9, 12), dataset.utc_us(2015, 9, 13)

    @staticmethod
    def rows():
        with gzip.open(dataset.data_file(Wikipedia.file), "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    @staticmethod
    def time_of(row):
        return row["ts_us"]

    @staticmethod
    def last(row, number):
        """An event a second later, of an entity of its own in each view."""
        return {**row, "ts_us": row["ts_us"] + 10**6, "user": f"last{number}",
                "channel": f"last{number}"}

    @staticmethod
    def decoded(stream, row):
        return tuple(int(row[f.name]) if f.type == "bool" else row[f.name] for f in stream.fields)

    @staticmethod
    def write(path, rows):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def halves_of(data, stream, source):
    """Rows whose clocks are right, about by time, in parts: most are up to a minute late, some
    hours. Of those at one moment one: how `freshet send` spreads them over lanes, and so which of
    two is the last, is its own business. Each half ends with one event of many keys behind all
    others, which brings every shard's watermark there: on it depends what a decayed value weighs.
    """
    rows = {data.time_of(row): row for row in data.rows()}
    rows = [row for time_us, row in rows.items() if data.since_us <= time_us < data.until_us]

    def place(row):
        late_us = data.late_us if source.randrange(LATE_ONE_IN) == 0 else MINUTE_US
        return data.time_of(row) + source.randrange(late_us)

    rows.sort(key=place)
    print(f"{len(rows)} events")
    halves = []
    for half in (rows[:len(rows) // 2], rows[len(rows) // 2:]):
        newest = max(half, key=data.time_of)
        parts = [half[at:at + PART_ROWS] for at in range(0, len(half), PART_ROWS)]
        parts[-1] += [data.last(newest, number) for number in range(LAST_EVENTS)]
        halves.append(parts)
    lateness_check(data, stream, halves)
    return halves


def lateness_check(data, stream, halves):
    """However the network reorders a part, no event of it is too late."""
    newest_us = 0
    for part in itertools.chain(*halves):
        times = [data.time_of(row) for row in part]
        newest_us = max(newest_us, *times)
        assert newest_us - min(times) <= stream.lateness_us, newest_us - min(times)


def send(appliance, model, data, stream, parts, definitions, first_producer):
    """By `freshet send`, which sends again what is not acknowledged soon. Part by part, each from
    another producer."""
    path = appliance.folder / ("rows" + (".csv" if data is Taxi else ".ndjson"))
    for number, part in enumerate(parts):
        producer = first_producer + number
        data.write(path, part)
        appliance.verb("send", "--to", f"127.0.0.1:{appliance.udp}", "--config", definitions,
                       "--stream", stream.name, "--producer", str(producer), "--acked", "--rate",
                       RATE, path)
        for message in dataset.messages_of(stream, [data.decoded(stream, row) for row in part]):
            message.producer = producer
            model.receive([message], time.time_ns() // 1000)


def counts_check(redis, model):
    """Nothing is lost: what was refused or came twice is what the sender sent again."""
    status = dataset.settled(redis, model)
    drops = {name: n for s in status["streams"] for name, n in s["drops"].items() if n}
    assert set(drops) <= SENT_AGAIN, drops
    assert sum(s["applied"] for s in status["streams"]) == model.applied, status["streams"]


# Looks.

def keys_chosen(model, source):
    """Of each view the largest entities and some others."""
    chosen = {}
    for name, entities in model.entities.items():
        by_size = sorted(entities, key=lambda key: len(entities[key].rows))
        some = source.sample(by_size, min(ENTITIES, len(by_size)))
        chosen[name] = list(dict.fromkeys(by_size[-ENTITIES_LARGEST:] + some))
    return chosen


def times_of(model, stream):
    """From the horizon on: itself, the newest event and behind it, on edges of tiles, later, and
    LATEST."""
    newest_us = model.watermark_us[stream.name]
    return [newest_us - stream.history_us, newest_us, newest_us + 1,
            oracle.floor_to(newest_us, HOUR_US) + HOUR_US, newest_us + 7 * HOUR_US + 1, None]


class Tally:
    """How much was compared: values by kind of aggregate, and by kind of window."""

    def __init__(self):
        self.values, self.windows = collections.Counter(), collections.Counter()
        self.approximate = collections.Counter()

    def note(self, view, answers):
        at = iter(answers or ())
        for window, aggregate in itertools.product(view.windows, view.aggregates):
            answer = next(at, None)
            if answer is not None and answer.value not in (None, "0"):
                kind = aggregate.kind if aggregate.by_field is None else "by"
                self.values[kind] += 1
                self.windows[window.kind] += 1
                self.approximate[kind] += answer.flags == "APPROXIMATE"
        derived = [answer.value for answer in at]
        self.values["derived"] += len(derived) - derived.count(None)

    def check(self, kinds):
        print(dict(self.values), dict(self.windows), dict(+self.approximate))
        for kind in [*kinds, "by", "derived"]:
            assert self.values[kind] > VALUES_LEAST, f"{self.values[kind]} values of {kind}"
        for kind in OVER_ALL | {"session", "lifetime"}:
            assert self.windows[kind] > VALUES_LEAST, f"{self.windows[kind]} values over {kind}"
        for kind in ("distinct", "approx_distinct", "histogram"):
            assert self.approximate[kind] > 0, f"no {kind} beyond what is exact"


def look(redis, model, stream, chosen, tally):
    for view in model.definition.views.values():
        for q_us in times_of(model, stream):
            dataset.answers_check(redis, model, view, q_us, chosen[view.name], tally.note)


def seen(redis, model, stream, chosen):
    """All that is answered but (shard, LSN), also before the horizon."""
    times = times_of(model, stream) + [model.watermark_us[stream.name] - 5 * HOUR_US]
    return {(view.name, key, q_us): [meta[:7] for meta in reply[1::2]]
            for view in model.definition.views.values() for q_us in times
            for key, reply in dataset.replies_of(redis, view, chosen[view.name], q_us)}


def seen_check(redis, model, stream, chosen, before, what):
    after = seen(redis, model, stream, chosen)
    different = [where for where in before if before[where] != after[where]]
    for where in different[:3]:
        pairs = [(a, b) for a, b in zip(before[where], after[where]) if a != b]
        print(f"{where}: {pairs[0][0]} became {pairs[0][1]}, {len(pairs)} of its values")
    assert not different, f"{len(different)} of {len(before)} answers differ {what}"


def run(data, shards):
    source = dataset.seed_of(60)
    path, definition = dataset.definition("rich_" + data.name)
    kinds, tally = kinds_check(definition), Tally()
    stream = definition.streams[data.stream]
    model = oracle.Oracle(definition)
    first, second = halves_of(data, stream, source)
    with support.running(streams="", files=[path], shards=shards, memory="512MiB",
                         data="directory: data, checkpoint: 1h") as appliance:

        def opened():
            return client.Redis(path=appliance.socket)

        send(appliance, model, data, stream, first, path, first_producer=1)
        redis = opened()
        counts_check(redis, model)
        look(redis, model, stream, keys_chosen(model, source), tally)
        appliance.verb("checkpoint")
        send(appliance, model, data, stream, second, path, first_producer=100)
        counts_check(redis, model)
        chosen = keys_chosen(model, source)
        look(redis, model, stream, chosen, tally)
        tally.check(kinds)
        before = seen(redis, model, stream, chosen)

        redis.close()
        appliance.kill()
        appliance.start()
        redis = opened()
        seen_check(redis, model, stream, chosen, before, "after a crash")
        appliance.verb("checkpoint")
        seen_check(redis, model, stream, chosen, before, "after a checkpoint")
        redis.close()
        assert appliance.stop() == 0
        appliance.define("", SHARDS_AFTER[shards], "directory: data, checkpoint: 1h")
        appliance.start()
        redis = opened()
        seen_check(redis, model, stream, chosen, before, "in another number of shards")
        redis.close()


if __name__ == "__main__":
    run({"taxi": Taxi, "wikipedia": Wikipedia}[sys.argv[1]],
        int(sys.argv[2]) if len(sys.argv) > 2 else 1)
