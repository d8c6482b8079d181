#!/usr/bin/env python3
"""freshet check: every error with its place and exit code 78; costs without errors."""

import json
import os
import subprocess
import sys
import tempfile

SOURCE = os.environ["FRESHET_SOURCE"]
PROGRAM = os.path.join(os.environ["FRESHET_BUILD"], "freshet")
CARDS = os.path.join(SOURCE, "config/examples/cards.yaml")
BAD = """appliance: {shards: 0}
streams:
  s: {id: 1, time: t, fields: {t: {type: timestamp}}}
views:
  v: {entity: t, source: ss, windows: [1h], aggregates: {c: cout()}, slo: t}
"""
# 10,000 events within the hour that is kept singly are more than a row keeps.
CROWDED = """
streams:
  s: {id: 1, time: t, fields: {t: {type: timestamp}, k: {type: u64}}}
views:
  v: {entity: k, source: s, windows: [10m, 1h], exact: 1h, aggregates: {c: count()}}
"""
# Lists of long strings in tiles of 5 s: 10,000 events pass 1 MiB by far.
HEAVY = """
streams:
  s: {id: 1, time: t, fields: {t: {type: timestamp}, k: {type: u64}, x: {type: string, size: 256}}}
views:
""" + "".join(f"""
  v{i}: {{entity: k, source: s, windows: [2500m], ladder: [5s, 1m], ttl: 30d,
       aggregates: {{a: "first_k_distinct(x, 99)"}}}}
""" for i in range(4))
EXPECTED = [
    "1:21: `shards` is `0`; a whole number from 1 to 64 is allowed",
    "5:26: `source` is `ss`, which is no stream",
    "5:61: `cout` is no aggregate; did you mean `count`? allowed: count, ",
    "5:75: `slo` is a map of `key: value` lines",
]


def check(*arguments):
    return subprocess.run([PROGRAM, "check", *arguments], capture_output=True, text=True,
                          timeout=20, check=False)


def expect(condition, done, sentence):
    if not condition:
        print(f"FAILED: {sentence}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
        sys.exit(1)


def errors_name_their_place(folder):
    path = os.path.join(folder, "bad.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(BAD)
    done = check(path)
    lines = [line for line in done.stderr.splitlines() if line.startswith(path)]
    expect(done.returncode == 78, done, "an invalid file ends with 78")
    expect(len(lines) == len(EXPECTED), done, "every error is one line")
    for line, wanted in zip(lines, EXPECTED):
        expect(line.startswith(f"{path}:{wanted}"), done, wanted)
    expect(done.stdout == "", done, "errors go to stderr")
    done = check(path, "--json")
    errors = json.loads(done.stdout)["errors"]
    expect(done.returncode == 78, done, "also with --json")
    expect([(e["line"], e["column"]) for e in errors] == [(1, 21), (5, 26), (5, 61), (5, 75)],
           done, "places as numbers")


def a_folder_is_its_files(folder):
    done = check(os.path.join(SOURCE, "config/examples"))
    expect(done.returncode == 0, done, "the examples load together")
    done = check(os.path.join(folder, "missing.yaml"))
    expect(done.returncode == 78, done, "a missing file ends with 78")
    expect("missing.yaml: cannot be opened" in done.stderr, done, "and is named")


def costs_are_said(folder):
    done = check(CARDS)
    expect(done.returncode == 0, done, "a valid file ends with 0")
    for word in ("view activity", "1 event", "100 events", "10,000 events", "at worst",
                 "cache lines per event", "cells per read", "entities that fit"):
        expect(word in done.stdout, done, word)
    done = check("--json", CARDS)
    report = json.loads(done.stdout)
    expect(report["ok"] is True, done, "ok")
    expect([cost["view"] for cost in report["costs"]] == ["activity", "shop", "account"], done,
           "all views")
    crowded = os.path.join(folder, "crowded.yaml")
    with open(crowded, "w", encoding="utf-8") as file:
        file.write(CROWDED)
    done = check("--json", crowded)
    expect(done.returncode == 0, done, "a valid file ends with 0")
    for cost in report["costs"] + json.loads(done.stdout)["costs"]:
        sizes = [size["bytes_per_entity"] for size in cost["sizes"]]
        expect(sizes == sorted(sizes), done, "more events are not fewer bytes")
        expect(cost["worst"]["bytes_per_entity"] >= sizes[-1], done, "the worst is the most")
        cells = max(size["cells_per_read"] for size in cost["sizes"])
        expect(cost["worst"]["cells_per_read"] >= cells, done, "the worst read visits the most")


def rows_of_the_greatest_size_are_measured_soon(folder):
    path = os.path.join(folder, "heavy.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAVY)
    done = check(path, "--json")  # It has 20 s; folding a full row for each event took longer.
    expect(done.returncode == 0, done, "good definitions end with 0")
    for cost in json.loads(done.stdout)["costs"]:
        expect(cost["sizes"][-1]["bytes_per_entity"] == cost["worst"]["bytes_per_entity"], done,
               "a row that is full is at its worst")


def usage_is_exit_2():
    done = check()
    expect(done.returncode == 2, done, "no file is a wrong usage")


def main():
    with tempfile.TemporaryDirectory() as folder:
        errors_name_their_place(folder)
        a_folder_is_its_files(folder)
        costs_are_said(folder)
        rows_of_the_greatest_size_are_measured_soon(folder)
    usage_is_exit_2()


main()
