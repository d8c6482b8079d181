#!/usr/bin/env python3
"""Services through the real process: three entities, candidates, inputs of the request, defaults
and ages; what a service says is what FS.GET says of each feature, and values are exact."""

import decimal
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

HOUR_US = 3_600_000_000
PAYMENTS = 400
CARDS, SHOPS, USERS = range(4000, 4040), ["corner", "mall", "depot", "kiosk"], ["ada", "bo", "cy"]

DEFINITIONS = """
streams:
  payment:
    id: 1
    time: ts
    lateness: 1d
    fields:
      ts:     {type: timestamp}
      card:   {type: u64}
      shop:   {type: string, size: 8}
      user:   {type: string, size: 8}
      amount: {type: decimal, scale: 2}
views:
  activity:
    entity: card
    source: payment
    windows: [1h, 1d]
    aggregates: {n: count(), spent: sum(amount), mean: avg(amount)}
    derived: {share: spent_1h / spent_1d}
  sales: {entity: shop, source: payment, windows: [1d], aggregates: {best: max(amount)}}
  habit: {entity: user, source: payment, windows: [1d], aggregates: {n: count(), shop: last(shop)}}
services:
  fraud:
    version: 2
    request:
      amount: {type: decimal, scale: 2, min: 0}
      note:   {type: string, size: 8, optional: true}
    features:
      - {name: left, value: sales.best_1d - request.amount}
      - activity.n_1d
      - activity.share
      - {feature: activity.spent_1d, default: 0.00}
      - {name: best, feature: sales.best_1d, max_age: 1h, default: -1.00}
      - {feature: habit.shop_1d, default: none}
      - {name: usual, value: "request.note || '@' || habit.shop_1d", default: '?'}
      - {name: vs_mean, value: request.amount / activity.mean_1d}
      - {feature: habit.n_1d, max_age: 1h}
"""
NAMES = ["left", "activity.n_1d", "activity.share", "activity.spent_1d", "best", "habit.shop_1d",
         "usual", "vs_mean", "habit.n_1d"]


