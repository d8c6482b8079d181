#!/usr/bin/env python3
"""What rows leave goes to rows of other sizes, status tells what refusals go by, and what fitted
fits after a kill, too."""

import urllib.request

import dataset

support = dataset.support

FIELDS = [f"x{i}" for i in range(6)]
DEFINITIONS = """
streams:
  visit:
    id: 7
    version: 1
    time: at
    history: 1s
    lateness: 2h
    fields: {at: {type: timestamp}, user: {type: u64}, amount: {type: i64}}
  wide:
    id: 8
    version: 1
    time: at
    fields: {at: {type: timestamp}, user: {type: u64}, %s}
views:
  small:
    version: 1
    entity: user
    source: visit
    windows: [1h]
    ttl: 65m
    aggregates: {n: count(), s: sum(amount)}
  large:
    version: 1
    entity: user
    source: wide
    windows: [1h]
    aggregates: {%s}
""" % (", ".join(f"{x}: {{type: i64}}" for x in FIELDS),
       ", ".join(f"{x}_d: stddev_samp({x}), {x}_a: min({x}), {x}_z: max({x})" for x in FIELDS))
GROWING = DEFINITIONS.split("views:")[0] + """
views:
  small:
    version: 1
    entity: user
    source: visit
    windows: [10m, 1h, 1d, 30d]
    aggregates: {n: count(), s: sum(amount), a: min(amount), z: max(amount)}
"""
BASE_US = dataset.utc_us(2022, 1, 1)
MINUTE_US = 60 * 10**6
SMALL = 170000
PER_MESSAGE = 50


class World:
    def __init__(self, appliance, definitions=DEFINITIONS):
        self.appliance = appliance
        self.open()
        self.streams = dataset.oracle.Definition(definitions).streams
        self.sequence = 0

    def open(self):
        self.redis, self.sender = dataset.opened(self.appliance)

    def send(self, stream, events):
        self.sequence += 1
        dataset.send_events(self.sender, self.streams[stream], events, self.sequence)

    def shard(self):
        return self.redis.status()["shards"][0]

    def view(self, name):
        return next(v for v in self.redis.status()["views"] if v["view"] == name)


def memory_of_rows_that_expire_serves_rows_of_other_sizes():
    with support.running(streams=DEFINITIONS, memory="64MiB") as appliance:
        world = World(appliance)
        # Behind the watermark: rows of three users in four are an hour old, the others are not.
        world.send("visit", [(BASE_US + 55 * MINUTE_US, 10**9, 1)])
        for first in range(0, SMALL, PER_MESSAGE):
            world.send("visit", [(BASE_US + (50 if user % 4 == 3 else 0) * MINUTE_US, user, 1)
                                 for user in range(first, first + PER_MESSAGE)])
        world.sender.sync()
        full = world.shard()
        world.send("visit", [(BASE_US + 85 * MINUTE_US, 10**9, 1)])
        world.sender.sync()
        support.wait_until(lambda: world.view("small")["entities"] <= SMALL // 4 + 1,
                           "rows past their ttl are gone", 30)
        sparse = world.shard()
        assert sparse["memory_used_bytes"] < full["memory_used_bytes"] / 2, (full, sparse)
        assert sparse["memory_taken_bytes"] > 0.9 * full["memory_taken_bytes"], (full, sparse)
        user = 0
        while world.view("large")["refused"] == 0:
            for _ in range(40):
                world.send("wide", [(BASE_US, user + i, 1, 2, 3, 4, 5, 6)
                                    for i in range(PER_MESSAGE)])
                user += PER_MESSAGE
            world.sender.sync()
        shard = world.shard()
        limit = shard["memory_limit_bytes"]
        print(f"used {shard['memory_used_bytes'] / limit:.3f}, "
              f"taken {shard['memory_taken_bytes'] / limit:.3f} of {limit >> 20} MiB, "
              f"{shard['rows_packed']} rows packed")
        assert shard["memory_used_bytes"] > 0.85 * limit, shard
        assert shard["memory_used_bytes"] <= shard["memory_taken_bytes"] <= limit, shard
        assert shard["rows_packed"] > 1000, shard
        assert world.view("small")["entities"] == SMALL // 4 + 1
        for kept in range(3, SMALL, 2003 * 4):
            assert world.redis.call("FS.GET", f"user:{kept}", "FIELDS", 1, "small.n_1h",
                                    "AT", BASE_US + 51 * MINUTE_US)[1] == b"1", kept
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics").read()
        taken = f'freshet_shard_memory_taken_bytes{{shard="0"}} {shard["memory_taken_bytes"]}'
        assert taken.encode() in metrics, taken
        table = appliance.verb("status").stdout
        assert "taken" in table, table


def what_fitted_fits_after_a_kill():
    """Rows lie otherwise when they are made again by the whole log: other ones moved, at other
    times."""
    source = dataset.seed_of(6)
    users = 14000
    data = "directory: data, checkpoint: 1h"
    with support.running(streams=GROWING, memory="20MiB", data=data) as appliance:
        world = World(appliance, GROWING)
        refused_at = None
        while refused_at is None or world.sequence < refused_at * 1.5:
            for _ in range(200):
                first_us = BASE_US + world.sequence * 250000
                world.send("visit", [(first_us + i, source.randrange(users), 1)
                                     for i in range(PER_MESSAGE)])
            world.sender.sync()
            if refused_at is None and world.view("small")["refused"] > 0:
                refused_at = world.sequence
        keys = [f"user:{user}" for user in range(0, users, 7)]

        def counts():
            return [world.redis.call("FS.GET", key, "FIELDS", 1, "small.n_30d", "LATEST")[1]
                    for key in keys]

        before, full = counts(), world.shard()
        appliance.kill()
        appliance.start()
        world.open()
        assert counts() == before
        again = world.shard()
        print(f"taken {full['memory_taken_bytes'] >> 20}, after the start "
              f"{again['memory_taken_bytes'] >> 20} of {again['memory_limit_bytes'] >> 20} MiB")
        assert again["memory_limit_bytes"] == full["memory_limit_bytes"]


if __name__ == "__main__":
    support.main([memory_of_rows_that_expire_serves_rows_of_other_sizes,
                  what_fitted_fits_after_a_kill])
