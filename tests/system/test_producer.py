#!/usr/bin/env python3
"""The producer in Python: its bytes and hashes are the C library's, and over a network that loses,
repeats and reorders every event becomes durable once or is reported lost. And the C library itself,
through ctypes, against the same fake home."""

import ctypes
import pathlib
import random
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
from fake_home import FakeHome  # noqa: E402
import freshet_producer  # noqa: E402
from freshet_producer import Producer  # noqa: E402

GOLDEN = support.SOURCE / "tests" / "golden" / "messages"
LIBRARY = support.BUILD / "drivers" / "producer" / "libfreshet-producer.so"
KEY = bytes(range(16))


def lane_bytes(key, acked):
    """As tests/golden/test_producer.c makes them."""
    producer = Producer("127.0.0.1:9", producer=7 * 10**18, stream=301, version=2, event_bytes=24,
                        incarnation=1700000000, key=key, key_epoch=9, acked=acked, linger=1e9,
                        message_bytes=64 + 24 * 3)
    lane = freshet_producer.Lane(producer, 513)
    lane.asks = True
    out = lane.take(0.0, 1000) or b""
    for event in range(8):
        lane.push(0.0, bytes((event * 31 + i) & 0xFF for i in range(24)))
    lane.hurries = True
    for n in range(1, 4):
        out += lane.take(0.0, 1000000 * n)
    producer.socket.close()
    return out


def its_bytes_are_those_of_the_c_library():
    made = (lane_bytes(None, True) + lane_bytes(bytes(range(0xF0, 0x100)), True)
            + lane_bytes(None, False))
    assert made == (GOLDEN / "producer.bin").read_bytes()


def its_hashes_are_those_of_the_c_library():
    key = bytes(i * 7 + 3 & 0xFF for i in range(1100))
    rows = (GOLDEN / "producer_hashes.txt").read_text().splitlines()
    assert len(rows) > 300
    for row in rows:
        size, value = row.split()
        assert freshet_producer.xxh3_64(key[:int(size)]) == int(value, 16), row


def siphash_is_its_reference():
    # Appendix A of the paper, and the empty input of the reference implementation.
    assert freshet_producer.siphash24(KEY, bytes(range(15))) == 0xA129CA6149BE45E5
    assert freshet_producer.siphash24(KEY, b"") == 0x726FDB47DD0E0E31


class Account:
    """What the callbacks said, by message."""

    def __init__(self):
        self.durable, self.lost = {}, {}

    def on_durable(self, lane, sequence, events):
        assert (lane, sequence) not in self.durable and (lane, sequence) not in self.lost
        self.durable[lane, sequence] = events

    def on_lost(self, lane, sequence, events, reason):
        assert (lane, sequence) not in self.durable and (lane, sequence) not in self.lost
        self.lost[lane, sequence] = (events, reason)


def send_all(producer, home, account, count):
    places = {}
    for event in range(count):
        places[event] = producer.send(event, struct.pack("<Q", event))
        if event % 20 == 0:
            producer.poll()
    assert producer.flush(30), producer.stats
    durable = [struct.unpack("<Q", event)[0] for event in home.events]
    assert len(durable) == len(set(durable)), "once"
    for event, place in places.items():
        assert (place in account.durable) != (place in account.lost), (event, place)
        assert place not in account.durable or event in set(durable), event
    return set(durable)


def everything_becomes_durable_once_over_a_bad_network():
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    for shards, key in ((1, None), (3, KEY)):
        account = Account()
        with FakeHome(shards=shards, loss=0.2, twice=0.1, late=0.2, seed=seed, key=key) as home:
            producer = Producer(f"127.0.0.1:{home.port}", producer=seed, stream=1, event_bytes=8,
                                key=key, durable=account.on_durable, lost=account.on_lost,
                                message_bytes=64 + 8 * 16)  # 125 of them at least: some are lost.
            assert send_all(producer, home, account, 2000) == set(range(2000))
            assert producer.stats["retransmitted"] > 0 and not account.lost, producer.stats
            assert home.bad_tags == home.refused == 0
            producer.close()


def events_go_to_the_shard_that_owns_them():
    with FakeHome(shards=4) as home:
        producer = Producer(f"127.0.0.1:{home.port}", producer=99, stream=1, event_bytes=8)
        support.wait_until(lambda: producer.poll(0.01) or producer.shards == 4, "shards are known")
        for event in range(400):
            producer.send(event, struct.pack("<Q", event))
        assert producer.flush(10)
        for offset, lane, _ in home.arrived:
            assert offset == 1 + (producer.hash + lane) % 4, (offset, lane)
        assert len({offset for offset, _, _ in home.arrived}) == 4
        producer.close()


