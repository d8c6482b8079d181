"""The slow, obvious meaning of Freshet: every event is kept, every answer recomputed by scanning.

It shares no code with the product and reads only DESIGN's words: windows, tails and heads, ties,
nulls, late and future verdicts, duplicates, exact numbers rounded once. Tests hold the product
against it. Values come out as the text that every protocol prints; None is null. Conditions and
computed inputs are expression.py's.
"""

import bisect
import math
import re
from decimal import Decimal
from fractions import Fraction

import expression

UNITS_US = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6,
            "d": 86400 * 10**6}
LADDER_US = [5 * 10**6, 60 * 10**6, 300 * 10**6, 3600 * 10**6, 6 * 3600 * 10**6, 86400 * 10**6]
SEQUENCE_WINDOW = 4096
FROM_THE_BEGINNING = -(1 << 63)

PRESENT, NULL_VALUE, NOT_FOUND = "PRESENT", "NULL_VALUE", "NOT_FOUND"


def duration_us(text):
    number, unit = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)", str(text)).groups()
    return int(number) * UNITS_US[unit]


def floor_to(time_us, width_us):
    return time_us // width_us * width_us


def ceil_to(time_us, width_us):
    return -(-time_us // width_us) * width_us


def quantise(text, scale):
    """Decimal text or float to an integer times 10^scale, half to even, exactly."""
    exact = Fraction(Decimal(text)) if isinstance(text, str) else Fraction(text)
    return round(exact * 10**scale)  # Fraction rounds half to even.


# Printing.

def format_double(value):
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + exponent  # Digits before the point.
    if -5 <= point - 1 < 17:
        if point <= 0:
            body = "0." + "0" * -point + text
        elif point >= len(text):
            body = text + "0" * (point - len(text))
        else:
            body = text[:point] + "." + text[point:]
    else:
        body = text[0] + ("." + text[1:] if len(text) > 1 else "")
        body += "e%s%02d" % ("-" if point < 1 else "+", abs(point - 1))
    return ("-" if sign else "") + body


def format_decimal(value, scale):
    if scale == 0:
        return str(value)
    digits = str(abs(value)).rjust(scale + 1, "0")
    return ("-" if value < 0 else "") + digits[:-scale] + "." + digits[-scale:]


def format_value(value, field, scale):
    """A value of a field, or a sum (scale) or sum of squares (2 * scale) of it."""
    if isinstance(value, str):
        return value
    if field.type == "f64":
        return format_double(value / 10**scale)  # int / int is correctly rounded.
    return format_decimal(value, scale)


# Definitions.

class Field:
    def __init__(self, name, text):
        self.name = name
        self.type = text["type"]
        self.optional = text.get("optional") == "true"
        self.format = text.get("format", "")
        self.unit = text.get("unit", "us")
        self.size = int(text.get("size", 0))
        self.scale = 0
        if self.type in ("f64", "decimal"):
            self.scale = int(text.get("scale", 6 if self.type == "f64" else 0))


    @property
    def meaning(self):
        """The type of its values in expressions."""
        kinds = {"u64": expression.UNSIGNED, "bool": expression.BOOL, "string": expression.STRING,
                 "timestamp": expression.TIME}
        return kinds.get(self.type, expression.number(self.scale))

    def value_of(self, raw):
        """What an expression sees of a decoded value."""
        if raw is None or self.type == "string":
            return raw
        return bool(raw) if self.type == "bool" else Fraction(raw, 10**self.scale)


class ComputedField(Field):
    """A column of an expression; of a bare field (base) with its type, so that it prints alike."""

    TYPES = {"bool": "bool", "unsigned": "u64", "time": "timestamp", "number": "decimal"}

    def __init__(self, value, where, base):
        self.value, self.where = value, where
        if base is not None:
            self.type, self.scale = base.type, base.scale
        else:
            self.type, self.scale = self.TYPES[value.type.kind], value.type.scale

    def compute(self, row, faults):
        if self.where is not None and self.where.value(row, faults) is not True:
            return None
        value = self.value.value(row, faults)
        return int(value * 10**self.scale) if isinstance(value, Fraction) else value


class Stream:
    def __init__(self, name, text):
        self.name = name
        self.id = int(text["id"])
        self.version = int(text.get("version", 1))
        self.fields = [Field(n, f) for n, f in text["fields"].items()]
        self.index = {f.name: i for i, f in enumerate(self.fields)}
        self.time = self.index[text["time"]]
        self.lateness_us = duration_us(text.get("lateness", "1h"))
        self.future_us = duration_us(text.get("future", "10s"))
        self.history_us = duration_us(text.get("history", "10s"))
        self.late = text.get("late", "ledger")
        self.meanings = {f.name: f.meaning for f in self.fields}

    def row_of(self, values):
        return {f.name: f.value_of(raw) for f, raw in zip(self.fields, values)}


class Aggregate:
    """computed: its view's, to which it adds what it computes: columns behind the fields."""

    def __init__(self, name, call, stream, computed):
        self.name, self.index, self.field = name, None, None
        self.kind, value, where = expression.call_parse(call)
        if value is None and where is None:
            return
        base = None
        if value is not None and value.op == "name":
            self.index = stream.index[value.value]
            base = self.field = stream.fields[self.index]
        if base is None or where is not None:
            trees = [tree if tree is None else
                     expression.Expression.of_tree(tree, stream.meanings, wanted)
                     for tree, wanted in ((value, None), (where, expression.BOOL))]
            # count() where c counts c where it holds.
            self.field = ComputedField(trees[0] or trees[1], trees[1], base)
            self.index = len(stream.fields) + len(computed)
            computed.append(self.field)


class View:
    def __init__(self, name, text, streams):
        self.name = name
        sources = text["source"]
        self.streams = [streams[s] for s in ([sources] if isinstance(sources, str) else sources)]
        self.stream = self.streams[0]  # Its fields are the view's.
        self.entity = text["entity"]
        keys = text.get("key", self.entity)
        self.keys = [self.stream.index[k] for k in ([keys] if isinstance(keys, str) else keys)]
        self.edges = text.get("edges", "[)")
        self.exact_us = duration_us(text["exact"]) if "exact" in text else 0
        self.raw_cap = int(text.get("raw_cap", 1024))
        self.leading = text.get("leading", "")
        ladder = [duration_us(w) for w in text["ladder"]] if "ladder" in text else LADDER_US
        self.windows = []  # (suffix, width or None, hop)
        for window in text["windows"]:
            if window == "lifetime":
                self.windows.append(("", None, None))
                continue
            width = duration_us(window)
            hops = [level for level in ladder if level * 12 <= width]
            self.windows.append(("_" + window, width, max(hops) if hops else ladder[0]))
        hops = [hop for _, _, hop in self.windows if hop is not None]
        self.tile_us = min(hops) if hops else ladder[0]
        self.where = None
        if "where" in text:
            self.where = expression.Expression(text["where"], self.stream.meanings,
                                               expression.BOOL)
        self.computed = []
        self.aggregates = [Aggregate(n, c, self.stream, self.computed)
                           for n, c in text["aggregates"].items()]
        if "ttl" in text:
            self.ttl_us = duration_us(text["ttl"])
        else:
            self.ttl_us = max(width + hop for _, width, hop in self.windows)
        self.shift_us = 1 if self.edges == "(]" else 0
        self.extend_us = 1 if self.edges == "[]" else 0

    def features(self):
        """Names in the order of answers: by window, then by aggregate."""
        return [self.name + "." + a.name + suffix for suffix, _, _ in self.windows
                for a in self.aggregates]

    def shaped(self, stream, values):
        """An event of any of its streams as one of the first."""
        if stream is self.stream:
            return values
        return tuple(values[stream.index[f.name]] if f.name in stream.index else None
                     for f in self.stream.fields)

    def compute(self, row, faults):
        """Whether the view takes the event, and its computed columns."""
        taken = self.where is None or self.where.value(row, faults) is True
        return taken, tuple(field.compute(row, faults) for field in self.computed)

    def key_of(self, values):
        parts = [values[i] for i in self.keys]
        if any(part is None for part in parts):
            return None
        texts = [str(part) for part in parts]
        if len(texts) > 1:
            texts = [t.replace("%", "%25").replace("|", "%7C") for t in texts]
        return self.entity + ":" + "|".join(texts)


class Definition:
    def __init__(self, text):
        tree = parse_yaml(text)
        self.streams = {n: Stream(n, t) for n, t in tree["streams"].items()}
        self.views = {n: View(n, t, self.streams) for n, t in tree["views"].items()}


# Aggregates: one pass each over the events of a window.

def value_bits(value):
    return value.encode() if isinstance(value, str) else value & (1 << 64) - 1


def rows_at_edge(rows, index, kind):
    """Values of the first or last event with one, and of those that tie with it."""
    rows = [row for row in rows if row[2][index] is not None]
    edge = rows[0 if kind == "first" else -1][:2]
    return [row[2][index] for row in rows if row[:2] == edge]


def aggregate_value(aggregate, rows):
    """rows: events as (time, order word, values), in total order."""
    kind, field = aggregate.kind, aggregate.field
    if field is None:
        return str(len(rows))
    values = [row[2][aggregate.index] for row in rows if row[2][aggregate.index] is not None]
    if kind == "count":
        return str(len(values))
    if not values:
        return None
    n, scale = len(values), field.scale
    if kind in ("first", "last", "min", "max"):
        if kind in ("min", "max"):
            value = {"min": min, "max": max}[kind](values)
        else:
            edge = rows_at_edge(rows, aggregate.index, kind)
            value = {"first": min, "last": max}[kind](edge, key=value_bits)
        if field.type == "bool":
            return "true" if value else "false"
        return format_value(value, field, scale)
    total = sum(values)
    if kind == "sum":
        return format_value(total, field, scale)
    if kind == "avg":
        return format_double(total / (n * 10**scale))
    squares = sum(value * value for value in values)
    if kind == "sumsq":
        return format_value(squares, field, 2 * scale)
    sample = 1 if kind.endswith("_samp") else 0
    if n < 2:
        return None
    variance = (n * squares - total * total) / (n * (n - sample) * 10**(2 * scale))
    return format_double(math.sqrt(variance) if kind.startswith("stddev") else variance)


class Answer:
    __slots__ = ("value", "status", "flags", "start_us", "end_us", "newest_us", "q_us")

    def __init__(self, value, status, flags, start_us, end_us, newest_us, q_us):
        self.value, self.status, self.flags = value, status, flags
        self.start_us, self.end_us = start_us, end_us
        self.newest_us, self.q_us = newest_us, q_us

    def __eq__(self, other):
        return all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    def __repr__(self):
        return "Answer(%s)" % ", ".join("%s=%r" % (n, getattr(self, n)) for n in self.__slots__)


class Entity:
    """All events of one entity in one view, ever."""

    def __init__(self, view):
        self.view = view
        self.rows = []
        self.sorted = True
        self.values = {}  # (first, end) of the slice: its aggregates.

    def add(self, time_us, order, values):
        self.rows.append((time_us - self.view.shift_us, order, values))
        self.sorted = False

    def sort(self):
        if not self.sorted:
            self.rows.sort(key=lambda row: row[:2])
            self.times = [row[0] for row in self.rows]
            self.values.clear()
            self.sorted = True

    def newest_us(self):
        self.sort()
        return self.times[-1]

    def query_time_us(self, q_us):
        return self.newest_us() + self.view.shift_us + 1 if q_us is None else q_us

    def aggregates(self, start_us, end_us):
        first = 0 if start_us is None else bisect.bisect_left(self.times, start_us)
        end = bisect.bisect_left(self.times, end_us)
        if (first, end) not in self.values:
            rows = self.rows[first:end]
            self.values[first, end] = [aggregate_value(a, rows) for a in self.view.aggregates]
        return self.values[first, end]

    def answer(self, q_us):
        """Answers in the order of View.features(); None when the entity is past its ttl."""
        self.sort()
        view = self.view
        newest_us = self.times[-1] + view.shift_us
        if newest_us < q_us - view.ttl_us:
            return None
        end_us = q_us + view.extend_us
        cap_us = None  # Newest event that the cap pushed out.
        if view.exact_us and len(self.times) > view.raw_cap:
            cap_us = self.times[-view.raw_cap - 1]
        cut = view.exact_us and (cap_us is None or end_us > cap_us)
        if not cut and self.times[-1] >= end_us:
            end_us = ceil_to(end_us, view.tile_us)
        answers = []
        for _, width_us, hop_us in view.windows:
            flags = ""
            if width_us is None:
                start_us = None
            elif width_us <= view.exact_us and (cap_us is None or q_us - width_us > cap_us):
                start_us = q_us - width_us
            else:
                start_us = floor_to(q_us - width_us, hop_us)
                if width_us <= view.exact_us:
                    flags = "APPROXIMATE"
            for value in self.aggregates(start_us, end_us):
                answers.append(Answer(value, NULL_VALUE if value is None else PRESENT, flags,
                                      FROM_THE_BEGINNING if start_us is None else start_us,
                                      end_us, newest_us, q_us))
        return answers


class Message:
    """What a datagram says: its identity, and its events as tuples of decoded field values."""

    def __init__(self, stream, events, sequence, producer=1, incarnation=1, lane=0):
        self.stream, self.events, self.sequence = stream, events, sequence
        self.producer, self.incarnation, self.lane = producer, incarnation, lane


class Oracle:
    def __init__(self, definition):
        self.definition = definition
        self.entities = {name: {} for name in definition.views}
        self.watermark_us = {}
        self.seen = set()
        self.received = self.applied = self.late = self.future = self.duplicate = 0
        self.key_null = 0
        self.overflows = self.zero_divisions = 0

    def receive(self, messages, apply_us):
        """One burst: verdicts use the watermark at its start."""
        watermark_us = dict(self.watermark_us)
        for message in messages:
            stream = message.stream
            self.received += len(message.events)
            identity = (message.producer, message.incarnation, message.lane, message.sequence)
            if identity in self.seen:
                self.duplicate += len(message.events)
                continue
            self.seen.add(identity)
            for place, values in enumerate(message.events):
                computed = self.compute(stream, values)
                time_us = values[stream.time]
                if time_us - apply_us > stream.future_us:
                    self.future += 1
                    continue
                behind = watermark_us.get(stream.name, time_us) - time_us
                if behind > stream.lateness_us and stream.late != "apply":
                    self.late += 1
                    continue
                self.watermark_us[stream.name] = max(
                    self.watermark_us.get(stream.name, time_us), min(time_us, apply_us))
                self.apply(stream, time_us, message.sequence << 16 | place, values, computed)

    def compute(self, stream, values):
        """(view, its computed columns) for each view that takes the event."""
        row, faults = stream.row_of(values), expression.Faults()
        taken = []
        for view in self.definition.views.values():
            if stream in view.streams:
                takes, columns = view.compute(row, faults)
                taken += [(view, columns)] if takes else []
        self.overflows += len(faults.values["overflow"])
        self.zero_divisions += len(faults.values["zero_division"])
        return taken

    def apply(self, stream, time_us, order, values, computed):
        found = not computed
        for view, columns in computed:
            shaped = view.shaped(stream, values)
            key = view.key_of(shaped)
            if key is None:
                continue
            found = True
            entities = self.entities[view.name]
            if key not in entities:
                entities[key] = Entity(view)
            entities[key].add(time_us, order, shaped + columns)
        if found:
            self.applied += 1
        else:
            self.key_null += 1

    def is_exact(self, view, key, q_us):
        """Whether the query time is at or after the fold horizon, where folding changes nothing."""
        entity = self.entities[view.name].get(key)
        if entity is None:
            return True
        # Of several streams the furthest: a shard may know only that one.
        horizon_us = max(self.watermark_us[stream.name] - stream.history_us
                         for stream in view.streams if stream.name in self.watermark_us)
        return entity.query_time_us(q_us) >= horizon_us

    def answer(self, view_name, key, q_us):
        """Answers in the order of View.features(), or None: NOT_FOUND. q_us None: LATEST."""
        entity = self.entities[view_name].get(key)
        return None if entity is None else entity.answer(entity.query_time_us(q_us))


# The subset of YAML that the definitions of these tests use: nested block maps, flow maps and lists
# on one line, quoted and plain scalars, comments. Every scalar is a string.

def parse_yaml(text):
    lines = []
    for line in text.splitlines():
        line = strip_comment(line)
        if line.strip():
            lines.append((len(line) - len(line.lstrip()), line.strip()))
    tree, end = parse_block(lines, 0, 0)
    assert end == len(lines), "line not understood: " + lines[end][1]
    return tree


def strip_comment(line):
    quote = ""
    for i, c in enumerate(line):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c == "#" and (i == 0 or line[i - 1].isspace()):
            return line[:i].rstrip()
    return line.rstrip()


def parse_block(lines, at, indent):
    tree = {}
    while at < len(lines) and lines[at][0] == indent:
        name, rest = re.fullmatch(r"([^:]+):\s*(.*)", lines[at][1]).groups()
        at += 1
        if rest:
            value, end = parse_flow(rest, 0, "")
            assert rest[end:].strip() == "", "text after a value: " + rest
        else:
            value, at = parse_block(lines, at, lines[at][0])
        assert name not in tree, name + " twice"
        tree[name] = value
    return tree, at


def parse_flow(text, at, stops):
    while at < len(text) and text[at] == " ":
        at += 1
    if text[at] == "{":
        return parse_flow_items(text, at + 1, "}")
    if text[at] == "[":
        return parse_flow_items(text, at + 1, "]")
    if text[at] in "'\"":
        end = text.index(text[at], at + 1)
        return text[at + 1:end], end + 1
    end = at
    while end < len(text) and text[end] not in stops:
        end += 1
    return text[at:end].strip(), end


def parse_flow_items(text, at, close):
    items = {} if close == "}" else []
    while True:
        while text[at] in " ,":
            at += 1
        if text[at] == close:
            return items, at + 1
        if close == "]":
            value, at = parse_flow(text, at, ",]")
            items.append(value)
        else:
            colon = text.index(":", at)
            name = text[at:colon].strip()
            items[name], at = parse_flow(text, colon + 1, ",}")
