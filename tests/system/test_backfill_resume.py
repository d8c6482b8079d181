#!/usr/bin/env python3
"""A backfill that was cut short goes on by itself: the next start serves what was served before at
once, and in the end the views are what the mirror makes of them, byte for byte."""

import json
import shutil
import subprocess
import sys
import time

import dataset
import test_backfill
import test_union

support = dataset.support
SLOW = 800  # Events of history a second: some seconds of filling.
NEWEST_US = test_union.BASE_US + test_union.SPAN_US
UNDER_WAY = ("compiling", "finding", "filling", "saving")


def hash_of(appliance, files, *options):
    """State of the data directory, or of all that its mirror has (`--since 1`)."""
    done = support.run("replay", "--data", "data", "--hash", "--json", *options, *files,
                       cwd=appliance.folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["hash"], told["vshards"]


def is_mirrored(appliance, files):
    """Rows that were filled are those that all records make, whatever was killed."""
    assert hash_of(appliance, files) == hash_of(appliance, files, "--since", "1")
    verified = support.run("verify", appliance.folder / "data")
    assert verified.returncode == 0, verified.stdout


def old_views_are_served(world, times):
    """What was served before the fill, all of it and only it."""
    definition = dataset.oracle.Definition(test_backfill.definitions()[0])
    model = dataset.oracle.Oracle(definition)
    for name, decoded, _, sequence, producer in world.messages[:world.sent]:
        test_union.receive(model, name, decoded, sequence, producer)
    for view in definition.views.values():
        for q_us in times:
            assert dataset.answers_check(world.redis, model, view, q_us) > 0


def begin(world, view="alone", rate=SLOW, share=0.0):
    """The fill is on its way; its client is gone, which ends nothing."""
    verb = world.backfill(view, "--rate", str(rate))
    world.await_state("filling", share=share)
    verb.kill()
    verb.wait()


class Nobody:
    """Takes no notice of what is sent."""
    definition = dataset.oracle.Definition(test_backfill.definitions()[0])

    @staticmethod
    def receive(messages, now_us):
        pass


def restart(world):
    """What was not durable when it was killed is sent again, and the rest, which counts once."""
    world.restart_with_new_files()
    test_union.send(world.sender, Nobody, world.messages[:world.sent])


def a_start_serves_at_once_what_was_served(shards):
    for end in ("kill", "stop"):
        with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
            world, times = test_backfill.world_of(appliance, 51)
            world.send(200)
            begin(world, share=0.2)
            world.send(10)
            if end == "kill":
                appliance.kill()
            else:
                assert appliance.stop() == 0
            world.restart_with_new_files()
            key = next(iter(world.model.entities["alone"]))
            assert world.redis.call("FS.GET", key, "FIELDS", 1, "alone.n_20m", "AT",
                                    NEWEST_US)[1] is not None
            state = world.state()
            assert state["state"] in UNDER_WAY[:3] and state["share"] < 1, state
            assert state["view"] == "alone" and state["rate_limit"] == SLOW, state
            assert state["starts"] == 2, state
            recovery = appliance.status()["store"]["recovery"]
            assert set(recovery["views"].values()) == {"loaded"}, recovery
            assert "backfill_resumed" in appliance.log.read_text()
            info = world.redis.call("INFO", "persistence").decode()
            assert "backfill_in_progress:1\r\nbackfill_view:alone\r\n" in info, info
            test_union.send(world.sender, Nobody, world.messages[:world.sent])
            old_views_are_served(world, times)
            world.send(10)
            again = world.backfill("alone")
            out, err = again.communicate()
            assert again.returncode == 0, err
            done = json.loads(out)
            assert done["state"] == "done" and done["starts"] == 2, done
            world.send(10)
            world.check(times)
            assert not (appliance.folder / "data" / "backfill").exists()
            assert "backfill_in_progress:0\r\n" in world.redis.call("INFO", "persistence").decode()
            test_union.durable_await(world.redis, world.model)
            appliance.kill()
            is_mirrored(appliance, world.files())
            world.restart_with_new_files()
            assert world.state() == {"state": "idle"}
            assert set(appliance.status()["store"]["recovery"]["views"].values()) == {"loaded"}
            world.check(times)


def kills_at_any_moment_count_nothing_twice(shards):
    source = dataset.seed_of(52)
    for checkpoint in ("100ms", "1h"):
        with test_backfill.running(shards, f"checkpoint: {checkpoint}") as appliance:
            world, times = test_backfill.world_of(appliance, 53)
            world.send(120)
            verb = world.backfill("everywhere", "--rate", str(2 * SLOW))
            world.await_state(*UNDER_WAY, "done")
            told = []
            for _ in range(5):
                end = time.monotonic() + source.choice([0, 0.05, 0.3, 0.8]) * source.random()
                while time.monotonic() < end:
                    world.send(1)
                    test_union.send(world.sender, Nobody, world.messages[:1])  # Once more.
                state = world.state()
                told.append((state["state"], round(state.get("share", 1), 2)))
                appliance.kill()
                verb.wait()
                restart(world)
                old_views_are_served(world, times[-2:])
            print(f"killed at {told}")
            world.filled_await()
            world.send(10)
            world.check(times)
            test_union.durable_await(world.redis, world.model)
            appliance.kill()
            is_mirrored(appliance, world.files())
            world.restart_with_new_files()


def the_files_of_the_start_have_the_last_word(shards):
    def cut_short(appliance):
        world, times = test_backfill.world_of(appliance, 54)
        world.send(150)
        begin(world)
        test_union.durable_await(world.redis, test_backfill.old_model(world))
        appliance.kill()
        assert (appliance.folder / "data" / "backfill").exists()
        return world, times

    def dropped(world, why):
        log = world.appliance.log.read_text()
        assert "backfill_dropped" in log and why in log, log
        assert world.state() == {"state": "idle"}
        assert not list((world.appliance.folder / "data").glob("backfill*"))

    with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
        world, times = cut_short(appliance)
        appliance.start()  # With the files that it was started with.
        world.open()
        dropped(world, "the definitions bring other views")
        test_backfill.assert_unknown(world, "exact.n_1m")
        old_views_are_served(world, times)
    with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
        world, times = cut_short(appliance)
        world.after.write_text(world.after.read_text().replace("amount > 2.5", "amount > 3.5"))
        restart(world)
        dropped(world, "the definitions bring other views")
        views = appliance.status()["store"]["recovery"]["views"]
        assert views["alone"] == "rebuilt from the mirror", views
    with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
        world, times = cut_short(appliance)
        own = appliance.definitions.read_text()
        appliance.definitions.write_text(own.replace(f"shards: {shards}", f"shards: {4 - shards}"))
        restart(world)
        dropped(world, f"it was begun with {shards} shards")
        world.check(times)
    with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
        world, times = cut_short(appliance)
        own = appliance.definitions.read_text()
        appliance.definitions.write_text(own.replace("128MiB", "160MiB"))
        restart(world)
        assert world.state()["starts"] == 2
        world.filled_await()
        world.check(times)
    with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
        world, times = cut_short(appliance)
        note = appliance.folder / "data" / "backfill"
        whole = note.read_bytes()
        note.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        verified = support.run("verify", appliance.folder / "data")
        assert verified.returncode == 1 and "backfill" in verified.stdout, verified.stdout
        restart(world)
        dropped(world, "cannot be read")
        world.check(times)


def segments_stay_until_the_fill_is_over(shards):
    """What the fill began with is there for the one that goes on, whatever comes meanwhile."""
    stream = dataset.oracle.Definition(test_backfill.VISITS).streams["visit"]
    data = f"directory: data, checkpoint: 100ms, mirror: {{segment: 1MiB, bytes: {4 * shards}MiB}}"
    base_us = dataset.utc_us(2022, 1, 1)
    users = test_backfill.VISITORS
    with support.running(streams=test_backfill.VISITS, shards=shards, data=data,
                         memory=test_backfill.ROOM) as appliance:
        redis, sender = dataset.opened(appliance)

        def visits_send(first, count):
            for number in range(first, first + count):
                events = [(base_us + number * 10**6 + place, (number + place) % users, 100)
                          for place in range(50)]
                dataset.send_events(sender, stream, events, number // 4 + 1, number % 4)
                if number % 100 == 99:
                    sender.sync()
            sender.sync()

        visits_send(0, 2000 * shards)
        appliance.define(test_backfill.VISITS + test_backfill.LIVES, shards, data)
        verb = subprocess.Popen(
            [support.PROGRAM, "backfill", "lives", "--rate", "60000", "--server",
             str(appliance.socket)], cwd=appliance.folder, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        state = {}

        def filling():
            state.update(json.loads(redis.call("FS.BACKFILL", "STATUS")))
            return state["state"] == "filling" and state["share"] > 0.05
        support.wait_until(filling, "it is filled", 30)
        since_us = state["since_us"]
        for life in range(3):
            visits_send(2000 * shards * (life + 1), 2000 * shards)
            time.sleep(0.3)
            appliance.kill()
            verb.wait()
            appliance.start()
            redis, sender = dataset.opened(appliance)
        support.wait_until(lambda: json.loads(redis.call("FS.BACKFILL", "STATUS"))["state"]
                           in ("idle", "done"), "it is filled", 120)
        views = {view["view"]: view for view in redis.status()["views"]}
        assert views["lives"]["since_us"] <= since_us, (views["lives"], since_us)
        taken = sum(int(redis.call("FS.GET", f"user:{user}", "FIELDS", 1, "lives.n", "LATEST")[1])
                    for user in range(users))
        print(f"{taken} events of {2000 * shards * 4 * 50}")
        assert taken > 2000 * shards * 3 * 50
        appliance.stop()


def rows_are_folded_as_without_kills(shards):
    """Rows past their ttl in between, late events, sessions and lists, over kills."""
    source = dataset.seed_of(55)
    events = test_backfill.visits_of(source)
    visits, lives = test_backfill.VISITS, test_backfill.LIVES
    stream = dataset.oracle.Definition(visits).streams["visit"]
    before, count = test_backfill.BEFORE, len(events)
    views = [test_backfill.Lives([f"lives.{a}_{w}" for a in ("n", "sum")
                                  for w in ("1h", "1d", "session_30m")]
                                 + ["lives.n", "lives.sum", "lives.first", "lives.last",
                                    "lives.n_5_events"]),
             test_backfill.Lives([f"lists.{a}_{w}" for a in ("three", "kinds", "best")
                                  for w in ("1h", "1d")])]
    data = test_backfill.DATA.replace("checkpoint: 1h", "checkpoint: 100ms")

    def rows_read(redis):
        time.sleep(0.1)
        return test_backfill.without_places(test_backfill.features_read(redis, views))

    with support.running(streams=visits, shards=shards, data=data,
                         memory=test_backfill.ROOM) as appliance:
        redis, sender = dataset.opened(appliance)
        test_backfill.visits_send(redis, sender, stream, events, 0, before)
        appliance.stop()
        shutil.copytree(appliance.folder / "data", appliance.folder / "copy")
        appliance.define(visits + lives, shards, data.replace("directory: data", "directory: copy"))
        appliance.start()
        redis, sender = dataset.opened(appliance)
        test_backfill.visits_send(redis, sender, stream, events, before, count)
        expected = rows_read(redis)
        appliance.stop()
        appliance.define(visits, shards, data)
        appliance.start()
        redis, sender = dataset.opened(appliance)
        appliance.define(visits + lives, shards, data)
        subprocess.Popen([support.PROGRAM, "backfill", "lives", "--rate", "6000", "--server",
                          str(appliance.socket)], cwd=appliance.folder, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        told = []
        for _ in range(3):
            support.wait_until(lambda: json.loads(
                redis.call("FS.BACKFILL", "STATUS"))["state"] == "filling", "filling", 30)
            time.sleep(source.random() * 0.4)
            state = json.loads(redis.call("FS.BACKFILL", "STATUS"))
            told.append((state["state"], round(state["share"], 2)))
            appliance.kill()
            appliance.start()
            redis, sender = dataset.opened(appliance)
        print(f"killed at {told}")
        test_backfill.visits_send(redis, sender, stream, events, before, count)
        support.wait_until(lambda: json.loads(redis.call("FS.BACKFILL", "STATUS"))["state"]
                           in ("idle", "done"), "it is filled", 60)
        test_backfill.assert_same(rows_read(redis), expected)
        appliance.stop()
        appliance.start()
        redis, sender = dataset.opened(appliance)
        test_backfill.assert_same(rows_read(redis), expected)


SCENES = [a_start_serves_at_once_what_was_served, kills_at_any_moment_count_nothing_twice,
          the_files_of_the_start_have_the_last_word, segments_stay_until_the_fill_is_over,
          rows_are_folded_as_without_kills]

if __name__ == "__main__":
    shard_count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for scene in SCENES:
        if len(sys.argv) < 3 or scene.__name__ in sys.argv[2:]:
            print(scene.__name__)
            scene(shard_count)
