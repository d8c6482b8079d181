#!/usr/bin/env python3
"""What a restart keeps: stopped and killed, with the same definitions and with changed ones."""

import collections
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402
from life import CARD, CARDS, DATA, FIELDS, SHOP, SHOPS, life, streams_of  # noqa: E402

LOAD = support.BUILD / "freshet-load"
SLOW = "asan" in support.BUILD.name or "tsan" in support.BUILD.name
NOBODY = 65534


def status_of(one):
    return one.appliance.status()["store"]


@life()
def a_stop_makes_a_checkpoint_and_the_next_start_goes_on(one):
    assert one.start()["fresh"] and "event=store_new" in one.log()
    one.send(3000)
    one.check()
    before = one.values()
    recovery = one.again()
    # On a busy machine the store's first checkpoint has rows too: then the last one is beside it.
    assert recovery["records"] == 0 and recovery["rows"] >= CARDS + SHOPS, recovery
    assert not recovery["fresh"] and set(recovery["views"].values()) == {"loaded"}, recovery
    assert one.values() == before
    assert "event=recovered" in one.log() and f"{recovery['rows']} rows" in one.log(), one.log()
    one.send(500)
    one.check()
    recovery = one.again()
    assert recovery["records"] == 0, recovery
    one.check()
    assert one.appliance.stop() == 0
    done = support.run("verify", one.directory)
    assert done.returncode == 0, done


@life()
def a_kill_loses_nothing_that_was_acknowledged_and_counts_it_once(one):
    one.start()
    for _ in range(3):
        one.send(1000)
        one.check()
        before = one.values()
        recovery = one.again(crash=True)
        assert recovery["records"] > 0, recovery
        assert one.values() == before
    # In the middle: what is not acknowledged yet is sent again by its producer.
    one.send(2000, flush=False)
    one.again(crash=True)
    assert one.producer.flush(30), one.producer.stats
    one.check()


@life()
def a_kill_changes_nothing_about_when_a_history_begins(one):
    one.start()
    one.send(100)
    since = [view["since_us"] for view in one.appliance.status()["views"]]
    assert len(set(since)) == 1, since
    one.again(crash=True)
    assert [view["since_us"] for view in one.appliance.status()["views"]] == since


@life(data="directory: data, checkpoint: 100ms, mirror: {segment: 1MiB}")
def kills_between_checkpoints_change_nothing_either(one):
    one.start()
    for turn in range(5):
        one.send(700, flush=False)
        time.sleep(0.03 * turn)
        one.again(crash=True)
    assert one.producer.flush(30), one.producer.stats
    one.check()
    assert one.appliance.status()["store"]["checkpoint"]["generation"] > 1


@life()
def level_durable_is_what_a_crash_cannot_undo(one):
    one.start()
    one.send(500)
    assert one.read(options=("LATEST", "LEVEL", "durable")) == one.read()
    seen = collections.Counter()
    end = threading.Event()

    def look():
        while not end.is_set():
            try:
                rows = one.read(features=("n",), options=("LATEST", "LEVEL", "durable"))
            except (OSError, RuntimeError, ValueError):
                return
            for card, (count,) in rows.items():
                assert int(count or 0) >= seen[card], "stepped back"
                seen[card] = int(count or 0)

    reader = threading.Thread(target=look)
    reader.start()
    one.send(3000, flush=False)
    one.appliance.kill()
    end.set()
    reader.join()
    one.start()
    for card, (count,) in one.read(features=("n",)).items():
        assert int(count or 0) >= seen[card], (card, count, seen[card])
    assert sum(seen.values()) > 500
    assert one.producer.flush(30), one.producer.stats
    one.check()


def http_of(one, page):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{one.appliance.http}/{page}",
                                    timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def load(one, *arguments):
    done = subprocess.run([LOAD, "--config", one.appliance.definitions, "--probe-rate", "0",
                           "--readers", "0", "--json", *arguments], capture_output=True,
                          text=True, timeout=100, cwd=one.appliance.folder)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


