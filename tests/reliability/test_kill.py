#!/usr/bin/env python3
"""kill -9 of the real process under acknowledged load, at random moments, also while it starts and
recovers. A ledger outside the process says what every read must show."""

import argparse
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import figures  # noqa: E402
from ledger import Ledger  # noqa: E402
from patient import Patient  # noqa: E402


def kill_again_and_again(patient, kills, source):
    """Returns how many kills there were, and how many hit a process that was not ready yet."""
    count = early = 0
    patient.appliance.spawn()
    patient.wait_ready()
    while count < kills:
        if source.random() < 0.3:
            # While it starts: reads a manifest, replays, claims an epoch, prepares segments.
            patient.appliance.kill()
            count += 1
            patient.appliance.spawn()
            patient.crowd.run(source.random() * patient.restarts[-1])
            early += 0 if patient.appliance.is_ready() else 1
        else:
            patient.crowd.run(source.random() * 0.6)
        patient.appliance.kill()
        count += 1
        patient.appliance.spawn()
        patient.wait_ready()
        patient.check()
    return count, early


def the_ledger_notices():
    """What it is there for: one event less, one more."""
    ledger = Ledger()
    for event in ((1, 2, 10), (1, 3, 5)):
        ledger.take_sent(event)
        ledger.take_acked([event])
    good = {"card:1": (2, 15), "shop:2": (1, 10), "shop:3": (1, 5)}
    owed = ledger.copy_acked()
    assert not ledger.short_of(good, owed) and not ledger.beyond(good)
    assert not ledger.unequal(good, lambda key: True)
    less, more = {**good, "card:1": (1, 15)}, {**good, "shop:3": (1, 6)}
    assert ledger.short_of(less, owed) and ledger.unequal(less, lambda key: True)
    assert ledger.beyond(more) and ledger.unequal(more, lambda key: True)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    options.add_argument("--checkpoint", default="100ms")
    options = options.parse_args()
    print(f"SEED={options.seed}")
    the_ledger_notices()
    source = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="freshet-kill-") as folder:
        data = (f"directory: {folder}/data, checkpoint: {options.checkpoint}, "
                f"mirror: {{segment: 1MiB}}")
        patient = Patient(folder, options.seed, data)
        try:
            kills, early = kill_again_and_again(patient, options.kills, source)
            patient.finish()
        finally:
            patient.close()
    ledger = patient.ledger
    figures.write("kill", [figures.row(
        "kill -9 of the process under load", kills, "kills",
        {"acknowledged events lost": ledger.lost, "events counted twice": ledger.twice},
        acknowledged=ledger.acked_events, reads=ledger.reads, killed_while_starting=early,
        restart_to_ready=figures.milliseconds(patient.restarts))])


if __name__ == "__main__":
    main()
