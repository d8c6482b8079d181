#!/usr/bin/env python3
"""Training sets are what was served: vectors recorded at random moments, while events come out of
order, late, twice, and over a crash, equal `freshet train` at those moments, byte for byte."""

import contextlib
import csv
import fcntl
import json
import os
import pathlib
import pty
import random
import re
import sys
import tempfile
import threading
import time

import dataset

import appliance  # noqa: E402 (dataset has put tests/support on the path)
import client  # noqa: E402
import duckdb  # noqa: E402

SEED = int(os.environ.get("SEED", "5"))
READS = 1200  # In each of two lives.
CARDS = 40
MERCHANTS = ["m%d" % i for i in range(12)]
DEFINITIONS = pathlib.Path(__file__).parent / "data" / "train.yaml"
DATA = "directory: data, checkpoint: 1s, mirror: {segment: 1MiB}"
VIEWS = ["activity", "recent", "shop", "touches"]


def now_us():
    return time.time_ns() // 1000


def event_time(source):
    """Mostly now; out of order, late (2 s are allowed), in the future (5 s are)."""
    kind = source.random()
    if kind < 0.7:
        return now_us() - source.randrange(50_000)
    if kind < 0.9:
        return now_us() // 1_000_000 * 1_000_000 - source.randrange(3) * 500_000
    if kind < 0.96:
        return now_us() - source.randrange(1_500_000, 4_000_000)
    return now_us() + source.randrange(8_000_000)


def payment(source):
    return (event_time(source), source.randrange(CARDS),
            None if source.random() < 0.1 else source.choice(MERCHANTS),
            source.randrange(120_000), None if source.random() < 0.2 else source.randrange(10**7),
            source.choice(["ok", "declined"]))


def login(source):
    return (event_time(source), source.randrange(CARDS), source.choice([None, "phone", "desk"]),
            source.random() < 0.8)


class Producer(threading.Thread):
    """Sends messages of both streams, some twice, until it is told to end."""

    def __init__(self, port, definition, seed, number):
        super().__init__()
        self.port, self.definition, self.number = port, definition, number
        self.source = random.Random(seed)
        self.ends = threading.Event()
        self.sent = 0

    def run(self):
        sequence = {name: 0 for name in self.definition.streams}
        with client.socket.socket(client.socket.AF_INET, client.socket.SOCK_DGRAM) as out:
            while not self.ends.is_set():
                name = self.source.choice(["payment", "payment", "login"])
                stream = self.definition.streams[name]
                make = payment if name == "payment" else login
                events = [make(self.source) for _ in range(self.source.choice([1, 1, 3, 20]))]
                sequence[name] += 1
                producer = self.number * 2 + (name == "login") + 1
                message = dataset.oracle.Message(stream, events, sequence[name], producer)
                data = client.pack_message(stream, message)
                for _ in range(1 + (self.source.random() < 0.1)):
                    out.sendto(data, ("127.0.0.1", self.port))
                self.sent += len(events)
                time.sleep(self.source.choice([0, 0, 0.001, 0.003]))


def read_one(redis, source):
    """A vector as it was served, and what asks for the same: a label row."""
    card, merchant = source.randrange(CARDS + 2), source.choice(MERCHANTS + ["nobody"])
    amount = "%d.%02d" % (source.randrange(900), source.randrange(100))
    channel = source.choice(["web", "shop", ""])
    request = ["REQUEST", 2, "amount", amount, "channel", channel]
    reply = redis.call("FS.MGET", 2, f"card:{card}", f"merchant:{merchant}", "SERVICE", "fraud",
                       *request, "WITHMETA")[0]
    label = {"card": card, "merchant": merchant, "amount": amount, "channel": channel}
    values = {}
    for name, answer in zip(reply[::2], reply[1::2]):
        name = name.decode()
        values[name] = "" if answer[0] is None else answer[0].decode()
        values[name + "__status"] = answer[1].decode()
        view = name.split(".")[0]
        if view in VIEWS:
            label[view + "_q"] = int(answer[6])
    return label, values


def is_durable(redis):
    """What was read outlives a crash: every row's last record is on the disk."""
    try:
        for entity, keys, feature in (("card", range(CARDS), "touches.n_1h"),
                                      ("merchant", MERCHANTS, "shop.n_10s")):
            redis.call("FS.MGET", len(keys), *[f"{entity}:{key}" for key in keys], "FIELDS", 1,
                       feature, "LEVEL", "durable")
        return True
    except RuntimeError as error:
        assert "not durable yet" in str(error), error
        return False


