#!/usr/bin/env python3
"""Random expressions, well-typed and not, over random rows: the product takes those that the oracle
takes, with the same types, values and faults. Bytes that are no expression are refused."""

import os
import pathlib
import random
import subprocess
import sys
from fractions import Fraction

SOURCE = pathlib.Path(os.environ.get("FRESHET_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("FRESHET_BUILD", SOURCE / "build"))
sys.path.insert(0, str(SOURCE / "tests" / "support"))
import expression as model  # noqa: E402

EXPRESSIONS = int(os.environ.get("EXPRESSIONS", 20000))
GARBAGE = EXPRESSIONS // 4
ROWS = 3
REPEATS = [1, 1, 1, 1, 1, 1, 2, 5, 1, 1, 1, 1, 1, 11, 21]  # So often the rows: up to 63.
DEPTH = 3
DIFFERENCES_SHOWN = 5
SPACE_SHARE = 0.02  # So many may be too long for a program.

NUMBER0, NUMBER2, NUMBER9 = (model.number(scale) for scale in (0, 2, 9))
NAMES = {"i": NUMBER0, "j": NUMBER0, "d": NUMBER2, "e": model.number(4), "n": NUMBER9,
         "u": model.UNSIGNED, "v": model.UNSIGNED, "b": model.BOOL, "c": model.BOOL,
         "t": model.TIME, "s.t_1h": model.TIME, "x": model.DOUBLE, "y": model.DOUBLE,
         "w": model.STRING, "z": model.STRING}
BY_KIND = {}
for name, type in NAMES.items():
    BY_KIND.setdefault(type.kind, []).append(name)
CHOSEN = ("bool", "number", "number", "unsigned", "double", "string", "time")
EDGES = [0, 1, -1, 2, 5, 7, 10, 15, 25, 45, 49, 50, 51, 99, 100, 150, 12345, -250, 2**31, -2**31,
         2**53, 2**53 + 1, 10**18, 2**63 - 1, -2**63, 1 - 2**63, 2**62, -2**62]
REALS = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 0.125, 1e308, -1e308, 5e-324, 2.0**52 + 0.5, 2.0**63,
         -2.0**63, 1e19, 0.1, 1 / 3, -2.675, 123456.789, 0.49999999999999994]
TIMES = [0, -1, 1709210096789012, -62135596800000000, 951782400000000, 4102444799999999,
         2**63 - 1, -2**63, 1 - 2**63, -2**63 + 999999, 86400 * 10**6]
WORDS = ["", "a", "A", "ab", "Ab%", "\u00e9", "d\u00fcnn", "a_b", "it's", "\\", "%", "\U0001f600x",
         "2024-02-29 12:00:00", "abcabc", "Z" * 60, "\u00fc" * 100]
PATTERNS = ["%", "", "a%", "%b", "_", "__", "%a%b%", "\\%", "a\\_b", "%\u00e9", "\\\\", "A_%", "%%",
            "_%_", "\\"]
MOMENTS = ["2024-02-29 12:34:56", "1969-12-31T23:59:59.999999Z", "2024-02-30 00:00:00", "yesterday",
           "0000-01-01 00:00:00", "2000-01-01T00:00:60+01:30", "9999-12-31 23:59:59.1234567-23:59"]
CASTS = ["bool", "i64", "U64", "double", "decimal(0)", "decimal(2)", "decimal(18)",
         "decimal(18, 4)", "bigint", "ubigint", "boolean", "integer", "date", "decimal(19)",
         "decimal"]


class Generator:
    """Texts that mostly have the kind that is asked for."""

    def __init__(self, source):
        self.source = source
        self.strings = 0  # Each needs room in a row.

    def pick(self, *choices):
        return self.source.choice(choices)

    def quoted(self, text):
        return "'" + text.replace("'", "''") + "'"

    def literal(self, kind):
        source = self.source
        if source.random() < 0.07:
            return self.pick("NULL", "null")
        if kind == "bool":
            return self.pick("TRUE", "false")
        if kind == "string":
            return self.quoted(source.choice(WORDS))
        if kind == "time":
            return self.quoted(source.choice(MOMENTS))
        if kind == "double" and source.random() < 0.5:
            return self.pick("1e0", "2.5e3", "1E-5", "1.e2", ".5e1", "1e308", "1e309", "0e0")
        if kind == "unsigned" and source.random() < 0.2:
            return self.pick("18446744073709551615", "9223372036854775808", "18446744073709551616")
        return self.pick("0", "1", "2", "3", "10", "-1", "-7", "2.5", "0.05", ".5", "1.", "12.345",
                         "100", "-0.5", "9223372036854775807", "-9223372036854775808", "+4", "007",
                         "0.000000000000000001", "-9.223372036854775808", "1.5", "--3")

    def of(self, kind, depth):
        """An expression of that kind, or by a small chance of any."""
        source = self.source
        if source.random() < 0.02:
            kind = source.choice(CHOSEN)
        if depth == 0 or source.random() < 0.1:
            is_name = source.random() < 0.7
            return source.choice(BY_KIND[kind]) if is_name else self.literal(kind)
        if source.random() < 0.2:
            return self.chosen(kind, depth - 1)
        text = getattr(self, kind)(depth - 1)
        return f"({text})" if source.random() < 0.8 else text

    def chosen(self, kind, depth):
        """What has values of every kind."""
        form = self.source.randrange(5)
        many = [self.of(kind, depth) for _ in range(self.source.randrange(2, 4))]
        if form == 0:
            return f"coalesce({', '.join(many)})"
        if form == 1:
            return f"nullif({many[0]}, {many[1]})"
        if form == 2:
            return f"{self.pick('least', 'greatest')}({', '.join(many)})"
        tail = f" ELSE {many[1]}" if self.source.random() < 0.6 else ""
        if form == 3:
            other = self.source.choice(CHOSEN)
            whens = "".join(f" WHEN {self.of(other, depth)} THEN {m}" for m in many)
            return f"CASE {self.of(other, depth)}{whens}{tail} END"
        whens = "".join(f" when {self.of('bool', depth)} THEN {m}" for m in many)
        return f"case{whens}{tail} end"

    def bool(self, depth):
        source = self.source
        form = source.randrange(9)
        if form < 2:
            sides = self.of("bool", depth), self.of("bool", depth)
            return self.pick(" AND ", " OR ", " and ", " or ").join(sides)
        if form == 2:
            return f"NOT {self.of('bool', depth)}"
        kind = source.choice(CHOSEN)
        a, b, c = (self.of(kind, depth) for _ in range(3))
        negated = self.pick("", "NOT ")
        if form == 3:
            return f"{a} IS {negated}NULL"
        if form == 4:
            return f"{a} {negated}IN ({', '.join([b, c][:source.randrange(1, 3)])})"
        if form == 5:
            return f"{a} {negated}BETWEEN {b} AND {c}"
        if form == 6:
            pattern = self.quoted(source.choice(PATTERNS))
            return f"{self.of('string', depth)} {negated}LIKE {pattern}"
        return f"{a} {self.pick('=', '==', '<>', '!=', '<', '<=', '>', '>=')} {b}"

    def number(self, depth, kind="number"):
        source = self.source
        form = source.randrange(8)
        if form < 3:
            sign = self.pick("+", "-", "*", "%")
            return f"{self.of(kind, depth)} {sign} {self.of(kind, depth)}"
        if form == 3:
            digits = self.pick("", "", ", 1", ", 0", ", 3", ", 19")
            return f"round({self.of(kind, depth)}{digits})"
        if form == 4:
            return f"{self.pick('abs', 'floor', 'ceil')}({self.of(kind, depth)})"
        if form == 5:
            return f"-{self.of(kind, depth)}"
        if form == 6:
            return f"length({self.of('string', depth)})"
        if kind == "number" and source.random() < 0.5:
            return f"{source.choice(model.PARTS)}({self.of('time', depth)})"
        inner = self.of(source.choice(("number", "double", "unsigned", "bool")), depth)
        return f"CAST({inner} AS {source.choice(CASTS)})"

    def unsigned(self, depth):
        if self.source.random() < 0.5:
            return f"{self.of('unsigned', depth)} % {self.of('unsigned', depth)}"
        inner = self.of(self.source.choice(("number", "double", "bool")), depth)
        return f"cast({inner} as u64)"

    def double(self, depth):
        form = self.source.randrange(4)
        if form == 0:
            kinds = [self.source.choice(("number", "double", "unsigned")) for _ in range(2)]
            return f"{self.of(kinds[0], depth)} / {self.of(kinds[1], depth)}"
        if form == 1:
            return f"CAST({self.of('number', depth)} AS double)"
        return self.number(depth, "double")

    def string(self, depth):
        form = self.source.randrange(4)
        a, b = self.of("string", depth), self.of("string", depth)
        if form == 0:
            return f"{a} || {b}"
        if form == 1:
            return f"concat({a}, {b})"
        if form == 2:
            return f"{self.pick('lower', 'upper')}({a})"
        count = self.pick("", ", 0", ", 2", ", 256")
        return f"substr({a}, {self.pick('1', '2', '3', '0', '256')}{count})"

    def time(self, depth):
        return self.chosen("time", depth)


def garbage_of(source, texts):
    """Bytes that were an expression, or never."""
    text = source.choice(texts).encode()
    for _ in range(source.randrange(1, 5)):
        at = source.randrange(len(text) + 1)
        form = source.randrange(4)
        if form == 0:
            text = text[:at] + bytes([source.choice([1, 39, 40, 41, 46, 92, 200, 255])]) + text[at:]
        elif form == 1:
            text = text[:at] + text[at + source.randrange(1, 8):]
        elif form == 2:
            text = text[:at] + source.choice(texts).encode() + text[at:]
        else:
            text = text[:at]
    return text.replace(b"\0", b"")[:1500]


def value_of(source, type):
    if source.random() < 0.15:
        return None
    kind = type.kind
    if kind == "bool":
        return source.random() < 0.5
    if kind == "string":
        return source.choice(WORDS)
    if kind == "double":
        return Fraction(source.choice(REALS + [source.uniform(-100, 100)]))
    if kind == "time":
        return Fraction(source.choice(TIMES + [source.randrange(-10**16, 10**16)]))
    value = source.choice(EDGES + [source.randrange(-1000, 1000)] * 12)
    if kind == "unsigned":
        return Fraction(abs(value) if source.random() < 0.9 else 2**64 - 1)
    return Fraction(value, 10**type.scale)


def word_of(value, type):
    if value is None:
        return "null"
    if type.kind == "bool":
        return str(int(value))
    if type.kind == "string":
        return "x" + value.encode().hex()
    if type.kind == "double":
        return repr(float(value))
    return str(int(value * 10**type.scale))


def line_of(text, rows, times=1):
    parts = [text]
    for name, type in NAMES.items():
        words = " ".join([word_of(row[name], type) for row in rows] * times)
        parts.append(f"{name} {type.kind} {type.scale} {words}")
    return "\t".join(parts)


def value_read(word, kind, scale):
    if word == "null":
        return None
    if kind == "bool":
        return word == "1"
    if kind == "string":
        return bytes.fromhex(word[1:]).decode(errors="replace")
    return Fraction(float(word)) if kind == "double" else Fraction(int(word), 10**scale)


def run(lines, *arguments):
    """Answers of the product: None (refused), "space", or (type, values, faults of both kinds), and
    SQL when that is an argument."""
    done = subprocess.run([BUILD / "tests" / "property" / "expression_run", *arguments],
                          input=b"".join(line + b"\n" for line in lines), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    answers = []
    for line in done.stdout.decode().splitlines():
        parts = line.split("\t")
        if parts[0] != "ok":
            answers.append(None if parts[0] == "refused" else "space")
            continue
        kind, scale = parts[1].split()
        values = [value_read(word, kind, int(scale)) for word in parts[2].split()]
        answers.append((model.Type(kind, int(scale)), values, int(parts[3]), int(parts[4]),
                        *parts[5:]))
    assert len(answers) == len(lines)
    return answers


def expected_of(text, rows, times=1):
    """The oracle's answer: None, or (type, values, [least and most faults of each kind])."""
    try:
        expression = model.Expression(text, NAMES)
    except model.Refused:
        return None
    values, faults = [], {"overflow": [0, 0], "zero_division": [0, 0]}
    for row in rows:
        found = model.Faults()
        values.append(expression.value(row, found))
        for kind, range_ in faults.items():
            range_[0] += len(found.values[kind])
            range_[1] += found.evaluations[kind]
    return (expression.type, values * times,
            *([count * times for count in faults[kind]] for kind in ("overflow", "zero_division")))


def differs(expected, actual):
    if actual == "space":
        return False
    if expected is None or actual is None:
        return expected is not actual
    counts = zip(actual[2:], expected[2:])
    return actual[:2] != expected[:2] or not all(low <= n <= high for n, (low, high) in counts)


def main():
    seed = int(os.environ.get("SEED", 1))
    print(f"SEED={seed}")
    source = random.Random(seed)
    generator = Generator(source)
    texts = [generator.of(source.choice(CHOSEN), DEPTH) for _ in range(EXPRESSIONS)]
    rows = [[{n: value_of(source, t) for n, t in NAMES.items()} for _ in range(ROWS)]
            for _ in texts[:997]]
    cases = [(text, rows[i % len(rows)]) for i, text in enumerate(texts)]
    lines = [line_of(text, row, REPEATS[i % len(REPEATS)]).encode()
             for i, (text, row) in enumerate(cases)]
    garbage = [garbage_of(source, texts).replace(b"\t", b"").replace(b"\n", b"")
               for _ in range(GARBAGE)]
    answers = run(lines + garbage)
    wrong = taken = 0
    for i, ((text, row), actual) in enumerate(zip(cases, answers)):
        expected = expected_of(text, row, REPEATS[i % len(REPEATS)])
        taken += expected is not None
        if differs(expected, actual):
            wrong += 1
            if wrong <= DIFFERENCES_SHOWN:
                print(f"{text}\n  expected {expected}\n  actual   {actual}")
                names = [n for n in NAMES if n in text]
                print("  rows    ", [{n: str(r[n]) for n in names} for r in row])
    space = answers.count("space")
    print(f"{len(texts)} expressions, {taken} of them well-typed, {space} too long; "
          f"{GARBAGE} lines of garbage")
    assert wrong == 0, f"{wrong} differ"
    assert space <= SPACE_SHARE * len(texts), "too many are too long to say anything"
    assert 0.3 * len(texts) < taken < 0.95 * len(texts), "too few of either kind"


if __name__ == "__main__":
    main()
