#!/usr/bin/env python3
"""freshet inspect and freshet verify: the golden store as its text twins say, and stores that a
second writer made (tests/support/store.py), whole, torn and damaged."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ["FRESHET_SOURCE"]
sys.path.insert(0, os.path.join(SOURCE, "tests/support"))
import store  # noqa: E402

PROGRAM = os.path.join(os.environ["FRESHET_BUILD"], "freshet")
GOLDEN = os.path.join(SOURCE, "tests/golden/store")
GOLDEN_LOGS = ["mirror-000-00000007.log", "mirror-000-00000008.log"]
GOLDEN_FILES = ["manifest-0000000012", *GOLDEN_LOGS, "tiles-0000000012-000.lanes",
                "tiles-0000000012-000.rows"]
LSN = store.lsn


def freshet(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)


class StoreTest(unittest.TestCase):
    """A data directory of its own for each test."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)

    def flip(self, name, place):
        with open(self.path(name), "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1]))

    def put(self, segment):
        self.write(segment.name, segment.data)

    def golden(self):
        for name in GOLDEN_FILES:
            shutil.copy(os.path.join(GOLDEN, name), self.path(name))
        for name in GOLDEN_LOGS:
            os.truncate(self.path(name), 1 << 20)

    def inspect(self, name, *options, exit_code=0):
        done = freshet("inspect", self.path(name), "--json", *options)
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def verify(self, exit_code):
        done = freshet("verify", self.folder, "--json")
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["ok"], exit_code == 0)
        people = freshet("verify", self.folder)
        self.assertEqual(people.returncode, exit_code)
        for line in report["files"]:
            self.assertIn(line["sentence"], people.stdout)
        return report

    def states(self, exit_code=0):
        return {line["file"]: line["state"] for line in self.verify(exit_code)["files"]}


class GoldenTest(StoreTest):
    def test_each_file_shows_as_its_text_twin(self):
        self.golden()
        for name in GOLDEN_FILES:
            done = freshet("inspect", "--entries", self.path(name))
            self.assertEqual(done.returncode, 0, done.stderr)
            twin = os.path.join(GOLDEN, name + ".txt")
            if os.environ.get("UPDATE_GOLDEN"):
                with open(twin, "w", encoding="utf-8") as file:
                    file.write(done.stdout)
            with open(twin, encoding="utf-8") as file:
                self.assertEqual(done.stdout, file.read())

    def test_the_store_is_whole(self):
        self.golden()
        self.assertEqual(set(self.states().values()), {"good"})

    def test_every_flipped_byte_is_found_or_lies_in_padding(self):
        self.golden()
        content = {"manifest-0000000012": 519, "tiles-0000000012-000.lanes": 64 + 1104}
        for name, size in content.items():
            for place in range(0, size, 37):
                self.flip(name, place)
                done = freshet("verify", self.folder)
                self.assertEqual(done.returncode, 1, f"{name} {place}\n{done.stdout}")
                self.flip(name, place)
            self.flip(name, size - 1)
            self.states(1)
            self.flip(name, size - 1)
        self.flip("tiles-0000000012-000.lanes", 4095)
        self.states(0)


