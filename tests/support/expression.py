"""The slow, obvious meaning of expressions: parsed to a tree, typed, and computed one row at a time
with exact fractions. It shares no code with the product; the words are those of docs/language.md.

A value is a Fraction (numbers, u64, timestamps in microseconds, doubles: of which each is one), a
bool, a str, or None: null. The product's limits on size are not modelled.
"""

import datetime
import re
from fractions import Fraction

from expression_regex import regex_of
from expression_text import (BOOL, DOUBLE, NULL, PARTS, SCALE_MAX, STRING, STRING_SIZE_MAX, TIME,
                             UNSIGNED, Node, Parser, Refused, Type, call_parse, need, number,
                             rounded)

NUMERIC = ("number", "unsigned", "double")
CYCLE_DAYS, EPOCH_DAY, DAY_US = 146097, datetime.date(1970, 1, 1).toordinal(), 86400 * 10**6
MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
                    r"(?:[Zz]|([+-])(\d\d):(\d\d))?", re.A)


# Types.

def moment_us(text):
    """A timestamp as text, in microseconds; None when it is none."""
    match = MOMENT.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    try:  # 400 years later, where year 0 has a date too.
        days = datetime.date(year % 400 + 400, month, day).toordinal() + (
            year // 400 - 1) * CYCLE_DAYS - EPOCH_DAY
    except ValueError:
        return None
    hours, minutes = int(match[9] or 0), int(match[10] or 0)
    if max(hour, hours) > 23 or max(minute, minutes) > 59 or second > 60:
        return None
    offset = (hours * 60 + minutes) * 60
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    seconds -= -offset if match[8] == "-" else offset
    return seconds * 10**6 + int(((match[7] or "") + "000000")[:6])


def converted(node, type):
    """The node as another type: a literal exactly, anything else by a cast."""
    if node.type == type:
        return node
    if node.type == NULL or (node.is_literal and node.value is None):
        return Node("literal", type=type)
    if not node.is_literal:
        return Node("cast", [node], type)
    value = node.value
    if type == TIME:
        need(node.type == STRING and moment_us(value) is not None, "a timestamp")
        return Node("literal", type=TIME, value=Fraction(moment_us(value)))
    need(node.type.kind in NUMERIC and type.kind in NUMERIC, "another literal")
    if type == DOUBLE:
        value = rounded(value, "a double")
    elif type == UNSIGNED:
        need(value.denominator == 1 and 0 <= value < 2**64, "an unsigned number")
    else:
        need(abs(value * 10**type.scale) < 2**63 or value * 10**type.scale == -2**63, "fits")
    return Node("literal", type=type, value=value)


def meeting(nodes):
    """The one type of values that are compared or chosen from: what is no literal decides."""
    nodes = [node for node in nodes if node.type != NULL]
    fixed = {node.type for node in nodes if not node.is_literal}
    kinds = {type.kind for type in fixed}
    free = [node for node in nodes if node.is_literal]
    kinds_all = kinds | {node.type.kind for node in free}
    if not nodes:
        return NULL
    if len(kinds_all) == 1 and kinds_all <= {"bool", "string", "time", "double"}:
        return nodes[0].type
    if kinds == {"time"} and kinds_all <= {"time", "string"}:
        return TIME
    need(kinds_all <= set(NUMERIC), "types that meet")
    if "double" in kinds_all:
        need(kinds <= {"double"}, "a cast")
        return DOUBLE
    scale = max(node.type.scale for node in nodes)
    if "number" in kinds or "unsigned" not in kinds_all:
        return number(scale)
    whole = all(node.type.scale == 0 and node.value >= 0 for node in free)
    return UNSIGNED if whole else number(scale)


def signed(node):
    """What takes part in arithmetic: u64 as an integer."""
    need(node.type == NULL or node.type.kind in NUMERIC, "a number")
    return converted(node, number(0)) if node.type in (NULL, UNSIGNED) else node


def met(args):
    type = meeting(args)
    return type, [converted(a, type) for a in args]


def typed_arithmetic(op, args):
    if op == "-" and args[0].type == args[1].type == TIME:
        return Node("-", args, number(0))
    if op == "/":
        need(all(a.type == NULL or a.type.kind in NUMERIC for a in args), "numbers")
        return Node("/", [converted(a, DOUBLE) for a in args], DOUBLE)
    if op == "%":
        type, args = met(args)
        need(type.kind in ("number", "unsigned"), "integers and decimals")
        return Node("%", args, type)
    args = [signed(a) for a in args]
    if op == "*" and args[0].type.kind == args[1].type.kind == "number":
        scale = args[0].type.scale + args[1].type.scale
        need(scale <= SCALE_MAX, "fewer digits")
        return Node("*", args, number(scale))
    type, args = met(args)
    return Node(op, args, type)


def of_type(node, type):
    need(node.type in (NULL, type), f"a {type.kind}")
    return converted(node, type)


def literal_within(node, low, high):
    need(node.is_literal and node.type == number(0) and low <= node.value <= high, "a literal")
    return node


def typed_call(name, args):
    if name in ("abs", "floor", "ceil", "round"):
        first = signed(args[0])
        scale = first.type.scale if name == "abs" else 0
        if len(args) == 2:
            literal_within(args[1], 0, SCALE_MAX)
            need(first.type != DOUBLE, "round(x) alone")
            scale = min(first.type.scale, int(args[1].value))
        if name != "abs" and first.type == number(scale) and not first.is_literal:
            return first  # It is whole already.
        return Node("call", [first, *args[1:]], Type(first.type.kind, scale), name)
    if name in ("least", "greatest", "coalesce", "nullif"):
        type, args = met(args)
        need(type != NULL, "some value")
        need(type != BOOL or name in ("coalesce", "nullif"), "an order")
        return Node("call", args, type, name)
    if name == "length":
        return Node("call", [of_type(args[0], STRING)], number(0), name)
    if name in PARTS:
        return Node("call", [of_type(args[0], TIME)], number(0), name)
    if name == "substr":
        literal_within(args[1], 1, STRING_SIZE_MAX)
        for count in args[2:]:
            literal_within(count, 0, STRING_SIZE_MAX)
        return Node("call", [of_type(args[0], STRING), *args[1:]], STRING, name)
    return Node("call", [of_type(a, STRING) for a in args], STRING, name)


def typed(node, names):
    """The tree with types; names: name to type."""
    op, args = node.op, [typed(a, names) for a in node.args]
    if op == "literal":
        return node
    if op == "name":
        need(node.value in names, "a name")
        return Node("name", type=names[node.value], value=node.value)
    if op == "negate":
        return Node("negate", [signed(args[0])], signed(args[0]).type)
    if op in ("+", "-", "*", "/", "%"):
        return typed_arithmetic(op, args)
    if op == "||":
        return Node(op, [of_type(a, STRING) for a in args], STRING)
    if op in ("=", "<>", "<", "<="):
        type, args = met(args)
        need(type != NULL and (type != BOOL or op in ("=", "<>")), "an order")
        return Node(op, args, BOOL)
    if op in ("and", "or", "not"):
        return Node(op, [of_type(a, BOOL) for a in args], BOOL)
    if op == "is_null":
        return Node(op, args, BOOL)
    if op in ("like", "regexp"):
        return Node(op, [of_type(args[0], STRING)], BOOL, node.value)
    if op == "case":
        type = meeting([*args[1::2], args[-1]])
        need(type != NULL, "some value")
        places = enumerate(args)
        return Node(op, [of_type(a, BOOL) if i % 2 == 0 and i + 1 < len(args) else
                         converted(a, type) for i, a in places], type)
    if op == "cast":
        need(args[0].type in (NULL, BOOL) or args[0].type.kind in NUMERIC, "a number or a bool")
        same = args[0].type == node.type
        return args[0] if same and not args[0].is_literal else Node(op, args, node.type)
    return typed_call(node.value, args)


# Values.

class Faults:
    """Of one row. distinct: each value once; evaluations: each time that it was needed."""

    def __init__(self):
        self.values = {"overflow": set(), "zero_division": set()}
        self.evaluations = {"overflow": 0, "zero_division": 0}

    def add(self, fault, key):
        self.values[fault].add(key)
        self.evaluations[fault] += 1


def half_away(value):
    return (1 if value >= 0 else -1) * ((2 * abs(value) + 1) // 2)


def whole_of(value, name):
    return {"floor": value.__floor__, "ceil": value.__ceil__,
            "round": lambda: half_away(value)}[name]()


def like(text, pattern):
    parts = re.findall(r"\\.|.", pattern, re.S)
    expression = "".join(".*" if p == "%" else "." if p == "_" else re.escape(p[-1]) for p in parts)
    return re.fullmatch(expression, text, re.S) is not None


def part_of(time_us, part):
    days, of_day = divmod(int(time_us), DAY_US)
    cycles, within = divmod(days, CYCLE_DAYS)
    date = datetime.date.fromordinal(within + EPOCH_DAY)
    return Fraction({"year": date.year + 400 * cycles, "month": date.month, "day": date.day,
                     "hour": of_day // (3600 * 10**6), "minute": of_day // (60 * 10**6) % 60,
                     "second": of_day // 10**6 % 60, "day_of_week": date.isoweekday()}[part])


class Row:
    """One row's names and values, and its faults."""

    def __init__(self, values, faults):
        self.values, self.faults = values, faults

    def fitting(self, value, type, key):
        """The value, or null with a fault where its type does not hold it."""
        if type == DOUBLE:
            try:
                return rounded(value, "")
            except Refused:
                fits = False
        elif type == STRING:
            fits = len(value.encode()) <= STRING_SIZE_MAX
        else:
            low, high = (0, 2**64) if type == UNSIGNED else (-2**63, 2**63)
            fits = low <= value * 10**type.scale < high
        if fits:
            return value
        self.faults.add("overflow", key)
        return None

    def cast(self, value, source, type, key):
        if value is None or source == type:
            return value
        if type == BOOL:
            return value != 0
        if source == BOOL:
            return Fraction(value)
        if type == DOUBLE:
            return rounded(value, "")
        scale = type.scale
        if source == UNSIGNED:
            value = self.fitting(value, number(0), f"signed {key}")
        elif source == DOUBLE:
            exact = Fraction(round(value * 10**scale), 10**scale)  # Half to even.
            value = self.fitting(exact, number(scale), f"quantised {scale} {key}")
        elif scale < source.scale:
            value = Fraction(half_away(value * 10**scale), 10**scale)
        if type == UNSIGNED and value is not None:
            return self.fitting(value, UNSIGNED, f"unsigned {key}")
        return value if value is None else self.fitting(value, type, f"raised {scale} {key}")

    def value(self, node):
        op, args = node.op, node.args
        if op == "literal":
            return node.value
        if op == "name":
            return self.values[node.value]
        if op in ("and", "or"):
            return self.logic(node, decides=op == "or")
        if op == "case":
            for condition, then in zip(args[:-1:2], args[1::2]):
                if self.value(condition):
                    return self.value(then)
            return self.value(args[-1])
        if op == "call" and node.value == "coalesce":
            return next((v for v in map(self.value, args) if v is not None), None)
        values = [self.value(a) for a in args]
        if op == "is_null":
            return values[0] is None
        if op == "call":
            return self.call(node, values)
        if None in values:
            return None
        if op == "not":
            return not values[0]
        if op == "cast":
            return self.cast(values[0], args[0].type, node.type, args[0].key)
        if op == "like":
            return like(values[0], node.value)
        if op == "regexp":
            return regex_of(node.value).search(values[0]) is not None
        return self.operation(node, *values)

    def logic(self, node, decides):
        """OR is decided by true, AND by false; what is decided does not look at the right."""
        left = self.value(node.args[0])
        if left is decides:
            return decides
        right = self.value(node.args[1])
        if right is decides:
            return decides
        return None if left is None or right is None else right

    def operation(self, node, left, right=None):
        op, type = node.op, node.type
        if op in ("=", "<>", "<", "<="):
            return {"=": left == right, "<>": left != right, "<": left < right,
                    "<=": left <= right}[op]
        if op in ("/", "%") and right == 0:
            self.faults.add("zero_division", node.key)
            return None
        if op == "%":
            left_over = abs(left) % abs(right)
            return left_over if left >= 0 else -left_over
        exact = {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right,
                 "/": lambda: left / right, "||": lambda: left + right, "negate": lambda: -left}
        return self.fitting(exact[op](), type, node.key)

    def call(self, node, values):
        name, first = node.value, values[0]
        present = [v for v in values if v is not None]
        if name in ("least", "greatest"):
            return {"least": min, "greatest": max}[name](present) if present else None
        if name == "nullif":
            return None if first is not None and first == values[1] else first
        if name == "concat":
            text = ""
            for at, value in enumerate(present):
                text = self.fitting(text + value, STRING, f"{at} {node.key}")
                if text is None:
                    break
            return text
        if first is None:
            return None
        if name == "abs":
            return self.fitting(abs(first), node.type, node.key)
        if name in ("floor", "ceil", "round"):
            scale = node.type.scale
            return Fraction(whole_of(first * 10**scale, name), 10**scale)
        if name in PARTS:
            return part_of(first, name)
        if name == "length":
            return Fraction(len(first))
        if name == "substr":
            start = int(values[1]) - 1
            return first[start:start + int(values[2])] if len(values) > 2 else first[start:]
        change = str.lower if name == "lower" else str.upper
        return re.sub("[A-Za-z]+", lambda match: change(match[0]), first)


class Expression:
    """A checked expression. names: name to type; wanted: the type that the whole has to have."""

    def __init__(self, text, names, wanted=None):
        parser = Parser(text)
        tree = parser.any_of()
        need(parser.kind == "end", "the end")
        self.check(tree, names, wanted)

    @classmethod
    def of_tree(cls, tree, names, wanted=None):
        self = cls.__new__(cls)
        self.check(tree, names, wanted)
        return self

    def check(self, tree, names, wanted):
        self.tree = typed(tree, names)
        self.type = self.tree.type
        need(self.type != NULL, "always null")
        need(wanted is None or self.type == wanted, "another type")

    def value(self, values, faults):
        return Row(values, faults).value(self.tree)
