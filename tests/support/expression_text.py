"""Expressions as trees, for expression.py: an own parser that shares no code with the product's."""

import re
from collections import namedtuple
from fractions import Fraction

Type = namedtuple("Type", "kind scale")
NULL, BOOL, UNSIGNED, TIME, DOUBLE, STRING = (
    Type(kind, 0) for kind in ("null", "bool", "unsigned", "time", "double", "string"))
SCALE_MAX, STRING_SIZE_MAX = 18, 256

RESERVED = set("and or not is null in between like regexp case when then else end where as".split())
CASTS = {"bool": BOOL, "boolean": BOOL, "u64": UNSIGNED, "ubigint": UNSIGNED, "double": DOUBLE,
         "i64": Type("number", 0), "bigint": Type("number", 0), "integer": Type("number", 0)}
WORDS = (("true", BOOL, True), ("false", BOOL, False), ("null", NULL, None))
PARTS = ("year", "month", "day", "hour", "minute", "second", "day_of_week")
ARGUMENTS = {"abs": (1, 1), "floor": (1, 1), "ceil": (1, 1), "round": (1, 2), "least": (2, 16),
             "greatest": (2, 16), "coalesce": (2, 16), "nullif": (2, 2), "length": (1, 1),
             "lower": (1, 1), "upper": (1, 1), "concat": (2, 16), "substr": (2, 3),
             **{part: (1, 1) for part in PARTS}}

TOKEN = re.compile(r"""[ \t\n]*(?:
    (?P<number>\.?[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?[A-Za-z_0-9]*)
  | (?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)
  | (?P<string>'(?:[^']|'')*'(?!'))
  | (?P<sign><>|<=|>=|!=|==|\|\||[-+*/%=<>(),])
  | (?P<end>\Z) )""", re.X)
NUMBER = re.compile(r"(?:[0-9]+\.?([0-9]*)|\.([0-9]+))([eE][+-]?[0-9]+)?")


class Refused(Exception):
    """The text is no expression, or one without a meaning."""


class Node:
    __slots__ = ("op", "args", "type", "value", "key")

    def __init__(self, op, args=(), type=NULL, value=None):
        self.op, self.args, self.type, self.value = op, list(args), type, value
        self.key = f"{op}:{value}:{type[0]}{type[1]}({','.join(a.key for a in self.args)})"

    @property
    def is_literal(self):
        return self.op == "literal"


def number(scale):
    return Type("number", scale)


def need(condition, why):
    if not condition:
        raise Refused(why)


def rounded(exact, why):
    """The nearest double, exactly; refuses what is none."""
    try:
        return Fraction(float(exact))  # A Fraction becomes a float with one rounding.
    except OverflowError:
        raise Refused(why) from None