def payments(seed, now_us):
    """Cards, shops and users in the last half hour; user cy, and shop kiosk, only before that."""
    source = random.Random(seed)
    for i in range(PAYMENTS):
        old = i % 4 == 0
        shop = "kiosk" if old else source.choice(SHOPS[:3])
        user = "cy" if old else source.choice(USERS[:2])
        age_us = source.randrange(HOUR_US // 2) + (2 * HOUR_US if old else 0)
        yield json.dumps({"stream": "payment", "ts": now_us - age_us, "card": source.choice(CARDS),
                          "shop": shop, "user": user,
                          "amount": f"{source.randrange(1, 100_000) / 100:.2f}"}).encode()


def filled(appliance):
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20260103
    print(f"SEED={seed}")
    now_us = time.time_ns() // 1000
    appliance.send(*payments(seed, now_us))
    support.wait_until(lambda: appliance.status()["applied"] == PAYMENTS, "all payments applied")
    return client.Redis(path=appliance.socket), now_us + 1


def rows_of(reply):
    """Each row as a map of name to [value, status, ...]."""
    for row in reply:
        assert [name.decode() for name in row[::2]] == NAMES, row
    return [dict(zip(NAMES, row[1::2])) for row in reply]


def service(redis, at_us, keys, *request):
    return rows_of(redis.call("FS.MGET", len(keys), *keys, "SERVICE", "fraud", "AT", at_us,
                              "WITHMETA", "REQUEST", len(request) // 2, *request))


def check_row(redis, at_us, card, shop, user, amount, row):
    """The row against what FS.GET says of each feature."""
    def get(key, feature):
        return redis.call("FS.GET", key, "FIELDS", 1, feature, "AT", at_us, "WITHMETA")[1]

    for feature in ("activity.n_1d", "activity.share"):
        assert row[feature] == get(f"card:{card}", feature), (feature, row)
    spent = get(f"card:{card}", "activity.spent_1d")
    assert row["activity.spent_1d"][1:] == spent[1:], row
    assert row["activity.spent_1d"][0] == (spent[0] or b"0.00"), row
    best = get(f"shop:{shop}", "sales.best_1d")
    place = row["best"]
    if best[1] == b"NOT_FOUND":
        assert place[:2] == [b"-1.00", b"NOT_FOUND"], place
    elif at_us - best[5] > HOUR_US:
        assert place[:2] == [b"-1.00", b"OUTSIDE_MAX_AGE"] and place[2:] == best[2:], place
    else:
        assert place == best, place
    left = decimal.Decimal(place[0].decode()) - decimal.Decimal(amount)
    assert row["left"][0].decode() == str(left), (row["left"], left)
    mean = get(f"card:{card}", "activity.mean_1d")[0]
    if mean is None:
        assert row["vs_mean"][:2] == [None, b"NULL_VALUE"], row
    else:
        assert float(row["vs_mean"][0]) == float(amount) / float(mean), row
    usual = get(f"user:{user}", "habit.shop_1d")[0] or b"none"
    assert row["habit.shop_1d"][0] == usual and row["usual"][0] == b"x@" + usual, row
    visits = get(f"user:{user}", "habit.n_1d")
    if user == "cy":
        assert row["habit.n_1d"][:2] == [None, b"OUTSIDE_MAX_AGE"], row
    else:
        # Without a key there is no shard to name either.
        assert row["habit.n_1d"][:7] == visits[:7], row


def answers_are_those_of_the_features(shards):
    with support.running(streams=DEFINITIONS, shards=shards) as appliance:
        redis, at_us = filled(appliance)
        source = random.Random(1)
        for _ in range(100):
            card = source.choice([*CARDS, 99])
            shop, user = source.choice([*SHOPS, "nosuch"]), source.choice([*USERS, "eve"])
            amount = f"{source.randrange(0, 50_000) / 100:.2f}"
            keys = [f"card:{card}", f"shop:{shop}", f"user:{user}"]
            source.shuffle(keys)
            rows = service(redis, at_us, keys, "amount", amount, "note", "x")
            assert len(rows) == 1, rows
            check_row(redis, at_us, card, shop, user, amount, rows[0])
        # Candidates: every card at one shop of one user, the keys of those somewhere between.
        keys = [f"card:{card}" for card in CARDS]
        rows = service(redis, at_us, keys[:7] + ["shop:mall", "user:bo"] + keys[7:] + keys[:40],
                       "amount", "7.5", "note", "x")
        assert len(rows) == len(CARDS) + 40, len(rows)
        for card, row in zip([*CARDS, *CARDS], rows):
            check_row(redis, at_us, card, "mall", "bo", "7.50", row)
        # And every shop for one card.
        rows = service(redis, at_us, [f"shop:{shop}" for shop in SHOPS] + [f"card:{CARDS[0]}"],
                       "amount", "0", "note", "x")
        for shop, row in zip(SHOPS, rows, strict=True):
            check_row(redis, at_us, CARDS[0], shop, "eve", "0", row)
        redis.close()


def answers_are_those_of_the_features_in_one_shard():
    answers_are_those_of_the_features(1)


def answers_are_those_of_the_features_in_three_shards():
    answers_are_those_of_the_features(3)


def refused(redis, *words):
    try:
        redis.call(*words)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"taken: {words}")


def what_is_wrong_is_named_and_nothing_is_answered():
    with support.running(streams=DEFINITIONS) as appliance:
        redis, _ = filled(appliance)
        ask = ("FS.GET", "card:4000", "SERVICE")
        for words, error in (
                ((*ask, "frauds"), "ERR unknown service 'frauds'; did you mean 'fraud'?"),
                ((*ask, "fraud@1"), "ERR 'fraud@1' is not there: service 'fraud' has version 2"),
                ((*ask, "fraud"), "ERR service 'fraud' needs REQUEST amount, a decimal; "
                                  "it is not optional"),
                ((*ask, "fraud", "REQUEST", 1, "amount", ""),
                 "ERR service 'fraud' needs REQUEST amount, a decimal; it is not optional"),
                ((*ask, "fraud", "REQUEST", 1, "amount", "1e3x"),
                 "ERR REQUEST amount is '1e3x', which is no decimal of scale 2"),
                (("FS.MGET", 4, "card:1", "card:2", "user:a", "user:b", "SERVICE", "fraud",
                  "REQUEST", 1, "amount", 1),
                 "ERR keys of 'card' and of 'user' are given more than once; one entity may have "
                 "candidates")):
            assert refused(redis, *words) == error, refused(redis, *words)
        assert redis.call(*ask, "fraud@2", "REQUEST", 1, "amount", 1)[0] == b"left"
        redis.close()


def durable_answers_are_the_same():
    with support.running(streams=DEFINITIONS, data="directory: var") as appliance:
        redis, at_us = filled(appliance)
        ask = ("FS.MGET", 3, "card:4000", "shop:mall", "card:4001", "SERVICE", "fraud", "AT", at_us,
               "REQUEST", 1, "amount", 1)
        assert redis.call(*ask, "LEVEL", "durable") == redis.call(*ask)
        redis.close()


def the_command_line_reads_and_checks_services():
    with support.running(streams=DEFINITIONS) as appliance:
        filled(appliance)
        ask = ("get", "--service", "fraud", "shop:mall", "user:bo", "amount=2.50")
        rows = json.loads(appliance.verb(*ask, "card:4000", "card:4001", "note=a=b",
                                         "--json").stdout)
        assert len(rows) == 2 and list(rows[0]) == NAMES, rows
        assert rows[0]["usual"]["value"].startswith("a=b@"), rows
        assert appliance.status()["services"] == [{
            "service": "fraud", "version": 2, "features": 9, "entities": ["shop", "card", "user"],
        }], appliance.status()["services"]
        text = appliance.verb(*ask, "card:4000").stdout
        assert text.splitlines()[1].startswith("left  "), text
        done = appliance.verb("get", "--service", "frod", "card:1", check=False)
        assert done.returncode == 1 and "did you mean 'fraud'?" in done.stderr, done
        check = support.run("check", appliance.definitions)
        assert check.returncode == 0, check
        assert ("service fraud: version 2, 9 features, entities shop, card, user, "
                "request amount, note") in check.stdout, check.stdout
        check = json.loads(support.run("check", "--json", appliance.definitions).stdout)
        assert check["services"] == [{
            "service": "fraud", "version": 2, "features": 9, "entities": ["shop", "card", "user"],
            "request": ["amount", "note"]}], check


if __name__ == "__main__":
    support.main([
        answers_are_those_of_the_features_in_one_shard,
        answers_are_those_of_the_features_in_three_shards,
        what_is_wrong_is_named_and_nothing_is_answered,
        durable_answers_are_the_same,
        the_command_line_reads_and_checks_services,
    ])