@life()
def reads_are_told_that_the_store_is_loading(one):
    one.start()
    events = 50000 if SLOW else 500000
    load(one, "--rate", str(events / 2), "--seconds", "2", "--keys", "100000")
    one.appliance.kill()
    one.appliance.spawn()
    said = {"reads": set(), "info": set(), "readyz": set(), "metrics": set()}
    while "event=ready" not in one.log():
        assert one.appliance.process.poll() is None
        said["readyz"].add(http_of(one, "readyz"))
        said["metrics"].add(http_of(one, "metrics"))
        try:
            redis = one.redis()
        except OSError:
            continue
        try:
            assert redis.call("PING") == b"PONG"
            said["info"].add(b"loading:1" in redis.call("INFO", "persistence"))
            redis.call("HGET", "card:1", "activity.n_1h")
        except RuntimeError as error:
            said["reads"].add(str(error).split()[0])
        redis.close()
    assert "LOADING" in said["reads"], said
    assert True in said["info"] and 503 in said["readyz"] and 503 in said["metrics"], said
    one.appliance.await_ready()
    redis = one.redis()
    assert b"loading:0" in redis.call("INFO", "persistence")
    redis.close()
    assert http_of(one, "readyz") == http_of(one, "metrics") == 200
    recovery = status_of(one)["recovery"]
    assert recovery["records"] >= events * 0.05, recovery  # What a busy machine took in.


def loading_seen(one):
    """True when a read was refused because the store loads; False when it is ready already."""
    while "event=ready" not in one.log():
        assert one.appliance.process.poll() is None, one.log()
        try:
            redis = one.redis()
        except OSError:
            continue
        try:
            redis.call("HGET", "card:1", "activity.n_1h")
        except RuntimeError as error:
            if str(error).startswith("LOADING"):
                return True
        finally:
            redis.close()
    return False


@life()
def a_stop_while_the_store_loads_ends_the_process_at_once(one):
    one.start()
    events = 50000 if SLOW else 500000
    load(one, "--rate", str(events / 2), "--seconds", "2", "--keys", "100000")
    support.wait_until(lambda: status_of(one)["logs"][0]["gathered_bytes"] == 0, "committed")
    before = one.appliance.status()["views"]
    one.appliance.kill()
    for number in (signal.SIGTERM, signal.SIGINT):
        for _ in range(5):
            one.appliance.spawn()
            if loading_seen(one):
                break
            one.appliance.kill()
        one.appliance.process.send_signal(number)
        assert one.appliance.process.wait(30) == 0, one.log()
        assert "event=stop message=" in one.log() and "while the store" in one.log(), one.log()
        assert "event=ready" not in one.log(), one.log()
    one.start()
    after = one.appliance.status()["views"]
    assert [(v["view"], v["entities"]) for v in after] == [
        (v["view"], v["entities"]) for v in before], (before, after)


@life()
def a_checkpoint_is_made_when_somebody_asks(one):
    one.start()
    one.send(500)
    redis = one.redis()
    assert redis.call("LASTSAVE") <= time.time()
    count = status_of(one)["checkpoint"]["count"]
    assert redis.call("BGSAVE") == b"Background saving started"
    support.wait_until(lambda: status_of(one)["checkpoint"]["count"] > count, "BGSAVE is done")
    assert abs(redis.call("LASTSAVE") - time.time()) < 30
    redis.close()
    one.send(500)  # A checkpoint has the rows that changed.
    done = one.appliance.verb("checkpoint")
    assert done.stdout.startswith("checkpoint ") and f" {CARDS + SHOPS} rows" in done.stdout, done
    said = json.loads(one.appliance.verb("checkpoint", "--json").stdout)
    assert said["generation"] == status_of(one)["checkpoint"]["generation"], said
    assert set(said) == {"generation", "rows", "bytes", "seconds"}, said
    recovery = one.again(crash=True)
    assert recovery["generation"] == said["generation"] and recovery["records"] == 0, recovery
    one.check()


