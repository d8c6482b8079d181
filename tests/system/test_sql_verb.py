#!/usr/bin/env python3
"""freshet sql: what it writes, what it refuses, and patterns against `freshet eval`."""

import datetime
import itertools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import duckdb  # noqa: E402

PROGRAM = os.path.join(os.environ["FRESHET_BUILD"], "freshet")
DEFINITION = r"""
streams:
  login:
    id: 1
    version: 1
    time: ts
    late: apply
    lateness: 2d
    history: 2d
    fields:
      ts:    {type: timestamp}
      user:  {type: string, size: 16}
      agent: {type: string, size: 64, optional: true}
      tries: {type: u8}
views:
  logins:
    version: 1
    entity: user
    source: login
    where: agent IS NULL OR agent NOT REGEXP '(?i)bot\b'
    windows: [1h, 1d, lifetime]
    exact: 1h
    ttl: 2d
    aggregates:
      n:       count()
      mobile:  count() where agent REGEXP '^Mo[a-z]{3}\d+(\.\d)*$'
      tail:    last(agent) where agent REGEXP '[^[:alnum:]]|\x{fc}'
      tries:   sum(tries) where agent LIKE '%\_%'
    derived:
      share: tries_1h / n_1h
  others:
    version: 1
    entity: agent
    source: login
    windows: [1h]
    aggregates: {n: count()}
services:
  door:
    version: 1
    features: [logins.n_1h]
"""
UNION = """
streams:
  web: {id: 1, version: 1, time: ts, late: apply, fields: {ts: {type: timestamp}, user: {type: u64},
        spent: {type: decimal, scale: 2}, page: {type: string, size: 8}}}
  app: {id: 2, version: 1, time: at, late: apply, fields: {build: {type: i32},
        at: {type: timestamp},
        page: {type: string, size: 8, optional: true}, user: {type: u64},
        spent: {type: decimal, scale: 2}}}
views:
  clicks:
    entity: user
    source: [web, app]
    windows: [1h]
    exact: 1h
    aggregates:
      n: count()
      spent: sum(spent) where page = 'a'
      pages: count() by page
      last: "last_k(spent, 2)"
"""
AGENTS = ["Moped12.3", "a Bot b", "robots", "d\u00fcnn", "snake_case", None, "Moped1.x", "x\ny"]
SOURCE = pathlib.Path(os.environ["FRESHET_SOURCE"])
NOW_US, HOUR_US = 1700000000000000, 3600 * 10**6
TTL_US = 48 * HOUR_US
NULLED = {"kmh": 80, "price": 10000}


def as_text(sql):
    """The statement with every value as DuckDB prints it, lists too."""
    return f"SELECT COLUMNS(*)::VARCHAR FROM ({sql.rstrip().rstrip(';')})"


def as_duckdb(text):
    """A list or an object of ours, in the form of as_text()."""
    if text[:1] not in "[{":
        return text
    value = json.loads(text, parse_float=str, parse_int=str)
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return "{" + ", ".join(f"{key}={of}" for key, of in value.items()) + "}"


def is_near(text, shown):
    """A quantile, or a double that is printed otherwise."""
    try:
        return abs(float(text) - float(shown)) <= abs(float(text)) / 128
    except ValueError:
        return False


def time_us(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            ) // datetime.timedelta(microseconds=1)


def nulled(event):
    """The event with null where a rule of its example makes it so: what was applied."""
    return {name: None if name in NULLED and float(value or 0) > NULLED[name] else value
            for name, value in event.items()}


def events_load(database, tables, lines):
    """Objects into the tables of their streams. Returns the time of the newest one."""
    columns = {}
    for name, text in re.findall(r'CREATE TABLE "(\w+)" \((.*?)\);', tables, re.S):
        database.query(f'CREATE TABLE "{name}" ({text})')
        columns[name] = re.findall(r'"([^"]+)" (.+?),?$', text, re.M)
    newest_us = 0
    for order, line in enumerate(lines):
        event = nulled(json.loads(line, parse_float=str))
        cells = []
        for name, type in columns[event["stream"]]:
            value = order if name == "#order" else event.get(name)
            if type == "BIGINT" and isinstance(value, str):
                value = time_us(value)
                newest_us = max(newest_us, value)
            cells.append("NULL" if value is None else duckdb.quoted(str(value)))
        database.query(f'INSERT INTO "{event["stream"]}" VALUES ({", ".join(cells)})')
    return newest_us


