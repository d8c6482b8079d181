"""The real process for system tests: started on private ports and folders, always ended."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

SKIPPED = 77
START_SECONDS = 60
SOURCE = pathlib.Path(os.environ.get("FRESHET_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("FRESHET_BUILD", SOURCE / "build"))
PROGRAM = BUILD / "freshet"

STREAMS = """
streams:
  transaction:
    id: 1
    version: 1
    time: ts
    lateness: 1h
    fields:
      ts:     {type: timestamp}
      card:   {type: u64}
      amount: {type: decimal, scale: 2, min: 0, max: 1000000}
      status: {type: string, size: 8, enum: [ok, declined]}
views:
  activity:
    version: 1
    entity: card
    source: transaction
    windows: [10m, 1h]
    aggregates:
      txn_count:  count()
      amount_sum: sum(amount)
    ttl: 2d
"""


def need(program):
    """Ends the test as skipped when the program is not there."""
    if shutil.which(program) is None:
        print(f"skipped: needs {program}")
        sys.exit(SKIPPED)


def port_free(count=1):
    """A UDP and TCP port on loopback with count free ports from it on; below those that the kernel
    gives to clients, where one that asks too early may be connected to itself."""
    for attempt in range(200):
        base = 10000 + (os.getpid() * 131 + attempt * 97) % 22000
        held = []
        try:
            for port in range(base, base + count):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    sock = socket.socket(socket.AF_INET, kind)
                    held.append(sock)
                    sock.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for sock in held:
                sock.close()
    raise RuntimeError("no free ports on loopback")


def wait_until(condition, what, seconds=10):
    """Polls until condition() is true; fails with what otherwise."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Appliance:
    """A running freshet. Ports: udp (shards + 1 of them), tcp, http."""

    def __init__(self, folder, streams=STREAMS, shards=1, idle="sleep", memory="64MiB", files=None,
                 ingest=None, within=(), data=None, lines="", seconds=120):
        """ingest: instead of the UDP socket; within: a command that runs it; data: what is in the
        braces of `data`; lines: more of `appliance`; seconds: it ends by itself after so many."""
        self.within = list(within)
        self.seconds = seconds
        self.folder = pathlib.Path(folder)
        self.udp = port_free(shards + 8)
        self.tcp = self.udp + shards + 2
        self.http = self.tcp + 1
        self.socket = self.folder / "run" / "freshet.sock"
        self.definitions = self.folder / "freshet.yaml"
        self.ingest = ingest or f'{{driver: socket, listen: "127.0.0.1:{self.udp}"}}'
        self.idle, self.memory, self.lines = idle, memory, lines
        self.define(streams, shards, data)
        self.files = [str(self.definitions)] + [str(f) for f in files or []]
        self.process = None
        self.log = self.folder / "log"

    def define(self, streams, shards, data):
        """Writes the definitions; the next start takes them."""
        self.definitions.write_text(
            f"appliance:\n  shards: {shards}\n  idle: {self.idle}\n"
            f"  ingest:\n    - {self.ingest}\n"
            f"  query: {{unix: {self.socket}, tcp: \"127.0.0.1:{self.tcp}\", "
            f"http: \"127.0.0.1:{self.http}\"}}\n"
            f"  state: {{memory: {self.memory}}}\n"
            + (f"  data: {{{data}}}\n" if data else "") + self.lines + streams)

    def spawn(self, *arguments):
        """Starts it and does not wait."""
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*self.within, PROGRAM, "run", *self.files, "--for", str(self.seconds), *arguments],
                cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)

    def is_ready(self):
        return b"event=ready" in self.log.read_bytes()

    def start(self, *arguments):
        self.spawn(*arguments)
        return self.await_ready()

    def await_ready(self):
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "not ready in time:\n" + self.log.read_text()
            time.sleep(0.02)
        return self

    def stop(self):
        """Ends it as a user would; returns its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self):
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()

    def verb(self, *arguments, check=True):
        done = subprocess.run([PROGRAM, *arguments, "--server", str(self.socket)],
                              capture_output=True, text=True, timeout=30, cwd=self.folder)
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr}"
        return done

    def status(self):
        return json.loads(self.verb("status", "--json").stdout)

    def send(self, *datagrams):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in datagrams:
                sender.sendto(datagram, ("127.0.0.1", self.udp))

    def wait_received(self, count, seconds=10):
        wait_until(lambda: self.status()["received"] >= count, f"{count} events received", seconds)
        return self.status()


@contextlib.contextmanager
def running(*arguments, **options):
    """with running(shards=2) as appliance: ..."""
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        appliance = Appliance(folder, **options)
        try:
            yield appliance.start(*arguments)
        except BaseException:
            if appliance.log.exists():
                print(appliance.log.read_text(), file=sys.stderr)
            raise
        finally:
            code = appliance.stop()
        assert code == 0, f"exit code {code}"


def run(*arguments, **options):
    """freshet with these arguments, output captured as text."""
    environment = dict(os.environ, **options.pop("environment", {}))
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=options.pop("timeout", 30), env=environment, **options)


def main(tests):
    """Runs functions; prints one line each, and where one failed; exit code 1 when any did."""
    failed = 0
    for test in tests:
        try:
            test()
            print(f"ok   {test.__name__}")
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            frames = traceback.extract_tb(error.__traceback__)[1:]
            way = " > ".join(f"{pathlib.Path(f.filename).name}:{f.lineno}" for f in frames)
            print(f"     {way}: {frames[-1].line}")
    sys.exit(1 if failed else 0)