class SegmentTest(StoreTest):
    def make(self, shard=0, number=1, first=1, frames=4):
        """Frames of 3 records; one before the last is longer than a block."""
        segment = store.Segment(shard, number, LSN(3, first), LSN(3, first - 1) if first > 1 else 0)
        for i in range(frames):
            if i == frames - 2:
                segment.messages(2, 1, size=3000)
            else:
                segment.messages(2, 1)
        return segment

    def test_a_second_writer_is_understood(self):
        segment = self.make()
        segment.frame()
        self.put(segment)
        shown = self.inspect(segment.name, "--entries")
        self.assertEqual([f["place"] for f in shown["frames"]], segment.places)
        self.assertEqual(shown["state"], "good")
        self.assertEqual(shown["last_lsn"], "3:12")
        self.assertTrue(shown["frames"][-1]["witness"])
        entry = shown["frames"][0]["entries"][0]
        self.assertEqual((entry["kind"], entry["events"], entry["verdicts"]),
                         ("message", 2, {"applied": 2}))
        limited = self.inspect(segment.name, "--limit", "2")
        self.assertEqual(len(limited["frames"]), 2)
        self.assertEqual(limited["frame_count"], 5)

    def test_a_bad_frame_before_a_good_one_is_damage(self):
        segment = self.make()
        self.put(segment)
        self.flip(segment.name, segment.places[1] + 70)
        shown = self.inspect(segment.name, exit_code=1)
        self.assertEqual(shown["state"], "damaged")
        self.assertEqual([f["found"] for f in shown["frames"]],
                         ["frame", "bad_crc", "frame", "frame"])
        line = self.verify(1)["files"][0]
        self.assertEqual((line["state"], line["shard"], line["lost_first_lsn"],
                          line["lost_last_lsn"]), ("damaged", 0, "3:4", "3:6"))

    def test_a_bad_last_frame_is_a_torn_end(self):
        segment = self.make()
        self.put(segment)
        self.flip(segment.name, segment.places[3] + 70)
        self.assertEqual(self.states(), {segment.name: "torn"})
        self.assertEqual(self.inspect(segment.name)["last_lsn"], "3:9")

    def test_a_frame_that_was_written_in_part_is_torn(self):
        segment = self.make(frames=3)
        place = segment.places[1]
        segment.data[place + 512:] = bytes(len(segment.data) - place - 512)
        self.put(segment)
        self.assertEqual(self.states(), {segment.name: "torn"})

    def test_what_the_file_held_before_is_no_damage(self):
        old = store.Segment(0, 1, LSN(3, 1), 0)
        while old.place < 1 << 16:
            old.messages(1)
        new = store.Segment(0, 9, LSN(3, 100), LSN(3, 99))
        new.messages(1)
        old.data[:new.place] = new.data[:new.place]
        self.write(new.name, old.data)
        self.assertEqual(self.states(), {new.name: "good"})
        self.assertEqual(self.inspect(new.name)["end"]["found"], "other_segment")

    def test_segments_that_were_not_begun_are_empty(self):
        self.write("mirror-000-00000002.log", bytes(1 << 20))
        old = self.make(number=1)
        self.write("mirror-001-00000003.log", old.data)
        self.assertEqual(set(self.states().values()), {"empty"})

    def test_a_bad_header_before_good_frames_is_damage(self):
        first, second = self.make(number=1), self.make(number=2, first=13)
        self.put(first)
        self.put(second)
        self.flip(second.name, 40)
        line = [f for f in self.verify(1)["files"] if f["state"] == "damaged"][0]
        self.assertEqual((line["file"], line["lost_first_lsn"]), (second.name, "3:13"))
        self.inspect(second.name, exit_code=1)

    def test_a_shorter_file_is_damage(self):
        segment = self.make()
        self.put(segment)
        os.truncate(self.path(segment.name), segment.places[2])
        self.assertEqual(self.states(1), {segment.name: "damaged"})
        self.assertTrue(self.inspect(segment.name, exit_code=1)["cut"])

    def test_a_log_with_a_hole_between_segments_is_damage(self):
        first, third = self.make(number=1), self.make(number=3, first=25)
        self.put(first)
        self.put(third)
        line = [f for f in self.verify(1)["files"] if f["state"] == "damaged"][0]
        self.assertEqual((line["lost_first_lsn"], line["lost_last_lsn"]), ("3:13", "3:24"))
        second = self.make(number=2, first=13)
        self.put(second)
        self.assertEqual(set(self.states().values()), {"good"})

    def test_a_torn_end_that_the_next_segment_knows_stays_one(self):
        first = self.make(number=1)
        self.put(first)
        self.flip(first.name, first.places[3] + 70)
        second = store.Segment(0, 2, LSN(4, 10), LSN(3, 9))
        second.messages(1)
        self.put(second)
        self.assertEqual(self.states(), {first.name: "torn", second.name: "good"})
        second = store.Segment(0, 2, LSN(4, 13), LSN(3, 12))
        second.messages(1)
        self.put(second)
        self.assertEqual(self.verify(1)["counts"]["damaged"], 1)

    def test_a_good_crc_over_bad_entries_is_told(self):
        segment = self.make(frames=2)
        segment.frame(store.message(segment.next_lsn + 1, 1), 1)
        segment.messages(1)
        self.put(segment)
        shown = self.inspect(segment.name, exit_code=1)
        self.assertEqual([f["found"] for f in shown["frames"]],
                         ["frame", "frame", "bad_entries", "frame"])

    def test_a_segment_of_another_store_is_told(self):
        self.put(self.make(number=1))
        other = store.Segment(0, 2, LSN(3, 13), LSN(3, 12), store_id=b"another store id")
        other.messages(1)
        self.put(other)
        self.assertEqual(self.states(1)[other.name], "damaged")


