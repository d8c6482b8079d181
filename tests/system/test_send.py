#!/usr/bin/env python3
"""What producers are given: `freshet schema export --sbe`, from which alone a message is made here,
and `freshet send` with its account at the end."""

import json
import pathlib
import socket
import struct
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
from client import Redis  # noqa: E402
from fake_home import FakeHome  # noqa: E402

SBE = "{http://fixprotocol.io/2016/sbe}"
SIZES = {"int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
         "int64": "q", "uint64": "Q", "double": "d"}
EVERY_TYPE = """
streams:
  every:
    id: 9
    version: 3
    time: at
    fields:
      at:   {type: timestamp}
      key:  {type: u32}
      u8:   {type: u8}
      u16:  {type: u16}
      i8:   {type: i8}
      i16:  {type: i16}
      i32:  {type: i32}
      i64:  {type: i64}
      u64:  {type: u64}
      flag: {type: bool}
      real: {type: f64, scale: 3}
      sum:  {type: decimal, scale: 2}
      name: {type: string, size: 12, optional: true}
views:
  v:
    entity: key
    source: every
    windows: [1h]
    aggregates:
      u8: last(u8)
      u16: last(u16)
      i8: last(i8)
      i16: last(i16)
      i32: last(i32)
      i64: last(i64)
      u64: last(u64)
      flag: last(flag)
      real: last(real)
      sum: last(sum)
      name: last(name)
"""
VALUES = {"key": 77, "u8": 200, "u16": 60000, "i8": -100, "i16": -30000, "i32": -2000000000,
          "i64": -9000000000000000000, "u64": 9000000000000000000, "flag": 1, "real": 2.125,
          "sum": -1234, "name": b"acme"}
PRINTED = {"u8": "200", "u16": "60000", "i8": "-100", "i16": "-30000", "i32": "-2000000000",
           "i64": "-9000000000000000000", "u64": "9000000000000000000", "flag": "true",
           "real": "2.125", "sum": "-12.34", "name": "acme"}


class Schema:
    """An SBE schema, read as a code generator would: nothing else is known about the layout."""

    def __init__(self, text):
        self.root = xml.fromstring(text)
        self.message = self.root.find(SBE + "message")
        self.group = self.message.find("group")
        self.types = {}
        for found in self.root.find("types"):
            self.types[found.get("name")] = found

    def pack_composite(self, name, values):
        return b"".join(struct.pack("<" + SIZES[part.get("primitiveType")],
                                    values[part.get("name")])
                        for part in self.types[name])

    def pack_value(self, kind, value):
        if kind in SIZES:
            return struct.pack("<" + SIZES[kind], value)
        found = self.types[kind]
        if found.tag == "enum":
            return struct.pack("<" + SIZES[found.get("encodingType")], value)
        if found.tag == "composite":
            parts = [part for part in found if part.get("presence") != "constant"]
            return b"".join(struct.pack("<" + SIZES[part.get("primitiveType")], value)
                            for part in parts)
        return value.ljust(int(found.get("length")), b"\0")

    def pack_block(self, fields, size, values):
        block = bytearray(size)
        at = 0
        for field in fields:
            at = int(field.get("offset", at))
            data = self.pack_value(field.get("type"), values.get(field.get("name"), 0))
            block[at:at + len(data)] = data
            at += len(data)
        assert len(block) == size, "fields stay within their block"
        return bytes(block)

    def pack(self, root_values, events):
        size = int(self.message.get("blockLength"))
        event_size = int(self.group.get("blockLength"))
        head = self.pack_composite(self.root.get("headerType"), {
            "blockLength": size, "templateId": int(self.message.get("id")),
            "schemaId": int(self.root.get("id")), "version": int(self.root.get("version"))})
        root = self.pack_block(self.message.findall("field"), size, root_values)
        group = self.pack_composite(self.group.get("dimensionType"),
                                    {"blockLength": event_size, "numInGroup": len(events)})
        return head + root + group + b"".join(
            self.pack_block(self.group.findall("field"), event_size, event) for event in events)


