"""One event for each of many new cards, acknowledged; afterwards: what became of them.

    crash.py ADDRESS SECONDS LEDGER         sends, and writes which cards are durable
    crash.py --check SOCKET LEDGER          reads them; prints acked, found, lost, twice"""

import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "drivers" / "producer"))

import freshet_producer  # noqa: E402

EVENT = struct.Struct("<qQ16sq8s")  # ts, card, merchant, amount, status
FEATURE = "activity.txn_count_1h"
BATCH = 100


def send(address, seconds, ledger):
    card = int(time.time()) * 1_000_000
    sent = {}
    with open(ledger, "w", encoding="ascii", buffering=1) as book:

        def durable(lane, sequence, _events):
            book.write("".join(f"{one}\n" for one in sent.pop((lane, sequence))))

        producer = freshet_producer.Producer(address, producer=card % 65521 + 1000, stream=1,
                                             event_bytes=EVENT.size, durable=durable)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(BATCH):
                card += 1
                event = EVENT.pack(time.time_ns() // 1000, card, b"", 950, b"ok")
                sent.setdefault(producer.send(card, event), []).append(card)
            producer.poll(0.01)
        producer.flush(timeout=10)
        producer.close()


def check(place, ledger):
    cards = pathlib.Path(ledger).read_text(encoding="ascii").split()
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(place)
        answers = link.makefile("rb")
        found = twice = 0
        for at in range(0, len(cards), BATCH):
            some = cards[at:at + BATCH]
            link.sendall("".join(f"HGET card:{card} {FEATURE}\r\n" for card in some).encode())
            for _ in some:
                length = int(answers.readline()[1:])
                count = int(answers.readline()) if length >= 0 else 0
                found += count > 0
                twice += count > 1
    print(len(cards), found, len(cards) - found, twice)


if sys.argv[1] == "--check":
    check(*sys.argv[2:])
else:
    send(sys.argv[1], float(sys.argv[2]), sys.argv[3])