def life(machine, definition, source, seed):
    """Producers send while vectors are read; when all is durable the process is killed."""
    producers = [Producer(machine.udp, definition, seed + n, n) for n in range(2)]
    redis = client.Redis(path=machine.socket)
    served = []
    try:
        for producer in producers:
            producer.start()
        time.sleep(0.3)
        for _ in range(READS):
            served.append(read_one(redis, source))
            if source.random() < 0.02:
                time.sleep(0.02)
    finally:
        for producer in producers:
            producer.ends.set()
            producer.join()
    appliance.wait_until(lambda: is_durable(redis), "all is durable", 30)
    redis.close()
    return served


def labels_write(path, served):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["id", "card", "merchant", "amount", "channel"]
                                + [view + "_q" for view in VIEWS])
        writer.writeheader()
        for number, (label, _) in enumerate(served):
            writer.writerow({"id": number, **label})


def train(machine, labels, out, *more):
    done = appliance.run("train", *machine.files, "--service", "fraud", "--labels", labels, "--out",
                         out, *more, cwd=machine.folder, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def differences(rows, served):
    found = []
    for row, (label, values) in zip(rows, served, strict=True):
        for name, value in values.items():
            if row[name] != value:
                found.append((label, name, "served", value, "trained", row[name]))
    return found


def vectors_equal_what_was_served(lives):
    """lives: with so many shards, each ends by kill -9."""
    source = random.Random(SEED + sum(lives))
    definition = dataset.oracle.Definition(DEFINITIONS.read_text().split("\nviews:")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, shards=max(lives), streams="", files=[DEFINITIONS],
                                      data=DATA, memory="512MiB")
        served = []
        try:
            for number, shards in enumerate(lives):
                machine.define("", shards, DATA)
                machine.start()
                served += life(machine, definition, source, SEED * 100 + number * 10)
                machine.kill()
            machine.start()
            labels = pathlib.Path(folder) / "labels.csv"
            labels_write(labels, served)
            out = pathlib.Path(folder) / "train.csv"
            train(machine, labels, out)
            found = differences(rows_of(out), served)
            assert not found, (len(found), len({f[1] for f in found}), found[:6])
            statuses = {value for _, values in served for name, value in values.items()
                        if name.endswith("__status")}
            assert statuses >= {"PRESENT", "NULL_VALUE", "NOT_FOUND"}, statuses
            # In parts, on one thread, with the least memory: the same bytes.
            again = pathlib.Path(folder) / "again.csv"
            train(machine, labels, again, "--part-rows", 700, "--threads", 1, "--memory", 64)
            assert again.read_bytes() == out.read_bytes(), "bytes"
            card = json.loads(out.with_name("train.csv.card.json").read_text())
            assert card["labels"]["rows"] == len(served), card
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()


def lake_rows(machine, folder):
    """What the mirror has, by an exporter and a reader that share nothing with training."""
    lake = pathlib.Path(folder) / "lake"
    done = appliance.run("export", "--data", machine.folder / "data", "--out", lake, timeout=60)
    assert done.returncode == 0, done.stderr
    database = duckdb.Database()
    rows = {}
    for stream, columns in (("payment", "card, merchant, CAST(amount * 100 AS BIGINT)"),
                            ("login", "card, NULL, 0")):
        rows[stream] = [
            (int(ts), int(card), merchant, int(amount), verdict, int(came))
            for ts, card, merchant, amount, verdict, came in database.query(
                f"SELECT epoch_us(ts), {columns}, _verdict, epoch_us(_apply_time) "
                f"FROM read_parquet('{lake}/stream={stream}/*/*/*.parquet')")]
    return rows


def floor(time_us, step_us):
    return time_us // step_us * step_us


SECOND_US = 10**6


def naive(rows, q_us, card, merchant, as_true):
    """Some features, counted event by event. Of what was known, only where the head is exact."""
    def counts(row):
        return row[4] == "applied" and row[5] < q_us or as_true and row[4] in ("applied",
                                                                               "event_late")
    paid = [row for row in rows["payment"] if counts(row)]
    mine = [row for row in paid if row[1] == card]

    def of_card(start_us):
        return [row for row in mine if start_us <= row[0] < q_us]

    total = sum(row[3] for row in of_card(-2**63))
    values = {"activity.n_5s": len(of_card(q_us - 5 * SECOND_US)),
              "activity.n_1m": len(of_card(floor(q_us - 60 * SECOND_US, 5 * SECOND_US))),
              "activity.total": f"{total // 100}.{total % 100:02d}" if of_card(-2**63) else ""}
    hour = sum(row[3] for row in of_card(floor(q_us - 3600 * SECOND_US, 300 * SECOND_US)))
    values["activity.total_1h"] = f"{hour // 100}.{hour % 100:02d}" if hour else None
    if as_true:
        start_us = floor(q_us - 10 * SECOND_US, 5 * SECOND_US)
        values["shop.n_10s"] = len([row for row in paid if row[2] == merchant
                                    and start_us <= row[0] <= q_us])
        touched = paid + [row for row in rows["login"] if counts(row)]
        session, last_us = [], q_us
        for row in sorted((row for row in paid if row[2] == merchant and row[0] <= q_us),
                          reverse=True):
            if last_us - row[0] >= SECOND_US:
                break
            session.append(row[3])
            last_us = row[0]
        values["shop.total_session_1s"] = (f"{sum(session) // 100}.{sum(session) % 100:02d}"
                                           if session else "")
        values["touches.n_10s"] = len([row for row in touched if row[1] == card
                                       and start_us <= row[0] - 1 < q_us])
    return values


def naive_check(path, rows, as_true):
    compared = 0
    for row in rows_of(path):
        expected = naive(rows, int(row["q"]), int(row["card"]), row["merchant"], as_true)
        for name, value in expected.items():
            if value is None or row[name + "__status"] in ("NOT_FOUND", "OUTSIDE_MAX_AGE"):
                continue
            assert row[name] == str(value), (row["id"], name, row[name], value, as_true)
            compared += 1
    return compared


def truth_labels_write(path, served, source):
    """Moments of reads and, of leaks, exactly at events and one microsecond behind them."""
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["id", "card", "merchant", "amount", "channel", "q"])
        writer.writeheader()
        for number, (label, _) in enumerate(served):
            q_us = label["activity_q"] + source.choice([0, 0, 1, -1])
            row = {name: label[name] for name in ("card", "merchant", "amount", "channel")}
            writer.writerow({"id": number, "q": q_us, **row})


