#!/usr/bin/env python3
"""`freshet parity --sql`: what Freshet answers from its mirror, as known and as true, is what the
SQL of the same definitions gives over the exported Parquet, for views with every exact kind, with
nulls, ties, late events, times on edges, over a crash; and a value that was changed in one of the
files is found.

usage: test_parity_sql.py sql|sql_lists|union [SHARDS [SHARDS_AFTER_THE_CRASH]]
"""

import contextlib
import json
import pathlib
import shutil
import sys
import time

import dataset
import test_dataset_types as types
import test_sql
import test_sql_lists
import test_union

import duckdb  # noqa: E402 (dataset has put tests/support on the path)

DATA = "directory: data, mirror: {segment: 4MiB}"
EVENTS = 900  # Of each stream.
SPAN_US = 30 * 60 * 10**6
LATE_US = 25 * 60 * 60 * 10**6  # More than their lateness: true, and where it is kept, not known.


def messages_of(source, streams, value_of):
    """(stream, events as they go over the wire, sequence, producer), in any order."""
    messages = []
    for place, stream in enumerate(streams):
        for number in range(EVENTS // 10):
            events = [[value_of(source, field)[1] for field in stream.fields] for _ in range(10)]
            for event in events:
                event[stream.time] -= LATE_US if source.random() < 0.03 else 0
            messages.append((stream, [tuple(e) for e in events], number + 1, 100 + place))
    source.shuffle(messages)
    return messages


def send(appliance, messages):
    redis, sender = dataset.opened(appliance)
    for stream, events, sequence, producer in messages:
        dataset.send_events(sender, stream, events, sequence, producer)
        time.sleep(0.002)  # Many turns, and so many apply times.
    sender.sync()
    return redis


def parity(path, folder, *arguments):
    done = dataset.support.run("parity", "--sql", path, "--data", folder / "data",
                   "--export", folder / "lake", "--json", *arguments, timeout=60)
    assert done.returncode in (0, 1) and done.stdout, done
    print(done.stderr, end="")
    return done.returncode, json.loads(done.stdout)


def is_quiet(path, folder, seed, least, times):
    code, report = parity(path, folder, "--seed", seed, "--times", times)
    for difference in report["differences"]:
        print(difference)
    print({name: report[name] for name in ("compared", "equal", "near", "left_out")})
    assert code == 0 and report["different"] == 0, f"{report['different']} values differ"
    assert report["compared"] > least, "too few values were compared"
    assert report["near"] <= report["equal"] / 10, "too many are rounded otherwise"
    assert report["left_out"] <= report["compared"], "too many were left out"
    assert report["moments_known"] >= 3, "no moments before the end"
    return report


def fault_is_found(path, folder, field):
    """One value of each of a few events in one file; some may be of no view. A file that is not as
    the manifest has it is none of the export."""
    file = max((folder / "lake").rglob("*.parquet"), key=lambda file: file.stat().st_size)
    changed = folder / "changed.parquet"
    with contextlib.closing(duckdb.Database()) as database:
        database.query(
            f"COPY (SELECT * REPLACE (CASE WHEN _lsn IN (SELECT _lsn FROM '{file}' WHERE {field} "
            f"IS NOT NULL AND _verdict = 'applied' ORDER BY _lsn DESC LIMIT 5) THEN {field} + 1 "
            f"ELSE {field} END AS {field}) FROM '{file}') TO '{changed}' (FORMAT parquet)")
    shutil.move(changed, file)
    name, lake = str(file.relative_to(folder / "lake")), folder / "lake"
    done = dataset.support.run("parity", "--sql", path, "--data", folder / "data", "--export", lake)
    assert done.returncode == 1 and f"{lake}: {name} is gone, or not as" in done.stderr, done
    lines = [json.loads(line) for line in (lake / "manifest.jsonl").read_text().splitlines()]
    (lake / "manifest.jsonl").write_text("".join(json.dumps(
        line | ({"bytes": file.stat().st_size} if line.get("path") == name else {})) + "\n"
        for line in lines))
    code, report = parity(path, folder, "--times", 2)
    assert code == 1 and report["different"] > 0, report["compared"]
    first = report["differences"][0]
    assert {"feature", "key", "q", "as", "freshet", "sql"} == set(first), first
    done = dataset.support.run("parity", "--sql", path, "--data", folder / "data",
                   "--export", folder / "lake", "--times", 2, timeout=60)
    told = f"{first['feature']} of {first['key']['entity']}:{first['key']['id']} at {first['q']}"
    assert done.returncode == 1 and told in done.stdout, done
    print(done.stdout.splitlines()[0])


def manifest_lines(folder, wanted):
    """Keeps the manifest's lines that are wanted; what it was."""
    manifest = folder / "lake" / "manifest.jsonl"
    kept = manifest.read_text()
    manifest.write_text("".join(line for line in kept.splitlines(True)
                                if wanted(json.loads(line))))
    return kept


def what_is_not_whole_is_compared_before_its_end(path, folder, shards):
    """Without the newest segments and the lines that say that they are whole, as of a store that
    runs; without any such line; and that of another store."""
    manifest = folder / "lake" / "manifest.jsonl"
    newest = {}
    for line in manifest.read_text().splitlines():
        of = json.loads(line)
        if of["shard"] < shards:  # Others are written no more.
            newest[of["shard"]] = max(newest.get(of["shard"], 0), of["segment"])
    gone = {shard: [path for path in (folder / "lake").rglob("*.parquet")
                    if path.name == f"part-{shard:03d}-{number:08d}.parquet"]
            for shard, number in newest.items()}
    for path_gone in sum(gone.values(), []):
        path_gone.rename(path_gone.with_suffix(".gone"))
    kept = manifest_lines(folder, lambda line: line["segment"] != newest.get(line["shard"]))
    code, report = parity(path, folder, "--times", 6)
    assert code == 0 and report["compared"] > 0 == report["different"], report
    assert report["moments_known"] > 0, report
    for path_gone in sum(gone.values(), []):
        path_gone.with_suffix(".gone").rename(path_gone)
    manifest.write_text(kept)

    manifest_lines(folder, lambda line: "whole" not in line)
    done = dataset.support.run("parity", "--sql", path, "--data", folder / "data", "--export",
                               folder / "lake", "--json", "--times", 3, timeout=60)
    report = json.loads(done.stdout)
    assert "which may still be written" in done.stderr, done.stderr
    assert done.returncode == 1 and report["compared"] == 0, report
    assert "nothing could be compared" in done.stderr, done.stderr
    store = json.loads(kept.splitlines()[0])["store"]
    manifest.write_text(kept.replace(store, store[::-1]))
    done = dataset.support.run("parity", "--sql", path, "--data", folder / "data", "--export",
                               folder / "lake")
    assert done.returncode == 1 and "is the export of another data directory" in done.stderr, done
    manifest.write_text(kept)


def corrected_keys_are_left_out(path, folder):
    """Of an event that was retracted: the export has it, and what is true has not."""
    file = folder / "lake" / "**" / "*.parquet"
    with contextlib.closing(duckdb.Database()) as database:
        [[kept]] = database.query(
            f"SELECT min(_sequence) FROM read_parquet('{file}', union_by_name = true, "
            "hive_partitioning = false) WHERE _producer = 100 AND _place = 0 AND _sequence > 1 "
            "AND _verdict = 'applied'")
    done = dataset.support.run("correct", "--data", folder / "data", "retract", "--producer", 100,
                               "--incarnation", 1, "--sequence", kept, "--place", 0, "--why",
                               "a test", path)
    assert done.returncode == 0, done
    done = dataset.support.run("parity", "--sql", path, "--data", folder / "data", "--export",
                               folder / "lake", "--json", "--times", 2, timeout=60)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["different"] == 0 < report["compared"], done.stderr
    assert " 1 keys have corrected events" in done.stderr, done.stderr


def streams_of(path):
    """Of definitions whose views the oracle may not know."""
    tree = dataset.oracle.parse_yaml(path.read_text().split("\nviews:")[0])
    return [dataset.oracle.Stream(name, text) for name, text in tree["streams"].items()]


RUNS = {  # What makes values, what is changed, and the least number of values compared.
    "sql": (test_sql.value_made, "points", 5000),
    "sql_lists": (test_sql_lists.value_listed, "points", 2000),
    "union": (test_union.value_of, "amount", 1000),
}


def run(name, shards, after):
    source = dataset.seed_of(51)
    path = dataset.HERE / "data" / (name + ".yaml")
    value_of, field, least = RUNS[name]
    types.BASE_US = test_union.BASE_US = time.time_ns() // 1000 // 10**7 * 10**7 - SPAN_US
    with dataset.support.running(streams="", files=[path], shards=shards, memory="256MiB",
                                 data=DATA) as appliance:
        messages = messages_of(source, streams_of(path), value_of)
        send(appliance, messages[:len(messages) // 2])
        appliance.kill()  # What was not durable yet is in neither of the two.
        appliance.define("", after, DATA)
        appliance.start()
        redis = send(appliance, messages[len(messages) // 2:])
        dataset.support.wait_until(lambda: all(v["applied"] > 0 for v in redis.status()["views"]),
                                   "events at their owners")
        time.sleep(0.1)
        appliance.stop()
        folder = pathlib.Path(appliance.folder)
        done = dataset.support.run("export", "--data", folder / "data", "--out", folder / "lake")
        assert done.returncode == 0, done
        times = 6 if after == shards else 40  # Also just where the shards changed.
        is_quiet(path, folder, source.randrange(10**6), least, times)
        what_is_not_whole_is_compared_before_its_end(path, folder, after)
        corrected_keys_are_left_out(path, folder)
        fault_is_found(path, folder, field)


if __name__ == "__main__":
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(dataset.support.SKIPPED)
    shards = [int(shards) for shards in sys.argv[2:]] or [1]
    run(sys.argv[1], shards[0], shards[-1])