class ManifestTest(StoreTest):
    def make(self, generation=12, replay=3, end=6):
        """A store of one shard: rows, a delta, lanes, a manifest and its log."""
        files = [store.tile(store.ROWS, 0, generation - 1, [store.row(), store.row(7, 3)]),
                 store.tile(store.ROWS, 0, generation, [store.row()], [store.row()]),
                 store.tile(store.LANES, 0, generation, [store.lane(7)])]
        for name, data, _ in files:
            self.write(name, data)
        shard = (LSN(3, replay), LSN(3, end), [entry for _, _, entry in files])
        name, data = store.manifest(generation, [shard])
        self.write(name, data)
        segment = store.Segment(0, 1, LSN(3, 1), 0, shards=1)
        segment.messages(2, 1)
        segment.messages(2, 1)
        self.put(segment)
        return name, files

    def test_a_second_writer_is_understood(self):
        name, files = self.make()
        report = self.verify(0)
        self.assertEqual(report["manifests"], 1)
        self.assertEqual({f["state"] for f in report["files"]}, {"good"})
        shown = self.inspect(name)
        self.assertEqual(shown["shards"][0]["replay_lsn"], "3:3")
        self.assertEqual(shown["catalog"]["views"][0]["view"], "activity")
        self.assertEqual(self.inspect(files[1][0])["block_count"], 2)
        self.assertEqual(len(self.inspect(files[2][0], "--entries")["blocks"][0]["entries"]), 1)

    def test_a_damaged_or_missing_file_spoils_its_manifest(self):
        name, files = self.make()
        self.flip(files[1][0], 4096 + 80)
        states = self.states(1)
        self.assertEqual((states[name], states[files[1][0]]), ("damaged", "damaged"))
        self.assertEqual(self.inspect(files[1][0], exit_code=1)["damage"]["place"], 4096)
        os.remove(self.path(files[1][0]))
        self.assertEqual(self.verify(1)["manifests"], 0)

    def test_a_whole_file_that_is_another_is_told(self):
        _, files = self.make()
        other = store.tile(store.ROWS, 0, 12, [store.row()], [store.row(9)])
        self.write(other[0], other[1])
        line = [f for f in self.verify(1)["files"] if f["file"] == files[1][0]][0]
        self.assertIn("its crc is not what manifest-0000000012 says", line["sentence"])

    def test_files_that_nobody_names_are_no_damage(self):
        self.make()
        left = store.tile(store.ROWS, 0, 13, [store.row()])
        self.write(left[0], left[1])
        self.write("notes.txt", b"hello")
        states = self.states()
        self.assertEqual((states[left[0]], states["notes.txt"]), ("unnamed", "other"))

    def test_a_log_that_lacks_what_the_manifest_needs_is_damage(self):
        self.make(replay=5, end=9)
        line = [f for f in self.verify(1)["files"] if f["state"] == "damaged"][0]
        self.assertEqual((line["shard"], line["lost_first_lsn"], line["lost_last_lsn"]),
                         (0, "3:7", "3:9"))

    def test_a_cut_manifest_is_damage(self):
        name, _ = self.make()
        os.truncate(self.path(name), 100)
        self.assertEqual(self.states(1)[name], "damaged")
        self.assertEqual(self.inspect(name, exit_code=1)["state"], "damaged")


class EpochsTest(StoreTest):
    def make(self, cut):
        segment = store.Segment(0, 1, LSN(1, 1), 0, shards=1)
        segment.messages(2, 1)
        self.put(segment)
        self.write("epochs", store.epochs([(2, 2, 1, [(1, [LSN(1, cut)])]), (1, 1, 1, [])]))

    def test_the_slot_of_the_greater_generation_counts(self):
        self.make(cut=3)
        self.assertEqual(self.states()["epochs"], "good")
        shown = self.inspect("epochs")
        self.assertEqual([s["generation"] for s in shown["slots"]], [2, 1])
        self.assertEqual(shown["slots"][0]["cuts"], [{"epoch": 1, "lsns": ["1:3"]}])
        self.assertIn("epoch 1 counts up to 1:3", freshet("inspect", self.path("epochs")).stdout)

    def test_one_whole_slot_is_enough_and_none_is_damage(self):
        self.make(cut=3)
        self.flip("epochs", 3)
        self.assertEqual([s["state"] for s in self.inspect("epochs")["slots"]],
                         ["damaged", "good"])
        self.assertEqual(self.states()["epochs"], "good")
        self.flip("epochs", 65536 + 40)
        self.inspect("epochs", exit_code=1)
        self.assertEqual(self.states(1)["epochs"], "damaged")

    def test_a_log_that_ends_below_the_cut_is_damage(self):
        self.make(cut=5)
        line = [f for f in self.verify(1)["files"] if f["state"] == "damaged"][0]
        self.assertEqual((line["shard"], line["lost_first_lsn"], line["lost_last_lsn"]),
                         (0, "1:4", "1:5"))


def set_aside(reason, field, bit=0x80):
    return reason | (bit | field) << 8