def truth_is_every_event_before_the_label(shards=1):
    source = random.Random(SEED + 77)
    definition = dataset.oracle.Definition(
        DEFINITIONS.read_text().split("\nviews:")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="freshet-truth-") as folder:
        machine = appliance.Appliance(folder, shards=shards, streams="", files=[DEFINITIONS],
                                      data=DATA, memory="512MiB")
        try:
            machine.start()
            served = life(machine, definition, source, SEED * 100)
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()
        rows = lake_rows(machine, folder)
        late = [row for row in rows["payment"] if row[4] == "event_late"]
        assert late and len(rows["payment"]) > 1000, (len(late), len(rows["payment"]))
        # Exactly at events: none at the label's time is in.
        for number, (label, _) in enumerate(served):
            if number % 2 == 0:
                row = source.choice(rows["payment"])
                label.update(card=row[1], merchant=row[2] or "m0", activity_q=row[0])
        labels = pathlib.Path(folder) / "labels.csv"
        truth_labels_write(labels, served, source)
        true, known = (pathlib.Path(folder) / name for name in ("true.csv", "known.csv"))
        train(machine, labels, true, "--mode", "as_true", "--compare")
        train(machine, labels, known)
        assert naive_check(true, rows, True) > 3000
        assert naive_check(known, rows, False) > 2000
        card = json.loads(true.with_name("true.csv.card.json").read_text())["against_as_known"]
        assert sum(feature["differ"] for feature in card.values()) > 100, card
        assert sum(feature["unexplained"] for feature in card.values()) == 0, card
        # With little memory events wait for another scan of the mirror: the same bytes.
        again = pathlib.Path(folder) / "again.csv"
        train(machine, labels, again, "--mode", "as_true", "--compare", "--memory", 1,
              "--part-rows", 500)
        assert again.read_bytes() == true.read_bytes(), "bytes"
        print(f"     {len(served)} labels, {len(late)} late events")


SMALL = """
streams:
  payment:
    id: 1
    time: ts
    fields: {ts: {type: timestamp}, card: {type: u64}, amount: {type: decimal, scale: 2}}
views:
  activity:
    entity: card
    source: payment
    windows: [1h, lifetime]
    aggregates: {n: count(), total: sum(amount)}
    ttl: 2d
services:
  fraud: {features: [activity.n_1h, activity.total]}
"""


def small_send(machine, definition, sequence, events):
    stream = definition.streams["payment"]
    message = dataset.oracle.Message(stream, events, sequence, 7)
    machine.send(client.pack_message(stream, message))


