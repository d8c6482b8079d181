#!/usr/bin/env python3
"""Floors: an include may go down, never up; third-party headers stay on their floors."""

import posixpath
import re

import lint

FREESTANDING = r"(stdalign|stdatomic|stdbool|stddef|stdint|limits|float|string|stdnoreturn)\.h"
INTRINSICS = r"(immintrin|emmintrin|smmintrin|nmmintrin|x86intrin)\.h"
ANY = r".*"

# folder: (folders whose headers it may include, system headers it may include, in words)
FLOORS = {
    "dataplane/base": (
        ["dataplane/base"],
        rf"{FREESTANDING}|{INTRINSICS}|xxhash\.h",
        "freestanding C and xxhash.h"),
    "dataplane/feature": (
        ["dataplane/base", "dataplane/feature"],
        rf"{FREESTANDING}|{INTRINSICS}",
        "freestanding C"),
    "drivers": (
        ["dataplane/base", "drivers"],
        r"(?!fyaml|libfyaml|jansson|hiredis|microhttpd).*",
        "the operating system, DPDK, mimalloc, Hyperscan"),
    "drivers/producer": (
        ["dataplane/base", "drivers/producer"],
        r"(?!fyaml|libfyaml|jansson|hiredis|microhttpd|rte_|mimalloc|liburing|hs).*",
        "the operating system: it runs in other people's processes"),
    "config": (
        ["dataplane/base", "dataplane/feature", "config"],
        r"(?!rte_|hs|pthread|mimalloc|hiredis|microhttpd|sys/socket|netinet).*",
        "libc and libfyaml"),
    "dataplane": (
        ["dataplane/base", "dataplane/feature", "drivers", "dataplane"],
        rf"{FREESTANDING}|{INTRINSICS}|"
        r"rte_(ring|mbuf|prefetch|rcu_qsbr|common|branch_prediction|pause|vect|cycles)\w*\.h",
        "freestanding C and DPDK's data structures"),
    "controlplane": (
        ["dataplane/base", "dataplane/feature", "drivers", "drivers/producer", "config",
         "controlplane"],
        r"(?!rte_|mimalloc|hs).*",
        "anything but DPDK, mimalloc and Hyperscan, which drivers/ wraps"),
    "perf": (["dataplane/base", "dataplane/feature", "dataplane", "drivers", "drivers/producer",
              "config", "controlplane", "perf", "tests"], ANY, "anything"),
    "tests": (["dataplane/base", "dataplane/feature", "dataplane", "drivers", "drivers/producer",
               "config", "controlplane", "perf", "tests"], ANY, "anything"),
}

# What controlplane/ may see of dataplane/ itself.
DOORS = {"dataplane/worker.h", "dataplane/reader.h", "dataplane/counters.h",
         "dataplane/counters.def", "dataplane/drop_log.h", "dataplane/mirror_door.h",
         "dataplane/walk_door.h", "dataplane/plan_door.h", "dataplane/replay.h",
         "dataplane/filling_door.h", "dataplane/keyring.h", "dataplane/history.h"}

# What the producer library may see of dataplane/feature: the formats that it speaks, and limits.
PRODUCER_DOORS = {"dataplane/feature/wire.h", "dataplane/feature/wire_ack.h",
                  "dataplane/feature/wire_tag.h", "dataplane/feature/limits.h"}
# Its header is for people who have nothing else of ours.
PUBLIC = "drivers/producer/producer.h"

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)


def check_tree(tree, known):
    findings = []
    for name, text in tree.items():
        folder = lint.folder_of(name)
        if folder not in FLOORS:
            continue
        ours, system, words = FLOORS[folder]
        for match in INCLUDE.finditer(text):
            place = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            kind, target = match.groups()
            if kind == "<":
                if not re.fullmatch(system, target):
                    findings.append(f"{place}: <{target}> is not for {folder}/: it may include "
                                    f"{words}")
                continue
            if target not in known:
                findings.append(f"{place}: \"{target}\" is no file: paths start at the root")
                continue
            floor = lint.folder_of(target)
            door = (folder == "controlplane" and target in DOORS or
                    folder == "drivers/producer" and target in PRODUCER_DOORS)
            if name == PUBLIC:
                findings.append(f"{place}: {PUBLIC} may include no header of ours")
                continue
            if floor not in ours and not door:
                allowed = ", ".join(ours)
                findings.append(f"{place}: {folder}/ may not include \"{target}\", only {allowed}"
                                + (" and dataplane's doors" if folder == "controlplane" else ""))
    return findings


def check():
    tree = lint.tree_of((".c", ".h", ".cc"))
    names = {posixpath.normpath(name) for name in lint.file_names()}
    # x.h.in becomes x.h in the build tree.
    known = names | {name[:-3] for name in names if name.endswith(".in")}
    return check_tree(tree, known)


def self_test():
    known = {"dataplane/base/a.h", "dataplane/feature/b.h", "drivers/c.h", "config/d.h",
             "dataplane/feature/wire.h", "dataplane/table.h", "dataplane/worker.h", "tests/t.h"}
    cases = [
        # file, include, number of findings
        ("dataplane/base/x.c", '"dataplane/base/a.h"', 0),
        ("dataplane/base/x.c", '"dataplane/feature/b.h"', 1),
        ("dataplane/base/x.c", "<stdint.h>", 0),
        ("dataplane/base/x.c", "<stdio.h>", 1),
        ("dataplane/base/x.c", "<xxhash.h>", 0),
        ("dataplane/feature/x.c", "<xxhash.h>", 1),
        ("dataplane/feature/x.h", '"drivers/c.h"', 1),
        ("dataplane/feature/x.h", "<math.h>", 1),
        ("dataplane/feature/x.c", "<emmintrin.h>", 0),
        ("drivers/x.c", '"dataplane/feature/b.h"', 1),
        ("drivers/x.c", "<rte_ethdev.h>", 0),
        ("config/x.c", '"drivers/c.h"', 1),
        ("config/x.c", "<libfyaml.h>", 0),
        ("dataplane/x.c", '"config/d.h"', 1),
        ("dataplane/x.c", "<rte_rcu_qsbr.h>", 0),
        ("dataplane/x.c", "<rte_ethdev.h>", 1),
        ("dataplane/x.c", "<stdlib.h>", 1),
        ("controlplane/x.c", '"dataplane/worker.h"', 0),
        ("controlplane/x.c", '"dataplane/table.h"', 1),
        ("controlplane/x.c", "<rte_mbuf.h>", 1),
        ("controlplane/x.c", '"tests/t.h"', 1),
        ("controlplane/x.c", '"c.h"', 1),
        ("tests/unit/x.c", '"dataplane/table.h"', 0),
        ("drivers/producer/x.c", '"dataplane/feature/wire.h"', 0),
        ("drivers/producer/x.c", '"dataplane/feature/b.h"', 1),
        ("drivers/producer/x.c", '"drivers/c.h"', 1),
        ("drivers/producer/x.c", "<rte_mbuf.h>", 1),
        ("drivers/producer/producer.h", '"dataplane/base/a.h"', 1),
        ("drivers/producer/producer.h", "<stdint.h>", 0),
    ]
    missed = []
    for name, include, expected in cases:
        found = check_tree({name: f"#include {include}\n"}, known)
        if len(found) != expected:
            missed.append(f"{name} including {include}: {found}, expected {expected} findings")
    return missed


lint.main(check, self_test)
