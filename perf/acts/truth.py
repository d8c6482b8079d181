"""Vectors as they were served, and what training makes of the same moments.

    truth.py record SOCKET CARDS COUNT FILE    appends vectors of random cards to FILE
    truth.py labels FILE LABELS                their keys and moments, as labels
    truth.py compare FILE TRAINED              prints vectors, features, bytes that differ"""

import csv
import json
import random
import socket
import sys
import time

VIEWS = ["activity", "account"]


def reply_read(answers):
    line = answers.readline()
    kind, size = line[:1], int(line[1:]) if line[:1] in b"*$:" else 0
    if kind == b"-":
        raise RuntimeError(line.decode())
    if kind == b"$":
        return None if size < 0 else answers.read(size + 2)[:-2].decode()
    if kind == b"*":
        return [reply_read(answers) for _ in range(size)]
    return size


def vector_read(link, answers, card):
    """Only what outlives a crash: every record that is in it is on the disk."""
    while True:
        link.sendall(b"FS.GET card:%d SERVICE score LEVEL durable WITHMETA\r\n" % card)
        try:
            return reply_read(answers)
        except RuntimeError as error:
            if "not durable yet" not in str(error):
                raise
            time.sleep(0.001)


def record(place, cards, count, path):
    with socket.socket(socket.AF_UNIX) as link, open(path, "a", encoding="utf-8") as out:
        link.connect(place)
        answers = link.makefile("rb")
        for _ in range(count):
            card = random.randrange(1, cards + 1)
            reply = vector_read(link, answers, card)
            served = {"card": card, "q": {}, "values": {}}
            for name, answer in zip(reply[::2], reply[1::2]):
                served["values"][name] = answer[0]
                served["values"][name + "__status"] = answer[1]
                served["q"][name.split(".")[0]] = int(answer[6])
            out.write(json.dumps(served) + "\n")


def served_read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def labels(path, out_path):
    with open(out_path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["card"] + [view + "_q" for view in VIEWS])
        for served in served_read(path):
            writer.writerow([served["card"]] + [served["q"][view] for view in VIEWS])


def compare(path, trained):
    differ = features = vectors = 0
    with open(trained, newline="", encoding="utf-8") as lines:
        for served, row in zip(served_read(path), csv.DictReader(lines), strict=True):
            vectors += 1
            features = len(served["values"]) // 2
            for name, value in served["values"].items():
                known, made = (value or "").encode(), row[name].encode()
                differ += abs(len(known) - len(made)) + sum(a != b for a, b in zip(known, made))
    print(vectors, features, differ)


if sys.argv[1] == "record":
    record(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
elif sys.argv[1] == "labels":
    labels(*sys.argv[2:])
else:
    compare(*sys.argv[2:])
