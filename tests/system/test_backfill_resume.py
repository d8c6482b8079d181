#!/usr/bin/env python3
"""A backfill that was cut short goes on by itself, from the place that it kept: the next start
serves at once what was served before, reads what is left, and in the end the views are what the
mirror makes of them, byte for byte."""

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
            world.send(240)
            verb = world.backfill("everywhere", "--rate", str(SLOW))
            world.await_state("filling", "saving", "done")
            told = []
            for _ in range(8):
                end = time.monotonic() + source.choice([0, 0.05, 0.3, 0.8]) * source.random()
                while time.monotonic() < end:
                    world.send(1)
                    test_union.send(world.sender, Nobody, world.messages[:1])  # Once more.
                state = world.state()
                told.append((state["state"], round(state.get("share", 1), 2),
                             state.get("bytes_kept"), state.get("bytes_saved")))
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


def kept_of(world, least):
    """Waits until a place is kept behind more bytes than that; what the status says then."""
    state = {}

    def is_kept():
        state.update(world.state())
        assert state["state"] in UNDER_WAY[:3], state
        return state.get("bytes_saved", 0) > least
    support.wait_until(is_kept, "a place is kept", 30)
    return state


def filling_of(world):
    """The status when the start has found where it goes on."""
    world.await_state("filling")
    return world.state()


def rows_files(appliance):
    return sorted((appliance.folder / "data").glob("backfill-*"))


