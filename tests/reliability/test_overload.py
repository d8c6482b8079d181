#!/usr/bin/env python3
"""More than the appliance can carry, nine of ten datagrams with a bad tag. Meanwhile somebody
reads, and a producer with acknowledgements goes on. What must hold on any machine: reads are
served, what is acknowledged is there, each datagram that came is counted once. How much of the
plateau is left is a figure of the machine: sender, appliance and readers share its cores, and the
sender may be too slow to offer ten times the plateau."""

import argparse
import collections
import json
import os
import pathlib
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import appliance as support  # noqa: E402
import figures  # noqa: E402
from client import Redis  # noqa: E402
from ledger import EVENT_BYTES, STREAMS, Ledger  # noqa: E402

sys.path.insert(0, str(support.SOURCE / "drivers" / "producer"))
from freshet_producer import Producer  # noqa: E402

LOAD = support.BUILD / "freshet-load"
PATIENT = 50           # Producer with acknowledgements; those of the load count up from 100.
PATIENT_CARD = 10**6   # Its cards and shops from here on.
PATIENT_BURST, PATIENT_SECONDS = 60, 0.2  # In bursts: between them freshet-load sees quiet counts.
EVENTS = 25            # Of one message of the load.
CARDS = 10000
BAD_SHARE = 0.9
OVERLOAD = 10
READ_SECONDS = 1.0     # No read takes longer.
SETTLE_SECONDS = 20
STARVED_RUNS = 4
WORKER = "shard-0"


