#!/usr/bin/env python3
"""freshet replay: what a data directory recorded, once more, into a new one."""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402
import life as lives  # noqa: E402

EXTRA = lives.CARD.replace("activity", "later").replace("[10m, 1h]", "[30m]")


def replay(life, *arguments, data=None, code=0, definitions=None):
    done = support.run("replay", "--data", data or life.directory, *arguments,
                       definitions or life.appliance.definitions, cwd=life.appliance.folder)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def replay_hash(life, *arguments, **options):
    """(state hash, hash per vshard)."""
    told = json.loads(replay(life, "--hash", "--json", *arguments, **options).stdout)
    return told["hash"], told["vshards"]


def now_us():
    """A moment that nothing of before and nothing of later is applied in."""
    time.sleep(0.02)
    moment = time.time_ns() // 1000
    time.sleep(0.02)
    return moment


def bytes_of(directory):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(directory.rglob("*")) if path.is_file()}


def values_in(life, directory, shards=2):
    """What the directory's store answers; its appliance is ended again."""
    other = lives.Life(directory.parent, shards=shards,
                       data=lives.DATA.replace("directory: data", f"directory: {directory}"))
    try:
        other.start()
        return other.values()
    finally:
        assert other.appliance.stop() == 0
        life.define(shards=life.shards)


@lives.life(lives.MEMORY, shards=2)
def the_state_is_the_same_from_checkpoint_and_mirror_at_any_shard_count(life):
    life.start()
    life.send(3000)
    life.again(crash=True, shards=2)
    life.producer = life.producer_open(8)
    life.send(2000)
    life.appliance.verb("checkpoint")
    life.send(1000)
    live = replay_hash(life)
    assert live == replay_hash(life, "--since", "1"), "beside the running appliance"
    assert life.appliance.stop() == 0
    before = bytes_of(life.directory)
    for shards in ("1", "2", "4"):
        assert replay_hash(life, "--shards", shards) == live, shards
        assert replay_hash(life, "--shards", shards, "--since", "1") == live, shards
    assert bytes_of(life.directory) == before, "the source was written to"


@lives.life(lives.MEMORY, shards=2)
def a_store_that_changed_its_shards_is_replayed_over_all_of_them(life):
    life.start()
    life.send(1500)
    first, moment = replay_hash(life), now_us()
    life.again(crash=True, shards=3)
    life.producer = life.producer_open(8)
    life.send(1500)
    second, later = replay_hash(life), now_us()
    life.again(shards=1)
    life.producer = life.producer_open(9)
    life.send(500)
    assert life.appliance.stop() == 0
    live = replay_hash(life)
    for shards in ("1", "2", "4"):
        assert replay_hash(life, "--shards", shards, "--since", "1") == live, shards
        assert replay_hash(life, "--shards", shards, "--until", str(moment)) == first, shards
        assert replay_hash(life, "--shards", shards, "--until", str(later)) == second, shards
    assert len({live[0], first[0], second[0]}) == 3


@lives.life(lives.MEMORY, shards=2)
def the_new_directory_is_a_store_that_answers_the_same(life):
    life.start()
    life.send(1200)
    values = life.values()
    life.again(crash=True)
    target = life.appliance.folder / "copy" / "data"
    told = json.loads(replay(life, "--into", target, "--shards", "1", "--json").stdout)
    assert told["shards"] == 1 and told["views"]["activity"]["rows"] == lives.CARDS, told
    live = replay_hash(life)
    assert replay_hash(life, data=target) == live
    # It goes on: producers that sent before are known, and new events count.
    other = lives.Life(life.appliance.folder / "copy", shards=1)
    other.events, other.start_us = list(life.events), life.start_us
    other.start()
    try:
        assert other.values() == values
        other.producer = other.producer_open(8)
        other.send(100)
        other.again(crash=True, shards=1)
        other.again(shards=3)
        assert sum(int(row[0]) for row in other.read().values()) == 1300
    finally:
        assert other.appliance.stop() == 0


@lives.life(lives.MEMORY, shards=2)
def records_are_taken_from_a_time_on_and_up_to_one(life):
    life.start()
    life.send(700)
    first, early, begin = replay_hash(life), life.values(), now_us()
    life.appliance.verb("checkpoint")
    life.send(300)
    end = now_us()
    life.send(200)
    assert replay_hash(life, "--until", str(begin)) == first
    between = life.appliance.folder / "between" / "data"
    replay(life, "--since", str(begin), "--until", str(end), "--into", between)
    back = life.appliance.folder / "back" / "data"
    replay(life, "--until", str(begin), "--into", back)
    empty = json.loads(replay(life, "--since", str(end), "--until", str(end + 1), "--hash",
                              "--json").stdout)
    assert empty["records"] == 0 and empty["vshards"] == {}, empty
    expected = {}
    for card, _, amount in life.events[700:1000]:
        count, total = expected.get(card, (0, 0))
        expected[card] = (count + 1, total + amount)
    assert life.appliance.stop() == 0
    read = values_in(life, between)[0]
    for card, row in read.items():
        count, total = expected.get(card, (0, None))
        assert int(row[0] or 0) == count, (card, row, expected.get(card))
        assert total is None or round(float(row[1]) * 100) == total, (card, row, total)
    assert values_in(life, back) == early


