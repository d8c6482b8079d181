#!/usr/bin/env python3
"""Readers of others against our Parquet files: DuckDB, hyparquet, parquet-wasm. Random tables of
every type; SEED= repeats one."""

import decimal
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))
import appliance as support  # noqa: E402
import duckdb  # noqa: E402

TABLE = support.BUILD / "tests" / "clients" / "parquet_table"
NUMBER_OF = {"bool": 0, "int": 1, "uint": 2, "double": 3, "string": 4, "bytes": 5, "timestamp": 6,
             "decimal": 7, "long": 8, "wide": 9}
DIGITS = {"decimal": 18, "long": 19, "wide": 38}
GROUP_ROWS, GROUP_BYTES = 1 << 18, 64 << 20
decimal.getcontext().prec = 60


class Column:
    def __init__(self, name, kind, scale=0, bits=64, optional=True, nulls=0.2):
        self.name, self.kind, self.scale, self.bits = name, kind, scale, bits
        self.optional, self.nulls = optional, nulls if optional else 0

    def line(self):
        return f"{self.name} {NUMBER_OF[self.kind]} {self.scale} {self.bits} {int(self.optional)}"

    def range(self):
        """Least and greatest value of a number."""
        if self.kind == "uint":
            return 0, 2**self.bits - 1
        if self.kind in ("decimal", "wide"):
            return 1 - 10**DIGITS[self.kind], 10**DIGITS[self.kind] - 1
        if self.kind == "timestamp":  # What DuckDB can show.
            return -10**15, 4 * 10**15
        return -2**(self.bits - 1), 2**(self.bits - 1) - 1

    def value(self, rng):
        if rng.random() < self.nulls:
            return None
        if self.kind == "bool":
            return rng.random() < 0.5
        if self.kind == "double":
            return rng.choice([0.0, -0.0, 1.5, -1e300, 5e-324, math.inf, -math.inf,
                               rng.gauss(0, 1e6), rng.gauss(0, 1e-6)])
        if self.kind in ("string", "bytes"):
            return self.bytes(rng)
        least, greatest = self.range()
        return rng.choice([least, greatest, 0, rng.randint(least, greatest),
                           max(least, min(greatest, rng.randint(-3, 99)))])

    def bytes(self, rng):
        size = rng.choice([0, 1, 7, 8, 9, 40, rng.randint(0, 300)])
        if self.kind == "bytes":
            return rng.randbytes(size)
        letters = "aAzZ09 \x00\n\"\\\x7f\u00e4\u20ac\U0001f600"
        return "".join(rng.choice(letters) for _ in range(size)).encode()

    def cell(self, value):
        if value is None:
            return "-"
        if self.kind == "double":
            return struct.pack(">d", value).hex()
        if self.kind in ("string", "bytes"):
            return "x" + value.hex()
        return str(int(value))

    def sql(self):
        """An expression whose text is the cell."""
        name = f'"{self.name}"'
        if self.kind == "bool":
            return f"{name}::INT"
        if self.kind in ("string", "bytes"):
            return f"'x' || lower(hex({name}))"
        if self.kind == "timestamp":
            return f"epoch_us({name})"
        return name

    def read(self, shown):
        """The cell of what DuckDB shows."""
        if shown is None:
            return "-"
        if self.kind == "double":
            return struct.pack(">d", shown).hex()
        if self.kind in DIGITS:
            return str(int(decimal.Decimal(shown).scaleb(self.scale)))
        return shown

    def order(self, value):
        return value

    def duckdb_type(self):
        if self.kind in ("int", "uint"):
            size = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}[self.bits]
            return ("U" if self.kind == "uint" else "") + size
        if self.kind in DIGITS:
            return f"DECIMAL({DIGITS[self.kind]},{self.scale})"
        return {"bool": "BOOLEAN", "double": "DOUBLE", "string": "VARCHAR", "bytes": "BLOB",
                "timestamp": "TIMESTAMP WITH TIME ZONE"}[self.kind]


