#!/usr/bin/env python3
"""The protocol's edges: the same bytes to a real redis-server and to freshet, the same reply. Where
a limit is ours, the reply goes on after a comma."""

import pathlib
import os
import random
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402

SEED = int(os.environ.get("SEED", "1"))
RANDOM_ROWS = 300

ROWS = [
    b"PING\r\n", b"PING\n", b"ping\r\n", b"\r\n\r\nPING\r\n", b"   \r\nPING\r\n",
    b"*1\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING\r\n",
    b"*0\r\nPING\r\n", b"*-1\r\nPING\r\n", b"*-10\r\nPING\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nb\0\r\n",
    b"*2\r\n$4\r\nECHO\r\n$2\r\nabXX*1\r\n$4\r\nPING\r\n",
    b"*1\r\n$4\r\nPI", b"*2\r\n$4\r\nECHO\r\n", b"*", b"*1", b"*1\r", b"*1\r\n$", b"ECHO",
    b"*x\r\n", b"*\r\n", b"*01\r\n", b"*+1\r\n", b"* 1\r\n", b"*1 \r\n", b"*2147483648\r\n",
    b"*9223372036854775808\r\n", b"*1.0\r\n", b"*-0\r\n",
    b"*1\r\n:4\r\n", b"*1\r\nPING\r\n", b"*1\r\n\r\n", b"*1\r\n$x\r\n", b"*1\r\n$-1\r\n",
    b"*1\r\n$-2\r\n", b"*1\r\n$\r\n", b"*1\r\n$04\r\nPING\r\n", b"*1\r\n$999999999999\r\n",
    b"PING\r\n*1\r\n$x\r\nPING\r\n",
    b"ECHO \"a b\"\r\n", b"ECHO 'a b'\r\n", b"ECHO \"\\x41\\n\\r\\t\\b\\a\\q\\\"\\\\\"\r\n",
    b"ECHO \"\\x4\"\r\n", b"ECHO \"\\xzz\"\r\n", b"ECHO 'it\\'s'\r\n", b"ECHO 'a\\nb'\r\n",
    b"ECHO \"\"\r\n", b"ECHO ''\r\n", b"ECHO a\"b c\"\r\n", b"ECHO a'b c'\r\n",
    b"ECHO \"open\r\n", b"ECHO 'open\r\n", b"ECHO \"a\"b\r\n", b"ECHO 'a'b\r\n",
    b"ECHO a\"b\"c\r\n",
    b"ECHO \"a\\\r\n", b"ECHO \t a \x0b\r\n", b"PING\r\r\n",
    b"A" * 70000, b"*" + b"1" * 70000, b"*1\r\n$" + b"1" * 70000,
    b"SELECT x\r\n", b"HELLO x\r\n", b"HELLO 9\r\n", b"QUIT\r\nPING\r\n", b"RESET\r\n",
    b"CLIENT SETNAME a\r\nCLIENT GETNAME\r\n", b"CLIENT GETNAME\r\n",
    b"CLIENT REPLY SKIP\r\nPING\r\n",
    b"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\n", b"AUTH default x\r\n", b"AUTH x\r\n",
]

PIECES = [b"*1\r\n", b"*2\r\n", b"$4\r\n", b"PING", b"ECHO", b"$1\r\n", b"a", b"\r\n", b"\n", b" ",
          b"\"", b"'", b"\\", b"$-1\r\n", b"*x\r\n", b"$x\r\n", b"PING\r\n",
          b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", b"ECHO \"q r\"\r\n"]


def exchange(path, data):
    """Everything that comes back until the other side closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        out = b""
        try:
            while True:
                some = sock.recv(65536)
                if not some:
                    return out
                out += some
        except ConnectionResetError:
            return out


def alike(ours, theirs):
    """Equal line by line; an error of ours may say more after a comma, a semicolon or a colon."""
    ours, theirs = ours.split(b"\r\n"), theirs.split(b"\r\n")
    if len(ours) != len(theirs):
        return False
    for mine, other in zip(ours, theirs):
        if mine == other:
            continue
        if not (mine.startswith(b"-") and mine[len(other):len(other) + 1] in (b",", b";", b":")
                and mine.startswith(other)):
            if not (mine.startswith(b"-ERR unknown command")
                    and other.startswith(b"-ERR unknown command")):
                return False
    return True


def main():
    support.need("redis-server")
    print(f"SEED={SEED}")
    rows = list(ROWS)
    chooser = random.Random(SEED)
    for _ in range(RANDOM_ROWS):
        rows.append(b"".join(chooser.choices(PIECES, k=chooser.randint(1, 12))))
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder, support.running() as appliance:
        path = pathlib.Path(folder) / "redis.sock"
        redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(path),
                                  "--save", "", "--appendonly", "no", "--dir", folder,
                                  "--cluster-enabled", "no"], stdout=subprocess.DEVNULL)
        try:
            support.wait_until(path.exists, "redis-server listens")
            wrong = 0
            for row in rows:
                theirs, ours = exchange(path, row), exchange(appliance.socket, row)
                if not alike(ours, theirs):
                    wrong += 1
                    print(f"{row[:120]!r}\n  redis   {theirs[:200]!r}\n  freshet {ours[:200]!r}")
            print(f"{len(rows)} rows, {wrong} differ")
            assert wrong == 0
        finally:
            redis.terminate()
            redis.wait(10)


if __name__ == "__main__":
    main()
