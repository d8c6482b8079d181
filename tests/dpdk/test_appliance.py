#!/usr/bin/env python3
"""DPDK ports through the whole appliance: frames in at a virtual device, features out by RESP.

Proved, from FS.STATUS: frames sent = events applied + named drops, where a datagram of ours holds
one event or one fault, and every answer, drop and event is under its own name.

usage: test_appliance.py pcap|null|af_packet|af_xdp|tap
"""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import test_links as links  # noqa: E402

CARDS = 50
ROUNDS = 40
PCAP_MAGIC = 0xA1B2C3D4
US_MAC, PEER_MAC = bytes([2, 0, 0, 0, 0, 1]), bytes([2, 0, 0, 0, 0, 2])


def message(sequence, card, cents):
    """An SBE message of one event; docs/formats/wire.md."""
    data = struct.pack("<HHHH", 52, 1, 1, 1)
    data += struct.pack("<QQQQqIIBBH", 0, 7, sequence, sequence, 0, 1, 0, 1, 0, 0)
    data += struct.pack("<HH", 32, 1)
    return data + struct.pack("<qQq8s", time.time_ns() // 1000, card, cents, b"ok")


def payloads():
    """(datagram, what must become of its event: "applied" or a drop) of every kind, in order."""
    for sequence in range(1, ROUNDS + 1):
        card = sequence % CARDS
        good = message(sequence, card, 950)
        yield good, "applied"
        yield good, "message_duplicate"
        yield b'transaction,card=%d amount=0.50,status="ok"' % card, "applied"
        yield json.dumps({"stream": "transaction", "card": card, "amount": 1,
                          "status": "ok"}).encode(), "applied"
        yield b"transaction,card=%d amount=-1" % card, "event_below_min"
        yield b"transaction,card=%d amonut=1" % card, "text_unknown_field"
        yield good[:70], "message_size"


def faults(to_mac, from_mac):
    """(frame, the port's drop): what never becomes a datagram."""
    payload = b'transaction,card=1 amount=1'
    make = links.udp_frame
    yield make(to_mac, from_mac, payload, flip=True), "frame_bad_checksum"
    yield make(to_mac, from_mac, payload, fragment=0x2000), "frame_fragment"
    yield make(to_mac, from_mac, payload, port=9), "frame_not_ours"
    yield make(to_mac, from_mac, payload)[:40], "frame_bad_length"
    yield to_mac + from_mac + struct.pack("!H", 0x88B5) + bytes(50), "frame_not_ip"


def count(counts, name):
    counts[name] = counts.get(name, 0) + 1


def wanted_of(payload_list, fault_list):
    wanted = {"events": {}, "drops": {}}
    for _, fate in payload_list:
        count(wanted["events"], fate)
    for _, drop in fault_list:
        count(wanted["drops"], drop)
    return wanted


def send(link):
    """Runs in the sender's namespace: kernel UDP for the datagrams, raw frames for the faults."""
    pinged = links.ping(links.PINGS)
    sent = list(payloads())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for number, (payload, _) in enumerate(sent):
            udp.sendto(payload, (links.US, links.PORT))
            if number % 20 == 19:
                time.sleep(0.005)
    to_mac = links.neighbour(link)
    broken = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        for _ in range(ROUNDS):
            for frame, drop in faults(to_mac, raw.getsockname()[4]):
                raw.send(frame)
                broken.append((frame, drop))
            time.sleep(0.002)
    time.sleep(0.2)
    print(json.dumps({"pinged": pinged, "frames": links.sent_frames(link),
                      **wanted_of(sent, broken)}))


def capture_write(path):
    """A capture file with the same frames; a clock of its own paces nothing, so one pass."""
    sent = list(payloads())
    broken = [fault for _ in range(ROUNDS) for fault in faults(US_MAC, PEER_MAC)]
    frames = [links.udp_frame(US_MAC, PEER_MAC, payload, tags=number % 3)
              for number, (payload, _) in enumerate(sent)] + [frame for frame, _ in broken]
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", PCAP_MAGIC, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    return {"pinged": links.PINGS, "frames": len(frames), **wanted_of(sent, broken)}


def check(appliance, sent, held=0):
    """held: fragments that the kernel of the link keeps for itself."""
    sent["drops"]["frame_fragment"] -= held
    events = sum(sent["events"].values())
    due = sent["frames"] - held
    support.wait_until(lambda: appliance.status()["listeners"][0]["frames"] >= due,
                       "all frames", 20)
    status = appliance.wait_received(events)
    listener = status["listeners"][0]
    ok = links.expect("pings answered", sent["pinged"], links.PINGS)
    ok &= links.expect("events received", status["received"], events)
    ok &= links.expect("events applied", status["applied"], sent["events"].pop("applied"))
    dropped = {}
    for stream in status["streams"]:
        for name, value in stream["drops"].items():
            dropped[name] = dropped.get(name, 0) + value
    ok &= links.expect("events dropped", dropped, sent["events"])
    seen = {name: value for name, value in listener["drops"].items() if value > 0}
    seen.setdefault("frame_fragment", 0)
    ok &= links.expect("frames dropped", seen, sent["drops"])
    ok &= links.expect("missed", listener["missed"], 0)
    ok &= links.expect("frames sent", listener["frames"], due)
    frames = sum(listener["drops"].values())
    ok &= links.expect("frames = applied + drops", listener["frames"] - listener["answered"],
                       status["applied"] + sum(dropped.values()) + frames)
    ok &= links.expect("balance", status["balance"], 0)
    # Of a card, each round: 9.50 by SBE, 0.50 by line protocol, 1 by NDJSON.
    value = json.loads(appliance.verb("get", "card:3", "activity.amount_sum_1h", "--json").stdout)
    ok &= links.expect("sum of card 3", value["activity.amount_sum_1h"]["value"], "11.00")
    return ok


def through_capture(folder):
    path = os.path.join(folder, "frames.pcap")
    sent = capture_write(path)
    appliance = support.Appliance(folder, ingest=ethdev("net_pcap0,rx_pcap=%s" % path))
    return started(appliance, lambda: check(appliance, sent))


def through_null(folder):
    """A flood of frames of zeros from one port harms no event of the other."""
    udp = support.port_free(4)
    appliance = support.Appliance(
        folder, ingest=ethdev("net_null0") + '\n    - {driver: socket, listen: "127.0.0.1:%d"}'
        % udp)
    appliance.udp = udp

    def flooded():
        for _ in range(100):
            appliance.send(b'transaction,card=3 amount=2,status="ok"')
            time.sleep(0.002)
        status = appliance.wait_received(100)
        flood, kernel = status["listeners"]
        ok = links.expect("events applied", status["applied"], 100)
        ok &= links.expect("datagrams of the flood", flood["datagrams"], 0)
        ok &= links.expect("a flood", flood["frames"] > 10000, True)
        # One burst may stand between the two counters.
        ok &= links.expect("frames not dropped as no IP, at most a burst",
                           abs(flood["frames"] - flood["drops"]["frame_not_ip"]) <= 32, True)
        ok &= links.expect("frames of the kernel", kernel["frames"], 100)
        return ok & links.expect("balance", status["balance"], 0)

    return started(appliance, flooded)


def ethdev(vdev):
    return '{driver: ethdev, vdev: "%s", address: %s/24, port: %d, auth: none, ' \
        'allow: [0.0.0.0/0]}' % (vdev, links.US, links.PORT)


def started(appliance, test):
    ok = False
    try:
        appliance.start()
        ok = test()
    finally:
        if not ok and appliance.log.exists():
            print(appliance.log.read_text())
        code = appliance.stop()
    return ok & links.expect("exit code", code, 0)


def through_link(folder, kind):
    links.need(kind)
    shards = 1
    with links.namespaces() as (ours, theirs, link):
        vdev, sender = links.link_make(kind, shards, ours, theirs, link)
        links.run("ip", "-n", ours, "link", "set", "lo", "up")
        appliance = support.Appliance(folder, ingest=ethdev(vdev), shards=shards,
                                      within=["ip", "netns", "exec", ours])

        def sent_and_seen():
            if kind == "tap":
                links.run("ip", "-n", ours, "address", "add", links.PEER + "/24", "dev", link)
                links.run("ip", "-n", ours, "link", "set", link, "up")
            sent = json.loads(subprocess.check_output(
                ["ip", "netns", "exec", sender, sys.executable, os.path.abspath(__file__),
                 "--send", link], timeout=40))
            # The kernel holds fragments back for af_packet: its fan-out joins datagrams first.
            return check(appliance, sent, held=ROUNDS if kind == "af_packet" else 0)

        return started(appliance, sent_and_seen)


def main(kind):
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        if kind == "pcap":
            return through_capture(folder)
        if kind == "null":
            return through_null(folder)
        return through_link(folder, kind)


if __name__ == "__main__":
    if sys.argv[1] == "--send":
        send(sys.argv[2])
    else:
        sys.exit(0 if main(sys.argv[1]) else 1)
