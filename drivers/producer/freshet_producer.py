"""Sends events to a Freshet appliance and knows what became of them: one file, no dependencies.

    producer = Producer("127.0.0.1:4700", producer=7, stream=1, event_bytes=48)
    producer.send(4711, event)             # key, and the bytes of one event
    assert producer.flush(timeout=5)       # everything is durable
    producer.close()

The same protocol as libfreshet-producer (docs/producers.md), made for convenience: tens of
thousands of events per second. Nothing happens in the background: call poll() often while something
is held. An object belongs to one thread."""

import random
import select
import socket
import struct
import time

MASK = (1 << 64) - 1
WINDOW = 4096            # What a home's window reaches beyond what is durable.
CREDIT_INITIAL = 64      # In flight before the first acknowledgement.
RTO_INITIAL, RTO_MIN, RTO_MAX = 0.050, 0.002, 1.0
DETOUR = 10.0            # So long everyone's port is used after a home's own was silent.
SILENT_TIMEOUTS = 2      # In a row; then only one message asks.
BEAT_DOUBLINGS_MAX = 6   # An answered heartbeat is repeated at most that much slower.
FLAG_UNACKED = 1
FLAG_HELD = 1
ACK_TEMPLATE = 65000
EVENTS_OFFSET = 64

HEADER = struct.Struct("<4H")             # blockLength, templateId, schemaId, version
ROOT = struct.Struct("<QQQQqIIBBH")       # tag .. lane
GROUP = struct.Struct("<2H")              # blockLength, numInGroup
ACK = struct.Struct("<4HQQQQQIHHHBBI")

# XXH3's default secret.
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3, P64_4, P64_5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                                     0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
PMX1, PMX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25


def _rotl(x, n):
    return (x << n | x >> (64 - n)) & MASK


def siphash24(key, data):
    """SipHash-2-4 of data under 16 bytes of key, as a number."""
    k0, k1 = struct.unpack("<QQ", key)
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    tail = len(data) % 8
    padded = bytes(data) + bytes(7 - tail) + bytes([len(data) & 0xFF])
    words = [*struct.unpack(f"<{len(padded) // 8}Q", padded), None]
    for word in words:
        if word is None:
            v2 ^= 0xFF
        else:
            v3 ^= word
        for _ in range(4 if word is None else 2):
            v0 = (v0 + v1) & MASK
            v1 = _rotl(v1, 13) ^ v0
            v0 = _rotl(v0, 32)
            v2 = (v2 + v3) & MASK
            v3 = _rotl(v3, 16) ^ v2
            v0 = (v0 + v3) & MASK
            v3 = _rotl(v3, 21) ^ v0
            v2 = (v2 + v1) & MASK
            v1 = _rotl(v1, 17) ^ v2
            v2 = _rotl(v2, 32)
        if word is not None:
            v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3