def a_full_buffer_is_handled_as_asked():
    for policy in ("refuse", "drop_oldest"):
        account = Account()
        with FakeHome(credit=0) as home:
            producer = Producer(f"127.0.0.1:{home.port}", producer=1, stream=1, event_bytes=8,
                                lanes=1, buffer_bytes=8 * 128, message_bytes=72, policy=policy,
                                durable=account.on_durable, lost=account.on_lost)
            support.wait_until(lambda: producer.poll(0.01) or producer.shards,
                               "the credit is known")
            taken = [producer.send(None, struct.pack("<Q", event)) for event in range(10)]
            home.credit = 100
            assert producer.flush(10), producer.stats
            if policy == "refuse":
                assert taken[8:] == [None, None] and producer.stats["refused"] == 2, taken
                assert len(home.events) == 8
            else:
                assert account.lost == {(0, 1): (1, "dropped"), (0, 2): (1, "dropped")}
                assert home.lanes[1, producer.incarnation, 0].base == 10
            assert home.heartbeats > 1
            producer.close()


class Options(ctypes.Structure):
    """struct freshet_producer_options."""
    _fields_ = [("server", ctypes.c_char_p), ("producer", ctypes.c_uint64),
                ("incarnation", ctypes.c_uint32), ("stream", ctypes.c_uint16),
                ("version", ctypes.c_uint16), ("event_bytes", ctypes.c_uint16),
                ("has_key", ctypes.c_bool), ("key_epoch", ctypes.c_uint8),
                ("key", ctypes.c_uint8 * 16), ("acked", ctypes.c_bool), ("lanes", ctypes.c_uint32),
                ("buffer_bytes", ctypes.c_uint64), ("message_bytes", ctypes.c_uint32),
                ("linger_us", ctypes.c_uint32), ("give_up_us", ctypes.c_uint64),
                ("policy", ctypes.c_int), ("durable", ctypes.c_void_p), ("lost", ctypes.c_void_p),
                ("context", ctypes.c_void_p)]


def the_shared_library_does_the_same(threaded=False):
    if "san" in support.BUILD.name:
        return  # A sanitizer's library wants to be first in the process.
    library = ctypes.CDLL(str(LIBRARY))
    on_durable = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint16, ctypes.c_uint64,
                                  ctypes.c_uint32)
    counts = {"durable": 0}

    def count(_context, _lane, _sequence, events):
        counts["durable"] += events

    callback = on_durable(count)
    options, handle = Options(), ctypes.c_void_p()
    error = ctypes.create_string_buffer(256)
    library.freshet_producer_options_init(ctypes.byref(options))
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    with FakeHome(shards=3, loss=0.2, twice=0.1, late=0.2, seed=seed, key=KEY) as home:
        options.server, options.producer = f"127.0.0.1:{home.port}".encode(), 5
        options.stream, options.event_bytes, options.has_key = 1, 8, True
        options.key[:] = KEY
        options.durable = ctypes.cast(callback, ctypes.c_void_p)
        options.message_bytes, options.lanes = 64 + 8 * 16, 4
        result = library.freshet_producer_open(ctypes.byref(options), ctypes.byref(handle), error)
        assert result == 0, error.value
        if threaded:
            assert library.freshet_producer_start_thread(handle) == 0

        def send(event):
            key = ctypes.c_uint64(event)
            assert library.freshet_producer_send(handle, ctypes.byref(key), ctypes.c_size_t(8),
                                                 struct.pack("<Q", event)) == 0

        def poll():
            assert threaded or library.freshet_producer_poll(handle, 0) == 0

        send(0)  # Until an acknowledgement tells the shards, every event goes to one of them.
        support.wait_until(lambda: poll() or counts["durable"] > 0, "the first event is durable")
        for event in range(1, 5000):
            send(event)
            if threaded:
                time.sleep(0.002 if event % 100 == 0 else 0)
            elif event % 20 == 0:
                poll()
        assert library.freshet_producer_flush(handle, ctypes.c_uint64(30 * 10**6)) == 0
        library.freshet_producer_close(handle)
        assert counts["durable"] == 5000, counts
        assert sorted(struct.unpack("<Q", event)[0] for event in home.events) == list(range(5000))
        assert len({offset for offset, _, _ in home.arrived}) >= 3, "steered"
        assert home.bad_tags == home.refused == 0


def its_own_thread_does_the_same():
    the_shared_library_does_the_same(threaded=True)


if __name__ == "__main__":
    support.main([
        its_bytes_are_those_of_the_c_library,
        its_hashes_are_those_of_the_c_library,
        siphash_is_its_reference,
        everything_becomes_durable_once_over_a_bad_network,
        events_go_to_the_shard_that_owns_them,
        a_full_buffer_is_handled_as_asked,
        the_shared_library_does_the_same,
        its_own_thread_does_the_same,
    ])
