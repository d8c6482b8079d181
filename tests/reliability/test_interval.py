#!/usr/bin/env python3
"""What the interval of checkpoints costs and brings: time of the worker against what its events
take without any, bytes written, and how long a start takes after kill -9 just before the next one.

Time of the worker, not throughput: with two cores the load generator is what ends first."""

import argparse
import pathlib
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import appliance as support  # noqa: E402
import figures  # noqa: E402
from population import Population, load_average  # noqa: E402

NONE = "1h"  # None comes within the test.
LATE = 0.9   # Share of an interval after which the process is killed.
WORKER = "shard-0"
BYTES_PER_ENTITY = 2000  # Room for minutes of load.


def seconds_of(interval):
    return float(interval.rstrip("hms")) * {"h": 3600, "m": 60, "s": 1}[interval[-1]]


def processor_seconds(process):
    """Per thread name, by what the scheduler counted; helpers of the kernel are among them."""
    spent = {}
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            spent[name] = spent.get(name, 0) + (
                int((task / "schedstat").read_text().split()[0]) / 1e9)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return spent


def written_bytes(process):
    lines = pathlib.Path(f"/proc/{process}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def busy_seconds(population):
    """Time of turns with events, by the wall's clock."""
    with urllib.request.urlopen(f"http://127.0.0.1:{population.appliance.http}/metrics") as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines
               if line.startswith("freshet_core_busy_seconds_total{"))


class Reading:
    """Counters of an appliance at one moment."""

    def __init__(self, population):
        process = population.appliance.process.pid
        status = population.status()
        self.at = time.monotonic()
        self.applied = status["applied"]
        self.checkpoint = status["store"]["checkpoint"]
        self.busy = busy_seconds(population)
        self.processor = processor_seconds(process)
        self.written = written_bytes(process)


class Span:
    """What happened between two readings. The worker waits for commits awake, so that its thread's
    own time says nothing: what turns with events took, and walks, is measured by the wall's clock,
    and counts by the share of time in which the thread had a core at all."""

    def __init__(self, before, after):
        self.seconds = after.at - before.at
        self.events = after.applied - before.applied

        def spent(name):
            return after.processor.get(name, 0) - before.processor.get(name, 0)

        def more(name):
            return after.checkpoint[name] - before.checkpoint[name]
        had_core = spent(WORKER) / self.seconds
        self.busy = (after.busy - before.busy) * had_core
        self.walk = more("walk_seconds_total") * had_core
        self.store = spent("store")
        self.checkpoints = more("count")
        self.checkpoint_bytes = more("bytes_total")
        self.rest_bytes = after.written - before.written - self.checkpoint_bytes


def kill_late(population, interval):
    """Just before the next checkpoint, while events come: as much of the log as there can be."""
    late = 0 if interval == NONE else seconds_of(interval) * LATE
    support.wait_until(
        lambda: late <= (population.status()["store"]["checkpoint"]["age_seconds"] or 0), "late",
        seconds_of(interval) * 2 + 60)
    still = population.values(population.still)
    population.appliance.kill()
    population.load_end(kill=True)
    seconds = population.start()
    changed = sum(value != still[card] for card, value in population.values(list(still)).items())
    return seconds, changed + abs(population.entities - population.count())


class Trial:
    """One interval under one load."""

    def __init__(self, interval, options):
        self.interval = interval
        with tempfile.TemporaryDirectory(prefix="freshet-interval-", dir=options.folder) as folder:
            population = Population(folder, options.entities, interval, options.segment,
                                    bytes_per_entity=BYTES_PER_ENTITY)
            try:
                population.start()
                population.fill(options.fill_rate)
                population.checkpoint()
                population.segments_wait()
                self.run(population, options)
            except BaseException:
                print(population.appliance.log.read_text(), file=sys.stderr)
                raise
            finally:
                population.close()

    def run(self, population, options):
        population.load_begin(options.entities // 2, options.rate, 3600)
        time.sleep(min(1, options.seconds / 4))  # It runs evenly.
        before = Reading(population)
        time.sleep(options.seconds)
        self.span = Span(before, Reading(population))
        self.load = load_average()
        self.recovery_seconds, self.wrong = kill_late(population, self.interval)
        self.recovery = population.status()["store"]["recovery"]

    def row(self, base):
        span = self.span

        def rate(count):
            return round(count / 1e6 / span.seconds, 2)
        name = "none" if self.interval == NONE else self.interval
        per_event = base.span.busy / base.span.events
        return figures.row(
            f"checkpoint interval {name}", 1, "trial", {"values and entities lost": self.wrong},
            events_per_s=round(span.events / span.seconds),
            busy_ns_per_event=round(span.busy / span.events * 1e9),
            walk_ns_per_event=round(span.walk / span.events * 1e9, 1),
            overhead_percent=round(100 * span.walk / (per_event * span.events), 1),
            walk_percent_of_core=round(100 * span.walk / span.seconds, 2),
            store_percent_of_core=round(100 * span.store / span.seconds, 2),
            checkpoints=span.checkpoints, checkpoint_mb_per_s=rate(span.checkpoint_bytes),
            log_mb_per_s=rate(span.rest_bytes), recovery_s=round(self.recovery_seconds, 2),
            loading_s=round(self.recovery["seconds"], 2), records=self.recovery["records"],
            load_average=self.load)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--intervals", nargs="+", default=["1s"])
    options.add_argument("--entities", type=int, default=20000)
    options.add_argument("--rate", type=int, default=20000)
    options.add_argument("--fill-rate", type=int, default=100000)
    options.add_argument("--seconds", type=float, default=1.5)
    options.add_argument("--segment", default="4MiB")
    options.add_argument("--folder", help="where data lies meanwhile")
    options = options.parse_args()
    bases = [Trial(NONE, options)]
    trials = [Trial(interval, options) for interval in options.intervals]
    if len(trials) > 1:
        bases.append(Trial(NONE, options))  # What the machine did meanwhile shows between them.
    base = min(bases, key=lambda trial: trial.span.busy / trial.span.events)
    figures.write("interval", [trial.row(base) for trial in bases + trials])


if __name__ == "__main__":
    main()