def all_columns(optional=True, nulls=0.2):
    return [Column(f"{kind}_{scale}_{bits}", kind, scale, bits, optional, nulls)
            for kind, scale, bits in [
                ("bool", 0, 64), ("int", 0, 8), ("int", 0, 16), ("int", 0, 32), ("int", 0, 64),
                ("uint", 0, 8), ("uint", 0, 16), ("uint", 0, 32), ("uint", 0, 64),
                ("double", 0, 64), ("string", 0, 64), ("bytes", 0, 64), ("timestamp", 0, 64),
                ("decimal", 0, 64), ("decimal", 18, 64), ("long", 2, 64), ("long", 18, 64),
                ("wide", 0, 64), ("wide", 9, 64), ("wide", 38, 64)]]


class Case:
    """A table, its file, and what each reader says of it."""

    def __init__(self, folder, columns, rows, group_rows=GROUP_ROWS, group_bytes=GROUP_BYTES,
                 batch_rows=1000):
        self.columns, self.rows = columns, rows
        self.path = folder / "table.parquet"
        self.copy = folder / "copy.parquet"
        text = folder / "table.txt"
        text.write_text("\n".join([c.line() for c in columns] + [""] +
                                  ["\t".join(c.cell(v) for c, v in zip(columns, row))
                                   for row in rows]) + "\n")
        done = subprocess.run([TABLE, text, self.path, str(group_rows), str(group_bytes),
                               str(batch_rows)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[0]) == self.path.stat().st_size
        assert not self.path.with_suffix(".parquet.tmp").exists()
        self.cells = [[c.cell(v) for c, v in zip(columns, row)] for row in rows]

    def check(self, database, group_count=None):
        self.check_duckdb(database)
        self.check_statistics(database)
        groups = self.check_hyparquet()
        self.check_wasm(database)
        assert group_count is None or groups == group_count, (groups, group_count)

    def check_duckdb(self, database):
        source = f"read_parquet('{self.path}')"
        types = [row[1] for row in database.query(f"DESCRIBE SELECT * FROM {source}")]
        assert types == [c.duckdb_type() for c in self.columns], types
        rows = database.query(f"SELECT {', '.join(c.sql() for c in self.columns)} FROM {source}")
        cells = [[c.read(v) for c, v in zip(self.columns, row)] for row in rows]
        differ(cells, self.cells)
        count = database.query(f"SELECT count(*) FROM {source}")[0][0]
        assert int(count) == len(self.rows)
        for i, column in enumerate(self.columns):
            if column.kind in ("int", "uint"):
                total = database.query(f'SELECT sum("{column.name}"::HUGEINT) FROM {source}')[0][0]
                known = [row[i] for row in self.rows if row[i] is not None]
                assert (int(total) if known else total) == (sum(known) if known else None)

    def check_statistics(self, database):
        """Of each row group, as DuckDB shows them, and what it does with them: filters by value."""
        shown = database.query(
            "SELECT row_group_id, row_group_num_rows, path_in_schema, stats_min_value, "
            "stats_max_value, stats_null_count, compression, encodings, column_id FROM "
            f"parquet_metadata('{self.path}') ORDER BY row_group_id, column_id")
        first, group = 0, 0
        for at in range(0, len(shown), len(self.columns)):
            count = int(shown[at][1])
            part = self.rows[first:first + count]
            for i, column in enumerate(self.columns):
                _, _, name, least, greatest, nulls, codec, _, _ = shown[at + i]
                known = [row[i] for row in part if row[i] is not None]
                assert name == column.name and codec == "ZSTD"
                assert int(nulls) == count - len(known), (name, nulls)
                self.check_bounds(column, known, least, greatest)
            first, group = first + count, group + 1
        assert first == len(self.rows), f"rows of all row groups: {first}"
        for i, column in enumerate(self.columns):
            if column.kind in ("int", "uint", "string", "wide", "long", "decimal"):
                self.check_filter(database, i, column)

    @staticmethod
    def check_bounds(column, known, least, greatest):
        place = f"{column.name}: {least} to {greatest}"
        nan = column.kind == "double" and any(v != v for v in known)
        if not known or nan:
            assert least is None and greatest is None, place
        elif column.kind == "double":  # DuckDB shows no infinite bounds.
            assert math.isinf(min(known)) or float(least) == min(known), place
            assert math.isinf(max(known)) or float(greatest) == max(known), place
            assert min(known) != 0 or least.startswith("-"), place
            assert max(known) != 0 or not greatest.startswith("-"), place
        elif column.kind in ("int", "uint"):
            assert (int(least), int(greatest)) == (min(known), max(known)), place
        elif column.kind in DIGITS:
            assert [int(decimal.Decimal(v).scaleb(column.scale)) for v in (least, greatest)] == \
                [min(known), max(known)], place
        elif column.kind == "bool":
            assert (least, greatest) == (str(min(known)).lower(), str(max(known)).lower()), place
        elif column.kind == "string" and all(b.isalnum() for b in known):
            expected = max(known).decode() if len(max(known)) <= 256 else None
            assert least == min(known)[:256].decode() and greatest == expected, place

    def check_filter(self, database, i, column):
        known = [row[i] for row in self.rows if row[i] is not None]
        if not known:
            return
        for value in (min(known), max(known)):
            if column.kind == "string":
                condition = f"hex(\"{column.name}\") = '{value.hex().upper()}'"
                if value.isalnum():
                    condition = f"\"{column.name}\" = '{value.decode()}'"
            else:
                text = format(decimal.Decimal(value).scaleb(-column.scale), "f")
                condition = f"\"{column.name}\" = '{text}'::{column.duckdb_type()}"
            found = database.query(f"SELECT count(*) FROM read_parquet('{self.path}') "
                                   f"WHERE {condition}")[0][0]
            assert int(found) == known.count(value), condition

    def check_hyparquet(self):
        done = subprocess.run(["node", HERE / "parquet.mjs", self.path, self.copy],
                              capture_output=True, text=True, timeout=60, cwd=HERE)
        assert done.returncode == 0, done.stderr
        out = json.loads(done.stdout)
        assert out["rows"] == len(self.rows)
        differ(out["cells"], self.cells)
        first = 0
        for group in out["groups"]:
            for i, column in enumerate(group["columns"]):
                part = self.rows[first:first + group["rows"]]
                assert column["nulls"] == sum(row[i] is None for row in part)
                assert column["values"] == len(part) and column["codec"] == "ZSTD"
            first += group["rows"]
        assert {"key": "freshet.test", "value": "a \"text\" ä"} in out["pairs"]
        for column, element in zip(self.columns, out["types"]):
            logical = element.get("logical_type")
            if column.kind in ("int", "uint"):
                assert (logical["type"], logical["bitWidth"], logical["isSigned"]) == \
                    ("INTEGER", column.bits, column.kind == "int"), logical
            elif column.kind in DIGITS:
                assert (logical["type"], logical["precision"], logical["scale"]) == \
                    ("DECIMAL", DIGITS[column.kind], column.scale), logical
            elif column.kind == "timestamp":
                assert (logical["type"], logical["unit"], logical["isAdjustedToUTC"]) == \
                    ("TIMESTAMP", "MICROS", True), logical
            else:
                assert (logical or {}).get("type") == \
                    ("STRING" if column.kind == "string" else None), logical
        return len(out["groups"])

    def check_wasm(self, database):
        """What arrow-rs read and wrote again is what we wrote, row by row and type by type."""
        ours, theirs = (f"read_parquet('{path}')" for path in (self.path, self.copy))
        assert [row[:2] for row in database.query(f"DESCRIBE SELECT * FROM {ours}")] == \
            [row[:2] for row in database.query(f"DESCRIBE SELECT * FROM {theirs}")]
        for left, right in ((ours, theirs), (theirs, ours)):
            assert database.query(f"SELECT count(*) FROM (SELECT * FROM {left} EXCEPT ALL "
                                  f"SELECT * FROM {right})") == [["0"]]
        rows = database.query(f"SELECT count(*) FROM {theirs}")[0][0]
        assert int(rows) == len(self.rows)


def differ(got, expected):
    assert len(got) == len(expected), f"{len(got)} rows for {len(expected)}"
    for i, (left, right) in enumerate(zip(got, expected)):
        assert left == right, f"row {i}: " + "; ".join(
            f"{a[:80]} for {b[:80]}" for a, b in zip(left, right) if a != b)


def table(rng, columns, count):
    return [[c.value(rng) for c in columns] for _ in range(count)]


def seed_of(name):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"{name}: SEED={seed}")
    return random.Random(seed)


