#!/usr/bin/env python3
"""The appliance's wall clock is set ahead and back and stands still, under acknowledged load, with
kill -9 in between. Producers' clocks are right. What a read says of its time is held against all
events that were sent."""

import argparse
import bisect
import collections
import json
import mmap
import os
import pathlib
import random
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import appliance as support  # noqa: E402
import figures  # noqa: E402
from client import Redis  # noqa: E402
from crowd import acked_key  # noqa: E402
from ledger import STREAMS, Ledger  # noqa: E402
from patient import SHOWN_SECONDS, Patient  # noqa: E402

SHIM = support.BUILD / "tests" / "reliability" / "libclock_shim.so"
WINDOW_US = 5_000_000
PAST_US = 8_000_000  # Further back a row may have more single events than it keeps.
VIEW_OPTIONS = "    windows: [5s, 5m, lifetime]\n    exact: 5m\n"
# A clock that is an hour behind must not quarantine what is right: see docs/operating/promises.md.
CLOCK_STREAMS = (STREAMS.replace("    windows: [6h]\n", VIEW_OPTIONS).replace("ttl: 2d", "ttl: 30d")
                 .replace("    lateness: 1h\n", "    lateness: 1h\n    future: 2h\n"))
HOUR, DAY = 3600, 24 * 3600
FREEZE = "stands still"
STEPS = {"an hour ahead": HOUR, "an hour back": -HOUR, "a day ahead": DAY, FREEZE: 0, "true": 0}
FREEZE_SECONDS = 3
READ_SECONDS = 1.0  # No read takes longer.
ACK_SECONDS = 5     # Without any, under load: they stopped.
WRONGS = ("a window is wrong", "window too full", "more than was sent", "T went back",
          "T of records went back", "watermark", "counts", "acknowledgements stopped",
          "a restart changed an answer", "a read failed", "acknowledged events lost",
          "events counted twice")


class Clock:
    """What clock_shim.c reads."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "clock"
        self.path.write_bytes(bytes(16))
        with open(self.path, "r+b") as file:
            self.words = mmap.mmap(file.fileno(), 16)
        self.offset = 0

    def within(self):
        return ["env", f"LD_PRELOAD={SHIM}", f"FRESHET_CLOCK={self.path}"]

    def set(self, name):
        self.offset = STEPS[name]
        frozen = time.time_ns() if name == FREEZE else 0
        self.words[0:8] = struct.pack("<q", self.offset * 10**9)
        self.words[8:16] = struct.pack("<q", frozen)

    def error(self, now_us):
        """How far an appliance's now is from where it was set, in seconds."""
        return abs(now_us / 1e6 - time.time() - self.offset)


class TimedLedger(Ledger):
    """Knows when each event of a key happened, and reads as of the newest one: a clock that is
    behind hides nothing."""

    def __init__(self):
        super().__init__()
        self.times = collections.defaultdict(list)

    def take_sent(self, event, time_us=0):
        super().take_sent(event)
        for key in (f"card:{event[0]}", f"shop:{event[1]}"):
            bisect.insort(self.times[key], (time_us, event[2]))

    def read(self, redis):
        keys = list(self.sent)
        for key in keys:
            view = key.split(":")[0]
            redis.send("FS.GET", key, "FIELDS", 2, f"{view}.n", f"{view}.s", "LATEST")
        self.reads += len(keys)
        return {key: tuple(int(value or 0) for value in redis.read()[1::2]) for key in keys}

    def window(self, key, start_us, end_us):
        """(count, sum) of its events in [start, end)."""
        times = self.times[key]
        part = times[bisect.bisect_left(times, (start_us,)):bisect.bisect_left(times, (end_us,))]
        return len(part), sum(amount for _, amount in part)