def read_q(machine, count):
    """Waits until card 1 has so many events, durably; a moment behind them."""
    redis = client.Redis(path=machine.socket)

    def there():
        try:
            value = redis.call("FS.GET", "card:1", "FIELDS", 1, "activity.n", "LEVEL", "durable",
                               "WITHMETA")[1]
        except RuntimeError as error:
            assert "not durable yet" in str(error), error
            return False
        there.q = int(value[6])
        return value[0] == str(count).encode()
    appliance.wait_until(there, f"{count} events of card 1", 20)
    redis.close()
    return there.q


def small_train(machine, rows, *more):
    labels = machine.folder / "labels.csv"
    labels.write_text("card,q\n" + "".join(f"{card},{q}\n" for card, q in rows))
    out = machine.folder / "out.csv"
    train(machine, labels, out, "--no-status", *more)
    return [(row["activity.n_1h"], row["activity.total"]) for row in rows_of(out)]


def what_is_corrected_later_was_served_before():
    definition = dataset.oracle.Definition(SMALL.split("\nviews:")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=SMALL, data=DATA, memory="256MiB")
        try:
            machine.start()
            small_send(machine, definition, 1, [(now_us(), 1, 500), (now_us(), 1, 70000)])
            before = read_q(machine, 2)
            assert machine.stop() == 0, machine.log.read_text()
            done = appliance.run("correct", "--data", machine.folder / "data", "retract",
                                 "--producer", 7, "--incarnation", 1, "--lane", 0, "--sequence", 1,
                                 "--place", 1, *machine.files, cwd=machine.folder)
            assert done.returncode == 0, done.stderr
            machine.start()
            small_send(machine, definition, 2, [(now_us(), 1, 100)])
            after = read_q(machine, 2)
            rows = [(1, before), (1, after), (2, after)]
            known = small_train(machine, rows)
            assert known == [("2", "705.00"), ("2", "6.00"), ("", "")], known
            true = small_train(machine, rows, "--mode", "as_true")
            assert true == [("1", "5.00"), ("2", "6.00"), ("", "")], true
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()


def what_is_defined_later_is_as_known_by_its_events():
    """A view that was built from the mirror knows at q what had come by then, and no more."""
    definition = dataset.oracle.Definition(SMALL.split("\nviews:")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=SMALL, shards=3, data=DATA,
                                      memory="512MiB")
        try:
            machine.start()
            times = [now_us() - 3 * SECOND_US, now_us() - SECOND_US]
            small_send(machine, definition, 1, [(times[0], 1, 100)])
            first = read_q(machine, 1)
            small_send(machine, definition, 2, [(times[1], 1, 200)])
            second = read_q(machine, 2)
            assert machine.stop() == 0, machine.log.read_text()
            machine.define(SMALL.replace("  activity:\n", "  activity:\n    version: 2\n")
                           .replace("[1h, lifetime]", "[1h, 1d, lifetime]"), 3, DATA)
            machine.start()
            small_send(machine, definition, 3, [(times[0] + 1, 1, 300)])
            third = read_q(machine, 3)
            # The first event's time lies between others: what came later is known later.
            rows = [(1, first), (1, second), (1, third), (1, times[0] + 10), (1, first - 10**6)]
            known = small_train(machine, rows)
            assert known == [("1", "1.00"), ("2", "3.00"), ("3", "6.00"), ("", ""), ("", "")], known
            true = small_train(machine, rows, "--mode", "as_true")
            assert true[:4] == 3 * [("3", "6.00")] + [("2", "4.00")], true
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()


STRICT = SMALL.replace("time: ts", "time: ts\n    lateness: 1s").replace(
    "scale: 2}", "scale: 2, optional: true, max: 100, on_violation: null_field}")


def late_events_are_what_a_rule_made_of_them():
    """A field that broke a rule is null in the log: of what was applied, and of what came too late
    for that, which as_true counts."""
    definition = dataset.oracle.Definition(STRICT.split("\nviews:")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=STRICT, data=DATA, memory="256MiB")
        try:
            machine.start()
            small_send(machine, definition, 1, [(now_us(), 1, 500), (now_us(), 1, 70000)])
            machine.wait_received(2)  # In one burst with them no event is late.
            late_us = now_us() - 1800 * SECOND_US
            small_send(machine, definition, 2, [(late_us, 1, 90000), (late_us, 1, 200)])
            q_us = read_q(machine, 2)
            machine.wait_received(4)
            stream, = machine.status()["streams"]
            assert stream["drops"] == {"event_late": 2}, stream
            assert machine.stop() == 0, machine.log.read_text()
            assert small_train(machine, [(1, q_us)]) == [("2", "5.00")]
            true = small_train(machine, [(1, q_us)], "--mode", "as_true")
            assert true == [("4", "7.00")], true
        finally:
            machine.stop()


