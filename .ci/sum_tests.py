#!/usr/bin/env python3
"""Sums up test logs of meson (testlog.json of several trees) to one line.

A test program that ran several cases counts as that many: cmocka's summary, or a last line
`N passed, N failed, N skipped` of a script. Exit 1 when anything failed.
"""

import argparse
import json
import re
import sys

CMOCKA = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test", re.M),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test", re.M),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test", re.M),
}
LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
GOOD = {"OK", "EXPECTEDFAIL"}


def counts_of(output):
    """Cases of one program's output, or None when it does not say."""
    lines = LINE.findall(output)
    if lines:
        return tuple(int(number) for number in lines[-1])
    found = {kind: sum(int(n) for n in rx.findall(output)) for kind, rx in CMOCKA.items()}
    if sum(found.values()) > 0:
        return found["passed"], found["failed"], found["skipped"]
    return None


def reason_of(output):
    """Why a program was skipped: its last line that is not empty."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"


def sum_log(path, totals, notes):
    """Adds one testlog.json to totals [passed, failed, skipped] and its notes."""
    with open(path, encoding="utf-8") as log:
        for row in log:
            test = json.loads(row)
            output = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
            name = f"{path.split('/')[0]}: {test['name']}"
            cases = counts_of(output)
            if test["result"] == "SKIP":
                totals[2] += max(1, cases[2] if cases else 1)
                notes.append(f"skipped: {name}: {reason_of(output)}")
            elif test["result"] in GOOD:
                passed, failed, skipped = cases or (1, 0, 0)
                if failed:  # it claims success and counts failures: believe the failures
                    notes.append(f"failed: {name}: counted failures but ended with 0")
                elif skipped:
                    notes.append(f"skipped: {name}: {skipped} of its cases")
                    for line in output.splitlines():
                        if re.match(r"\[  SKIPPED \] (?!\d+ test)|skipped: ", line):
                            notes.append("    " + line)
                totals[0] += passed
                totals[1] += failed
                totals[2] += skipped
            else:
                passed, failed, skipped = cases or (0, 1, 0)
                totals[0] += passed
                totals[1] += max(1, failed)
                totals[2] += skipped
                notes.append(f"failed: {name} ({test['result']})")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broken", type=int, default=0, help="trees that did not build")
    parser.add_argument("log", nargs="*")
    arguments = parser.parse_args()
    totals, notes = [0, arguments.broken, 0], []
    for path in arguments.log:
        try:
            sum_log(path, totals, notes)
        except OSError as error:
            totals[1] += 1
            notes.append(f"failed: {path}: {error.strerror}")
    for note in notes:
        print(note)
    if arguments.broken:
        print(f"failed: {arguments.broken} build tree(s) did not build, see above")
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] > 0 or totals[0] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
