#!/usr/bin/env python3
"""A batch table beside streams: a file of 10,000 rows sent as events of a stream of its own, read
through the window `lifetime`; one service answers from it, from a stream, and from the request."""

import csv
import decimal
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
from client import Redis  # noqa: E402

DEFINITIONS = """
streams:
  account:                    # the batch table: one row per card, whenever it was changed
    id: 1
    time: changed
    late: apply               # rows come in any order, and are old
    fields:
      changed: {type: timestamp}
      card:    {type: u64}
      limit:   {type: decimal, scale: 2}
      city:    {type: string, size: 32, optional: true}
  payment:
    id: 2
    time: ts
    fields: {ts: {type: timestamp}, card: {type: u64}, amount: {type: decimal, scale: 2}}
views:
  account:
    entity: card
    source: account
    windows: [lifetime]
    aggregates: {credit_limit: last(limit), city: last(city)}
    ttl: 36500d
  spend:
    entity: card
    source: payment
    windows: [1h]
    aggregates: {amount: sum(amount), payments: count()}
services:
  credit:
    request: {amount: {type: decimal, scale: 2}}
    features:
      - account.credit_limit
      - {feature: account.city, default: nowhere}
      - {feature: spend.payments_1h, default: 0}
      - {feature: spend.amount_1h, default: 0.00}
      - {name: left, value: account.credit_limit - spend.amount_1h - request.amount}
"""
DATA = "directory: data, mirror: {segment: 4MiB}"
CARDS = 10_000
PAYERS = 50
CITIES = ["Bremen", 'the "old" town', "Rome, Italy", "two\nlines", ""]


def table_write(path, seed):
    """Cards with an older row first, one with a newer one last; returns what is true."""
    source = random.Random(seed)
    truth = {}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["card", "limit", "city", "changed", "clerk"])
        for card in source.sample(range(CARDS), CARDS):
            limit, city = f"{source.randrange(100, 10**6) / 100:.2f}", source.choice(CITIES)
            year = source.randrange(1990, 2020)
            rows = [[card, limit, city, f"{year}-05-17T08:00:00Z", "kim"]]
            if card % 10 == 0:
                # An older row behind the newer one changes nothing; last() skips its null city.
                rows.append([card, "0.01", "older", f"{year - 1}-05-17T08:00:00Z", "kim"])
                city = city or "older"
            writer.writerows(rows)
            truth[card] = (limit, city)
    return truth


def ask(redis, card, amount):
    reply = redis.call("FS.GET", f"card:{card}", "SERVICE", "credit", "REQUEST", 1, "amount",
                       amount)
    return {name.decode(): value and value.decode() for name, value in zip(reply[::2], reply[1::2])}


def answers_check(redis, truth, paid):
    answers = {}
    for card in [*range(PAYERS + 50), CARDS - 1, CARDS]:
        row = answers[card] = ask(redis, card, "12.50")
        limit, city = truth.get(card, (None, ""))
        spent = paid.get(card)
        assert row["account.credit_limit"] == limit, (card, row, limit)
        assert row["account.city"] == (city or "nowhere"), (card, row, city)
        assert row["spend.payments_1h"] == ("3" if spent else "0"), (card, row)
        assert row["spend.amount_1h"] == (spent or "0.00"), (card, row)
        if limit is None:
            assert row["left"] is None, (card, row)
        else:
            left = decimal.Decimal(limit) - decimal.Decimal(spent or 0) - decimal.Decimal("12.50")
            assert row["left"] == str(left), (card, row)
    return answers


def send(appliance, path, stream, *arguments):
    done = support.run("send", "--to", f"127.0.0.1:{appliance.udp}", "--config",
                       appliance.definitions, "--stream", stream, "--server", appliance.socket,
                       "--json", *arguments, path)
    return done, json.loads(done.stdout) if done.stdout else None


def a_table_a_stream_and_the_request_make_one_answer(shards):
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20261126
    print(f"SEED={seed}")
    with support.running(streams=DEFINITIONS, shards=shards, data=DATA) as appliance:
        table = appliance.folder / "accounts.csv"
        truth = table_write(table, seed)
        rows = CARDS + CARDS // 10
        done, end = send(appliance, table, "account", "--acked", "--producer", "7")
        assert done.returncode == 0, done
        assert (end["sent"], end["acked"]["durable"], end["ignored"]) == (rows, rows, 1), end
        appliance.send(*(b"payment card=%d,amount=%d.25" % (card, n)
                         for n in range(3) for card in range(PAYERS)))
        support.wait_until(lambda: [view["applied"] for view in appliance.status()["views"]]
                           == [rows, 3 * PAYERS], "all events applied")
        redis = Redis(path=appliance.socket)
        paid = {card: "3.75" for card in range(PAYERS)}
        before = answers_check(redis, truth, paid)
        redis.close()
        # What was acknowledged is durable; of the payments, wait until the log has them.
        support.wait_until(lambda: all(log["gathered_bytes"] == 0
                                       for log in appliance.status()["store"]["logs"]), "durable")
        appliance.kill()
        appliance.start()
        redis = Redis(path=appliance.socket)
        after = answers_check(redis, truth, paid)
        assert after == before
        redis.close()


def a_table_a_stream_and_the_request_make_one_answer_in_one_shard():
    a_table_a_stream_and_the_request_make_one_answer(1)


def a_table_a_stream_and_the_request_make_one_answer_in_three_shards():
    a_table_a_stream_and_the_request_make_one_answer(3)


def a_row_that_is_none_is_named_by_its_place():
    with support.running(streams=DEFINITIONS) as appliance:
        table = appliance.folder / "accounts.csv"
        table.write_text('card,limit,city\n1,5.00,"Rome, Italy"\n2,much,Bremen\n3,7,"x"y\n4,8,z\n')
        done, end = send(appliance, table, "account")
        assert done.returncode == 1 and end["sent"] == 2 and end["not_events"] == 2, (done, end)
        assert (f"{table}:3:3: `limit` is `much`; a decimal with up to 2 digits after the point is "
                "allowed\n") in done.stderr, done.stderr
        assert f"{table}:4:8: text behind a closing quote; " in done.stderr, done.stderr
        redis = Redis(path=appliance.socket)
        assert ask(redis, 4, "1")["account.city"] == "z"
        # Without a time it happened now: later than any row that names one.
        table.write_text("card,limit,city,changed\n4,9,older,2020-01-01T00:00:00Z\n")
        done, end = send(appliance, table, "account", "--producer", "9")
        assert done.returncode == 0 and end["outcome"]["applied"] == 1, (done, end)
        assert ask(redis, 4, "1")["account.credit_limit"] == "8.00"
        redis.close()


if __name__ == "__main__":
    support.main([a_table_a_stream_and_the_request_make_one_answer_in_one_shard,
                  a_table_a_stream_and_the_request_make_one_answer_in_three_shards,
                  a_row_that_is_none_is_named_by_its_place])