def checked(columns, rows, group_count=None, **options):
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        database = duckdb.Database()
        try:
            Case(pathlib.Path(folder), columns, rows, **options).check(database, group_count)
        finally:
            database.close()


def small_tables_of_every_type_read_alike():
    rng = seed_of("small tables")
    for count in (0, 1, 2, 7, 8, 9, 65):
        checked(all_columns(), table(rng, all_columns(), count), count > 0)


def columns_that_are_never_null_have_no_levels():
    rng = seed_of("required")
    columns = all_columns(optional=False)
    checked(columns, table(rng, columns, 300), 1, batch_rows=17)


def columns_of_nulls_alone_have_no_bounds():
    columns = all_columns(nulls=1)
    checked(columns, [[None] * len(columns)] * 300, 1)


def row_groups_end_at_their_rows():
    rng = seed_of("row groups")
    columns = all_columns()
    checked(columns, table(rng, columns, 2500), 3, group_rows=1000, batch_rows=999)


def row_groups_end_at_their_bytes():
    rng = seed_of("bytes")
    columns = [Column("noise", "bytes", nulls=0), Column("n", "int")]
    rows = [[rng.randbytes(100), i] for i in range(10000)]
    checked(columns, rows, 5, group_bytes=200000, batch_rows=10000)


def pages_end_at_their_rows_and_bytes():
    rng = seed_of("pages")
    columns = [Column("flag", "bool"), Column("n", "int", nulls=0.001),
               Column("text", "string", nulls=0.5)]
    rows = table(rng, columns, 32768 * 2 + 1)
    checked(columns, rows, 1, batch_rows=5000)


