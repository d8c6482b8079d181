#!/usr/bin/env python3
"""Redis clients of others against the running appliance. Argument: which one."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

FEATURES = ["activity.txn_count_10m", "activity.amount_sum_1h"]


def feed(appliance):
    """The entities that expect.js describes, and a malformed event."""
    line = 'transaction,card=%d amount=%s,status="ok"'
    lines = [line % (4711, "9.50")] * 3 + [line % (4712, "1.25"), "nonsense"]
    appliance.send(*(text.encode() for text in lines))
    appliance.wait_received(len(lines))


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=60, **options)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def node(appliance, script):
    support.need("node")
    if not (HERE / "node_modules").is_dir():
        print("skipped: needs the packages of tests/clients/package-lock.json (npm ci there)")
        sys.exit(support.SKIPPED)
    environment = dict(os.environ, FRESHET_TCP=str(appliance.tcp),
                       FRESHET_UNIX=str(appliance.socket))
    print(run("node", HERE / script, env=environment, cwd=HERE), end="")


def ioredis(appliance):
    node(appliance, "ioredis.js")


def node_redis(appliance):
    node(appliance, "node_redis.js")


def hiredis(appliance):
    run(os.environ["FRESHET_HIREDIS"], appliance.socket, appliance.tcp)


def redis_cli(appliance):
    support.need("redis-cli")
    for where in (["-s", appliance.socket], ["-p", appliance.tcp], ["-c", "-p", appliance.tcp],
                  ["-3", "-p", appliance.tcp]):
        def cli(*words):
            return run("redis-cli", *where, *words).splitlines()
        assert cli("HMGET", "card:4711", *FEATURES) == ["3", "28.50"]
        assert cli("HMGET", "card:4799", *FEATURES) == ["", ""]
        assert sorted(cli("--scan", "--pattern", "card:47*")) == ["card:4711", "card:4712"]
        assert cli("DBSIZE") == ["2"]
        assert "freshet_version" in "\n".join(cli("INFO"))
        assert cli("HMGET", "card:4711", "activity.txn_cnt_10m")[0] == \
            "ERR unknown feature 'activity.txn_cnt_10m'; did you mean 'activity.txn_count_10m'?"
    check = run("redis-cli", "--cluster", "check", f"127.0.0.1:{appliance.tcp}")
    assert "All 16384 slots covered" in check, check
    drops = run("redis-cli", "-s", appliance.socket, "FS.DROPS")
    assert '"reason"' in drops and "nonsense" in drops, drops


def redis_benchmark(appliance):
    """Its own --cluster mode wants two nodes and says so, of redis-server too."""
    support.need("redis-benchmark")
    for where in (["-s", appliance.socket], ["-p", appliance.tcp]):
        out = run("redis-benchmark", *where, "-q", "-n", "5000", "-c", "20", "-P", "8", "HMGET",
                  "card:4711", *FEATURES)
        assert "requests per second" in out and "rror" not in out, out
        out = run("redis-benchmark", *where, "-q", "-n", "2000", "-t", "ping")
        assert "requests per second" in out, out


def python(appliance):
    """A slow client and clients of garbage beside one that works; a batch in one request."""
    redis = client.Redis(path=appliance.socket)
    slow = client.Redis(port=appliance.tcp)
    garbage = [client.Redis(port=appliance.tcp) for _ in range(20)]
    slow.socket.settimeout(0.2)
    try:
        while True:
            slow.send("FS.STATUS")
    except TimeoutError:
        pass
    for i, one in enumerate(garbage):
        noise = bytes((i * 37 + j * 101) % 256 for j in range(3000))
        one.socket.sendall(noise + b"\r\n*9\r\n$-7\r\n")
    keys = ["card:4711", "card:4712", "card:4799"] * 200
    for _ in range(20):
        rows = redis.call("FS.MGET", len(keys), *keys, "FIELDS", 2, *FEATURES)
        values = [row[1::2] for row in rows]
        assert values == [[b"3", b"28.50"], [b"1", b"1.25"], [None, None]] * 200
    info = redis.call("INFO", "clients").decode()
    assert "connected_clients:" in info


CLIENTS = {"ioredis": ioredis, "node-redis": node_redis, "hiredis": hiredis,
           "redis-cli": redis_cli, "redis-benchmark": redis_benchmark, "python": python}


def main():
    with support.running() as appliance:
        feed(appliance)
        CLIENTS[sys.argv[1]](appliance)
        assert client.Redis(path=appliance.socket).call("PING") == b"PONG"


if __name__ == "__main__":
    main()
