#!/usr/bin/env python3
"""Clients that mean harm or know no better: they hurt only themselves."""

import json
import pathlib
import resource
import socket
import subprocess
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402


def connections(port, count, bytes_sent):
    opened = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        sock.sendall(bytes_sent)
        opened.append(sock)
    return opened


def health(appliance, seconds):
    url = f"http://127.0.0.1:{appliance.http}/healthz"
    with urllib.request.urlopen(url, timeout=seconds) as reply:
        return reply.status


def http_clients_that_never_end_a_request_leave_room_and_are_forgotten():
    with support.running() as appliance:
        held = connections(appliance.http, 200, b"GET /metrics HTTP/1.1\r\nX: ")
        assert health(appliance, 3) == 200
        for sock in held:
            sock.close()
        for sock in connections(appliance.http, 600, b"GET /metrics HTTP/1.1\r\nX: "):
            sock.close()
        assert health(appliance, 3) == 200


def many_clients_fit_whatever_the_shell_allows():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        return
    with support.running(within=["prlimit", "--nofile=256:2048"]) as appliance:
        held = connections(appliance.tcp, 400, b"PING\r\n")
        for sock in held:
            assert sock.recv(100) == b"+PONG\r\n"
            sock.close()


STREAMS = """streams:
  visit:
    id: 1
    time: at
    fields: {at: {type: timestamp}, user: {type: u64}, agent: {type: string, size: 16}}
views:
  last:
    entity: user
    source: visit
    windows: [1h]
    aggregates: {agent: last(agent)}
"""


def strings_of_producers_break_neither_json_nor_the_terminal():
    with support.running(streams=STREAMS) as appliance:
        appliance.send(b'visit,user=1 agent="a\xff\xc3\xa9\x1b[2J"')
        appliance.wait_received(1)
        report = json.loads(appliance.verb("get", "user:1", "--json").stdout)
        assert report["last.agent_1h"]["value"] == "a\ufffd\u00e9\x1b[2J", report
        done = subprocess.run([support.PROGRAM, "get", "user:1", "--server", appliance.socket],
                              capture_output=True, timeout=30, check=True)
        assert b"\x1b" not in done.stdout and b"\\x1b[2J" in done.stdout, done


def the_least_time_is_a_time_to_ask_for():
    with support.running(streams=STREAMS) as appliance:
        appliance.send(b'visit,user=1 agent="a"')
        appliance.wait_received(1)
        report = json.loads(appliance.verb("get", "user:1", "last.agent_1h", "--json", "--at",
                                           str(-2**63)).stdout)
        assert report["last.agent_1h"]["q_us"] == -2**63, report


def shards_together_stay_below_the_cap():
    with support.running(shards=2, memory="33MiB") as appliance:
        limits = [shard["memory_limit_bytes"] for shard in appliance.status()["shards"]]
        assert sum(limits) == 32 << 20, limits


if __name__ == "__main__":
    support.main([http_clients_that_never_end_a_request_leave_room_and_are_forgotten,
                  many_clients_fit_whatever_the_shell_allows,
                  strings_of_producers_break_neither_json_nor_the_terminal,
                  the_least_time_is_a_time_to_ask_for,
                  shards_together_stay_below_the_cap])
