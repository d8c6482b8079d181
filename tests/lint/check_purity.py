#!/usr/bin/env python3
"""Purity: base and feature ask the world for nothing but a few functions over memory."""

import os
import subprocess

import lint

ARCHIVES = ["dataplane/base/libbase.a", "dataplane/feature/libfeature.a"]

ALLOWED = {
    # Bytes.
    "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strnlen", "strchr",
    "strcmp", "strncmp",
    # What FORTIFY and the stack protector make of them.
    "__memcpy_chk", "__memmove_chk", "__memset_chk", "__stack_chk_fail",
    # 128-bit arithmetic of the compiler.
    "__udivti3", "__umodti3", "__udivmodti4", "__divti3", "__modti3", "__floattidf",
    "__floatuntidf", "__fixdfti", "__fixunsdfti", "__multi3", "__muloti4",
    # Ours, defined by whoever links: drivers/panic.c or a test.
    "assert_fail",
    # Of the linker.
    "_GLOBAL_OFFSET_TABLE_",
}


def symbols_of(listing):
    """(undefined with the object that wants it, defined) of the output of nm."""
    undefined, defined, member = {}, set(), "?"
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line[:-1]
            continue
        words = line.split()
        if len(words) >= 2 and words[-2] in ("U", "w", "v"):
            undefined.setdefault(words[-1].split("@")[0], member)
        elif len(words) == 3:
            defined.add(words[2])
    return undefined, defined


def findings_of(listings):
    undefined, defined = {}, set()
    for listing in listings:
        wants, has = symbols_of(listing)
        undefined.update(wants)
        defined |= has
    return [f"{member} wants {symbol}: base and feature make no system call, allocate nothing and "
            "use no libm; hand the value in, or move the code up"
            for symbol, member in sorted(undefined.items())
            if symbol not in ALLOWED and symbol not in defined]


def check():
    listings = []
    for archive in ARCHIVES:
        path = os.path.join(lint.build_folder(), archive)
        if not os.path.exists(path):
            return [f"{path} is missing: build first"]
        listings.append(subprocess.run(["nm", path], capture_output=True, text=True,
                                       check=True).stdout)
    return findings_of(listings)


def self_test():
    pure = "a.o:\n                 U memcpy\n                 U ring_push\n" \
           "0000000000000000 T a_take\n"
    other = "b.o:\n0000000000000000 T ring_push\n"
    impure = pure + "                 U malloc\n                 U printf@GLIBC_2.2\n"
    missed = []
    if findings_of([pure, other]):
        missed.append("a pure archive was refused")
    if len(findings_of([pure])) != 1:
        missed.append("a symbol that nobody defines was not found")
    if len(findings_of([impure, other])) != 2:
        missed.append("malloc and printf were not found")
    return missed


lint.main(check, self_test)