LONG = SMALL.replace("lifetime]", "30d]").replace("    ttl: 2d\n", "").replace(
    "activity.total]", "activity.n_30d]")


def rows_of_more_tiles_than_fit_unfolded():
    """2000 tiles of one row, which was folded while they came: history folds it as well, however
    many of its events it takes at a time."""
    definition = dataset.oracle.Definition(LONG.split("\nviews:")[0] + "\n")
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=LONG, data=DATA, memory="256MiB")
        try:
            machine.start()
            redis = client.Redis(path=machine.socket)
            end = now_us()
            for number in range(2000):
                small_send(machine, definition, number + 1,
                           [(end - (2000 - number) * 20 * 60 * SECOND_US, 1, 100)])
                if number % 20 == 19:
                    appliance.wait_until(lambda: redis.status()["applied"] == number + 1, "sent")
            answer = redis.call("FS.GET", "card:1", "FIELDS", 1, "activity.n_30d", "WITHMETA")[1]
            redis.close()
            assert answer[0] == b"2000", answer
            assert machine.stop() == 0, machine.log.read_text()
            labels = machine.folder / "labels.csv"
            labels.write_text(f"card,q\n1,{int(answer[6])}\n")
            for mode in ("as_known", "as_true"):
                train(machine, labels, machine.folder / "out.csv", "--mode", mode)
                known = [row["activity.n_30d"] for row in rows_of(machine.folder / "out.csv")]
                assert known == ["2000"], (mode, known)
        finally:
            machine.stop()


HEARD_LATE = """
streams:
  payment:
    id: 1
    time: ts
    lateness: 60d
    history: 20m
    fields: {ts: {type: timestamp}, card: {type: u64}, amount: {type: decimal, scale: 2}}
views:
  activity:
    entity: card
    source: payment
    windows: [2h, 40d]
    ladder: [30m, 1h, 6h]
    aggregates:
      n: count()
      recent: decayed_sum(amount, 30m)
    ttl: 60d
services:
  fraud: {features: [activity.n_40d, activity.recent_40d]}
"""


def shards_of(number, shards):
    """Of a number's 8 bytes, by XXH3: the owner as a key, the home as a producer."""
    mask, prime = 2**64 - 1, 0x9fb21c651e98df25
    word = ((number >> 32 | number << 32) & mask) ^ 0xc73ab174c5ecd5a2
    word ^= ((word << 49 | word >> 15) ^ (word << 24 | word >> 40)) & mask
    word = word * prime & mask
    word = (word ^ ((word >> 35) + 8)) * prime & mask
    return ((word ^ word >> 28) >> 52) * shards >> 12, (word ^ word >> 28) % 2**32 % shards