def strings_of_any_size_are_read():
    columns = [Column("text", "string"), Column("bytes", "bytes")]
    rows = [[b"b" * 256, b"\xff" * 257], [b"a" * 255, None], [None, b"\x00" * 3_000_000],
            [b"c" * 256, bytes(range(256))]]
    checked(columns, rows, 1)
    checked(columns, rows + [[b"d" * 257, b""]], 1)


def doubles_with_a_nan_have_no_bounds():
    columns = [Column("number", "double")]
    bits = struct.unpack(">d", bytes.fromhex("7ff8000000000000"))[0]
    checked(columns, [[1.0], [bits], [None], [-3.0]], 1)
    checked(columns, [[0.0], [-0.0], [0.0]], 1)


def values_that_do_not_fit_are_refused():
    for column, value in [(Column("n", "int", bits=8), 128), (Column("n", "int", bits=16), -32769),
                          (Column("n", "uint", bits=32), 2**32), (Column("n", "uint", bits=8), 256),
                          (Column("n", "decimal"), 10**18), (Column("n", "decimal"), -10**18),
                          (Column("n", "wide"), 10**38), (Column("n", "wide"), -10**38)]:
        with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
            folder = pathlib.Path(folder)
            (folder / "in").write_text(f"{column.line()}\n\n1\n{value}\n")
            done = subprocess.run([TABLE, folder / "in", folder / "out", "10", "1000", "1"],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 1, f"{column.line()} takes {value}"
            assert [f.name for f in folder.iterdir()] == ["in"]


def main():
    support.need("node")
    if not duckdb.is_here() or not (HERE / "node_modules" / "hyparquet").is_dir():
        print(f"skipped: {duckdb.missing()}")
        sys.exit(support.SKIPPED)
    support.main([small_tables_of_every_type_read_alike,
                  columns_that_are_never_null_have_no_levels,
                  columns_of_nulls_alone_have_no_bounds, row_groups_end_at_their_rows,
                  row_groups_end_at_their_bytes, pages_end_at_their_rows_and_bytes,
                  strings_of_any_size_are_read, doubles_with_a_nan_have_no_bounds,
                  values_that_do_not_fit_are_refused])


if __name__ == "__main__":
    main()