def without_a_store_its_commands_say_so():
    with support.running() as appliance:
        done = appliance.verb("checkpoint", check=False)
        assert done.returncode == 1 and "has no store: set `data.directory`" in done.stderr, done
        redis = client.Redis(path=appliance.socket)
        for words in (["BGSAVE"], ["LASTSAVE"], ["FS.CHECKPOINT"],
                      ["FS.GET", "card:1", "FIELDS", 1, "activity.txn_count_1h", "LEVEL",
                       "durable"]):
            try:
                redis.call(*words)
                raise AssertionError(f"{words} was answered")
            except RuntimeError as error:
                assert "data.directory" in str(error), error
        redis.close()
        assert appliance.status()["store"] is None


HABIT = CARD.replace("activity", "habit").replace("[10m, 1h]", "[1h]")


@life()
def a_new_view_is_rebuilt_from_the_events_that_are_kept(one):
    one.start()
    one.send(2000)
    before = one.values()
    recovery = one.again(streams=streams_of(views=CARD + SHOP + HABIT))
    assert recovery["views"] == {"activity": "loaded", "trade": "loaded",
                                 "habit": "rebuilt from the mirror"}, recovery
    assert "view habit is new or changed: rebuilt" in one.log(), one.log()
    assert one.values() == before and one.read(view="habit") == before[0]
    one.send(500)
    one.appliance.verb("checkpoint")  # From here on its rows are kept.
    recovery = one.again(crash=True)
    assert recovery["views"]["habit"] == "loaded", recovery
    one.check()
    assert one.read(view="habit") == one.read()


LISTS = """
streams:
  e: {id: 1, time: ts, late: apply,
      fields: {ts: {type: timestamp}, k: {type: u64}, s: {type: string, size: 256}}}
views:
  plain: {entity: k, source: e, windows: [1d], aggregates: {n: count()}}
"""
LONG_LISTS = """
  lists: {entity: k, source: e, windows: [12h], ladder: [5s],
          aggregates: {n: count(), early: "first_k(s, 1)"}}
"""


def a_rebuilt_view_refuses_what_its_rows_do_not_hold_and_starts():
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        one = support.Appliance(folder, streams=LISTS, data="directory: data")
        one.start()
        try:
            now_us = int(time.time()) * 10**6
            for i in range(0, 5000, 20):
                one.send("\n".join(
                    f'{{"stream": "e", "ts": {now_us - (5000 - j) * 5 * 10**6}, "k": 1, '
                    f'"s": "{j:0>250}"}}' for j in range(i, i + 20)).encode())
                if i % 200 == 180:
                    one.wait_received(i + 20)
            one.stop()
            one.define(LISTS + LONG_LISTS, 1, "directory: data")
            one.start()
            views = {view["view"]: view for view in one.status()["views"]}
            refused = views["lists"]["refusals"]["view_row_size"]
            reader = client.Redis(one.socket)
            plain, kept = (int(reader.call("HGET", "k:1", name))
                           for name in ("plain.n_1d", "lists.n_12h"))
            assert plain == 5000 and kept > 3000, (plain, kept)
            assert kept + refused == 5000, (kept, refused)
        finally:
            one.stop()


@life(shards=2)
def a_changed_view_comes_with_a_new_version(one):
    one.start()
    one.send(1000)
    before = one.values()
    changed = CARD.replace("version: 1", "version: 2").replace("max(amount)", "min(amount)")
    recovery = one.again(streams=streams_of(views=changed + SHOP), shards=2)
    assert recovery["views"]["activity"] == "rebuilt from the mirror", recovery
    assert recovery["views_dropped"] == [], recovery
    after = one.read()
    for card, (n, total, _, last) in before[0].items():
        assert (after[card][0], after[card][1], after[card][3]) == (n, total, last), card
        assert n is None or n == b"0" or float(after[card][2]) <= float(before[0][card][2])
    one.send(200)
    one.check()