def a_message_made_from_the_exported_schema_is_applied():
    with support.running(streams=EVERY_TYPE) as appliance:
        done = support.run("schema", "export", "--sbe", "--stream", "every", appliance.definitions)
        assert done.returncode == 0, done.stderr
        schema = Schema(done.stdout)
        now_us = time.time_ns() // 1000
        appliance.send(schema.pack({"producer": 5, "sequence": 1, "oldest": 1, "flags": 1,
                                    "incarnation": 1, "sendTime": now_us},
                                   [{"at": now_us, **VALUES}]))
        status = appliance.wait_received(1)
        assert status["applied"] == 1, status["streams"]
        redis = Redis(appliance.socket)
        names = list(PRINTED)
        values = redis.call("HMGET", "key:77", *(f"v.{name}_1h" for name in names))
        redis.close()
        assert dict(zip(names, (value.decode() for value in values))) == PRINTED, values
        assert [lane["producer"] for lane in status["lanes"]] == [5], status["lanes"]


def the_export_names_what_it_cannot_do():
    cards = support.SOURCE / "config/examples/cards.yaml"
    wrong = support.run("schema", "export", "--sbe", "--stream", "transactoin", cards)
    assert wrong.returncode == 1 and "transactoin" in wrong.stderr, wrong
    assert support.run("schema", "export", cards).returncode == 2


def an_address_that_is_none_is_a_usage_error():
    cards = support.SOURCE / "config/examples/cards.yaml"
    for to in ("bad", "", ":4700", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
               "127.0.0.1:47o0", "127.0.0.1:-1", "[]:4700", "[::1]"):
        for more in ([], ["--acked"]):
            done = support.run("send", "--to", to, "--config", cards, "--stream", "transaction",
                               *more, input="")
            assert done.returncode == 2 and "HOST:PORT is wanted" in done.stderr, (to, done)


def send(appliance, name, *arguments, text=None):
    done = support.run("send", "--to", f"127.0.0.1:{appliance.udp}", "--config",
                       appliance.definitions, "--stream", "transaction", "--server",
                       appliance.socket, *([name] if name else []), *arguments, input=text)
    return done, json.loads(done.stdout) if "--json" in arguments else done.stdout


