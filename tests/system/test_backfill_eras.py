#!/usr/bin/env python3
"""Views that are added after the number of shards changed have the history from before, by a start
and by `freshet backfill`: they are what a store makes of it that had them all the time."""

import csv
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import dataset

support = dataset.support
DAY_US, HOUR_US = 86400 * 10**6, 3600 * 10**6
LIVES = [1, 3, 1, 2]  # Numbers of shards.
USERS, LIFE = 24, 120  # Messages in each life.
PLAIN = ["plain", "plain8", "plain9"]
DATA = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
MEMORY = "192MiB"
BEFORE = """
streams:
  visit:
    id: 7
    version: 1
    time: at
    history: 1s
    lateness: 12h
    fields: {at: {type: timestamp}, user: {type: u64}, amount: {type: decimal, scale: 2}}
  order:
    id: 8
    version: 1
    time: at
    history: 1s
    lateness: 12h
    fields: {at: {type: timestamp}, user: {type: u64}, amount: {type: decimal, scale: 2}}
  click:
    id: 9
    version: 1
    time: at
    history: 1s
    lateness: 12h
    fields: {at: {type: timestamp}, user: {type: u64}, amount: {type: decimal, scale: 2}}
views:
  plain:  {version: 1, entity: user, source: visit, windows: [1h], aggregates: {n: count()}}
  plain8: {version: 1, entity: user, source: order, windows: [1h], aggregates: {n: count()}}
  plain9: {version: 1, entity: user, source: click, windows: [1h], aggregates: {n: count()}}
"""
# Rows that begin anew behind their ttl, sessions, lists, two sources; and one that many homes fill.
NEW = """
  lives:
    version: 1
    entity: user
    source: visit
    windows: [1h, 1d, session 30m, 5 events, lifetime]
    ttl: 10d
    aggregates: {n: count(), sum: sum(amount), first: first(amount), last: last(amount)}
  both:
    version: 1
    entity: user
    source: [visit, order]
    windows: [1d, lifetime]
    ttl: 10d
    aggregates: {n: count(), sum: sum(amount)}
  clicks:
    version: 1
    entity: user
    source: click
    windows: [1h, 300d]
    exact: 10m
    ttl: 400d
    aggregates:
      n:     count()
      sum:   sum(amount)
      three: last_k(amount, 3)
      kinds: approx_distinct(amount)
      best:  top_k(amount, 2)
"""
SERVICE = """
services:
  all:
    features: [%s]
"""
LASTING = [f"lives.{a}_{w}" for a in ("n", "sum") for w in ("1h", "1d", "session_30m")] + [
    "lives.n", "lives.sum", "lives.first", "lives.last", "lives.n_5_events", "both.n_1d", "both.n",
    "both.sum_1d", "both.sum"]
CLICKS = [f"clicks.{a}_{w}" for a in ("n", "sum", "three", "kinds", "best") for w in ("1h", "300d")]
FEATURES = LASTING + CLICKS
AFTER = BEFORE + NEW + SERVICE % ", ".join(FEATURES)