def _u32(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def _u64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def _xorshift(x, n):
    return x ^ x >> n


def _avalanche(x):
    x = _xorshift(x, 37) * PMX1 & MASK
    return _xorshift(x, 32)


def _xxh64_avalanche(x):
    x = _xorshift(x, 33) * P64_2 & MASK
    x = _xorshift(x, 29) * P64_3 & MASK
    return _xorshift(x, 32)


def _fold(a, b):
    product = a * b
    return product & MASK ^ product >> 64


def _mix16(data, at, secret_at):
    return _fold(_u64(data, at) ^ _u64(SECRET, secret_at),
                 _u64(data, at + 8) ^ _u64(SECRET, secret_at + 8))


def _xxh3_short(data):
    size = len(data)
    if size > 8:
        flip1 = _u64(SECRET, 24) ^ _u64(SECRET, 32)
        flip2 = _u64(SECRET, 40) ^ _u64(SECRET, 48)
        low = _u64(data, 0) ^ flip1
        high = _u64(data, size - 8) ^ flip2
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche((size + swapped + high + _fold(low, high)) & MASK)
    if size >= 4:
        x = (_u32(data, size - 4) + (_u32(data, 0) << 32)) ^ _u64(SECRET, 8) ^ _u64(SECRET, 16)
        x ^= _rotl(x, 49) ^ _rotl(x, 24)
        x = x * PMX2 & MASK
        x = (x ^ (x >> 35) + size) * PMX2 & MASK
        return _xorshift(x, 28)
    if size > 0:
        word = data[0] << 16 | data[size >> 1] << 24 | data[size - 1] | size << 8
        return _xxh64_avalanche(word ^ _u32(SECRET, 0) ^ _u32(SECRET, 4))
    return _xxh64_avalanche(_u64(SECRET, 56) ^ _u64(SECRET, 64))


def _xxh3_middle(data):
    size = len(data)
    x = size * P64_1 & MASK
    if size <= 128:
        for i in reversed(range((size - 1) // 32 + 1)):
            x += _mix16(data, 16 * i, 32 * i) + _mix16(data, size - 16 * (i + 1), 32 * i + 16)
        return _avalanche(x & MASK)
    for i in range(8):
        x += _mix16(data, 16 * i, 16 * i)
    x = _avalanche(x & MASK)
    for i in range(8, size // 16):
        x += _mix16(data, 16 * i, 16 * (i - 8) + 3)
    return _avalanche((x + _mix16(data, size - 16, 136 - 17)) & MASK)


def _xxh3_long(data):
    accumulator = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]

    def stripe(at, secret_at):
        for i in range(8):
            value = _u64(data, at + 8 * i)
            keyed = value ^ _u64(SECRET, secret_at + 8 * i)
            accumulator[i ^ 1] = (accumulator[i ^ 1] + value) & MASK
            accumulator[i] = (accumulator[i] + (keyed & 0xFFFFFFFF) * (keyed >> 32)) & MASK

    stripes = (192 - 64) // 8
    blocks = (len(data) - 1) // (64 * stripes)
    for block in range(blocks):
        for i in range(stripes):
            stripe((block * stripes + i) * 64, 8 * i)
        for i in range(8):
            x = _xorshift(accumulator[i], 47) ^ _u64(SECRET, 192 - 64 + 8 * i)
            accumulator[i] = x * P32_1 & MASK
    for i in range((len(data) - 1 - 64 * stripes * blocks) // 64):
        stripe((blocks * stripes + i) * 64, 8 * i)
    stripe(len(data) - 64, 192 - 64 - 7)
    x = len(data) * P64_1
    for i in range(4):
        x += _fold(accumulator[2 * i] ^ _u64(SECRET, 11 + 16 * i),
                   accumulator[2 * i + 1] ^ _u64(SECRET, 19 + 16 * i))
    return _avalanche(x & MASK)


def xxh3_64(data):
    """XXH3-64 with seed 0."""
    if len(data) <= 16:
        return _xxh3_short(data)
    return _xxh3_middle(data) if len(data) <= 240 else _xxh3_long(data)


def key_bytes(key):
    """A key as it is hashed: integers are 8 bytes little-endian, strings UTF-8."""
    if isinstance(key, int):
        return (key & MASK).to_bytes(8, "little")
    return key.encode() if isinstance(key, str) else bytes(key)


class Message:
    """A message from its first event to "durable" or "lost"."""

    def __init__(self, made):
        self.made = made
        self.data = bytearray(EVENTS_OFFSET)
        self.events = 0
        self.sent_at = self.due = 0.0
        self.sends = 0
        self.settled = False


class Lane:
    """One numbered sequence of messages: what to send when. No clock, no socket: driven by the time
    and the acknowledgements that are handed in."""

    def __init__(self, owner, number):
        self.owner, self.number = owner, number
        self.first = self.sent = self.next = 1
        self.held = {}          # Messages first .. next - 1 by sequence.
        self.filling = None
        self.durable, self.credit, self.shards, self.log_held = 0, CREDIT_INITIAL, 0, False
        self.heard = self.timeout_at = -1e300
        self.srtt, self.rttvar, self.rto = 0.0, 0.0, RTO_INITIAL
        self.timeouts = self.beats = 0
        self.beat_due = -1e300
        self.again_due = float("inf")  # No message in flight is due earlier.
        self.detour_end = -1e300       # Until then by everyone's port.
        self.asks = self.hurries = False
        self.random = random.Random(owner.producer ^ number << 48)

    def full(self):
        return self.next - self.first >= self.owner.slots

    def push(self, now, event):
        """The sequence of the message that took the event; None when there is no room."""
        if self.filling is None:
            if self.full():
                return None
            self.filling = Message(now)
        self.filling.data += event
        self.filling.events += 1
        sequence = self.next
        if self.filling.events == self.owner.events_max:
            self.seal()
        return sequence

    def encode(self, data, sequence, events):
        o = self.owner
        HEADER.pack_into(data, 0, ROOT.size, o.stream, o.stream, o.version)
        ROOT.pack_into(data, 8, 0, o.producer, sequence, 0, 0, o.incarnation, 0,
                       0 if o.acked else FLAG_UNACKED, o.key_epoch, self.number)
        GROUP.pack_into(data, 60, o.event_bytes, events)

    def seal(self):
        self.encode(self.filling.data, self.next, self.filling.events)
        self.held[self.next] = self.filling
        self.next += 1
        self.filling, self.hurries = None, False

    def renew(self, data, wall_us):
        """What may differ between two sendings of one message: oldest, send time, and the tag."""
        struct.pack_into("<Qq", data, 32, self.first, wall_us)
        if self.owner.key is not None:
            data[8:16] = bytes(8)
            struct.pack_into("<Q", data, 8, siphash24(self.owner.key, data))
        return bytes(data)

    def wait(self, doublings):
        wait = min(max(self.rto * 2 ** min(doublings, 9), RTO_MIN), RTO_MAX)
        return wait + self.random.random() * wait / 4

    def limit(self):
        return self.durable + min(self.credit, WINDOW) if self.owner.acked else MASK

    def flight_end(self):
        return min(self.limit() + 1, self.sent)

    def silent(self):
        return self.timeouts >= SILENT_TIMEOUTS

    def advance(self):
        while self.first < self.next and self.held[self.first].settled:
            del self.held[self.first]
            self.first += 1
        self.sent = max(self.sent, self.first)

    def lose(self, sequence, reason):
        self.held[sequence].settled = True
        self.owner.settle_lost(self.number, sequence, self.held[sequence].events, reason)

    def drop_oldest(self):
        if self.first < self.next:
            self.lose(self.first, "dropped")
            self.advance()

    def drop_all(self):
        if self.filling is not None:
            self.seal()
        for sequence, message in self.held.items():
            if not message.settled:
                self.lose(sequence, "closed")
        self.advance()

    def mark_sent(self, message, now):
        message.due = now + self.wait(max(message.sends, self.timeouts))
        message.sends += 1
        message.sent_at = now
        self.again_due = min(self.again_due, message.due)
        self.beats, self.beat_due = 0, now + self.wait(0)

    def due_find(self, now):
        """The first message that is due again; renews the bound below which none is due."""
        least = float("inf")
        for sequence in range(self.first, self.flight_end()):
            message = self.held[sequence]
            if not message.settled:
                if message.due <= now:
                    return sequence
                least = min(least, message.due)
        self.again_due = least
        return None

    def take_again(self, now):
        if self.again_due > now:
            return None
        sequence = self.due_find(now)
        if sequence is None:
            return None
        if self.silent():  # Only the oldest asks.
            sequence = self.first
            if self.held[sequence].due > now:
                self.again_due = self.held[sequence].due
                return None
        message = self.held[sequence]
        if self.heard <= message.sent_at and self.timeout_at <= message.sent_at:
            self.timeouts += 1
            self.timeout_at = now
        self.mark_sent(message, now)
        if self.silent():
            self.again_due = self.held[self.first].due
        self.owner.stats["retransmitted"] += 1
        return message.data

    def next_may_go(self):
        return self.sent < self.next and self.sent <= self.limit() and not self.silent()

    def take_next(self, now):
        if not self.next_may_go():
            return None
        message = self.held[self.sent]
        self.sent += 1
        self.mark_sent(message, now)
        self.owner.stats["messages"] += 1
        return message.data

    def wants_beat(self):
        asked = self.first < self.flight_end()
        stuck = not asked and self.first < self.next and not self.next_may_go()
        return self.owner.acked and (self.asks or stuck)

    def take_beat(self, now):
        if not self.wants_beat() or self.beat_due > now:
            return None
        answered = self.shards != 0 and self.heard >= self.timeout_at
        doublings = min(self.beats, BEAT_DOUBLINGS_MAX) if answered else self.beats
        self.beat_due = now + self.wait(doublings)
        self.timeout_at = now
        self.beats += 1
        self.owner.stats["heartbeats"] += 1
        data = bytearray(EVENTS_OFFSET)
        self.encode(data, self.sent, 0)
        return data

    def take(self, now, wall_us):
        """The next datagram that is due, which counts as sent, or None."""
        while (self.owner.give_up is not None and self.first < self.next
               and self.held[self.first].made + self.owner.give_up <= now):
            self.lose(self.first, "expired")
            self.advance()
        if self.filling is not None and (self.hurries
                                         or self.filling.made + self.owner.linger <= now):
            self.seal()
        data = self.take_again(now)
        if data is None:
            data = self.take_next(now)
        if data is None:
            data = self.take_beat(now)
        if data is None:
            return None
        datagram = self.renew(data, wall_us)
        if not self.owner.acked:
            self.held[self.first].settled = True
            self.owner.stats["held"] -= self.held[self.first].events
            self.advance()
        return datagram

    def due(self):
        """When take() has something if nothing is received; None: never."""
        times = []
        if self.next_may_go():
            return 0.0
        if self.owner.give_up is not None and self.first < self.next:
            times.append(self.held[self.first].made + self.owner.give_up)
        if self.filling is not None:
            times.append(0.0 if self.hurries else self.filling.made + self.owner.linger)
        if self.first < self.flight_end():
            times.append(self.again_due)
        if self.wants_beat():
            times.append(self.beat_due)
        return min(times, default=None)

    def measure(self, elapsed):
        elapsed = min(max(elapsed, 1e-6), RTO_MAX)
        if self.srtt == 0:
            self.srtt, self.rttvar = elapsed, elapsed / 2
        else:
            self.rttvar += (abs(elapsed - self.srtt) - self.rttvar) / 4
            self.srtt += (elapsed - self.srtt) / 8
        self.rto = min(max(self.srtt + max(4 * self.rttvar, 0.001), RTO_MIN), RTO_MAX)

    def receive(self, now, durable, bits, credit, shards, flags):
        if not self.owner.acked or durable >= self.sent:
            self.owner.stats["ignored"] += 1
            return
        self.owner.stats["acks"] += 1
        silent, self.timeouts, self.asks = self.silent(), 0, False
        self.heard, self.shards = now, shards
        newest = None
        candidates = [*range(self.first, durable + 1),
                      *(durable + 1 + i for i in range(128) if bits >> i & 1)]
        for sequence in candidates:
            message = self.held.get(sequence)
            if message is not None and sequence < self.sent and not message.settled:
                message.settled = True
                newest = message
                self.owner.settle_durable(self.number, sequence, message.events)
        if newest is not None and newest.sends == 1:
            self.measure(now - newest.sent_at)
        if durable >= self.durable:
            before = self.limit()
            self.durable, self.credit = durable, credit
            self.log_held = bool(flags & FLAG_HELD)
            if before + 1 < self.sent and self.limit() > before:
                self.again_due = -1e300  # Some were not looked at while they might not go.
        self.advance()
        if silent:
            self.again_due = float("inf")
            for sequence in range(self.first, self.sent):
                self.held[sequence].due = now + self.wait(0)
                self.again_due = min(self.again_due, self.held[sequence].due)


class Producer:
    """See the module. policy, when the buffer of a lane is full: "block", "refuse" (send() returns
    None) or "drop_oldest". durable(lane, sequence, events) and lost(lane, sequence, events, reason)
    are called from poll(), flush(), close() and a send() that blocks or drops; reasons are
    "dropped", "expired" and "closed". incarnation: greater at each start; seconds since 1970
    without it.
    Times are seconds."""

    def __init__(self, server, *, producer, stream, event_bytes, incarnation=None, version=1,
                 key=None, key_epoch=0, acked=True, lanes=16, buffer_bytes=16 << 20,
                 message_bytes=1400, linger=0.001, give_up=None, policy="block", durable=None,
                 lost=None):
        if policy not in ("block", "refuse", "drop_oldest"):
            raise ValueError(f"policy {policy!r}: block, refuse or drop_oldest is allowed")
        self.producer, self.stream, self.version = producer, stream, version
        self.incarnation = int(time.time()) if incarnation is None else incarnation
        self.event_bytes, self.acked = event_bytes, acked
        self.linger, self.give_up = linger, give_up
        self.key, self.key_epoch = key, key_epoch if key is not None else 0
        self.events_max = (message_bytes - EVENTS_OFFSET) // event_bytes
        self.slots = buffer_bytes // lanes // ((message_bytes + 63) // 64 * 64)
        if self.events_max < 1 or self.slots < 4 or not 1 <= lanes <= 64:
            raise ValueError("a message holds one event, a lane four messages; 1 to 64 lanes")
        self.policy, self.on_durable, self.on_lost = policy, durable, lost
        self.hash = xxh3_64(key_bytes(producer)) & 0xFFFFFFFF
        self.shards = self.unsteered = 0
        self.stats = dict.fromkeys((
            "taken", "durable", "dropped", "expired", "closed", "held", "refused", "messages",
            "retransmitted", "heartbeats", "acks", "ignored", "send_errors"), 0)
        self.lanes = [Lane(self, number) for number in range(lanes)]
        self.lanes[0].asks = acked
        host, port = server.rsplit(":", 1)
        family, _, _, _, self.address = socket.getaddrinfo(host.strip("[]"), int(port),
                                                           type=socket.SOCK_DGRAM)[0]
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def settle_durable(self, lane, sequence, events):
        self.stats["durable"] += events
        self.stats["held"] -= events
        if self.on_durable is not None:
            self.on_durable(lane, sequence, events)

    def settle_lost(self, lane, sequence, events, reason):
        self.stats[reason] += events
        self.stats["held"] -= events
        if self.on_lost is not None:
            self.on_lost(lane, sequence, events, reason)

    def lane_of(self, key):
        """The lane whose home is the owner of the key; lane 0 until the shards are known."""
        if self.shards == 0:
            return self.lanes[0]
        used = min(self.shards, len(self.lanes))
        if key is None:
            self.unsteered += 1
            return self.lanes[(self.unsteered - 1) // 64 % used]
        owner = (xxh3_64(key_bytes(key)) >> 52) * self.shards >> 12
        return self.lanes[(owner - self.hash) % self.shards % used]

    def send(self, key, event):
        """Takes one event; returns (lane, sequence) of its message, as the callbacks name it, or
        None when it was refused."""
        if len(event) != self.event_bytes:
            raise ValueError(f"an event has {self.event_bytes} bytes, not {len(event)}")
        lane = self.lane_of(key)
        while True:
            sequence = lane.push(time.monotonic(), event)
            if sequence is not None:
                self.stats["taken"] += 1
                self.stats["held"] += 1
                return lane.number, sequence
            if self.policy == "refuse":
                self.stats["refused"] += 1
                return None
            if self.policy == "drop_oldest":
                lane.drop_oldest()
            else:
                self.poll(1.0)

    def take_ack(self, data, now):
        if len(data) < ACK.size:
            return False
        (block, template, schema, version, tag, producer, durable, low, high, incarnation, lane,
         shards, credit, epoch, flags, _) = ACK.unpack_from(data)
        if (template != ACK_TEMPLATE or schema != ACK_TEMPLATE or version == 0 or shards == 0
                or not 56 <= block <= len(data) - 8 or producer != self.producer
                or incarnation != self.incarnation or lane >= len(self.lanes)):
            return False
        if self.key is not None:
            zeroed = data[:8] + bytes(8) + data[16:]
            if epoch != self.key_epoch or tag != siphash24(self.key, zeroed):
                return False
        self.shards = shards
        self.lanes[lane].receive(now, durable, high << 64 | low, credit, shards, flags)
        return True

    def receive(self):
        while True:
            try:
                data, address = self.socket.recvfrom(2048, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if address[0] != self.address[0] or not self.take_ack(data, time.monotonic()):
                self.stats["ignored"] += 1

    def port_offset(self, lane, now):
        if lane.silent():  # Its home may have moved, or be closed to us.
            lane.detour_end = now + DETOUR
        if self.shards == 0 or now < lane.detour_end:
            return 0
        return 1 + (self.hash + lane.number) % self.shards

    def turn(self):
        self.receive()
        now, wall_us = time.monotonic(), time.time_ns() // 1000
        for lane in self.lanes:
            while (datagram := lane.take(now, wall_us)) is not None:
                port = self.address[1] + self.port_offset(lane, now)
                try:
                    self.socket.sendto(datagram, (self.address[0], port, *self.address[2:]))
                except OSError:
                    self.stats["send_errors"] += 1

    def poll(self, wait=0.0):
        """All I/O that is due; waits at most that long for the next thing to do."""
        self.turn()
        if wait > 0:
            due = min((d for lane in self.lanes if (d := lane.due()) is not None), default=None)
            left = wait if due is None else min(wait, due - time.monotonic())
            if left > 0:
                select.select([self.socket], [], [], left)
            self.turn()

    def flush(self, timeout):
        """Sends what lingers and waits until nothing is held; False when it took too long."""
        end = time.monotonic() + timeout
        for lane in self.lanes:
            lane.hurries = lane.filling is not None
        while self.stats["held"] > 0 and (left := end - time.monotonic()) > 0:
            self.poll(min(left, 1.0))
        return self.stats["held"] == 0

    def close(self):
        """What is held is lost; sends nothing."""
        for lane in self.lanes:
            lane.drop_all()
        self.socket.close()