def a_shard_that_hears_late_folds_by_what_it_heard():
    """All that it ever has is one burst, days behind what another shard has seen by then: its tiles
    are where its own horizon puts them, and so is what decays by them."""
    definition = dataset.oracle.Definition(HEARD_LATE.split("\nviews:")[0] + "\n")
    _, home = shards_of(7, 2)
    here, there = (next(card for card in range(1, 100) if shards_of(card, 2)[0] == shard)
                   for shard in (home, 1 - home))
    hour = 3600 * SECOND_US
    now = now_us()
    newest = (now - 48 * hour) // (6 * hour) * 6 * hour + 5 * hour + hour * 3 // 4
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=HEARD_LATE, data=DATA, memory="256MiB",
                                      shards=2)
        try:
            machine.start()
            redis = client.Redis(path=machine.socket)
            served = []

            def read(card, count):
                def known():
                    reply = redis.call("FS.GET", f"card:{card}", "FIELDS", 2, "activity.n_40d",
                                       "activity.recent_40d", "WITHMETA")
                    known.row = (card, int(reply[1][6]), reply[1][0], reply[3][0])
                    return reply[1][0] == str(count).encode()
                appliance.wait_until(known, f"{count} events of card {card}", 20)
                served.append(known.row)
            small_send(machine, definition, 1, [(newest - 50 * hour, here, 100), (now, here, 100)])
            read(here, 2)
            small_send(machine, definition, 2,
                       [(newest - i * hour // 2, there, 100) for i in range(50)])
            read(there, 50)
            time.sleep(0.1)
            read(there, 50)
            redis.close()
            assert machine.stop() == 0, machine.log.read_text()
            labels = machine.folder / "labels.csv"
            # History looks at some of its rows at each read: between these two at all of them.
            _, begin, end = (row[1] for row in served)
            between = [(here, begin + (end - begin) * i // 3000) for i in range(1, 3000)]
            rows = [row[:2] for row in served[:2]] + between + [served[2][:2]]
            labels.write_text("card,q\n" + "".join(f"{card},{q}\n" for card, q in rows))
            out = machine.folder / "out.csv"
            train(machine, labels, out, "--no-status", "--threads", 1)
            trained = [(row["activity.n_40d"].encode(), row["activity.recent_40d"].encode())
                       for row in rows_of(out)]
            trained = trained[:2] + trained[-1:]
            assert trained == [row[2:] for row in served], (trained, served)
        finally:
            machine.stop()


def killed_runs_go_on_and_give_the_same_bytes():
    definition = dataset.oracle.Definition(SMALL.split("\nviews:")[0] + "\n")
    source = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=SMALL, data=DATA, memory="256MiB")
        try:
            machine.start()
            for number in range(200):
                small_send(machine, definition, number + 1,
                           [(now_us() - source.randrange(10**6), 1 + source.randrange(50),
                             source.randrange(1000)) for _ in range(20)])
                time.sleep(0.002)
            small_send(machine, definition, 201, [(now_us(), 60, 1)])
            time.sleep(0.5)
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()
        end = now_us()
        labels = machine.folder / "labels.csv"
        labels.write_text("id,card,q\n" + "".join(
            f"{n},{1 + source.randrange(52)},{end - source.randrange(2 * 10**6)}\n"
            for n in range(3000)))
        for out in ("whole.parquet", "whole.csv"):
            train(machine, labels, machine.folder / out, "--part-rows", 100)
        what_went_meanwhile_is_in_no_half(machine, labels)
        progress_is_of_what_there_is(machine, end)
        killed = 0
        rows = [[str(value) for value in row[:3]] for row in duckdb.Database().query(
            f"SELECT id, \"activity.n_1h\", \"activity.total\" "
            f"FROM '{machine.folder}/whole.parquet' ORDER BY CAST(id AS BIGINT)")]
        assert rows == [[row["id"], row["activity.n_1h"] or "None", row["activity.total"] or "None"]
                        for row in rows_of(machine.folder / "whole.csv")]
        for out in ("cut.parquet", "cut.csv"):
            arguments = [appliance.PROGRAM, "train", *machine.files, "--service", "fraud",
                         "--labels", labels, "--out", machine.folder / out, "--part-rows", "100"]
            for _ in range(6):
                process = appliance.subprocess.Popen(arguments, cwd=machine.folder,
                                                     stdout=appliance.subprocess.DEVNULL)
                time.sleep(source.random() * 0.25)
                process.kill()
                killed += process.wait() != 0
            train(machine, labels, machine.folder / out, "--part-rows", 77)  # The old ones count.
            assert not (machine.folder / (out + ".parts")).exists()
            whole = (machine.folder / out.replace("cut", "whole")).read_bytes()
            assert (machine.folder / out).read_bytes() == whole, out
        assert killed > 3, killed
        what_goes_meanwhile_is_told(machine, labels)


def stopped_run(machine, labels, out, part_rows):
    """A run that has made two parts, and stands still."""
    process = appliance.subprocess.Popen(
        [appliance.PROGRAM, "train", *machine.files, "--service", "fraud", "--labels", labels,
         "--out", out, "--part-rows", str(part_rows)], cwd=machine.folder, text=True,
        stdout=appliance.subprocess.DEVNULL, stderr=appliance.subprocess.PIPE)
    appliance.wait_until(out.with_name(out.name + ".parts").joinpath("part-000001").exists,
                         "two parts")
    process.send_signal(appliance.signal.SIGSTOP)
    return process


def progress_is_of_what_there_is(machine, end):
    labels = machine.folder / "many.csv"
    count = 300_000
    labels.write_text("id,card,q\n" + "".join(f"{n},{n % 52},{end - n}\n" for n in range(count)))
    process, terminal = pty.fork()
    if process == 0:
        os.execv(appliance.PROGRAM, [
            "freshet", "train", *machine.files, "--data", str(machine.folder / "data"),
            "--service", "fraud", "--labels", str(labels), "--out", str(labels) + ".csv"])
    shown = b""
    with contextlib.suppress(OSError):  # At its end a terminal fails.
        while data := os.read(terminal, 65536):
            shown += data
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0, shown
    assert b" rows done; " in shown, shown  # It takes longer than the first line.
    parts = [int(rows) for rows in re.findall(rb"these (\d+):", shown)]
    assert all(rows <= count for rows in parts), shown
    told = re.findall(rb" \d+ % of the mirror, \d+ rows/s, \d+ s left", shown)
    assert len(told) == len(parts), shown


def what_went_meanwhile_is_in_no_half(machine, labels):
    """A run that goes on where the mirror begins later now makes its whole set of what is there."""
    log = machine.folder / "data" / "mirror-000-00000001.log"
    out, fresh = machine.folder / "half.csv", machine.folder / "fresh.csv"
    process = stopped_run(machine, labels, out, 20)
    process.kill()
    process.communicate()
    log.rename(machine.folder / "kept.log")
    for path in (out, fresh):
        train(machine, labels, path)
    (machine.folder / "kept.log").rename(log)
    assert out.read_bytes() == fresh.read_bytes()
    assert out.read_bytes() != (machine.folder / "whole.csv").read_bytes()


def what_goes_meanwhile_is_told(machine, labels):
    """A running appliance lets old segments go: of a set that is half made nobody says that there
    were no events."""
    out = machine.folder / "gone.csv"
    process = stopped_run(machine, labels, out, 20)
    log = machine.folder / "data" / "mirror-000-00000001.log"
    log.rename(machine.folder / "kept.log")
    process.send_signal(appliance.signal.SIGCONT)
    error = process.communicate()[1]
    (machine.folder / "kept.log").rename(log)
    assert process.returncode == 1 and "no longer, which it had when this began" in error, error
    assert not out.exists()


WRONG = [  # Labels, more arguments, what is said.
    ("card,q\n1,soon\n", [], "labels.csv:2: `q` is `soon`: no time"),
    # Of several, the first: whichever thread finds which.
    ("card,q\n" + "1,5\n" * 700 + "1,never\n" + "1,5\n" * 900 + "1,soon\n" * 300,
     ["--threads", "8"], "labels.csv:702: `q` is `never`: no time"),
    ("q\n1\n", [], "has no column `card` for the keys of entity `card`"),
    ("card\n1\n", [], "has no column that says when"),
    ("card,q\n1,5\n", ["--time", "then"], "has no column `then`"),
    ("card,q\n1,5\n", ["--mode", "maybe"], "neither as_known nor as_true"),
    ("card,q\n1,5\n", ["--compare"], "--compare is for --mode as_true"),
    ("card,q\n1,5\n", ["--data", "nowhere"], "nowhere"),
    ("card,q,activity.total\n1,5,1\n", [], "is a value of the service too"),
    ("card,q,%sx,%sy\n1,5,1,2\n" % ("n" * 255, "n" * 255), [], "has more than 255 bytes"),
    ("card,q\n1\n", [], "labels.csv:2"),
    ("card,q\n1,5\n", ["--memory", "99999999999999"], "--memory 99999999999999: the machine has"),
]


def what_is_no_file_stays(machine, labels):
    """A set takes the place of files alone; what cannot be finished leaves nothing."""
    folder = machine.folder
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    (folder / "link.csv").symlink_to("elsewhere.csv")
    (folder / "card.csv.card.json").mkdir()
    for out in ("folder.csv", "pipe.csv", "link.csv", "card.csv"):
        before = sorted(folder.iterdir())
        done = appliance.run("train", *machine.files, "--service", "fraud", "--labels", labels,
                             "--out", folder / out, cwd=folder)
        assert done.returncode == 1 and "is there and is no file" in done.stderr, done.stderr
        assert sorted(folder.iterdir()) == before, out
    # A set of before has its card until another set takes its name.
    labels.write_text("card,q,note\n" + "1,5,%s\n" % ("x" * 50) * 2000)
    for out in ("old.csv", "old.parquet"):
        train(machine, labels, folder / out)
        (folder / (out + ".card.json.tmp")).mkdir()
        done = appliance.run("train", *machine.files, "--service", "fraud", "--labels", labels,
                             "--out", folder / out, cwd=folder)
        assert done.returncode == 1 and ".card.json: Is a directory" in done.stderr, done.stderr
        assert not (folder / (out + ".card.json")).exists(), out
    # On a disk that fills up the half of a set goes again.
    script = ('ulimit -f 100; trap "" XFSZ; exec "$@"')
    done = appliance.subprocess.run(
        ["bash", "-c", script, "bash", appliance.PROGRAM, "train", *machine.files, "--service",
         "fraud", "--labels", labels, "--out", "big.csv"], cwd=folder, capture_output=True,
        text=True, check=False)
    assert done.returncode == 1 and "big.csv: File too large" in done.stderr, done.stderr
    assert not list(folder.glob("big.csv.tmp")), "half a set"


def wrong_labels_are_told_by_place():
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = appliance.Appliance(folder, streams=SMALL, data=DATA, memory="256MiB")
        try:
            machine.start()
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()
        labels = machine.folder / "labels.csv"
        for text, more, said in WRONG:
            labels.write_text(text)
            done = appliance.run("train", *machine.files, "--service", "fraud", "--labels", labels,
                                 "--out", machine.folder / "out.csv", *more, cwd=machine.folder)
            assert done.returncode in (1, 2), (text, done.returncode)
            assert said in done.stderr, (text, done.stderr)
            assert not list(machine.folder.glob("out.csv*")), text
        labels.write_text("card,q\n1,5\n")
        done = appliance.run("train", *machine.files, "--service", "fruad", "--labels", labels,
                             "--out", machine.folder / "out.csv", cwd=machine.folder)
        assert "did you mean `fraud`?" in done.stderr, done.stderr
        # A key is no time, whatever its name.
        named = machine.folder / "named.yaml"
        named.write_text(machine.definitions.read_text().replace(
            "    entity: card\n", "    entity: q\n    key: card\n"))
        for text, code in (("q\n1\n", 1), ("q,ts\n1,5\n", 0)):
            labels.write_text(text)
            done = appliance.run("train", named, "--service", "fraud", "--labels", labels, "--out",
                                 machine.folder / "named.csv", cwd=machine.folder)
            assert done.returncode == code, (text, done.stderr)
            assert ("no column that says when" in done.stderr) == (code == 1), done.stderr
        labels.write_text("card,q\n1,5\n")
        # Nor does the set take the place of its labels.
        (machine.folder / "also.csv").hardlink_to(labels)
        for out in ("labels.csv", "also.csv"):
            done = appliance.run("train", *machine.files, "--service", "fraud", "--labels", labels,
                                 "--out", machine.folder / out, cwd=machine.folder)
            assert done.returncode == 1 and "is the file of --labels" in done.stderr, done.stderr
            assert labels.read_text() == "card,q\n1,5\n"
        what_is_no_file_stays(machine, labels)
        # Of two runs that make one set one does: here the other one has its folder.
        (machine.folder / "out.csv.parts").mkdir()
        other = os.open(machine.folder / "out.csv.parts", os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        done = appliance.run("train", *machine.files, "--service", "fraud", "--labels", labels,
                             "--out", machine.folder / "out.csv", cwd=machine.folder)
        assert done.returncode == 1 and "another run makes this set" in done.stderr, done.stderr
        os.close(other)
        # No label, and keys that are none, are no error.
        labels.write_text("card,q\n")
        train(machine, labels, machine.folder / "out.csv")
        assert rows_of(machine.folder / "out.csv") == []
        labels.write_text("card,q\nx,5\n,5\n99999999999999999999999,-5\n")
        train(machine, labels, machine.folder / "out.csv")
        statuses = {row["activity.total__status"] for row in rows_of(machine.folder / "out.csv")}
        assert statuses == {"NOT_FOUND"}, statuses
        # Text that is no UTF-8 goes through; in Parquet as a lake has it.
        labels.write_bytes(b"card,q,note\n1,5,caf\xe9\n")
        for out in ("out.csv", "out.parquet"):
            train(machine, labels, machine.folder / out)
        assert b"\n1,5,caf\xe9," in (machine.folder / "out.csv").read_bytes()
        notes = duckdb.Database().query(f"SELECT note FROM '{machine.folder}/out.parquet'")
        assert notes == [["caf\uefe9"]], notes


def one_shard():
    vectors_equal_what_was_served([1, 1])


def three_shards():
    vectors_equal_what_was_served([3, 3])


def another_number_of_shards_in_each_life():
    vectors_equal_what_was_served([2, 3, 1])


if __name__ == "__main__":
    print("SEED=%d" % SEED)
    appliance.main([one_shard, three_shards] if len(sys.argv) < 2
                   else [globals()[name] for name in sys.argv[1:]])
