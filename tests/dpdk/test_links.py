#!/usr/bin/env python3
"""A DPDK port over a real kernel link: net_af_packet or net_af_xdp on veth, or net_tap.

Everything happens in two network namespaces that this test makes and removes. The other side is
the kernel: it asks by ARP, pings, sends UDP as any program does and waits for answers, and raw
frames with every fault. Proved: frames sent = datagrams + answers + drops, each under its name, and
answers arrive intact.

usage: test_links.py PROGRAM af_packet|af_xdp|tap
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import time

US, PEER, PORT = "192.0.2.10", "192.0.2.1", 4700
UDP_COUNT = 400
PINGS = 5
QUESTIONS = 20
ICMP_ECHO = 8
AF_XDP = 44


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_frame(to_mac, from_mac, payload, port=PORT, tags=0, fragment=0x4000, flip=False):
    source, target = socket.inet_aton(PEER), socket.inet_aton(US)
    size = 8 + len(payload)
    udp = struct.pack("!HHHH", 40001, port, size, 0) + payload
    pseudo = source + target + struct.pack("!BBH", 0, 17, size)
    field = checksum(pseudo + udp) or 0xFFFF
    if flip:
        field ^= 0x0100
    udp = udp[:6] + struct.pack("!H", field) + udp[8:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 1, fragment, 64, 17, 0) + source + target
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    vlan = b"".join(struct.pack("!HH", 0x8100, 5 + tag) for tag in range(tags))
    return to_mac + from_mac + vlan + struct.pack("!H", 0x0800) + ip + udp


def ping(count):
    """Sends echo requests as the kernel's own ping would; returns how many came back intact."""
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(2)
        for number in range(count):
            body = struct.pack("!BBHHH", ICMP_ECHO, 0, 0, 4711, number) + b"hello? %d" % number
            body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
            raw.sendto(body, (US, 0))
            wanted = b"\0\0" + body[4:]
            end = time.monotonic() + 2
            while time.monotonic() < end:
                try:
                    packet = raw.recv(2048)
                except socket.timeout:
                    break
                reply = packet[20:]
                if checksum(reply) == 0 and reply[:2] + reply[4:] == wanted:
                    answered += 1
                    break
    return answered


def ask(port, mine):
    """Asks by UDP and counts the answers that the kernel took: their checksums are right then, and
    they came from the address and port that was asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.connect((US, port))
        for number in range(QUESTIONS):
            question = b"answer me %d." % number + b"?" * (number * 7)
            udp.send(question)
            mine["datagrams"] += 1
            mine["bytes"] += len(question)
            try:
                mine["answers"] += udp.recv(2048) == question[:64]
            except socket.timeout:
                pass


def neighbour(link):
    """MAC that ARP found for us."""
    shown = json.loads(subprocess.check_output(["ip", "-j", "neigh", "show", US, "dev", link]))
    return bytes.fromhex(shown[0]["lladdr"].replace(":", ""))


def sent_frames(link):
    with open("/sys/class/net/%s/statistics/tx_packets" % link, encoding="ascii") as file:
        return int(file.read())


def send(link, queues):
    """Runs inside the peer's namespace; prints what was sent."""
    mine = {"pinged": ping(PINGS), "datagrams": 0, "bytes": 0, "answers": 0}
    for port in range(PORT, PORT + 1 + queues):
        ask(port, mine)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for i in range(UDP_COUNT):
            payload = b"x" * (1 + i * 7 % 1400)
            udp.sendto(payload, (US, PORT + i % (1 + queues)))
            mine["datagrams"] += 1
            mine["bytes"] += len(payload)
            if i % 20 == 19:
                time.sleep(0.005)
    to_mac = neighbour(link)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        from_mac = raw.getsockname()[4]
        for i in range(20):
            payload = b"raw %d" % i
            for tags in range(3):
                raw.send(udp_frame(to_mac, from_mac, payload, tags=tags))
                mine["datagrams"] += 1
                mine["bytes"] += len(payload)
            raw.send(udp_frame(to_mac, from_mac, payload, flip=True))
            raw.send(udp_frame(to_mac, from_mac, payload, fragment=0x2000))
            raw.send(udp_frame(to_mac, from_mac, payload, port=9))
            raw.send(udp_frame(to_mac, from_mac, payload)[:40])
            raw.send(to_mac + from_mac + struct.pack("!H", 0x88B5) + bytes(50))
            time.sleep(0.002)
    time.sleep(0.2)
    mine["frames"] = sent_frames(link)
    print(json.dumps(mine))


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   timeout=20)


