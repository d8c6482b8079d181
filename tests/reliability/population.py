"""An appliance with so many entities, each with one event before anything else happens to it, to
be loaded, ended and started again: used where availability is measured."""

import os
import pathlib
import random
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
from client import Redis  # noqa: E402

LOAD = support.BUILD / "freshet-load"
STREAMS = """
streams:
  payment:
    id: 1
    version: 1
    time: ts
    lateness: 1h
    fields:
      ts:     {type: timestamp}
      card:   {type: u64}
      amount: {type: decimal, scale: 2}
views:
  activity:
    version: 1
    entity: card
    source: payment
    windows: [10m, 1h, 1d, 30d]
    aggregates: {n: count(), sum: sum(amount), low: min(amount), high: max(amount)}
"""
FEATURES = ("activity.n_30d", "activity.sum_30d")
BYTES_PER_ENTITY = 800  # Room for some events each.
SAMPLE = 1000
LOOK_SECONDS = 0.005
READY_SECONDS = 600
SEGMENTS_READY = 2      # What the keeper of segments has ahead, when it is done.


class Population:
    """Cards 1 to entities. Only the lower half is loaded later, so that the upper one must stay."""

    def __init__(self, folder, entities, checkpoint="10s", segment="256MiB", seed=1,
                 bytes_per_entity=BYTES_PER_ENTITY):
        self.entities = entities
        self.random = random.Random(seed)
        memory = max(64, entities * bytes_per_entity >> 20)
        self.appliance = support.Appliance(
            folder, streams=STREAMS, memory=f"{memory}MiB", seconds=7200,
            data=f"directory: data, checkpoint: {checkpoint}, mirror: {{segment: {segment}}}")
        half = entities // 2
        self.still = self.random.sample(range(half + 1, entities + 1), min(SAMPLE, half))
        self.moving = self.random.sample(range(1, half + 1), min(SAMPLE, half))
        self.load = None

    def status(self):
        return self.appliance.status()

    def load_begin(self, keys, rate, seconds, *arguments):
        """Acknowledged events at a rate; ends by itself or with load_end()."""
        self.load = subprocess.Popen(
            [LOAD, "--config", self.appliance.definitions, "--keys", str(keys), "--zipf", "0",
             "--rate", str(rate), "--seconds", str(seconds), "--acked", "--probe-rate", "0",
             "--readers", "0", "--json", "--seed", str(self.random.randrange(10**9)), *arguments],
            cwd=self.appliance.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def load_end(self, kill=False):
        if self.load is not None:
            if kill:
                self.load.kill()
            self.load.wait()
        self.load = None

    def load_run(self, *arguments):
        self.load_begin(*arguments)
        self.load_end()

    def count(self):
        return self.status()["views"][0]["entities"]

    def fill(self, rate=250000):
        """One event of every card. A load that cannot keep its rate ends too early, with all that
        it sent acknowledged: the next one goes on there."""
        while (there := self.count()) < self.entities:
            self.load_run(self.entities, rate, (self.entities - there) / rate, "--in-turn",
                          "--first", str(there + 1))
            assert self.count() > there, "the load generator sends nothing"
            rate = max(rate // 2, 1000)

    def checkpoint(self):
        """Makes one; its bytes and seconds."""
        done = subprocess.run([support.PROGRAM, "checkpoint", "--json", "--server",
                               self.appliance.socket], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        report = self.status()["store"]["checkpoint"]
        return report["bytes"], report["duration_seconds"]

    def segments_wait(self):
        """Until the log has segments ahead, as it has after some seconds of life."""
        support.wait_until(
            lambda: self.status()["store"]["logs"][0]["segments_ready"] >= SEGMENTS_READY,
            "segments are ready", 120)

    def values(self, cards, *options):
        """Count and sum of each card."""
        if not cards:
            return {}
        redis = Redis(path=self.appliance.socket)
        rows = redis.call("FS.MGET", len(cards), *(f"card:{card}" for card in cards), "FIELDS",
                          len(FEATURES), *FEATURES, "LATEST", *options)
        redis.close()
        return {card: (int(row[1] or 0), row[3]) for card, row in zip(cards, rows)}

    def start(self):
        """Seconds until /readyz says 200 and a card was read."""
        begin = time.monotonic()
        self.appliance.spawn()
        while not self.is_ready():
            assert self.appliance.process.poll() is None, self.appliance.log.read_text()
            assert time.monotonic() < begin + READY_SECONDS, self.appliance.log.read_text()
            time.sleep(LOOK_SECONDS)
        self.values([self.entities])
        return time.monotonic() - begin

    def processor_seconds(self):
        """Of the thread that started it: on a core of its own a start takes that, and the disk."""
        process = self.appliance.process.pid
        text = pathlib.Path(f"/proc/{process}/task/{process}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.appliance.http), 1) as web:
                web.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                return b" 200 " in web.recv(64)
        except OSError:
            return False

    def stop(self):
        """Seconds from SIGTERM to the end of the process."""
        begin = time.monotonic()
        self.appliance.process.terminate()
        assert self.appliance.process.wait(120) == 0, self.appliance.log.read_text()
        took = time.monotonic() - begin
        assert "a last checkpoint has all" in self.appliance.log.read_text()
        return took

    def close(self):
        self.load_end(kill=True)
        process = self.appliance.process
        if process is not None and process.poll() is None:
            self.appliance.kill()


def load_average():
    return round(os.getloadavg()[0], 1)
