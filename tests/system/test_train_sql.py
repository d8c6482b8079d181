#!/usr/bin/env python3
"""The peer of training sets: SQL over the exported mirror (perf/duckdb_train.h) gives each label
what `freshet train --mode as_true` gives it."""

import contextlib
import pathlib
import sys
import time

import dataset
import test_dataset_types as types
import test_parity_sql
import test_sql

import duckdb  # noqa: E402 (dataset has put tests/support on the path)

LABELS = 300
SERVICE = """
services:
  all:
    version: 1
    features: [spend.n_5m, spend.n, spend.euros_20m, spend.mean_20m, spend.shop_20m, spend.top_20m,
               spend.seen_5m, spend.share, place.n_20m, place.amount_20m, late.amount_10m]
"""
ROUNDED = ["spend.mean_20m", "spend.share"]
PEER = dataset.support.BUILD / "tests" / "system" / "duckdb_train_run"


def labels_write(database, source, path):
    """Some of nobody; times on edges, and some twice."""
    rows = ", ".join(
        f"({number}, {source.choice([1, 7, 2**63 + 5, 99])}, "
        f"{duckdb.quoted(source.choice(['ab', 'b a', 'aa_x', 'c', 'zz']))}, "
        f"{source.randrange(-3, 4) * source.choice([1, 100])}, "
        f"{types.time_of(source) + source.choice([0, 30 * 10**6, 300 * 10**6])})"
        for number in range(LABELS))
    database.query(f"COPY (SELECT number::INTEGER AS label, card::UBIGINT AS card, Shop, "
                   f"zone::SMALLINT AS zone, make_timestamp(q::BIGINT) AS q FROM (VALUES {rows}) "
                   f"AS t(number, card, Shop, zone, q)) TO '{path}' (FORMAT parquet)")


def sets_compare(database, own, peer):
    """Doubles may be two units in the last place apart; what is derived of them, four."""
    columns = database.query(f"DESCRIBE SELECT * FROM '{own}'")
    types_of = {row[0]: row[1] for row in columns if "." in row[0]}
    counts = {}
    for name, type in types_of.items():
        value = f'epoch_us(a."{name}")' if type.startswith("TIMESTAMP") else f'a."{name}"'
        text = [f"CAST({value} AS VARCHAR)", f'CAST(b."{name}" AS VARCHAR)']
        if name in ROUNDED:
            far = f'abs(a."{name}" - b."{name}") > 1e-15 * abs(b."{name}")'
            differs = f'(a."{name}" IS NULL) <> (b."{name}" IS NULL) OR {far}'
        else:
            differs = f"{text[0]} IS DISTINCT FROM {text[1]}"
        wrong = database.query(f"SELECT a.label, {text[0]}, {text[1]} FROM '{own}' AS a JOIN "
                               f"'{peer}' AS b USING (label) WHERE {differs}")
        assert not wrong, f"{name}: {len(wrong)} differ, as {wrong[0]}"
        [[counts[name]]] = database.query(f"SELECT count(\"{name}\") FROM '{own}'")
    print({name: int(count) for name, count in counts.items()})
    assert all(int(count) > LABELS / 20 for count in counts.values()), "too few values"


def main():
    source = dataset.seed_of(71)
    path = dataset.HERE / "data" / "sql.yaml"
    types.BASE_US = time.time_ns() // 1000 // 10**7 * 10**7 - test_parity_sql.SPAN_US
    with dataset.support.running(streams="", files=[path], memory="256MiB",
                                 data=test_parity_sql.DATA) as appliance:
        test_parity_sql.send(appliance, test_parity_sql.messages_of(
            source, test_parity_sql.streams_of(path), test_sql.value_made))
        appliance.stop()
        folder = pathlib.Path(appliance.folder)
        definitions = folder / "all.yaml"
        definitions.write_text(path.read_text() + SERVICE)
        labels, own, peer = (folder / f"{name}.parquet" for name in ("labels", "own", "peer"))
        with contextlib.closing(duckdb.Database()) as database:
            labels_write(database, source, labels)
            for done in (
                    dataset.support.run("export", "--data", folder / "data", "--out",
                                        folder / "lake"),
                    dataset.support.run("train", definitions, "--service", "all", "--labels",
                                        labels, "--data", folder / "data", "--mode", "as_true",
                                        "--no-status", "--quiet", "--out", own),
                    dataset.support.subprocess.run(
                        [PEER, definitions, "all", folder / "lake", labels, "q", peer],
                        capture_output=True, text=True, timeout=60, check=False)):
                assert done.returncode == 0, done
            assert done.stdout.startswith(f"{LABELS} rows in "), done
            sets_compare(database, own, peer)


if __name__ == "__main__":
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(dataset.support.SKIPPED)
    main()
