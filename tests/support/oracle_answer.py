"""What a read says of one feature, for oracle.py, and features that are derived from others."""

from fractions import Fraction

import expression
from oracle_aggregates import format_decimal, format_double

PRESENT, NULL_VALUE, NOT_FOUND = "PRESENT", "NULL_VALUE", "NOT_FOUND"


class Answer:
    """reaches_back: further than a view knows whose history begins behind all events."""

    __slots__ = ("value", "status", "flags", "start_us", "end_us", "newest_us", "q_us",
                 "reaches_back")

    def __init__(self, value, status, flags, start_us, end_us, newest_us, q_us, reaches_back):
        self.value, self.status, self.flags = value, status, flags
        self.start_us, self.end_us = start_us, end_us
        self.newest_us, self.q_us = newest_us, q_us
        self.reaches_back = reaches_back

    def __eq__(self, other):
        return all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    def __repr__(self):
        return "Answer(%s)" % ", ".join("%s=%r" % (n, getattr(self, n)) for n in self.__slots__)


def names_of(node):
    """The names in an expression."""
    names = {node.value} if node.op == "name" else set()
    return names.union(*map(names_of, node.args))


def value_of_text(text, type):
    """What an expression sees of a printed value; of one that is only near none is known."""
    if text is None or type == expression.STRING:
        return text
    if type == expression.BOOL:
        return text == "true"
    return Fraction(float(text)) if type == expression.DOUBLE else Fraction(text)


def print_typed(value, type):
    if value is None or type == expression.STRING:
        return value
    if type == expression.BOOL:
        return "true" if value else "false"
    if type == expression.DOUBLE:
        return format_double(float(value))
    return format_decimal(int(value * 10**type.scale), type.scale)


class Derived:
    """An expression over features of its view."""

    def __init__(self, name, text, meanings):
        self.name = name
        self.expression = expression.Expression(text, meanings)
        self.meanings = meanings
        self.inputs = sorted(names_of(self.expression.tree))

    def answer(self, answers):
        """From the answers of its inputs, by name."""
        inputs = [answers[name] for name in self.inputs]
        values = {name: value_of_text(answers[name].value, self.meanings[name])
                  for name in self.inputs}
        value = print_typed(self.expression.value(values, expression.Faults()),
                            self.expression.type)
        flags = "APPROXIMATE" if any(answer.flags for answer in inputs) else ""
        return Answer(value, NULL_VALUE if value is None else PRESENT, flags,
                      min(answer.start_us for answer in inputs),
                      max(answer.end_us for answer in inputs), inputs[0].newest_us, inputs[0].q_us,
                      any(answer.reaches_back for answer in inputs))
