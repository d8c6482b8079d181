#!/usr/bin/env python3
"""received = applied + drops, whatever arrives; drops name the field; reports agree."""

import json
import pathlib
import random
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402

MESSAGES = 3000


def message(sequence, cards, stream=1, version=1, cut=None):
    """An SBE message of one event per card; docs/formats/wire.md."""
    stride = 8 + 8 + 8 + 8
    data = struct.pack("<HHHH", 52, stream, stream, version)
    data += struct.pack("<QQQQqIIBBH", 0, 7, sequence, sequence, 0, 1, 0, 1, 0, 0)
    data += struct.pack("<HH", stride, len(cards))
    now_us = time.time_ns() // 1000
    for card in cards:
        # Every eleventh card's time is null, which a required field may not be.
        data += struct.pack("<qQq8s", -2**63 if card % 11 == 0 else now_us, card, 950, b"ok")
    return data if cut is None else data[:cut]


def mixed(seed):
    """Good, broken and random datagrams."""
    source = random.Random(seed)
    for sequence in range(1, MESSAGES + 1):
        kind = source.randrange(8)
        if kind == 0:
            yield source.randbytes(source.randrange(0, 200))
        elif kind == 1:
            yield message(sequence, [1, 2, 3], cut=source.randrange(1, 160))
        elif kind == 2:
            yield message(sequence, [4], stream=source.randrange(2, 9))
        elif kind == 3:
            yield message(1, [5])
        elif kind == 4:
            yield b'transaction,card=%d amount=%s,status="ok"' % (
                sequence, source.choice([b"1.50", b"x", b"-3", b"1e99", b""]))
        elif kind == 5:
            yield json.dumps({"stream": "transaction", "card": sequence, "amount": 2.25,
                              "status": source.choice(["ok", "declined", "lost", None])}).encode()
        else:
            yield message(sequence, [source.randrange(1, 500) for _ in range(5)])


def balance_holds_after_anything(shards):
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20260101
    print(f"SEED={seed}")
    with support.running(shards=shards) as appliance:
        appliance.send(message(1, [5]))
        support.wait_until(lambda: appliance.status()["applied"] == 1, "the first event")
        sent = 1

        def taken():
            return appliance.status()["listeners"][0]["datagrams"]

        for datagram in mixed(seed):
            appliance.send(datagram)
            sent += 1
            if sent % 200 == 0:
                # A kernel socket is finite: let the appliance keep up, so that nothing is lost.
                support.wait_until(lambda: taken() >= sent, "datagrams taken")
        support.wait_until(lambda: taken() >= sent, "all taken")
        support.wait_until(lambda: appliance.status()["balance"] == 0, "a balance of 0")
        status = appliance.status()
        assert status["listeners"][0]["missed"] == 0, status["listeners"]
        assert status["applied"] > MESSAGES // 2, status
        assert status["dropped"] > MESSAGES // 4, status
        for stream in status["streams"]:
            assert stream["balance"] == 0, stream
            assert stream["received"] == stream["applied"] + sum(stream["drops"].values()), stream
        transaction = status["streams"][0]
        assert transaction["duplicate"] > 0, transaction
        assert transaction["top_drop"]["hint"] != "", transaction
        assert status["lanes"][0]["producer"] == 7, status["lanes"]


def balance_holds_with_one_shard():
    balance_holds_after_anything(1)


def balance_holds_with_three_shards():
    balance_holds_after_anything(3)


def drops_name_the_field_of_a_malformed_line():
    with support.running() as appliance:
        line = b'transaction,card=4711 amount=lots,status="ok"'
        appliance.send(line)
        appliance.wait_received(1)
        entry = json.loads(appliance.verb("drops", "--json").stdout)[0]
        assert entry["reason"] == "text_wrong_type", entry
        assert entry["stream"] == "transaction" and entry["field"] == "amount", entry
        assert line.decode()[entry["offset"]:].startswith("lots"), entry
        assert entry["bytes"].startswith("transaction,card=4711"), entry
        assert entry["sender"].startswith("127.0.0.1:"), entry
        text = appliance.verb("drops").stdout
        assert "field amount" in text and "hint: " in text, text
        following = subprocess.Popen(
            [support.PROGRAM, "drops", "--follow", "--json", "--for", "3", "--server",
             str(appliance.socket)], stdout=subprocess.PIPE, text=True)
        assert json.loads(following.stdout.readline())["field"] == "amount"
        appliance.send(b'transaction,card=4711 amount=1,status="perhaps"')
        assert json.loads(following.stdout.readline())["field"] == "status"
        following.communicate(timeout=20)


