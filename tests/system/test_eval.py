#!/usr/bin/env python3
"""freshet eval: a definition tried on events, without a server."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

PROGRAM = os.path.join(os.environ["FRESHET_BUILD"], "freshet")
DEFINITION = """
streams:
  payment:
    id: 1
    version: 1
    time: ts
    late: apply
    fields:
      ts:     {type: timestamp}
      card:   {type: u64}
      amount: {type: decimal, scale: 2}
      fx:     {type: f64, scale: 4}
      status: {type: string, size: 8}
      shop:   {type: string, size: 16, optional: true}
views:
  spend:
    version: 1
    entity: card
    source: payment
    where: status = 'ok' and amount > 0
    windows: [1h, 1d]
    exact: 1d
    aggregates:
      count: count()
      big: count() where amount > 500
      euros: sum(amount * fx)
      small_shop: first(shop) where amount < 100
    derived:
      share: euros_1h / euros_1d
      label: CASE WHEN big_1h > 0 THEN 'big' ELSE coalesce(small_shop_1d, 'none') END
  shops:
    version: 1
    entity: shop
    source: payment
    windows: [1d]
    aggregates: {count: count()}
services:
  risk:
    request:
      amount: {type: decimal, scale: 2}
      note: {type: string, size: 8, optional: true}
    features:
      - {feature: spend.count_1h, default: 0}
      - spend.label
      - {feature: shops.count_1d, default: -1, max_age: 1h}
      - {name: vs_day, value: request.amount / spend.euros_1d}
      - {name: tag, value: request.note || '!', default: none}
"""
EVENTS = """
{"ts": 1700000000000000, "card": 7, "amount": 10, "fx": 1.1, "status": "ok", "shop": "a"}
{"ts": 1700003500000000, "card": 7, "amount": 600.5, "fx": 2, "status": "ok"}
{"ts": 1700003600000000, "card": 7, "amount": 700, "fx": 1, "status": "no", "shop": "a"}
{"ts": 1700003700000000, "card": 8, "amount": 1, "fx": 1, "status": "ok", "shop": "b"}
"""
OF_SEVEN = """spend.count_1h 2
spend.count_1d 2
spend.big_1h 1
spend.big_1d 1
spend.euros_1h 1212.000000
spend.euros_1d 1212.000000
spend.small_shop_1h a
spend.small_shop_1d a
spend.share 1
spend.label big
"""


RATINGS = """
streams:
  score:
    id: 2
    time: rated
    late: apply
    fields:
      rated: {type: timestamp, unit: s}
      shop:  {type: string, size: 16}
      stars: {type: u8}
views:
  rating: {entity: shop, source: score, windows: [lifetime], ttl: 9000d,
           aggregates: {stars: last(stars)}}
"""
OF_RISK = """spend.count_1h 1
spend.label big
shops.count_1d 2
vs_day 0.010313531353135313
tag none
"""
# 5000 lists of a long string are more than a row of 1 MiB holds.
LISTS = """
streams:
  s: {id: 1, time: ts, late: apply,
      fields: {ts: {type: timestamp}, k: {type: u64}, x: {type: string, size: 256}}}
views:
  v: {entity: k, source: s, windows: [10h], ladder: [5s],
      aggregates: {early: "first_k(x, 1)", n: count()}}
