"""What a test of reliability found out, as one JSON file per test in build/reliability/, and as
lines to read. A row: what was tried, how often, and what must be zero. Beside a zero stands the
bound that N trials without a failure give with 95 % confidence: 3 / N (the rule of three)."""

import json
import pathlib
import statistics

import appliance as support

FOLDER = support.BUILD / "reliability"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def milliseconds(values):
    """p50, p99 and greatest of seconds."""
    return {name: round(value * 1000, 1) for name, value in (
        ("p50_ms", percentile(values, 0.5)), ("p99_ms", percentile(values, 0.99)),
        ("max_ms", max(values, default=None))) if value is not None}


def seconds(values):
    """The middle one and the greatest."""
    return {"p50_s": round(statistics.median(values), 3), "max_s": round(max(values), 3)}


def row(what, trials, unit, zeros, **others):
    """zeros: counts that must be zero; others: figures to know."""
    return {"what": what, "trials": trials, "unit": unit, "zeros": zeros, "figures": others}


def bound_text(trials):
    return f"< {3 / trials:.2g}" if trials > 0 else "no trial"


def figure_text(value):
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value


def row_lines(entry):
    lines = [f"{entry['what']}: {entry['trials']} {entry['unit']}"]
    for name, count in entry["zeros"].items():
        bound = f" (95 %: {bound_text(entry['trials'])} per trial)" if count == 0 else ""
        lines.append(f"  {name}: {count}{bound}")
    for name, value in entry["figures"].items():
        lines.append(f"  {name}: {figure_text(value)}")
    return lines


def keep(name, rows):
    """For the table; it replaces what the test of this name kept before."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(FOLDER) / f"{name}.json"
    path.write_text(json.dumps({"test": name, "rows": rows}, indent=1) + "\n")


def write(name, rows):
    """Prints and keeps; then fails the test when a zero is none."""
    keep(name, rows)
    for entry in rows:
        print("\n".join(row_lines(entry)), flush=True)
    for entry in rows:
        for zero, count in entry["zeros"].items():
            assert count == 0, f"{entry['what']}: {zero}: {count}"
