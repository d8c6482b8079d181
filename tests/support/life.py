"""A life of an appliance with a data directory, for system tests: what it was sent is known."""

import collections
import os
import random
import struct
import sys
import tempfile
import time

import appliance as support
import client

sys.path.insert(0, str(support.SOURCE / "drivers/producer"))
from freshet_producer import Producer  # noqa: E402

# For tests that are about what is in files, and not about the disk, which others keep busy.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
CARDS, SHOPS = 40, 7
DATA = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
SPAN_US = 200 * 10**6  # All events lie within every window.

FIELDS = """      ts:       {type: timestamp}
      card:     {type: u64}
      shop:     {type: string, size: 8}
      amount:   {type: decimal, scale: 2}
"""
CARD = """  activity:
    version: 1
    entity: card
    source: transaction
    windows: [10m, 1h]
    aggregates: {n: count(), sum: sum(amount), top: max(amount), last: last(amount)}
"""
SHOP = """  trade:
    version: 1
    entity: shop
    source: transaction
    windows: [1h]
    aggregates: {n: count(), sum: sum(amount), std: stddev_samp(amount)}
"""


def streams_of(fields=FIELDS, views=CARD + SHOP, version=1):
    return (f"streams:\n  transaction:\n    id: 1\n    version: {version}\n    time: ts\n"
            f"    lateness: 1h\n    fields:\n{fields}views:\n{views}")


class Life:
    """An appliance with a data directory, a producer, and what must be in it."""

    def __init__(self, folder, shards=1, data=DATA, streams=None, lines=""):
        self.appliance = support.Appliance(folder, streams or streams_of(), shards=shards,
                                           data=data, lines=lines)
        self.shards = shards
        self.directory = self.appliance.folder / "data"
        self.random = random.Random(7)
        self.start_us = time.time_ns() // 1000 - SPAN_US
        self.events = []
        self.producer = self.producer_open()

    def producer_open(self, number=7, acked=True):
        return Producer(f"127.0.0.1:{self.appliance.udp}", producer=number, stream=1,
                        event_bytes=32, acked=acked)

    def define(self, streams=None, shards=1, data=DATA):
        self.appliance.define(streams or streams_of(), shards, data)

    def start(self):
        self.appliance.start()
        return self.appliance.status()["store"]["recovery"]

    def again(self, crash=False, **changes):
        """Ends it, changes the definitions, starts it; what recovery says."""
        if crash:
            self.appliance.kill()
        else:
            assert self.appliance.stop() == 0
            assert "a last checkpoint has all" in self.log(), self.log()
        if changes:
            self.define(**changes)
        return self.start()

    def refused(self, code, *words, **changes):
        """Starts it with changed definitions, which must fail and say words."""
        if changes:
            self.define(**changes)
        done = support.run("run", self.appliance.definitions, "--for", "5",
                           cwd=self.appliance.folder)
        assert done.returncode == code, done
        for word in words:
            assert word in done.stderr, (word, done.stderr)

    def log(self):
        return self.appliance.log.read_text()

    def event(self):
        step = SPAN_US // 100000
        return (self.start_us + len(self.events) * step, self.random.randrange(CARDS),
                f"shop{self.random.randrange(SHOPS)}", self.random.randrange(1, 100000))

    def send(self, count, producer=None, flush=True):
        producer = producer or self.producer
        for _ in range(count):
            at, card, shop, amount = self.event()
            self.events.append((card, shop, amount))
            producer.send(card, struct.pack("<qQ8sq", at, card, shop.encode(), amount))
            producer.poll()
        if flush:
            assert producer.flush(30), producer.stats

    def redis(self):
        return client.Redis(path=self.appliance.socket)

    def read(self, entity="card", features=("n", "sum", "top", "last"), view="activity",
             window="1h", options=("LATEST",)):
        """Feature values by id of the entity."""
        ids = range(CARDS) if entity == "card" else [f"shop{i}" for i in range(SHOPS)]
        names = [f"{view}.{feature}_{window}" for feature in features]
        redis = self.redis()
        rows = redis.call("FS.MGET", len(ids), *(f"{entity}:{i}" for i in ids), "FIELDS",
                          len(names), *names, *options)
        redis.close()
        return {i: tuple(row[1::2]) for i, row in zip(ids, rows)}

    def values(self):
        return (self.read(), self.read(window="10m"),
                self.read("shop", ("n", "sum", "std"), "trade"))

    def is_settled(self):
        """Whether the owners have what their homes have acknowledged."""
        try:
            self.check()
        except AssertionError:
            return False
        return True

    def check(self):
        """Counts and sums are those of what was sent, once."""
        for place, entity, view in ((0, "card", "activity"), (1, "shop", "trade")):
            count, total = collections.Counter(), collections.Counter()
            for event in self.events:
                count[event[place]] += 1
                total[event[place]] += event[2]
            for key, value in self.read(entity, ("n", "sum"), view).items():
                wanted = (str(count[key]).encode(),
                          client.decimal_text(total[key], 2).encode()) if count[key] else value
                assert value == wanted, (entity, key, value, wanted)

    def close(self):
        self.producer.close()
        if self.appliance.process is not None and self.appliance.process.poll() is None:
            assert self.appliance.stop() == 0, self.log()


def life(parent=None, **options):
    """A decorator: the test gets a life in a folder of its own, ended whatever happens."""
    def wrap(test):
        def run():
            with tempfile.TemporaryDirectory(prefix="freshet-store-", dir=parent) as folder:
                os.chmod(folder, 0o755)
                one = Life(folder, **options)
                try:
                    test(one)
                    one.close()
                except BaseException:
                    if one.appliance.process is not None:
                        one.appliance.kill()
                    if one.appliance.log.exists():
                        print(one.log(), file=sys.stderr)
                    raise
        run.__name__, run.__module__ = test.__name__, test.__module__
        return run
    return wrap
