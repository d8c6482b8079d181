#!/usr/bin/env python3
"""The examples of README.md work as they stand: start, send from a shell, send from Python, read.

They use fixed ports, so they run in a network namespace of their own (needs root or user
namespaces) and in a folder where build/ and config/ are what README.md's reader has.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ["FRESHET_SOURCE"]
BUILD = os.environ["FRESHET_BUILD"]
PATIENCE_SECONDS = 20
EXIT_SKIPPED = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(EXIT_SKIPPED)


def enter_namespace():
    """Starts this program again in a network namespace with loopback only."""
    if os.environ.get("FRESHET_README_INSIDE") == "1":
        return
    words = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    for program in ("unshare", "ip", "redis-cli", "bash"):
        if shutil.which(program) is None:
            skip(f"{program} is missing")
    if subprocess.run(words + ["true"], capture_output=True, check=False).returncode != 0:
        skip("this user may not make a network namespace")
    os.environ["FRESHET_README_INSIDE"] = "1"
    script = 'ip link set lo up && exec "$0" "$@"'
    os.execvp(words[0], words + ["sh", "-c", script, sys.executable, os.path.abspath(__file__)])


def blocks_of(text):
    """Code of the marked blocks, by mark."""
    found = re.findall(r"<!-- test: ([\w-]+) -->\n```\w+\n(.*?)```", text, re.S)
    return {mark: code for mark, code in found}


def wait_for(what, attempt):
    end = time.monotonic() + PATIENCE_SECONDS
    last = None
    while time.monotonic() < end:
        last = attempt()
        if last is True:
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s; last: {last}")


def run_examples(blocks, folder):
    def ready():
        if server.poll() is not None:
            raise AssertionError(f"the appliance ended with {server.returncode}")
        done = subprocess.run(["build/freshet", "status", "--json"], cwd=folder,
                              capture_output=True, text=True, check=False)
        return '"ready":true' in done.stdout.replace(" ", "") or done.stdout + done.stderr

    def read():
        done = subprocess.run(["sh", "-c", blocks["read"]], cwd=folder, capture_output=True,
                              text=True, check=False)
        return done.stdout.split() == ["2", "19.00"] or done.stdout + done.stderr

    server = subprocess.Popen(["sh", "-c", "exec " + blocks["start"]], cwd=folder)
    try:
        wait_for("the appliance takes events", ready)
        subprocess.run(["bash", "-c", blocks["shell-send"]], cwd=folder, check=True)
        subprocess.run([sys.executable, "-c", blocks["python-send"]], cwd=folder, check=True)
        wait_for("two events of 9.50 are read", read)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_SECONDS) == 0, f"SIGTERM ended it with {server.returncode}"
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def main():
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        blocks = blocks_of(file.read())
    wanted = {"start", "shell-send", "python-send", "read"}
    assert set(blocks) == wanted, f"README.md marks {sorted(blocks)}, not {sorted(wanted)}"
    assert len(blocks["python-send"].strip().splitlines()) == 4, "four lines of plain Python"
    enter_namespace()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(BUILD, os.path.join(folder, "build"))
        os.symlink(os.path.join(SOURCE, "config"), os.path.join(folder, "config"))
        run_examples(blocks, folder)
    print("1 passed, 0 failed, 0 skipped")


main()
