#!/usr/bin/env python3
"""The long forms, one after the other, then the table. Exit 1 when one failed; what is lacking
is named as skipped. Environment: SEEDS of the simulator."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import appliance as support  # noqa: E402
import figures  # noqa: E402

HERE = pathlib.Path(__file__).parent
SIMULATION = HERE.parent / "simulation"
# Availability: a load that a machine with two cores carries beside its generator.
LOADED = ["--rate", "100000", "--fill-rate", "150000", "--segment", "256MiB"]
LONG = [
    [HERE / "test_kill.py", "--kills", "200"],
    [HERE / "test_power.py", "--cuts", "60"],
    [HERE / "test_full.py", "--rounds", "6"],
    [HERE / "test_clock.py", "--rounds", "12"],
    [HERE / "test_overload.py", "--rounds", "5", "--seconds", "4"],
    [HERE / "test_restart.py", "--entities", "1000000", "10000000", "--rounds", "5", "2", *LOADED,
     "--load-seconds", "8"],
    [HERE / "test_interval.py", "--entities", "1000000", "--intervals", "1s", "10s", "60s", *LOADED,
     "--seconds", "62"],
    [support.BUILD / "tests" / "reliability" / "test_reliability_flip", "all"],
    [support.BUILD / "tests" / "reliability" / "test_reliability_fail", "all"],
    [support.BUILD / "tests" / "reliability" / "test_reliability_fail_start", "all"],
    [SIMULATION / "planted.py"],
    [SIMULATION / "run.py", "--seeds", os.environ.get("SEEDS", "100000")],
    [support.BUILD / "tests" / "test_reliability_forged", "all"],
]


def main():
    shutil.rmtree(figures.FOLDER, ignore_errors=True)
    os.environ.pop("SEED", None)
    failed = 0
    for command in LONG:
        print(f"== {' '.join([pathlib.Path(command[0]).stem, *command[1:]])}", flush=True)
        code = subprocess.run([str(word) for word in command], check=False).returncode
        failed += code not in (0, support.SKIPPED)
    print("== all", flush=True)
    code = subprocess.run([sys.executable, str(HERE / "report.py")], check=False).returncode
    sys.exit(1 if failed or code else 0)


if __name__ == "__main__":
    main()
