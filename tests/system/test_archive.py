#!/usr/bin/env python3
"""Old segments that were moved to the archive are history as those of the log are: whatever reads
the mirror reaches back as far as the archive does."""

import csv
import json
import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import duckdb  # noqa: E402
from life import CARD, CARDS, SHOP, life, streams_of  # noqa: E402

DATA = ("directory: data, checkpoint: 200ms, "
        "mirror: {segment: 1MiB, bytes: 8MiB, archive: old/segments/}")
FEATURES = ["activity.n_1h", "activity.sum_1h", "activity.last_10m"]
SERVICE = "services:\n  fraud:\n    log: {sample: 1}\n    features:\n" + "".join(
    f"      - {feature}\n" for feature in FEATURES)
HABIT = CARD.replace("activity", "habit").replace("[10m, 1h]", "[1h]")
LATER = CARD.replace("activity", "later").replace("[10m, 1h]", "[1h]")


def definitions(*views):
    return streams_of(views=CARD + SHOP + "".join(views)) + SERVICE


def verb(one, *arguments, code=0):
    done = support.run(*arguments, cwd=one.appliance.folder)
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done


def segments_of(folder):
    return sorted(path.name for path in folder.glob("mirror-*.log"))


def archive_fill(one, archive):
    """Sends until the log's first segments, of all shards, are archived."""
    for _ in range(40):
        done = subprocess.run(
            [support.BUILD / "freshet-load", "--config", one.appliance.definitions,
             "--probe-rate", "0", "--readers", "0", "--rate", "20000", "--seconds", "1", "--keys",
             "1000", "--json"], capture_output=True, text=True, timeout=100,
            cwd=one.appliance.folder)
        assert done.returncode == 0, done
        gone = segments_of(archive)
        if all(f"mirror-{shard:03d}-00000002.log" in gone for shard in range(one.shards)):
            return
    raise AssertionError(f"not archived: {gone}")


def is_quiet(one):
    before = one.appliance.status()["received"]
    time.sleep(0.3)
    return one.appliance.status()["received"] == before


def served_now(one):
    """What the service answers, recorded too: (q, values) by card."""
    redis = one.redis()
    served = {}
    for card in range(CARDS):
        reply = redis.call("FS.GET", f"card:{card}", "SERVICE", "fraud", "WITHMETA")
        answers = reply[1::2]
        served[card] = (int(answers[0][6]),
                        ["" if value[0] is None else value[0].decode() for value in answers])
    redis.close()
    return served


def training_has_it(one, served):
    labels, out = one.appliance.folder / "labels.csv", one.appliance.folder / "set.csv"
    with labels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["card", "time"])
        writer.writerows([card, q] for card, (q, _) in served.items())
    verb(one, "train", one.appliance.definitions, "--service", "fraud", "--labels", labels, "--out",
         out, "--no-status", "--quiet", "--data", one.directory)
    rows = {int(row["card"]): row for row in csv.DictReader(out.open())}
    for card, (_, values) in served.items():
        assert [rows[card][name] for name in FEATURES] == values, (card, values, rows[card])


def eval_has_it(one, served):
    card, (q, values) = next(iter(served.items()))
    done = verb(one, "eval", one.appliance.definitions, "--mirror", one.directory, "--key",
                f"card:{card}", "--at", q)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert [lines[name] for name in FEATURES] == values, (lines, values)


def parity_of(one, code=0):
    return json.loads(verb(one, "parity", "report", one.appliance.definitions, "--data",
                           one.directory, "--json", code=code).stdout)


def parity_has_it(one, answers):
    report = parity_of(one)
    assert report["answers"] == answers and report["mismatch"] == 0, report
    assert report["missing"] == 0 and report["checked"] == answers * len(FEATURES), report


def explain_has_it(one):
    """Every event of an answer that was given when all that is archived had come."""
    for nth in range(1, CARDS + 1):
        told = verb(one, "parity", "explain", one.appliance.definitions, "--data", one.directory,
                    "--nth", nth).stdout
        count = re.search(r"activity.n_1h: equal, served PRESENT (\d+)", told)
        events = re.findall(r"^ +\d+  \d{4}-", told, re.M)
        assert len(events) == (int(count.group(1)) if count else 0), told


def replay_has_it(one):
    """From the logs alone, or from checkpoints: the same state."""
    state = [json.loads(verb(one, "replay", one.appliance.definitions, "--data", one.directory,
                             "--hash", "--json", *since).stdout)
             for since in ((), ("--since", 1))]
    assert state[0]["hash"] == state[1]["hash"], state
    sent = verb(one, "replay", one.appliance.definitions, "--data", one.directory, "--to",
                "127.0.0.1:9", "--speed", "max", "--json", "--until", one.until)
    assert json.loads(sent.stdout)["sent"] == len(one.events), sent


def export_has_it(one, applied):
    out = one.appliance.folder / "lake"
    told = json.loads(verb(one, "export", "--data", one.directory, "--out", out, "--stream",
                           "transaction", "--json").stdout)
    assert told["rows"] == applied, (told, applied)


def sql_has_it(one):
    """Both recompute what was when only the first events were there."""
    if not duckdb.is_here():
        return
    lake = one.appliance.folder / "lake_whole"
    verb(one, "export", "--data", one.directory, "--out", lake)
    done = verb(one, "parity", "--sql", one.appliance.definitions, "--data", one.directory,
                "--export", lake, "--json", "--times", 2, "--keys", 20)
    report = json.loads(done.stdout)
    assert report["compared"] > 0 == report["different"], report
    assert "lacks" not in done.stderr, done


