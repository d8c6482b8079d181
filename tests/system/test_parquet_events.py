#!/usr/bin/env python3
"""The same rows as CSV, NDJSON and Parquet are the same events: for `freshet eval --table`, and for
`freshet send` into the real process."""

import contextlib
import json
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import duckdb  # noqa: E402
from client import Redis  # noqa: E402

STREAMS = """
streams:
  account:
    id: 1
    time: changed
    late: apply
    fields:
      changed: {type: timestamp, unit: ms}
      card:    {type: u64}
      limit:   {type: decimal, scale: 2, optional: true}
      score:   {type: f64, optional: true}
      opened:  {type: timestamp, format: '%Y-%m-%d', optional: true}
      city:    {type: string, size: 32, optional: true}
      gold:    {type: bool, optional: true}
views:
  account:
    entity: card
    source: account
    windows: [lifetime]
    aggregates:
      rows: count()
      limits: sum(limit)
      scores: sum(score)
      opened: min(opened)
      city: last(city)
      golden: count() where gold
    ttl: 36500d
"""
FORMS = {"csv": ("csv, HEADER", "strftime(opened, '%Y-%m-%d')"),
         "ndjson": ("json", "strftime(opened, '%Y-%m-%d')"),
         "parquet": ("parquet", "opened")}
ROWS = 3000
CARDS = [18446744073709551614, 0, 7, 8, 9]


def files_write(folder, seed):
    """Nulls in every field that may be null; a column that is no field."""
    def null(column, value):
        return f"CASE WHEN hash(i, {seed}, '{column}') % 4 > 0 THEN {value} END AS {column}"
    h = f"hash(i, {seed})"
    select = ", ".join([
        f"make_timestamp_ms(1700000000000 + ({h} % 50000000000)::BIGINT) AS changed",
        f"[{', '.join(f'{card}::UBIGINT' for card in CARDS)}][1 + ({h} % 5)::INTEGER] AS card",
        null("limit", f"(({h} % 2000001)::BIGINT - 1000000)::DECIMAL(19, 2) / 100"),
        null("score", f"({h} % 1000)::DOUBLE / 8"),
        null("opened", f"DATE '1950-01-01' + ({h} % 30000)::INTEGER"),
        null("city", f"['Bremen', 'the \"old\" town', 'Rome, Italy'][1 + ({h} % 3)::INTEGER]"),
        null("gold", f"{h} % 2 = 0"),
        "i AS clerk"])
    select = select.replace(" AS limit", ' AS "limit"')
    with contextlib.closing(duckdb.Database()) as database:
        for form, (options, opened) in FORMS.items():
            database.query(f"COPY (SELECT * REPLACE ({opened} AS opened) FROM (SELECT {select} "
                           f"FROM range({ROWS}) AS t(i))) TO '{folder}/rows.{form}' "
                           f"(FORMAT {options})")


def eval_gives_the_same_for_all_forms():
    with tempfile.TemporaryDirectory(prefix="freshet-") as name:
        folder = pathlib.Path(name)
        (folder / "streams.yaml").write_text(STREAMS)
        files_write(folder, random.randrange(10**6))
        for card in CARDS:
            done = {form: support.run("eval", folder / "streams.yaml", "--table",
                                      f"account={folder}/rows.{form}", "--key", f"card:{card}",
                                      "--json") for form in FORMS}
            for form, result in done.items():
                assert result.returncode == 0, (form, result)
                assert result.stdout == done["csv"].stdout, (form, result.stdout)
            values = json.loads(done["csv"].stdout)
            assert int(values["account.rows"]) > ROWS / 10 and None not in values.values(), values


def what_is_sent_from_parquet_is_what_is_sent_from_csv():
    answers = {}
    for form in ("csv", "parquet"):
        with support.running(streams=STREAMS) as appliance:
            files_write(appliance.folder, 7)
            done = support.run("send", "--to", f"127.0.0.1:{appliance.udp}", "--config",
                               appliance.definitions, "--stream", "account", "--server",
                               appliance.socket, "--json", appliance.folder / f"rows.{form}")
            end = json.loads(done.stdout)
            assert done.returncode == 0, done
            assert (end["sent"], end["outcome"]["applied"], end["ignored"]) == (ROWS, ROWS, 1), end
            redis = Redis(path=appliance.socket)
            answers[form] = [redis.call("HGETALL", f"card:{card}") for card in CARDS]
    assert answers["csv"] == answers["parquet"], answers


def what_is_exported_is_read_again():
    """Also an event whose bytes stand beside it, because its text is no UTF-8."""
    with tempfile.TemporaryDirectory(prefix="freshet-") as name:
        appliance = support.Appliance(name, streams=STREAMS, data="directory: data")
        try:
            appliance.start()
            appliance.send(b'account card=7i,city="caf\xe9"')
            appliance.wait_received(1)
        finally:
            assert appliance.stop() == 0, appliance.log.read_text()
        done = support.run("export", "--data", "data", "--out", "lake", cwd=name)
        assert done.returncode == 0, done
        (part,) = pathlib.Path(name, "lake").glob("stream=account/*/*/*.parquet")
        raw = duckdb.Database().query(f"SELECT _raw IS NOT NULL FROM '{part}'")
        assert raw == [["true"]], raw
        done = support.run("eval", appliance.definitions, "--table", f"account={part}", "--key",
                           "card:7", "--json")
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["account.city"] == "caf\uefe9", done.stdout


def a_file_that_is_none_is_refused():
    with tempfile.TemporaryDirectory(prefix="freshet-") as name:
        folder = pathlib.Path(name)
        (folder / "streams.yaml").write_text(STREAMS)
        (folder / "rows.parquet").write_text("card,changed\n7,0\n")
        arguments = ["eval", folder / "streams.yaml", "--table", f"account={folder}/rows.parquet",
                     "--key", "card:7"]
        done = support.run(*arguments)
        assert done.returncode == 1 and f"{folder}/rows.parquet: DuckDB: " in done.stderr, done
        done = support.run(*arguments, environment={"FRESHET_DUCKDB": "/no/such/libduckdb.so"})
        assert done.returncode == 1 and "/no/such/libduckdb.so" in done.stderr, done
        assert "FRESHET_DUCKDB" in done.stderr and "npm ci" in done.stderr, done


if __name__ == "__main__":
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(support.SKIPPED)
    support.main([eval_gives_the_same_for_all_forms,
                  what_is_sent_from_parquet_is_what_is_sent_from_csv,
                  what_is_exported_is_read_again,
                  a_file_that_is_none_is_refused])