class Parser:
    def __init__(self, text, at=0):
        self.text, self.end = text, at
        self.advance()

    def advance(self):
        match = TOKEN.match(self.text, self.end)
        self.kind = match.lastgroup if match else "broken"
        self.word = match.group(self.kind) if match else self.text[self.end:]
        self.at = match.start(self.kind) if match else self.end
        self.end = match.end() if match else len(self.text)

    def take(self, *words):
        found = self.word.lower()
        if self.kind not in ("name", "sign") or found not in words:
            return None
        self.advance()
        return found

    def must(self, word):
        need(self.take(word), word)

    def any_of(self):
        left = self.all_of()
        while self.take("or"):
            left = Node("or", [left, self.all_of()])
        return left

    def all_of(self):
        left = self.negation()
        while self.take("and"):
            left = Node("and", [left, self.negation()])
        return left

    def negation(self):
        return Node("not", [self.negation()]) if self.take("not") else self.test()

    def test(self):
        left = self.sum()
        if self.take("is"):
            negated = self.take("not")
            self.must("null")
            node = Node("is_null", [left])
            return Node("not", [node]) if negated else node
        if self.take("not"):
            node = self.membership(left)
            need(node, "IN, BETWEEN, LIKE or REGEXP")
            return Node("not", [node])
        sign = None
        node = self.membership(left)
        if node is None:
            sign = self.take("=", "==", "<>", "!=", "<", "<=", ">", ">=")
        if not sign:
            return node or left
        pair = [left, self.sum()]
        if sign in (">", ">="):
            pair.reverse()
        return Node({"==": "=", "!=": "<>", ">": "<", ">=": "<="}.get(sign, sign), pair)

    def membership(self, left):
        if self.take("in"):
            self.must("(")
            tests = [Node("=", [left, item]) for item in self.list()]
            node = tests[0]
            for test in tests[1:]:
                node = Node("or", [node, test])
            return node
        if self.take("between"):
            low = self.sum()
            self.must("and")
            return Node("and", [Node("<=", [low, left]), Node("<=", [left, self.sum()])])
        if self.take("like"):
            need(self.kind == "string", "a pattern")
            return Node("like", [left], value=self.string())
        if self.take("regexp"):
            need(self.kind == "string" and left.op == "name", "a field and a regex")
            return Node("regexp", [left], value=self.string())
        return None

    def sum(self):
        left = self.product()
        while True:
            sign = self.take("+", "-", "||")
            if not sign:
                return left
            left = Node(sign, [left, self.product()])

    def product(self):
        left = self.unary()
        while True:
            sign = self.take("*", "/", "%")
            if not sign:
                return left
            left = Node(sign, [left, self.unary()])

    def unary(self):
        sign = self.take("-", "+")
        if not sign:
            return self.operand()
        node = self.unary()
        if sign == "+":
            return node
        if node.is_literal and node.type.kind in ("number", "unsigned") and (
                -2**63 < node.value * 10**node.type.scale <= 2**63):
            return Node("literal", type=number(node.type.scale), value=-node.value)
        return Node("negate", [node])

    def list(self):
        items = [self.any_of()]
        while self.take(","):
            items.append(self.any_of())
        self.must(")")
        return items

    def string(self):
        text = self.word[1:-1].replace("''", "'")
        need(len(text.encode()) <= STRING_SIZE_MAX, "a shorter string")
        self.advance()
        return text

    def number(self):
        match = NUMBER.fullmatch(self.word)
        need(match, "a number")
        exact = Fraction(self.word.rstrip(".") if not match[3] else self.word.replace(".e", "e"))
        scale = len(match[1] or match[2] or "")
        self.advance()
        if match[3]:
            return Node("literal", type=DOUBLE, value=rounded(exact, "a double"))
        scaled = exact * 10**scale
        need(scale <= SCALE_MAX and scaled < 2**64, "a smaller number")
        if scaled >= 2**63:
            need(scale == 0, "a smaller number")
            return Node("literal", type=UNSIGNED, value=exact)
        return Node("literal", type=number(scale), value=exact)

    def operand(self):
        if self.kind == "number":
            return self.number()
        if self.kind == "string":
            return Node("literal", type=STRING, value=self.string())
        if self.take("("):
            node = self.any_of()
            self.must(")")
            return node
        need(self.kind == "name", "a value")
        for word, type, value in WORDS:
            if self.take(word):
                return Node("literal", type=type, value=value)
        if self.take("case"):
            return self.case()
        if self.take("cast"):
            return self.cast()
        need(self.word.lower() not in RESERVED, "a value")
        name = self.word
        self.advance()
        if not self.take("("):
            return Node("name", value=name)
        need(name in ARGUMENTS, "a function")
        arguments = self.list()
        least, most = ARGUMENTS[name]
        need(least <= len(arguments) <= most, "another number of arguments")
        return Node("call", arguments, value=name)

    def case(self):
        compared = None if self.word.lower() == "when" else self.any_of()
        parts = []
        while not parts or self.word.lower() == "when":
            self.must("when")
            condition = self.any_of()
            parts.append(condition if compared is None else Node("=", [compared, condition]))
            self.must("then")
            parts.append(self.any_of())
        parts.append(self.any_of() if self.take("else") else Node("literal"))
        self.must("end")
        return Node("case", parts)

    def cast(self):
        self.must("(")
        node = self.any_of()
        self.must("as")
        word = self.take("decimal", *CASTS)
        need(word, "a type")
        type = CASTS.get(word)
        if type is None:
            self.must("(")
            while type is None or self.take(","):
                need(self.kind == "number" and self.word.isdigit(), "digits")
                need(int(self.word) <= SCALE_MAX, "fewer digits")
                type = number(int(self.word))
                self.advance()
            self.must(")")
        self.must(")")
        return Node("cast", [node], type)


Call = namedtuple("Call", "kind value parameter by where")


def call_parse(text):
    """`kind(expression, parameter) by field where expression`: trees, and the words between them;
    None is what is not there."""
    kind, rest = re.fullmatch(r"\s*(\w+)\s*\((.*)", text, re.S).groups()
    parser = Parser(rest)
    value = None if parser.word == ")" else parser.any_of()
    parameter = by = None
    if parser.take(","):
        parameter = parser.word
        parser.advance()
    parser.must(")")
    if parser.take("by"):
        by = parser.operand()
        need(by.op == "name", "a field")
    where = parser.any_of() if parser.take("where") else None
    need(parser.kind == "end", "the end")
    return Call(kind, value, parameter, by, where)
