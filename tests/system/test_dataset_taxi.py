#!/usr/bin/env python3
"""New York's taxi trips through the real process equal the oracle: decimals, doubles, nulls.

usage: test_dataset_taxi.py coarse|fine|shards2|shards3|text|file
"""

import sys

import dataset

MIDDLE_US = dataset.utc_us(2020, 4, 15, 18)
LAST_DAY_US = dataset.utc_us(2020, 4, 30, 12)
HOUR_US = 3600 * 10**6


def times_of(moment_us, events):
    """On, before and after the edges of tiles and windows, at the end of the data, and LATEST."""
    some_us = min((e[0] for e in events if e[0] > moment_us), default=moment_us)
    last_us = max(e[0] for e in events)
    return (dataset.times_around(moment_us, HOUR_US) +
            [moment_us + 7 * 60 * 10**6, some_us, some_us + 1, some_us + 6 * HOUR_US,
             some_us + 6 * HOUR_US + 1, last_us, last_us + 1, None])


def run(name, moment_us, shards=1, producers=1, shuffled=False, text=False, file=False):
    source = dataset.seed_of(20)
    path, definition = dataset.definition(name)
    stream = definition.streams["trip"]
    events = dataset.taxi_events(stream)
    model = dataset.oracle.Oracle(definition)
    with dataset.started(name, shards=shards) as appliance:
        redis, sender = dataset.opened(appliance)
        if file:
            dataset.send_file(appliance, model, stream, "green_taxi_2020_04.csv.gz", events, path)
        elif text:
            half = len(events) // 2
            dataset.send_text(sender, model, stream, events[:half], dataset.client.influx_line)
            dataset.send_text(sender, model, stream, events[half:], dataset.client.ndjson_line,
                              first_sequence=half)
        else:
            messages = dataset.messages_of(stream, events, producers)
            dataset.send_messages(sender, model,
                                  dataset.with_duplicates(messages, source, shuffled))
        dataset.all_check(redis, model, times_of(moment_us, events))


RUNS = {
    "coarse": lambda: run("taxi", MIDDLE_US),
    "fine": lambda: run("taxi_fine", LAST_DAY_US),
    "shards2": lambda: run("taxi_fine", LAST_DAY_US, shards=2, producers=3, shuffled=True),
    "shards3": lambda: run("taxi", MIDDLE_US, shards=3, producers=5, shuffled=True),
    "text": lambda: run("taxi_fine", LAST_DAY_US, text=True),
    "file": lambda: run("taxi_fine", LAST_DAY_US, file=True),
}

if __name__ == "__main__":
    RUNS[sys.argv[1]]()
