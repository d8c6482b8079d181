#!/usr/bin/env python3
"""Training sets over both shared data sets, with every kind of aggregate and window: vectors served
while the events come in equal `freshet train` at their moments, byte for byte. Times are moved, so
that the last event is now. Arguments: taxi|wikipedia SHARDS. SEED= repeats it."""

import csv
import random
import sys
import tempfile
import time

import dataset

import client  # noqa: E402 (dataset has put tests/support on the path)

EVENTS = {"taxi": dataset.taxi_events, "wikipedia": dataset.wikipedia_events}
READS = 900
DATA = "directory: data, checkpoint: 1s, mirror: {segment: 4MiB}"


def moved(stream, events):
    """The same events, as if the last one was now."""
    last_us = max(values[stream.time] for values in events)
    by_us = time.time_ns() // 1000 - last_us
    return [values[:stream.time] + (values[stream.time] + by_us,) + values[stream.time + 1:]
            for values in events]


def services_text(definition):
    lines = ["services:"]
    for view in definition.views.values():
        lines += [f"  {view.name}_all:", "    log: {sample: 1}", "    features:"]
        lines += [f"      - {name}" for name in view.features()]
    return "\n".join(lines) + "\n"


def read_one(redis, view, key):
    reply = redis.call("FS.GET", key, "SERVICE", view.name + "_all", "WITHMETA")
    served = {}
    for name, answer in zip(reply[::2], reply[1::2]):
        served[name.decode()] = ("" if answer[0] is None else answer[0].decode("utf-8", "replace"),
                                 answer[1].decode())
    return key.split(":", 1)[1], int(reply[1][6]), served


def trained_check(machine, view, served):
    labels, out = (machine.folder / f"{view.name}.{part}.csv" for part in ("labels", "out"))
    with open(labels, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([view.entity, "q"])
        writer.writerows((key, q) for key, q, _ in served)
    done = dataset.support.run("train", *machine.files, "--service", view.name + "_all",
                               "--labels", labels, "--out", out, cwd=machine.folder, timeout=120)
    assert done.returncode == 0, done.stderr
    values = present = 0
    different = []
    with open(out, newline="", encoding="utf-8", errors="replace") as file:
        for row, (key, q, answer) in zip(csv.DictReader(file), served, strict=True):
            for name, (value, status) in answer.items():
                if (row[name], row[name + "__status"]) != (value, status):
                    different.append((view.name, key, q, name, value, row[name], status,
                                      row[name + "__status"]))
                values += 1
                present += status == "PRESENT"
    assert not different, (len(different), different[:5])
    return values, present


def main():
    name, shards = sys.argv[1], int(sys.argv[2])
    source = dataset.seed_of(9)
    path, definition = dataset.definition("rich_" + name)
    (stream,) = definition.streams.values()
    events = moved(stream, EVENTS[name](stream))
    messages = dataset.with_duplicates(dataset.messages_of(stream, events, producers=3), source,
                                       shuffled=False)
    views = list(definition.views.values())
    with tempfile.TemporaryDirectory(prefix="freshet-train-") as folder:
        machine = dataset.support.Appliance(
            folder, shards=shards, data=DATA, memory="1GiB",
            streams=path.read_text() + services_text(definition))
        served = {view.name: [] for view in views}
        try:
            machine.start()
            redis = client.Redis(path=machine.socket)
            sender = client.Sender(machine.udp, redis)
            each = max(1, len(messages) // READS)
            for number, message in enumerate(messages):
                sender.send(client.pack_message(stream, message), len(message.events))
                if number % each == 0:
                    view = source.choice(views)
                    key = view.key_of(view.shaped(stream, source.choice(message.events)))
                    if key is not None:
                        served[view.name].append(read_one(redis, view, key))
            sender.sync()
            redis.close()
            assert machine.stop() == 0, machine.log.read_text()
        finally:
            machine.stop()
        sums = [trained_check(machine, view, served[view.name]) for view in views]
        values, present = (sum(part) for part in zip(*sums))
        print(f"{sum(map(len, served.values()))} vectors, {values} values, {present} present: "
              "0 bytes differ")
        assert present > values / 20, "too few values"
        report = dataset.support.run("parity", "report", *machine.files, cwd=machine.folder,
                                     timeout=120)
        assert report.returncode == 0, report.stdout + report.stderr


if __name__ == "__main__":
    random.seed(1)
    main()
