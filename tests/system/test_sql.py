#!/usr/bin/env python3
"""`freshet sql`, run by DuckDB over the same events, gives what the real process answers: every
feature of every entity at times on and beside edges. Exact kinds are equal as text; averages,
variances and what is derived from them are at most two units in the last place apart, because SQL
divides exact integers as doubles.

usage: test_sql.py own|types|expressions|taxi|wikipedia
"""

import contextlib
import csv
import math
import struct
import subprocess
import sys
import tempfile

import dataset
import test_dataset_types as types
import test_expressions

import duckdb  # noqa: E402 (dataset has put tests/support on the path)

ROUNDED = ("avg", "var_pop", "var_samp", "stddev_pop", "stddev_samp")
UNITS_MOST = 2
SERVICE = dataset.HERE / "data" / "sql_service.yaml"
VALUES_PER_REQUEST = 8000
DIFFERENCES_SHOWN = 5
WIDEST = 10**9  # Squares of all events together stay below 2^127, which is as far as SQL goes.


# Events as a table.

def cell_of(field, value):
    """Of a decoded value, as CSV."""
    if value is None:
        return ""
    if field.type == "f64":
        return repr(float(dataset.oracle.Fraction(value, 10**field.scale)))
    if field.type == "decimal":
        return dataset.oracle.format_decimal(value, field.scale)
    return str(value)


def table_load(database, path, stream, messages):
    """Of the only stream. messages: as the process has applied them, each once."""
    database.query(sql_of(path, "--tables"))
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        rows = csv.writer(file)
        for message in messages:
            for place, values in enumerate(message.events):
                cells = [cell_of(f, v) for f, v in zip(stream.fields, values)]
                rows.writerow([*cells, message.sequence << 16 | place])
        file.flush()
        database.query(f"COPY \"{stream.name}\" FROM '{file.name}' (FORMAT csv, HEADER false)")


