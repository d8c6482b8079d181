#!/usr/bin/env python3
"""One table of build/reliability/*.json, to print and as build/reliability.json. A zero
has its bound beside it: 3 / N, what N trials without a failure say with 95 % confidence."""

import json
import pathlib
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import figures  # noqa: E402
import appliance as support  # noqa: E402


def rows_of(path):
    """Rows of one file; of a file in another form, its numbers as they are."""
    content = json.loads(path.read_text())
    if isinstance(content, dict) and "rows" in content:
        return content["rows"]
    return [figures.row(path.stem, 0, "see its own report", {}, **{
        str(name): value for name, value in (content.items() if isinstance(content, dict) else [])
        if isinstance(value, (int, float, str))})]


def table_lines(rows):
    """Per row: what was tried, and for each zero its count and bound; its figures below."""
    cells = [("", "trials", "must be zero", "is", "95 % per trial")]
    for row in rows:
        trials = f"{row['trials']} {row['unit']}"
        for place, (zero, count) in enumerate(row["zeros"].items()):
            bound = figures.bound_text(row["trials"]) if count == 0 else "BROKEN"
            named = (row["what"], trials) if place == 0 else ("", "")
            cells.append((*named, zero, str(count), bound))
    width = [max(len(line[column]) for line in cells) for column in range(5)]
    text = ["  ".join(cell.ljust(width[column]) for column, cell in enumerate(line)).rstrip()
            for line in cells]
    lines = [text[0], "-" * max(map(len, text))]
    place = 1
    for row in rows:
        lines += text[place:place + len(row["zeros"])]
        place += len(row["zeros"])
        known = "; ".join(f"{name}: {figures.figure_text(value)}"
                          for name, value in row["figures"].items())
        lines += textwrap.wrap(known, 96, initial_indent="    ", subsequent_indent="    ")
    return lines


def main():
    rows = [row for path in sorted(figures.FOLDER.glob("*.json")) for row in rows_of(path)]
    failed = 0
    print("\n".join(table_lines(rows)))
    for row in rows:
        row["bound_95"] = 3 / row["trials"] if row["trials"] > 0 else None
        failed += any(row["zeros"].values())
    out = support.BUILD / "reliability.json"
    out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(f"{len(rows)} rows, {failed} with a zero that is none: {out}")
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