class Reader(threading.Thread):
    """Reads one entity after the other, some thousand a second at most."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.redis = Redis(path=path)
        self.times, self.errors, self.ending = [], 0, False

    def run(self):
        number = 0
        while not self.ending:
            number = (number + 7919) % CARDS
            start = time.monotonic()
            try:
                self.redis.call("HMGET", f"card:{number + 1}", "card.n_6h", "card.s_6h")
            except (OSError, RuntimeError) as error:
                self.errors += 1
                print(f"a read failed: {error!r}", flush=True)
                return
            self.times.append(time.monotonic() - start)
            time.sleep(0.001)

    def take(self):
        taken, self.times = self.times, []
        return taken

    def finish(self):
        if not self.ending:
            self.ending = True
            self.join()
            self.redis.close()


class Patient(threading.Thread):
    """A producer with acknowledgements beside the load, and what it was promised."""

    def __init__(self, udp, key):
        super().__init__(daemon=True)
        self.ledger, self.held, self.ending = Ledger(), {}, False
        self.random = random.Random(1)
        self.producer = Producer(f"127.0.0.1:{udp}", producer=PATIENT, stream=1, key=key,
                                 key_epoch=1, event_bytes=EVENT_BYTES, incarnation=1, lanes=1,
                                 buffer_bytes=1 << 20, message_bytes=512, linger=0.001,
                                 policy="refuse", durable=self.on_durable)

    def on_durable(self, lane, sequence, events):
        held = self.held.pop((lane, sequence))
        assert len(held) == events, (lane, sequence, len(held), events)
        self.ledger.take_acked(held)

    def push(self):
        event = (PATIENT_CARD + self.random.randrange(20), PATIENT_CARD + self.random.randrange(5),
                 self.random.randrange(1, 100))
        place = self.producer.send(event[0], struct.pack("<qQQQ", time.time_ns() // 1000, *event))
        if place is not None:
            self.ledger.take_sent(event)
            self.held.setdefault(place, []).append(event)

    def run(self):
        due = time.monotonic()
        while not self.ending:
            if due <= time.monotonic():
                due = time.monotonic() + PATIENT_SECONDS
                for _ in range(PATIENT_BURST):
                    self.push()
            self.producer.poll()
            time.sleep(0.001)

    def settle(self):
        """Stops, and waits until everything is durable; the seconds that took."""
        self.ending = True
        self.join()
        start = time.monotonic()
        while self.producer.stats["held"]:
            assert time.monotonic() < start + SETTLE_SECONDS, self.producer.stats
            self.producer.poll()
            time.sleep(0.001)
        return time.monotonic() - start


def key_add(path, producer):
    done = support.run("keys", "add", "--file", path, "--producer", producer, "--show", "--json")
    assert done.returncode == 0, done.stderr
    return bytes.fromhex(json.loads(done.stdout)["key"])


def thread_seconds(process, name):
    """CPU time of one of its threads."""
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        text = (task / "stat").read_text()
        if text[text.index("(") + 1:text.rindex(")")] == name:
            fields = text[text.rindex(")") + 2:].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise AssertionError(f"no thread {name}")


class Bench:
    """An appliance of one shard with keys, a reader, a patient, and runs of freshet-load."""

    def __init__(self, folder, producers, seed):
        self.keys = pathlib.Path(folder) / "keys.yaml"
        key = key_add(self.keys, PATIENT)
        for producer in range(100, 100 + producers):
            key_add(self.keys, producer)
        data = f"directory: {folder}/data, mirror: {{segment: 16MiB, bytes: 128MiB}}"
        self.appliance = support.Appliance(folder, idle="poll", memory="256MiB", seconds=3600)
        self.appliance.ingest = (f'{{driver: socket, listen: "127.0.0.1:{self.appliance.udp}", '
                                 f'auth: {self.keys}}}')
        self.appliance.define(STREAMS, 1, data)
        self.appliance.start()
        self.next_producer, self.seed = 100, seed
        self.cores = self.cores_beside()
        self.reader = Reader(self.appliance.socket)
        self.patient = Patient(self.appliance.udp, key)
        self.reader.start()
        self.patient.start()

    def cores_beside(self):
        """Where the sender may run: not on the worker's core, when there is another one."""
        worker = self.appliance.status()["shards"][0]["core"]
        others = sorted(os.sched_getaffinity(0) - {worker})
        return others or [worker]

    def load(self, rate, bad_share, seconds):
        """One run in which the worker had something of its core; its figures. On a machine that
        others use, a thread may wait for a core longer than a run lasts."""
        for _ in range(STARVED_RUNS):
            run = self.load_once(rate, bad_share, seconds)
            if run["applied"] > 0:
                return run
            print(f"nothing was taken; the worker had {run['worker_share']:.0%} of a core")
        raise AssertionError(f"nothing was taken in {STARVED_RUNS} runs")

    def load_once(self, rate, bad_share, seconds):
        producer = self.next_producer
        self.next_producer += 1
        self.reader.take()
        before, start = thread_seconds(self.appliance.process, WORKER), time.monotonic()
        done = subprocess.run(
            ["taskset", "-c", ",".join(map(str, self.cores)), LOAD, "--config",
             self.appliance.definitions, "--to", f"127.0.0.1:{self.appliance.udp}", "--query",
             self.appliance.socket, "--rate", str(rate), "--seconds", str(seconds), "--keys",
             str(CARDS), "--events-per-message", str(EVENTS), "--key-file", self.keys,
             "--producer", str(producer), "--bad-tags", str(bad_share), "--readers", "0",
             "--probe-rate", "0", "--seed", str(self.seed), "--json"],
            capture_output=True, text=True, timeout=60, check=False)
        took = time.monotonic() - start
        assert done.returncode == 0, done.stderr + done.stdout
        end = json.loads(done.stdout)
        lane = [lane for lane in self.appliance.status()["lanes"]
                if int(lane["producer"]) == producer]
        applied = lane[0]["messages"] * EVENTS if lane else 0
        worker = thread_seconds(self.appliance.process, WORKER) - before
        return {"end": end, "lane": lane[0] if lane else None, "reads": self.reader.take(),
                "goodput": applied / end["seconds"], "offered": end["messages"] / end["seconds"],
                "worker_share": worker / took, "applied": applied}

    def close(self):
        self.reader.finish()
        self.patient.ending = True
        self.patient.join()
        self.patient.producer.on_durable = None
        self.patient.producer.close()
        if self.appliance.process.poll() is None:
            self.appliance.kill()


