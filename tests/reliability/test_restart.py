#!/usr/bin/env python3
"""How long a restart takes with so many entities, after SIGTERM and after kill -9, and so how many
of them a month allows. What was there before is there after."""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import appliance as support  # noqa: E402
import figures  # noqa: E402
from population import Population, load_average  # noqa: E402

MONTH_SECONDS = 30 * 86400
ALLOWED = {"99.9 %": MONTH_SECONDS / 1000, "99.99 %": MONTH_SECONDS / 10000}
VERIFIED_MAX = 1000000  # Entities; reading more takes longer than it tells.


class Restarts:
    """Restarts of one kind, and what they took."""

    def __init__(self, population, kind):
        self.population, self.kind = population, kind
        self.stop, self.start, self.processor, self.loads = [], [], [], []
        self.lost = self.changed = self.behind = self.compared = 0

    def note(self, stop, still, least):
        """Starts it, and compares with what was read before."""
        self.stop.append(stop)
        self.start.append(self.population.start())
        self.processor.append(self.population.processor_seconds())
        self.loads.append(load_average())
        self.recovery = self.population.status()["store"]["recovery"]
        self.lost += abs(self.population.entities - self.population.count())
        after = self.population.values(list(still))
        self.changed += sum(after[card] != still[card] for card in still)
        after = self.population.values(list(least))
        self.compared += len(least)
        self.behind += sum(after[card][0] < least[card][0] for card in least)
        print(f"{self.kind}: stop {self.stop[-1]:.2f} s, start {self.start[-1]:.2f} s, "
              f"{self.processor[-1]:.2f} s of its thread, loading {self.recovery['seconds']:.2f}, "
              f"{self.recovery['load_bytes'] >> 20} MiB, {self.recovery['records']} records, "
              f"load average {self.loads[-1]}", flush=True)

    def row(self, **others):
        away = [stop + start for stop, start in zip(self.stop, self.start)]
        typical = statistics.median(away)
        seconds = max(self.recovery["seconds"], 1e-6)
        zeros = {"entities lost or made up": self.lost, "values that changed": self.changed}
        if self.compared:
            zeros["values behind what was durable"] = self.behind
        return figures.row(
            f"restart after {self.kind}, {self.population.entities} entities", len(away),
            "restarts", zeros,
            stop=figures.seconds(self.stop), start_to_ready=figures.seconds(self.start),
            start_processor=figures.seconds(self.processor),
            away=figures.seconds(away),
            newest={"loading_s": round(seconds, 3), "rows": self.recovery["rows"],
                    "records": self.recovery["records"],
                    "mb": round(self.recovery["load_bytes"] / 1e6, 1),
                    "mb_per_s": round(self.recovery["load_bytes"] / 1e6 / seconds)},
            restarts_a_month={share: int(allowed / typical) for share, allowed in ALLOWED.items()},
            load_average=statistics.median(self.loads), **others)


def stop_and_start(restarts, rate, seconds):
    """Events come until just before: the last checkpoint has something to write."""
    population = restarts.population
    population.segments_wait()
    population.load_run(population.entities // 2, rate, seconds)
    still = population.values(population.still + population.moving)
    restarts.note(population.stop(), still, {})


def kill_and_start(restarts, rate, seconds):
    """In the middle of load. Half of the cards get no events: those must be as they were."""
    population = restarts.population
    population.segments_wait()
    still = population.values(population.still)
    least = population.values(population.moving)
    population.load_begin(population.entities // 2, rate, 600)
    time.sleep(seconds * (0.5 + population.random.random()))
    try:
        least = population.values(population.moving, "LEVEL", "durable")
    except RuntimeError as error:
        assert "not durable yet" in str(error), error  # What was there before the load is.
    begin = time.monotonic()
    population.appliance.kill()
    stop = time.monotonic() - begin
    population.load_end(kill=True)
    restarts.note(stop, still, least)


def measure(entities, rounds, options):
    with tempfile.TemporaryDirectory(prefix="freshet-restart-", dir=options.folder) as folder:
        population = Population(folder, entities, segment=options.segment, seed=options.seed)
        try:
            first = population.start()
            population.fill(options.fill_rate)
            size, took = population.checkpoint()
            written = {"mb": round(size / 1e6, 1), "seconds": round(took, 2),
                       "mb_per_s": round(size / 1e6 / max(took, 1e-6))}
            kinds = Restarts(population, "SIGTERM"), Restarts(population, "kill -9")
            for _ in range(rounds):
                stop_and_start(kinds[0], options.rate, options.load_seconds / 4)
                kill_and_start(kinds[1], options.rate, options.load_seconds)
            if entities <= VERIFIED_MAX:
                population.stop()
                done = support.run("verify", population.appliance.folder / "data", timeout=300)
                assert done.returncode == 0, done.stdout
        except BaseException:
            print(population.appliance.log.read_text(), file=sys.stderr)
            raise
        finally:
            population.close()
        return [kinds[0].row(whole_checkpoint=written, first_start_s=round(first, 2)),
                kinds[1].row()]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--entities", type=int, nargs="+", default=[20000])
    options.add_argument("--rounds", type=int, nargs="+", default=[1],
                         help="of each size; the last one holds for those behind it")
    options.add_argument("--rate", type=int, default=20000)
    options.add_argument("--fill-rate", type=int, default=100000)
    options.add_argument("--load-seconds", type=float, default=1)
    options.add_argument("--segment", default="4MiB")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--folder", help="where data lies meanwhile")
    options = options.parse_args()
    rows = []
    for index, entities in enumerate(options.entities):
        rounds = options.rounds[min(index, len(options.rounds) - 1)]
        rows += measure(entities, rounds, options)
    figures.write("restart", rows)


if __name__ == "__main__":
    main()
