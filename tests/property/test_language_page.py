#!/usr/bin/env python3
"""docs/language.md: every example has the result that it shows, by the product and by the oracle;
every operation and function has one."""

import re
import sys

import test_expression as runner
from test_expression import SOURCE, model
import oracle

PAGE = (SOURCE / "docs" / "language.md").read_text()
LIBRARY = SOURCE / "dataplane" / "feature"
OPERATORS = ["a + b", "a - b", "a * b", "a / b", "a % b", "-a", "a || b", "a = b", "a <> b",
             "a < b", "a <= b", "a IS NULL", "a IN (b, c)", "a BETWEEN b AND c",
             "a LIKE 'pattern'", "NOT a", "a AND b", "a OR b", "CASE WHEN c THEN a ELSE b END", "CAST(a AS type)"]


def tables():
    """Each table as its head and rows of cells."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", PAGE, re.M):
        rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                for line in block.splitlines()]
        found.append((rows[0], rows[2:]))
    return found


def type_of(text):
    scale = re.search(r"\d+", text)
    kinds = {"integer": model.number(0), "u64": model.UNSIGNED, "timestamp": model.TIME}
    return kinds.get(text) or (model.number(int(scale[0])) if text.startswith("decimal") else
                               model.Type(text, 0))


def code(cell):
    return re.findall(r"`([^`]*)`", cell)


def literal(text, type):
    if text == "null":
        return None
    if type == model.TIME:
        return model.Fraction(model.moment_us(text[1:-1]))
    return model.Expression(text, {}).tree.value


def shown(value, type):
    if value is None:
        return "null"
    if type.kind == "bool":
        return "true" if value else "false"
    if type.kind == "string":
        return f"'{value}'"
    if type.kind == "double":
        return oracle.format_double(float(value))
    return oracle.format_decimal(int(value * 10**type.scale), type.scale)


def main():
    names, row, examples, listed = {}, {}, [], []
    for head, rows in tables():
        if head == ["name", "type", "value"]:
            for name, type, value in ([cell.strip("`") for cell in r] for r in rows):
                names[name] = type_of(type)
                row[name] = literal(value, names[name])
        elif head[-2:] == ["example", "result"]:
            examples += [(code(r[-2])[0], code(r[-1])[0], None) for r in rows]
            listed += [name for r in rows for name in code(r[0])]
        elif head == ["example", "result", "faults"]:
            examples += [(code(r[0])[0], code(r[1])[0], int(r[2])) for r in rows]
        elif head == ["example", "why"]:
            examples += [(code(r[0])[0], "refused", None) for r in rows]
    runner.NAMES = names
    answers = runner.run([runner.line_of(text, [row]).encode() for text, _, _ in examples])
    wrong = []
    for (text, result, faults), actual in zip(examples, answers):
        expected = runner.expected_of(text, [row])
        value = "refused" if actual is None else shown(actual[1][0], actual[0])
        counted = None if actual is None else actual[2] + actual[3]
        if value != result or runner.differs(expected, actual) or faults not in (None, counted):
            wrong.append(f"{text}: shown {result}, is {value}, faults {counted}")
    functions = re.findall(r"^FUNCTION\((\w+),", (LIBRARY / "expression_functions.def").read_text(),
                           re.M)
    wrong += [f"{name} has no example" for name in functions
              if not any(entry.startswith(name + "(") for entry in listed)]
    wrong += [f"{entry} has no example" for entry in OPERATORS if entry not in listed]
    print("\n".join(wrong + [f"{len(examples)} examples"]))
    return 1 if wrong or len(examples) < 70 else 0


if __name__ == "__main__":
    sys.exit(main())