def check_counts(run):
    """Each datagram that came is counted once, each drop by a reason that this load explains, and
    what the lane did not get it knows of, up to its last message."""
    end, lane = run["end"], run["lane"]
    assert end["balance"] == 0, end
    assert end["read_errors"] == 0, end
    unexplained = set(end["drops"]) - {"message_bad_tag", "message_log_full", "message_duplicate"}
    assert not unexplained, end["drops"]
    good = end["messages"] - end["bad_tags"]
    assert lane["messages"] + lane["gaps"] + lane["holes"] <= good, (lane, good)
    # What the socket still held when a run ended is counted in the next one.
    return {"bad_tags_sent": end["bad_tags"],
            "bad_tags_dropped": end["drops"].get("message_bad_tag", 0),
            "kernel_dropped": end["kernel_dropped_datagrams"],
            "gaps_seen": lane["gaps"] + lane["holes"],
            "good_lost": good - lane["messages"]}


def check_patient(bench):
    """All that it sent is acknowledged, there, and there once."""
    settle = bench.patient.settle()
    redis = Redis(path=bench.appliance.socket)
    ledger = bench.patient.ledger
    values = ledger.read(redis)
    redis.close()
    short = ledger.short_of(values, ledger.copy_acked())
    beyond = ledger.beyond(values)
    for wrong in [*short, *beyond]:
        print(f"WRONG {wrong}", flush=True)
    return settle, len(short), len(beyond)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--seconds", type=float, default=1)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = options.parse_args()
    print(f"SEED={options.seed}")
    plateaus, floods, counts = [], [], collections.Counter()
    with tempfile.TemporaryDirectory(prefix="freshet-overload-") as folder:
        bench = Bench(folder, 2 * STARVED_RUNS * options.rounds, options.seed)
        try:
            for _ in range(options.rounds):
                plateaus.append(bench.load(10**9, 0, options.seconds))
                counts.update(check_counts(plateaus[-1]))
                rate = OVERLOAD * plateaus[-1]["goodput"]
                floods.append(bench.load(rate, BAD_SHARE, options.seconds))
                counts.update(check_counts(floods[-1]))
            assert counts["bad_tags_dropped"] <= counts["bad_tags_sent"], counts
            settle, short, beyond = check_patient(bench)
            bench.reader.finish()
            assert bench.appliance.stop() == 0, bench.appliance.log.read_text()
        finally:
            bench.close()
    report(plateaus, floods, counts, bench, settle, short, beyond)


def report(plateaus, floods, counts, bench, settle, short, beyond):
    def middle(runs, name):
        return statistics.median(run[name] for run in runs)

    def reads(runs):
        return [seconds for run in runs for seconds in run["reads"]]

    slow = sum(seconds > READ_SECONDS for seconds in reads(plateaus) + reads(floods))
    plateau_messages = middle(plateaus, "goodput") / EVENTS
    offered = middle(floods, "offered") / plateau_messages
    ratio = middle(floods, "goodput") / middle(plateaus, "goodput")
    per_worker = (middle(floods, "goodput") / middle(floods, "worker_share")
                  / (middle(plateaus, "goodput") / middle(plateaus, "worker_share")))
    print(f"the sender ran on core {bench.cores}, the machine has {os.cpu_count()}; its load was "
          f"{os.getloadavg()[0]:.1f}; offered {offered:.1f} times the plateau of {OVERLOAD} wanted")
    figures.write("overload", [figures.row(
        "overload, 90 % of datagrams with a bad tag", len(reads(floods)), "reads",
        {"reads that failed": bench.reader.errors, f"reads beyond {READ_SECONDS} s": slow,
         "keys that lack acknowledged events": short, "keys that count events twice": beyond},
        plateau_events_per_second=round(middle(plateaus, "goodput")),
        goodput_events_per_second=round(middle(floods, "goodput")),
        goodput_to_plateau=round(ratio, 3), goodput_to_plateau_per_worker_second=round(
            per_worker, 3), offered_to_plateau=round(offered, 1),
        worker_share_plateau=round(middle(plateaus, "worker_share"), 2),
        worker_share_flood=round(middle(floods, "worker_share"), 2),
        reads_at_plateau=figures.milliseconds(reads(plateaus)),
        reads_in_flood=figures.milliseconds(reads(floods)), dropped=dict(counts),
        acknowledged=bench.patient.ledger.acked_events, settle_seconds=round(settle, 3),
        cores=os.cpu_count(), machine_load=round(os.getloadavg()[0], 1))])


if __name__ == "__main__":
    main()
