#!/usr/bin/env python3
"""Lists, categories, different values and windows of every kind as SQL, run by DuckDB, give what
the real process answers."""

import contextlib
import json
import re
import sys

import dataset
import test_dataset_types as types
import test_sql as compared

import duckdb  # noqa: E402 (dataset has put tests/support on the path)

EVENTS = 600


def nested_value(value, type):
    """Of a list or a map that the process answers, in the form of nested_select()."""
    if value is None:
        return None
    if type == "DOUBLE":
        return float(value)
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


def nested_read(text, type):
    """JSON of the process: digits as they are, doubles as numbers; an object as pairs."""
    if text is None or not (type.endswith("[]") or type.startswith("MAP")):
        return text
    value = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=list)
    if type.endswith("[]"):
        return [nested_value(v, type[:-2]) for v in value]
    key, of = re.fullmatch(r"MAP\((.*), (\w+(?:\([^)]*\))?)\)", type).groups()
    return [[nested_value(k, key), nested_value(v, of)] for k, v in value]


def nested_select(names, types):
    """Columns of a view's statement, lists and maps as JSON with text of each value."""
    columns = []
    for name, type in zip(names, types):
        words = "lambda v: CAST(v AS VARCHAR)"
        column = f'"{name}"'
        if type.endswith("[]"):
            column = f"CAST(to_json(list_transform({column}, {words})) AS VARCHAR)"
        elif type.startswith("MAP"):
            column = (f"CASE WHEN {column} IS NOT NULL THEN "
                      f"CAST(to_json([list_transform(map_keys({column}), {words}), "
                      f"list_transform(map_values({column}), {words})]) AS VARCHAR) END")
        columns.append(f'{column} AS "{name}"')
    return ", ".join(columns)


def nested_cell(cell, type):
    """What nested_select() made, in the form of nested_read()."""
    if type.endswith("[]") and cell is not None:
        return [nested_value(v, type[:-2]) for v in json.loads(cell)]
    if type.startswith("MAP") and cell is not None:
        key, of = re.fullmatch(r"MAP\((.*), (\w+(?:\([^)]*\))?)\)", type).groups()
        return [[nested_value(k, key), nested_value(v, of)] for k, v in zip(*json.loads(cell))]
    return cell


def value_listed(source, field):
    if field.name == "at":  # Most pauses are whole: some are as long as a session's.
        value = types.time_of(source)
        value = dataset.oracle.floor_to(value, 10**7) if source.random() < 0.9 else value
    elif field.name == "card":
        value = source.randrange(3)
    elif field.name == "shop":
        value = source.choice(["a", "b", "it's", 'q"', "\u00e4\\"])
        return (None, None) if source.random() < 0.2 else (value, value)
    elif field.name == "points":
        value = source.randrange(-3, 4)
        return (None, None) if source.random() < 0.2 else (value, value)
    elif field.name == "rate":
        real = source.randrange(-20, 20) / 8
        return dataset.oracle.quantise(real, field.scale), real
    elif field.name == "amount":
        value = source.choice([-1000, -5, 0, 250, 999])
        return value, value
    elif field.name == "big":
        value = source.choice([0, 7, 2**63, 2**64 - 2])
        return value, value
    else:
        return compared.value_made(source, field)
    return value, value


def are_near_maps(a, b):
    """Of doubles that SQL divides, as pairs of keys and values."""
    are_maps = all(isinstance(m, list) and all(isinstance(pair, list) for pair in m)
                   for m in (a, b))
    return are_maps and len(a) == len(b) and all(
        p[0] == q[0] and (p[1] == q[1] or (isinstance(q[1], float) and p[1] is not None and
                                           compared.units_apart(p[1], q[1]) <= compared.UNITS_MOST))
        for p, q in zip(a, b))


def end_of(feature, edges, q_us):
    """Where the window of a feature ends."""
    step = re.search(r"_by_(\d+)m$", feature)
    if step:
        return dataset.oracle.floor_to(q_us, int(step[1]) * 60 * 10**6)
    return q_us + (1 if edges == "[]" else 0)


def lists_check(redis, database, path, view, edges, keys, q_us, tally):
    sql = compared.sql_of(path, "--view", view, "--at", str(q_us)).strip().rstrip(";")
    columns = database.query(f"DESCRIBE SELECT * FROM ({sql})")
    names, kinds = ([column[i] for column in columns] for i in (0, 1))
    rows = database.query(f"SELECT {nested_select(names, kinds)} FROM ({sql})")
    table = {int(row[0]): row for row in rows}
    asked = [f"{view}.{name}" for name in names[1:]]
    for key in keys:
        reply = redis.call("FS.GET", f"card:{key}", "FIELDS", len(asked), *asked, "AT", q_us,
                           "WITHMETA")
        for place, (name, type) in enumerate(zip(names[1:], kinds[1:])):
            value, status, flags, _, end = reply[2 * place + 1][:5]
            where = f"{view}.{name} of {key} at {q_us}"
            cut = dataset.time_of(end) == end_of(name, edges, q_us)
            if dataset.text(status) == "NOT_FOUND" or key not in table:
                assert dataset.text(status) == "NOT_FOUND" or not cut or key not in table, where
            elif not cut or "APPROXIMATE" in (dataset.text(flags) or ""):
                tally.left_out += 1
            else:
                cell = nested_cell(table[key][place + 1], type)
                expected = nested_read(dataset.text(value), type)
                if expected != cell and are_near_maps(expected, cell):
                    tally.near += 1
                else:
                    tally.compare(where, expected, cell, isinstance(cell, float))


def main():
    source = dataset.seed_of(42)
    path = dataset.HERE / "data" / "sql_lists.yaml"
    tree = dataset.oracle.parse_yaml(path.read_text().split("\nviews:")[0])
    [(name, text)] = tree["streams"].items()
    stream = dataset.oracle.Stream(name, text)
    messages, tally = [], compared.Tally()
    with dataset.support.running(streams="", files=[path], shards=2, memory="512MiB") as appliance:
        redis, sender = dataset.opened(appliance)
        order = list(range(EVENTS // 10))
        source.shuffle(order)
        for number in order:
            pairs = [[value_listed(source, f) for f in stream.fields] for _ in range(10)]
            decoded, wire = ([tuple(pair[side] for pair in event) for event in pairs]
                             for side in (0, 1))
            messages.append(dataset.oracle.Message(stream, decoded, number + 1))
            sender.send(dataset.client.pack_message(
                stream, dataset.oracle.Message(stream, wire, number + 1)), len(wire))
        sender.sync()
        dataset.support.wait_until(
            lambda: all(v["applied"] > 0.6 * EVENTS for v in redis.status()["views"]),
            "events at their owners")
        minute_us = 60 * 10**6
        times = [types.BASE_US + minute * minute_us for minute in (4, 10, 15, 31)]
        times += [types.time_of(source) for _ in range(3)]
        last_us = max(event[stream.time] for message in messages for event in message.events)
        times += [last_us + 20 * 10**6 + off_us for off_us in (-2, -1, 0)]
        with contextlib.closing(duckdb.Database()) as database:
            compared.table_load(database, path, stream, messages)
            for q_us in times:
                for view, edges in (("lists", "[)"), ("split", "(]"), ("visits", "[]")):
                    lists_check(redis, database, path, view, edges, range(4), q_us, tally)
    print(f"{tally.equal} values equal, {tally.near} near, {tally.left_out} left out")
    assert tally.wrong == 0, f"{tally.wrong} values differ"
    assert tally.equal > 1000, "too few values were compared"


if __name__ == "__main__":
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(dataset.support.SKIPPED)
    main()