"""
RISK = ("--service", "risk", "--request", "amount=12.50")


class EvalTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="freshet-eval-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "payment.yaml").write_text(DEFINITION)
        (self.folder / "events.ndjson").write_text(EVENTS)

    def run_eval(self, *words, **options):
        command = [PROGRAM, "eval", str(self.folder / "payment.yaml"), "--events",
                   options.pop("events", str(self.folder / "events.ndjson")), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                              **options)

    def test_prints_every_feature_of_the_entity(self):
        done = self.run_eval("--key", "card:7")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, OF_SEVEN, ""))

    def test_what_is_not_there_is_null(self):
        done = self.run_eval("--key", "shop:c")
        self.assertEqual((done.returncode, done.stdout), (0, "shops.count_1d null\n"))

    def test_at_a_time(self):
        done = self.run_eval("--key", "card:7", "--at", "2023-11-14T23:11:40Z")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "spend.count_1h 1")
        self.assertEqual(lines[-1], "spend.label a")
        same = self.run_eval("--key", "card:7", "--at", "1700003500000000")
        self.assertEqual(same.stdout, done.stdout)

    def test_events_from_stdin(self):
        done = self.run_eval("--key", "card:8", events="-", input=EVENTS)
        self.assertIn("spend.count_1h 1\n", done.stdout)

    def test_a_byte_order_mark_is_no_part_of_the_first_event(self):
        done = self.run_eval("--key", "card:7", events="-", input="\ufeff" + EVENTS.lstrip())
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, OF_SEVEN, ""))

    def test_what_is_expected_is_compared(self):
        expected = self.folder / "expected"
        expected.write_text("# What this card should have.\n" + OF_SEVEN)
        done = self.run_eval("--key", "card:7", "--expect", str(expected))
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        expected.write_text("spend.count_1h 3\nspend.label big\nspend.frob 1\n")
        done = self.run_eval("--key", "card:7", "--expect", str(expected))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "spend.count_1h: is 2, expected 3\n"
                                      "spend.frob: is no `view.feature value` that the "
                                      "definitions have\n")

    def test_as_json(self):
        done = self.run_eval("--key", "card:7", "--json")
        features = dict(line.split(" ", 1) for line in OF_SEVEN.splitlines())
        self.assertEqual(json.loads(done.stdout), features)
        self.assertEqual(json.loads(self.run_eval("--key", "shop:c", "--json").stdout),
                         {"shops.count_1d": None})
        expected = self.folder / "expected"
        expected.write_text("spend.count_1h 3\nspend.label big\nspend.frob 1\n")
        done = self.run_eval("--key", "card:7", "--expect", str(expected), "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout),
                         {"spend.count_1h": {"is": "2", "expected": "3"}, "spend.frob": None})

    def test_lines_that_are_too_long_are_no_events(self):
        event = EVENTS.strip().splitlines()[0]
        long = "x" * 65535 + event + "\n" + "y" * 200000 + "\n" + EVENTS
        done = self.run_eval("--key", "card:7", events="-", input=long)
        self.assertEqual((done.returncode, done.stdout), (1, OF_SEVEN))
        self.assertIn("-:1: longer than 65535 bytes", done.stderr)
        self.assertIn("-:2: longer than 65535 bytes", done.stderr)

    def test_lines_with_a_nul_are_no_events(self):
        first, rest = EVENTS.split("\n", 1)
        done = self.run_eval("--key", "card:7", events="-", input=f"{first}\0more\n{rest}\0\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("-:1: a NUL byte", done.stderr)
        self.assertEqual(done.stderr.count("a NUL byte"), 2)

    def test_values_that_are_no_plain_text(self):
        event = ('{"ts": 1700000000000000, "card": 7, "amount": 1, "fx": 1, "status": "ok", '
                 '"shop": "a\\nb"}\n')
        done = self.run_eval("--key", "card:7", events="-", input=event)
        self.assertIn("spend.label a\\x0ab\n", done.stdout)
        expected = self.folder / "expected"
        expected.write_text(done.stdout)
        self.assertEqual(self.run_eval("--key", "card:7", "--expect", str(expected), events="-",
                                       input=event).returncode, 0)

    def test_an_expectation_of_nothing_fails(self):
        done = self.run_eval("--key", "card:7", "--expect", "/dev/null")
        self.assertEqual(done.returncode, 1)
        self.assertIn("expects nothing", done.stderr)

    def test_events_that_are_not_applied_are_counted_by_reason(self):
        bad = EVENTS + '{"ts": 1, "card": "x", "amount": 1, "fx": 1, "status": "ok"}\ngarbage\n'
        done = self.run_eval("--key", "card:7", events="-", input=bad)
        self.assertEqual((done.returncode, done.stdout), (0, OF_SEVEN))
        self.assertIn("1 not applied: text_wrong_type", done.stderr)

    def test_events_that_a_view_refuses_are_counted_by_reason(self):
        definitions = self.folder / "lists.yaml"
        definitions.write_text(LISTS)
        lines = [f'{{"stream": "s", "ts": {i * 5 * 10**6}, "k": 1, "x": "{i:0>250}"}}\n'
                 for i in range(5000)]
        done = support.run("eval", definitions, "--events", "-", "--key", "k:1",
                           input="".join(lines))
        self.assertEqual(done.returncode, 0)
        kept = int(re.search(r"v.n_10h (\d+)", done.stdout)[1])
        refused = int(re.search(r"(\d+) refused by view `v`: view_row_size", done.stderr)[1])
        self.assertEqual(kept + refused, 5000)
        self.assertGreater(kept, 3000)

    def test_a_service_answers_from_all_its_entities(self):
        done = self.run_eval(*RISK, "--key", "card:7", "--key", "shop:a")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, OF_RISK, ""))
        done = self.run_eval(*RISK, "--key", "shop:a", "--request", "note=x", "--key", "card:7")
        self.assertEqual(done.stdout, OF_RISK.replace("tag none", "tag x!"))
        # Behind the newest event of all; an hour later the shop's count is too old.
        done = self.run_eval(*RISK, "--key", "card:7", "--key", "shop:a", "--at",
                             "1700007300000000")
        self.assertEqual(done.stdout, OF_RISK.replace("shops.count_1d 2", "shops.count_1d -1")
                         .replace("spend.count_1h 1", "spend.count_1h 0")
                         .replace("spend.label big", "spend.label a"))
        done = self.run_eval(*RISK, "--key", "card:9")
        self.assertEqual(done.stdout, "spend.count_1h 0\nspend.label null\nshops.count_1d -1\n"
                                      "vs_day null\ntag none\n")

    def test_candidates_of_a_service_are_rows_behind_their_keys(self):
        keys = ("--key", "shop:a", "--key", "card:7", "--key", "shop:c")
        done = self.run_eval(*RISK, *keys)
        rows = [f"shop:a {line}\n" for line in OF_RISK.splitlines()]
        rows += [f"shop:c {line}\n" for line in
                 OF_RISK.replace("shops.count_1d 2", "shops.count_1d -1").splitlines()]
        self.assertEqual((done.returncode, done.stdout), (0, "".join(rows)))
        expected = self.folder / "expected"
        expected.write_text(done.stdout)
        done = self.run_eval(*RISK, *keys, "--expect", str(expected))
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        expected.write_text("shop:c shops.count_1d 0\nshops.count_1d 2\n")
        done = self.run_eval(*RISK, *keys, "--expect", str(expected))
        self.assertEqual((done.returncode, done.stdout),
                         (1, "shop:c shops.count_1d: is -1, expected 0\n"
                             "shops.count_1d 2: is no `name value` that the service answers "
                             "with\n"))
        done = self.run_eval(*RISK, *keys, "--json")
        self.assertEqual(json.loads(done.stdout)["shop:c"]["shops.count_1d"], "-1")
        self.assertEqual(json.loads(done.stdout)["shop:a"]["vs_day"], "0.010313531353135313")

    def test_a_service_is_compared_with_what_is_expected(self):
        expected = self.folder / "expected"
        expected.write_text("# As served.\n" + OF_RISK)
        keys = ("--key", "card:7", "--key", "shop:a", "--expect", str(expected))
        done = self.run_eval(*RISK, *keys)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        expected.write_text("spend.count_1h 3\nvs_day 0\nfrob 1\n")
        done = self.run_eval(*RISK, *keys)
        self.assertEqual((done.returncode, done.stdout),
                         (1, "spend.count_1h: is 1, expected 3\n"
                             "vs_day: is 0.010313531353135313, expected 0\n"
                             "frob: is no `name value` that the service answers with\n"))
        done = self.run_eval(*RISK, *keys, "--json")
        self.assertEqual(json.loads(done.stdout)["vs_day"],
                         {"is": "0.010313531353135313", "expected": "0"})
        expected.write_text("# Nothing.\n")
        done = self.run_eval(*RISK, *keys)
        self.assertEqual(done.returncode, 1)
        self.assertIn("expects nothing", done.stderr)

    def test_a_service_answers_as_the_appliance_serves(self):
        with support.running(streams=DEFINITION) as appliance:
            appliance.send(*(b'{"stream": "payment", ' + line[1:].encode()
                             for line in EVENTS.strip().splitlines()))
            support.wait_until(lambda: appliance.status()["received"] == 4, "all events received")
            redis = client.Redis(path=appliance.socket)
            reply = redis.call("FS.MGET", 2, "card:7", "shop:a", "SERVICE", "risk", "AT",
                               1700003700000001, "REQUEST", 1, "amount", "12.50")[0]
            redis.close()
        text = [b"null" if word is None else word for word in reply]
        served = "".join(f"{name.decode()} {value.decode()}\n"
                         for name, value in zip(text[::2], text[1::2]))
        self.assertEqual(served, OF_RISK)

    def test_a_table_is_read_before_the_events(self):
        (self.folder / "payment.yaml").write_text(DEFINITION + "      - rating.stars\n")
        ratings = self.folder / "ratings.yaml"
        ratings.write_text(RATINGS)
        table = self.folder / "ratings.csv"
        rows = [f'{1600000000 + i},s{i},{i % 5 + 1},"a ""note"", {i}"' for i in range(2000)]
        rows += ["1650000000,a,4,", "1640000000,a,2,older"]
        table.write_text("\n".join(["rated,shop,stars,note", *rows]) + "\n")
        words = (ratings, "--stream", "payment", *RISK, "--key", "card:7", "--key", "shop:a",
                 "--table", f"score={table}")
        done = self.run_eval(*words)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, OF_RISK + "rating.stars 4\n", ""))
        done = self.run_eval(ratings, *RISK, "--key", "card:7", "--key", "shop:s1999", "--table",
                             f"score={table}")
        self.assertIn("rating.stars 5\n", done.stdout)
        # Without events: only the table.
        done = subprocess.run([PROGRAM, "eval", self.folder / "payment.yaml", ratings, "--key",
                               "shop:s7", "--table", f"score={table}"], capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "shops.count_1d null\nrating.stars 3\n"))
        table.write_text("rated,shop,stars\n1,a,4\n2,a,many\n")
        done = self.run_eval(*words)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{table}:3:5: `stars` is `many`; a whole number that u8 holds is allowed",
                      done.stderr)
        for text, code, said in ((f"score={self.folder}/none.csv", 1, "No such file"),
                                 (f"scor={table}", 2, "is of no stream of the definitions"),
                                 (str(table), 2, "--table takes STREAM=FILE")):
            done = self.run_eval(ratings, "--key", "card:7", "--table", text)
            self.assertEqual(done.returncode, code, done)
            self.assertIn(said, done.stderr)

    def test_wrong_use_of_a_service_is_told(self):
        for words, text in [
                (("--service", "rist", "--request", "amount=1"), "did you mean 'risk'?"),
                (("--service", "risk"), "needs REQUEST amount, a decimal"),
                (("--service", "risk", "--request", "amunt=1"), "did you mean 'amount'?"),
                (("--service", "risk", "--request", "amount=x"), "is no decimal of scale 2"),
                (("--service", "risk", "--request", "amount"), "takes NAME=VALUE, not `amount`"),
                ((*RISK, "--request", "amount=1"), "REQUEST amount is given twice"),
                ((*RISK, "--key", "card:x"), "`x` is no id of card"),
                (("--request", "amount=1"), "--request needs --service"),
                (("--key", "card:8"), "more than one --key needs --service")]:
            done = self.run_eval("--key", "card:7", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(text, done.stderr)

    def test_wrong_use_is_told(self):
        for words, code, text in [
                (("--key", "pay:7"), 2, "is of no entity"),
                (("--key", "card"), 2, "is of no entity"),
                (("--key", "card:abc"), 2, "`abc` is no id of card"),
                (("--key", "card:7", "--events", "-", "--expect", "-"), 2, "both be stdin"),
                (("--key", "card:7", "--at", "noon"), 2, "is no time"),
                (("--key", "card:7", "--stream", "frob"), 2, "is no stream"),
                ((), 2, "--events (or --mirror) and --key are needed"),
                (("--key", "card:7", "--expect", "/no/such"), 1, "No such file")]:
            done = self.run_eval(*words)
            self.assertEqual(done.returncode, code, words)
            self.assertIn(text, done.stderr)
        done = self.run_eval("--key", "card:7", events="/no/such")
        self.assertEqual(done.returncode, 1)
        (self.folder / "payment.yaml").write_text(DEFINITION.replace("amount > 0", "amont > 0"))
        done = self.run_eval("--key", "card:7")
        self.assertEqual(done.returncode, 78)
        self.assertIn("`amont` is no field of stream `payment`; did you mean `amount`?",
                      done.stderr)


if __name__ == "__main__":
    unittest.main()
