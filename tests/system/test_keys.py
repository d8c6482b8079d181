#!/usr/bin/env python3
"""freshet keys: makes, changes and lists keys, and shows none unless asked."""

import json
import os
import re
import socket
import stat
import struct
import subprocess
import sys
import tempfile

SOURCE = os.environ["FRESHET_SOURCE"]
CARDS = os.path.join(SOURCE, "config/examples/cards.yaml")
PROGRAM = os.path.join(os.environ["FRESHET_BUILD"], "freshet")
HEX = re.compile(r"[0-9a-f]{32}")


def keys(*arguments):
    return subprocess.run([PROGRAM, "keys", *arguments], capture_output=True, text=True,
                          timeout=20, check=False)


def expect(condition, done, sentence):
    if not condition:
        print(f"FAILED: {sentence}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}")
        sys.exit(1)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def keys_are_made_and_not_shown(path):
    done = keys("add", "--file", path, "--producer", "7", "--from", "192.0.2.0/24")
    expect(done.returncode == 0, done, "the first key makes the file")
    expect(not HEX.search(done.stdout + done.stderr), done, "a key is shown only when asked for")
    expect("epoch 1" in done.stdout, done, "the epoch is said")
    expect(stat.S_IMODE(os.stat(path).st_mode) == 0o600, done, "only its owner reads the file")
    expect(len(HEX.findall(read(path))) == 1, done, "the file has the key")
    done = keys("add", "--file", path, "--producer", "18446744073709551615", "--show")
    expect(HEX.search(done.stdout).group(0) in read(path), done, "--show prints the key")
    before = read(path)
    done = keys("add", "--file", path, "--producer", "7")
    expect(done.returncode == 1 and "rotate" in done.stderr, done, "a second add is refused")
    expect(read(path) == before, done, "and changes nothing")


def rotation_keeps_two(path):
    seen = []
    for epoch in (2, 3, 4):
        done = keys("rotate", "--file", path, "--producer", "7", "--show", "--json")
        answer = json.loads(done.stdout)
        expect(answer["epoch"] == epoch, done, "epochs count up")
        expect(answer["epochs"] == [epoch - 1, epoch], done, "two keys are live")
        seen.append(answer["key"])
    text = read(path)
    expect(seen[0] not in text, done, "the oldest key is gone")
    expect(seen[1] in text and seen[2] in text, done, "the newest two are there")
    expect(len(set(seen)) == 3, done, "each key is new")
    done = keys("rotate", "--file", path, "--producer", "8")
    expect(done.returncode == 1 and "freshet keys add" in done.stderr, done, "an unknown producer")


def lists_show_no_key(path):
    done = keys("list", "--file", path)
    expect(done.returncode == 0 and not HEX.search(done.stdout), done, "list shows no key")
    expect("192.0.2.0/24" in done.stdout and "everywhere" in done.stdout, done, "but prefixes")
    done = keys("list", "--file", path, "--json")
    producers = json.loads(done.stdout)["producers"]
    expect(producers == [
        {"producer": "7", "epochs": [3, 4], "from": "192.0.2.0/24"},
        {"producer": "18446744073709551615", "epochs": [1], "from": None}], done, "as JSON")
    expect(os.listdir(os.path.dirname(path)) == ["keys.yaml"], done, "no other file is left")


def changes_at_once_are_all_kept(path):
    running = [subprocess.Popen([PROGRAM, "keys", "add", "--file", path, "--producer", str(n)],
                                stdout=subprocess.DEVNULL) for n in range(100, 108)]
    codes = [process.wait(timeout=20) for process in running]
    done = keys("list", "--file", path, "--json")
    known = {int(p["producer"]) for p in json.loads(done.stdout)["producers"]}
    expect(codes == [0] * 8 and known >= set(range(100, 108)), done, "no change is lost")


def tag_of(message, key):
    """As docs/formats/wire.md computes it."""
    page = read(os.path.join(SOURCE, "docs/formats/wire.md"))
    names = {"__name__": "example"}
    exec(re.findall(r"```python\n(.*?)```", page, re.S)[1], names)
    return names["tagged"](message, bytes.fromhex(key), message[57])[8:16]


def messages_are_sent_with_the_newest_key(path):
    answer = json.loads(keys("rotate", "--file", path, "--producer", "7", "--show",
                             "--json").stdout)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet:
        inlet.bind(("127.0.0.1", 0))
        inlet.settimeout(10)
        send = [PROGRAM, "send", "--to", "127.0.0.1:%d" % inlet.getsockname()[1], "--config",
                CARDS, "--stream", "transaction", "--keys", path]
        event = b'{"card": 1, "amount": 1, "status": "ok", "ts": 1700000000000000}\n'
        done = subprocess.run(send + ["--producer", "7"], input=event, capture_output=True,
                              timeout=20, check=False)
        message = inlet.recv(9000)
        expect(struct.unpack_from("<Q", message, 16) == (7,), done, "the producer")
        expect(message[57] == answer["epoch"], done, "the newest key epoch")
        expect(message[8:16] == tag_of(message, answer["key"]), done, "the tag")
        done = subprocess.run(send + ["--producer", "99999"], input=event, capture_output=True,
                              timeout=20, check=False)
        expect(done.returncode == 1 and b"99999 has no key" in done.stderr, done, "no key")


def wrong_use_is_refused(path):
    os.chmod(path, 0o640)
    done = keys("list", "--file", path)
    expect(done.returncode == 78 and f"chmod 600 {path}" in done.stderr, done, "mode 0640")
    os.chmod(path, 0o600)
    for arguments in ([], ["drop"], ["add"], ["add", "--producer", "0"], ["rotate"],
                      ["add", "--producer", "9", "--from", "192.0.2.1/24"],
                      ["rotate", "--producer", "7", "--from", "192.0.2.0/24"]):
        done = keys(*arguments, "--file", path)
        expect(done.returncode == 2, done, f"usage: {arguments}")
    with open(path, "a", encoding="utf-8") as file:
        file.write("  - {producer: 9, keys: [{epoch: 1, key: 00ff}]}\n")
    before = read(path)
    done = keys("rotate", "--file", path, "--producer", "7")
    expect(done.returncode == 78 and f"{path}:" in done.stderr, done, "a wrong file is not changed")
    expect(read(path) == before and "00ff" not in done.stderr, done, "nor shown")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keys.yaml")
        keys_are_made_and_not_shown(path)
        rotation_keeps_two(path)
        lists_show_no_key(path)
        changes_at_once_are_all_kept(path)
        messages_are_sent_with_the_newest_key(path)
        wrong_use_is_refused(path)


main()
