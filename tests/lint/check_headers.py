#!/usr/bin/env python3
"""Headers: each compiles alone, says what it is in a comment, and is read once."""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess

import lint


def flags_by_folder():
    """Compiler words for each folder, from the build's own record of one of its sources."""
    path = os.path.join(lint.build_folder(), "compile_commands.json")
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)
    flags, any_flags = {}, None
    for row in rows:
        source = os.path.relpath(os.path.join(row["directory"], row["file"]), lint.source_folder())
        if not source.endswith(".c"):
            continue
        words, kept, skip_next = shlex.split(row["command"]), [], False
        for word in words:
            if skip_next:
                skip_next = False
            elif word in ("-o", "-MF", "-MQ", "-MT"):
                skip_next = True
            elif word not in ("-c", "-MD", row["file"]):
                kept.append(word)
        flags.setdefault(os.path.dirname(source), (row["directory"], kept))
        any_flags = any_flags or (row["directory"], kept)
    return flags, any_flags


def compile_alone(text, directory, words):
    """The compiler's first complaint about a source text, or None."""
    done = subprocess.run(words + ["-fsyntax-only", "-x", "c", "-"], input=text, cwd=directory,
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return errors[0] if errors else done.stderr.strip()


def shape_of(name, text):
    findings = []
    if not text.startswith("/*"):
        findings.append(f"{name}:1: starts with a comment that says what it is")
    if not re.search(r"^#pragma once$", text, re.M):
        findings.append(f"{name}: has no `#pragma once`")
    return findings


def check():
    flags, any_flags = flags_by_folder()
    findings, jobs = [], []
    for name, text in lint.tree_of((".h",)).items():
        findings += shape_of(name, text)
        if "_cc" in name or 'extern "C"' in text:
            continue  # for the C++ compiler
        folder = os.path.dirname(name)
        while folder and folder not in flags:
            folder = os.path.dirname(folder)
        directory, words = flags.get(folder, any_flags)
        jobs.append((name, directory, words))
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        source = "typedef int not_empty;\n"
        complaints = pool.map(
            lambda job: compile_alone(f'#include "{job[0]}"\n{source}', job[1], job[2]), jobs)
        for (name, _, _), complaint in zip(jobs, complaints):
            if complaint is not None:
                findings.append(f"{name} does not compile alone: {complaint}")
    return findings


def self_test():
    _, (directory, words) = flags_by_folder()
    missed = []
    if compile_alone("#include <stdint.h>\nuint8_t take(void);\n", directory, words):
        missed.append("a complete header was refused")
    if not compile_alone("uint8_t take(void);\n", directory, words):
        missed.append("a header without its includes was accepted")
    if len(shape_of("x.h", "int x;\n")) != 2:
        missed.append("a header without comment and pragma was accepted")
    return missed


lint.main(check, self_test)
