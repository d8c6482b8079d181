#!/usr/bin/env python3
"""Objectives of views and services in the real process: one that every read misses, one that none
does; what status, top and /metrics say of them."""

import os
import pathlib
import pty
import re
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

DEFINITIONS = """
streams:
  pay:
    id: 1
    time: ts
    fields:
      {ts: {type: timestamp}, card: {type: u64}, shop: {type: string, size: 8, optional: true}}
views:
  spend:
    {entity: card, source: pay, windows: [1h], aggregates: {n: count()},
     slo: {freshness: 10s, read: 10s, target: 99.9}}
  sales:
    {entity: shop, source: pay, windows: [1h], aggregates: {n: count()},
     slo: {read: 1us, target: 99.9}}
  plain: {entity: card, source: pay, windows: [1d], aggregates: {n: count()}}
services:
  both: {features: [spend.n_1h, sales.n_1h], slo: {freshness: 10s, read: 1us, target: 99}}
  calm: {features: [plain.n_1d], slo: {read: 10s, target: 50}}
"""
SERIES = re.compile(r'^freshet_slo_(\w+)\{(view|service)="(\w+)",objective="(\w+)"\} (\S+)$', re.M)
DATA = "directory: data, mirror: {segment: 4MiB}"
EVENTS = 40
SHOPS = ["shop:a"] * 1000  # No machine reads so many within a microsecond.


def scrape(appliance):
    """{(metric, name, objective): value}"""
    with urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics", timeout=10) as page:
        text = page.read().decode()
    return {(metric, name, objective): float(value)
            for metric, _, name, objective, value in SERIES.findall(text)}


def objectives(appliance):
    """{(name, objective): the member of status}"""
    return {(o.get("view") or o.get("service"), o["objective"]): o
            for o in appliance.status()["objectives"]}


def counts(appliance):
    return {key: (o["good"], o["total"]) for key, o in objectives(appliance).items()}


def pay(appliance):
    appliance.send(*(b"pay,shop=a card=%d" % i if i % 4 else b"pay card=%d" % i
                     for i in range(EVENTS)))
    # At their owners, too: what crosses the mesh arrives a turn later.
    support.wait_until(lambda: [view["applied"] for view in appliance.status()["views"]]
                       == [EVENTS, EVENTS * 3 // 4, EVENTS], "all events applied")


def objectives_count_events_and_reads(shards):
    with support.running(streams=DEFINITIONS, shards=shards) as appliance:
        assert set(counts(appliance).values()) == {(0, 0)}, counts(appliance)
        assert all(burn is None for o in objectives(appliance).values()
                   for burn in o["burn"].values())
        pay(appliance)
        redis = client.Redis(path=appliance.socket)
        for i in range(7):
            redis.call("HMGET", f"card:{i}", "spend.n_1h")
        for _ in range(5):
            redis.call("FS.MGET", len(SHOPS), *SHOPS, "FIELDS", 1, "sales.n_1h")
        for _ in range(3):
            redis.call("FS.MGET", 1 + len(SHOPS), "card:1", *SHOPS, "SERVICE", "both")
        redis.call("FS.GET", "card:1", "SERVICE", "calm")
        redis.call("FS.GET", "card:1", "FIELDS", 2, "spend.n_1h", "plain.n_1d")
        redis.call("PING")
        expected = {("spend", "freshness"): (EVENTS, EVENTS), ("spend", "read"): (11, 11),
                    ("sales", "read"): (0, 8), ("both", "freshness"): (70, 70),
                    ("both", "read"): (0, 3), ("calm", "read"): (1, 1)}
        assert counts(appliance) == expected, counts(appliance)
        burns = {key: o["burn"]["5m"] for key, o in objectives(appliance).items()}
        near = {("sales", "read"): 1000, ("both", "read"): 100}
        for key, burn in burns.items():
            assert abs(burn - near.get(key, 0)) < 1e-6, burns
        metrics = scrape(appliance)
        for (name, objective), (good, total) in expected.items():
            assert metrics["good_total", name, objective] == good, metrics
            assert metrics["total", name, objective] == total, metrics
        assert metrics["target_ratio", "calm", "read"] == 0.5, metrics
        redis.call("FS.MGET", len(SHOPS), *SHOPS, "FIELDS", 1, "sales.n_1h")
        later = scrape(appliance)
        assert all(later[key] >= value for key, value in metrics.items()), (metrics, later)
        assert later["total", "sales", "read"] == 9, later
        redis.close()


def objectives_count_events_and_reads_in_one_shard():
    objectives_count_events_and_reads(1)


def objectives_count_events_and_reads_in_three_shards():
    objectives_count_events_and_reads(3)


def a_read_that_the_client_got_wrong_counts_nowhere():
    with support.running(streams=DEFINITIONS) as appliance:
        redis = client.Redis(path=appliance.socket)
        for request in (("HMGET", "card:1", "spend.nosuch"), ("HMGET", "nosuch:1", "spend.n_1h"),
                        ("FS.GET", "card:1", "SERVICE", "nosuch"), ("HMGET", "card:1")):
            try:
                redis.call(*request)
                answered = True
            except RuntimeError:
                answered = False
            assert not answered, request
        assert set(counts(appliance).values()) == {(0, 0)}, counts(appliance)
        redis.close()


def events_of_an_earlier_life_are_not_counted_again():
    with support.running(streams=DEFINITIONS, data=DATA) as appliance:
        pay(appliance)
        assert counts(appliance)["spend", "freshness"] == (EVENTS, EVENTS)
        appliance.kill()
        appliance.start()
        redis = client.Redis(path=appliance.socket)
        assert redis.call("HGET", "shop:a", "sales.n_1h") == b"30"
        redis.close()
        assert counts(appliance)["spend", "freshness"] == (0, 0), counts(appliance)
        appliance.send(b"pay card=1")
        support.wait_until(lambda: counts(appliance)["spend", "freshness"] == (1, 1), "one event")


def another_objective_needs_no_new_version():
    with support.running(streams=DEFINITIONS, data=DATA) as appliance:
        pay(appliance)
        assert appliance.stop() == 0
        appliance.define(DEFINITIONS.replace("10s", "20s").replace("target: 99.9", "target: 98"), 1,
                         DATA)
        appliance.start()
        assert objectives(appliance)["spend", "read"]["limit_us"] == 20_000_000
        assert set(appliance.status()["store"]["recovery"]["views"].values()) == {"loaded"}
        redis = client.Redis(path=appliance.socket)
        assert redis.call("HGET", "shop:a", "sales.n_1h") == b"30"
        redis.close()


def top(appliance):
    """What `freshet top` shows on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([support.PROGRAM, "top", "--for", "1", "--server",
                                str(appliance.socket)], stdout=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:
        pass  # The terminal is gone.
    os.close(ours)
    assert process.wait(20) == 0, text
    return text.decode().replace("\r\n", "\n")


def tables_show_the_objectives():
    with support.running(streams=DEFINITIONS) as appliance:
        pay(appliance)
        for text in (appliance.verb("status").stdout, top(appliance)):
            row = re.search(r"^spend +freshness +10.0 s +99.9% +40 +100.0000% +0.00 ", text, re.M)
            assert row, text


if __name__ == "__main__":
    support.main([objectives_count_events_and_reads_in_one_shard,
                  objectives_count_events_and_reads_in_three_shards,
                  a_read_that_the_client_got_wrong_counts_nowhere,
                  events_of_an_earlier_life_are_not_counted_again,
                  another_objective_needs_no_new_version, tables_show_the_objectives])