@lives.life(lives.MEMORY, shards=2)
def one_view_goes_back_to_a_time_and_the_others_stay(life):
    life.start()
    life.send(900)
    early, moment = life.values(), now_us()
    life.send(400)
    late = life.values()
    target = life.appliance.folder / "copy" / "data"
    replay(life, "--view", "trade", "--until", str(moment), "--into", target)
    # An older checkpoint may be there, or none: the same comes of both.
    life.appliance.verb("checkpoint")
    assert replay_hash(life, "--view", "trade", "--until", str(moment)) == \
        replay_hash(life, data=target)
    assert life.appliance.stop() == 0
    read = values_in(life, target)
    assert read[:2] == late[:2] and read[2] == early[2]


@lives.life(lives.MEMORY, shards=2)
def views_that_the_store_never_had_are_built_from_the_mirror(life):
    life.start()
    life.send(800)
    assert life.appliance.stop() == 0
    definitions = life.appliance.folder / "more.yaml"
    definitions.write_text(life.appliance.definitions.read_text() + EXTRA)
    target = life.appliance.folder / "copy" / "data"
    told = json.loads(replay(life, "--into", target, "--json",
                             definitions=definitions).stdout)
    assert told["views"]["later"]["how"] == "rebuilt", told
    assert told["views"]["activity"]["how"] == "loaded", told
    assert told["views"]["later"]["rows"] == told["views"]["activity"]["rows"], told


@lives.life(shards=2, data=lives.DATA.replace("1h", "200ms"))
def a_store_that_is_written_to_is_read_up_to_what_is_durable(life):
    """Checkpoints come and go five times a second meanwhile, and logs grow under the reader."""
    life.start()
    life.send(100)
    stop = threading.Event()

    def load():
        while not stop.is_set():
            life.send(50, flush=False)
            time.sleep(0.002)

    sender = threading.Thread(target=load)
    sender.start()
    try:
        for step in range(8):
            replay(life, "--hash", "--shards", str(1 + step % 3),
                   *(("--since", "1") if step % 2 else ()))
    finally:
        stop.set()
        sender.join()
    assert life.producer.flush(30), life.producer.stats
    assert life.appliance.stop() == 0
    assert replay_hash(life) == replay_hash(life, "--since", "1")


