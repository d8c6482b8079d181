"""Both data sets through the real process over loopback UDP, every feature of every entity against
the oracle. What test_dataset_wikipedia.py and test_dataset_taxi.py share."""

import csv
import datetime
import gzip
import json
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402
import oracle  # noqa: E402

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(os.environ.get("FRESHET_DATA", support.SOURCE / ".." / "shared" / "data"))
EVENTS_PER_MESSAGE = 20
VALUES_PER_REQUEST = 8000
FILE_RATE = "50000"
SETTLE_SECONDS = 10
ARGUMENTS_PER_REQUEST = 1000
DIFFERENCES_SHOWN = 5


def data_file(name):
    path = DATA / name
    if not path.exists():
        print(f"skipped: needs {name} in FRESHET_DATA or ../shared/data")
        sys.exit(support.SKIPPED)
    return path


def definition(name):
    path = HERE / "data" / (name + ".yaml")
    return path, oracle.Definition(path.read_text())


def utc_us(*when):
    moment = datetime.datetime(*when, tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 10**6 + moment.microsecond


def wikipedia_events(stream):
    events = []
    with gzip.open(data_file("wikipedia_edits.ndjson.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            edit = json.loads(line)
            events.append(tuple(
                int(edit[f.name]) if f.type == "bool" else edit[f.name] for f in stream.fields))
    return events


def taxi_value(field, text):
    if text == "":
        return None
    if field.type == "timestamp":
        moment = datetime.datetime.strptime(text, field.format)
        return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp()) * 10**6
    if field.type == "string":
        return text
    if field.scale:
        # A double goes the way it will be sent: its nearest binary value, quantised.
        return oracle.quantise(float(text) if field.type == "f64" else text, field.scale)
    return int(float(text))


def taxi_events(stream):
    with gzip.open(data_file("green_taxi_2020_04.csv.gz"), "rt", encoding="utf-8") as lines:
        return [tuple(taxi_value(f, row[f.name]) for f in stream.fields)
                for row in csv.DictReader(lines)]


def messages_of(stream, events, producers=1, per_message=EVENTS_PER_MESSAGE):
    """Messages of one lane, or of several producers by turns."""
    messages = []
    for at in range(0, len(events), per_message):
        number = len(messages)
        messages.append(oracle.Message(stream, events[at:at + per_message],
                                       sequence=number // producers + 1,
                                       producer=100 + number % producers))
    return messages


def with_duplicates(messages, source, shuffled):
    """Every tenth message comes twice; shuffled: in any order."""
    sent = list(messages) + source.sample(messages, len(messages) // 10)
    if shuffled:
        source.shuffle(sent)
    return sent


def send_events(sender, stream, events, sequence, producer=1):
    """One message."""
    message = oracle.Message(stream, events, sequence, producer)
    sender.send(client.pack_message(stream, message), len(events))


def send_messages(sender, model, messages):
    for message in messages:
        sender.send(client.pack_message(message.stream, message), len(message.events))
        model.receive([message], time.time_ns() // 1000)
    sender.sync()


def send_text(sender, model, stream, events, line_of, first_sequence=1, per_message=8):
    for number, at in enumerate(range(0, len(events), per_message)):
        part = events[at:at + per_message]
        sender.send("\n".join(line_of(stream, values) for values in part).encode(), len(part))
        model.receive([oracle.Message(stream, part, sequence=first_sequence + number, producer=0)],
                      time.time_ns() // 1000)
    sender.sync()


def send_file(appliance, model, stream, name, events, definitions):
    """The file as it is, by `freshet send`."""
    packed = data_file(name)
    plain = appliance.folder / packed.stem
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    done = appliance.verb("send", "--to", f"127.0.0.1:{appliance.udp}", "--config",
                          definitions, "--stream", stream.name, "--rate", FILE_RATE, plain)
    print(done.stdout)
    for message in messages_of(stream, events):
        model.receive([message], time.time_ns() // 1000)


def settled(redis, model):
    """Status once the owners have applied what the homes forwarded to them: an event is received,
    by its home, before that."""
    expected = {name: sum(len(entity.rows) for entity in entities.values())
                for name, entities in model.entities.items()}
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        status = redis.status()
        applied = {view["view"]: view["applied"] for view in status["views"]}
        if applied == expected:
            return status
        assert time.monotonic() < end, f"applied {applied}, expected {expected}"
        time.sleep(0.005)


def counts_check(redis, model, swept=False):
    """swept: rows that are past their ttl may have gone."""
    status = settled(redis, model)
    drops = {}
    for stream in status["streams"]:
        for reason, count in stream["drops"].items():
            drops[reason] = drops.get(reason, 0) + count
    expected = {"message_duplicate": model.duplicate, "event_late": model.late,
                "event_future": model.future, "event_key_null": model.key_null}
    expected = {reason: count for reason, count in expected.items() if count}
    assert status["received"] == model.received, (status["received"], model.received)
    assert drops == expected, (drops, expected)
    assert sum(s["applied"] for s in status["streams"]) == model.applied
    if len(status["shards"]) == 1:
        for stream in status["streams"]:
            if stream["stream"] in model.watermark_us:
                assert stream["watermark_us"] == model.watermark_us[stream["stream"]], stream
    for listener in status["listeners"]:
        assert listener["missed"] == 0, listener
    for view in status["views"]:
        entities = len(model.entities[view["view"]])
        assert view["entities"] == entities or (swept and view["entities"] < entities), view


def text(value):
    return None if value is None else value.decode()


def time_of(value):
    """A time as printed; null is the beginning of time."""
    return oracle.FROM_THE_BEGINNING if value is None else int(value)


def flags_of(answer):
    """The data is older than the process, so what reaches back does so before its view's
    history."""
    partial = "PARTIAL" if answer.reaches_back else ""
    return "|".join(filter(None, (answer.flags, partial)))


def expected_rows(answers, features):
    if answers is None:
        return [(name, None, "NOT_FOUND") for name in features]
    return [(name, a.value, a.status, flags_of(a), a.start_us, a.end_us, a.newest_us, a.q_us)
            for name, a in zip(features, answers)]


def actual_rows(reply):
    rows = []
    for name, meta in zip(reply[::2], reply[1::2]):
        value, status, flags, start, end, newest, q = meta[:7]
        status = text(status)
        if status == "NOT_FOUND":
            rows.append((text(name), text(value), status))
        else:
            rows.append((text(name), text(value), status, text(flags), time_of(start),
                         time_of(end), time_of(newest), time_of(q)))
    return rows


def replies_of(redis, view, keys, q_us):
    """(key, reply) of every feature of a view at one time (None: LATEST)."""
    features = view.features()
    step = max(1, min(VALUES_PER_REQUEST // len(features), ARGUMENTS_PER_REQUEST - len(features)))
    when = ["LATEST"] if q_us is None else ["AT", q_us]
    for at in range(0, len(keys), step):
        part = keys[at:at + step]
        replies = redis.call("FS.MGET", len(part), *part, "FIELDS", len(features), *features, *when,
                             "LEVEL", "applied", "WITHMETA")
        assert len(replies) == len(part)
        yield from zip(part, replies)


def answers_check(redis, model, view, q_us, keys=None, note=None):
    """Every feature of every entity of a view, or of some, at one time (None: LATEST). note: is
    told the answers that are expected."""
    features = view.features()
    nobody = view.entity + ":" + "|".join(["12345"] * len(view.keys))
    keys = [*(model.entities[view.name] if keys is None else keys), nobody]
    keys = [key for key in keys if model.is_exact(view, key, q_us)]
    differences = checked = 0
    for key, reply in replies_of(redis, view, keys, q_us):
        answers = model.answer(view.name, key, q_us)
        expected = expected_rows(answers, features)
        actual = actual_rows(reply)
        if note is not None:
            note(view, answers)
        checked += len(expected)
        if expected == actual:
            continue
        for wanted, got in zip(expected, actual):
            if wanted != got:
                differences += 1
                if differences <= DIFFERENCES_SHOWN:
                    print(f"{key} at {q_us}\n  expected {wanted}\n  actual   {got}")
    assert differences == 0, f"{differences} of {checked} values of {view.name} at {q_us} differ"
    return checked


def hash_check(redis, model, view):
    """HMGET of a view with `leading: newest` reads as LATEST does."""
    features = view.features()
    checked = 0
    for key in model.entities[view.name]:
        if model.is_exact(view, key, None):
            answers = model.answer(view.name, key, None)
            expected = [answer.value for answer in answers] if answers else [None] * len(features)
            actual = [text(value) for value in redis.call("HMGET", key, *features)]
            assert actual == expected, (key, actual, expected)
            checked += len(expected)
    return checked


def times_around(moment_us, *widths_us):
    """A moment, and the moments at which it leaves windows, each with its neighbours."""
    times = []
    for width_us in (0,) + widths_us:
        times += [moment_us + width_us - 1, moment_us + width_us, moment_us + width_us + 1]
    return times


def all_check(redis, model, times, big=(), big_times=()):
    """Views in `big` are asked at fewer times."""
    counts_check(redis, model)
    checked = 0
    for view in model.definition.views.values():
        for q_us in (big_times if view.name in big else times):
            checked += answers_check(redis, model, view, q_us)
        if view.leading == "newest":
            checked += hash_check(redis, model, view)
    print(f"{checked} values equal")


def started(name, shards=1, memory="512MiB", more=()):
    """more: further files."""
    path, _ = definition(name)
    return support.running(streams="", files=[path, *more], shards=shards, memory=memory)


def opened(appliance):
    redis = client.Redis(path=appliance.socket)
    return redis, client.Sender(appliance.udp, redis)


def seed_of(default):
    seed = int(os.environ.get("SEED", default))
    print(f"SEED={seed}")
    return random.Random(seed)