@life()
def a_view_that_is_gone_is_dropped_and_named(one):
    one.start()
    one.send(1000)
    before = one.values()
    recovery = one.again(streams=streams_of(views=CARD))
    assert recovery["views_dropped"] == ["trade"], recovery
    assert "view trade is gone" in one.log(), one.log()
    assert one.read() == before[0]
    recovery = one.again(streams=streams_of())
    assert recovery["views"]["trade"] == "rebuilt from the mirror", recovery
    assert one.values() == before


@life()
def a_field_that_is_appended_is_null_in_old_events(one):
    one.start()
    one.send(1000)
    before = one.values()
    fields = FIELDS + "      fee:      {type: decimal, scale: 2, optional: true, since: 2}\n"
    views = CARD + SHOP + """  fees:
    version: 1
    entity: card
    source: transaction
    windows: [1h]
    aggregates: {n: count(), known: count(fee), sum: sum(fee)}
"""
    for crash in (False, True):
        one.again(crash=crash, streams=streams_of(fields, views, version=2))
        assert one.values() == before
        for n, known, total in one.read(view="fees", features=("n", "known", "sum")).values():
            assert known in (b"0", None) and total is None, (n, known, total)
    one.send(300)
    one.check()


@life()
def a_stream_that_cannot_read_its_old_events_is_refused_by_name(one):
    changes = [
        ("type", FIELDS.replace("card:     {type: u64}", "card:     {type: u32}"), 1, "card"),
        ("scale", FIELDS.replace("scale: 2", "scale: 3"), 1, "amount"),
        ("order", "".join(FIELDS.splitlines(True)[i] for i in (0, 2, 1, 3)), 1, ""),
        ("gone", "".join(FIELDS.splitlines(True)[:3]), 1, "amount"),
        ("appended without a version", FIELDS + "      fee: {type: u64, optional: true}\n", 1, ""),
    ]
    for crash in (False, True):
        one.start()
        one.send(100)
        one.appliance.kill() if crash else one.appliance.stop()
        for what, fields, version, field in changes:
            views = CARD.replace(", sum: sum(amount), top: max(amount), last: last(amount)", "")
            wanted = f"stream transaction, field {field}" if field else "stream transaction"
            try:
                one.refused(78, wanted, streams=streams_of(fields, views, version))
            except AssertionError as error:
                raise AssertionError(f"{what}, crash {crash}: {error}") from error
        one.define()
    one.start()
    one.check()


@life()
def another_number_of_shards_changes_no_value(one):
    one.start()
    for turn, shards in enumerate((2, 3, 1, 2)):
        one.send(1000)
        support.wait_until(one.is_settled, "what was sent is with its owners")
        before = one.values()
        recovery = one.again(crash=turn % 2 == 1, shards=shards)
        assert len(status_of(one)["logs"]) == shards, recovery
        assert one.values() == before, f"{shards} shards"
        one.check()
        recovery = one.again(crash=True)
        assert one.values() == before, f"{shards} shards, killed"
    one.send(500)
    one.check()


@life(data="directory: data, ack: none, checkpoint: 1h, mirror: {segment: 1MiB}")
def with_ack_none_events_are_kept_and_nobody_is_told(one):
    one.start()
    unacked = one.producer_open(acked=False)
    one.send(1000, producer=unacked, flush=False)
    unacked.flush(1)
    one.appliance.wait_received(1000)
    support.wait_until(lambda: status_of(one)["logs"][0]["gathered_bytes"] == 0, "committed")
    assert unacked.stats["acks"] == 0, unacked.stats
    one.check()
    recovery = one.again(crash=True, data="directory: data, ack: none")
    assert recovery["records"] > 0, recovery
    one.check()
    unacked.close()


SMALL = "directory: data, checkpoint: 200ms, mirror: {segment: 1MiB, bytes: 4MiB%s}"


def segments_of(folder):
    return sorted(path.name for path in folder.glob("mirror-*.log"))


