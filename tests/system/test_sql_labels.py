#!/usr/bin/env python3
"""`freshet sql --labels` gives each label the row that `freshet sql --at` gives its key at its
time: for all kinds of windows, edges, keys and aggregates, over random events."""

import contextlib
import sys

import dataset
import test_dataset_types as types
import test_sql
import test_sql_lists

import duckdb  # noqa: E402 (dataset has put tests/support on the path)

EVENTS, LABELS, TIMES = 400, 60, 5
VIEWS = {"sql": (test_sql.value_made, ["spend", "place", "late"]),
         "sql_lists": (test_sql_lists.value_listed, ["lists", "split", "visits"])}


def stream_of(path):
    """Of definitions whose views the oracle may not know."""
    tree = dataset.oracle.parse_yaml(path.read_text().split("\nviews:")[0])
    [(name, text)] = tree["streams"].items()
    return dataset.oracle.Stream(name, text)


def messages_of(source, stream, value_of):
    events = [tuple(value_of(source, field)[0] for field in stream.fields) for _ in range(EVENTS)]
    return [dataset.oracle.Message(stream, [event], number + 1)
            for number, event in enumerate(events)]


def labels_make(database, source, keys, columns):
    """Random keys, also of nobody, at few times, which they share."""
    times = [types.time_of(source) for _ in range(TIMES)]
    rows = [(number, source.choice(keys), source.choice(times)) for number in range(LABELS)]
    names = ", ".join(f'"#key_{i + 1}"' for i in range(columns))
    parts = ", ".join(f'"#key_{i + 1}" VARCHAR' for i in range(columns))  # They meet any type.
    database.query(f'CREATE OR REPLACE TABLE "#labels" ("#label" BIGINT, {parts}, "#q" BIGINT)')
    for number, key, q_us in rows:
        cells = ", ".join(duckdb.quoted(cell) for cell in key)
        database.query(f'INSERT INTO "#labels" ("#label", {names}, "#q") '
                       f"VALUES ({number}, {cells}, {q_us})")
    return rows


def shown(database, sql):
    """Rows with all values as text, which DuckDB writes for lists too."""
    return database.query(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql.strip().rstrip(';')})")


def view_check(database, source, path, view, stream):
    columns = 2 if view == "place" else 1
    one = test_sql.sql_of(path, "--view", view, "--at", str(types.BASE_US + types.SPAN_US))
    keys = [row[:columns] for row in shown(database, one)] + [["77"] * columns]
    rows = labels_make(database, source, keys, columns)
    labels = test_sql.sql_of(path, "--view", view, "--labels")
    found = {int(row[0]): row[1:] for row in shown(database, labels)}
    compared = 0
    for q_us in {q_us for _, _, q_us in rows}:
        at = test_sql.sql_of(path, "--view", view, "--at", str(q_us))
        table = {tuple(row[:columns]): row[columns:] for row in shown(database, at)}
        for number, key, time_us in rows:
            if time_us == q_us:
                expected, actual = table.get(tuple(key)), found.get(number)
                assert actual == expected, (view, key, q_us, actual, expected)
                compared += expected is not None
    assert stream.fields and compared > LABELS / 4, f"{view}: only {compared} labels have a row"
    print(f"{view}: {compared} of {LABELS} labels have a row, all equal")


def main():
    source = dataset.seed_of(61)
    for name, (value_of, views) in VIEWS.items():
        path = dataset.HERE / "data" / (name + ".yaml")
        stream = stream_of(path)
        with contextlib.closing(duckdb.Database()) as database:
            test_sql.table_load(database, path, stream, messages_of(source, stream, value_of))
            for view in views:
                view_check(database, source, path, view, stream)


if __name__ == "__main__":
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(dataset.support.SKIPPED)
    main()
