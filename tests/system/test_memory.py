#!/usr/bin/env python3
"""What rows leave goes to rows of other sizes, and status tells what refusals go by."""

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
BASE_US = dataset.utc_us(2022, 1, 1)
MINUTE_US = 60 * 10**6
SMALL = 170000
PER_MESSAGE = 50


class World:
    def __init__(self, appliance):
        self.redis, self.sender = dataset.opened(appliance)
        self.streams = dataset.oracle.Definition(DEFINITIONS).streams
        self.sequence = 0

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


if __name__ == "__main__":
    support.main([memory_of_rows_that_expire_serves_rows_of_other_sizes])
