#!/usr/bin/env python3
"""Served answers against the mirror, with the real process: whatever came late, twice or out of
order, over how many shards, across crashes, with reads in between: what was served is what the
recorded events make of it, byte for byte. What is planted is found, and explained. Arguments: which
parts. SEED= repeats it."""

import csv
import json
import os
import pathlib
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import types

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402
import duckdb  # noqa: E402
import store  # noqa: E402

SECOND_US = 1_000_000
DEFINITIONS = """
streams:
  payment:
    id: 1
    time: ts
    lateness: 1m
    late: apply
    history: 2s
    fields:
      ts:     {type: timestamp}
      card:   {type: u64}
      user:   {type: string, size: 8, optional: true}
      amount: {type: decimal, scale: 2, min: 0}
      score:  {type: f64, scale: 4, optional: true}
  click:
    id: 2
    time: ts
    lateness: 1m
    late: ledger
    fields:
      ts:   {type: timestamp}
      user: {type: string, size: 8}
views:
  activity:
    entity: card
    source: payment
    windows: [10s, 10m, 1h]
    exact: 10s
    raw_cap: 16
    aggregates:
      n:     count()
      spent: sum(amount)
      mean:  avg(score)
      dev:   stddev_samp(amount)
      big:   count() where amount > 500
      who:   approx_distinct(user)
      last3: last_k(amount, 3)
      p95:   quantile(amount, 0.95)
      per:   count() by user
    derived: {share: spent_10s / spent_1h}
  habit:
    entity: user
    source: [payment, click]
    leading: newest
    windows: [5m, 8 events, lifetime]
    aggregates: {n: count(), latest: last(ts)}
    ttl: 2d
  visits:
    entity: user
    source: click
    windows: [session 3s, 5m]
    aggregates: {n: count()}
    ttl: 2d
  pulse:
    entity: card
    source: payment
    windows: [5s]
    edges: "(]"
    aggregates: {n: count()}
    ttl: 11s
services:
  fraud:
    log: {sample: 1}
    request: {amount: {type: decimal, scale: 2}, note: {type: string, size: 8, optional: true}}
    features:
      - activity.n_10s
      - activity.n_10m
      - activity.spent_1h
      - {feature: activity.mean_10m, default: 0.5}
      - activity.dev_1h
      - activity.big_10m
      - activity.who_10m
      - activity.last3_10m
      - activity.p95_10m
      - activity.per_10m
      - activity.share
      - habit.n_5m
      - visits.n_session_3s
      - habit.n_8_events
      - {feature: habit.latest, max_age: 3s}
      - {feature: pulse.n_5s, default: 0}
      - {name: ratio, value: request.amount / activity.mean_10m, default: -1}
      - name: label
        value: request.note || '/' || CASE WHEN habit.n_5m > 3 THEN 'hot' ELSE 'cold' END
"""


def field(kind, size=0, scale=0):
    return types.SimpleNamespace(type=kind, size=size, scale=scale, format=None)


PAYMENT = types.SimpleNamespace(id=1, version=1, fields=[
    field("timestamp"), field("u64"), field("string", 8), field("decimal", scale=2),
    field("f64", scale=4)])
CLICK = types.SimpleNamespace(id=2, version=1, fields=[field("timestamp"), field("string", 8)])
USERS = ["ada", "bo", "cy", "di"]
CARDS = range(100, 108)


class Traffic:
    """Messages of some producers: most in time, some late, some from the future, some twice."""

    def __init__(self, seed, appliance):
        self.source = random.Random(seed)
        self.appliance = appliance
        self.sequence = {}
        self.sent = []

    def time_us(self):
        kind = self.source.random()
        age = (self.source.uniform(0, 8) if kind < 0.8 else self.source.uniform(8, 59)
               if kind < 0.9 else self.source.uniform(70, 4000) if kind < 0.97 else -30)
        return time.time_ns() // 1000 - int(age * SECOND_US)

    def event(self, stream):
        if stream is CLICK:
            return [self.time_us(), self.source.choice(USERS)]
        return [self.time_us(), self.source.choice(CARDS),
                self.source.choice(USERS + [None]), self.source.randrange(100_000),
                self.source.choice([None, self.source.randrange(10_000)])]

    def message(self):
        stream = CLICK if self.source.random() < 0.3 else PAYMENT
        producer = self.source.randrange(1, 5)
        number = self.sequence[producer] = self.sequence.get(producer, 0) + 1
        events = [self.event(stream) for _ in range(self.source.randrange(1, 12))]
        packed = client.pack_message(stream, types.SimpleNamespace(
            producer=producer, sequence=number, incarnation=7, lane=0, events=events))
        self.sent.append(packed)
        return packed

    def send(self, count):
        for _ in range(count):
            again = self.sent and self.source.random() < 0.1
            self.appliance.send(self.source.choice(self.sent[-50:]) if again else self.message())


