#!/usr/bin/env python3
"""docs/language.md: every aggregate and window has the result that it shows, through freshet eval;
none is missing."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["FRESHET_SOURCE"])
PROGRAM = os.path.join(os.environ["FRESHET_BUILD"], "freshet")
PAGE = (SOURCE / "docs" / "language.md").read_text()
STREAM = (SOURCE / "docs" / "examples" / "aggregates.yaml").read_text()


def section(name):
    return re.search(rf"^## {name}\n(.*?)(?=^## )", PAGE, re.M | re.S)[1]


def rows_of(text, head):
    """Cells of the table whose first column has this name."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.M):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        found += rows[2:] if rows[0][0] == head else []
    return found


def code(cell):
    return re.search(r"`([^`]*)`", cell)[1]


def evaluate(definition, events, at):
    with tempfile.TemporaryDirectory() as folder:
        yaml = pathlib.Path(folder, "page.yaml")
        lines = pathlib.Path(folder, "events.ndjson")
        yaml.write_text(definition)
        lines.write_text(events)
        run = subprocess.run(
            [PROGRAM, "eval", yaml, "--events", lines, "--key", "card:4711", "--at", at],
            capture_output=True, text=True, check=False)
    if run.returncode != 0 or run.stderr:
        sys.exit(run.stderr + run.stdout)
    return dict(line.split(" ", 1) for line in run.stdout.splitlines())


def view(name, windows, aggregates):
    lines = "".join(f"      {key}: \"{text}\"\n" for key, text in aggregates.items())
    return (f"  {name}:\n    entity: card\n    source: sale\n    ttl: 2d\n"
            f"    windows: [{windows}]\n    aggregates:\n{lines}")


def main():
    events = re.search(r"```json\n(.*?)```", section("Aggregates"), re.S)[1]
    rows = rows_of(section("Aggregates"), "aggregate")
    examples = [(code(row[3]), code(row[4])) for row in rows]
    windows = [(code(row[0]), row[2], code(row[3]))
               for row in rows_of(section("Windows"), "window")]
    definition = STREAM + "views:\n"
    for first in range(0, len(examples), 8):
        some = enumerate(examples[first:first + 8], first)
        definition += view(f"v{first // 8}", "1h", {f"a{i}": example for i, (example, _) in some})
    definition += view("w", ", ".join(window for window, _, _ in windows), {"n": "count()"})
    answers = evaluate(definition, events, "2026-01-01T00:06:01Z")
    wrong = []
    for i, (example, result) in enumerate(examples):
        answer = answers[f"v{i // 8}.a{i}_1h"]
        if answer != result:
            wrong.append(f"{example}: is {answer}, the page says {result}")
    for window, suffix, result in windows:
        name = "w.n" + (code(suffix) if suffix else "")
        if answers.get(name) != result:
            wrong.append(f"{window}: {name} is {answers.get(name)}, the page says {result}")
    kinds = re.findall(r"^AGGREGATE\((\w+)", (SOURCE / "dataplane" / "feature" / "aggregates.def")
                       .read_text(), re.M)
    shown = [code(row[0]) for row in rows if row[0]]
    wrong += [f"{kind}: has no row" for kind in kinds if kind not in shown]
    print("\n".join(wrong) or f"{len(examples)} aggregates and {len(windows)} windows are as shown")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