def sending_a_file_ends_with_its_account():
    # An hour apart, two days ago: --retime moves them so that the newest is now.
    base = (time.time_ns() // 10**9 - 2 * 86400) * 10**6
    lines = [f"{base + hour * 3600 * 10**6},4711,{hour}.50,ok,ignored" for hour in range(3)]
    table = "\n".join(["ts,card,amount,status,colour", *lines]) + "\n"
    identity = ("--producer", "9", "--incarnation", "4", "--json")
    with support.running() as appliance, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "events.csv"
        path.write_text(table)
        done, end = send(appliance, path, "--retime", "now", *identity)
        assert done.returncode == 0, done
        assert (end["sent"], end["ignored"], end["not_events"]) == (3, 1, 0), end
        assert end["outcome"]["applied"] == 3 and end["outcome"]["lost"] == 0, end
        values = json.loads(appliance.verb("get", "card:4711", "activity.txn_count_10m",
                                           "activity.txn_count_1h", "--json").stdout)
        assert values["activity.txn_count_10m"]["value"] == "1", values
        # The same messages again: duplicates are no loss.
        done, end = send(appliance, path, "--retime", "now", *identity)
        assert done.returncode == 0 and end["outcome"]["duplicate"] == 3, end
        assert end["outcome"]["applied"] == 0, end
        # As they are, they are late once the stream's watermark is two days on.
        done, end = send(appliance, path, "--json")
        assert end["outcome"]["late"] == 3 and end["outcome"]["lost"] == 0, end
        # What is no event is named by its line, and makes the exit code 1.
        event = json.dumps({"ts": time.time_ns() // 1000, "card": 1, "amount": 1, "status": "ok"})
        done, text = send(appliance, None, text=event + "\nnonsense\n")
        assert done.returncode == 1 and "stdin:2:1: no event" in done.stderr, done
        for word in ("sent", "applied", "late", "duplicate", "dropped", "lost on the way"):
            assert word in text, text
        assert appliance.status()["balance"] == 0


def events_that_never_arrive_are_lost_and_exit_code_1():
    with support.running() as appliance:
        # A port that takes datagrams and gives them to nobody.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            aside = support.run(
                "send", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--config",
                appliance.definitions, "--stream", "transaction", "--server", appliance.socket,
                "--json", input='{"ts": 1, "card": 1, "amount": 1, "status": "ok"}\n')
        assert aside.returncode == 1, aside
        assert json.loads(aside.stdout)["outcome"]["lost"] == 1, aside.stdout


def client_verbs_find_the_server_by_environment():
    with support.running() as appliance:
        for place in (str(appliance.socket), f"127.0.0.1:{appliance.tcp}"):
            done = support.run("status", environment={"FRESHET_SERVER": place})
            assert done.returncode == 0 and "received 0" in done.stdout, done


def acked(appliance, home, *arguments, events=300, **options):
    lines = [json.dumps({"ts": time.time_ns() // 1000, "card": card, "amount": 1, "status": "ok"})
             for card in range(events)]
    done = support.run("send", "--acked", "--to", f"127.0.0.1:{home.port}", "--config",
                       appliance.definitions, "--stream", "transaction", "--json", *arguments,
                       input="\n".join(lines) + "\n", cwd=appliance.folder, **options)
    return done, json.loads(done.stdout) if done.stdout else None


def acked_events_are_durable_at_the_end_over_a_bad_network():
    with tempfile.TemporaryDirectory() as folder:
        appliance = support.Appliance(folder)  # Only its definitions.
        keys = pathlib.Path(folder) / "keys.yaml"
        keys.write_text("producers:\n  - {producer: 9, keys: [{epoch: 3, key: "
                        f"{bytes(range(16)).hex()}}}]}}\n")
        keys.chmod(0o600)
        with FakeHome(shards=2, loss=0.2, twice=0.2, late=0.2, key=bytes(range(16))) as home:
            done, end = acked(appliance, home, "--keys", keys, "--producer", "9", "--rate",
                              "3000")
            assert done.returncode == 0, done
            assert (end["sent"], end["acked"]["durable"]) == (300, 300), end
            assert end["acked"]["shards"] == 2 and sum(end["acked"]["lost"].values()) == 0, end
            assert len(home.events) == 300 and home.bad_tags == 0
        done, _ = acked(appliance, home, "--keys", keys, "--producer", "8")
        assert done.returncode == 1 and "8" in done.stderr, done


def acked_events_that_never_become_durable_are_lost_and_exit_code_1():
    with tempfile.TemporaryDirectory() as folder, FakeHome(commit=1e9) as home:
        home.commit_all = lambda: None
        appliance = support.Appliance(folder)
        done, end = acked(appliance, home, events=3, timeout=60)
        assert done.returncode == 1, done
        assert end["acked"]["durable"] == 0 and end["acked"]["lost"]["closed"] == 3, end
        assert end["acked"]["retransmitted"] > 3, end


if __name__ == "__main__":
    support.main([
        a_message_made_from_the_exported_schema_is_applied,
        the_export_names_what_it_cannot_do,
        sending_a_file_ends_with_its_account,
        an_address_that_is_none_is_a_usage_error,
        events_that_never_arrive_are_lost_and_exit_code_1,
        client_verbs_find_the_server_by_environment,
        acked_events_are_durable_at_the_end_over_a_bad_network,
        acked_events_that_never_become_durable_are_lost_and_exit_code_1,
    ])