def messages_of(source, count):
    """(whether it is a burst of its own, how many of its events are not too late, message). Visits
    and orders are of one producer, so that one home has them; clicks are of several. Users stay
    away for longer than a row lives, where owners have seen what their homes had, also when the
    number of shards changes. Some events are late, and some too late for whoever has them."""
    definition = dataset.oracle.Definition(BEFORE)
    time_us, messages, sequence, unseen = dataset.utc_us(2022, 1, 1), [], {}, set()
    for number in range(count):
        last = number % LIFE == LIFE - 1
        if number % 15 == 0 or last:
            long = (LIVES + [2])[number // LIFE] == 1 and (last or source.random() < 0.3)
            time_us += (11 if long else 2) * DAY_US
            unseen = {"visit", "order", "click"}
        name = source.choice(["visit", "visit", "order", "click", "click"])
        alone = len(unseen) > 0
        unseen.discard(name)
        events, good = [], 0
        for _ in range(10):
            time_us += source.randrange(1, 120) * 10**6
            kind = source.random()
            late_us = source.randrange(HOUR_US) if kind < 0.1 else 0
            too_late = kind > 0.97 and number > 30
            late_us = 60 * DAY_US if too_late else late_us
            good += not too_late
            events.append((time_us - late_us, source.randrange(USERS), source.randrange(1, 5000)))
        producer = source.randrange(20, 25) if name == "click" else 1
        sequence[producer] = sequence.get(producer, 0) + 1
        messages.append((alone, good, dataset.oracle.Message(
            definition.streams[name], events, sequence[producer], producer)))
    return messages


class Store:
    """An appliance in a folder of its own that lives several times."""

    def __init__(self, folder, text, data=DATA):
        self.text, self.data = text, data
        pathlib.Path(folder).mkdir()
        self.machine = support.Appliance(folder, shards=max(LIVES), streams="", data=data,
                                         memory=MEMORY)
        self.folder, self.sent = self.machine.folder, []
        self.redis = self.sender = None

    def start(self, shards):
        self.machine.define(self.text, shards, self.data)
        self.machine.start()
        self.open()
        return self.machine.status()["store"]["recovery"]["views"]

    def open(self):
        self.redis, self.sender = dataset.opened(self.machine)
        self.good = self.applied()  # A replay counts, too.

    def applied(self):
        views = {view["view"]: view["applied"] for view in self.redis.status()["views"]}
        return sum(views[view] for view in PLAIN)

    def settle(self):
        """Rows have all that was sent, and it is on the disk."""
        self.sender.sync()

        def is_durable():
            if self.applied() != self.good:
                return False
            try:
                for view in PLAIN:
                    self.redis.call("FS.MGET", USERS, *[f"user:{user}" for user in range(USERS)],
                                    "FIELDS", 1, f"{view}.n_1h", "LATEST", "LEVEL", "durable")
            except RuntimeError as error:
                assert "not durable yet" in str(error), error
                return False
            return True
        support.wait_until(is_durable, f"{self.good} events are applied and durable", 30)

    def send(self, messages):
        """Rows begin anew between bursts: what comes after days is one. Every tenth comes twice."""
        for alone, good, message in messages:
            if alone:
                self.settle()
            data = dataset.client.pack_message(message.stream, message)
            for _ in range(2 if message.sequence % 10 == 0 else 1):
                self.sender.send(data, len(message.events))
            self.good += good
            if alone:
                self.settle()
        self.sent += messages
        self.settle()

    def values(self):
        """Those that a fold does not make approximate, with their intervals."""
        rows = [self.redis.call("FS.GET", f"user:{user}", "FIELDS", len(FEATURES), *FEATURES,
                                "LATEST", "WITHMETA") for user in range(USERS)]
        return [[None if b"APPROXIMATE" in value[2] else [value[0], value[1], *value[3:6]]
                 for value in row[1::2]] for row in rows]

    def hash(self, *options):
        done = support.run("replay", "--data", self.folder / "data", "--hash", "--json", *options,
                           self.after(), cwd=self.folder, timeout=120)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return told["hash"], told["vshards"]

    def after(self):
        """The definitions with the new views."""
        path = self.folder / "after.yaml"
        text = self.machine.definitions.read_text()
        path.write_text(text[:text.index("\nstreams:")] + AFTER)
        return path

    def backfill(self, *options):
        self.after()
        return subprocess.Popen(
            [support.PROGRAM, "backfill", "lives", "after.yaml", "--json", *options, "--server",
             str(self.machine.socket)], cwd=self.folder, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def filling(self):
        return json.loads(self.redis.call("FS.BACKFILL", "STATUS"))

    def since(self):
        """Of all new views, which have one, and of the store."""
        views = {view["view"]: view["since_us"] for view in self.redis.status()["views"]}
        one, = {views[name] for name in ("lives", "both", "clicks")}
        return one, self.machine.status()["store"]["created_us"]

    def trained(self):
        """What `freshet train` makes of the mirror now: rows by user, and what is served."""
        labels, out = self.folder / "labels.csv", self.folder / "train.csv"
        q_us = time.time_ns() // 1000
        labels.write_text("user,q\n" + "".join(f"{user},{q_us}\n" for user in range(USERS)))
        done = support.run("train", self.after(), "--service", "all", "--labels", labels, "--out",
                           out, cwd=self.folder, timeout=120)
        assert done.returncode == 0, done.stderr
        with open(out, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        served = [self.redis.call("FS.MGET", 1, f"user:{user}", "SERVICE", "all", "AT", q_us,
                                  "WITHMETA")[0] for user in range(USERS)]
        return rows, [{name.decode(): answer for name, answer in zip(reply[::2], reply[1::2])}
                      for reply in served]


def differences(left, right):
    found = [(user, FEATURES[place], got, wanted) for user in range(USERS)
             for place, (got, wanted) in enumerate(zip(left[user], right[user]))
             if None not in (got, wanted) and got != wanted]
    return len(found), found[:4]


def is_trained(store):
    rows, served = store.trained()
    for row, answers in zip(rows, served, strict=True):
        for name, answer in answers.items():
            value = "" if answer[0] is None else answer[0].decode()
            assert row[name] == value, (name, "trained", row[name], "served", answer)
            assert row[name + "__status"] == answer[1].decode(), (name, row, answer)


def lived(store, parts, shards=None):
    """A life of each number of shards; every other one ends by a kill."""
    for place, (count, part) in enumerate(zip(shards or LIVES, parts)):
        if place > 0:
            if place % 2 == 1:
                store.machine.kill()
            else:
                assert store.machine.stop() == 0, store.machine.log.read_text()
        store.start(count)
        store.send(part)


def parts_of(messages):
    return [messages[first:first + LIFE] for first in range(0, len(messages), LIFE)]


class Stores:
    """The one that has the views all the time, and one that gets them; in one folder."""

    def __enter__(self):
        self.held = tempfile.TemporaryDirectory(prefix="freshet-eras-")
        self.stores = []
        return self

    def make(self, text, **options):
        folder = pathlib.Path(self.held.name) / str(len(self.stores))
        self.stores.append(Store(folder, text, **options))
        return self.stores[-1]

    def copy(self, store, text):
        """A store with the files of one that is ended."""
        other = self.make(text, data=store.data)
        shutil.copytree(store.folder / "data", other.folder / "data")
        other.sent = list(store.sent)
        return other

    def __exit__(self, kind, *rest):
        for store in self.stores:
            if kind is not None and store.machine.log.exists():
                print(store.machine.log.read_text(), file=sys.stderr)
            store.machine.stop()
        self.held.cleanup()


def are_the_same(store, always, note):
    """To the last bit: as served, in the store, from all of its mirror, and as trained."""
    count, some = differences(store.values(), always.values())
    assert count == 0, (note, count, some)
    since_us, created_us = store.since()
    assert since_us == created_us, (note, since_us, created_us)
    is_trained(store)


def a_start_and_a_backfill_have_what_came_under_other_numbers_of_shards():
    source = dataset.seed_of(61)
    messages = messages_of(source, LIFE * (len(LIVES) + 1))
    parts = parts_of(messages)
    with Stores() as stores:
        always = stores.make(AFTER)
        lived(always, parts)
        started = stores.make(BEFORE)
        lived(started, parts)
        assert started.machine.stop() == 0
        # The stream goes on while it is filled.
        filled = stores.copy(started, BEFORE)
        filled.start(LIVES[-1])
        verb = filled.backfill("--rate", "6000")
        always.send(parts[-1][:60])
        filled.send(parts[-1][:60])
        out, err = verb.communicate()
        assert verb.returncode == 0, err
        always.send(parts[-1][60:])
        filled.send(parts[-1][60:])
        told = json.loads(out)
        assert told["since_us"] == filled.machine.status()["store"]["created_us"], told
        are_the_same(filled, always, "filled")
        # Of the same number of shards, and of another one at once.
        for shards in (LIVES[-1], 3):
            other = stores.copy(started, AFTER)
            views = other.start(shards)
            assert views["lives"] == "rebuilt from the mirror" and views["plain"] == "loaded", views
            other.send(parts[-1])
            are_the_same(other, always, f"started with {shards}")
            assert other.machine.stop() == 0
            assert other.hash() == other.hash("--since", "1"), shards
            other.start(shards)
            are_the_same(other, always, f"started with {shards}, again")
            other.machine.stop()
        for store in (always, filled):
            assert store.machine.stop() == 0
        assert filled.hash() == always.hash() == other.hash() == filled.hash("--since", "1")


def a_fill_that_is_killed_anywhere_reads_them_once():
    source = dataset.seed_of(62)
    messages = messages_of(source, LIFE * (len(LIVES) + 1))
    parts = parts_of(messages)
    with Stores() as stores:
        always = stores.make(AFTER)
        lived(always, parts)
        always.send(parts[-1])
        assert always.machine.stop() == 0
        store = stores.make(BEFORE)
        store.data = DATA.replace("1h", "100ms")  # So often is a place kept.
        lived(store, parts)
        verb = store.backfill("--rate", "1000")
        support.wait_until(lambda: store.filling()["state"] == "filling", "it is filled")
        store.text, rest, told = AFTER, list(parts[-1]), []
        for kill in range(6):
            time.sleep(source.random() * 0.6)
            if kill == 2:  # At the latest, something is kept.
                support.wait_until(lambda: store.filling().get("bytes_saved", 1)
                                   or store.filling()["state"] == "done", "a place is kept", 30)
            store.send(rest[:10])
            del rest[:10]
            state = store.filling()
            told.append((state["state"], state.get("bytes"), state.get("bytes_kept")))
            store.machine.kill()
            verb.wait()
            views = store.start(LIVES[-1])
            assert set(views.values()) == {"loaded"}, views
        print(f"killed at {told}")
        assert any(kept for _, _, kept in told), told
        store.send(rest)
        support.wait_until(lambda: store.filling()["state"] in ("idle", "done"), "it is filled", 60)
        since_us, created_us = store.since()
        assert since_us == created_us, (since_us, created_us)
        is_trained(store)
        assert store.machine.stop() == 0
        assert store.hash() == always.hash() == store.hash("--since", "1")


def segments_of_earlier_eras_stay_while_a_fill_reads_them():
    """They are older than anything, and may go or be archived at once, but for the fill."""
    source = dataset.seed_of(63)
    messages = messages_of(source, LIFE * len(LIVES))
    parts = parts_of(messages)
    for archive in ("", ", archive: old"):
        little = f"checkpoint: 100ms, mirror: {{segment: 1MiB, bytes: 8MiB{archive}}}"
        with Stores() as stores:
            store = stores.make(BEFORE)
            lived(store, parts)
            for _ in range(4):  # Each start begins segments.
                assert store.machine.stop() == 0
                store.start(LIVES[-1])
            assert store.machine.stop() == 0
            store.data = "directory: data, " + little
            first = sorted((store.folder / "data").glob("mirror-000-*.log"))[0]
            if archive == "":
                begun = stores.copy(store, BEFORE)
            store.start(LIVES[-1])
            if archive == "":
                # Without a fill they go.
                support.wait_until(lambda: not first.exists(), "the oldest segment goes", 30)
                store.machine.stop()
                store = begun
                first = store.folder / "data" / first.name
                store.data = DATA
                store.start(LIVES[-1])
                verb = store.backfill("--rate", "3000")
                support.wait_until(lambda: store.filling()["state"] == "filling", "it is filled")
                store.machine.kill()
                verb.wait()
                store.text, store.data = AFTER, "directory: data, " + little
                store.start(LIVES[-1])
                support.wait_until(lambda: store.filling()["state"] in ("idle", "done"),
                                   "it is filled", 60)
                support.wait_until(lambda: not first.exists(), "the oldest segment goes", 30)
            else:
                archived = store.folder / "data" / "old" / first.name
                support.wait_until(archived.exists, "the oldest segment is archived", 30)
                _, err = (verb := store.backfill()).communicate()
                assert verb.returncode == 0, err
            since_us, created_us = store.since()
            assert since_us == created_us, (archive, since_us, created_us)
            # What is counted is every event, though most of the mirror may be gone by now.
            counts = [int(store.redis.call("FS.GET", f"user:{user}", "FIELDS", 1, "clicks.n_300d",
                                           "LATEST")[1]) for user in range(USERS)]
            other = stores.make(AFTER)
            lived(other, parts)
            wanted = [int(other.redis.call("FS.GET", f"user:{user}", "FIELDS", 1, "clicks.n_300d",
                                           "LATEST")[1]) for user in range(USERS)]
            assert counts == wanted and sum(counts) > 0, (archive, counts, wanted)
            assert differences(store.values(), other.values())[0] == 0, archive


def what_is_gone_of_an_era_moves_since():
    """And what is damaged, which ends no start: training and replay tell it."""
    source = dataset.seed_of(64)
    parts = parts_of(messages_of(source, LIFE * len(LIVES)))
    with Stores() as stores:
        store = stores.make(BEFORE)
        begun_us = []
        for count, part in zip(LIVES, parts):
            store.start(count)
            begun_us.append(time.time_ns() // 1000)
            store.send(part)
            assert store.machine.stop() == 0
        # The third log was of the second life alone.
        logs = sorted(path.name for path in (store.folder / "data").glob("mirror-002-*.log"))
        for damaged in (False, True):
            ways = []
            for text in (AFTER, BEFORE):
                other = stores.copy(store, text)
                for name in logs:
                    path = other.folder / "data" / name
                    whole = path.read_bytes()
                    path.write_bytes(whole[:12288] + bytes(8192) + whole[20480:])
                    if not damaged:
                        path.unlink()
                other.start(LIVES[-1])
                if text == BEFORE:
                    _, err = (verb := other.backfill()).communicate()
                    assert verb.returncode == 0, err
                if not damaged:
                    is_trained(other)
                since_us, _ = other.since()
                assert begun_us[1] < since_us <= begun_us[2], (damaged, begun_us, since_us)
                assert other.machine.stop() == 0
                ways.append((since_us, other.hash()))
            assert ways[0] == ways[1], (damaged, ways)
            assert damaged or other.hash() == other.hash("--since", "1")


def a_log_whose_shards_were_away_is_whole():
    """It begins anew each time, and lacks nothing; a segment that is gone of it is told."""
    source = dataset.seed_of(66)
    parts = [part[:20] for part in parts_of(messages_of(source, LIFE * 3))]
    with Stores() as stores:
        store = stores.make(BEFORE)
        lived(store, parts, [3, 1, 3])
        store.machine.kill()
        data = store.folder / "data"
        verified = support.run("verify", data)
        assert verified.returncode == 0, verified.stdout
        for _ in range(2):
            store.start(3)
            assert store.machine.stop() == 0
        sorted(data.glob("mirror-002-*.log"))[1].unlink()
        verified = support.run("verify", data)
        assert verified.returncode == 1 and "of shard 2 are missing" in verified.stdout, verified


def starts_that_are_killed_before_they_log_leave_all_whole():
    """Their epochs have a cut, and no record."""
    source = dataset.seed_of(67)
    with Stores() as stores:
        store = stores.make(BEFORE)
        lived(store, [messages_of(source, 20)], [3])
        store.machine.kill()
        epochs = store.folder / "data" / "epochs"
        for shards in (1, 1, 2, 2):
            claimed = epochs.stat().st_mtime_ns
            store.machine.define(BEFORE, shards, DATA)
            store.machine.spawn()
            support.wait_until(lambda: epochs.stat().st_mtime_ns != claimed, "it has an epoch", 30)
            store.machine.kill()
            verified = support.run("verify", store.folder / "data")
            assert verified.returncode == 0, verified.stdout
        views = store.start(2)
        assert set(views.values()) == {"loaded"}, views
        assert store.machine.stop() == 0
        assert store.hash() == store.hash("--since", "1")


def corrections_of_earlier_eras_count():
    source = dataset.seed_of(65)
    messages = messages_of(source, LIFE * len(LIVES))
    with Stores() as stores:
        store = stores.make(BEFORE)
        lived(store, parts_of(messages))
        assert store.machine.stop() == 0
        lines, retracted = [], [0] * USERS
        for part in parts_of(messages)[1:3]:  # Three shards, and one.
            clicks = [m for _, good, m in part if m.stream.name == "click" and good == 10]
            for message in source.sample(clicks, 5):
                lines.append({"retract": None, "producer": message.producer, "place": 3,
                              "incarnation": message.incarnation, "sequence": message.sequence})
                retracted[message.events[3][1]] += 1
        for line in lines:
            done = support.run("correct", "--data", "data", "retract", "--producer",
                               line["producer"], "--incarnation", line["incarnation"],
                               "--sequence", line["sequence"], "--place", line["place"],
                               store.machine.definitions, cwd=store.folder)
            assert done.returncode == 0, done.stderr
        counts = {}
        for way in ("started", "filled"):
            other = stores.copy(store, AFTER if way == "started" else BEFORE)
            other.start(LIVES[-1])
            if way == "filled":
                _, err = (verb := other.backfill()).communicate()
                assert verb.returncode == 0, err
            is_trained(other)
            counts[way] = [int(other.redis.call("FS.GET", f"user:{user}", "FIELDS", 1,
                                                "clicks.n_300d", "LATEST")[1])
                           for user in range(USERS)]
            assert other.machine.stop() == 0
            assert other.hash() == other.hash("--since", "1"), way
        always = stores.make(AFTER)
        lived(always, parts_of(messages))
        with_all = [int(always.redis.call("FS.GET", f"user:{user}", "FIELDS", 1, "clicks.n_300d",
                                          "LATEST")[1]) for user in range(USERS)]
        wanted = [n - less for n, less in zip(with_all, retracted)]
        assert counts["started"] == counts["filled"] == wanted, (counts, wanted, retracted)


SCENES = [a_start_and_a_backfill_have_what_came_under_other_numbers_of_shards,
          a_fill_that_is_killed_anywhere_reads_them_once,
          segments_of_earlier_eras_stay_while_a_fill_reads_them,
          what_is_gone_of_an_era_moves_since, a_log_whose_shards_were_away_is_whole,
          starts_that_are_killed_before_they_log_leave_all_whole, corrections_of_earlier_eras_count]

if __name__ == "__main__":
    support.main(SCENES if len(sys.argv) < 2
                 else [scene for scene in SCENES if scene.__name__ in sys.argv[1:]])
