"""An appliance that is hurt again and again under load, and what is asked of it each time."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
from client import Redis  # noqa: E402
from crowd import Crowd, acked_key  # noqa: E402
from ledger import STREAMS  # noqa: E402

READY_SECONDS = 30
SHOWN_SECONDS = 5  # An acknowledged event may be on its way to another shard.


class Patient:
    """An appliance that is hurt again and again, and its load."""

    def __init__(self, folder, seed, data, shards=2, directory=None, streams=STREAMS, within=(),
                 memory="64MiB", **crowd):
        self.directory = directory or pathlib.Path(folder) / "data"
        self.appliance = support.Appliance(folder, streams=streams, shards=shards, data=data,
                                           within=within, memory=memory, seconds=3600)
        self.crowd = Crowd(self.appliance.udp, seed, **crowd)
        self.ledger = self.crowd.ledger
        self.restarts = []

    def wait_ready(self):
        """Load goes on meanwhile; notes how long it took."""
        start = time.monotonic()
        while not self.appliance.is_ready():
            assert self.appliance.process.poll() is None, self.appliance.log.read_text()
            assert time.monotonic() < start + READY_SECONDS, self.appliance.log.read_text()
            self.crowd.step()
        self.restarts.append(time.monotonic() - start)

    def check(self):
        """Everything acknowledged is there, nothing more often than it was sent."""
        redis = Redis(path=self.appliance.socket)
        owed = self.ledger.copy_acked()
        end = time.monotonic() + SHOWN_SECONDS
        while True:
            values = self.ledger.read(redis)
            short = self.ledger.short_of(values, owed)
            if not short or time.monotonic() > end:
                break
            self.crowd.step()
        beyond = self.ledger.beyond(values)
        self.note(short, beyond)
        redis.close()

    def note(self, short, beyond):
        for key, owed, value in short:
            self.ledger.lost += max(1, owed[0] - value[0])
            print(f"LOST {key}: acknowledged {owed}, read {value}", flush=True)
        for key, sent, value in beyond:
            self.ledger.twice += max(1, value[0] - sent[0])
            print(f"TWICE {key}: sent {sent}, read {value}", flush=True)
        if short or beyond:
            print(self.appliance.log.read_text())

    def check_equal(self):
        """After everything became durable: exactly what was sent."""
        redis = Redis(path=self.appliance.socket)
        end = time.monotonic() + SHOWN_SECONDS
        while wrong := self.ledger.unequal(self.ledger.read(redis), acked_key):
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        for key, low, sent, value in wrong:
            print(f"UNEQUAL {key}: acknowledged {low}, sent {sent}, read {value}", flush=True)
            self.ledger.lost += max(0, low[0] - value[0])
            self.ledger.twice += max(0, value[0] - sent[0])
        assert not wrong, wrong[0]
        redis.close()

    def finish(self):
        """Settles, compares, stops as a user would, compares again after a start."""
        self.check()
        self.crowd.settle()
        self.check_equal()
        assert self.appliance.stop() == 0, self.appliance.log.read_text()
        done = support.run("verify", self.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        self.appliance.start()
        self.check_equal()
        assert self.appliance.stop() == 0, self.appliance.log.read_text()
        self.crowd.close()

    def close(self):
        if self.appliance.process is not None and self.appliance.process.poll() is None:
            self.appliance.kill()
        self.crowd.close()
