#!/usr/bin/env python3
"""Random expressions as SQL: DuckDB gives the same value for every row as the product's program."""

import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import test_expression as expressions  # noqa: E402

import duckdb  # noqa: E402 (test_expression has put tests/support on the path)

EXPRESSIONS = int(os.environ.get("EXPRESSIONS", 4000))
ROWS = 40
DIFFERENCES_SHOWN = 5
SKIPPED = 77
COLUMNS = {"bool": "BOOLEAN", "number": "BIGINT", "unsigned": "UBIGINT", "time": "BIGINT",
           "double": "DOUBLE", "string": "VARCHAR"}


def value_sql(value, type):
    if value is None:
        return "NULL"
    if type.kind == "string":
        return duckdb.quoted(value)
    if type.kind == "double":
        return f"CAST('{float(value)!r}' AS DOUBLE)"
    return expressions.word_of(value, type) if type.kind != "bool" else str(value)


def table_make(database, rows):
    names = expressions.NAMES
    columns = ", ".join(f'"{n}" {COLUMNS[t.kind]}' for n, t in names.items())
    values = ", ".join(
        "(" + ", ".join([str(i)] + [value_sql(row[n], t) for n, t in names.items()]) + ")"
        for i, row in enumerate(rows))
    database.query(f"CREATE TABLE sample (place INTEGER, {columns})")
    database.query(f"INSERT INTO sample VALUES {values}")


def value_read(value, type):
    """As expressions.value_read() has it."""
    if value is None:
        return None
    if type.kind == "bool":
        return value == "true"
    if type.kind == "string":
        return value
    if type.kind == "double":
        return expressions.Fraction(value)
    return expressions.Fraction(int(value), 10**type.scale)


def main():
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(SKIPPED)
    seed = int(os.environ.get("SEED", 1))
    database = duckdb.Database()
    print(f"SEED={seed} DuckDB {database.version()}")
    source = random.Random(seed)
    generator = expressions.Generator(source)
    texts = [generator.of(source.choice(expressions.CHOSEN), expressions.DEPTH)
             for _ in range(EXPRESSIONS)]
    rows = [{n: expressions.value_of(source, t) for n, t in expressions.NAMES.items()}
            for _ in range(ROWS)]
    table_make(database, rows)
    answers = expressions.run([expressions.line_of(text, rows).encode() for text in texts], "sql")
    wrong = compared = nulls = 0
    for text, answer in zip(texts, answers):
        if answer is None or answer == "space":
            continue
        type, expected, sql = answer[0], answer[1], answer[4]
        table = database.query(f"SELECT {sql} FROM sample ORDER BY place")
        actual = [value_read(row[0], type) for row in table]
        compared += 1
        nulls += actual.count(None)
        if actual != expected:
            wrong += 1
            if wrong <= DIFFERENCES_SHOWN:
                at = next(i for i in range(ROWS) if actual[i] != expected[i])
                names = [n for n in expressions.NAMES if n in text]
                print(f"{text}\n  {sql}\n  expected {expected[at]}\n  actual   {actual[at]}")
                print("  row     ", {n: str(rows[at][n]) for n in names})
    database.close()
    print(f"{compared} expressions, {ROWS} rows each, {nulls} values null")
    assert wrong == 0, f"{wrong} differ"
    assert compared > 0.3 * len(texts), "too few were compared"
    assert nulls < 0.8 * compared * ROWS, "too much is null to say anything"


if __name__ == "__main__":
    main()
