#!/usr/bin/env python3
"""Format: every C file is as clang-format 14 leaves it (`make format`)."""

import os
import shutil
import subprocess
import tempfile

import lint

PROGRAM = shutil.which("clang-format-14") or shutil.which("clang-format")


def complaints_of(paths):
    findings = []
    for start in range(0, len(paths), 32):
        done = subprocess.run([PROGRAM, "--dry-run", "--Werror", "--style=file",
                               "--ferror-limit=1"] + paths[start:start + 32],
                              cwd=lint.source_folder(), capture_output=True, text=True, check=False)
        findings += [line for line in done.stderr.splitlines() if "error:" in line]
    return findings


def check():
    return complaints_of([n for n in lint.file_names() if n.endswith((".c", ".h"))])


def self_test():
    missed = []
    with tempfile.TemporaryDirectory(dir=lint.build_folder()) as folder:
        for text, expected in (("int x(void);\n", 0), ("int  x( void );\n", 1)):
            path = os.path.join(folder, "x.c")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            shutil.copy(os.path.join(lint.source_folder(), ".clang-format"), folder)
            if len(complaints_of([path])) != expected:
                missed.append(f"{text!r}: expected {expected} findings")
    return missed


if PROGRAM is None:
    lint.skip("clang-format is missing: apt-get install clang-format-14")
lint.main(check, self_test)