class QuarantineTest(StoreTest):
    """Two segments of shard 0 and one of shard 1; events of 24 bytes, of which 16 are known."""

    BELOW, LATE = 3, 7

    def add(self, segment, *verdicts):
        segment.frame(store.message(segment.next_lsn, len(verdicts), verdicts=verdicts),
                      len(verdicts))

    def make(self, with_plan=True):
        first = store.Segment(0, 1, LSN(3, 1), 0)
        self.add(first, 0, set_aside(self.BELOW, 1), set_aside(self.BELOW, 1, 0))
        self.add(first, set_aside(self.BELOW, 1))
        second = store.Segment(0, 2, LSN(3, 5), LSN(3, 4))
        self.add(second, self.LATE, set_aside(self.BELOW, 0))
        other = store.Segment(1, 3, LSN(3, 1), 0)
        self.add(other, set_aside(self.BELOW, 63))
        for segment in (first, second, other):
            self.put(segment)
        if with_plan:
            name, data = store.manifest(9, [(LSN(3, 0), LSN(3, 0), [])])
            self.write(name, data)
        return first

    def quarantine(self, *arguments, exit_code=0):
        done = freshet("quarantine", *arguments, "--json")
        self.assertEqual(done.returncode, exit_code, done.stderr)
        return json.loads(done.stdout), done.stderr

    def positions(self, *arguments):
        listed, said = self.quarantine("list", self.folder, *arguments)
        return [event["position"] for event in listed], said

    def test_what_was_set_aside_is_listed_over_segments_and_shards(self):
        self.make()
        self.assertEqual(self.positions(), (["0:3:2", "0:3:4", "0:3:6", "1:3:1"], ""))
        self.assertEqual(self.positions("--all")[0],
                         ["0:3:2", "0:3:3", "0:3:4", "0:3:5", "0:3:6", "1:3:1"])
        self.assertEqual(self.positions("--reason", "event_late", "--all")[0], ["0:3:5"])
        self.assertEqual(self.positions("--field", "card")[0], ["0:3:2", "0:3:4"])

    def test_the_newest_are_kept_and_older_ones_are_told(self):
        self.make()
        for limit, expected in ((1, ["1:3:1"]), (3, ["0:3:4", "0:3:6", "1:3:1"])):
            positions, said = self.positions("--limit", str(limit))
            self.assertEqual(positions, expected)
            self.assertIn("there are older ones", said)
        self.assertEqual(self.positions("--limit", "4")[1], "")

    def test_the_newest_manifest_tells_what_the_bytes_are(self):
        self.make()
        event, _ = self.quarantine("show", self.folder, "0:3:2")
        letters = int.from_bytes(b"e" * 8, "little")
        self.assertEqual(event["fields"], {"ts": letters, "card": letters})
        self.assertEqual((event["field"], event["rule"], event["producer"], event["lane"]),
                         ("card", "min", 7, 2))
        beyond, _ = self.quarantine("show", self.folder, "1:3:1")
        self.assertIsNone(beyond["field"])
        applied, _ = self.quarantine("show", self.folder, "0:3:1")
        self.assertEqual((applied["reason"], applied["quarantined"]), ("applied", False))

    def test_without_a_plan_there_are_bytes(self):
        self.make(with_plan=False)
        self.assertEqual(len(self.positions()[0]), 4)
        event, _ = self.quarantine("show", self.folder, "0:3:2")
        self.assertEqual((event["stream"], event["fields"], event["stream_id"]), (None, None, 1))
        shown = freshet("quarantine", "show", self.folder, "0:3:2").stdout
        self.assertIn("24 bytes; no plan is left", shown)
        self.assertIn("(id 1)", freshet("quarantine", "list", self.folder).stdout)
        self.assertEqual(self.positions("--stream", "transaction")[0], [])

    def test_damage_hides_what_it_hits_and_is_told(self):
        first = self.make()
        self.flip(first.name, first.places[0] + 70)
        positions, said = self.positions()
        self.assertEqual(positions, ["0:3:4", "0:3:6", "1:3:1"])
        self.assertIn("bytes that cannot be read in 1 of the segments", said)
        self.assertEqual(freshet("quarantine", "show", self.folder, "0:3:2").returncode, 1)

    def test_an_empty_directory_has_none(self):
        self.assertEqual(self.positions(), ([], ""))
        self.assertEqual(freshet("quarantine", "list", self.folder).stdout, "no events\n")


class VerbTest(StoreTest):
    def test_other_files_are_refused_with_what_is_allowed(self):
        self.write("x", b"no such format")
        done = freshet("inspect", self.path("x"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("segments (mirror-*.log)", done.stderr)
        self.write("y", b"")
        self.assertEqual(freshet("inspect", self.path("y")).returncode, 1)
        self.assertIn("No such file", freshet("inspect", self.path("none")).stderr)
        self.assertEqual(freshet("inspect", self.folder).returncode, 1)
        self.assertEqual(freshet("inspect").returncode, 2)
        self.assertIn("No such file", freshet("verify", self.path("none")).stderr)
        self.assertEqual(freshet("verify", self.path("x")).returncode, 1)

    def test_an_empty_directory_is_whole(self):
        self.assertEqual(self.verify(0)["files"], [])


if __name__ == "__main__":
    unittest.main()
