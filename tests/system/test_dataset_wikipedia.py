#!/usr/bin/env python3
"""Wikipedia's edits through the real process equal the oracle.

usage: test_dataset_wikipedia.py coarse|fine|shards2|shards3|text|file|late
"""

import sys
import time

import dataset

NOON_US = dataset.utc_us(2015, 9, 12, 12)
HOUR_US = 3600 * 10**6
DAY_US = 24 * HOUR_US


def day_events(events):
    """Those whose clocks are right."""
    first_us = dataset.utc_us(2015, 9, 12)
    return [e for e in events if first_us <= e[0] < first_us + DAY_US]


def times_of(events):
    """On, before and after the edges of tiles and windows, at the end of the data, and LATEST."""
    some_us = events[len(events) // 2][0]
    last_us = max(e[0] for e in events)
    return (dataset.times_around(NOON_US) + [NOON_US + 15 * 10**6 // 2, some_us, some_us + 1,
                                             some_us + HOUR_US, some_us + HOUR_US + 1,
                                             last_us, last_us + 1, None])


def run(name, choose, times=None, big=(), big_times=(), shards=1, producers=1, shuffled=False,
        text=False, file=False):
    source = dataset.seed_of(10)
    path, definition = dataset.definition(name)
    stream = definition.streams["edit"]
    events = choose(dataset.wikipedia_events(stream))
    model = dataset.oracle.Oracle(definition)
    with dataset.started(name, shards=shards) as appliance:
        redis, sender = dataset.opened(appliance)
        if file:
            dataset.send_file(appliance, model, stream, "wikipedia_edits.ndjson.gz", events, path)
        elif text:
            half = len(events) // 2
            dataset.send_text(sender, model, stream, events[:half], dataset.client.ndjson_line)
            dataset.send_text(sender, model, stream, events[half:], dataset.client.influx_line,
                              first_sequence=half)
        else:
            messages = dataset.messages_of(stream, events, producers)
            dataset.send_messages(sender, model,
                                  dataset.with_duplicates(messages, source, shuffled))
        dataset.all_check(redis, model, times or times_of(events), big, big_times)


def everything(events):
    return events


def late():
    """One lane, in order, one shard. A verdict depends on the watermark at the burst's start, and
    bursts are the worker's choice: the sender waits wherever that would make a difference."""
    _, definition = dataset.definition("wikipedia_late")
    stream = definition.streams["edit"]
    events = dataset.wikipedia_events(stream)
    model = dataset.oracle.Oracle(definition)
    with dataset.started("wikipedia_late") as appliance:
        redis, sender = dataset.opened(appliance)
        known_us = None  # Watermark when the sender last waited.
        sequence = 0
        pending = []

        def flush():
            nonlocal pending, sequence
            if pending:
                sequence += 1
                message = dataset.oracle.Message(stream, pending, sequence)
                dataset.send_messages(sender, model, [message])
                pending = []

        def is_late(time_us, watermark_us):
            return watermark_us is not None and watermark_us - time_us > stream.lateness_us

        watermark_us = None
        for values in events:
            time_us = values[stream.time]
            if is_late(time_us, known_us) != is_late(time_us, watermark_us):
                flush()
                known_us = watermark_us
            pending.append(values)
            if not is_late(time_us, known_us) and (watermark_us is None or time_us > watermark_us):
                watermark_us = time_us
            if len(pending) == dataset.EVENTS_PER_MESSAGE:
                flush()
                known_us = watermark_us
        flush()
        assert model.late > 0
        dataset.counts_check(redis, model)

        # A clock an hour ahead is quarantined; one second ahead is as good as now.
        for ahead_us in (HOUR_US, 10**6):
            pending = [(time.time_ns() // 1000 + ahead_us,) + events[0][1:]]
            flush()
            model.watermark_us.clear()  # At the worker's clock from here on.
            dataset.counts_check(redis, model, swept=True)
        assert model.future == 1
        print(f"{model.late} late, {model.future} future, {model.applied} applied")


RUNS = {
    "coarse": lambda: run("wikipedia", everything, big=("by_user", "by_page"),
                          big_times=(NOON_US, NOON_US + 1, None)),
    "fine": lambda: run("wikipedia_fine", day_events, big=("by_user",),
                        big_times=(NOON_US, NOON_US + 1, None)),
    "shards2": lambda: run("wikipedia", everything, times=[NOON_US - 1, NOON_US, None],
                           big=("by_user", "by_page"), big_times=(NOON_US, None), shards=2,
                           producers=5, shuffled=True),
    "shards3": lambda: run("wikipedia_fine", day_events, times=[NOON_US - 1, NOON_US, None],
                           big=("by_user",), big_times=(NOON_US,), shards=3, producers=7,
                           shuffled=True),
    "text": lambda: run("wikipedia", everything, times=[NOON_US - 1, NOON_US, None],
                        big=("by_user", "by_page"), big_times=(NOON_US,), text=True),
    "file": lambda: run("wikipedia", everything, times=[NOON_US - 1, NOON_US, None],
                        big=("by_user", "by_page"), big_times=(NOON_US,), file=True),
    "late": late,
}

if __name__ == "__main__":
    RUNS[sys.argv[1]]()