class Watch:
    """Reads all the time; keeps what was wrong."""

    def __init__(self, patient):
        self.patient, self.ledger = patient, patient.ledger
        self.latencies = []
        self.wrong = collections.Counter()
        self.windows = 0
        self.redis = None
        self.forget()

    def forget(self):
        """A new life: what was published and not durable may step back."""
        if self.redis is not None:
            self.redis.close()
        self.redis, self.last_q, self.watermark = None, {}, 0

    def note(self, what, detail):
        self.wrong[what] += 1
        print(f"WRONG {what}: {detail}", flush=True)

    def get(self, key, *words):
        """(q, (count, sum) of the window, (count, sum) of all time) of a key."""
        view = key.split(":")[0]
        features = [f"{view}.{name}" for name in ("n_5s", "s_5s", "n", "s")]
        start = time.monotonic()
        if self.redis is None:
            self.redis = Redis(path=self.patient.appliance.socket)
        reply = self.redis.call("FS.GET", key, "FIELDS", 4, *features, *words, "WITHMETA")[1::2]
        self.latencies.append(time.monotonic() - start)
        numbers = [int(answer[0] or 0) for answer in reply]
        return reply[0][6], tuple(numbers[:2]), tuple(numbers[2:])

    def look(self):
        """One read under load: its time does not go back, and it has nothing that was not sent."""
        keys = [key for key in self.ledger.sent if acked_key(key)]
        if not keys:
            return
        key = random.choice(keys)
        try:
            q, window, whole = self.get(key)
        except (OSError, RuntimeError) as error:
            self.note("a read failed", repr(error))
            self.forget()
            return
        if q < self.last_q.get(key, q):
            self.note("T went back", (key, self.last_q[key], q))
        self.last_q[key] = q
        most = self.ledger.window(key, q - WINDOW_US, q)
        if window[0] > most[0] or window[1] > most[1]:
            self.note("window too full", (key, q, window, most))
        if whole > tuple(self.ledger.sent[key]):
            self.note("more than was sent", (key, q, whole, self.ledger.sent[key]))

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(10):
                self.patient.crowd.step()
            self.look()

    def wrong_now(self, *words):
        """Keys whose windows are not what the oracle has; everything is settled."""
        found = []
        for key in list(self.ledger.sent):
            if acked_key(key):
                q, window, whole = self.get(key, *words)
                right = (self.ledger.window(key, q - WINDOW_US, q), self.ledger.window(key, 0, q))
                self.windows += 1
                if (window, whole) != right:
                    found.append((key, q, window, whole, right))
        return found

    def settle(self):
        """Waits until all that was sent is acknowledged and shown; what is not, then."""
        self.patient.crowd.settle()
        end = time.monotonic() + SHOWN_SECONDS
        while (wrong := self.wrong_now()) and time.monotonic() < end:
            time.sleep(0.02)
        return wrong

    def check_windows(self, source, begin_us):
        """Reads as they are, and at times of the past, are exact."""
        wrong = self.settle()
        now_us = time.time_ns() // 1000
        for _ in range(2):
            wrong += self.wrong_now("AT", source.randrange(max(begin_us, now_us - PAST_US), now_us))
        for detail in wrong:
            self.note("a window is wrong", detail)

    def check_status(self):
        """Nothing was late or early, counts balance, the watermark is the newest event."""
        status = self.patient.appliance.status()
        stream = status["streams"][0]
        newest = max((times[-1][0] for times in self.ledger.times.values()), default=0)
        if status["balance"] != 0 or stream["late"] or stream["future"]:
            self.note("counts", {name: stream[name] for name in ("late", "future", "drops")})
        if not self.watermark <= (stream["watermark_us"] or 0) <= newest:
            self.note("watermark", (self.watermark, stream["watermark_us"], newest))
        self.watermark = stream["watermark_us"] or 0


def durable_answers(redis, ledger, at_us):
    """Every key's answer at a time, once no crash can undo it. What is sent without acknowledgement
    may still be on its way."""
    answers = {}
    for key in filter(acked_key, ledger.sent):
        view = key.split(":")[0]
        answers[key] = redis.call("FS.GET", key, "FIELDS", 2, f"{view}.n_5s", f"{view}.s", "AT",
                                  at_us, "LEVEL", "durable")
    return answers


def kill(patient, watch):
    """The same answers before and after, wherever the clock stands."""
    watch.settle()
    redis = Redis(path=patient.appliance.socket)
    at_us = time.time_ns() // 1000 - 500_000
    before = durable_answers(redis, patient.ledger, at_us)
    redis.close()
    patient.appliance.kill()
    watch.forget()
    patient.appliance.spawn()
    patient.wait_ready()
    redis = Redis(path=patient.appliance.socket)
    after = durable_answers(redis, patient.ledger, at_us)
    redis.close()
    for key, answer in before.items():
        if after[key] != answer:
            watch.note("a restart changed an answer", (key, answer, after[key]))
    return len(before)


