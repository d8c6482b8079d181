#!/usr/bin/env python3
"""docs/operating/metrics.md lists exactly the metrics that /metrics renders."""

import re

import lint

ROW = re.compile(r'METRIC\((\w+), (\w+), \w+, \w+, "(.*?)"\)')
COUNTER = re.compile(r'COUNTER\((\w+), \w+, "(.*?)"\)')
LISTED = re.compile(r"^\| `freshet_(\w+)` \| (\w+) \| [^|]* \| (.*?) \|$", re.M)


def check_texts(metrics, counters, page):
    rendered = {name: (kind, text) for name, kind, text in ROW.findall(metrics)}
    for name, sentence in COUNTER.findall(counters):
        if name != "busy_ticks":  # freshet_core_busy_seconds_total says it in seconds
            rendered[f"shard_{name}_total"] = ("counter", sentence[0].upper() + sentence[1:] + ".")
    listed = {name: (kind, text) for name, kind, text in LISTED.findall(page)}
    findings = [f"docs/operating/metrics.md: freshet_{name} is not listed as metrics.def has it"
                for name in rendered if listed.get(name) != rendered[name]]
    findings += [f"docs/operating/metrics.md: freshet_{name} is listed, but not rendered"
                 for name in listed if name not in rendered]
    return findings


def check():
    tree = lint.tree_of((".def", ".md"))
    return check_texts(*(tree[name] for name in (
        "controlplane/metrics.def", "dataplane/counters.def", "docs/operating/metrics.md")))


def self_test():
    metrics = 'METRIC(a_total, counter, OWN, a, "Things.")\n'
    counters = 'COUNTER(turns, turns, "passes")\nCOUNTER(busy_ticks, ticks, "x")\n'
    rows = ["| `freshet_a_total` | counter | x | Things. |",
            "| `freshet_shard_turns_total` | counter | shard | Passes. |"]
    cases = [(rows, 0), (rows[:1], 1), (rows + [rows[0].replace("a_t", "b_t")], 1),
             ([rows[0].replace("counter", "gauge"), rows[1]], 1)]
    missed = []
    for page, wanted in cases:
        found = check_texts(metrics, counters, "\n".join(page))
        if len(found) != wanted:
            missed.append(f"{page}: {found}, expected {wanted} findings")
    return missed


lint.main(check, self_test)
