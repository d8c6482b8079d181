#!/usr/bin/env python3
"""Twins: each module of base and feature has its unit or property test, each decoder its fuzz
target."""

import os
import re

import lint

# Modules that another one's test covers, with the reason.
COVERED = {
    "dataplane/base/assert": "every test that expects an assertion",
    "dataplane/feature/burst": "test_key reads its strings",
    "dataplane/feature/compute": "test_expressions of the system suite holds it against the oracle",
    "dataplane/feature/expression_nodes": "test_expression: the trees of one parser",
    "dataplane/feature/expression_token": "test_expression: the words of one parser",
    "dataplane/feature/program": "test_expression runs each expression as a program",
    "dataplane/feature/program_inside": "the same: steps of programs",
    "dataplane/feature/cell": "test_row of the property suite holds it against the oracle",
    "dataplane/feature/answer_aggregate": "test_row of the property suite asks for every aggregate",
    "dataplane/feature/plan_inside": "test_plan: parts of one function",
    "dataplane/feature/row_sweep": "the same as row_read: how it reads",
    "dataplane/feature/run_session": "test_run of the property suite",
    "dataplane/feature/row_read": "test_row of the property suite holds it against the oracle",
    "dataplane/feature/wire": "test_messages of the golden suite cuts and flips every byte",
    "dataplane/feature/decode": "test_messages of the golden suite cuts and flips every byte",
    "dataplane/feature/text": "test_messages of the golden suite cuts and flips every byte",
    "dataplane/feature/text_parts": "the same: parts of one parser",
    "dataplane/feature/text_number": "the same: parts of one parser",
    "dataplane/feature/text_time": "the same: parts of one parser",
}

# Headers of base and feature without a function of their own need no test.
FUNCTION = re.compile(r"^[a-z][^;{}#]*\b\w+\([^;{}]*\)\s*(?:;|\{)", re.M)

# Whatever reads bytes that others wrote: the function's verb, and where it may stand.
DECODER = re.compile(r"^(?!static)[a-z][^;{}=]*?\b(\w+)_(?:decode|parse|load)\w*\([^;{}]*"
                     r"const (?:uint8_t|char|void) \*[^;{}]*\)\s*;", re.M)
# Decoder nouns whose bytes come from ourselves or that a named target reaches.
TARGET_OF = {
    "decode": "wire",  # events of a message: the wire target goes on to them
    "manifest_name": "manifest",
    "mirror_entry": "mirror",
    "mirror_frame": "mirror",
    "mirror_name": "mirror",
    "mirror_segment": "mirror",
    "duration": "config",
    "node": "config",
    "resp_integer": "resp",
    "served_block": "served",
    "served_file": "served",
    "served_name": "served",
    "served_record": "served",
    "text_value": "text",
    "tile_block": "tile",
    "tile_lane": "tile",
    "tile_filled_name": "tile",
    "tile_name": "tile",
    "tile_row": "tile",
}


def check_tree(tree):
    findings = []
    for name, text in tree.items():
        if name.startswith(("dataplane/base/", "dataplane/feature/")) and name.endswith(".h"):
            module = name[:-2]
            noun = os.path.basename(module)
            has_code = module + ".c" in tree or FUNCTION.search(lint.code_of(text))
            twins = [f"tests/{suite}/test_{noun}.c" for suite in ("unit", "property")]
            if has_code and module not in COVERED and not any(twin in tree for twin in twins):
                findings.append(f"{name}: has no {twins[0]}")
        if name.startswith(lint.PRODUCT) and name.endswith(".h"):
            for match in DECODER.finditer(lint.code_of(text)):
                noun = match.group(1)
                target = f"tests/fuzz/fuzz_{TARGET_OF.get(noun, noun)}.c"
                if target not in tree:
                    findings.append(f"{name}: {noun} decodes what others wrote and has no {target}")
    for name in tree:
        match = re.fullmatch(r"tests/fuzz/fuzz_(\w+)\.c", name)
        if match and not any(n.startswith(f"tests/fuzz/corpus/{match.group(1)}/") for n in tree):
            findings.append(f"{name}: has no tests/fuzz/corpus/{match.group(1)}/")
    return findings


def check():
    tree = lint.tree_of((".c", ".h"))
    for name in lint.file_names():
        if name.startswith("tests/fuzz/corpus/"):
            tree[name] = ""
    return check_tree(tree)


def self_test():
    header = "/* x */\n#pragma once\nint x_take(int count);\n"
    decoder = "/* x */\n#pragma once\nenum drop wire_decode(const uint8_t *data, uint32_t size);\n"
    constants = "/* x */\n#pragma once\n#define X 3\n"
    cases = [
        ({"dataplane/base/x.h": header}, 1),
        ({"dataplane/base/x.h": header, "tests/unit/test_x.c": ""}, 0),
        ({"dataplane/base/x.h": constants}, 0),
        ({"drivers/x.h": header}, 0),
        ({"controlplane/x.h": decoder}, 1),
        ({"controlplane/x.h": decoder, "tests/fuzz/fuzz_wire.c": ""}, 1),
        ({"controlplane/x.h": decoder, "tests/fuzz/fuzz_wire.c": "",
          "tests/fuzz/corpus/wire/1": ""}, 0),
    ]
    missed = []
    for tree, expected in cases:
        found = check_tree(tree)
        if len(found) != expected:
            missed.append(f"{sorted(tree)}: {found}, expected {expected} findings")
    return missed


lint.main(check, self_test)
