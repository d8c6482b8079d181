"""What a producer and a model bring along: SBE messages by struct, text lines, paced UDP, and a
RESP2 client of one socket. Standard library only."""

import json
import socket
import struct
import time

SYNC_BYTES = 48 * 1024  # Sent between two looks at what arrived; fits any socket buffer.
SYNC_SECONDS = 20
UNACKED = 1

PACK = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i",
        "i64": "q", "bool": "B", "f64": "d", "decimal": "q", "timestamp": "q"}
NULL = {"u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**64 - 1, "i8": -2**7,
        "i16": -2**15, "i32": -2**31, "i64": -2**63, "bool": 255, "f64": float("nan"),
        "decimal": -2**63, "timestamp": -2**63, "string": b""}


class Redis:
    """One connection. Errors are raised; bulk strings come as bytes."""

    def __init__(self, path=None, port=None, seconds=20):
        if path is not None:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(seconds)
            self.socket.connect(str(path))
        else:
            self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.file = self.socket.makefile("rb", 1 << 20)

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(parts))

    def call(self, *words):
        self.send(*words)
        return self.read()

    def read(self):
        line = self.file.readline()
        kind = line[:1]
        if kind == b"$":
            size = int(line[1:])
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            count = int(line[1:])
            read = self.read
            return None if count < 0 else [read() for _ in range(count)]
        if kind == b":":
            return int(line[1:])
        if kind == b"+":
            return line[1:-2]
        if kind == b"-":
            raise RuntimeError(line[1:-2].decode())
        raise RuntimeError("not RESP2: %r" % line)

    def status(self):
        return json.loads(self.call("FS.STATUS"))


def pack_message(stream, message):
    """SBE, docs/formats/wire.md. Values are in decoded form; f64 goes out as value / 10^scale, or
    as it is when it is a float."""
    form = "<" + "".join("%ds" % f.size if f.type == "string" else PACK[f.type]
                         for f in stream.fields)
    out = [struct.pack("<HHHH", 52, stream.id, stream.id, stream.version),
           struct.pack("<QQQQqIIBBH", 0, message.producer, message.sequence, message.sequence, 0,
                       message.incarnation, 0, UNACKED, 0, message.lane),
           struct.pack("<HH", struct.calcsize(form), len(message.events))]
    for values in message.events:
        row = []
        for field, value in zip(stream.fields, values):
            if value is None:
                value = NULL[field.type]
            elif field.type == "string":
                value = value.encode()
            elif field.type == "f64" and not isinstance(value, float):
                value = value / 10**field.scale
            row.append(value)
        out.append(struct.pack(form, *row))
    return b"".join(out)


def decimal_text(value, scale):
    digits = str(abs(value)).rjust(scale + 1, "0")
    return ("-" if value < 0 else "") + digits[:-scale] + "." + digits[-scale:]


def text_of(field, value):
    """A value as JSON and line protocol spell it, strings without quotes."""
    if field.type == "bool":
        return "true" if value else "false"
    if field.scale:
        return decimal_text(value, field.scale)
    if field.format:
        return time.strftime(field.format, time.gmtime(value // 10**6))
    return str(value)


def ndjson_line(stream, values):
    parts = ['"stream":"%s"' % stream.name]
    for field, value in zip(stream.fields, values):
        if value is None:
            text = "null"
        elif field.type == "string" or field.format:
            text = json.dumps(text_of(field, value), ensure_ascii=False)
        else:
            text = text_of(field, value)
        parts.append('"%s":%s' % (field.name, text))
    return "{" + ",".join(parts) + "}"


def influx_line(stream, values):
    """The first string is a tag, all others are fields; the time stands at the end."""
    tag, parts = "", []
    for index, (field, value) in enumerate(zip(stream.fields, values)):
        if value is None or index == stream.time:
            continue
        text = text_of(field, value)
        if field.type == "string" and not tag:
            for special in "\\,= ":
                text = text.replace(special, "\\" + special)
            tag = ",%s=%s" % (field.name, text)
        elif field.type == "string":
            parts.append('%s="%s"' % (field.name,
                                      text.replace("\\", "\\\\").replace('"', '\\"')))
        else:
            integer = field.type[0] in "iu" and not field.scale
            parts.append(field.name + "=" + text + ("i" if integer else ""))
    return "%s%s %s %d" % (stream.name, tag, ",".join(parts), values[stream.time] * 1000)


class Sender:
    """UDP to loopback, never more on the way than a socket buffer holds: it looks at what was
    received before it goes on, so nothing can be lost."""

    def __init__(self, port, redis):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.target = ("127.0.0.1", port)
        self.redis = redis
        self.events = 0
        self.bytes = 0

    def send(self, data, events):
        if self.bytes + len(data) + 1024 > SYNC_BYTES:
            self.sync()
        self.socket.sendto(data, self.target)
        self.events += events
        self.bytes += len(data) + 1024  # The kernel's own share of a datagram.

    def sync(self):
        end = time.monotonic() + SYNC_SECONDS
        while True:
            received = self.redis.status()["received"]
            if received == self.events:
                break
            assert received < self.events, "%d received of %d" % (received, self.events)
            assert time.monotonic() < end, "%d received of %d" % (received, self.events)
            time.sleep(0.0005)
        self.bytes = 0

    def close(self):
        self.socket.close()
