#!/usr/bin/env python3
"""Power cuts under acknowledged load: a real ext4 on a loop device is shut down at a random moment,
with and without its journal's last pages, mounted again, and the appliance started on what is left.

What this cannot show: a device that loses what it said to have flushed, and a device's own write
cache, since the loop's file stays. The simulated disk does (tests/simulation)."""

import argparse
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import figures  # noqa: E402
import volume as volumes  # noqa: E402
from patient import Patient  # noqa: E402
from volume import LOGFLUSH, NOLOGFLUSH, Volume  # noqa: E402

VOLUME_BYTES = 192 << 20


def cut_again_and_again(patient, volume, cuts, source):
    """Returns how many cuts hit a process that was not ready yet."""
    early = 0
    patient.appliance.spawn()
    patient.wait_ready()
    for cut in range(cuts):
        patient.crowd.run(source.random() * 0.5)
        if source.random() < 0.3:
            patient.appliance.kill()
            patient.appliance.spawn()
            patient.crowd.run(source.random() * patient.restarts[-1])
            early += 0 if patient.appliance.is_ready() else 1
        volume.cut_power(NOLOGFLUSH if cut % 2 == 0 else LOGFLUSH)
        patient.crowd.run(source.random() * 0.1)  # Every write fails: nothing may be acknowledged.
        patient.appliance.kill()
        volume.unmount()
        volume.mount()
        patient.appliance.spawn()
        patient.wait_ready()
        patient.check()
    return early


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--cuts", type=int, default=4)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = options.parse_args()
    print(f"SEED={options.seed}")
    source = random.Random(options.seed)
    volumes.namespace_enter()
    with tempfile.TemporaryDirectory(prefix="freshet-power-") as folder, \
            Volume(folder, VOLUME_BYTES) as volume:
        data = (f"directory: {volume.place}/data, checkpoint: 100ms, "
                f"mirror: {{segment: 1MiB, bytes: 64MiB}}")
        patient = Patient(folder, options.seed, data, directory=volume.place / "data")
        try:
            early = cut_again_and_again(patient, volume, options.cuts, source)
            patient.finish()
        finally:
            patient.close()
    ledger = patient.ledger
    figures.write("power", [figures.row(
        "power cut (ext4 shut down) under load", options.cuts, "cuts",
        {"acknowledged events lost": ledger.lost, "events counted twice": ledger.twice},
        acknowledged=ledger.acked_events, reads=ledger.reads, cut_while_starting=early,
        restart_to_ready=figures.milliseconds(patient.restarts))])


if __name__ == "__main__":
    main()
