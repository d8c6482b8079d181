"""The homes of acked lanes over real UDP, as docs/producers.md describes them to producers, with a
network before them that loses, repeats and reorders by seed. Shares no code with the product but
the tag's function, which other tests hold against its reference."""

import pathlib
import random
import select
import socket
import struct
import sys
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "drivers" / "producer"))
sys.dont_write_bytecode = True
from freshet_producer import siphash24  # noqa: E402

HEAD = struct.Struct("<4HQQQQqIIBBH2H")
ACK = struct.Struct("<4HQQQQQIHHHBBI")
WINDOW = 4096


class Lane:
    def __init__(self):
        self.base = 0
        self.pending = {}   # Accepted and not durable: sequence to the message's events.
        self.above = set()  # Durable or given up above base.

    def base_move(self):
        while self.base + 1 in self.above:
            self.base += 1
            self.above.discard(self.base)


class FakeHome:
    """with FakeHome(shards=2) as home: ... home.port, home.events."""

    def __init__(self, shards=1, loss=0.0, twice=0.0, late=0.0, seed=1, credit=4096, key=None,
                 commit=0.002):
        self.shards, self.loss, self.twice, self.late = shards, loss, twice, late
        self.credit, self.key, self.commit = credit, key, commit
        self.random = random.Random(seed)
        self.lanes = {}
        self.events = []           # Durable, in commit order.
        self.arrived = []          # (port offset, lane, number of events) of each message.
        self.heartbeats = self.refused = self.bad_tags = self.duplicates = 0
        self.answers = {}          # (producer, incarnation, lane) to (address, key epoch).
        self.sockets = []
        self.delayed = []
        self.ends = threading.Event()
        self.port = self.bind()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def bind(self):
        for _ in range(100):
            base = random.randrange(20000, 60000)
            try:
                for offset in range(self.shards + 1):
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    self.sockets.append(sock)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                    sock.bind(("127.0.0.1", base + offset))
                return base
            except OSError:
                while self.sockets:
                    self.sockets.pop().close()
        raise RuntimeError("no free ports")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        for sock in self.sockets:
            sock.close()

    def take(self, offset, data, address):
        (_, _, _, _, tag, producer, sequence, oldest, _, incarnation, _, flags, epoch, number, size,
         count) = HEAD.unpack_from(data)
        if self.key is not None and tag != siphash24(self.key, data[:8] + bytes(8) + data[16:]):
            self.bad_tags += 1
            return
        body = data[HEAD.size:]
        assert len(body) == size * count and oldest <= sequence, "a well-formed message"
        events = [body[at:at + size] for at in range(0, len(body), size)]
        if flags & 1:
            self.events += events
            return
        lane = self.lanes.setdefault((producer, incarnation, number), Lane())
        self.answers[producer, incarnation, number] = address, epoch
        held = (sequence for sequence in range(lane.base + 1, oldest))
        lane.above.update(sequence for sequence in held if sequence not in lane.pending)
        lane.base_move()
        if count == 0:
            self.heartbeats += 1
            return
        self.arrived.append((offset, number, count))
        if sequence > lane.base + WINDOW:
            self.refused += 1
        elif sequence <= lane.base or sequence in lane.above or sequence in lane.pending:
            self.duplicates += 1
        else:
            lane.pending[sequence] = events

    def commit_all(self):
        for lane in self.lanes.values():
            for sequence, events in sorted(lane.pending.items()):
                self.events += events
                lane.above.add(sequence)
            lane.pending.clear()
            lane.base_move()

    def acks_send(self):
        for (producer, incarnation, number), (address, epoch) in self.answers.items():
            lane = self.lanes[producer, incarnation, number]
            bits = sum(1 << i for i in range(128) if lane.base + 1 + i in lane.above)
            ack = ACK.pack(56, 65000, 65000, 1, 0, producer, lane.base, bits & (1 << 64) - 1,
                           bits >> 64, incarnation, number, self.shards, self.credit, epoch, 0, 1)
            if self.key is not None:
                tag = struct.pack("<Q", siphash24(self.key, ack))
                ack = ack[:8] + tag + ack[16:]
            if self.random.random() >= self.loss:
                # From any port: producers take acknowledgements by the server's address.
                self.random.choice(self.sockets).sendto(ack, address)
        self.answers.clear()

    def receive(self, offset):
        while True:
            try:
                data, address = self.sockets[offset].recvfrom(9000, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if self.random.random() < self.loss:
                continue
            copies = 2 if self.random.random() < self.twice else 1
            for _ in range(copies):
                wait = self.random.random() * 0.02 if self.random.random() < self.late else 0
                self.delayed.append((time.monotonic() + wait, offset, data, address))

    def run(self):
        commit_at = ack_at = 0.0
        while not self.ends.is_set():
            readable, _, _ = select.select(self.sockets, [], [], 0.001)
            for sock in readable:
                self.receive(self.sockets.index(sock))
            now = time.monotonic()
            due = [item for item in self.delayed if item[0] <= now]
            self.delayed = [item for item in self.delayed if item[0] > now]
            for _, offset, data, address in due:
                self.take(offset, data, address)
            if now >= commit_at:
                self.commit_all()
                commit_at = now + self.commit
            if now >= ack_at:
                self.acks_send()
                ack_at = now + 0.001