def ask(source, redis):
    """Sends one request; its reply is read later."""
    users = source.sample(USERS + ["nobody"], source.choice([1, 1, 3]))
    keys = [f"card:{source.choice([*CARDS, 999])}"] + [f"user:{u}" for u in users]
    words = ["FS.MGET", len(keys), *keys, "SERVICE", "fraud"]
    kind = source.random()
    if kind < 0.15:
        words.append("LATEST")
    elif kind < 0.4:
        words += ["AT", time.time_ns() // 1000 - source.randrange(-2, 40) * SECOND_US]
    request = ["amount", f"{source.randrange(10_000) / 100:.2f}"]
    if source.random() < 0.5:
        request += ["note", source.choice(["a", "long one", "%"])]
    redis.send(*words, "REQUEST", len(request) // 2, *request)
    return len(users)


def live(appliance, traffic, seconds):
    """Sends and asks at the same time; returns how many answers came."""
    redis = client.Redis(port=appliance.tcp)
    answers = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = 0
        for _ in range(20):
            traffic.send(traffic.source.randrange(3))
            answers += ask(traffic.source, redis)
            asked += 1
        for _ in range(asked):
            redis.read()
    redis.close()
    return answers


def report(appliance, data, code=None):
    """code: None: without differences it is 1 where nothing could be computed again."""
    done = support.run("parity", "report", appliance.definitions, "--data", data, "--json",
                       timeout=60)
    found = json.loads(done.stdout)
    code = int(found["checked"] == 0 < found["answers"]) if code is None else code
    assert done.returncode == code, f"{done.returncode}: {done.stdout[-3000:]} {done.stderr}"
    return found


def holds(shards, seed):
    """shards: of three lives."""
    print(f"SEED={seed}")
    options = "directory: data, checkpoint: 500ms, mirror: {segment: 1MiB}"
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = support.Appliance(folder, streams=DEFINITIONS, shards=max(shards), data=options)
        data = appliance.folder / "data"
        traffic = Traffic(seed, appliance)
        answers = 0
        for life in range(3):
            appliance.define(DEFINITIONS, shards[life], options)
            appliance.start()
            try:
                answers += live(appliance, traffic, 1.5)
                if life == 1:
                    beside = report(appliance, data)
                    assert beside["mismatch"] == beside["extra"] == 0, beside
            finally:
                if life < 2:
                    appliance.kill()
                else:
                    assert appliance.stop() == 0
        found = report(appliance, data)
        assert len(found["services"]) == 1, found
        assert found["mismatch"] == found["extra"] == found["missing"] == 0, found
        # Thousands, but of instrumented builds.
        assert found["answers"] > 200, (found["answers"], answers)
        assert found["checked"] == 18 * found["answers"], found
        assert found["damaged"] == 0, found
        with_value = sum(v["numbers"]["count"] for v in found["services"][0]["values"]
                         if "numbers" in v)
        assert with_value > found["answers"], "most values are null"


def what_was_served_is_what_the_mirror_has():
    holds([1, 1, 1], int(os.environ.get("SEED", "20261126")))


def the_same_with_three_shards():
    holds([3, 3, 3], int(os.environ.get("SEED", "20261127")))


def the_same_while_the_number_of_shards_changes():
    holds([2, 3, 1], int(os.environ.get("SEED", "20261128")))


# The rest needs only a few answers of one shard.

SMALL = """
streams:
  s:
    id: 1
    time: ts
    lateness: 1m
    fields: {ts: {type: timestamp}, k: {type: u64}, x: {type: decimal, scale: 2}}
views:
  v: {entity: e, key: [k], source: s, windows: [1h], aggregates: {n: count(), sum: sum(x)}}
services:
  f: {log: {sample: 1}, features: [v.n_1h, v.sum_1h]}
"""
EVENTS = 20
FILE_HEADER_BYTES = 64  # Of a file of served answers.


def small(folder, mirror="segment: 1MiB", streams=SMALL):
    return support.Appliance(folder, streams=streams, data=f"directory: data, mirror: {{{mirror}}}")


def filled(appliance):
    """One event after the other, each read back; returns the last answer."""
    appliance.start()
    redis = client.Redis(port=appliance.tcp)
    answer = None
    for i in range(EVENTS):
        appliance.send(json.dumps({"stream": "s", "ts": time.time_ns() // 1000, "k": 7,
                                   "x": f"{i}.25"}).encode())
        support.wait_until(
            lambda n=i + 1: redis.call("HGET", "e:7", "v.n_1h") == str(n).encode(), "the event")
        answer = redis.call("FS.GET", "e:7", "SERVICE", "f")
    redis.close()
    assert answer[:4] == [b"v.n_1h", b"20", b"v.sum_1h", b"195.00"], answer
    return answer


def explain(appliance, data, *arguments, code=0):
    done = support.run("parity", "explain", appliance.definitions, "--data", data, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def served_file_change(path, old, new):
    """Changes a value in a file of served answers, and makes the block's crc right."""
    content = bytearray(path.read_bytes())
    at = content.index(old)
    content[at:at + len(old)] = new
    place = FILE_HEADER_BYTES
    while place < len(content):
        size = struct.unpack_from("<I", content, place + 8)[0]
        struct.pack_into("<I", content, place + 4,
                         store.crc32c(bytes(content[place + 8:place + 32 + size])))
        place += 32 + size
    path.write_bytes(content)


def event_take_back(path, number):
    """Gives the number-th event of a log another verdict: late, never applied. Makes all crcs of
    the frames behind it right."""
    content = bytearray(path.read_bytes())
    place, chain, seen = store.BLOCK, None, 0
    while content[place:place + 4] == b"FRM1":
        size, = struct.unpack_from("<I", content, place + 8)
        at = place + 64
        while at < place + 64 + size:
            length, kind = struct.unpack_from("<IB", content, at)
            if kind == store.MESSAGE:
                seen += 1
                if seen == number:
                    content[at + 56] = 7
            at += length
        if chain is not None:
            struct.pack_into("<I", content, place + 44, chain)
        chain = store.crc32c(bytes(content[place + 8:place + 64]),
                             store.crc32c(bytes(content[place + 64:place + 64 + size])))
        struct.pack_into("<I", content, place + 4, chain)
        place += (64 + size + store.BLOCK - 1) // store.BLOCK * store.BLOCK
    assert seen >= number, seen
    path.write_bytes(content)


def what_is_planted_is_found_and_explained():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder)
        data = appliance.folder / "data"
        filled(appliance)
        assert appliance.stop() == 0
        good = report(appliance, data)
        assert (good["answers"], good["checked"]) == (EVENTS, 2 * EVENTS), good
        text = explain(appliance, data, "--nth", EVENTS)
        assert "the value is the served one after the last event" in text, text
        assert len(re.findall(r"^ +\d+  \d{4}-", text, re.M)) == EVENTS, text

        # A value that was served otherwise.
        changed = pathlib.Path(folder, "changed")
        shutil.copytree(data, changed)
        served_file_change(changed / "served-00000001.log", b"195.00", b"795.00")
        found = report(appliance, changed, code=1)
        assert (found["mismatch"], found["extra"]) == (1, 0), found
        difference, = found["differences"]
        assert (difference["value"], difference["served"], difference["mirror"]) == (
            "v.sum_1h", "795.00", "195.00"), difference
        assert difference["nth"] == EVENTS, difference
        value = found["services"][0]["values"][1]["numbers"]
        assert value["errors"][">= 0.1"] == 1 and 1.2 < value["greatest"] < 1.22, value
        text = explain(appliance, changed, "--nth", difference["nth"])
        assert "v.sum_1h: mismatch, served PRESENT 795.00, by the mirror PRESENT 195.00" in text
        assert "after none of these events is the value the served one" in text, text

        # An event that was applied, and the log says that it was not.
        removed = pathlib.Path(folder, "removed")
        shutil.copytree(data, removed)
        event_take_back(removed / "mirror-000-00000001.log", 5)
        found = report(appliance, removed, code=1)
        assert found["mismatch"] == 2 * (EVENTS - 4), found
        text = explain(appliance, removed, "--service", "f", "--key", "e:7", "--value", "v.n_1h")
        late, = [line for line in text.splitlines() if "event_late" in line]
        assert re.match(r" +5  .* producer 0 sequence \d+ .*x=4\.25  -> 4$", late), late
        assert "mismatch, served PRESENT 20, by the mirror PRESENT 19" in text, text


def an_answer_is_explained_by_events_of_every_number_of_shards():
    options = "directory: data, mirror: {segment: 1MiB}"
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = support.Appliance(folder, streams=SMALL, shards=3, data=options)
        data = appliance.folder / "data"
        for life, shards in enumerate((1, 3, 2), 1):
            appliance.define(SMALL, shards, options)
            appliance.start()
            for key in [*range(8)] * 3:
                appliance.send(json.dumps({"stream": "s", "ts": time.time_ns() // 1000, "k": key,
                                           "x": "1.25"}).encode())
            redis = client.Redis(port=appliance.tcp)
            for key in range(8):
                support.wait_until(lambda k=key, n=3 * life: redis.call(
                    "HGET", f"e:{k}", "v.n_1h") == str(n).encode(), "three events more")
                redis.call("FS.GET", f"e:{key}", "SERVICE", "f")
            assert appliance.stop() == 0
        assert report(appliance, data)["answers"] == 24
        for nth in range(1, 25):
            text = explain(appliance, data, "--nth", nth)
            served = re.search(r"v.n_1h: equal, served PRESENT (\d+)", text)
            events = re.findall(r"^ +\d+  \d{4}-.* applied", text, re.M)
            assert len(events) == int(served.group(1)), text


# Windows that do not say where they would begin, if the mirror went back farther.
BACK = """  w:
    entity: e
    key: [k]
    source: s
    windows: [1h, session 30m, 8 events, lifetime]
    aggregates: {n: count(), sum: sum(x)}
    derived: {share: sum_1h / sum}
    ttl: 2d
services:"""
BACK_FEATURES = (", w.n, w.sum_8_events, w.n_session_30m, w.share,"
                 " {name: all, value: w.n + v.n_1h}")


def what_cannot_be_computed_again_is_missing_and_no_mismatch():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        long = "t: {type: string, size: 255, optional: true}, x: {type"
        back = SMALL.replace("x: {type", long).replace("v.sum_1h]", f"v.sum_1h{BACK_FEATURES}]")
        appliance = small(folder, "segment: 1MiB, bytes: 4MiB", back.replace("services:", BACK))
        data = appliance.folder / "data"
        filled(appliance)
        line = {"stream": "s", "k": 8, "x": "1.00", "t": "t" * 250}
        for _ in range(10):  # The log turns over.
            for _ in range(1600):
                appliance.send(json.dumps(line | {"ts": time.time_ns() // 1000}).encode())
            appliance.verb("checkpoint")
        redis = client.Redis(port=appliance.tcp)
        redis.call("FS.GET", "e:7", "SERVICE", "f")
        appliance.send(json.dumps({"stream": "s", "k": 7, "x": "1.00",
                                   "ts": time.time_ns() // 1000}).encode())
        support.wait_until(lambda: redis.call("HGET", "e:7", "w.n") == b"21", "the event")
        for moment in ["LATEST"], []:
            redis.call("FS.GET", "e:7", "SERVICE", "f", *moment)
        redis.call("FS.GET", "e:8", "SERVICE", "f")
        assert appliance.stop() == 0
        assert not (data / "mirror-000-00000001.log").exists()
        found = report(appliance, data)
        assert found["mismatch"] == found["extra"] == 0, found
        assert found["answers"] == EVENTS + 4 and found["missing"] >= 7 * EVENTS, found

        # Another definition of the same service and version.
        text = appliance.definitions.read_text().replace("v.sum_1h,",
                                                         "{feature: v.sum_1h, default: 0},")
        appliance.definitions.write_text(text)
        found = report(appliance, data, code=1)
        assert found["checked"] == 0 and found["missing"] == 7 * (EVENTS + 4), found
        told = support.run("parity", "report", appliance.definitions, "--data", data)
        assert f"none of {EVENTS + 4} answers could be computed again" in told.stderr, told
        assert found["services"][0]["gone"] is True, found


def rows_that_were_folded_further_before_a_start_are_no_mismatch():
    folds = SMALL.replace("lateness: 1m", "lateness: 1m\n    history: 0s").replace(
        "windows: [1h]", "windows: [10s, 1h, 8 events], exact: 10s, ttl: 2d").replace(
        "v.n_1h", "v.n_1h, v.n_10s, v.n_8_events")
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder, streams=folds)
        data = appliance.folder / "data"
        now = time.time_ns() // 1000

        def ask():
            redis = client.Redis(port=appliance.tcp)
            for back in 5, 20, 45:
                redis.call("FS.GET", "e:7", "SERVICE", "f", "AT", now - back * SECOND_US)
        appliance.start()
        for i in range(120):
            appliance.send(json.dumps({"stream": "s", "ts": now - (60 * SECOND_US - i * 500_000),
                                       "k": 7, "x": f"{i}.00"}).encode())
        appliance.wait_received(120)
        ask()
        assert appliance.stop() == 0
        appliance.definitions.write_text(
            appliance.definitions.read_text().replace("history: 0s", "history: 5m"))
        appliance.start()
        ask()

        def canary():
            return appliance.status()["served"]["parity"]
        support.wait_until(lambda: canary()["answers"] == 3, "all answers checked", 20)
        found = canary()
        assert found["mismatch"] == found["extra"] == 0 < found["missing"], found
        assert appliance.stop() == 0
        found = report(appliance, data)
        assert found["mismatch"] == found["extra"] == 0 < found["checked"], found
        assert [s["gone"] for s in found["services"]] == [True, False], found


def an_answer_before_the_first_turn_of_a_shard_has_what_the_start_corrected():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder)
        data = appliance.folder / "data"

        def ask():
            """The answer of the service, and its query time."""
            redis = client.Redis(port=appliance.tcp)
            answer = redis.call("FS.GET", "e:7", "SERVICE", "f", "WITHMETA")
            return answer[1][0], answer[1][6]
        filled(appliance)
        _, before_us = ask()
        assert appliance.stop() == 0
        done = support.run("correct", "--data", data, "retract", "--producer", "0", "--incarnation",
                           "1", "--sequence", "1", appliance.definitions)
        assert done.returncode == 0, done
        appliance.start()
        value, q_us = ask()
        assert value == b"19" and q_us > before_us, (value, q_us, before_us)
        assert appliance.stop() == 0
        # As it is when nothing was applied since: the answer knows what the last life did.
        served_file_change(data / "served-00000002.log", struct.pack("<qq", q_us, q_us),
                           struct.pack("<qq", before_us, before_us))
        found = report(appliance, data)
        assert found["answers"] == EVENTS + 2, found
        assert found["mismatch"] == found["extra"] == found["missing"] == 0, found


def the_canary_checks_while_answers_are_given():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder)
        filled(appliance)

        def parity():
            return appliance.status()["served"]["parity"]
        support.wait_until(lambda: parity()["answers"] == EVENTS, "all answers checked", 20)
        found = parity()
        assert (found["checked"], found["mismatch"], found["extra"], found["missing"],
                found["failed"]) == (2 * EVENTS, 0, 0, 0, 0), found
        assert "40 values checked, none differs" in appliance.verb("status").stdout
        assert appliance.stop() == 0


def a_share_is_recorded_and_none_at_0():
    two = SMALL.replace("log: {sample: 1}", "log: {sample: 0.1}") + (
        "  g: {log: {sample: 0}, features: [v.n_1h]}\n")
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder, streams=two)
        appliance.start()
        redis = client.Redis(port=appliance.tcp)
        for service in "fg":
            for _ in range(50):
                for _ in range(100):
                    redis.send("FS.GET", "e:7", "SERVICE", service)
                for _ in range(100):
                    redis.read()
        redis.close()
        data = appliance.folder / "data"
        assert appliance.stop() == 0
        found = report(appliance, data)
        assert [s["service"] for s in found["services"]] == ["f"], found
        # 500 of 5000 with a deviation of 21: beyond eight of them once in 10^15.
        assert 330 < found["answers"] < 670, found["answers"]


def what_a_crash_tore_is_told_and_the_rest_is_there():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder)
        data = appliance.folder / "data"
        filled(appliance)
        path = data / "served-00000001.log"
        support.wait_until(lambda: path.exists() and path.stat().st_size > FILE_HEADER_BYTES,
                           "a block in the file")
        client.Redis(port=appliance.tcp).call("FS.GET", "e:7", "SERVICE", "f")  # In another block.
        assert appliance.stop() == 0
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        torn = report(appliance, data)
        assert 0 < torn["answers"] <= EVENTS and torn["damaged"] == 0, torn
        filled_again = small(folder)
        filled_again.start()
        client.Redis(port=filled_again.tcp).call("FS.GET", "e:7", "SERVICE", "f")
        assert filled_again.stop() == 0
        both = report(appliance, data)
        assert (both["answers"], both["files"], both["torn_files"]) == (torn["answers"] + 1, 2, 1)
        middle = bytearray(whole)
        middle[100] ^= 1  # In the first block; good ones follow.
        path.write_bytes(middle)
        damaged = report(appliance, data)
        assert damaged["damaged"] == 1 and 0 < damaged["answers"] < EVENTS + 2, damaged


def logged_train(appliance, data, labels, *arguments, code=0):
    """Rows of a training set made from what was served."""
    folder = appliance.folder
    (folder / "labels.csv").write_text(labels)
    done = support.run("train", appliance.definitions, "--from-logged", "--service", "f",
                       "--labels", folder / "labels.csv", "--out", folder / "set.csv", "--data",
                       data, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    if code != 0:
        return done.stderr
    with open(folder / "set.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def a_run_that_failed_goes_on(appliance, data, card):
    """Files of 1200 bytes hold parts, but not the set: that is told, and the next run says the same
    of its labels as one that did not fail. What is damaged is told too."""
    whole = (appliance.folder / "set.csv").read_bytes()
    assert len(whole) > 1200
    again = ["train", appliance.definitions, "--from-logged", "--service", "f",
             "--labels", appliance.folder / "labels.csv", "--out", appliance.folder / "set.csv",
             "--data", data, "--part-rows", "1"]
    for size, said in ((50, "the disk is full"), (1200, "File too large")):
        limit = (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        done = subprocess.run([support.PROGRAM, *map(str, again)], capture_output=True, text=True,
                              check=False, timeout=60, preexec_fn=lambda to=limit:
                              resource.setrlimit(resource.RLIMIT_FSIZE, to))
        assert done.returncode == 1 and said in done.stderr, (size, done.returncode, done.stderr)
    assert support.run(*map(str, again)).returncode == 0
    assert (appliance.folder / "set.csv").read_bytes() == whole
    card_again = json.loads((appliance.folder / "set.csv.card.json").read_text())
    assert card_again["logged"] == card["logged"] and card["logged"]["damaged_places"] == 0
    path = data / "served-00000001.log"
    good = path.read_bytes()
    path.write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    done = support.run(*map(str, again))
    card_again = json.loads((appliance.folder / "set.csv.card.json").read_text())
    assert "1 places in files of served answers are damaged" in done.stderr, done.stderr
    assert card_again["logged"]["damaged_places"] == 1, card_again
    path.write_bytes(good)


def a_training_set_of_what_was_served_has_the_newest_answer_before_each_label():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder, streams=SMALL.replace(
            "v.sum_1h]", "v.sum_1h, {name: all, value: v.n_1h}]"))
        data = appliance.folder / "data"
        appliance.start()
        redis = client.Redis(port=appliance.tcp)
        moments = []  # (key, moment before, after, values)
        source = random.Random(5)
        for i in range(40):
            key = source.randrange(3)
            appliance.send(json.dumps({"stream": "s", "ts": time.time_ns() // 1000, "k": key,
                                       "x": f"-{i}.25"}).encode())
            support.wait_until(lambda n=i + 1: appliance.status()["applied"] == n, "the event")
            before = time.time_ns() // 1000
            answer = redis.call("FS.GET", f"e:{key}", "SERVICE", "f")
            moments.append((key, before, time.time_ns() // 1000, answer[1].decode(),
                            answer[3].decode()))
        assert appliance.stop() == 0
        labels = ["e,time,fraud,note"]
        wanted = []
        for key in range(4):
            own = [m for m in moments if m[0] == key]
            for _, before, after, count, total in own:
                labels.append(f'{key},{after},1,"a, ""b"""')
                wanted.append((count, total))
                earlier = [m for m in own if m[2] < before]
                labels.append(f"{key},{before - 1},0,")
                wanted.append(earlier[-1][3:] if earlier else ("", ""))
            labels.append(f"{key},{moments[-1][2] + 3_600_000_000},0,late")
            wanted.append(own[-1][3:] if own else ("", ""))
            labels.append(f"{key},{moments[-1][2] + 90_000_000_000},0,beyond a day")
            wanted.append(("", ""))
        rows = logged_train(appliance, data, "\n".join(labels) + "\n")
        assert list(rows[0]) == ["e", "time", "fraud", "note", "v.n_1h", "v.n_1h__status",
                                 "v.sum_1h", "v.sum_1h__status", "all", "all__status"], rows[0]
        assert [(row["v.n_1h"], row["v.sum_1h"]) for row in rows] == wanted
        for row in rows:
            assert row["v.n_1h__status"] == ("PRESENT" if row["v.n_1h"] else "NOT_FOUND"), row
        assert rows[0]["note"] == 'a, "b"' and rows[0]["fraud"] == "1", rows[0]
        card = json.loads((appliance.folder / "set.csv.card.json").read_text())
        assert card["mode"] == "from_logged" and card["logged"]["answers"] == 40, card
        assert card["logged"]["labels_joined"] == sum(1 for w in wanted if w[0]), card
        a_run_that_failed_goes_on(appliance, data, card)
        rows = logged_train(appliance, data, "\n".join(labels) + "\n", "--within", "30m")
        assert [r["v.n_1h"] for r in rows if r["note"] == "late"] == [""] * 4, rows
        # A view that has another version since, or another name.
        good = appliance.definitions.read_text()
        for was, now in ("v: {", "v: {version: 2, "), ("v: {", "u: {"):
            text = good.replace(was, now)
            appliance.definitions.write_text(text.replace("v.", "u.") if "u: {" in now else text)
            rows = logged_train(appliance, data, "\n".join(labels) + "\n")
            assert [row["all"] for row in rows] == [count for count, _ in wanted], now
        appliance.definitions.write_text(good)
        assert "no column `e`" in logged_train(appliance, data, "x,time\n1,2\n", code=1)
        assert "--within `soon` is no duration" in logged_train(
            appliance, data, "e,time\n1,2\n", "--within", "soon", code=1)
        assert "--from-logged takes none" in logged_train(
            appliance, data, "e,time\n1,2\n", "--mode", "as_true", code=2)


def what_was_served_joins_whatever_the_definitions_say_by_now():
    """The view has another version; sums are wider than 128 bits."""
    wide = SMALL.replace("x: {type: decimal, scale: 2}", "x: {type: i64}").replace(
        "sum: sum(x)", "sum: sumsq(x)")
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder, streams=wide)
        appliance.start()
        redis = client.Redis(port=appliance.tcp)
        for i, x in enumerate((2**63 - 1, -2**63 + 1, 5)):
            appliance.send(json.dumps({"stream": "s", "ts": time.time_ns() // 1000, "k": 7,
                                       "x": x}).encode())
            support.wait_until(lambda n=i + 1: appliance.status()["applied"] == n, "the event")
        served = redis.call("FS.GET", "e:7", "SERVICE", "f")
        assert int(served[3]) == 2 * (2**63 - 1)**2 + 25
        labels = f"e,time\n7,{time.time_ns() // 1000 + 1000}\n"
        assert appliance.stop() == 0
        for text in (wide, wide.replace("{entity: e,", "{version: 2, entity: e,")):
            appliance.definitions.write_text(text)
            row, = logged_train(appliance, appliance.folder / "data", labels)
            assert [row["v.n_1h"], row["v.sum_1h"]] == [v.decode() for v in served[1::2]], row


def answers_become_parquet_by_the_hour():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        two = SMALL.replace(
            "features: [v.n_1h, v.sum_1h]", "request: {note: {type: string, size: 8}},"
            " features: [v.n_1h, {name: note, value: request.note}, v.sum_1h]")
        appliance = small(folder, streams=two)
        appliance.start()
        redis = client.Redis(port=appliance.tcp)
        wanted = []
        for i in range(3000):
            note = b"\xff\"" if i == 7 else b"n%d" % (i % 9)
            redis.call("FS.GET", "e:7", "SERVICE", "f", "REQUEST", 1, "note", note)
            wanted.append("?\"" if i == 7 else note.decode())
        assert appliance.stop() == 0
        lake = pathlib.Path(folder, "lake")
        done = support.run("export", "--data", appliance.folder / "data", "--out", lake)
        assert done.returncode == 0, done.stderr
        files = sorted(lake.glob("stream=_served/dt=*/hr=*/part-000-00000001.parquet"))
        assert 1 <= len(files) <= 2, files
        before = [file.read_bytes() for file in files]
        again = support.run("export", "--data", appliance.folder / "data", "--out", lake, "--json")
        assert json.loads(again.stdout)["files"] == 0, again.stdout
        files[0].unlink()
        support.run("export", "--data", appliance.folder / "data", "--out", lake)
        assert [file.read_bytes() for file in files] == before
        if not duckdb.is_here():
            print(duckdb.missing())
            return
        database = duckdb.Database()
        table = f"read_parquet('{lake}/stream=_served/*/*/*.parquet', hive_partitioning = true)"
        rows = database.query(
            f"SELECT value FROM {table} AS t WHERE name = 'note' ORDER BY file, t.answer")
        assert [row[0] for row in rows] == wanted, rows[:10]
        rows = database.query(
            f"SELECT DISTINCT service, version::VARCHAR, status, value, row::VARCHAR,"
            f" json_extract_string(reads, '$[0].view'), json_extract_string(reads, '$[0].key')"
            f" FROM {table} WHERE name = 'v.n_1h'")
        assert [tuple(row) for row in rows] == [
            ("f", "1", "NOT_FOUND", None, "0", "v", "0700000000000000")], rows
        rows = database.query(
            f"SELECT count(*)::VARCHAR FROM {table} WHERE hour(moment) = hr::INT"
            f" AND strftime(moment, '%Y-%m-%d') = dt::VARCHAR")
        assert rows[0][0] == "9000", rows


def errors_say_what_is_allowed():
    with tempfile.TemporaryDirectory(prefix="freshet-parity-") as folder:
        appliance = small(folder)
        filled(appliance)
        assert appliance.stop() == 0
        data = appliance.folder / "data"
        cases = [
            (["parity", "repot", "x"], 2, 'no part "repot"; report, explain and --sql are known'),
            (["parity", "explain", appliance.definitions], 2,
             "either --nth, or --service and --key, say which answer"),
            (["parity", "explain", appliance.definitions, "--service", "f"], 2,
             "--service and --key belong together"),
            (["parity", "explain", appliance.definitions, "--data", data, "--nth", "99"], 1,
             "no such answer is recorded"),
            (["parity", "explain", appliance.definitions, "--data", data, "--nth", "1", "--value",
              "v.x"], 1, "--value `v.x` is no value of this answer"),
            (["parity", "report", appliance.definitions, "--data", "nowhere"], 1,
             "nowhere: No such file or directory"),
        ]
        for arguments, code, text in cases:
            done = support.run(*arguments, cwd=folder)
            assert done.returncode == code and text in done.stderr, (arguments, done.stderr)


TESTS = {
    "live": [what_was_served_is_what_the_mirror_has, the_same_with_three_shards,
             the_same_while_the_number_of_shards_changes],
    "planted": [what_is_planted_is_found_and_explained,
                an_answer_is_explained_by_events_of_every_number_of_shards,
                what_cannot_be_computed_again_is_missing_and_no_mismatch,
                rows_that_were_folded_further_before_a_start_are_no_mismatch,
                an_answer_before_the_first_turn_of_a_shard_has_what_the_start_corrected,
                the_canary_checks_while_answers_are_given],
    "files": [a_share_is_recorded_and_none_at_0, what_a_crash_tore_is_told_and_the_rest_is_there,
              a_training_set_of_what_was_served_has_the_newest_answer_before_each_label,
              what_was_served_joins_whatever_the_definitions_say_by_now,
              answers_become_parquet_by_the_hour, errors_say_what_is_allowed],
}

if __name__ == "__main__":
    support.main([test for part in sys.argv[1:] or TESTS for test in TESTS[part]])
