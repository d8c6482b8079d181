#!/usr/bin/env python3
"""Clients that mean harm or know no better: they hurt only themselves."""

import pathlib
import resource
import socket
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


if __name__ == "__main__":
    support.main([http_clients_that_never_end_a_request_leave_room_and_are_forgotten,
                  many_clients_fit_whatever_the_shell_allows])
