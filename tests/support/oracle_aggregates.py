"""The slow, obvious meaning of aggregates, for oracle.py: each recomputed from all events of its
window. It shares no code with the product; the words are those of docs/language.md. Values come out
as the text that every protocol prints, lists as JSON; None is null.

Of caps those are modelled that a definition names or docs/language.md states: not the lower ones of
types so large that entries need more than 8192 bytes, and not the most text of a list.
"""

import math
from decimal import Decimal
from fractions import Fraction

SPLIT_CAP, DISTINCT_CAP, EXACT_MOST = 128, 256, 256
SHARE_ONE = 10**6
SKETCH_ERROR, SKETCH_ERRORS_MOST = Fraction(23, 1000), 4
QUANTILE_ERROR = Fraction(1, 128)
DECAY_ERROR, DECAY_REST = 1e-9, 1e-15


class Within:
    """Equals every printed number from low to high."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __eq__(self, other):
        if isinstance(other, Within):
            return (self.low, self.high) == (other.low, other.high)
        return other is not None and self.low <= Fraction(other) <= self.high

    def __repr__(self):
        return f"{float(self.low)} to {float(self.high)}"


# Printing.

def quantise(text, scale):
    """Decimal text or float to an integer times 10^scale, half to even, exactly."""
    exact = Fraction(Decimal(text)) if isinstance(text, str) else Fraction(text)
    return round(exact * 10**scale)  # Fraction rounds half to even.


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


def json_text(text):
    out = []
    for c in text:
        out.append("\\" + c if c in '"\\' else f"\\u{ord(c):04x}" if c < " " else c)
    return '"' + "".join(out) + '"'


def print_value(value, field):
    """A value of a field by itself."""
    if field.type == "bool":
        return "true" if value else "false"
    return format_value(value, field, field.scale)


def print_listed(value, field):
    """A value of a field in a list."""
    return json_text(value) if field.type == "string" else print_value(value, field)


def print_name(value, field):
    """A value of a field that names a member."""
    text = print_listed(value, field)
    return text if field.type == "string" else f'"{text}"'


# Accumulators: one pass each over the events of a window.

def value_rank(value):
    """Strings by their bytes, numbers by themselves."""
    return value.encode() if isinstance(value, str) else value


def value_bits(value):
    return value.encode() if isinstance(value, str) else value & (1 << 64) - 1


def rows_with(index, rows):
    return [row for row in rows if row[2][index] is not None]


def rows_at_edge(rows, index, kind):
    """Values of the first or last event with one, and of those that tie with it."""
    edge = rows[0 if kind == "first" else -1][:2]
    return [row[2][index] for row in rows if row[:2] == edge]


def variance_of(kind, values, scale):
    n, total = len(values), sum(values)
    sample = 1 if kind.endswith("_samp") else 0
    if n < 2:
        return None
    squares = sum(value * value for value in values)
    variance = (n * squares - total * total) / (n * (n - sample) * 10**(2 * scale))
    return format_double(math.sqrt(variance) if kind.startswith("stddev") else variance)


def accumulated(kind, index, field, rows):
    """field None: of events, whatever is in them."""
    if field is None:
        return str(len(rows))
    rows = rows_with(index, rows)
    values = [row[2][index] for row in rows]
    if kind == "count":
        return str(len(values))
    if not values:
        return None
    n, scale = len(values), field.scale
    if kind in ("min", "max"):
        return print_value({"min": min, "max": max}[kind](values), field)
    if kind in ("first", "last"):
        edge = rows_at_edge(rows, index, kind)
        return print_value({"first": min, "last": max}[kind](edge, key=value_bits), field)
    if kind == "sum":
        return format_value(sum(values), field, scale)
    if kind == "avg":
        return format_double(sum(values) / (n * 10**scale))
    if kind == "sumsq":
        return format_value(sum(value * value for value in values), field, 2 * scale)
    return variance_of(kind, values, scale)


# The others. Each returns its text and whether it is approximate.

def listed(values, field):
    return "[" + ",".join(print_listed(value, field) for value in values) + "]"


def ranked_value(aggregate, rows):
    kind, index = aggregate.kind, aggregate.index
    rows = rows_with(index, rows)
    if not rows:
        return None, False
    if kind in ("top_k", "bottom_k"):
        values = sorted((row[2][index] for row in rows), reverse=kind == "top_k")
    else:
        values = [row[2][index] for row in sorted(
            rows, key=lambda row: (row[:2], value_bits(row[2][index])),
            reverse=kind.startswith("last"))]
    if kind.endswith("distinct"):
        values = list(dict.fromkeys(values))
    return listed(values[:int(aggregate.parameter)], aggregate.field), False


def different_value(aggregate, rows):
    n = len({row[2][aggregate.index] for row in rows_with(aggregate.index, rows)})
    if aggregate.kind == "distinct":
        cap = int(aggregate.parameter or DISTINCT_CAP)
        return str(min(n, cap)), n > cap
    if n <= EXACT_MOST:
        return str(n), False
    error = n * SKETCH_ERROR * SKETCH_ERRORS_MOST
    return Within(n - error, n + error), True


def quantile_value(aggregate, rows):
    values = sorted(row[2][aggregate.index] for row in rows_with(aggregate.index, rows))
    if not values:
        return None, False
    share = int(Fraction(aggregate.parameter) * SHARE_ONE)
    value = values[-(-len(values) * share // SHARE_ONE) - 1]
    if aggregate.field.type == "bool":
        return print_value(value, aggregate.field), False
    value = Fraction(value, 10**aggregate.field.scale)
    error = abs(value) * QUANTILE_ERROR
    return Within(value - error, value + error), False


def categories_of(index, rows, cap):
    """Rows by the value of a column: the first so many values; and whether that left some out."""
    found = {}
    for row in rows_with(index, rows):
        found.setdefault(row[2][index], []).append(row)
    kept = sorted(found, key=value_rank)[:cap]
    return {value: found[value] for value in kept}, len(found) > cap


def object_text(categories, field, value_of):
    if not categories:
        return None
    return "{" + ",".join(f"{print_name(name, field)}:{value_of(rows)}"
                          for name, rows in categories.items()) + "}"


def histogram_value(aggregate, rows):
    cap = int(aggregate.parameter or SPLIT_CAP)
    categories, lost = categories_of(aggregate.index, rows, cap)
    return object_text(categories, aggregate.field, len), lost


def top_n_value(aggregate, rows):
    categories, lost = categories_of(aggregate.index, rows, SPLIT_CAP)
    values = sorted(categories, key=lambda value: (-len(categories[value]), value_rank(value)))
    if not values:
        return None, lost
    return listed(values[:int(aggregate.parameter)], aggregate.field), lost


def split_value(aggregate, rows):
    categories, lost = categories_of(aggregate.by_index, rows, SPLIT_CAP)

    def value_of(rows_of):
        text = accumulated(aggregate.kind, aggregate.index, aggregate.field, rows_of)
        quoted = aggregate.kind in ("min", "max", "first", "last") and (
            aggregate.field.type == "string")
        return "null" if text is None else json_text(text) if quoted else text

    return object_text(categories, aggregate.by_field, value_of), lost


def decayed_value(aggregate, rows, age_us):
    """age_us(time): of the tile that an event of that time is in; None: beyond all tiles."""
    scale, half_life_us = 10**aggregate.field.scale, aggregate.half_life_us
    parts, whole = [], []
    for time_us, _, values in rows_with(aggregate.index, rows):
        age = age_us(time_us)
        value = values[aggregate.index] / scale
        weight = 0 if age is None else 2.0**(-max(age, 0) / half_life_us)
        parts.append(value * weight)
        whole.append(abs(value))
    if not parts:
        return None, False
    total = math.fsum(parts)
    error = DECAY_ERROR * math.fsum(map(abs, parts)) + DECAY_REST * math.fsum(whole)
    return Within(Fraction(total - error), Fraction(total + error)), False


KINDS = {"histogram": histogram_value, "top_n": top_n_value, "quantile": quantile_value,
         "distinct": different_value, "approx_distinct": different_value,
         **{kind: ranked_value for kind in ("last_k", "first_k", "last_k_distinct",
                                            "first_k_distinct", "top_k", "bottom_k")}}


def aggregate_value(aggregate, rows, age_us):
    """(text, approximate). rows: events as (time, order word, values), in total order."""
    if aggregate.by_field is not None:
        return split_value(aggregate, rows)
    if aggregate.kind == "decayed_sum":
        return decayed_value(aggregate, rows, age_us)
    if aggregate.kind in KINDS:
        return KINDS[aggregate.kind](aggregate, rows)
    return accumulated(aggregate.kind, aggregate.index, aggregate.field, rows), False