def get(appliance, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}{path}", timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics_are_what_prometheus_wants():
    support.need("promtool")
    with support.running() as appliance:
        appliance.send(message(1, [1, 2, 3]), b"garbage", message(1, [1, 2, 3]))
        appliance.wait_received(7)
        status, text = get(appliance, "/metrics")
        assert status == 200, text
        lint = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                              capture_output=True, timeout=30)
        assert lint.returncode == 0 and lint.stderr == "" and lint.stdout == "", lint
        for series in ('freshet_ingest_events_total{stream="transaction"} 6',
                       'freshet_ingest_applied_total{stream="transaction"} 3',
                       'reason="message_duplicate"} 3',
                       'freshet_state_entities{view="activity"} 3',
                       'freshet_ingest_duplicates_total{producer="7"} 1',
                       'stage="event_to_readable"', "freshet_view_apply_seconds_total",
                       "freshet_listener_missed_total", "freshet_watermark_lag_seconds"):
            assert series in text, f"{series} is missing in:\n{text}"


def health_pages_answer():
    with support.running() as appliance:
        assert get(appliance, "/healthz") == (200, "ok\n")
        assert get(appliance, "/readyz") == (200, "ready\n")
        status, text = get(appliance, "/nothing")
        assert status == 404 and "/metrics" in text, text
        request = urllib.request.Request(f"http://127.0.0.1:{appliance.http}/metrics", data=b"x")
        try:
            urllib.request.urlopen(request, timeout=10)
            raise AssertionError("POST was answered")
        except urllib.error.HTTPError as error:
            assert error.code == 405 and "GET" in error.read().decode()


def freshness_is_measured_through_the_read_path():
    with support.running() as appliance:
        def sampled():
            lines = [b'transaction,card=%d amount=1,status="ok"' % card for card in range(50)]
            appliance.send(*lines)
            stages = appliance.status()["freshness"]
            return stages["event_to_readable"]["count"] > 0
        support.wait_until(sampled, "a sample that was followed", 20)
        freshness = appliance.status()["freshness"]
        assert freshness["arrival_to_readable"]["count"] > 0, freshness
        assert freshness["event_to_arrival"]["count"] > 0, freshness
        assert 0 < freshness["arrival_to_readable"]["p50_us"] < 100_000, freshness


def people_see_tables():
    with support.running() as appliance:
        appliance.send(b'transaction,card=4711 amount=9.50,status="ok"')
        appliance.wait_received(1)
        text = appliance.verb("status").stdout
        assert "received - applied - dropped = 0" in text and "activity" in text, text
        assert "balance 0" in appliance.verb("top", "--for", "1").stdout
        values = json.loads(appliance.verb("get", "card:4711", "--json").stdout)
        assert values["activity.txn_count_10m"]["value"] == "1", values
        assert values["activity.amount_sum_1h"]["value"] == "9.50", values
        one = appliance.verb("get", "card:4711", "activity.amount_sum_10m").stdout
        assert "9.50" in one and "PRESENT" in one, one
        wanted = "activity.amount_sum_10m"
        none = json.loads(appliance.verb("get", "card:1", wanted, "--json").stdout)
        assert none[wanted]["status"] == "NOT_FOUND", none
        wrong = appliance.verb("get", "card:1", "activity.amount_sum_9m", check=False)
        assert wrong.returncode == 1 and "amount_sum" in wrong.stderr, wrong


def doctor_gives_findings_with_commands():
    done = support.run("doctor", "--json", "--server", "/nowhere/freshet.sock")
    findings = json.loads(done.stdout)
    fails = [row for row in findings if row["level"] == "FAIL"]
    assert done.returncode == (3 if fails else 0), done
    assert {"cores", "hugepages", "rmem_max", "clock", "server"} <= {r["check"] for r in findings}
    for row in findings:
        assert row["level"] == "OK" or row["fix"] != "", row
    with support.running() as appliance:
        used = support.run("doctor", appliance.definitions, "--server", "/nowhere/freshet.sock")
        assert used.returncode == 3 and f"sport = :{appliance.udp}" in used.stdout, used.stdout
        calm = support.run("doctor", appliance.definitions, "--server", appliance.socket)
        assert calm.returncode == 0, calm.stdout


if __name__ == "__main__":
    support.main([balance_holds_with_one_shard, balance_holds_with_three_shards,
                  drops_name_the_field_of_a_malformed_line, metrics_are_what_prometheus_wants,
                  health_pages_answer, freshness_is_measured_through_the_read_path,
                  people_see_tables, doctor_gives_findings_with_commands])
