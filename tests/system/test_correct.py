#!/usr/bin/env python3
"""freshet correct: events that should have been others, or none, against a recompute of the events
as they should have been, and against a store that never had the wrong ones."""

import collections
import csv
import json
import os
import pathlib
import random
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402
import life as lives  # noqa: E402

SEED = int(os.environ.get("SEED", "30"))
PRODUCER, INCARNATION = 700, 1700000000
EVENT = struct.Struct("<qQ8sq")
RULES = lives.FIELDS.replace("{type: decimal, scale: 2}",
                             "{type: decimal, scale: 2, min: 0, max: 100000}")

Event = collections.namedtuple("Event", "ts card shop amount")


def events_make(generator, messages):
    """{sequence: [Event...]}; the newest comes last, and nobody corrects it."""
    now = time.time_ns() // 1000
    start = now - lives.SPAN_US
    made = {}
    for sequence in range(1, messages + 1):
        made[sequence] = [
            Event(start + generator.randrange(lives.SPAN_US // 2), generator.randrange(lives.CARDS),
                  f"shop{generator.randrange(lives.SHOPS)}", generator.randrange(1, 100000))
            for _ in range(generator.choice((1, 1, 2, 3)))]
    made[messages + 1] = [Event(now - 1000000, 0, "shop0", 1)]
    return made


def datagram(sequence, events):
    head = struct.pack("<4H", 52, 1, 1, 1)
    root = struct.pack("<QQQQqIIBBH", 0, PRODUCER, sequence, sequence, 0, INCARNATION, 0, 1, 0, 0)
    blocks = b"".join(EVENT.pack(e.ts, e.card, e.shop.encode(), e.amount) for e in events)
    return head + root + struct.pack("<2H", EVENT.size, len(events)) + blocks


def send(life, made):
    """Sends the messages and waits until their events are applied."""
    wanted = life.appliance.status()["applied"]
    for number, (sequence, events) in enumerate(made.items(), 1):
        life.appliance.send(datagram(sequence, events))
        wanted += len(events)
        if number % 200 == 0 or number == len(made):
            support.wait_until(lambda: life.appliance.status()["applied"] >= wanted, "all applied")


def recompute(made):
    """What reads must say, naively: (n, sum, top, last) per card, (n, sum) per shop."""
    cards, shops = collections.defaultdict(list), collections.defaultdict(list)
    for sequence, events in made.items():
        for place, event in enumerate(events):
            if event is not None:
                cards[event.card].append(((event.ts, sequence, place), event.amount))
                shops[event.shop].append(event.amount)
    text = lambda cents: client.decimal_text(cents, 2).encode()
    return ({card: (str(len(found)).encode(), text(sum(a for _, a in found)),
                    text(max(a for _, a in found)), text(max(found)[1]))
             for card, found in cards.items()},
            {shop: (str(len(found)).encode(), text(sum(found))) for shop, found in shops.items()})


def assert_served(life, made):
    """Owners may have to wait for their homes; in the end all is right."""
    end = time.monotonic() + 5
    while True:
        try:
            return served_check(life, made)
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def served_check(life, made):
    cards, shops = recompute(made)
    for card, row in life.read().items():
        assert (row == cards[card]) if card in cards else row[0] in (None, b"0"), \
            (card, row, cards.get(card))
    for shop, row in life.read("shop", ("n", "sum"), "trade").items():
        assert (row == shops[shop]) if shop in shops else row[0] in (None, b"0"), \
            (shop, row, shops.get(shop))


def correct(life, *arguments, code=0):
    done = support.run("correct", "--data", life.directory, *arguments,
                       cwd=life.appliance.folder)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def identity(sequence, place=0):
    return ("--producer", PRODUCER, "--incarnation", INCARNATION, "--sequence", sequence, "--place",
            place)


def event_json(event):
    return json.dumps({"ts": event.ts, "card": event.card, "shop": event.shop,
                       "amount": client.decimal_text(event.amount, 2)})


def listed(life):
    return json.loads(correct(life, "list", "--json").stdout)


def hash_of(life, *arguments):
    done = support.run("replay", "--data", life.directory, "--hash", "--json", *arguments,
                       life.appliance.definitions, cwd=life.appliance.folder)
    assert done.returncode == 0, done
    return json.loads(done.stdout)["hash"]


def draw(generator, made, count):
    """Corrections of some events: [(sequence, place, Event or None)]; what is retracted ends its
    message, so that a store that never had it has the others at their places."""
    drawn = {}
    while len(drawn) < count:
        sequence = generator.randrange(1, len(made))
        place = generator.randrange(len(made[sequence]))
        was = made[sequence][place]
        retracts = generator.random() < 0.4 and place + 1 == len(made[sequence])
        drawn[sequence, place] = None if retracts else generator.choice((
            was._replace(amount=generator.randrange(1, 100000)),
            was._replace(card=generator.randrange(lives.CARDS)),
            was._replace(ts=was.ts + generator.randrange(10**7), shop="shop1")))
    # One of two places of a message may not go while the other is changed behind it.
    return [(sequence, place, event) for (sequence, place), event in drawn.items()
            if event is not None or all(s != sequence or p == place for s, p in drawn)]


def corrected(made, drawn):
    result = {sequence: list(events) for sequence, events in made.items()}
    for sequence, place, event in drawn:
        result[sequence][place] = event
    return result


def never_wrong(life, made):
    """A store in another folder that only ever got these; its state hash."""
    folder = life.appliance.folder / "never"
    folder.mkdir()
    other = lives.Life(folder, shards=1)
    try:
        other.appliance.start()
        send(other, {sequence: [e for e in events if e is not None]
                     for sequence, events in made.items() if any(events)})
        assert_served(other, made)
    finally:
        assert other.appliance.stop() == 0
    return hash_of(other)


def corrections_try(life, crash, shards):
    generator = random.Random(SEED)
    print(f"     SEED={SEED}")
    life.start()
    made = events_make(generator, 400)
    send(life, {s: e for s, e in made.items() if s <= 250})
    life.appliance.verb("checkpoint")
    send(life, {s: e for s, e in made.items() if s > 250})
    assert_served(life, made)
    if crash:
        life.appliance.kill()
    else:
        assert life.appliance.stop() == 0
    drawn = draw(generator, made, 40)
    single, many = drawn[:3], drawn[3:]
    for sequence, place, event in single:
        action = ("retract",) if event is None else ("replace", "--event", event_json(event))
        correct(life, *action, *identity(sequence, place), "--why", "a test",
                life.appliance.definitions)
    asked = life.appliance.folder / "asked.ndjson"
    asked.write_text("".join(
        json.dumps({"action": "retract" if event is None else "replace", "producer": PRODUCER,
                    "incarnation": INCARNATION, "sequence": str(sequence), "place": place})[:-1]
        + ("}\n" if event is None else f', "event": {event_json(event)}}}\n')
        for sequence, place, event in many))
    correct(life, "--file", asked)
    right = corrected(made, drawn)
    told = listed(life)
    assert len(told) == len(drawn) and all(one["pending"] for one in told), told
    expected = hash_of(life)
    assert expected == hash_of(life, "--since", "1") == hash_of(life, "--shards", "3")
    target = life.appliance.folder / "copy" / "data"
    done = support.run("replay", "--data", life.directory, "--into", target,
                       life.appliance.definitions)
    assert done.returncode == 0, done
    life.define(shards=shards)
    for delay in (0.01, 0.02, 0.04, 0.06) if crash else ():
        life.appliance.spawn()  # A start that is cut short leaves it to the next one.
        time.sleep(delay)
        life.appliance.kill()
    life.start()
    assert_served(life, right)
    assert crash or life.appliance.status()["store"]["recovery"]["corrected_rows"] > 0
    assert hash_of(life) == expected
    told = listed(life)
    assert not any(one["pending"] for one in told), told
    rows = {one["view"]: one["rows"] for one in told[-1]["rebuilt"]}
    assert set(rows) == {"activity", "trade"} and 0 < rows["activity"] <= lives.CARDS, rows
    # Behind the next checkpoint they are not built again.
    life.appliance.verb("checkpoint")
    built = len(listed(life)[-1]["rebuilt"])
    life.appliance.kill()
    life.start()
    assert_served(life, right)
    assert len(listed(life)[-1]["rebuilt"]) == built >= len(rows), listed(life)[-1]
    extra = {len(made) + 1: [Event(time.time_ns() // 1000, 3, "shop3", 77)]}
    send(life, extra)
    assert_served(life, {**right, **extra})
    assert life.appliance.stop() == 0
    assert never_wrong(life, right) == expected


@lives.life(lives.MEMORY, shards=2)
def a_corrected_store_is_as_if_the_wrong_events_had_never_been(life):
    corrections_try(life, crash=False, shards=2)


@lives.life(lives.MEMORY, shards=2)
def so_it_is_after_a_crash_and_into_another_number_of_shards(life):
    corrections_try(life, crash=True, shards=3)


@lives.life(lives.MEMORY)
def the_last_correction_of_an_event_counts(life):
    life.start()
    made = {1: [Event(time.time_ns() // 1000 - 10**6, 5, "shop2", 1000)],
            2: [Event(time.time_ns() // 1000 - 10**5, 6, "shop2", 500)]}
    send(life, made)
    assert life.appliance.stop() == 0
    first = made[1][0]._replace(card=7)
    correct(life, "replace", "--event", event_json(first), *identity(1))
    life.start()
    assert_served(life, {1: [first], 2: made[2]})
    assert life.appliance.stop() == 0
    correct(life, "retract", *identity(1))
    life.start()
    assert_served(life, {1: [None], 2: made[2]})
    assert life.appliance.stop() == 0
    # Back to what it was: without a time it keeps its own.
    event = json.loads(event_json(made[1][0]))
    del event["ts"]
    correct(life, "replace", "--event", json.dumps(event), *identity(1))
    life.start()
    assert_served(life, made)
    shown = correct(life, "list").stdout
    for word in ("retracted transaction 0:1:", "card             5 -> 7", "10.00",
                 "built anew: 1 rows of trade"):
        assert word in shown, shown
    assert life.appliance.stop() == 0


@lives.life(lives.MEMORY)
def events_of_text_are_corrected_by_their_epoch_and_count(life):
    life.start()
    now = time.time_ns() // 1000 * 1000
    lines = "".join(f'transaction,card={card} shop="shop3",amount={card}.00 {now - card}\n'
                    for card in (3, 4, 5))
    life.appliance.send(lines.encode())
    life.appliance.wait_received(3)
    assert life.appliance.stop() == 0
    segment = sorted(life.directory.glob("mirror-000-*.log"))[0]
    shown = support.run("inspect", segment, "--entries", "--json").stdout
    found = [entry for frame in json.loads(shown)["frames"] for entry in frame["entries"]
             if entry["kind"] == "message"]
    assert len(found) == 3 and {one["producer"] for one in found} == {0}, found
    for one, arguments in zip(found, (("retract",), ("replace", "--event", json.dumps(
            {"card": 6, "shop": "shop3", "amount": "9.00"})))):
        correct(life, *arguments, "--producer", 0, "--incarnation", one["incarnation"], "--lane",
                one["lane"], "--sequence", one["sequence"], "--place", one["place"])
    life.start()
    read = life.read(features=("sum",))
    assert [read[card][0] for card in (3, 4, 5, 6)] == [None, None, b"5.00", b"9.00"], read
    assert life.appliance.stop() == 0
    assert hash_of(life) == hash_of(life, "--since", "1", "--shards", "2")


@lives.life(lives.MEMORY)
def a_listener_and_a_new_view_get_events_as_corrected(life):
    life.start()
    made = {s: [Event(time.time_ns() // 1000 - 10**6 * (20 - s), s, "shop1", 100 * s)]
            for s in range(1, 9)}
    send(life, made)
    assert life.appliance.stop() == 0
    drawn = [(2, 0, None), (3, 0, made[3][0]._replace(amount=5))]
    correct(life, "retract", *identity(2))
    correct(life, "replace", "--event", event_json(drawn[1][2]), *identity(3))
    right = corrected(made, drawn)
    folder = life.appliance.folder / "staging"
    folder.mkdir()
    other = lives.Life(folder, data=None)
    other.appliance.start()
    try:
        done = support.run("replay", "--data", life.directory, "--to",
                           f"127.0.0.1:{other.appliance.udp}", "--speed", "max",
                           life.appliance.definitions)
        assert done.returncode == 0 and "sent              7 events" in done.stdout, done
        other.appliance.wait_received(7)
        assert_served(other, right)
    finally:
        other.appliance.kill()
    again = lives.CARD.replace("activity", "later")
    life.define(streams=lives.streams_of(views=lives.CARD + lives.SHOP + again))
    life.start()
    assert life.read(view="later") == life.read()
    assert_served(life, right)
    assert life.appliance.stop() == 0


SERVICE = """services:
  look:
    version: 1
    features: [activity.n_1h, activity.sum_1h, activity.top_1h, activity.last_1h]
"""


def assert_trained(life, mode, moment, made):
    """The training set of all cards at a moment has a recompute of these events."""
    labels, out = life.appliance.folder / "labels.csv", life.appliance.folder / "set.csv"
    labels.write_text("card,time\n" + "".join(f"{card},{moment}\n"
                                              for card in range(lives.CARDS)))
    done = support.run("train", life.appliance.definitions, "--service", "look", "--labels",
                       labels, "--out", out, "--mode", mode, "--data", life.directory,
                       "--no-status", "--quiet", cwd=life.appliance.folder)
    assert done.returncode == 0, done
    with open(out, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    out.unlink()
    cards, _ = recompute(made)
    for row in rows:
        got = tuple(row[f"activity.{name}_1h"] for name in ("n", "sum", "top", "last"))
        wanted = tuple(value.decode() for value in cards.get(int(row["card"]), ()))
        assert got == wanted or not wanted and got[0] in ("", "0"), (mode, row, wanted)


@lives.life(lives.MEMORY, shards=2)
def training_sets_have_events_as_corrected(life):
    life.define(streams=lives.streams_of() + SERVICE, shards=2)
    life.start()
    generator = random.Random(SEED)
    made = events_make(generator, 200)
    send(life, made)
    assert_served(life, made)
    q = time.time_ns() // 1000
    assert life.appliance.stop() == 0
    drawn = draw(generator, made, 25)
    asked = life.appliance.folder / "asked.csv"
    asked.write_text("action,producer,incarnation,sequence,place,event\n" + "".join(
        f"retract,{PRODUCER},{INCARNATION},{sequence},{place},\n" if event is None else
        f"replace,{PRODUCER},{INCARNATION},{sequence},{place},\"" +
        event_json(event).replace('"', '""') + '"\n' for sequence, place, event in drawn))
    correct(life, "--file", asked)
    # What serving returned before the correction stays what it was; what it returns since has it.
    life.start()
    later = time.time_ns() // 1000
    assert life.appliance.stop() == 0
    right = corrected(made, drawn)
    for mode, moment, expected in (("as_known", q, made), ("as_known", later, right),
                                   ("as_true", later, right)):
        assert_trained(life, mode, moment, expected)


def values_of(life, *arguments):
    """Of each correction: {(view, key, feature): (before, after)}."""
    told = json.loads(correct(life, "list", "--values", "--json", *arguments,
                              life.appliance.definitions).stdout)
    for one in told:
        for change in one["values"]:
            assert (change["before"] is None) == (change["before_status"] != "PRESENT"), change
            assert (change["after"] is None) == (change["after_status"] != "PRESENT"), change
    return told, [{(v["view"], v["key"], v["feature"]): (v["before"], v["after"])
                   for v in one["values"]} for one in told]


def differing(before, after):
    """What two recomputes have that differs, of features that both know."""
    changes = {}
    for view, entity, names, windows, index in (
            ("activity", "card", ("n", "sum", "top", "last"), ("10m", "1h"), 0),
            ("trade", "shop", ("n", "sum"), ("1h",), 1)):
        rows = recompute(before)[index], recompute(after)[index]
        for key in rows[0].keys() | rows[1].keys():
            for place, name in enumerate(names):
                pair = tuple(row[key][place].decode() if key in row else None for row in rows)
                if pair[0] != pair[1]:
                    for window in windows:
                        changes[view, f"{entity}:{key}", f"{name}_{window}"] = pair
    return changes


def without_std(changes):
    return {key: pair for key, pair in changes.items() if not key[2].startswith("std")}


@lives.life(lives.MEMORY, shards=2)
def the_list_says_what_each_run_changed(life):
    life.start()
    generator = random.Random(SEED)
    made = events_make(generator, 120)
    send(life, made)
    assert_served(life, made)
    assert life.appliance.stop() == 0
    moved = made[5][0]._replace(card=(made[5][0].card + 1) % lives.CARDS, shop="shop1")
    correct(life, "replace", "--event", event_json(moved), *identity(5))
    first = corrected(made, [(5, 0, moved)])
    asked = life.appliance.folder / "asked.ndjson"
    asked.write_text("".join(
        json.dumps({"action": "retract", "producer": PRODUCER, "incarnation": INCARNATION,
                    "sequence": sequence, "place": len(made[sequence]) - 1}) + "\n"
        for sequence in (5, 9, 17)))
    correct(life, "--file", asked)
    second = corrected(first, [(s, len(made[s]) - 1, None) for s in (5, 9, 17)])
    told, values = values_of(life)
    assert [one["action"] for one in told] == ["replace", "retract", "retract", "retract"]
    assert all(one["values_at_us"] == one["made_us"] for one in told), told
    assert without_std(values[0]) == differing(made, first), (values[0], differing(made, first))
    run = {key: pair for one in values[1:] for key, pair in one.items()}
    assert without_std(run) == differing(first, second)
    # Each has its own rows, also those of what the event was said to be before.
    keys = {key for _, key, _ in values[1]}
    assert f"card:{made[9][-1].card}" in {key for one in values[2:] for _, key, _ in one}
    if len(made[5]) == 1:
        assert {f"card:{moved.card}", "shop:shop1"} <= keys, keys
    # Before any of it came there is nothing to differ; text says so too.
    early = str(min(event.ts for events in made.values() for event in events) - 10**6)
    assert not any(values_of(life, "--at", early)[1])
    text = correct(life, "list", "--values", life.appliance.definitions).stdout
    view, key, feature = next(iter(values[0]))
    for line in (f"{view} of {key}", f"{feature} "):
        assert line in text, text
    assert "no feature of its rows differs" in correct(
        life, "list", "--values", "--at", early, life.appliance.definitions).stdout
    # The next start has what they are after.
    life.start()
    assert_served(life, second)
    assert life.appliance.stop() == 0
    assert values_of(life)[1] == values, "a later start changed the audit"
    for arguments, words in ((("list", "--values"), "--values needs definitions"),
                             (("list", "--at", "5"), "--at with --values alone"),
                             (("retract", "--values", *identity(1)), "are for list")):
        assert words in correct(life, *arguments, code=2).stderr, arguments


@lives.life(lives.MEMORY, data="directory: data, checkpoint: 1h, mirror: "
            "{segment: 1MiB, bytes: 4MiB}")
def rows_that_reach_back_beyond_the_mirror_are_not_built_anew_unasked(life):
    life.start()
    start = time.time_ns() // 1000 - 10**7
    made = {s: [Event(start + s, 1 + s % 7, "shop1", 100)] * 40 for s in range(1, 5001)}
    send(life, made)
    for _ in range(4):  # Of three checkpoints nothing is let go.
        life.appliance.verb("checkpoint")
    support.wait_until(lambda: life.appliance.status()["store"]["logs"][0]["segments_kept"] <= 4,
                       "old segments are let go")
    assert_served(life, made)
    assert life.appliance.stop() == 0
    definitions = life.appliance.definitions
    old = correct(life, "retract", *identity(1), definitions, code=1)
    assert "the oldest record that the mirror keeps is 0:1:" in old.stderr, old.stderr
    reach = correct(life, "retract", *identity(5000), definitions, code=1)
    assert "view `activity` looks back further than the mirror" in reach.stderr, reach.stderr
    unknown = correct(life, "retract", *identity(5000), code=1)
    assert "name the definitions" in unknown.stderr, unknown.stderr
    assert listed(life) == []
    correct(life, "retract", *identity(5000), "--forget-older", definitions)
    life.start()
    read = life.read(features=("n",))
    whole = 40 * 5000 // 7
    assert 0 < int(read[1 + 5000 % 7][0]) < whole - 1000, "what is kept of the corrected row"
    assert all(int(read[card][0]) >= whole - 40 for card in range(1, 8) if card != 1 + 5000 % 7)
    told = json.loads(support.run("replay", "--data", life.directory, "--since", "1", "--hash",
                                  "--json", definitions).stdout)
    assert told["views"]["activity"]["since_us"] > start + 10**7, told["views"]
    assert life.appliance.stop() == 0


@lives.life(lives.MEMORY)
def what_cannot_be_corrected_is_told(life):
    life.define(streams=lives.streams_of(fields=RULES))
    life.start()
    made = {1: [Event(time.time_ns() // 1000 - 10**6, 5, "shop2", 1000)]}
    send(life, made)
    life.appliance.send(datagram(2, [made[1][0]._replace(amount=-5)]))
    life.appliance.wait_received(2)
    running = correct(life, "retract", *identity(1), code=1)
    assert "an appliance runs on it" in running.stderr, running.stderr
    assert life.appliance.stop() == 0
    good = event_json(made[1][0])
    definitions = life.appliance.definitions
    asked = life.appliance.folder / "asked.csv"
    asked.write_text("action,producer,incarnation,sequence,event\n"
                     f'replace,{PRODUCER},{INCARNATION},1,"{{""ts"": 5}}"\n')
    wrong = life.appliance.folder / "wrong.csv"
    wrong.write_text(f"action,producer,incarnation,sequence\nundo,{PRODUCER},{INCARNATION},1\n")
    for code, word, *arguments in [
            (1, "no such event is kept; the oldest record that the mirror keeps is 0:1:1",
             "retract", *identity(9)),
            (1, "no such event is kept", "retract", *identity(1, 1)),
            (1, "it was not applied (event_below_min)", "retract", *identity(2)),
            (1, "field `shop`", "replace", "--event", '{"card": 5, "amount": 1}', *identity(1)),
            (1, "no fields of `transaction`", "replace", "--event",
             good.replace('"shop"', '"shop": "a", "hop"'), *identity(1)),
            (1, "event_above_max", "replace", "--event", good.replace("10.00", "100001"),
             *identity(1), definitions),
            (1, "field `ts`: event_future", "replace", "--event",
             json.dumps({**json.loads(good), "ts": 9223372036854775807}), *identity(1),
             definitions),
            (1, "field `card`", "--file", asked),
            (1, "wrong.csv:2: `action` is retract or replace", "--file", wrong),
            (2, "--event JSON is needed", "replace", *identity(1)),
            (2, "--event is for replace", "retract", "--event", good, *identity(1)),
            (2, "who sent the event", "retract", "--producer", 5),
            (2, "retract, replace and list are known", "undo", *identity(1)),
            (2, "without control characters", "retract", *identity(1), "--why", "a\x1b[2Jb"),
            (2, "list takes", "list", "--file", asked)]:
        done = correct(life, *arguments, code=code)
        assert word in done.stderr, (arguments, done.stderr)
    assert listed(life) == []
    assert support.run("correct", "list").returncode == 2
    correct(life, "retract", *identity(1))
    verified = support.run("verify", life.directory)
    assert verified.returncode == 0 and "1 corrections of events" in verified.stdout, verified
    damaged = bytearray((life.directory / "corrections").read_bytes())
    damaged[70] ^= 1
    (life.directory / "corrections").write_bytes(damaged)
    life.refused(1, "the file `corrections` of the data directory is damaged")
    assert "damaged" in correct(life, "retract", *identity(1), code=1).stderr
    assert "the file `corrections` is damaged" in correct(life, "list", code=1).stderr
    verified = support.run("verify", life.directory)
    assert verified.returncode == 1 and "damaged  corrections" in verified.stdout, verified


TESTS = [a_corrected_store_is_as_if_the_wrong_events_had_never_been,
         so_it_is_after_a_crash_and_into_another_number_of_shards,
         the_last_correction_of_an_event_counts,
         events_of_text_are_corrected_by_their_epoch_and_count,
         a_listener_and_a_new_view_get_events_as_corrected,
         training_sets_have_events_as_corrected,
         the_list_says_what_each_run_changed,
         rows_that_reach_back_beyond_the_mirror_are_not_built_anew_unasked,
         what_cannot_be_corrected_is_told]

if __name__ == "__main__":
    support.main([test for test in TESTS if len(sys.argv) < 2 or test.__name__ in sys.argv])
