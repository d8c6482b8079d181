#!/usr/bin/env python3
"""One table of build/reliability/*.json, to print and as build/reliability.json. A zero
has its bound beside it: 3 / N, what N trials without a failure say with 95 % confidence."""

import json
import pathlib
import sys

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


def main():
    rows = [row for path in sorted(figures.FOLDER.glob("*.json")) for row in rows_of(path)]
    failed = 0
    for row in rows:
        print("\n".join(figures.row_lines(row)))
        row["bound_95"] = 3 / row["trials"] if row["trials"] > 0 else None
        failed += any(row["zeros"].values())
    out = support.BUILD / "reliability.json"
    out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(f"{len(rows)} rows, {failed} with a zero that is none: {out}")
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
