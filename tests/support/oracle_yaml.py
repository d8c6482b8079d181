"""The subset of YAML that the definitions of tests use: nested block maps, flow maps and lists on
one line, quoted and plain scalars, comments. Every scalar is a string."""

import re


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
