#!/usr/bin/env python3
"""freshet-load against a running appliance: what it counts, what it refuses, how it ends.

And perf/run and perf/demo, as make run and make demo call them, on ports of their own."""

import collections
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fake_home import FakeHome  # noqa: E402

SOURCE = os.environ["FRESHET_SOURCE"]
BUILD = os.environ["FRESHET_BUILD"]
LOAD = os.path.join(BUILD, "freshet-load")
# Sanitizers make everything slower, never wrong: rates and bounds follow.
SLOW = "asan" in os.path.basename(BUILD) or "tsan" in os.path.basename(BUILD)


def free_ports():
    """A UDP base port (shards take the ones behind it) and two TCP ports, free a moment ago."""
    for base in range(21000 + os.getpid() % 8000, 60000, 16):
        held = []
        try:
            for port in range(base, base + 8):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind(("127.0.0.1", port))
            for port in (base, base + 1):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                held[-1].bind(("127.0.0.1", port))
            return base, base, base + 1
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise RuntimeError("no free ports")


def write_config(folder):
    """The shipped example on free ports, its socket in folder."""
    udp, tcp, http = free_ports()
    with open(os.path.join(SOURCE, "config/examples/cards.yaml")) as shipped:
        text = shipped.read()
    for old, new in (("127.0.0.1:4700", f"127.0.0.1:{udp}"), ("127.0.0.1:6380", f"127.0.0.1:{tcp}"),
                     ("127.0.0.1:6566", f"127.0.0.1:{http}"),
                     ("run/freshet.sock", f"{folder}/freshet.sock"),
                     ("directory: var/freshet", f"directory: {folder}/data"),
                     ("shards: auto", "shards: 1"), ("memory: 2GiB", "memory: 1536MiB")):
        assert old in text, old
        before = "unix: " if "sock" in old else "data: {" if "directory" in old else ""
        text = text.replace(before + old, before + new, 1)
    path = os.path.join(folder, "cards.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path, udp


class Appliance:
    """build/freshet run on a configuration of its own."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="freshet-load-")
        self.config, self.udp = write_config(self.folder.name)
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "freshet"), "run", self.config, "--for", "100"],
            stdout=self.log, stderr=subprocess.STDOUT)
        for _ in range(400):
            with open(self.log.name) as log:
                if "event=ready" in log.read():
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self.log.name) as log:
            raise RuntimeError("the appliance did not start:\n" + log.read())

    def close(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.log.close()
        self.folder.cleanup()
        return code

    def load(self, *arguments):
        run = subprocess.run([LOAD, "--config", self.config, *arguments], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, timeout=60)
        return run


class LoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.appliance = Appliance()
        cls.rate = 5000 if SLOW else 20000

    @classmethod
    def tearDownClass(cls):
        assert cls.appliance.close() == 0

    def drive(self, *arguments, code=0):
        run = self.appliance.load("--rate", str(self.rate), "--json", *arguments)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return json.loads(run.stdout), run.stderr

    def test_acked_events_are_durable_at_the_end(self):
        with FakeHome(loss=0.05, twice=0.05, late=0.05) as home:
            end, _ = self.drive("--acked", "--seconds", "1", "--rate", "2000", "--probe-rate", "0",
                                "--to", f"127.0.0.1:{home.port}")
            self.assertEqual(end["sent"], 2000, end)
            self.assertEqual(end["acked"]["durable"], 2000, end)
            self.assertEqual(sum(end["acked"]["lost"].values()), 0, end)
            self.assertEqual(len(home.events), 2000)
        run = self.appliance.load("--acked", "--late", "0.1")
        self.assertEqual(run.returncode, 2, run)

    def test_keys_in_turn_come_one_after_the_other_from_the_first(self):
        with FakeHome() as home:
            end, _ = self.drive("--acked", "--in-turn", "--keys", "500", "--first", "251",
                                "--seconds", "1", "--rate", "2000", "--probe-rate", "0", "--to",
                                f"127.0.0.1:{home.port}")
            self.assertEqual(end["acked"]["durable"], 2000, end)
            cards = collections.Counter(int.from_bytes(event[8:16], "little")
                                        for event in home.events)
        self.assertEqual(cards, {card: 4 for card in range(1, 501)})

    def test_the_timetable_keeps_the_rate_and_nothing_is_lost(self):
        end, _ = self.drive("--seconds", "2")
        own = end["messages"] * 25
        self.assertLessEqual(abs(own - 2 * self.rate), 2 * 64 * 25, end)
        self.assertEqual(end["lost"], 0)
        self.assertEqual(end["balance"], 0)
        self.assertEqual(end["received"], end["sent"])
        self.assertEqual(end["applied"], end["sent"])

    def test_a_rate_beyond_the_machine_ends_in_time_and_says_what_was_not_sent(self):
        start = time.monotonic()
        run = self.appliance.load("--rate", "1e12", "--seconds", "1", "--json")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        end = json.loads(run.stdout)
        self.assertLess(time.monotonic() - start, 20)
        self.assertGreater(end["unsent_seconds"], 0.5)
        self.assertEqual(end["balance"], 0)
        self.assertEqual(end["received"] + end["lost"], end["sent"])

    def test_a_live_table_in_a_file_is_plain_text_and_an_interrupt_is_no_lack_of_speed(self):
        run = subprocess.Popen([LOAD, "--config", self.appliance.config, "--rate", "1000", "--live",
                                "--seconds", "60"], stdout=subprocess.PIPE, text=True)
        time.sleep(2.5)
        run.terminate()
        text, _ = run.communicate(timeout=30)
        self.assertIn("card:1 ", text)
        self.assertNotIn("\033", text)
        self.assertNotIn("sends no faster", text)

    def test_a_wave_sends_what_its_crests_add(self):
        end, _ = self.drive("--seconds", "2", "--burst", "3x:500ms@500ms", "--readers", "0")
        self.assertLessEqual(abs(end["messages"] * 25 - 3 * self.rate), 2 * 64 * 25, end)

    def test_bad_events_are_dropped_by_their_reasons(self):
        end, _ = self.drive("--seconds", "2", "--late", "0.01", "--duplicate", "0.05",
                            "--malformed", "0.01", "--hot", "0.1")
        self.assertGreater(end["malformed"], 10)
        self.assertGreater(end["duplicate"], 10)
        self.assertGreater(end["late"], 10)
        drops = end["drops"]
        self.assertEqual(drops["message_duplicate"], end["duplicate"])
        kinds = ["message_unknown_stream", "message_version", "message_size", "text_syntax",
                 "text_unknown_field", "event_above_max"]
        alternatives = sum(count for reason, count in drops.items()
                           if reason not in ("message_duplicate", "event_late"))
        self.assertEqual(alternatives, end["malformed"], drops)
        for kind in kinds[:3]:
            self.assertGreater(drops.get(kind, 0), 0, drops)
        # Late ones of a duplicated message were sent once and dropped with it.
        self.assertLessEqual(abs(drops["event_late"] - end["late"]), 25)
        self.assertEqual(end["lost"], 0)
        self.assertEqual(end["received"], end["applied"] + end["dropped"])

    def test_freshness_and_reads_are_measured_from_when_they_were_due(self):
        end, _ = self.drive("--seconds", "2", "--readers", "3", "--read-rate", "300",
                            "--probe-rate", "20")
        self.assertGreater(end["freshness"]["count"], 5)
        self.assertGreaterEqual(end["freshness"]["p999_us"], end["freshness"]["p50_us"])
        self.assertLessEqual(abs(end["read"]["count"] - 600), 5)
        self.assertEqual(end["read_errors"], 0)
        self.assertEqual(end["read_unanswered"], 0)

    def test_batches_are_answered(self):
        end, _ = self.drive("--seconds", "1", "--batch", "40", "--features", "20",
                            "--read-rate", "20")
        self.assertEqual(end["read_errors"], 0)
        self.assertGreater(end["read"]["count"], 10)

    def test_a_passed_bound_is_exit_code_1_and_says_which(self):
        _, errors = self.drive("--seconds", "1", "--max-p99", "0.001", code=1)
        self.assertIn("read p99", errors)
        _, errors = self.drive("--seconds", "1", "--max-freshness-p99", "0.001", code=1)
        self.assertIn("freshness p99", errors)
        self.drive("--seconds", "1", "--max-p99", "60000000", "--max-freshness-p99", "60000000",
                   "--max-lost", "0")

    def test_bad_options_are_exit_code_2(self):
        for arguments in (["--rate", "x"], ["--rate", "0"], ["--late", "2"], ["--burst", "10"],
                          ["--no-such"], ["extra"], ["--keys"], ["--stream", "nobody"],
                          ["--events-per-message", "4000"], ["--json=1"],
                          ["--bad-tags", "0.5"], ["--key-file", "keys.yaml"]):
            run = self.appliance.load(*arguments)
            self.assertEqual(run.returncode, 2, (arguments, run.stderr))
            self.assertTrue(run.stderr.strip(), arguments)

    def test_help_is_exit_code_0_and_names_every_option(self):
        run = subprocess.run([LOAD, "--help"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(run.returncode, 0)
        names = ("to query rate keys zipf hot burst late duplicate malformed readers batch "
                 "seconds max-p99 json bad-tags key-file")
        for name in names.split():
            self.assertIn(f"--{name}", run.stdout)

    def test_an_invalid_file_is_exit_code_78(self):
        path = os.path.join(self.appliance.folder.name, "bad.yaml")
        with open(path, "w") as file:
            file.write("streams: {a: {id: 70000}}\n")
        run = subprocess.run([LOAD, "--config", path], stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.returncode, 78)
        self.assertRegex(run.stderr, r"bad\.yaml:\d+:\d+: ")

    def test_no_server_is_exit_code_1(self):
        nobody = os.path.join(self.appliance.folder.name, "nobody.sock")
        run = self.appliance.load("--query", nobody)
        self.assertEqual(run.returncode, 1)
        self.assertIn("nobody.sock", run.stderr)


class StageTest(unittest.TestCase):
    """perf/run and perf/demo."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="freshet-run-")
        self.config, self.udp = write_config(self.folder.name)
        self.environment = dict(os.environ, CONFIG=self.config, FRESHET_BUILD=BUILD,
                                RUN_RATE="5000" if SLOW else "50000", FRESHET_SERVER="")
        self.log = os.path.join(self.folder.name, "freshet.log")
        self.environment["STAGE_LOG"] = self.log

    def tearDown(self):
        self.folder.cleanup()

    def start(self, script, **more):
        return subprocess.Popen([os.path.join(SOURCE, script)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                env=dict(self.environment, **more))

    def assert_nothing_is_left(self):
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.bind(("127.0.0.1", self.udp))
        probe.close()

    def test_run_ends_by_itself_with_exit_code_0(self):
        run = self.start("perf/run", RUN_SECONDS="4")
        out, _ = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, out)
        self.assertIn(f"redis-cli -s {os.path.realpath(self.folder.name)}/freshet.sock HMGET", out)
        self.assertIn("100 %", out)
        self.assertIn(f"{self.folder.name}/data", out)
        for reason in ("message_duplicate", "event_late", "text_syntax"):
            self.assertIn(reason, out)
        self.assertRegex(out, r"txn_count_10m [1-9]")
        self.assertIn("received - applied - drops = 0", out)
        self.assert_nothing_is_left()

    def test_ctrl_c_ends_both_with_exit_code_0(self):
        run = self.start("perf/run")
        lines = []
        for line in run.stdout:
            lines.append(line)
            if "event to readable" in line:
                break
        os.killpg(run.pid, signal.SIGINT)
        lines += run.stdout.readlines()
        run.stdout.close()
        self.assertEqual(run.wait(30), 0, "".join(lines))
        self.assertIn("received - applied - drops = 0", "".join(lines))
        self.assert_nothing_is_left()

    def test_a_taken_port_is_named_with_what_to_do(self):
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        holder.bind(("127.0.0.1", self.udp))
        run = self.start("perf/run", RUN_SECONDS="1")
        out, _ = run.communicate(timeout=30)
        holder.close()
        self.assertEqual(run.returncode, 1, out)
        self.assertIn(f"udp port {self.udp}", out)
        self.assertIn("CONFIG=", out)

    def test_demo_plays_its_acts_and_its_zeros_are_zero(self):
        run = self.start("perf/demo", DEMO_SECONDS="2")
        out, _ = run.communicate(timeout=100)
        self.assertEqual(run.returncode, 0, out)
        self.assertRegex(out, r"txn_count_10m 3 -> 4, readable after \d+ us")
        self.assertRegex(out, r"read p99 \d+ -> \d+ us")
        self.assertGreaterEqual(len(re.findall(r"received - applied - drops = 0", out)), 3)
        self.assertIn("text_wrong_type", out)
        self.assertRegex(out, r"acked [1-9]\d*, found [1-9]\d*, lost 0, twice 0, back in \d+\.")
        self.assert_nothing_is_left()


if __name__ == "__main__":
    if not hasattr(socket, "AF_UNIX"):
        print("skipped: no unix sockets")
        sys.exit(77)
    unittest.main(verbosity=2)
