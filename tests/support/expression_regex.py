"""The slow, obvious meaning of a regex of docs/language.md: Python's own, told what differs. `(?i)`
stands at its beginning, or with a group."""

import functools
import re

CLASSES = {"alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ",
           "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9", "graph": "!-~", "lower": "a-z",
           "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ",
           "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f"}
PART = re.compile(r"\\x\{([0-9A-Fa-f]+)\}|\[:(\w+):\]|\\z|\\.|.", re.S)


@functools.lru_cache(maxsize=None)
def regex_of(text):
    out, is_class = [], False
    for part in PART.finditer(text):
        if part[1]:
            out.append(re.escape(chr(int(part[1], 16))))
        elif part[2]:
            out.append(CLASSES[part[2]])
        elif part[0] == "\\z" or (part[0] == "$" and not is_class):
            out.append("\\Z")  # Python's own `$` is before a newline too.
        else:
            out.append(part[0])
            is_class = part[0] == "[" or (is_class and part[0] != "]")
    return re.compile("".join(out), re.A)