def candidates_of(keys):
    """Parameters of a statement, and what an answer's lines begin with, for each candidate."""
    given = {}
    for key in keys:
        entity, _, name = key.partition(":")
        given.setdefault(entity, []).append(name)
    for names in itertools.product(*given.values()):
        parameters, prefix = {}, ""
        for entity, name in zip(given, names):
            parts = name.split("|")
            prefix += f"{entity}:{name} " if len(given[entity]) > 1 else ""
            for place, part in enumerate(parts):
                suffix = f"_{place + 1}" if len(parts) > 1 else ""
                parameters[f"key_{entity}{suffix}"] = part
        yield parameters, prefix


class SqlTest(unittest.TestCase):
    APPLIED = {}  # Once for each file.

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="freshet-sql-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "login.yaml"
        self.path.write_text(DEFINITION)

    def freshet(self, verb, *words):
        return subprocess.run([PROGRAM, verb, str(self.path), *words], capture_output=True,
                              text=True, timeout=20, check=False)

    def applied(self, path, key):
        """Lines of a file that break no rule."""
        if path in self.APPLIED:
            return self.APPLIED[path]
        lines = path.read_text().splitlines()
        alone = self.folder / "alone"
        good = []
        for line in lines:
            alone.write_text(line + "\n")
            done = self.freshet("eval", "--events", str(alone), "--key", key)
            good += [] if "not applied" in done.stderr else [line]
        self.assertGreater(len(good), len(lines) * 3 // 4)
        self.APPLIED[path] = good
        return good

    def test_every_view_and_service_is_one_statement(self):
        done = self.freshet("sql")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        heads = [line for line in done.stdout.splitlines() if line.startswith("-- ")
                 and "version 1" in line]
        self.assertEqual([head.split()[1:3] for head in heads],
                         [["View", "logins,"], ["View", "others,"], ["Service", "door,"]])
        self.assertEqual(sum(line.endswith(";") for line in done.stdout.splitlines()), 3)
        self.assertIn("$q", done.stdout)
        self.assertIn("$key_user", done.stdout)

    def test_one_view_or_service_alone(self):
        view = self.freshet("sql", "--view", "others").stdout
        self.assertIn('FROM "login"', view)
        self.assertNotIn("logins", view)
        service = self.freshet("sql", "--service", "door").stdout
        self.assertTrue(service.startswith("-- Service door"), service[:40])
        self.assertNotIn("others", service)

    def test_a_time_takes_the_place_of_the_parameter(self):
        for when in ("1700000000000000", "2023-11-14T22:13:20Z"):
            done = self.freshet("sql", "--view", "logins", "--at", when)
            self.assertIn("CAST(1700000000000000 AS BIGINT)", done.stdout)
            self.assertNotIn("$q", done.stdout)

    def test_wrong_use_is_told(self):
        for words, text in [
                (("--view", "frob"), "--view `frob` is no view of the definitions"),
                (("--service", "frob"), "--service `frob` is no service of the definitions"),
                (("--at", "noon"), "--at `noon` is no time")]:
            done = self.freshet("sql", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(text, done.stderr)

    def test_a_wrong_file_is_told_with_its_place(self):
        self.path.write_text(DEFINITION.replace("sum(tries)", "sum(trees)"))
        done = self.freshet("sql")
        self.assertEqual((done.returncode, done.stdout), (78, ""))
        self.assertIn("`trees` is no field of stream `login`; did you mean `tries`?", done.stderr)
        done = self.freshet("sql", "--json")
        self.assertEqual(json.loads(done.stdout)["error_count"], 1)

    def test_what_sql_cannot_say_is_named(self):
        self.path.write_text(DEFINITION.replace("tries: {type: u8}",
                                                "tries: {type: u8}\n      Tries: {type: u8}"))
        done = self.freshet("sql")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("stream `login`: fields `tries` and `Tries` are one column in SQL",
                      done.stderr)
        long = "agent = 'a'"
        for _ in range(17):
            long = f"({long}) IN (TRUE, FALSE)"
        self.path.write_text(DEFINITION.replace("agent REGEXP '^Mo[a-z]{3}\\d+(\\.\\d)*$'", long))
        done = self.freshet("sql")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("view `logins`: `mobile` is more than 1 MiB of SQL", done.stderr)

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_of_approximate_kinds_sql_has_the_exact_value(self):
        self.path.write_text(DEFINITION.replace("aggregates: {n: count()}", """aggregates:
      n: approx_distinct(tries)
      p: "quantile(tries, 0.6)"
      d: "decayed_sum(tries, 10m)\""""))
        lines = [json.dumps({"stream": "login", "ts": NOW_US - 600 * 10**6 * i, "user": "u",
                             "agent": "a", "tries": tries})
                 for i, tries in enumerate([80, 4, 4, 16, 201])]
        database = duckdb.Database()
        self.addCleanup(database.close)
        events_load(database, self.freshet("sql", "--tables").stdout, lines)
        rows = database.query(self.freshet("sql", "--view", "others", "--at",
                                           str(NOW_US + 1)).stdout)
        self.assertEqual([row[:3] for row in rows], [["a", "4", "16"]])
        self.assertAlmostEqual(rows[0][3], 80 + 4 / 2 + 4 / 4 + 16 / 8 + 201 / 16, places=6)

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_the_page_has_a_table_that_the_example_runs_over(self):
        page = (SOURCE / "docs" / "sql.md").read_text()
        [create] = re.findall(r"```sql\n(CREATE TABLE .*?)```", page, re.S)
        self.path = SOURCE / "config" / "examples" / "cards.yaml"
        tables = self.freshet("sql", "--tables").stdout
        self.assertTrue(tables.startswith(create + "\n"), tables)
        database = duckdb.Database()
        self.addCleanup(database.close)
        database.query(tables)
        event = f"{NOW_US - 1}, 4711, 'corner', 9.5, 'ok', 0"
        database.query(f"INSERT INTO transaction VALUES ({event})")
        names, [row] = database.table(
            as_text(self.freshet("sql", "--view", "activity").stdout), q=NOW_US)
        values = dict(zip(names, row))
        self.assertEqual((values["card"], values["txn_count_10m"], values["amount_sum_1h"]),
                         ("4711", "1", "9.50"))
        [row] = database.query(as_text(self.freshet("sql", "--service", "fraud").stdout),
                               q=NOW_US, key_card=4711, key_merchant="corner",
                               request_amount="19.00")
        self.assertEqual(row, ["1", "9.5", "1", "0.0", "1", "[9.50]", "2.0", "2.0", "2.0", "true"])

    def both_ways(self, events, at_us):
        """Features of each user that has some at the time: of the process, of SQL."""
        path = self.folder / "events"
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        database = duckdb.Database()
        self.addCleanup(database.close)
        database.query(self.freshet("sql", "--tables").stdout)
        for order, event in enumerate(events):
            agent = duckdb.quoted(event["agent"])
            database.query(f"INSERT INTO login VALUES ({event['ts']}, '{event['user']}', {agent}, "
                           f"{event['tries']}, {order})")
        sql = self.freshet("sql", "--view", "logins", "--at", str(at_us)).stdout
        names, rows = database.table(sql)
        actual = {row[0]: dict(zip(names[1:], row[1:])) for row in rows}
        expected = {}
        for user in sorted({event["user"] for event in events}):
            done = self.freshet("eval", "--events", str(path), "--at", str(at_us), "--key",
                                f"user:{user}", "--json")
            features = {name.split(".")[1]: value
                        for name, value in json.loads(done.stdout).items()}
            if features["n"] is not None:
                share = features["share"]
                expected[user] = {**features, "share": None if share is None else float(share)}
        return expected, actual

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_services_of_the_examples_answer_as_they_say(self):
        services = 0
        for path in sorted((SOURCE / "config" / "examples").glob("*.expected")):
            lines = path.read_text().splitlines()
            words = shlex.split(" ".join(line.strip("#\\ ") for line in lines if line[0] == "#"))
            if "--service" not in words:
                continue
            services += 1
            options = [(a, b) for a, b in zip(words, words[1:]) if a.startswith("--")]
            service = dict(options)["--service"]
            self.path = SOURCE / words[2]
            database = duckdb.Database()
            self.addCleanup(database.close)
            events = self.applied(SOURCE / dict(options)["--events"], dict(options)["--key"])
            newest_us = events_load(database, self.freshet("sql", "--tables").stdout, events)
            sql = as_text(self.freshet("sql", "--service", service).stdout)
            request = {"request_" + b.split("=")[0]: b.split("=")[1] for a, b in options
                       if a == "--request"}
            answer = []
            for keys, prefix in candidates_of(b for a, b in options if a == "--key"):
                names, [row] = database.table(sql, q=newest_us + 1, **keys, **request)
                answer += [(prefix + name, value) for name, value in zip(names, row)]
            expected = [line for line in lines if line[0] != "#"]
            self.assertEqual(len(answer), len(expected))
            for (name, value), line in zip(answer, expected):
                shown = line.removeprefix(name + " ")
                if value is None or not is_near(value, shown):
                    self.assertEqual(value or "null", as_duckdb(shown), (path.name, line))
        self.assertGreater(services, 3)

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_patterns_match_as_they_do_in_the_process(self):
        events = [{"ts": NOW_US + 1000 * i, "user": f"u{i % 3}", "agent": agent, "tries": i}
                  for i, agent in enumerate(AGENTS * 3)]
        for at_us in (NOW_US + 5000, NOW_US + 10**6):
            expected, actual = self.both_ways(events, at_us)
            self.assertEqual(len(expected), 3)
            self.assertEqual(actual, expected)

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_a_view_of_several_streams_is_over_all_their_events(self):
        web = [(NOW_US + 1, 7, 1.5, "a"), (NOW_US + 3, 7, 2, "b"), (NOW_US + 4, 8, 9, "a")]
        app = [(NOW_US + 2, 7, 4, "a"), (NOW_US + 5, 7, 8, None)]
        self.path.write_text(UNION)
        lines = [json.dumps({"stream": "web", "ts": time, "user": user, "spent": spent,
                             "page": page}) for time, user, spent, page in web]
        lines += [json.dumps({"stream": "app", "build": 0, "at": time, "user": user,
                              "spent": spent, "page": page}) for time, user, spent, page in app]
        database = duckdb.Database()
        events_load(database, self.freshet("sql", "--tables").stdout, lines)
        rows = database.query(as_text(self.freshet("sql", "--at", str(NOW_US + 10)).stdout))
        self.assertEqual(rows, [["7", "4", "5.50", "{a=2, b=1}", "[8.00, 2.00]"],
                                ["8", "1", "9.00", "{a=1}", "[9.00]"]])
        database.close()

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_windows_step_downwards_before_1970_too(self):
        events = [{"ts": -HOUR_US * hours - us, "user": "u", "agent": None, "tries": 1}
                  for hours in range(30) for us in (1, 0)]
        for at_us in (-1, 0, 1, -HOUR_US, 1 - HOUR_US, HOUR_US // 2 - 3 * HOUR_US):
            expected, actual = self.both_ways(events, at_us)
            self.assertGreater(int(expected["u"]["n_1d"]), 47)
            self.assertEqual(actual, expected)

    @unittest.skipUnless(duckdb.is_here(), duckdb.missing())
    def test_a_row_ends_with_its_ttl(self):
        events = [{"ts": NOW_US + i, "user": f"u{i}", "agent": None, "tries": 1} for i in range(3)]
        for left in range(4):
            expected, actual = self.both_ways(events, NOW_US + TTL_US + left)
            self.assertEqual(len(expected), 3 - left)
            self.assertEqual(actual, expected)


if __name__ == "__main__":
    unittest.main()