def everything_has_it(one, served, applied):
    training_has_it(one, served)
    eval_has_it(one, served)
    parity_has_it(one, len(served))
    explain_has_it(one)
    replay_has_it(one)
    export_has_it(one, applied)
    sql_has_it(one)


def is_since_the_beginning(one, name):
    views = {view["view"]: view for view in one.appliance.status()["views"]}
    assert views[name]["since_us"] == views["activity"]["since_us"], views
    same = [one.read(view=view, features=("n", "sum", "top")) for view in (name, "activity")]
    assert same[0] == same[1]


@life(data=DATA, streams=definitions(), shards=2)
def whatever_reads_the_mirror_reaches_back_into_the_archive(one):
    archive = one.directory / "old" / "segments"
    one.start()
    one.send(400)
    support.wait_until(one.is_settled, "what was sent is with its owners")
    served = served_now(one)
    one.until = max(q for q, _ in served.values())
    archive_fill(one, archive)
    support.wait_until(lambda: is_quiet(one), "what was sent is received")
    applied = one.appliance.status()["views"][0]["applied"]
    one.define(definitions(HABIT), shards=2, data=DATA)
    verb(one, "backfill", "habit", "--server", one.appliance.socket)
    is_since_the_beginning(one, "habit")

    # Without the option the store still knows where its old segments are. None may go now: it
    # would leave a hole.
    one.again(streams=definitions(HABIT, LATER), shards=2, data=DATA.replace(
        "8MiB, archive: old/segments/", "64MiB"))
    recovery = one.appliance.status()["store"]["recovery"]
    assert recovery["views"]["later"] == "rebuilt from the mirror", recovery
    is_since_the_beginning(one, "later")
    assert one.appliance.stop() == 0
    everything_has_it(one, served, applied)
    assert verb(one, "verify", one.directory).returncode == 0


@life(data=DATA, streams=definitions())
def an_archive_that_was_taken_away_is_no_history_and_no_damage(one):
    archive = one.directory / "old" / "segments"
    one.start()
    one.send(100)
    served = served_now(one)
    archive_fill(one, archive)
    assert one.appliance.stop() == 0
    archive.rename(one.appliance.folder / "taken")
    report = parity_of(one, code=1)  # All answers are older than what the mirror has.
    assert report["missing"] > 0 == report["mismatch"] == report["checked"], report
    (one.appliance.folder / "taken").rename(archive)
    training_has_it(one, served)
    # The middle alone went: history begins behind the hole.
    (archive / "mirror-000-00000002.log").unlink()
    recovery = one.start()
    assert recovery["records"] == 0, recovery
    one.again(streams=definitions(HABIT), data=DATA)
    views = {view["view"]: view for view in one.appliance.status()["views"]}
    assert views["habit"]["since_us"] > views["activity"]["since_us"], views


def correct(one, sequence, *arguments, code=0):
    return verb(one, "correct", "--data", one.directory, "retract", "--producer", 7,
                "--incarnation", one.producer.incarnation, "--sequence", sequence, *arguments,
                one.appliance.definitions, code=code)


def counts_of(one):
    return {card: int(values[0]) for card, values in one.read(features=("n",)).items()}


@life(data=DATA, streams=definitions())
def a_corrected_row_is_built_anew_from_the_archive_too(one):
    archive = one.directory / "old" / "segments"
    one.start()
    one.send(200)
    archive_fill(one, archive)
    one.send(1)
    before = counts_of(one)
    assert one.appliance.stop() == 0
    correct(one, 1)
    recovery = one.start()
    assert recovery["corrected_rows"] > 0, recovery
    after = counts_of(one)
    assert sum(before.values()) - sum(after.values()) == 1, (before, after)
    before = after
    assert one.appliance.stop() == 0
    # A hole between what is kept: rows would lose what is older, so that is asked for.
    (archive / "mirror-000-00000002.log").unlink()
    told = correct(one, 2, code=1)
    assert "looks back further than the mirror" in told.stderr, told
    assert "mirror-000-00000002" not in told.stderr, told
    correct(one, 2, "--forget-older")
    one.start()
    lost = sum(before.values()) - sum(counts_of(one).values())
    assert lost > 1, lost


@life(data=DATA, streams=definitions())
def a_damaged_note_of_the_archives_is_named(one):
    one.start()
    assert one.appliance.stop() == 0
    note = one.directory / "mirror-archives"
    assert note.read_text() == "old/segments\n"
    note.write_text("../elsewhere\n")
    done = support.run("verify", one.directory)
    assert done.returncode == 1 and "it names no folders below the directory" in done.stdout, done
    one.refused(1, "the file `mirror-archives` names no folders: take it away")
    note.unlink()
    one.start()
    assert one.appliance.stop() == 0
    assert note.read_text() == "old/segments\n"


TESTS = [whatever_reads_the_mirror_reaches_back_into_the_archive,
         an_archive_that_was_taken_away_is_no_history_and_no_damage,
         a_corrected_row_is_built_anew_from_the_archive_too,
         a_damaged_note_of_the_archives_is_named]

if __name__ == "__main__":
    support.main([test for test in TESTS if len(sys.argv) < 2 or test.__name__ in sys.argv])
