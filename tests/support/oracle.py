"""The slow, obvious meaning of Freshet: every event is kept, every answer recomputed by scanning.

It shares no code with the product and reads only DESIGN's words: windows, tails and heads, ties,
nulls, late and future verdicts, duplicates. Tests hold the product against it. Values come out as
the text that every protocol prints; None is null. Conditions and computed inputs are
expression.py's, aggregates oracle_aggregates.py's, windows oracle_windows.py's.
"""

from fractions import Fraction

import expression
from expression_text import SCALE_MAX
from oracle_aggregates import (aggregate_value, format_decimal, format_double,
                               quantise)  # noqa: F401
from oracle_answer import NULL_VALUE, PRESENT, Answer, Derived
from oracle_windows import (FROM_THE_BEGINNING, Ladder, Timeline, Window,  # noqa: F401
                            duration_us, floor_to)
from oracle_yaml import parse_yaml

LADDER_US = [duration_us(w) for w in ("5s", "1m", "5m", "1h", "6h", "1d")]
SEQUENCE_WINDOW = 4096
LISTS = ("last_k", "first_k", "last_k_distinct", "first_k_distinct", "top_k", "bottom_k",
         "histogram", "top_n")


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
        self.by_index, self.by_field = None, None
        self.stream, self.computed = stream, computed
        self.kind, value, self.parameter, by, where = expression.call_parse(call)
        if self.kind == "decayed_sum":
            self.half_life_us = duration_us(self.parameter)
        if by is not None:  # The condition says what is in any category.
            self.by_index, self.by_field = self.column(by, where)
            where = None
        if value is not None or where is not None:
            # count() where c counts c where it holds.
            self.index, self.field = self.column(value or where, where)

    def column(self, tree, where):
        """Index and field of what a tree says of each event that meets the condition."""
        base = None
        if tree.op == "name":
            index = self.stream.index[tree.value]
            base = self.stream.fields[index]
            if where is None:
                return index, base
        value, condition = (
            t if t is None else expression.Expression.of_tree(t, self.stream.meanings, wanted)
            for t, wanted in ((tree, None), (where, expression.BOOL)))
        self.computed.append(ComputedField(value, condition, base))
        return len(self.stream.fields) + len(self.computed) - 1, self.computed[-1]

    @property
    def meaning(self):
        """The type of its values in expressions."""
        if self.kind in ("count", "distinct", "approx_distinct"):
            return expression.number(0)
        if self.kind in ("min", "max", "first", "last", "quantile"):
            return expression.DOUBLE if self.field.type == "f64" else self.field.meaning
        scale = self.field.scale * (2 if self.kind == "sumsq" else 1)
        whole = self.kind in ("sum", "sumsq") and self.field.type != "f64"
        return expression.number(scale) if whole and scale <= SCALE_MAX else expression.DOUBLE


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
        self.windows = [Window(window, ladder) for window in text["windows"]]
        self.ladder = Ladder(self.windows, ladder)
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
            self.ttl_us = max(w.reach_us + w.hop_us for w in self.windows if w.is_timed)
        self.shift_us = 1 if self.edges == "(]" else 0
        self.extend_us = 1 if self.edges == "[]" else 0
        meanings = {a.name + w.suffix: a.meaning for w in self.windows for a in self.aggregates
                    if a.by_field is None and a.kind not in LISTS}
        self.derived = [Derived(n, e, meanings) for n, e in text.get("derived", {}).items()]

    def features(self):
        """Names in the order of answers: by window, then by aggregate; derived ones behind them."""
        base = [a.name + window.suffix for window in self.windows for a in self.aggregates]
        return [f"{self.name}.{name}" for name in base + [d.name for d in self.derived]]

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
        self.views = {n: View(n, t, self.streams) for n, t in tree.get("views", {}).items()}


class Entity:
    """All events of one entity in one view, ever."""

    def __init__(self, view):
        self.view = view
        self.rows = []
        self.sorted = True
        self.values = {}  # (first, end, aggregate) of the slice: its value.

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

    def value(self, aggregate, first, end, q_us, fold_us):
        """(value, approximate) over a slice of the events."""
        key = (first, end, aggregate)
        if key in self.values:
            return self.values[key]

        def age_us(time_us):
            start_us = self.view.ladder.tile_us(time_us, fold_us)
            return None if start_us is None else q_us - start_us

        value = aggregate_value(aggregate, self.rows[first:end], age_us)
        if aggregate.kind != "decayed_sum":
            self.values[key] = value
        return value

    def answer(self, q_us, fold_us=None):
        """Answers in the order of View.features(); None when the entity is past its ttl. fold_us:
        the horizon that folding has come to, on which nothing but weights of age depend."""
        self.sort()
        view = self.view
        newest_us = self.times[-1] + view.shift_us
        if newest_us < q_us - view.ttl_us:
            return None
        timeline = Timeline(view, self.times, q_us)
        answers = {}
        for window in view.windows:
            span = timeline.span(window)
            for aggregate in view.aggregates:
                value, approximate = self.value(aggregate, span.first, span.end, q_us, fold_us)
                flags = "APPROXIMATE" if approximate or span.approximate else ""
                answers[aggregate.name + window.suffix] = Answer(
                    value, NULL_VALUE if value is None else PRESENT, flags, span.start_us,
                    span.end_us, newest_us, q_us, span.reaches_back)
        for derived in view.derived:
            answers[derived.name] = derived.answer(answers)
        return list(answers.values())


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
        return entity.query_time_us(q_us) >= self.horizon_us(view)

    def horizon_us(self, view):
        """Of several streams the furthest: a shard may know only that one."""
        return max(self.watermark_us[stream.name] - stream.history_us
                   for stream in view.streams if stream.name in self.watermark_us)

    def answer(self, view_name, key, q_us):
        """Answers in the order of View.features(), or None: NOT_FOUND. q_us None: LATEST."""
        entity = self.entities[view_name].get(key)
        if entity is None:
            return None
        return entity.answer(entity.query_time_us(q_us), self.horizon_us(entity.view))