@life(data=SMALL % "")
def the_log_stays_within_its_bytes(one):
    one.start()
    for _ in range(30): # What one round brings depends on the machine.
        load(one, "--rate", "20000", "--seconds", "1", "--keys", "1000")
        if status_of(one)["logs"][0]["segment"] > 6:
            break
    support.wait_until(lambda: status_of(one)["logs"][0]["segments_kept_bytes"] <= 4 << 20,
                       "old segments are let go", 20)
    assert status_of(one)["logs"][0]["segment"] > 6, status_of(one)["logs"]
    assert len(segments_of(one.directory)) <= 10, segments_of(one.directory)
    recovery = one.again(crash=True)
    assert recovery["generation"] > 0, recovery
    recovery = one.again(streams=streams_of(views=CARD + SHOP + HABIT), data=SMALL % "")
    assert recovery["views"]["habit"] == "rebuilt from the mirror", recovery
    views = {view["view"]: view for view in one.appliance.status()["views"]}
    assert views["habit"]["since_us"] > views["activity"]["since_us"], views


def archive_fill(one):
    """Sends until old segments are archived; the folder."""
    archive = one.directory / "archive"
    before = len(segments_of(archive))
    for _ in range(20):
        load(one, "--rate", "20000", "--seconds", "1", "--keys", "1000")
        if len(segments_of(archive)) > before + 1:
            return archive
    raise AssertionError(f"nothing is archived: {status_of(one)['logs']}")


@life(data=SMALL % ", archive: archive/")
def old_segments_go_to_the_archive(one):
    one.start()
    archive = archive_fill(one)
    one.send(100)
    recovery = one.again(crash=True)
    assert recovery["generation"] > 0, recovery
    taken = segments_of(archive)
    assert not set(taken) & set(segments_of(one.directory)), "in both"
    assert support.run("inspect", archive / taken[0]).returncode == 0
    (archive / taken[0]).unlink()
    one.again()


@life()
def one_process_at_a_time_has_the_directory(one):
    one.start()
    with tempfile.TemporaryDirectory() as folder:
        second = support.Appliance(folder, streams_of(), data=f"directory: {one.directory}")
        done = support.run("run", second.definitions, "--for", "5", cwd=folder)
        assert done.returncode == 1, done
        assert f"another process has it ({one.appliance.process.pid})" in done.stderr, done
    one.send(100)
    one.check()


@life()
def a_directory_that_cannot_be_written_is_refused(one):
    if os.geteuid() == 0:
        os.chown(one.appliance.folder, NOBODY, NOBODY)
    one.directory.mkdir()
    os.chmod(one.directory, 0o555)
    one.appliance.within = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
                            "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*one.appliance.within, support.PROGRAM, "run",
                           one.appliance.definitions, "--for", "2"], capture_output=True,
                          text=True, timeout=30, cwd=one.appliance.folder)
    assert done.returncode == 1 and "data.directory" in done.stderr, done
    assert "another process" not in done.stderr, done


@life(lines="  user: nobody\n", data=SMALL % ", archive: archive/")
def the_files_belong_to_the_user_that_the_process_becomes(one):
    if os.geteuid() != 0:
        return
    for turn in range(2):
        one.start()
        archive_fill(one)
        one.send(100)
        one.appliance.verb("checkpoint")
        for folder, _, names in os.walk(one.directory):
            for path in [folder] + [os.path.join(folder, name) for name in names]:
                owner = os.stat(path)
                assert (owner.st_uid, owner.st_gid) == (NOBODY, NOBODY), (turn, path)
                assert not owner.st_mode & stat.S_IWOTH, path
        if turn == 0:
            # As a backup that root brought back.
            for path in one.directory.glob("*"):
                os.chown(path, 0, 0)
        one.appliance.kill()
    before = len(one.events)
    one.start()
    one.send(100)
    assert len(one.events) == before + 100


@life()
def a_file_system_in_memory_works_and_is_told(one):
    if not os.path.isdir("/dev/shm"):
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="freshet-") as folder:
        data = DATA.replace("directory: data", f"directory: {folder}/data")
        one.define(data=data)
        one.start()
        one.send(500)
        one.check()
        assert "on tmpfs" in one.log() and "on tmpfs" in status_of(one)["disk"], one.log()
        done = support.run("doctor", one.appliance.definitions)
        assert "tmpfs lives in memory" in done.stdout, done.stdout
        one.again(crash=True)
        one.check()
        assert one.appliance.stop() == 0


