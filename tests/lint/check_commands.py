#!/usr/bin/env python3
"""docs/operating/commands.md names every command and subcommand of controlplane/commands.def."""

import re

import lint

ROW = re.compile(r"^(SUBCOMMAND|COMMAND)\(([\w.-]+), ([\w.-]+)", re.M)


def rows(text):
    """Each command as a user types it."""
    for kind, first, second in ROW.findall(text):
        yield f"{first} {second}" if kind == "SUBCOMMAND" else first


def check_tree(tree, docs):
    findings = []
    for command in rows(tree["controlplane/commands.def"]):
        if not re.search(rf"`{re.escape(command)}[ `]", docs):
            findings.append(f"docs/operating/commands.md does not describe `{command}`")
    return findings


def check():
    tree = lint.tree_of((".def", ".md"))
    return check_tree(tree, tree["docs/operating/commands.md"])


def self_test():
    rows_text = "COMMAND(FS.GET, -4, 0)\nSUBCOMMAND(CLIENT, NO-EVICT, 3)\n"
    table = {"controlplane/commands.def": rows_text}
    cases = [("`FS.GET <key>` `CLIENT NO-EVICT ON`", 0), ("`FS.GET`", 1),
             ("`FS.GETX` `CLIENT NO-EVICT`", 1), ("", 2)]
    return [f"{docs!r}: not {expected} findings" for docs, expected in cases
            if len(check_tree(table, docs)) != expected]


lint.main(check, self_test)
