#!/usr/bin/env python3
"""The disk is full: another file takes all the room at a random moment, on tmpfs and on ext4. Reads
go on, acknowledgements stop or go on as space allows, and come back soon after room is made; what
was acknowledged is there, also after a kill and a start on a full disk."""

import argparse
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
sys.dont_write_bytecode = True
import figures  # noqa: E402
import volume as volumes  # noqa: E402
from client import Redis  # noqa: E402
from patient import Patient  # noqa: E402
from volume import Volume  # noqa: E402

VOLUME_BYTES = 64 << 20
RESUME_SECONDS_MAX = 2.0
FULL_SECONDS_MAX = 8   # Segments that are ready are written first.
QUIET_SECONDS = 0.5    # Without an acknowledgement: they stopped.


class Fullness:
    """What became of one file system."""

    def __init__(self, patient, volume, source):
        self.patient, self.volume, self.source = patient, volume, source
        self.filler = volume.place / "filler"
        self.fills = self.stopped = self.reads = self.failed_reads = self.refused_starts = 0
        self.resumed = []

    def fill(self):
        """Takes all the room, in pieces that get smaller."""
        piece = 1 << 20
        with open(self.filler, "ab", buffering=0) as file:
            while piece >= 512:
                try:
                    while file.write(bytes(piece)) == piece:
                        pass
                except OSError:
                    pass
                piece //= 2

    def free(self):
        self.filler.unlink(missing_ok=True)

    def read_some(self, redis):
        self.reads += 1
        try:
            redis.call("HMGET", f"card:{self.source.randrange(24)}", "card.n_6h", "card.s_6h")
        except (OSError, RuntimeError) as error:
            self.failed_reads += 1
            print(f"a read failed: {error}", flush=True)

    def stops(self, redis):
        """Load and reads on a full disk: whether acknowledgements stop."""
        ledger, end = self.patient.ledger, time.monotonic() + FULL_SECONDS_MAX
        acked, last = ledger.acked_events, time.monotonic()
        while time.monotonic() < min(end, last + QUIET_SECONDS):
            self.patient.crowd.step()
            self.read_some(redis)
            if ledger.acked_events != acked:
                acked, last = ledger.acked_events, time.monotonic()
                self.fill()  # What the appliance gave back is taken too.
        return time.monotonic() < end

    def once(self):
        patient = self.patient
        patient.crowd.run(self.source.random() * 0.5)
        redis = Redis(path=patient.appliance.socket)
        self.fills += 1
        self.fill()
        stopped = self.stops(redis)
        self.stopped += stopped
        acked, start = patient.ledger.acked_events, time.monotonic()
        self.free()
        while patient.ledger.acked_events == acked:
            assert time.monotonic() < start + 10, patient.appliance.log.read_text()
            patient.crowd.step()
            self.read_some(redis)
        if stopped:
            self.resumed.append(time.monotonic() - start)
        redis.close()
        patient.check()

    def start_while_full(self):
        """It serves, or it says why not; nothing is lost either way."""
        appliance = self.patient.appliance
        appliance.kill()
        self.fills += 1
        self.fill()
        appliance.spawn()
        end = time.monotonic() + 3
        while appliance.process.poll() is None and not appliance.is_ready() \
                and time.monotonic() < end:
            self.patient.crowd.step()
        if appliance.process.poll() is not None:
            self.refused_starts += 1
            text = appliance.log.read_text()
            assert appliance.process.returncode > 0 and "error" in text, text
        else:
            appliance.kill()
        self.free()
        appliance.spawn()
        self.patient.wait_ready()
        self.patient.check()


def disk_full(kind, keep, rounds, source, seed):
    with tempfile.TemporaryDirectory(prefix="freshet-full-") as folder, \
            Volume(folder, VOLUME_BYTES, kind) as volume:
        data = (f"directory: {volume.place}/data, checkpoint: 300ms, "
                f"mirror: {{segment: 1MiB, bytes: {keep}}}")
        patient = Patient(folder, seed, data, directory=volume.place / "data")
        fullness = Fullness(patient, volume, source)
        try:
            patient.appliance.spawn()
            patient.wait_ready()
            for _ in range(rounds):
                fullness.once()
                fullness.start_while_full()
            patient.finish()
        finally:
            patient.close()
        ledger = patient.ledger
        slow = sum(1 for seconds in fullness.resumed if seconds > RESUME_SECONDS_MAX)
        return figures.row(
            f"disk full ({kind})", fullness.fills, "times",
            {"acknowledged events lost": ledger.lost, "events counted twice": ledger.twice,
             "reads failed": fullness.failed_reads, "resumed later than 2 s": slow},
            acknowledged=ledger.acked_events, reads=fullness.reads + ledger.reads,
            acknowledgements_stopped=fullness.stopped, starts_refused=fullness.refused_starts,
            resumed=figures.milliseconds(fullness.resumed))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = options.parse_args()
    print(f"SEED={options.seed}")
    source = random.Random(options.seed)
    volumes.namespace_enter()
    # Old segments are used again from 8 MiB on: then a full disk need not stop anything.
    figures.write("full", [disk_full(kind, keep, options.rounds, source, options.seed)
                           for kind, keep in (("tmpfs", "8MiB"), ("ext4", "40MiB"))])


if __name__ == "__main__":
    main()
