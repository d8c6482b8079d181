#!/usr/bin/env python3
"""Words: calls and phrases that are banned, each with what to do instead."""

import re

import lint

HOT = ("dataplane/",)

# (folders, exempt files, regex over code, what instead)
CALLS = [
    (HOT, (), r"\b(?:v?f?printf|v?s?n?printf|puts|putchar|perror)\s*\(",
     "return a result or count a drop: no text below controlplane/"),
    # config/ loads before start and stands below drivers/: it uses libc's heap.
    # drivers/eal.c hands DPDK its arguments once, before any heap has a limit.
    # drivers/producer/producer.c lives in other people's processes, on their heap.
    (("dataplane/", "drivers/", "controlplane/"),
     ("drivers/memory.c", "drivers/eal.c", "drivers/producer/producer.c"),
     r"\b(?:malloc|calloc|realloc|aligned_alloc|posix_memalign|strn?dup)\s*\(",
     "an arena at start, or heap_* of drivers/memory.h"),
    (lint.PRODUCT, (), r"\b(?:strcpy|strcat|stpcpy)\s*\(", "memcpy with a checked size"),
    (lint.PRODUCT, (), r"\bv?sprintf\s*\(", "snprintf"),
    (lint.PRODUCT, (), r"\b(?:strtok|gets|atoi|atol|atof|rand|srand|gmtime|localtime)\s*\(",
     "the bounded or re-entrant one"),
    (lint.PRODUCT + ("tests/", "perf/"), (),
     r"\b(?:atomic_thread_fence|__atomic_thread_fence|__sync_\w+)\s*\(",
     "an explicit order on the variable itself: TSan cannot follow a fence"),
    (HOT, (), r"\b(?:u?sleep|nanosleep|clock_nanosleep|sched_yield|poll|select)\s*\(",
     "return: the caller's loop decides about idling"),
    (HOT, (), r"\bpthread_\w+\s*\(", "threads belong to controlplane/; meet in a ring"),
    (HOT, (), r"(?<!asm )(?<!asm__ )\bvolatile\b", "C11 atomics"),
    (HOT, (), r"\bgetenv\s*\(", "an options struct"),
    (lint.PRODUCT, (), r"\b(?:assert)\s*\(", "ASSERT of dataplane/base/assert.h"),
    (lint.PRODUCT, (), r"\btypedef\s+(?:struct|enum|union)\b(?!\s+\w+\s+\w+\()",
     "name it `struct x` everywhere"),
]

# Written apart, so that this file does not find itself.
LEFT_OVER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
FILE_WORDS = re.compile(r"(?:^|[_/])(?:util|utils|helper|helpers|manager|common|misc)(?:[_.]|$)")
COLUMNS_MAX = 100
WIDE_ENDINGS = (".def", ".md", ".json", ".yaml", ".yml", ".build", ".txt")


def check_tree(tree):
    findings = []
    for name, text in tree.items():
        for number, line in enumerate(text.splitlines(), 1):
            if LEFT_OVER.search(line):
                findings.append(f"{name}:{number}: leftover `{LEFT_OVER.search(line).group(0)}`: "
                                "finish it or open an issue")
            if len(line) > COLUMNS_MAX and not name.endswith(WIDE_ENDINGS):
                findings.append(f"{name}:{number}: {len(line)} columns, at most {COLUMNS_MAX}")
            if line != line.rstrip():
                findings.append(f"{name}:{number}: white space at the end")
        if not name.endswith((".c", ".h")):
            continue
        if FILE_WORDS.search(name):
            findings.append(f"{name}: a file is one noun; this one is a drawer")
        for number in lint.line_comments_of(text):
            findings.append(f"{name}:{number}: `//` comment: write /* */")
        code = lint.code_of(text)
        for folders, exempt, pattern, instead in CALLS:
            if not name.startswith(folders) or name in exempt:
                continue
            for match in re.finditer(pattern, code):
                number = code.count("\n", 0, match.start()) + 1
                findings.append(f"{name}:{number}: `{match.group(0).strip()}` is banned here: "
                                f"{instead}")
    return findings


def check():
    return check_tree(lint.tree_of(lint.TEXT_ENDINGS))


def self_test():
    cases = [
        # file, text, number of findings
        ("dataplane/x.c", 'printf("x");\n', 1),
        ("dataplane/x.c", "/* printf(x) */\n", 0),
        ("dataplane/x.c", 'f("printf(");\n', 0),
        ("dataplane/feature/x.c", "snprintf(a, 3, b);\n", 1),
        ("controlplane/x.c", "snprintf(a, 3, b);\n", 0),
        ("controlplane/x.c", "sprintf(a, b);\n", 1),
        ("controlplane/x.c", "malloc(3);\n", 1),
        ("drivers/memory.c", "malloc(3);\n", 0),
        ("tests/x.c", "malloc(3);\n", 0),
        ("drivers/x.c", "strcpy(a, b);\n", 1),
        ("drivers/x.c", "atomic_thread_fence(memory_order_acquire);\n", 1),
        ("drivers/x.c", "__atomic_load_n(x, __ATOMIC_ACQUIRE);\n", 0),
        ("drivers/x.c", "__sync_synchronize();\n", 1),
        ("dataplane/x.c", "usleep(3);\n", 1),
        ("drivers/x.c", "usleep(3);\n", 0),
        ("dataplane/x.c", "volatile int x;\n", 1),
        ("dataplane/x.c", "__asm__ volatile(\"\");\n", 0),
        ("dataplane/x.c", "int x; // why\n", 1),
        ("dataplane/x.c", 'char *u = "http://x";\n', 0),
        ("dataplane/x.c", "int x; /* TO" + "DO */\n", 1),
        ("docs/x.md", "FIX" + "ME\n", 1),
        ("dataplane/x.c", "x" * 100 + "\n", 0),
        ("dataplane/x.c", "x" * 101 + "\n", 1),
        ("dataplane/x.c", "x \n", 1),
        ("dataplane/x.c", "typedef struct y z;\n", 1),
        ("dataplane/x.c", "typedef void visit(int);\n", 0),
        ("dataplane/x.c", "typedef enum result visit(int);\n", 0),
        ("drivers/net_util.c", "int x;\n", 1),
    ]
    missed = []
    for name, text, expected in cases:
        found = check_tree({name: text})
        if len(found) != expected:
            missed.append(f"{name} with {text!r}: {found}, expected {expected} findings")
    return missed


lint.main(check, self_test)