def sql_of(*words):
    done = subprocess.run([dataset.support.PROGRAM, "sql", *words], capture_output=True,
                          text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Answers side by side.

def units_apart(a, b):
    """Units in the last place between two doubles."""
    words = []
    for value in (a, b):
        word = struct.unpack("<q", struct.pack("<d", value))[0]
        words.append(word if word >= 0 else -(word & (1 << 63) - 1))
    return abs(words[0] - words[1])


class Tally:
    def __init__(self):
        self.equal = self.near = self.left_out = self.wrong = 0

    def compare(self, where, expected, actual, rounded):
        """expected: of the process."""
        is_double = isinstance(actual, float)
        text = dataset.oracle.format_double(actual) if is_double else actual
        if expected == text:
            self.equal += 1
        elif rounded and is_double and expected is not None and (
                units_apart(float(expected), actual) <= UNITS_MOST):
            self.near += 1
        else:
            self.wrong += 1
            if self.wrong <= DIFFERENCES_SHOWN:
                print(f"{where}: the process says {expected!r}, SQL {actual!r}")


def key_text(view, cells):
    if len(cells) > 1:
        cells = [cell.replace("%", "%25").replace("|", "%7C") for cell in cells]
    return view.entity + ":" + "|".join(cells)


def table_of(database, view, sql, q_us):
    """(features, {key: values}) of a view at a time."""
    names, rows = database.table(sql, q=q_us)
    keys = len(view.keys)
    return names[keys:], {key_text(view, row[:keys]): row[keys:] for row in rows}


def is_rounded(view, feature):
    """Whether a feature is a double that is divided, or may be derived from one."""
    for aggregate in view.aggregates:
        if any(feature == aggregate.name + window.suffix for window in view.windows):
            return aggregate.kind in ROUNDED
    return True


def is_empty(view, feature, value):
    return value in (None, "0") or is_rounded(view, feature)


def view_check(redis, model, database, view, sql, q_us, tally):
    """At one time. Left out is what the process calls approximate, or has not cut at the time."""
    features, table = table_of(database, view, sql, q_us)
    end_us = q_us + view.extend_us
    keys = [key for key in model.entities[view.name] if model.is_exact(view, key, q_us)]
    assert not set(table) - set(model.entities[view.name]), "SQL has keys that never came"
    rounded = {feature: is_rounded(view, feature) for feature in features}
    step = max(1, min(VALUES_PER_REQUEST // len(features), 1000 - len(features)))
    for at in range(0, len(keys), step):
        part = keys[at:at + step]
        asked = [f"{view.name}.{feature}" for feature in features]
        replies = redis.call("FS.MGET", len(part), *part, "FIELDS", len(asked), *asked, "AT", q_us,
                             "WITHMETA")
        for key, reply in zip(part, replies):
            row = table.get(key)
            for place, feature in enumerate(features):
                value, status, flags, _, end = reply[2 * place + 1][:5]
                value, status, flags = (dataset.text(v) for v in (value, status, flags))
                where = f"{view.name}.{feature} of {key} at {q_us}"
                uncut = status != "NOT_FOUND" and dataset.time_of(end) != end_us
                if uncut or "APPROXIMATE" in (flags or ""):
                    tally.left_out += 1
                elif row is None:
                    # Nothing before the time; what came after it keeps the row.
                    later = model.entities[view.name][key].newest_us() >= end_us
                    assert status == "NOT_FOUND" or later, f"{where}: SQL has no row"
                    assert is_empty(view, feature, value), f"{where}: {value}, SQL has no row"
                elif status == "NOT_FOUND":
                    raise AssertionError(f"{where}: SQL has a row")
                else:
                    tally.compare(where, value, row[place], rounded[feature])


def views_check(redis, model, path, messages, times, least):
    tally = Tally()
    with contextlib.closing(duckdb.Database()) as database:
        table_load(database, path, *model.definition.streams.values(), messages)
        for view in model.definition.views.values():
            sql = sql_of(path, "--view", view.name)
            for q_us in times:
                view_check(redis, model, database, view, sql, q_us, tally)
    print(f"{tally.equal} values equal, {tally.near} within {UNITS_MOST} units in the last place, "
          f"{tally.left_out} left out")
    assert tally.wrong == 0, f"{tally.wrong} values differ"
    assert tally.equal >= least, "too few values were compared"
    assert tally.near <= tally.equal / 10, "too many are rounded otherwise"


# Runs.

def run_made(name, value_of, events=2000, producers=3, more=(), check=None):
    """Events that are made up, in any order, with nulls and ties between producers."""
    source = dataset.seed_of(41)
    path, definition = dataset.definition(name)
    [stream] = definition.streams.values()
    model = dataset.oracle.Oracle(definition)
    messages, tied = [], {}
    with dataset.started(name, shards=2, more=more) as appliance:
        redis, sender = dataset.opened(appliance)
        order = list(range(events // 10))
        source.shuffle(order)
        for number in order:
            pairs = [[value_of(source, f) for f in stream.fields] for _ in range(10)]
            identity = number // producers + 1, number % producers
            for place, event in enumerate(pairs):
                if source.random() < 0.7:  # Then only the value decides which one is the last.
                    event[stream.time] = tied.setdefault((identity[0], place), event[stream.time])
            decoded, wire = ([tuple(pair[side] for pair in event) for event in pairs]
                             for side in (0, 1))
            messages.append(dataset.oracle.Message(stream, decoded, *identity))
            packed = dataset.oracle.Message(stream, wire, *identity)
            sender.send(dataset.client.pack_message(stream, packed), len(wire))
            model.receive(messages[-1:], dataset.time.time_ns() // 1000)
        sender.sync()
        dataset.settled(redis, model)
        middle_us = types.BASE_US + 10 * 60 * 10**6
        times = [types.time_of(source) for _ in range(4)]
        times += [types.BASE_US + minute * 60 * 10**6 for minute in (3, 12, 25)]
        times += [middle_us - 1, middle_us, middle_us + 1, types.BASE_US + types.SPAN_US,
                  types.BASE_US + 2 * types.SPAN_US]
        views_check(redis, model, path, messages, times, least=1000)
        if check:
            check(redis, model, path, messages, times)


def value_made(source, field):
    """Of a field of sql.yaml: decoded, and as it goes over the wire."""
    if field.name == "at":
        value = types.time_of(source)
    elif field.optional and source.random() < 0.2:
        return None, None
    elif field.name == "Shop":
        value = source.choice(["ab", "b a", "aa_x", "\u00e4|b", "50%", "c"])
    elif field.name == "card":
        value = source.choice([1, 7, 2**63 + 5])
    elif field.name == "rate":
        real = source.choice([source.uniform(-1000, 1000), source.randrange(-50, 50) / 8, 5e-7])
        return dataset.oracle.quantise(real, field.scale), real
    elif field.type == "timestamp":
        value = source.randrange(-10**15, 2 * 10**15)
    elif field.type == "bool":
        value = source.randrange(2)
    elif field.type == "u64":
        value = source.choice([0, 500, 2000, 2**64 - 2])
    else:
        value = source.randrange(-3, 4) * source.choice([1, 100, 9999])
    return value, value


def value_bounded(source, field):
    """Of the definitions that other tests bring, of whatever type."""
    if field.name == "at":
        time_us = types.time_of(source)
        return time_us, time_us
    if field.name == "key":
        key = source.choice([-7, 0, 1, 2**31 - 1])
        return key, key
    if field.type == "timestamp":
        return test_expressions.value_of(source, field)
    decoded, wire = types.value_of(source, field)
    if field.type in ("i64", "u64", "decimal") and decoded is not None and abs(decoded) > WIDEST:
        decoded = wire = int(math.fmod(decoded, WIDEST))
    if field.type == "f64" and decoded is not None and abs(wire) > 1e6:
        wire = math.fmod(wire, 1e6)
        decoded = dataset.oracle.quantise(wire, field.scale)
    return decoded, wire


def run_data(name, events_of, times, least):
    path, definition = dataset.definition(name)
    [stream] = definition.streams.values()
    model = dataset.oracle.Oracle(definition)
    messages = dataset.messages_of(stream, events_of(stream))
    with dataset.started(name) as appliance:
        redis, sender = dataset.opened(appliance)
        dataset.send_messages(sender, model, messages)
        dataset.settled(redis, model)
        views_check(redis, model, path, messages, times, least)


# The service of sql.yaml.

def service_check(redis, model, path, messages, times):
    tally = Tally()
    sql = sql_of(path, SERVICE, "--service", "check")
    [stream] = model.definition.streams.values()
    requests = [("12.50", None), ("0", "x"), ("-1.05", "it's"), ("92233720368547758.07", None)]
    with contextlib.closing(duckdb.Database()) as database:
        table_load(database, path, stream, messages)
        for q_us in times:
            for number, (amount, code) in enumerate(requests):
                card = [1, 7, 2**63 + 5, 99][number]
                zone = [1, -100, 0, 12][number]
                names, [row] = database.table(sql, q=q_us, key_card=card, key_zone=zone,
                                              request_amount=amount, request_code=code)
                fields = ["amount", amount] + (["code", code] if code else [])
                reply = redis.call("FS.MGET", 2, f"card:{card}", f"zone:{zone}", "SERVICE", "check",
                                   "AT", q_us, "REQUEST", len(fields) // 2, *fields, "WITHMETA")
                [reply] = reply
                assert names == [dataset.text(name) for name in reply[::2]], names
                for name, meta, actual in zip(names, reply[1::2], row):
                    if "APPROXIMATE" in (dataset.text(meta[2]) or ""):
                        tally.left_out += 1
                        continue
                    where = f"{name} of card:{card} zone:{zone} {amount} {code} at {q_us}"
                    tally.compare(where, dataset.text(meta[0]), actual, True)
    print(f"service: {tally.equal} values equal, {tally.near} near, {tally.left_out} left out")
    assert tally.wrong == 0, f"{tally.wrong} values differ"
    assert tally.equal > 200, "too few values were compared"


RUNS = {
    "own": lambda: run_made("sql", value_made, more=[SERVICE], check=service_check),
    "types": lambda: run_made("types", value_bounded),
    "expressions": lambda: run_made("expressions", value_bounded),
    "taxi": lambda: run_data("taxi", dataset.taxi_events,
                             [dataset.utc_us(2020, 4, 15, 18), dataset.utc_us(2020, 5, 1)], 20000),
    "wikipedia": lambda: run_data("wikipedia", dataset.wikipedia_events,
                                  [dataset.utc_us(2015, 9, 12, 12)], 20000),
}

if __name__ == "__main__":
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(dataset.support.SKIPPED)
    RUNS[sys.argv[1]]()
