"""Producers that load an appliance while it is hurt, and a ledger of what they were promised. One
thread: call step() often. Each has its own cards and shops; shops mostly belong to another shard
than cards, so homes forward.

    patient     keep everything until it is durable
    fickle      now and then forgets what it holds and begins a new incarnation
    unacked     the same messages, without acknowledgements; and lines of JSON
"""

import json
import random
import socket
import struct
import sys
import time

import appliance as support
from ledger import EVENT_BYTES, Ledger

sys.path.insert(0, str(support.SOURCE / "drivers" / "producer"))
from freshet_producer import Producer  # noqa: E402

CARDS, SHOPS = 24, 6
UNCOUNTED = 10**6  # Numbers from here on: sent without acknowledgement.


class Sender:
    """A producer and what its messages hold."""

    def __init__(self, crowd, number, fickle, acked=True):
        self.crowd, self.number, self.fickle, self.acked = crowd, number, fickle, acked
        self.incarnation = 0
        self.base = number * 1000 + (0 if acked else UNCOUNTED)
        self.open()

    def open(self):
        self.incarnation += 1
        self.held = {}
        self.producer = Producer(f"127.0.0.1:{self.crowd.udp}", producer=self.number + 1, stream=1,
                                 event_bytes=EVENT_BYTES, incarnation=self.incarnation,
                                 acked=self.acked, lanes=2, buffer_bytes=1 << 18, message_bytes=512,
                                 linger=0.001, policy="refuse", durable=self.on_durable)

    def on_durable(self, lane, sequence, events):
        held = self.held.pop((lane, sequence))
        assert len(held) == events, (lane, sequence, len(held), events)
        self.crowd.ledger.take_acked(held)

    def event(self):
        source = self.crowd.random
        return (self.base + source.randrange(CARDS), self.base + source.randrange(SHOPS),
                source.randrange(1, 100))

    def push(self):
        event = self.event()
        time_us = time.time_ns() // 1000
        place = self.producer.send(event[0], struct.pack("<qQQQ", time_us, *event))
        if place is None:
            return
        self.crowd.ledger.take_sent(event, time_us)
        if self.acked:
            self.held.setdefault(place, []).append(event)

    def forget(self):
        """As a producer that crashes does."""
        for events in self.held.values():
            self.crowd.ledger.take_abandoned(events)
        self.held = {}
        self.producer.on_durable = None
        self.producer.close()
        self.open()


class Crowd:
    """Load and ledger. events_per_second: of all producers with acknowledgements together."""

    def __init__(self, udp, seed, patient=3, fickle=1, events_per_second=4000, ledger=None):
        self.udp = udp
        self.random = random.Random(seed)
        self.ledger = ledger or Ledger()
        self.patient = [Sender(self, n, False) for n in range(patient)]
        self.fickle = [Sender(self, 100 + n, True) for n in range(fickle)]
        self.unacked = Sender(self, 200, False, acked=False)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.pace = 1.0 / events_per_second
        self.due = time.monotonic()
        self.sending = True

    def senders(self):
        return self.patient + self.fickle

    def push_text(self):
        event = self.unacked.event()
        line = {"stream": "payment", "ts": time.time_ns() // 1000, "card": event[0] + 500,
                "shop": event[1] + 500, "amount": event[2]}
        self.ledger.take_sent((line["card"], line["shop"], line["amount"]), line["ts"])
        self.socket.sendto(json.dumps(line).encode(), ("127.0.0.1", self.udp))

    def push(self):
        """What is due, in bursts: the pace holds over the whole time."""
        now = time.monotonic()
        self.due = max(self.due, now - 0.05)
        while self.sending and self.due <= now:
            self.due += self.pace
            self.random.choice(self.senders()).push()
            if self.random.random() < 0.02:
                self.unacked.push()
            if self.random.random() < 0.02:
                self.push_text()
        if self.sending and self.fickle and self.random.random() < 0.002:
            self.random.choice(self.fickle).forget()

    def step(self, wait=0.001):
        self.push()
        for sender in [*self.senders(), self.unacked]:
            sender.producer.poll()
        time.sleep(wait)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    def settle(self, seconds=30):
        """Stops sending and waits until everything is durable; the seconds that took."""
        start = time.monotonic()
        self.sending = False
        while any(sender.producer.stats["held"] for sender in self.senders()):
            assert time.monotonic() < start + seconds, \
                [sender.producer.stats for sender in self.senders()]
            self.step()
        self.sending = True
        return time.monotonic() - start

    def close(self):
        self.sending = False
        for sender in [*self.senders(), self.unacked]:
            sender.producer.on_durable = None
            sender.producer.close()
        self.socket.close()


def acked_key(key):
    """Whether a key belongs to producers that are answered."""
    return int(key.split(":")[1]) < UNCOUNTED
