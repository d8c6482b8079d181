#!/usr/bin/env python3
"""Plants bugs in the product and sees whether the simulator finds them: one substitution each, in a
copy of a source file below the build folder; the source tree is never touched.

Prints a table: the bug, the seed that found it, the law it broke, seconds. Exit 1 when one survives
or a text to replace does not stand exactly once in its file.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [str(pathlib.Path(HERE).parent / folder) for folder in ("reliability", "support")]
sys.dont_write_bytecode = True
import figures  # noqa: E402

SOURCE = os.environ.get("FRESHET_SOURCE", os.path.join(HERE, "..", ".."))
BUILD = os.environ.get("FRESHET_BUILD", os.path.join(SOURCE, "build"))
PROGRAM = "tests/simulation/simulate"
FOLDER = "tests/simulation/planted"

# name, file, what stands there, what stands there instead
BUGS = [
    ("acknowledged when accepted", "dataplane/lanes_acked.c",
     "    window_set(lane->window, sequence);\n    if (sequence > lane->top) {",
     "    window_set(lane->window, sequence);\n    window_set(lane->durable, sequence);\n"
     "    if (sequence > lane->top) {"),
    ("accepted said to be durable", "dataplane/lanes_acked.c",
     "(uint64_t)window_has(lane->durable, sequence) << (i % 64)",
     "(uint64_t)window_has(lane->window, sequence) << (i % 64)"),
    ("short write believed", "dataplane/mirror.c",
     "if (outcome == (int64_t)mirror->write_left) {",
     "if (outcome > 0) {"),
    ("failed write believed", "dataplane/mirror.c",
     "    } else {\n        write_broken(mirror, now_us);\n        return;",
     "    } else {\n        frame_durable(mirror, now_us, on_durable, context);\n        return;"),
    ("tail rewritten", "dataplane/mirror.c",
     "    mirror->segment_offset = mirror->write_end;\n",
     "    mirror->segment_offset = mirror->write_end - MIRROR_BLOCK_BYTES;\n"),
    ("new segment forgets where the old one ended", "dataplane/mirror.c",
     "    mirror->sealed_lsn = mirror->durable_lsn;\n    return true;",
     "    return true;"),
    ("no witness", "dataplane/mirror.c",
     "return mirror->witness_due &&",
     "return false &&"),
    ("complete before homes are durable", "dataplane/mirror.c",
     "if (pending->forward_lsn[home] > home_lsn[home]) {",
     "if (false && pending->forward_lsn[home] > home_lsn[home]) {"),
    ("frame without crc check", "dataplane/feature/mirror_format.c",
     "if (frame_crc(checksum_crc32c(0, data + MIRROR_FRAME_HEADER, frame.size), data)"
     " != frame.crc) {",
     "if (frame.crc == 0) {"),
    ("window slides over a hole", "dataplane/lanes_acked.c",
     "if (sequence > lane->start && sequence - lane->start > LANE_WINDOW) {",
     "if (sequence > lane->start && sequence - lane->start > 2 * LANE_WINDOW) {"),
    ("lanes not in the checkpoint", "dataplane/walk.c",
     "if (lanes_save(lanes, walk->lane, &saved)) {",
     "if (false && lanes_save(lanes, walk->lane, &saved)) {"),
    ("window not restored", "dataplane/lanes_acked.c",
     "    memcpy(lane->window, saved->window, sizeof(lane->window));\n",
     ""),
    ("restored lane begins too high", "dataplane/lanes_acked.c",
     "uint64_t base = message->sequence > LANE_WINDOW ? message->sequence - LANE_WINDOW : 0;",
     "uint64_t base = message->sequence - 1;"),
    ("replay begins where the walk ended", "dataplane/walk.c",
     "    walk->summary.end_lsn = worker->shard.lsn;\n",
     "    walk->summary.end_lsn = worker->shard.lsn;\n"
     "    walk->summary.start_lsn = worker->shard.lsn;\n"),
    ("manifest before homes are durable", "controlplane/checkpoint.c",
     "    if (!homes_are_durable(checkpoint)) {",
     "    if (!homes_are_durable(checkpoint) && checkpoint == NULL) {"),
    ("delta begins where the last walk ended", "controlplane/checkpoint.c",
     "checkpoint_base(checkpoint)->shard[index].replay_lsn;",
     "checkpoint_base(checkpoint)->shard[index].end_lsn;"),
    ("segment let go too early", "controlplane/checkpoint.c",
     "            first = needed < first ? needed : first;",
     "            first = needed == 0 ? needed : first - 1;"),
    ("new segment's name not synced", "controlplane/segments_ready.c",
     "        result = disk_folder_sync(disk, \"\");\n    }\n    if (result == RESULT_OK) {\n"
     "        result = disk_file_open(disk, name, DISK_LOG, out_file);",
     "        result = RESULT_OK;\n    }\n    if (result == RESULT_OK) {\n"
     "        result = disk_file_open(disk, name, DISK_LOG, out_file);"),
    ("replay ignores the row's LSN", "dataplane/shard.c",
     "return shard->replaying && lsn <= row[ROW_LSN];",
     "return shard->replaying && lsn <= row[ROW_LSN] && lsn == 0;"),
    ("replay ignores refusals", "dataplane/replay_gather.c",
     "views_without(replay, events, verdict >> 16);",
     "views_without(replay, events, 0 * (verdict >> 16));"),
    ("replay ignores verdicts", "dataplane/replay_gather.c",
     "} else if (reason == VERDICT_applied) {",
     "} else if (reason != VERDICT_event_key_null) {"),
    ("owners ask their homes' rules again", "dataplane/ingress.c",
     "plan->stream[forward->stream].decode_judged",
     "plan->stream[forward->stream].decode"),
    ("a forward keeps what a rule made null", "dataplane/route.c",
     "    if (burst->nulled) {",
     "    if (burst->nulled && event == BURST_EVENTS_MAX) {"),
    ("T begins anew", "dataplane/worker_recovery.c",
     "    if (apply_us > worker->turn.apply_us) {\n",
     "    if (apply_us == INT64_MAX) {\n"),
    ("watermarks begin anew", "dataplane/replay.c",
     "replay->watermark_us[s] > worker->watermark_us[s]",
     "replay->watermark_us[s] == INT64_MAX"),
    ("void forward believed", "controlplane/recovery_load.c",
     "    return epochs_is_void(&recovery->epochs, home, home_lsn);",
     "    return epochs_is_void(&recovery->epochs, home, home_lsn) && home_lsn == 0;"),
    ("cut not stored", "controlplane/epochs.c",
     "    if (cut != NULL) {\n        epochs_learn(next, cut);",
     "    if (cut != NULL && cut->epoch == 0) {\n        epochs_learn(next, cut);"),
    ("epoch not claimed", "controlplane/epochs.c",
     "    enum result result = file_replace(disk, epochs, next);",
     "    enum result result = epochs->epoch == 0 ? file_replace(disk, epochs, next) : RESULT_OK;"),
    ("homes do not forward again", "controlplane/recovery_load.c",
     "recovery->forwards[w].count);",
     "recovery->forwards[w].count / 2);"),
    ("homes forward again what owners have", "controlplane/recovery_load.c",
     "start.forward_lsn[owner] = recovery->counts[owner].forward_lsn[home];",
     "start.forward_lsn[owner] = recovery->counts[owner].forward_lsn[home] - "
     "(recovery->counts[owner].forward_lsn[home] > 1);"),
    ("stale segment believed", "controlplane/log_reader.c",
     "segment->shard == reader->shard && segment->number == file->number;",
     "segment->shard == reader->shard && (segment->number = file->number) != 0;"),
    ("torn tail taken for damage", "controlplane/log_reader.c",
     "        out.end->torn_bytes += MIRROR_BLOCK_BYTES;",
     "        log_damage_set(out.damage, 0, 0, 0, 0, \"torn\");\n        result = RESULT_CORRUPT;"),
    ("damage taken for a torn tail", "controlplane/log_reader.c",
     "    if (result == RESULT_OK && later) {\n        log_damage_set(out.damage, file->number, "
     "walk.scan.place, walk.scan.due_lsn,",
     "    if (result == RESULT_OK && later && file == NULL) {\n        log_damage_set(out.damage, "
     "file->number, walk.scan.place, walk.scan.due_lsn,"),
]


def compile_command(path):
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        for entry in json.load(file):
            full = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            if full == os.path.normpath(os.path.join(SOURCE, path)):
                return shlex.split(entry["command"])
    raise SystemExit(f"{path} is compiled by nothing")


def link_command():
    lines = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", PROGRAM], text=True,
                           stdout=subprocess.PIPE, check=True).stdout.splitlines()
    return shlex.split(lines[-1])


def mutate(bug):
    """The source with the bug; None when the text is not there exactly once."""
    _, path, old, new = bug
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        text = file.read()
    spaced = re.compile(r"\s+".join(re.escape(word) for word in old.split()))
    if text.count(old) == 1:
        return text.replace(old, new)
    found = spaced.findall(text)
    return spaced.sub(lambda _: new.strip("\n"), text) if len(found) == 1 else None


def build(bug, link):
    """Path of a simulator with the bug, or a sentence why there is none."""
    text = mutate(bug)
    if text is None:
        return None, f"the text to replace does not stand once in {bug[1]}"
    folder = os.path.join(BUILD, FOLDER, re.sub(r"\W+", "_", bug[0]))
    os.makedirs(folder, exist_ok=True)
    source = os.path.join(folder, os.path.basename(bug[1]))
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    output = source[:-2] + ".o"
    command = compile_command(bug[1])
    drop = {"-Werror", "-MD", "-O3"}
    command = [word for word in command if word not in drop]
    for flag in ("-MQ", "-MF", "-o", "-c"):
        at = command.index(flag)
        del command[at:at + 2]
    command += ["-w", "-O1", "-o", output, "-c", source]
    compiled = subprocess.run(command, cwd=BUILD, text=True, stderr=subprocess.PIPE)
    if compiled.returncode != 0:
        return None, compiled.stderr
    program = os.path.join(folder, "simulate")
    at = link.index("-o")
    command = link[:at] + ["-o", program, output] + link[at + 2:]
    linked = subprocess.run(command, cwd=BUILD, text=True, stderr=subprocess.PIPE)
    return (program, None) if linked.returncode == 0 else (None, linked.stderr)


def hunt(bug, link, seeds, limit_s):
    """(caught, what to print) of one bug."""
    start = time.monotonic()
    program, reason = build(bug, link)
    if program is None:
        return False, f"{bug[0]:<46} {reason}"
    environment = {k: v for k, v in os.environ.items() if k not in ("SEEDS", "SEED")}
    try:
        run = subprocess.run([program, "--seeds", str(seeds)], text=True, env=environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=limit_s)
        errors, status = run.stderr, run.returncode
    except subprocess.TimeoutExpired as expired:
        errors, status = (expired.stderr or b"").decode(), -1
    os.remove(program)
    seconds = time.monotonic() - start
    seed = re.search(r"^SEED=(\d+) fails", errors, re.M)
    if status == 1 and seed:
        law = errors.strip().splitlines()[-1]
        return True, f"{bug[0]:<46} {seed.group(1):>6} {seconds:7.1f}  {law[:70]}"
    if status not in (0, 1, -1):
        return True, f"{bug[0]:<46} {'?':>6} {seconds:7.1f}  ended with {status}"
    return False, f"{bug[0]:<46} {'-':>6} {seconds:7.1f}  SURVIVES"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3000, help="tried per bug")
    parser.add_argument("--limit", type=float, default=300, help="seconds per bug")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true")
    parser.add_argument("only", nargs="*", help="words of names")
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if not options.only or any(w in bug[0] for w in options.only)]
    if options.list:
        print("\n".join(f"{bug[0]:<46} {bug[1]}" for bug in bugs))
        return 0
    link = link_command()
    print(f"{'bug':<46} {'seed':>6} {'seconds':>7}  law")
    caught = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for good, line in pool.map(lambda bug: hunt(bug, link, options.seeds, options.limit), bugs):
            caught += good
            print(line, flush=True)
    if not options.only:
        figures.keep("planted", [figures.row(
            "bugs planted in the product, for the simulator to find", len(bugs), "bugs",
            {"survived": len(bugs) - caught}, seeds_per_bug=options.seeds)])
    print(f"{caught} of {len(bugs)} planted bugs are caught")
    print(f"{caught} passed, {len(bugs) - caught} failed, 0 skipped")
    return 0 if caught == len(bugs) else 1


if __name__ == "__main__":
    sys.exit(main())