def step(patient, watch, clock, name):
    """One position of the clock: it is seen, load goes on, acknowledgements come."""
    clock.set(name)
    start = time.monotonic()
    if name == FREEZE:
        watch.run(FREEZE_SECONDS)
    while name != FREEZE and clock.error(patient.appliance.status()["appliance"]["now_us"]) > 0.3:
        assert time.monotonic() < start + 10, f"the appliance does not see a clock that is {name}"
        watch.run(0.1)
    acked, start = patient.ledger.acked_events, time.monotonic()
    watch.run(0.5)
    while patient.ledger.acked_events <= acked and time.monotonic() < start + ACK_SECONDS:
        watch.run(0.1)
    if patient.ledger.acked_events <= acked:
        watch.note("acknowledgements stopped", name)


def the_oracle_notices():
    """What it is there for: windows that begin and end where they should, and no event more."""
    ledger = TimedLedger()
    for time_us, amount in ((30, 3), (10, 1), (20, 2)):
        ledger.take_sent((1, 2, amount), time_us)
    assert ledger.window("card:1", 10, 30) == (2, 3)
    assert ledger.window("card:1", 11, 31) == (2, 5)
    assert ledger.window("shop:2", 0, 10) == (0, 0)


def records_check(folder, watch):
    """T of the records in the mirror: each shard's grow, over all lives."""
    frames = 0
    for shard in range(2):
        last_us = 0
        for path in sorted(pathlib.Path(folder).glob(f"mirror-{shard:03d}-*.log")):
            with open(path, "rb") as file:
                if not any(file.read(64)):
                    continue  # A spare that was not begun.
            done = support.run("inspect", path, "--json", "--limit", 10**5)
            assert done.returncode == 0, done.stderr
            for frame in json.loads(done.stdout)["frames"]:
                if frame.get("count", 0) > 0:
                    frames += 1
                    if frame["apply_us"] < last_us:
                        watch.note("T of records went back", (path.name, last_us, frame))
                    last_us = frame["apply_us"]
    assert frames > 0
    return frames


def round_run(folder, source, totals):
    """One appliance, from its first start on: every position of the clock, in any order."""
    clock = Clock(folder)
    data = f"directory: {folder}/data, checkpoint: 300ms, mirror: {{segment: 1MiB}}"
    patient = Patient(folder, source.randrange(10**9), data, streams=CLOCK_STREAMS, fickle=0,
                      within=clock.within(), memory="512MiB", ledger=TimedLedger(),
                      events_per_second=1000)
    watch = Watch(patient)
    begin_us = time.time_ns() // 1000
    names = list(STEPS)
    source.shuffle(names)
    killed = source.choice(names)
    print(f"{', '.join(names)}; killed when: {killed}", flush=True)
    try:
        patient.appliance.spawn()
        patient.wait_ready()
        watch.run(0.3)
        for name in names:
            step(patient, watch, clock, name)
            watch.check_windows(source, begin_us)
            watch.check_status()
            patient.check()
            if name == killed:
                totals["answers"] += kill(patient, watch)
        patient.finish()
        totals["frames"] += records_check(f"{folder}/data", watch)
    finally:
        patient.close()
    totals["steps"] += len(names)
    totals["windows"] += watch.windows
    totals["acked"] += patient.ledger.acked_events
    totals["acknowledged events lost"] += patient.ledger.lost
    totals["events counted twice"] += patient.ledger.twice
    totals["slow"] += sum(seconds > READ_SECONDS for seconds in watch.latencies)
    totals.update(watch.wrong)
    return watch.latencies


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = options.parse_args()
    print(f"SEED={options.seed}")
    the_oracle_notices()
    source = random.Random(options.seed)
    totals, latencies = collections.Counter(), []
    # In memory where that goes: a disk that is slow for a second looks as a clock that held it up.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="freshet-clock-", dir=place) as folder:
            latencies += round_run(folder, source, totals)
    zeros = {name: totals[name] for name in WRONGS}
    zeros[f"reads beyond {READ_SECONDS} s"] = totals["slow"]
    figures.write("clock", [figures.row(
        "the wall clock set ahead, back, and still", totals["steps"], "steps", zeros,
        kills=options.rounds, windows_compared=totals["windows"],
        answers_over_a_kill=totals["answers"], frames=totals["frames"],
        acknowledged=totals["acked"], reads=figures.milliseconds(latencies))])


if __name__ == "__main__":
    main()