@lives.life(lives.MEMORY, shards=2)
def a_replay_that_was_killed_is_begun_anew(life):
    life.start()
    life.send(3000)
    assert life.appliance.stop() == 0
    live = replay_hash(life)
    target = life.appliance.folder / "copy"
    command = [support.PROGRAM, "replay", "--data", life.directory, "--into", target,
               life.appliance.definitions]
    found = {"nothing": 0, "half": 0, "whole": 0}
    for step in range(24):
        with subprocess.Popen(command, cwd=life.appliance.folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            time.sleep(0.002 * step)
            process.kill()
            process.wait()
        names = {path.name for path in target.iterdir()} if target.exists() else set()
        names -= {"lock", ".probe"}
        if "replay-unfinished" in names:
            found["half"] += 1
            refused = replay(life, "--hash", data=target, code=1)
            assert "run it again" in refused.stderr, refused.stderr
        elif names:
            found["whole"] += 1
            assert replay_hash(life, data=target) == live
            break
        else:
            found["nothing"] += 1
    # However the kills fell, the mark of one that was cut short is made by hand as well.
    if not found["whole"]:
        replay(life, "--into", target)
    for path in target.iterdir():
        if path.name.startswith("manifest"):
            path.unlink()
    (target / "replay-unfinished").touch()
    replay(life, "--into", target)
    assert replay_hash(life, data=target) == live
    print(f"     {found}")


def listener(folder, **options):
    """Another appliance, without a data directory unless options say."""
    other = lives.Life(folder, data=options.pop("data", None), **options)
    other.appliance.start()
    return other


@lives.life(lives.MEMORY, shards=2)
def a_listener_gets_the_events_as_new_ones(life):
    life.start()
    life.send(600)
    life.again(crash=True, shards=3)
    life.producer = life.producer_open(8)
    life.send(600)
    values = life.values()
    folder = life.appliance.folder / "staging"
    folder.mkdir()
    other = listener(folder, data=lives.DATA)
    try:
        done = replay(life, "--to", f"127.0.0.1:{other.appliance.udp}", "--speed", "max",
                      "--acked", "--json")
        told = json.loads(done.stdout)
        assert told["sent"] == told["durable"] == 1200 and told["lost"] == 0, told
        assert other.appliance.status()["applied"] == 1200
        assert other.values() == values
    finally:
        other.appliance.kill()


@lives.life(lives.MEMORY)
def events_are_paced_moved_and_chosen(life):
    life.start_us -= 10 * 86400 * 10**6
    life.start()
    life.send(50)
    moment = now_us()
    time.sleep(1)
    life.send(50)
    # Far behind the watermark: set aside, with ledger.
    life.start_us -= 86400 * 10**6
    life.send(7)
    assert life.appliance.stop() == 0
    folder = life.appliance.folder / "staging"
    folder.mkdir()
    other = listener(folder)
    to = ("--to", f"127.0.0.1:{other.appliance.udp}", "--json")
    try:
        began = time.monotonic()
        told = json.loads(replay(life, *to, "--speed", "2x", "--shift").stdout)
        assert time.monotonic() - began > 0.5, "half of a second's pause is kept"
        assert told["sent"] == 100 and told["not_applied"] == 7, told
        status = other.appliance.wait_received(100)
        assert status["applied"] == 100, status
        # Ten days old where they were, they are of the last minutes now.
        read = other.read(features=("n",), options=())
        assert sum(int(row[0] or 0) for row in read.values()) == 100, read
        told = json.loads(replay(life, *to, "--speed", "max", "--all", "--until", str(moment),
                                 "--producer", "900001").stdout)
        assert told["sent"] == 50 and told["not_applied"] == 0, told
        told = json.loads(replay(life, *to, "--speed", "max", "--all", "--since", str(moment),
                                 "--producer", "900002").stdout)
        assert told["sent"] == 57, told
    finally:
        other.appliance.kill()


@lives.life(lives.MEMORY)
def a_directory_that_is_not_empty_is_refused(life):
    life.start()
    life.send(10)
    assert life.appliance.stop() == 0
    target = life.appliance.folder / "copy"
    target.mkdir()
    (target / "letter.txt").write_text("mine")
    refused = replay(life, "--into", target, code=1)
    assert "not empty" in refused.stderr and "letter.txt" in refused.stderr, refused.stderr
    (target / "replay-unfinished").touch()
    refused = replay(life, "--into", target, code=1)
    assert "letter.txt" in refused.stderr and (target / "letter.txt").exists()
    refused = replay(life, "--into", life.directory, code=1)
    assert "not empty" in refused.stderr, refused.stderr


@lives.life(lives.MEMORY, shards=2)
def damage_is_told_with_shard_and_lsns(life):
    life.start()
    life.send(2000)
    assert life.appliance.stop() == 0
    segment = sorted(life.directory.glob("mirror-001-*.log"))[0]
    data = bytearray(segment.read_bytes())
    data[4096 + 70] ^= 0x40  # The first frame's entries.
    segment.write_bytes(data)
    refused = replay(life, "--since", "1", "--hash", code=1)
    for word in ("shard 1: records with LSN 1:1 to 1:", "freshet verify"):
        assert word in refused.stderr, refused.stderr


def wrong_flags_are_refused_with_what_is_allowed():
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        definitions = pathlib.Path(folder) / "d.yaml"
        definitions.write_text(lives.streams_of())
        for code, word, *arguments in [
                (2, "--data is needed", "--into", "x"),
                (2, "--into DIR, --to HOST:PORT or --hash is needed", "--data", folder),
                (2, "--to sends events", "--data", folder, "--to", "h:1", "--hash"),
                (2, "are for --to", "--data", folder, "--hash", "--shift"),
                (2, "HOST:PORT is wanted", "--data", folder, "--to", "host"),
                (2, "--speed 10:", "--data", folder, "--to", "h:1", "--speed", "10"),
                (1, "no store is there", "--data", folder, "--to", "127.0.0.1:9"),
                (2, "--until is not after --since", "--data", folder, "--hash", "--since", "5",
                 "--until", "5"),
                (2, "is no time", "--data", folder, "--hash", "--since", "yesterday"),
                (2, "is no time", "--data", folder, "--hash", "--until", "-5"),
                (2, "1 to 64", "--data", folder, "--hash", "--shards", "65"),
                (2, "--until, which is needed", "--data", folder, "--hash", "--view", "trade"),
                (1, "no view `trad`", "--data", folder, "--hash", "--view", "trad", "--until",
                 "9"),
                (1, "no store is there", "--data", folder, "--hash"),
                (1, "No such file", "--data", folder + "/none", "--hash")]:
            done = support.run("replay", *arguments, definitions)
            assert done.returncode == code and word in done.stderr, (arguments, done)


STATE = [the_state_is_the_same_from_checkpoint_and_mirror_at_any_shard_count,
         a_store_that_changed_its_shards_is_replayed_over_all_of_them,
         the_new_directory_is_a_store_that_answers_the_same,
         records_are_taken_from_a_time_on_and_up_to_one,
         one_view_goes_back_to_a_time_and_the_others_stay,
         views_that_the_store_never_had_are_built_from_the_mirror]
WAYS = [a_store_that_is_written_to_is_read_up_to_what_is_durable,
        a_replay_that_was_killed_is_begun_anew,
        a_listener_gets_the_events_as_new_ones,
        events_are_paced_moved_and_chosen,
        a_directory_that_is_not_empty_is_refused,
        damage_is_told_with_shard_and_lsns,
        wrong_flags_are_refused_with_what_is_allowed]

if __name__ == "__main__":
    wanted = sys.argv[1:]
    support.main([test for group, tests in (("state", STATE), ("ways", WAYS)) for test in tests
                  if not wanted or group in wanted or test.__name__ in wanted])
