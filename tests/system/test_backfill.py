#!/usr/bin/env python3
"""Views get their history while events come: equal to the oracle over all events, and to what a
start with the same files makes of the log; also after a crash at any point."""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import dataset
import test_union

support = dataset.support
DATA = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
NEW_VIEWS = ["exact", "computed", "everywhere", "pairs"]
RATE = 4000  # Events of history a second: slow enough to be met on the way.


def definitions():
    """(what runs at first, what is filled): new views, and `alone` with a second version."""
    text = (dataset.HERE / "data" / "union.yaml").read_text()
    head, views = text.split("views:\n")
    blocks = {re.match(r"  (\w+):", block).group(1): block
              for block in re.split(r"\n(?=  \w+:\n)", views.rstrip() + "\n")}
    before = head + "views:\n" + blocks["clicks"] + "\n" + blocks["alone"]
    blocks["alone"] = blocks["alone"].replace("version: 1", "version: 2") + (
        "      items_max: max(items)\n      large: count() where amount > 2.5\n"
        "    derived:\n      mean: amount_sum_2m / n_2m\n")
    return before, head + "views:\n" + "\n".join(blocks.values())


class World:
    """An appliance, its oracle of the new definitions, and messages to send."""

    def __init__(self, appliance, after, messages):
        self.appliance, self.messages, self.sent = appliance, messages, 0
        self.model = dataset.oracle.Oracle(dataset.oracle.Definition(
            re.sub(r"    derived:\n.*\n", "", after)))
        self.after = appliance.folder / "after.yaml"
        self.after.write_text(after)
        self.open()

    def open(self):
        self.redis, self.sender = dataset.opened(self.appliance)

    def files(self):
        return [str(self.appliance.definitions), str(self.after)]

    def send(self, count):
        part = self.messages[self.sent:self.sent + count]
        test_union.send(self.sender, self.model, part)
        self.sent += len(part)

    def backfill(self, view, *options):
        return subprocess.Popen(
            [support.PROGRAM, "backfill", view, *self.files(), "--json", *options, "--server",
             str(self.appliance.socket)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.appliance.folder)

    def state(self):
        return json.loads(self.redis.call("FS.BACKFILL", "STATUS"))

    def await_state(self, *states, share=0):
        support.wait_until(lambda: (self.state()["state"] in states
                                    and self.state()["share"] >= share), f"{states} {share}", 30)

    def check(self, times):
        """Once the owners have what the homes forwarded to them."""
        def are_taken():
            shards = self.redis.status()["shards"]
            return (sum(shard["forwards_applied"] for shard in shards)
                    >= sum(shard["events_forwarded"] for shard in shards))
        support.wait_until(are_taken, "owners have all forwards")
        test_union.check(self.redis, self.model, times)

    def filled_await(self):
        """What a kill left half-way is filled on by itself."""
        support.wait_until(lambda: self.state()["state"] in ("idle", "done"), "it is filled", 60)

    def restart_with_new_files(self):
        self.appliance.files = self.files()
        self.appliance.start()
        self.open()
        recovery = self.appliance.status()["store"]["recovery"]
        assert recovery["manifests_refused"] == 0, recovery


def world_of(appliance, seed):
    source = dataset.seed_of(seed)
    _, after = definitions()
    definition = dataset.oracle.Definition(re.sub(r"    derived:\n.*\n", "", after))
    world = World(appliance, after, test_union.messages_of(source, definition))
    times = [test_union.time_of(source) for _ in range(3)]
    return world, times + [test_union.BASE_US + test_union.SPAN_US + 1, None]


@contextlib.contextmanager
def running(shards, checkpoint="checkpoint: 1h"):
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        path = pathlib.Path(folder) / "before.yaml"
        path.write_text(definitions()[0])
        with support.running(streams="", files=[path], shards=shards, memory="128MiB",
                             data=DATA.replace("checkpoint: 1h", checkpoint)) as appliance:
            yield appliance


def views_are_filled_while_events_come(shards):
    with running(shards) as appliance:
        world, times = world_of(appliance, 41)
        world.send(120)
        verb = world.backfill("exact", "--rate", str(RATE))
        while verb.poll() is None:
            world.send(1)
            time.sleep(0.002)
        out, err = verb.communicate()
        assert verb.returncode == 0, err
        done = json.loads(out)
        assert done["state"] == "done" and done["views"] == 5 and done["version"] == 1, done
        world.send(10)
        world.check(times)
        recovery = world.appliance.status()["views"]
        assert {view["view"] for view in recovery} >= set(NEW_VIEWS), recovery
        # The old version answers until the next start, which has the rows of the new ones.
        key = next(iter(world.model.entities["alone"]))
        at = test_union.BASE_US + test_union.SPAN_US
        old, new = world.redis.call("FS.GET", key, "FIELDS", 2, "alone@1.n_20m", "alone.n_20m",
                                    "AT", at)[1::2]
        assert old == new != 0, (old, new)
        world.send(10)
        test_union.durable_await(world.redis, world.model)
        appliance.kill()
        verified = support.run("verify", appliance.folder / "data")
        assert verified.returncode == 0, verified
        world.restart_with_new_files()
        views = appliance.status()["store"]["recovery"]["views"]
        assert set(views.values()) == {"loaded"}, views
        world.check(times)
        world.send(20)
        world.check(times)


def a_crash_leaves_no_half_filled_view(shards):
    """At each point, with checkpoints all the time: the next start has all, by whatever way."""
    for state, share, files in [("filling", 0, "new"), ("filling", 0.3, "old"),
                                ("filling", 0.7, "new"), ("saving", 0, "new"), ("done", 0, "new")]:
        with running(shards, "checkpoint: 100ms") as appliance:
            world, times = world_of(appliance, 42)
            world.send(150)
            rate = ["--rate", str(RATE // 2)] if state == "filling" else []
            verb = world.backfill("alone", *rate)
            support.wait_until(lambda: world.state()["state"] in (state, "done")
                               and world.state()["share"] >= share, f"{state} {share}", 30)
            world.send(10)
            met = world.state()
            assert met["state"] in (state, "saving", "done"), met
            test_union.durable_await(world.redis, old_model(world))
            appliance.kill()
            assert verb.wait() in (0, 1)
            if files == "old":
                appliance.start()
                world.open()
                assert_unknown(world, "exact.n_1m")
                world.send(10)
                test_union.durable_await(world.redis, old_model(world))
                verb = world.backfill("alone")
                world.send(10)
                assert verb.wait() == 0, verb.communicate()
                world.check(times)
                appliance.stop()
            world.restart_with_new_files()
            world.filled_await()
            world.check(times)
            print(f"killed while {met['state']} {met['share']:.2f}")


def old_model(world):
    """The oracle's entities of what runs at first."""
    class Part:
        definition = dataset.oracle.Definition(definitions()[0])
        entities = world.model.entities
    return Part


def assert_unknown(world, feature):
    key = next(iter(world.model.entities[feature.split(".")[0]]))
    try:
        world.redis.call("HGET", key, feature)
    except RuntimeError as error:
        assert "unknown feature" in str(error), error
        return
    raise AssertionError(f"{feature} is served")


def a_view_is_read_whole_or_not_at_all(shards):
    with running(shards) as appliance:
        world, times = world_of(appliance, 43)
        world.send(len(world.messages))
        test_union.durable_await(world.redis, old_model(world))
        view = world.model.definition.views["exact"]
        verb = world.backfill("exact", "--rate", str(RATE))
        refused = read = 0
        while verb.poll() is None:
            try:
                dataset.answers_check(world.redis, world.model, view, times[-2])
                read += 1
            except RuntimeError as error:
                assert ("of view 'exact', whose history is being filled" in str(error)
                        or "unknown feature 'exact." in str(error)), error
                assert read == 0
                refused += 1
        assert verb.returncode == 0 and refused > 10, (verb.communicate(), refused)
        world.check(times)


def the_client_may_go_and_others_wait(shards):
    with running(shards) as appliance:
        world, times = world_of(appliance, 44)
        world.send(200)
        verb = world.backfill("alone", "--rate", str(RATE // 2))
        world.await_state("filling")
        other = world.backfill("pairs")
        assert other.wait() == 1 and "view `alone` is being filled" in other.stderr.read()
        verb.kill()
        verb.wait()
        world.send(10)
        again = world.backfill("alone")
        out, err = again.communicate()
        assert again.returncode == 0, err
        assert json.loads(out)["state"] == "done" and json.loads(out)["rate_limit"] == RATE // 2
        world.check(times)
        status = world.appliance.status()["backfill"]
        assert status["state"] == "done" and status["events"] > 0, status
        # What runs already needs nothing; a newer version is filled beside both older ones.
        there = world.backfill("alone")
        assert there.wait() == 1 and "`alone` runs already, with version 2" in there.stderr.read()
        third = world.after.read_text().replace("version: 2", "version: 3").replace(
            "large: count() where amount > 2.5", "large: count() where amount > 3.5")
        world.after.write_text(third)
        world.model.definition = dataset.oracle.Definition(re.sub(r"    derived:\n.*\n", "", third))
        sent, world.sent = world.sent, 0
        world.model = dataset.oracle.Oracle(world.model.definition)
        for name, decoded, _, sequence, producer in world.messages[:sent]:
            test_union.receive(world.model, name, decoded, sequence, producer)
        world.sent = sent
        verb = world.backfill("alone", "--rate", str(RATE))
        world.send(10)
        assert verb.wait() == 0, verb.communicate()
        world.check(times)
        versions = sorted(view["version"] for view in world.appliance.status()["views"]
                          if view["view"] == "alone")
        assert versions == [1, 2, 3], versions
        with urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
        assert len(series) == len(set(series)), "a series stands twice"
        appliance.stop()
        world.restart_with_new_files()
        world.check(times)


CHANGES = [  # (what of the new files, by what, exit code, what is said)
    ("version: 2", "version: 1", 78, "view `alone` is not what it was, and has the same version"),
    ("  clicks:", "  clicked:", 78, "view `clicks` is gone"),
    ("lateness: 1d", "lateness: 2d", 78, "stream `web` is not as it runs"),
    ("  till:", "  tills:", 78, "stream `tills` is new"),
    ("large: count()", "large: countess()", 78, "after.yaml:"),
    ("  exact:", "  exactly:", 1, "define no view `exact`"),
    ("streams:", "appliance: {shards: 2}\nstreams:", 78, "`shards` is defined twice"),
]


def history_begins_where_the_mirror_does(shards):
    """Old segments are let go: what is filled is what a start makes of those that are kept."""
    source = dataset.seed_of(47)
    stream = dataset.oracle.Definition(VISITS).streams["visit"]
    views = [Lives(["lives.n_1d", "lives.n", "lives.sum", "lives.first", "lives.last"]),
             Lives(["lists.three_1d", "lists.kinds_1d", "lists.best_1d"])]
    data = f"directory: data, checkpoint: 100ms, mirror: {{segment: 1MiB, bytes: {4 * shards}MiB}}"
    base_us = dataset.utc_us(2022, 1, 1)
    with support.running(streams=VISITS, shards=shards, data=data, memory=ROOM) as appliance:
        redis, sender = dataset.opened(appliance)
        for number in range(3000 + 2000 * shards):
            events = [(base_us + number * 10**6 + place, source.randrange(VISITORS),
                       source.randrange(5000)) for place in range(50)]
            dataset.send_events(sender, stream, events, number // 4 + 1, number % 4)
        sender.sync()
        appliance.stop()
        shutil.copytree(appliance.folder / "data", appliance.folder / "copy")
        appliance.start()
        redis, sender = dataset.opened(appliance)
        appliance.define(VISITS + LIVES, shards, data)
        appliance.verb("backfill", "lives")
        report = redis.status()
        since_us = {view["view"]: view["since_us"] for view in report["views"]}
        assert since_us["lives"] == since_us["lists"] > since_us["plain"], since_us
        filled = features_read(redis, views)
        taken = sum(int(reply[3][0]) for reply in filled[:VISITORS])
        assert 0 < taken < (3000 + 2000 * shards) * 50, taken
        appliance.stop()
        appliance.define(VISITS + LIVES, shards, data.replace("directory: data", "directory: copy"))
        appliance.start()
        redis, sender = dataset.opened(appliance)
        rebuilt = redis.status()
        assert rebuilt["store"]["recovery"]["views"]["lives"] == "rebuilt from the mirror"
        assert_same(without_places(features_read(redis, views)), without_places(filled))
        assert {view["view"]: view["since_us"] for view in rebuilt["views"]} == since_us


def wrong_files_change_nothing(_):
    with running(1) as appliance:
        world, times = world_of(appliance, 45)
        world.send(100)
        good = world.after.read_text()
        for before, after, code, said in CHANGES:
            assert before in good, before
            world.after.write_text(good.replace(before, after, 1))
            verb = world.backfill("exact")
            out, err = verb.communicate()
            assert verb.returncode == code and said in err, (before, verb.returncode, err)
            assert json.loads(out)["state"] == "failed", out
        world.after.write_text(good)
        own = appliance.definitions.read_text()
        appliance.definitions.write_text(own.replace("128MiB", "129MiB"))
        verb = world.backfill("exact")
        assert verb.wait() == 78 and "`appliance` is not as it runs" in verb.stderr.read()
        appliance.definitions.write_text(own)
        assert_unknown(world, "exact.n_1m")
        missing = appliance.verb("backfill", "exact", "nowhere.yaml", check=False)
        assert missing.returncode == 1 and "nowhere.yaml" in missing.stderr, missing
        verb = world.backfill("exact")
        assert verb.wait() == 0, verb.communicate()
        world.check(times)


def a_view_without_memory_is_given_up(_):
    """The others go on, its rows go, and a start with more memory has it."""
    stream = dataset.oracle.Definition(VISITS).streams["visit"]
    base_us, users = dataset.utc_us(2022, 1, 1), 25000
    with support.running(streams=VISITS, data=DATA, memory="20MiB") as appliance:
        redis, sender = dataset.opened(appliance)

        def users_send(first, end, sequence):
            for place in range(first, end, 50):
                events = [(base_us + user, user, 100) for user in range(place, place + 50)]
                dataset.send_events(sender, stream, events, sequence + place // 50)
            sender.sync()

        users_send(0, users, 1)
        used = redis.status()["shards"][0]["memory_used_bytes"]
        appliance.define(VISITS + LIVES, 1, DATA)
        done = appliance.verb("backfill", "lives", check=False)
        assert done.returncode == 1 and "does not fit `state.memory`" in done.stderr, done
        again = appliance.verb("backfill", "lives", check=False)
        assert again.returncode == 1 and "failed half-way" in again.stderr, again
        users_send(0, 1000, 10000)
        assert redis.call("FS.GET", "user:7", "FIELDS", 1, "plain.n_1h", "LATEST")[1] == b"2"
        support.wait_until(
            lambda: redis.status()["shards"][0]["memory_used_bytes"] < used + 2 * 2**20,
            "rows that are not served are gone", 20)
        appliance.stop()
        appliance.memory = "256MiB"
        appliance.define(VISITS + LIVES, 1, DATA)
        appliance.start()
        redis, sender = dataset.opened(appliance)
        assert redis.call("FS.GET", "user:7", "FIELDS", 2, "plain.n_1h", "lives.n",
                          "LATEST")[1::2] == [b"2", b"2"]


FIRST = """
services:
  first:
    version: 1
    log: {sample: 1}
    features: [plain.n_1h]
"""
SERVICE = FIRST + """
  ask:
    version: 1
    log: {sample: 1}
    features: [plain.n_1h, lives.n]
"""


def parity_of(appliance, answers):
    """What the canary says once it has checked so many answers."""
    def parity():
        return appliance.status()["served"]["parity"]
    support.wait_until(lambda: parity()["answers"] + parity()["gone"] >= answers,
                       f"{answers} checked answers", 20)
    found = parity()
    assert (found["answers"], found["gone"], found["mismatch"], found["missing"], found["extra"],
            found["failed"]) == (answers, 0, 0, 0, 0, 0), found
    return found["checked"]


def services_change_with_the_switch(shards):
    """So do those whose answers the canary checks."""
    stream = dataset.oracle.Definition(VISITS).streams["visit"]
    with support.running(streams=VISITS + FIRST, shards=shards, data=DATA,
                         memory=ROOM) as appliance:
        redis, sender = dataset.opened(appliance)
        event = (dataset.utc_us(2022, 1, 1), 3, 100)
        dataset.send_events(sender, stream, [event], 1)
        sender.sync()
        assert redis.call("FS.GET", "user:3", "SERVICE", "first", "LATEST")[1::2] == [b"1"]
        assert parity_of(appliance, 1) == 1
        appliance.define(VISITS + LIVES + SERVICE, shards, DATA)
        for words, said in [(("FS.GET", "user:3", "SERVICE", "ask", "LATEST"), "unknown service"),
                            (("FS.BACKFILL", "START", "lives", "RATE", "0"), "RATE is above 0"),
                            (("FS.BACKFILL", "START", ""), "no name of a view"),
                            (("FS.BACKFILL", "STOP"), "unknown subcommand")]:
            try:
                raise AssertionError(redis.call(*words))
            except RuntimeError as error:
                assert said in str(error), error
        assert json.loads(redis.call("FS.BACKFILL", "STATUS")) == {"state": "idle"}
        appliance.verb("backfill", "lives")
        assert redis.call("FS.GET", "user:3", "SERVICE", "ask", "LATEST")[1::2] == [b"1", b"1"]
        assert redis.call("FS.GET", "user:3", "SERVICE", "first", "LATEST")[1::2] == [b"1"]
        assert [s["service"] for s in appliance.status()["services"]] == ["first", "ask"]
        assert parity_of(appliance, 3) == 4


def memory_alone_has_no_history(_):
    with support.running() as appliance:
        done = appliance.verb("backfill", "activity", check=False)
        assert done.returncode == 1 and "set `data.directory`" in done.stderr, done


VISITS = """
streams:
  visit:
    id: 7
    version: 1
    time: at
    history: 1s
    lateness: 2h
    fields:
      at:     {type: timestamp}
      user:   {type: u64}
      amount: {type: decimal, scale: 2}
views:
  plain: {version: 1, entity: user, source: visit, windows: [1h], aggregates: {n: count()}}
"""
LIVES = """
  lives:
    version: 1
    entity: user
    source: visit
    windows: [1h, 1d, session 30m, 5 events, lifetime]
    ttl: 10d
    aggregates: {n: count(), sum: sum(amount), first: first(amount), last: last(amount)}
  lists:
    version: 1
    entity: user
    source: visit
    windows: [1h, 1d]
    exact: 10m
    aggregates:
      three: last_k(amount, 3)
      kinds: approx_distinct(amount)
      best: top_k(amount, 2)
"""
VISITORS, STAY, BEFORE = 20, 150, 3000
ROOM = "192MiB"


def visits_of(source):
    """Events over months: users come, stay away for longer than their ttl, and come again."""
    time_us, events = dataset.utc_us(2022, 1, 1), []
    for number in range(4000):
        time_us += source.randrange(1, 120) * 10**6
        stays = number % STAY == 0 and number < BEFORE
        time_us += source.choice([6, 6, 6, 11]) * 86400 * 10**6 if stays else 0
        late_us = source.randrange(3600) * 10**6 if source.random() < 0.1 else 0
        user = source.randrange(VISITORS // 2 if number % (2 * STAY) < STAY else VISITORS)
        events.append((time_us - late_us, user, source.randrange(1, 5000)))
    return events


def visits_send(redis, sender, stream, events, first, end):
    """What comes after days comes in another burst: rows begin anew between bursts, and hold what
    one burst brings."""
    def are_applied():
        return redis.status()["views"][0]["applied"] == place
    for place in range(first, end, 10):
        if place % 50 == 0 and place < BEFORE:
            sender.sync()
            support.wait_until(are_applied, f"{place} events are in their rows")
        dataset.send_events(sender, stream, events[place:place + 10], 1 + place // 10)
    sender.sync()


def features_read(redis, definition):
    return [redis.call("FS.GET", f"user:{user}", "FIELDS", len(view.features()), *view.features(),
                       "LATEST", "WITHMETA")
            for view in definition for user in range(VISITORS)]


class Lives:
    """What the oracle of other tests says of a view's features, by name."""

    def __init__(self, names):
        self.names = names

    def features(self):
        return self.names


def without_places(answers):
    """Values and their intervals; not q, LSN and `since`. What is approximate, because the user's
    newest event is behind the horizon, may depend on how a row was folded."""
    return [[None if b"APPROXIMATE" in value[2] else [value[0], value[1], *value[3:6]]
             for value in reply[1::2]] for reply in answers]


def assert_same(actual, expected):
    different = [(got, wanted) for got, wanted in zip(actual, expected) if got != wanted]
    assert not different, f"{len(different)} of {len(expected)} rows differ: {different[:2]}"


def history_is_folded_as_it_was(shards):
    """Rows that were past their ttl in between, late events, sessions and lists: as a start with
    the views makes them, though what is folded now lies months ahead."""
    source = dataset.seed_of(46)
    events = visits_of(source)
    stream = dataset.oracle.Definition(VISITS).streams["visit"]
    views = [Lives([f"lives.{a}_{w}" for a in ("n", "sum") for w in ("1h", "1d", "session_30m")]
                   + ["lives.n", "lives.sum", "lives.first", "lives.last", "lives.n_5_events"]),
             Lives([f"lists.{a}_{w}" for a in ("three", "kinds", "best") for w in ("1h", "1d")])]

    def rest_send():
        for place in range(BEFORE, len(events), 50):
            visits_send(redis, sender, stream, events, place, place + 50)
            time.sleep(0.01)

    def rows_read():
        time.sleep(0.1)
        return without_places(features_read(redis, views))

    with support.running(streams=VISITS, shards=shards, data=DATA, memory=ROOM) as appliance:
        redis, sender = dataset.opened(appliance)
        visits_send(redis, sender, stream, events, 0, BEFORE)
        appliance.stop()
        shutil.copytree(appliance.folder / "data", appliance.folder / "copy")
        appliance.define(VISITS + LIVES, shards, DATA.replace("directory: data", "directory: copy"))
        appliance.start()
        redis, sender = dataset.opened(appliance)
        rest_send()
        expected = rows_read()
        assert sum(value is not None for row in expected for value in row) > 100
        appliance.stop()
        appliance.define(VISITS, shards, DATA)
        appliance.start()
        redis, sender = dataset.opened(appliance)
        appliance.define(VISITS + LIVES, shards, DATA)
        verb = subprocess.Popen(
            [support.PROGRAM, "backfill", "lives", "--rate", "20000", "--server",
             str(appliance.socket)],
            cwd=appliance.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        rest_send()
        assert verb.wait() == 0, verb.communicate()
        assert_same(rows_read(), expected)
        appliance.stop()
        appliance.start()
        redis, sender = dataset.opened(appliance)
        assert_same(rows_read(), expected)


SCENES = [views_are_filled_while_events_come, a_crash_leaves_no_half_filled_view,
          a_view_is_read_whole_or_not_at_all, the_client_may_go_and_others_wait,
          history_is_folded_as_it_was, history_begins_where_the_mirror_does,
          wrong_files_change_nothing, a_view_without_memory_is_given_up,
          services_change_with_the_switch, memory_alone_has_no_history]

if __name__ == "__main__":
    shard_count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for scene in SCENES:
        if len(sys.argv) < 3 or scene.__name__ in sys.argv[2:]:
            print(scene.__name__)
            scene(shard_count)