def flip(path, place):
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0x55]))


def killed_with_a_log(one):
    """Events are acknowledged, and the process is killed; the segment that has them."""
    one.start()
    for _ in range(20):
        one.send(50)
    one.appliance.kill()
    return one.directory / segments_of(one.directory)[0]


@life()
def damage_to_acknowledged_events_stops_the_start_and_is_named(one):
    log = killed_with_a_log(one)
    flip(log, 3 * 4096 + 200)
    one.refused(1, "shard 0: records with LSN 1:", "are damaged", "freshet verify")
    flip(log, 3 * 4096 + 200)
    one.start()
    one.check()


@life()
def a_log_that_is_a_link_stops_the_start_and_is_lost_to_nobody(one):
    """Links are not followed, and what one stands for is not as good as gone."""
    log = killed_with_a_log(one)
    elsewhere = one.appliance.folder / "elsewhere"
    log.rename(elsewhere)
    log.symlink_to(elsewhere)
    one.refused(1, "the log of shard 0 cannot be read", "symbolic link")
    done = support.run("export", "--data", one.directory, "--out", one.appliance.folder / "lake")
    assert done.returncode == 0, done  # Only reads, and follows.
    elsewhere.replace(log)
    one.start()
    one.check()


@life()
def a_damaged_checkpoint_falls_back_to_an_older_one(one):
    one.start()
    for _ in range(3):
        one.send(300)
        one.appliance.verb("checkpoint")
    newest = sorted(one.directory.glob("tiles-*.rows"))[-1]
    one.appliance.kill()
    flip(newest, newest.stat().st_size // 2)
    recovery = one.start()
    assert recovery["manifests_refused"] == 1, recovery
    assert "event=checkpoint_damaged" in one.log(), one.log()
    one.check()


@life(data=DATA.replace("checkpoint: 1h", "checkpoint: 100ms"))
def what_a_kill_left_half_written_goes(one):
    """Also of shards that are no more."""
    one.start()
    one.send(300)
    one.appliance.verb("checkpoint")
    one.appliance.kill()
    generation = max(int(path.name[-10:]) for path in one.directory.glob("manifest-*"))
    left = [one.directory / name for name in (
        f"tiles-{generation:010}-005.rows.tmp", f"tiles-{generation:010}-000.lanes.tmp",
        f"manifest-{generation:010}.tmp", f"backfill-{generation:010}-001.rows.tmp",
        "backfill.tmp")]
    for path in left:
        path.write_bytes(bytes(4096))
    one.start()
    support.wait_until(lambda: not any(path.exists() for path in left), "what was left goes")
    one.send(100)
    one.check()
    assert one.appliance.stop() == 0
    assert support.run("verify", one.directory).returncode == 0


@life()
def hang_up_reads_the_key_files_again(one):
    keys = one.appliance.folder / "keys.yaml"
    run = ["keys", "add", "--file", keys, "--producer", "7"]
    assert support.run(*run).returncode == 0
    one.appliance.ingest = one.appliance.ingest.replace("}", f", auth: {keys}}}")
    one.define()
    one.start()
    one.appliance.process.send_signal(1)
    support.wait_until(lambda: "event=keys_reloaded" in one.log(), "keys are read again")
    keys.write_text("producers: 3\n")
    one.appliance.process.send_signal(1)
    support.wait_until(lambda: "event=keys_not_reloaded" in one.log(), "a wrong file is told")
    one.appliance.status()


TESTS = [value for value in list(globals().values())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and (value.__name__ in ("without_a_store_its_commands_say_so",
                                 "a_rebuilt_view_refuses_what_its_rows_do_not_hold_and_starts")
              or getattr(value, "__qualname__", "").startswith("life."))]

if __name__ == "__main__":
    support.need("setpriv")
    support.main([test for test in TESTS if len(sys.argv) < 2 or test.__name__ in sys.argv])
