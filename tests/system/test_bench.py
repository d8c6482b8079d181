#!/usr/bin/env python3
"""perf/bench at a small scale: every name and counter that others rely on is there
and is a number."""

import json
import math
import os
import shutil
import subprocess
import sys

SOURCE = os.environ["FRESHET_SOURCE"]
BUILD = os.environ["FRESHET_BUILD"]

INGEST = ["events_per_second", "ns_per_event", "lines_per_event", "roofline_ratio"]
REPLAY = ["ratio", "events_per_second", "live_events_per_second"]
TRAIN = ["rows_per_second", "true_rows_per_second", "ratio_to_duckdb", "true_ratio_to_duckdb"]
SCALE = ["events_per_second", "events_per_second_per_core", "efficiency", "ns_per_event",
         "roofline_ns_per_line", "roofline_efficiency", "core_share"]
DURABLE = ["events_per_second", "ratio", "log_bytes_per_event", "log_mb_per_second",
           "disk_mb_per_second", "disk_flush_p50_us"]
WANTED = {
    "ingest/keys:10000000": INGEST,
    "ingest/keys:1000": INGEST,
    "ingest/newcell": INGEST,
    "ingest/one_key": INGEST,
    "ingest/zipf:0.99": INGEST,
    "ingest_rich": INGEST + ["ratio"],
    "auth/lanes:1": ["ns_per_event", "ns_per_message", "ratio_of_ingest"],
    "auth/lanes:4": ["ns_per_event", "ns_per_message", "ratio_of_ingest"],
    "auth/lanes:4/mixed": ["ns_per_event", "ns_per_message", "ratio_of_ingest"],
    "expression": ["ns_per_event", "steps"],
    "patterns/rules:1": ["ns_per_event", "matched_ratio", "set_bytes"],
    "patterns/rules:10": ["ns_per_event", "matched_ratio", "set_bytes"],
    "patterns/rules:100": ["ns_per_event", "matched_ratio", "set_bytes"],
    "ingest_durable": DURABLE,
    "ingest_durable/unsteered": DURABLE,
    "ack": ["p50_us", "p99_us", "disk_flush_p50_us", "disk_flush_p99_us", "ratio"],
    "checkpoint": ["turn_max_us", "quantum_max_us", "mb_per_second", "disk_mb_per_second"],
    "recovery": ["load_mb_per_second", "load_ratio", "disk_mb_per_second"],
    "replay": REPLAY,
    "replay/keys:1000": REPLAY,
    "read/features:20": ["p50_us", "p99_us"],
    "batch/entities:500": ["p50_us", "p99_us"],
    "read_under_ingest": ["p99_us", "p99_ratio"],
    "read_under_burst": ["p99_us", "p99_ratio"],
    "freshness": ["p50_us", "p99_us"],
    "memory/full:uniform": ["live_ratio", "bytes_per_entity"],
    "memory/full:sparse": ["live_ratio", "bytes_per_entity"],
    "memory/full:zipf": ["live_ratio", "bytes_per_entity"],
    "memory/events:1": ["bytes_per_entity"],
    "memory/events:10": ["bytes_per_entity"],
    "memory/events:100": ["bytes_per_entity"],
    "memory/events:1000": ["bytes_per_entity"],
    "canary": ["core_share"],
    "check/views:1000": ["seconds", "peak_mb"],
    "parquet_export": ["rows_per_second", "ns_per_row", "bytes_per_row"],
    "train": TRAIN,
    "train/events_per_key:1000": TRAIN,
    "redis_ingest": ["events_per_second", "ratio"],
    "redis_read_under_ingest": ["p99_us", "ratio"],
}

# More shards than cores are not measured.
for count in (1, 2, 4, 8, 12):
    if count <= len(os.sched_getaffinity(0)):
        forwards = ["forwarded_share"] if count > 1 else []
        WANTED[f"scale/steered/shards:{count}"] = SCALE
        WANTED[f"scale/unsteered/shards:{count}"] = SCALE + forwards


def main():
    if not os.access(os.path.join(BUILD, "bench"), os.X_OK):
        print("skipped: google-benchmark is not installed, so there is no bench")
        return 77
    if shutil.which("redis-server") is None:
        print("skipped: no redis-server")
        return 77
    run = subprocess.run([os.path.join(SOURCE, "perf/bench")], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True,
                         env=dict(os.environ, BENCH_SCALE="0.01"), timeout=280)
    print(run.stdout)
    if run.returncode != 0:
        print(f"perf/bench ended with {run.returncode}")
        return 1
    with open(os.path.join(BUILD, "bench.json")) as file:
        found = {row["name"]: row for row in json.load(file)["benchmarks"]}
    wrong = 0
    for name, counters in WANTED.items():
        for counter in counters:
            value = found.get(name, {}).get(counter)
            if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
                print(f"{name}: {counter} is {value}")
                wrong += 1
    for name in sorted(set(found) - set(WANTED)):
        print(f"{name}: is measured and known to nobody")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