def a_start_reads_only_what_is_left(shards):
    with test_backfill.running(shards, "checkpoint: 100ms") as appliance:
        world, times = test_backfill.world_of(appliance, 56)
        world.send(300)
        begin(world, rate=SLOW // 2)
        told = [0]
        for _ in range(3):
            told.append(kept_of(world, told[-1] + 25000)["bytes_saved"])
            world.send(5)
            appliance.kill()
            assert len(rows_files(appliance)) in (shards, 2 * shards), rows_files(appliance)
            verified = support.run("verify", appliance.folder / "data")
            assert verified.returncode == 0, verified.stdout
            assert "bytes of the mirror are in rows that are kept" in verified.stdout
            restart(world)
            old_views_are_served(world, times[-1:])
            state = kept_of(world, 0)
            assert state["again"] is None, state
            assert state["bytes_kept"] >= told[-1], (state, told)
            support.wait_until(lambda: "backfill_goes_on" in appliance.log.read_text(),
                               "the log says so", 5)
        world.filled_await()
        done = world.state()
        read = done["bytes"] - done["bytes_kept"]
        print(f"kept {told[1:]}; the last start read {read} of {done['bytes']} bytes, "
              f"{done['events']} events")
        assert done["state"] == "done" and done["starts"] == 4, done
        assert read <= done["bytes"] - told[-1], done
        # Segments that kills left part empty are as long as what they have.
        assert done["bytes"] / 2 < done["bytes_all"] < done["bytes"] * 2, done
        world.check(times)
        assert not rows_files(appliance) and not (appliance.folder / "data" / "backfill").exists()
        test_union.durable_await(world.redis, world.model)
        appliance.kill()
        is_mirrored(appliance, world.files())
        world.restart_with_new_files()
        world.check(times)


def what_does_not_verify_begins_again(shards):
    def flipped(appliance):
        file = rows_files(appliance)[0]
        whole = file.read_bytes()
        file.write_bytes(whole[:200] + bytes([whole[200] ^ 4]) + whole[201:])
        return file.name

    def cut(appliance):
        file = rows_files(appliance)[-1]
        file.write_bytes(file.read_bytes()[:-4096])
        return file.name

    def gone(appliance):
        file = rows_files(appliance)[-1]
        file.unlink()
        return file.name

    def others(appliance):
        """A whole file, of an earlier place."""
        file = rows_files(appliance)[0]
        file.write_bytes((appliance.folder / "earlier").read_bytes())
        return file.name

    for damage in (flipped, cut, gone, others):
        with test_backfill.running(shards, "checkpoint: 100ms") as appliance:
            world, times = test_backfill.world_of(appliance, 57)
            world.send(150)
            begin(world, rate=SLOW // 3)  # Time for another place, on a busy machine too.
            state = kept_of(world, 0)
            shutil.copy(rows_files(appliance)[0], appliance.folder / "earlier")
            kept_of(world, state["bytes_saved"] + 10000)
            appliance.kill()
            for file in rows_files(appliance)[shards:]:
                file.unlink()  # Of the place before, when they had not gone yet.
            name = damage(appliance)
            verified = support.run("verify", appliance.folder / "data")
            assert verified.returncode == 1 and name in verified.stdout, verified.stdout
            restart(world)
            old_views_are_served(world, times[-1:])
            state = filling_of(world)
            assert state["starts"] == 2 and state["bytes_kept"] == 0, state
            assert state["again"].startswith(name), state
            print(f"{damage.__name__}: {state['again']}")
            support.wait_until(lambda: "backfill_again" in appliance.log.read_text(),
                               "the log says so", 5)
            world.filled_await()
            world.check(times)
            assert not rows_files(appliance)
            test_union.durable_await(world.redis, world.model)
            appliance.kill()
            is_mirrored(appliance, world.files())
            world.restart_with_new_files()


def what_was_corrected_since_is_read_again(shards):
    """Rows that were filled have what an event was when it came."""
    with test_backfill.running(shards, "checkpoint: 100ms") as appliance:
        world, _ = test_backfill.world_of(appliance, 58)
        world.send(150)
        begin(world, rate=SLOW // 2)
        kept_of(world, 20000)
        test_union.durable_await(world.redis, test_backfill.old_model(world))
        appliance.kill()
        _, _, _, sequence, producer = world.messages[0]
        done = support.run("correct", "--data", "data", "retract", "--producer", str(producer),
                           "--incarnation", "1", "--sequence", str(sequence), cwd=appliance.folder)
        assert done.returncode == 0, done.stderr
        world.restart_with_new_files()
        state = filling_of(world)
        assert state["again"] == "events were corrected since" and state["bytes_kept"] == 0, state
        kept_of(world, 20000)
        appliance.kill()
        world.restart_with_new_files()
        state = filling_of(world)
        assert state["again"] is None and state["bytes_kept"] > 20000, state
        world.filled_await()
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
        foreign = whole = note.read_bytes()
        note.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        verified = support.run("verify", appliance.folder / "data")
        assert verified.returncode == 1 and "backfill" in verified.stdout, verified.stdout
        restart(world)
        dropped(world, "cannot be read")
        world.check(times)
    with test_backfill.running(shards, "checkpoint: 200ms") as appliance:
        world, times = cut_short(appliance)
        note = appliance.folder / "data" / "backfill"
        note.write_bytes(foreign)
        verified = support.run("verify", appliance.folder / "data")
        assert verified.returncode == 1 and "another store" in verified.stdout, verified.stdout
        restart(world)
        dropped(world, "it is of another store")
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
        subprocess.Popen([support.PROGRAM, "backfill", "lives", "--rate", "1200", "--server",
                          str(appliance.socket)], cwd=appliance.folder, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)

        def fill_state():
            return json.loads(redis.call("FS.BACKFILL", "STATUS"))

        told = []
        for kill in range(6):
            support.wait_until(lambda: fill_state()["state"] in ("filling", "idle", "done"),
                               "filling", 30)
            time.sleep(source.random() * 0.8)
            if kill == 2:  # At the latest, something is kept.
                support.wait_until(lambda: fill_state().get("bytes_saved", 1)
                                   or fill_state()["state"] == "done", "a place is kept", 30)
            state = fill_state()
            told.append((state["state"], state.get("bytes_kept"), state.get("bytes")))
            appliance.kill()
            appliance.start()
            redis, sender = dataset.opened(appliance)
        print(f"killed at {told}")
        assert any(kept for _, kept, _ in told), told
        test_backfill.visits_send(redis, sender, stream, events, before, count)
        support.wait_until(lambda: fill_state()["state"] in ("idle", "done"), "it is filled", 60)
        test_backfill.assert_same(rows_read(redis), expected)
        appliance.stop()
        appliance.start()
        redis, sender = dataset.opened(appliance)
        test_backfill.assert_same(rows_read(redis), expected)


SCENES = [a_start_serves_at_once_what_was_served, kills_at_any_moment_count_nothing_twice,
          a_start_reads_only_what_is_left, what_does_not_verify_begins_again,
          what_was_corrected_since_is_read_again,
          the_files_of_the_start_have_the_last_word, segments_stay_until_the_fill_is_over,
          rows_are_folded_as_without_kills]

if __name__ == "__main__":
    shard_count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for scene in SCENES:
        if len(sys.argv) < 3 or scene.__name__ in sys.argv[2:]:
            print(scene.__name__)
            scene(shard_count)