def quiet(namespace):
    """No IPv6 neighbour discovery, so that every frame on the link is one of ours."""
    run("ip", "netns", "exec", namespace, "sh", "-c",
        "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6;"
        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")


def link_make(kind, queues, ours, theirs, link):
    """Returns (vdev, namespace of the sender)."""
    quiet(ours)
    if kind == "tap":
        return "net_tap0,iface=%s" % link, ours
    quiet(theirs)
    wide = ["numtxqueues", str(queues), "numrxqueues", str(queues)]
    run("ip", "link", "add", link, "netns", theirs, *wide, "type", "veth",
        "peer", "name", "port0", "netns", ours, *wide)
    run("ip", "-n", ours, "link", "set", "port0", "up")
    run("ip", "-n", theirs, "address", "add", PEER + "/24", "dev", link)
    run("ip", "-n", theirs, "link", "set", link, "up")
    return "net_%s0,iface=port0" % kind, theirs


def expect(name, seen, wanted):
    print("%-24s %s (want %s)" % (name, seen, wanted))
    return seen == wanted


def check(kind, seen, sent, queues):
    ok = expect("pings answered", sent["pinged"], PINGS)
    questions = QUESTIONS * (1 + queues)
    ok &= expect("answers that arrived", sent["answers"], questions)
    ok &= expect("answers sent", (seen["sent"], seen["unsent"]), (questions, 0))
    ok &= expect("datagrams", seen["datagrams"], sent["datagrams"])
    ok &= expect("bytes", seen["bytes"], sent["bytes"])
    ok &= expect("bad checksum", seen["frame_bad_checksum"], 20)
    # The kernel holds fragments back for af_packet: its fan-out puts datagrams together first.
    held = 20 if kind == "af_packet" else 0
    ok &= expect("fragment", seen["frame_fragment"], 20 - held)
    ok &= expect("bad length", seen["frame_bad_length"], 20)
    ok &= expect("not IP", seen["frame_not_ip"], 20)
    ok &= expect("unanswered", seen["frame_unanswered"], 0)
    ok &= expect("missed", seen["missed"], 0)
    ok &= expect("answered", seen["answered"] >= PINGS + 1, True)
    ok &= expect("frames", seen["frames"], seen["datagrams"] + seen["answered"] + seen["drops"])
    # What the kernel sent on this link, ARP answers of its own included, is what we counted.
    ok &= expect("frames sent", seen["frames"], sent["frames"] - held)
    return ok


def need(kind):
    """Ends the test as skipped where this machine cannot make such a link."""
    if os.geteuid() != 0:
        skip("needs root to make network namespaces")
    if kind == "tap" and not os.path.exists("/dev/net/tun"):
        skip("needs /dev/net/tun")
    if kind == "af_xdp":
        try:
            socket.socket(AF_XDP, socket.SOCK_RAW).close()
        except OSError as refusal:
            skip("this kernel has no XDP sockets: %s" % refusal)


@contextlib.contextmanager
def namespaces():
    """Two network namespaces and the name of a link, gone afterwards."""
    names = ["freshet%d%s" % (os.getpid(), side) for side in "ab"]
    made = []
    try:
        for namespace in names:
            try:
                run("ip", "netns", "add", namespace)
            except (subprocess.CalledProcessError, FileNotFoundError):
                skip("needs `ip netns` to work")
            made.append(namespace)
        yield (*names, "fr%d" % (os.getpid() % 1000000))
    finally:
        for namespace in made:
            subprocess.run(["ip", "netns", "del", namespace], check=False)


def main(program, kind):
    need(kind)
    with namespaces() as (ours, theirs, link):
        return through_port(program, kind, ours, theirs, link)


def through_port(program, kind, ours, theirs, link):
    queues = 2 if kind == "af_packet" else 1
    port = None
    try:
        vdev, sender = link_make(kind, queues, ours, theirs, link)
        port = subprocess.Popen(
            ["ip", "netns", "exec", ours, program, vdev, US + "/24", str(PORT), str(queues)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        described = port.stdout.readline()
        print(described, end="")
        if not described:
            print("the port did not open")
            return 1
        if kind == "tap":
            run("ip", "-n", ours, "address", "add", PEER + "/24", "dev", link)
            run("ip", "-n", ours, "link", "set", link, "up")
        sent = json.loads(subprocess.check_output(
            ["ip", "netns", "exec", sender, sys.executable, os.path.abspath(__file__), "--send",
             link, str(queues)], timeout=40))
        out, _ = port.communicate(timeout=20)
        print(sent, out, sep="\n", end="")
        return 0 if check(kind, json.loads(out), sent, queues) else 1
    finally:
        if port is not None and port.poll() is None:
            port.kill()
            port.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--send":
        send(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1], sys.argv[2]))
