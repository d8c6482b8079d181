#!/usr/bin/env python3
"""Runs the simulator's seeds in ranges, one process per core, and adds up what they counted.

Prints the first failing seed's report as it is; exit 1 when a law was broken.
Environment: SEEDS, SEED (that one alone), FRESHET_BUILD, FRESHET_SOURCE.
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [str(pathlib.Path(HERE).parent / folder) for folder in ("reliability", "support")]
sys.dont_write_bytecode = True
import figures  # noqa: E402

BUILD = os.environ.get("FRESHET_BUILD", os.path.join(HERE, "..", "..", "build"))
SIMULATE = os.path.join(BUILD, "tests", "simulation", "simulate")
PINNED = os.path.join(HERE, "pinned.txt")

# What a broken law says was wrong; every other law counts as itself.
ACKED_LOST, TWICE, MISMATCHES, OTHERS = (
    "acknowledged messages lost", "counted twice", "state mismatches", "other laws broken")
ZERO_OF = {"what is acknowledged is durable": ACKED_LOST,
           "no message is there twice": TWICE,
           "a forward is applied once": TWICE,
           "the state is what the records say": MISMATCHES}


def ranges(first, count, parts):
    """(first, count) of each part, as even as can be."""
    cut = [first + count * i // parts for i in range(parts + 1)]
    return [(a, b - a) for a, b in zip(cut, cut[1:]) if b > a]


def is_sanitized():
    options = os.path.join(BUILD, "meson-info", "intro-buildoptions.json")
    try:
        with open(options, encoding="utf-8") as file:
            return '"value": "address' in file.read()
    except OSError:
        return False


def report(counts):
    c = counts
    print(f"{c['seeds']} seeds, {c['virtual_us'] / 3.6e9:.2f} virtual hours, {c['steps']} steps, "
          f"{c['starts']} starts ({c['starts_cut']} cut short, {c['refused']} refused)")
    print(f"{c['power_cuts']} power cuts ({c['power_cuts_in_io']} in I/O), {c['kills']} kills, "
          f"{c['stops']} stops; {c['checkpoints']} checkpoints, {c['states']} states compared, "
          f"{c['segments_used']} segments used again")
    print(f"disk: {c['disk_broken']} EIO, {c['disk_full']} ENOSPC, {c['disk_short']} short, "
          f"{c['disk_again']} EAGAIN, {c['rots']} bytes rotten, "
          f"{c['sectors_torn']} sectors torn, {c['torn_bytes'] // 1024} KiB of torn tails")
    print(f"network: {c['network_lost']} lost, {c['network_twice']} twice, "
          f"{c['network_corrupt']} corrupt; forwards: {c['voided']} void, {c['again']} again")
    print(f"{c['messages']} messages, {c['recorded']} recorded, {c['acked']} acked; "
          f"{c['events']} events; unknowable (the disk lied) {c['unknowable']}")


def zeros_of(reports):
    """Broken laws by what was wrong, of what the processes that failed said."""
    zeros = {ACKED_LOST: 0, TWICE: 0, MISMATCHES: 0, OTHERS: 0}
    for errors in reports:
        law = errors.strip().split("\n")[-1].partition(":")[0]
        zeros[ZERO_OF.get(law, OTHERS)] += 1
    return zeros


def row_of(counts, zeros):
    names = ("starts", "starts_cut", "refused", "power_cuts", "power_cuts_in_io", "kills", "stops",
             "checkpoints", "states", "messages", "recorded", "acked", "events", "voided", "again",
             "sectors_torn", "network_lost", "unknowable")
    return figures.row("simulated worlds", counts.get("seeds", 0), "seeds", zeros,
                       virtual_hours=round(counts.get("virtual_us", 0) / 3.6e9, 2),
                       **{name: counts.get(name, 0) for name in names})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--asan-seeds", type=int, help="seeds in a sanitized tree")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--profile", default="full")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = options.seeds
    if options.asan_seeds is not None and is_sanitized():
        seeds = options.asan_seeds
    seeds = int(os.environ.get("SEEDS", seeds))
    environment = {k: v for k, v in os.environ.items() if k not in ("SEEDS", "SEED")}
    if "SEED" in os.environ:
        options.first, seeds = int(os.environ["SEED"]), 1
    started = []
    for part, (first, count) in enumerate(ranges(options.first, seeds, options.jobs)):
        command = [SIMULATE, "--plain", "--first", str(first), "--seeds", str(count),
                   "--profile", options.profile, "--twice", "50"]
        if part == 0 and "SEED" not in os.environ:
            command += ["--pinned", PINNED]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment))
    counts = {}
    failed = []
    for process in started:
        output, errors = process.communicate()
        if process.returncode != 0:
            failed.append(errors)
            print(errors if errors else f"simulate ended with {process.returncode}")
        for line in output.splitlines():
            name, _, value = line.partition(" ")
            if value.isdigit():
                counts[name] = counts.get(name, 0) + int(value)
    if "seeds" in counts:
        report(counts)
    zeros = zeros_of(failed)
    print(", ".join(f"{name} {count}" for name, count in zeros.items()))
    if "SEED" not in os.environ:
        figures.keep("simulate", [row_of(counts, zeros)])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
