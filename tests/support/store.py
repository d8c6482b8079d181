"""Writes files of a data directory after docs/formats/, and shares no code with the product: what
freshet inspects and verifies must be what these pages say."""

import struct

STORE_ID = b"0123456789abcdef"
BLOCK = 4096
MESSAGE, FORWARD, PLAN, EPOCH = 1, 2, 3, 4
ROWS, LANES = 1, 2
TIME_US = 1700000000000000


def table():
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        rows.append(crc)
    return rows


TABLE = table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def lsn(epoch, number):
    return epoch << 48 | number


def padded(data, step):
    return data + bytes(-len(data) % step)


def message(first_lsn, events=1, size=24, verdicts=None, sequence=1):
    body = struct.pack("<qQQQIHHHHI", TIME_US, first_lsn, 7, sequence, 1700000000, 2, 1, events,
                       size, 0)
    body += struct.pack(f"<{events}I", *(verdicts or [0] * events)) + b"e" * (events * size)
    whole = padded(bytes(8) + body, 8)
    return struct.pack("<IBBH", len(whole), MESSAGE, 1, 1) + whole[8:]


class Segment:
    """A segment; frames are added one behind the other."""

    def __init__(self, shard, number, first_lsn, before_lsn, size=1 << 20, shards=2,
                 store_id=STORE_ID):
        self.shard, self.number, self.size, self.store_id = shard, number, size, store_id
        self.next_lsn, self.acked = first_lsn, before_lsn
        head = struct.pack("<QII16sQIIQQqQI12x", int.from_bytes(b"FFRESEG1", "little"), 1, 0,
                           store_id, number, first_lsn >> 48, shard, first_lsn, before_lsn,
                           TIME_US, size, shards)
        self.chain = crc32c(head)
        self.data = bytearray(size)
        self.data[:96] = head[:12] + struct.pack("<I", self.chain) + head[16:]
        self.place = BLOCK
        self.places = []

    def frame(self, entries=b"", count=0):
        """Adds a frame of encoded entries; none: a witness. Returns its place."""
        rest = struct.pack("<IHH8sQQIIQq", len(entries), self.shard, 0 if count else 1,
                           self.store_id[:8], self.number, self.next_lsn, count, self.chain,
                           self.acked, TIME_US)
        crc = crc32c(rest, crc32c(entries))
        whole = padded(struct.pack("<II", 0x314D5246, crc) + rest + entries, BLOCK)
        place = self.place
        self.data[place:place + len(whole)] = whole
        self.chain, self.acked = crc, self.next_lsn + count - 1
        self.next_lsn += count
        self.place += len(whole)
        self.places.append(place)
        return place

    def messages(self, *counts, size=24):
        """A frame of messages with so many events each."""
        entries, at = b"", self.next_lsn
        for count in counts:
            entries += message(at, count, size)
            at += max(count, 1)
        return self.frame(entries, at - self.next_lsn)

    @property
    def name(self):
        return f"mirror-{self.shard:03}-{self.number:08}.log"


def block(kind, shard, generation, number, rows, store_id=STORE_ID):
    """(bytes, crc) of a block with these rows or lanes."""
    content = b"".join(rows)
    rest = struct.pack("<IHH8sQII24x", len(content), kind, shard, store_id[:8], generation, number,
                       len(rows))
    crc = crc32c(rest + content)
    return padded(struct.pack("<II", 0x314C4954, crc) + rest + content, BLOCK), crc


def row(front=8, back=0):
    return struct.pack("<II", front, back) + bytes(8 * (front + back))


def lane(producer):
    return struct.pack("<QIHHQQq512x", producer, 1, 0, 1, 1, 9, TIME_US)


def tile(kind, shard, generation, *blocks):
    """(name, bytes, entry of a manifest) of a tile file; each block is a list of rows."""
    data, crcs, rows = b"", b"", 0
    for number, content in enumerate(blocks):
        part, crc = block(kind, shard, generation, number, content)
        data += part
        crcs += struct.pack("<I", crc)
        rows += len(content)
    ending = "rows" if kind == ROWS else "lanes"
    name = f"tiles-{generation:010}-{shard:03}.{ending}"
    entry = struct.pack("<HIQQIB", kind, len(blocks), rows, len(data), crc32c(crcs), len(name))
    return name, data, entry + name.encode()


def text(value):
    return bytes([len(value)]) + value.encode()


def catalog():
    """One stream with a time and a key, one view of it."""
    data = struct.pack("<HHHQ", 1, 1, 1, 5)
    data += struct.pack("<HHHHQ", 1, 1, 0, 2, 6) + text("transaction")
    data += struct.pack("<BBBBHHH", 12, 0, 0, 0, 1, 1, 8) + text("ts")
    data += struct.pack("<BBBBHHH", 3, 0, 0, 0, 2, 1, 8) + text("card")
    return data + struct.pack("<HHHQ", 1, 0, 0, 7) + text("activity") + text("card")


def manifest(generation, shards, epoch=3, store_id=STORE_ID):
    """(name, bytes); each shard is (replay LSN, end LSN, [entries of tile files])."""
    what = catalog()
    body = what + struct.pack("<q", TIME_US)
    for replay, end, entries in shards:
        body += struct.pack("<QQqQq", replay, end, TIME_US, 1, TIME_US)
        body += bytes(8 * len(shards)) + struct.pack("<I", len(entries)) + b"".join(entries)
    head = struct.pack("<QII16sQqIIII", int.from_bytes(b"FRSHMAN1", "little"), 1, 0, store_id,
                       generation, TIME_US, epoch, len(shards), 64 + len(body), len(what))
    crc = crc32c(head + body)
    return f"manifest-{generation:010}", head[:12] + struct.pack("<I", crc) + head[16:] + body


def epochs(slots, store_id=STORE_ID):
    """The file of epochs: per slot (generation, epoch, shards, [(epoch, [LSN...])...])."""
    data = b""
    for generation, epoch, shards, cuts in slots:
        body = b"".join(struct.pack(f"<II{len(lsns)}Q", of, len(lsns), *lsns) for of, lsns in cuts)
        head = struct.pack("<QII16sQIIIIq", int.from_bytes(b"FRSHEPO1", "little"), 1, 0, store_id,
                           generation, epoch, shards, len(cuts), 64 + len(body), TIME_US)
        crc = crc32c(head + body)
        data += padded(head[:12] + struct.pack("<I", crc) + head[16:] + body, 65536)
    return data
