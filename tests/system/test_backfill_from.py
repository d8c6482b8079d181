#!/usr/bin/env python3
"""A file's events are history of their stream: in the mirror once, whatever is killed, taken by
every view that is filled from then on and by no other, known to recovery, training and replay."""

import contextlib
import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

import dataset

import appliance  # noqa: E402 (dataset has put tests/support on the path)
import client  # noqa: E402
import duckdb  # noqa: E402

SEED = int(os.environ.get("SEED", "11"))
DAY_US = 86400 * 10**6
CARDS = 60
ROWS = 5000
DATA = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
HEAD = """
streams:
  payment:
    id: 1
    time: ts
    fields: {ts: {type: timestamp}, card: {type: u64}, amount: {type: decimal, scale: 2}}
views:
"""
VIEW = """  %s:
    entity: card
    source: payment
    version: %d
    windows: [1h, 20d]
    aggregates: {n: count(), total: sum(amount), least: min(amount), newest: "last(amount)",
                 kinds: approx_distinct(amount), p90: "quantile(amount, 0.9)"}
"""
EXACT = ["n_1h", "n_20d", "total_20d", "least_20d", "newest_20d"]
ALL = EXACT + ["kinds_20d", "p90_20d"]
SERVICE = """services:
  fraud: {features: [%s]}
"""


def now_us():
    return time.time_ns() // 1000


def views_of(*views):
    return HEAD + "".join(VIEW % view for view in views) + SERVICE % ", ".join(
        f"{views[-1][0]}.{feature}" for feature in ALL)


class World:
    """An appliance that runs the view `plain`, what it got, and a file of what was before."""

    def __init__(self, folder, shards=2, data=DATA, **options):
        self.machine = appliance.Appliance(folder, shards=shards, streams=views_of(("plain", 1)),
                                           data=data, memory="256MiB", **options)
        self.folder = self.machine.folder
        self.source = random.Random(SEED + shards)
        self.shards, self.sequence = shards, 0
        self.definition = dataset.oracle.Definition(HEAD.split("\nviews:")[0] + "\n")
        self.live, self.history, self.sent = [], [], []
        self.machine.start()
        self.created_us = self.machine.status()["store"]["created_us"]

    def row(self, time_us):
        return (time_us, self.source.randrange(CARDS), self.source.randrange(100_000))

    def send(self, count):
        """Live events; some are in the file, too."""
        events = [self.row(max(now_us() - self.source.randrange(200_000), self.created_us))
                  for _ in range(count)]
        self.sequence += 1
        message = dataset.oracle.Message(self.definition.streams["payment"], events,
                                         self.sequence, 7)
        self.sent.append(client.pack_message(message.stream, message))
        self.machine.send(self.sent[-1])
        self.live += events

    def arrive(self):
        """What was lost on the way is sent again: it counts once."""
        for _ in range(10):
            try:
                self.machine.wait_received(len(self.live), 3)
                break
            except AssertionError:
                self.machine.send(*self.sent[-20:])
        self.machine.wait_received(len(self.live))

    def file_write(self, form="csv", more=(), name="history", rows=ROWS):
        self.history += [self.row(self.created_us - 1 - self.source.randrange(25 * DAY_US))
                         for _ in range(rows)]
        rows = self.history[-rows:] + self.live[:100]
        if form != "parquet":
            self.source.shuffle(rows)
        path = self.folder / f"{name}.{form}"
        texts = [(ts, card, f"{amount // 100}.{amount % 100:02}") for ts, card, amount in rows]
        plain = self.folder / (name + ".csv") if form == "parquet" else path
        if form == "ndjson":
            path.write_text("".join('{"ts": %d, "card": %d, "amount": %s}\n' % row for row in texts)
                            + "".join(more))
            return path
        plain.write_text("card,ts,note,amount\n" + "".join(
            f"{card},{ts},x,{amount}\n" for ts, card, amount in texts) + "".join(more))
        if form == "parquet":
            with contextlib.closing(duckdb.Database()) as database:
                database.query(f"COPY (SELECT card::UBIGINT AS card, make_timestamp(ts) AS ts, "
                               f"amount::DECIMAL(9, 2) AS amount FROM '{plain}') TO '{path}' "
                               "(FORMAT parquet)")
        return path

    def files(self, *views):
        """The definitions with these views instead of its own."""
        text = self.machine.definitions.read_text()
        path = self.folder / "after.yaml"
        path.write_text(text[:text.index("\nstreams:")] + views_of(*views))
        return [str(path)]

    def backfill(self, view, files, *options):
        return subprocess.Popen(
            [appliance.PROGRAM, "backfill", view, *files, "--json", "--server",
             str(self.machine.socket), *map(str, options)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=self.folder)

    def filled(self, view, files, *options, code=0):
        process = self.backfill(view, files, *options)
        out, err = process.communicate()
        assert process.returncode == code, (process.returncode, out, err)
        return json.loads(out)

    def values(self, view, features=None):
        redis = client.Redis(path=self.machine.socket)
        out = {card: [None if value is None else value.decode() for value in redis.call(
            "HMGET", f"card:{card}", *[f"{view}.{feature}" for feature in features or EXACT])]
               for card in range(CARDS)}
        redis.close()
        return out

    def naive(self, events, at_us):
        """EXACT of each card: newest is that of the greatest time and order, which both have."""
        begin_us = (at_us - 20 * DAY_US) // (DAY_US) * DAY_US
        out = {}
        for card in range(CARDS):
            own = sorted((e for e in events if e[1] == card and begin_us <= e[0] < at_us),
                         key=lambda event: event[0])  # Ties as they came.
            hour = sum(e[0] >= (at_us - 3600 * 10**6) // (300 * 10**6) * (300 * 10**6) for e in own)
            total, least = sum(e[2] for e in own), min((e[2] for e in own), default=None)
            cents = ["%d.%02d" % divmod(v, 100) if own else None
                     for v in (total, least or 0, own[-1][2] if own else 0)]
            out[card] = [str(hour), str(len(own))] + cents
        return out

    def check(self, view, events):
        """Once all that was sent has come."""
        appliance.wait_until(lambda: sum(s["forwards_applied"] for s in self.shards_read()) >=
                             sum(s["events_forwarded"] for s in self.shards_read()), "forwards")
        for _ in range(50):  # A window may begin anew between two looks.
            got, want = self.values(view), self.naive(events, now_us())
            for card, values in got.items():  # No row, or one whose time is over: as an empty one.
                got[card] = ["0", "0", None, None, None] if values == 5 * [None] else values
            if got == want:
                return
            time.sleep(0.1)
        wrong = {card: (got[card], want[card]) for card in got if got[card] != want[card]}
        assert not wrong, (view, len(wrong), list(wrong.items())[:3])

    def shards_read(self):
        return self.machine.status()["shards"]

    def drop_count(self):
        stream, = [s for s in self.machine.status()["streams"] if s["stream"] == "payment"]
        assert stream["balance"] == 0, stream
        return stream["drops"].get("event_history", 0)

    def restart(self, *views):
        self.machine.files = self.files(*views)
        self.machine.start()


def world(shards=2, **options):
    class Opened:
        def __enter__(self):
            self.folder = tempfile.TemporaryDirectory(prefix="freshet-from-")
            self.world = World(self.folder.name, shards, **options)
            return self.world

        def __exit__(self, *error):
            self.world.machine.stop()
            self.folder.cleanup()
    return Opened()


def new_views_take_a_file_and_what_comes(form="csv", shards=2):
    with world(shards) as w:
        w.send(200)
        bad = ["1,2024-13-01,x,5\n", "2,,x,5.0\n"] if form == "csv" else []
        path = w.file_write(form, bad)
        ends = threading.Event()

        def come():
            while not ends.is_set():
                w.send(3)
                time.sleep(0.01)
        sender = threading.Thread(target=come)
        sender.start()
        files = w.files(("plain", 1), ("rich", 1))
        try:
            done = w.filled("rich", files, "--from", path, code=1 if bad else 0)
        finally:
            ends.set()
            sender.join()
        account = done["from"]
        assert done["state"] == "done", done
        assert (account["events"], account["durable"]) == (ROWS, ROWS), account
        assert account["passed_over"] >= 100 and account["before_us"] == w.created_us, account
        assert account["not_events"] == (2 if bad else 0), account
        assert w.drop_count() == ROWS
        assert done["since_us"] == min(w.history)[0] == account["oldest_us"], (done, min(w.history))
        w.send(5)
        w.machine.wait_received(ROWS + len(w.live))
        w.check("rich", w.history + w.live)
        w.check("plain", w.live)
        # The mirror has it from now on: a further view needs no file, and the file counts once.
        views = [("plain", 1), ("rich", 1), ("more", 1)]
        w.filled("more", w.files(*views))
        w.check("more", w.history + w.live)
        if form != "csv":
            return
        again = w.filled("rich", w.files(("plain", 1), ("rich", 2), ("more", 1)), "--from", path,
                         code=1)
        assert again["from"]["durable"] == ROWS and again["from"]["messages_sent"] < 100, again
        assert w.drop_count() == ROWS
        w.check("rich", w.history + w.live)


def ndjson_is_history():
    new_views_take_a_file_and_what_comes("ndjson", 1)


def parquet_is_history():
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(appliance.SKIPPED)
    new_views_take_a_file_and_what_comes("parquet", 3)


def answers_are_whole_from_the_files_first_event_on():
    """A window that history reaches over is not PARTIAL; in the old view it is."""
    with world(1) as w:
        w.filled("rich", w.files(("plain", 1), ("rich", 1)), "--from", w.file_write())
        w.send(50)
        w.machine.wait_received(ROWS + 50)
        redis = client.Redis(path=w.machine.socket)
        card = w.live[0][1]
        for view, flags in (("rich", b""), ("plain", b"PARTIAL")):
            answer = redis.call("FS.GET", f"card:{card}", "FIELDS", 1, f"{view}.n_20d",
                                "WITHMETA")[1]
            assert answer[2] == flags, (view, answer)
        redis.close()


def whatever_is_killed_the_file_counts_once():
    with world(2) as w:
        path = w.file_write(rows=20000)
        files = w.files(("plain", 1), ("rich", 1))
        for number in range(4):  # The verb while it loads; once also the appliance.
            process = w.backfill("rich", files, "--from", path, "--rate", 20000)
            time.sleep(0.1 + w.source.random() * 0.3)
            w.send(20)
            if number == 2:
                w.machine.kill()
            process.kill()
            assert process.wait() != 0
            if number == 2:
                w.machine.start()
                w.live = []  # What was not acknowledged may be lost.
                redis = client.Redis(path=w.machine.socket)
                kept = sum(int(value or 0) for (value,) in w.values("plain", ["n_20d"]).values())
                redis.close()
        early = w.drop_count()
        # While it is filled the appliance is killed: the next start fills the view with all of it.
        process = w.backfill("rich", files, "--from", path, "--rate", 20000)
        redis = client.Redis(path=w.machine.socket)
        appliance.wait_until(lambda: json.loads(redis.call("FS.BACKFILL", "STATUS"))["state"]
                             == "filling", "it is filled", 30)
        w.machine.kill()
        process.wait()
        w.restart(("plain", 1), ("rich", 1))
        assert "rich" not in w.machine.status()["store"]["recovery"]["views"]
        redis = client.Redis(path=w.machine.socket)
        appliance.wait_until(lambda: json.loads(redis.call("FS.BACKFILL", "STATUS"))["state"]
                             == "done", "it is filled by the start", 60)
        redis.close()
        # With another file, for another view, which `rich` has nothing of.
        first = list(w.history)
        other = w.file_write(name="other", rows=500)
        views = [("plain", 1), ("rich", 1), ("more", 1)]
        w.filled("more", w.files(*views), "--from", other)
        live = sum(int(value or 0) for (value,) in w.values("plain", ["n_20d"]).values())
        assert live >= kept, (live, kept)
        begin_us = (now_us() - 20 * DAY_US) // DAY_US * DAY_US
        for view, history in (("rich", first), ("more", w.history)):
            got = sum(int(n) for (n,) in w.values(view, ["n_20d"]).values())
            want = sum(e[0] >= begin_us for e in history) + live
            assert got == want, (view, got, want, early)
        w.machine.kill()
        w.restart(*views)
        for view, history in (("rich", first), ("more", w.history)):
            got = sum(int(n) for (n,) in w.values(view, ["n_20d"]).values())
            assert got == sum(e[0] >= begin_us for e in history) + live, (view, got)


def training_and_replay_know_it():
    with world(2) as w:
        w.send(100)
        w.machine.wait_received(100)
        before_us = now_us()
        time.sleep(0.05)
        views = [("plain", 1), ("rich", 1)]
        w.filled("rich", w.files(*views), "--from", w.file_write())
        # A later load is for later views: rich has nothing of it, in training neither.
        whole = [*views, ("more", 1)]
        w.filled("more", w.files(*whole), "--from", w.file_write(name="other", rows=300))
        w.send(100)
        w.machine.wait_received(ROWS + 300 + 200)
        redis = client.Redis(path=w.machine.socket)
        served = {view: {} for view in ("rich", "more")}
        for view, own in served.items():
            for card in range(CARDS):
                reply = redis.call("FS.GET", f"card:{card}", "FIELDS", len(ALL),
                                   *[f"{view}.{feature}" for feature in ALL], "WITHMETA")
                own[card] = int(reply[1][6]), ["" if a[0] is None else a[0].decode()
                                               for a in reply[1::2]]
        redis.close()
        assert w.machine.stop() == 0, w.machine.log.read_text()
        for view in served:
            files = w.files(*[v for v in whole if v[0] != view], (view, 1))
            rows = trained(w, files, [(c, q) for c, (q, _) in served[view].items()], view)
            wrong = [(row, served[view][card]) for card, row in enumerate(rows)
                     if row != served[view][card][1]]
            assert not wrong, (view, len(wrong), wrong[:3])
        # Before the load nobody knew of it; as_true regards it all the same.
        asked = [(card, before_us) for card in range(CARDS)]
        known = trained(w, w.files(*whole), asked, "more")
        assert sum(int(row[1] or 0) for row in known) == 100, known
        true = trained(w, w.files(*whole), asked, "more", "--mode", "as_true")
        begin_us = before_us - 20 * DAY_US
        want = [sum(e[1] == card and begin_us // DAY_US * DAY_US <= e[0] < before_us
                    for e in w.history + w.live) for card in range(CARDS)]
        assert [int(row[1]) for row in true] == want, (true, want)
        hashes = set()
        for shards in (1, 2, 4):
            done = appliance.run("replay", "--data", w.folder / "data", "--hash", "--shards",
                                 shards, "--json", *w.files(*whole), cwd=w.folder)
            assert done.returncode == 0, done.stderr
            hashes.add(str(json.loads(done.stdout)["hash"]))
        assert len(hashes) == 1, hashes


def trained_is_served(w, views, *names):
    """n_20d of the views, read now, is what training makes of the mirror."""
    redis = client.Redis(path=w.machine.socket)
    asked, want = {name: [] for name in names}, {}
    for name in names:
        for card in range(CARDS):
            reply = redis.call("FS.GET", f"card:{card}", "FIELDS", 1, f"{name}.n_20d",
                               "WITHMETA")[1]
            asked[name].append((card, int(reply[6])))
            want[name, card] = reply[0].decode()
    redis.close()
    assert w.machine.stop() == 0, w.machine.log.read_text()
    for name in names:
        ordered = sorted(views, key=lambda view: view[0] == name)  # The service is of the last.
        got = [row[1] for row in trained(w, w.files(*ordered), asked[name], name)]
        wrong = [(card, g, want[name, card]) for card, g in enumerate(got) if g != want[name, card]]
        assert not wrong, (name, wrong[:5])


def when_views_are_filled_what_comes_is_known_by_training(shards=3):
    """Of moments between the plan that has a view and the first event that is sent to it, too."""
    with world(shards) as w:
        w.filled("rich", w.files(("plain", 1), ("rich", 1)), "--from", w.file_write())
        views = [("plain", 1), ("rich", 1), ("more", 1)]
        process = w.backfill("more", w.files(*views), "--rate", 8000)
        while process.poll() is None:
            w.send(5)
            time.sleep(0.005)
        out, err = process.communicate()
        assert process.returncode == 0, (out, err)
        w.machine.wait_received(ROWS + len(w.live))
        w.check("more", w.history + w.live)
        trained_is_served(w, views, "more")


def gone_segments_leave_the_plan_behind(shards=3):
    """What stood at the begin of the log is no longer there, and views came since."""
    data = f"directory: data, checkpoint: 100ms, mirror: {{segment: 1MiB, bytes: {4 * shards}MiB}}"
    with world(shards, data=data) as w:
        folder = w.folder / "data"
        begun = [next(folder.glob(f"mirror-{shard:03}-*1.log")) for shard in range(shards)]
        while any(path.exists() for path in begun):
            for _ in range(20):
                w.send(40)
            w.arrive()
        views = [("plain", 1), ("rich", 1)]
        w.filled("rich", w.files(*views), "--from", w.file_write())
        w.send(100)
        w.machine.wait_received(ROWS + len(w.live))
        views.append(("more", 1))
        w.filled("more", w.files(*views))
        w.send(100)
        w.machine.wait_received(ROWS + len(w.live))
        w.machine.verb("checkpoint")
        trained_is_served(w, views, "rich", "more")


def lacks_of_a_file_are_told():
    """Logs of another number of shards have it; where they are gone a producer is known."""
    with world(1) as w:
        path = w.file_write(rows=300)
        views = [("plain", 1), ("rich", 1)]
        w.filled("rich", w.files(*views), "--from", path)
        assert w.machine.stop() == 0, w.machine.log.read_text()
        loaded = list((w.folder / "data").glob("mirror-*.log"))
        w.machine.define(views_of(*views), 2, DATA)
        w.machine.start()
        w.check("rich", w.history)
        w.filled("more", w.files(*views, ("more", 1)), "--from", path)
        w.check("more", w.history)
        assert w.machine.stop() == 0, w.machine.log.read_text()
        for segment in loaded:
            segment.unlink(missing_ok=True)  # Or it was begun, as another one.
        w.machine.define(views_of(*views, ("more", 1)), 2, DATA)
        w.machine.start()
        w.check("more", w.history)
        for _ in range(10):  # More events than the file has say nothing of it.
            w.send(50)
        w.arrive()
        process = w.backfill("more", w.files(*views, ("more", 2)), "--from", path)
        _, err = process.communicate()
        assert process.returncode == 1 and "lacks events of the file" in err, err
        whole = w.filled("more", w.files(*views, ("more", 3)), "--from", path, "--producer", 5,
                         "--incarnation", 1)
        assert whole["history_us"] == whole["from"]["oldest_us"], whole
        w.check("more", w.history + w.live)


def rows_of_several_streams_have_room_for_history():
    """No stream has had a live event: nothing but their own events says how far rows fold."""
    with world(1) as w:
        more = HEAD.replace("views:\n", "").replace("  payment:\n    id: 1", "  refund:\n    id: 2")
        both = HEAD.replace("views:\n", more[more.index("  refund"):] + "views:\n")
        text = w.machine.definitions.read_text()
        head = text[:text.index("\nstreams:")] + both
        w.machine.stop()
        w.machine.definitions.write_text(head + VIEW % ("plain", 1))
        w.machine.start()
        after = w.folder / "both.yaml"
        after.write_text(head + VIEW % ("plain", 1) + (VIEW % ("rich", 1)).replace(
            "source: payment", "source: [payment, refund]"))
        path = w.folder / "one.csv"
        path.write_text("card,ts,amount\n" + "".join(
            f"1,{w.created_us - 1 - w.source.randrange(19 * DAY_US)},1.00\n" for _ in range(3000)))
        done = w.backfill("rich", [str(after)], "--from", path)
        assert "--stream is needed" in done.communicate()[1]
        w.filled("rich", [str(after)], "--from", path, "--stream", "refund")
        assert w.values("rich", ["n_20d", "total_20d"])[1] == ["3000", "3000.00"]


def sql_over_the_export_knows_it(shards=2):
    """As known and as true, for a view that took it and for one that did not."""
    if not duckdb.is_here():
        print("skipped: " + duckdb.missing())
        sys.exit(appliance.SKIPPED)
    with world(shards) as w:
        w.send(50)
        w.machine.wait_received(50)
        w.filled("rich", w.files(("plain", 1), ("rich", 1)), "--from", w.file_write(rows=2000))
        views = [("plain", 1), ("rich", 1), ("more", 1)]
        w.filled("more", w.files(*views), "--from", w.file_write(name="other", rows=500))
        for _ in range(5):
            w.send(10)
        w.machine.wait_received(2600)
        assert w.machine.stop() == 0, w.machine.log.read_text()
        done = appliance.run("export", "--data", w.folder / "data", "--out", w.folder / "lake",
                             cwd=w.folder)
        assert done.returncode == 0, done.stderr
        for view in ("plain", "rich"):
            path, = w.files(*[v for v in views if v[0] != view], (view, 1))
            done = appliance.run("parity", "--sql", path, "--data", w.folder / "data", "--export",
                                 w.folder / "lake", "--json", "--seed", SEED, "--times", 2,
                                 "--keys", 8, cwd=w.folder, timeout=90)
            report = json.loads(done.stdout)
            assert done.returncode == 0 and report["different"] == 0, (view, report)
            assert report["compared"] > 100, report


def trained(w, files, asked, view, *more):
    labels, out = w.folder / "labels.csv", w.folder / "out.csv"
    labels.write_text("card,q\n" + "".join(f"{card},{q}\n" for card, q in asked))
    done = appliance.run("train", *files, "--service", "fraud", "--labels", labels, "--out", out,
                         "--no-status", *more, cwd=w.folder)
    assert done.returncode == 0, done.stderr
    with open(out, newline="", encoding="utf-8") as file:
        rows = [[row[f"{view}.{feature}"] for feature in ALL] for row in csv.DictReader(file)]
    out.unlink()
    return rows


def authenticated_listeners_take_files_with_a_key():
    with tempfile.TemporaryDirectory(prefix="freshet-from-") as folder:
        keys = pathlib.Path(folder) / "keys.yaml"
        made = appliance.run("keys", "add", "--file", keys, "--producer", 9)
        assert made.returncode == 0, made.stderr
        port = appliance.port_free(8)
        with world(1, ingest=f'{{driver: socket, listen: "127.0.0.1:{port}", auth: {keys}}}') as w:
            path, files = w.file_write(), w.files(("plain", 1), ("rich", 1))
            done = w.backfill("rich", files, "--from", path)
            assert "give --keys FILE and --producer" in done.communicate()[1]
            assert done.returncode == 1
            w.filled("rich", files, "--from", path, "--keys", keys, "--producer", 9,
                     "--incarnation", 1)
            w.check("rich", w.history)


WRONG = [  # View, arguments behind the definitions, exit code, what is said.
    ("nosuch", ["--from", "history.csv"], 1, "define no view `nosuch`"),
    ("plain", ["--from", "history.csv"], 1, "view `plain` runs already, with version 1"),
    ("rich", ["--from", "nosuch.csv"], 1, "nosuch.csv: No such file"),
    ("rich", ["--from", "history.csv", "--before", "soon"], 1, "`soon` is no time"),
    ("rich", ["--from", "history.csv", "--stream", "login"], 1, "view `rich` has the streams"),
    ("rich", ["--before", "5"], 2, "are for --from"),
    ("rich", ["--from", "history.csv", "--producer", "5"], 2, "--producer needs --incarnation"),
    ("rich", ["--from", "history.csv", "--keys", "x"], 2, "--keys needs --producer"),
    ("rich", ["--from", "garbage.csv"], 1, "garbage.csv:1"),
    ("rich", ["--from", "."], 1, ". is no file"),
    ("rich", ["--from", "pipe"], 1, "pipe is no file"),
    ("rich", ["--from", "empty.csv"], 1, "empty.csv has no event of before"),
    ("rich", ["--from", "history.csv", "--before", "5"], 1, "history.csv has no event of before"),
    ("rich", ["--from", "timeless.csv"], 1, "timeless.csv:2:1: no time, which an event of history"),
    ("rich", ["--from", "timeless.ndjson"], 1, "timeless.ndjson:2:1: no time, which an event of"),
    ("visits", ["--from", "history.csv"], 1, "has sessions"),
]


def what_cannot_be_is_told_before_anything_is_loaded():
    with world(1) as w:
        w.file_write(rows=10)
        (w.folder / "empty.csv").write_text("")
        (w.folder / "timeless.csv").write_text("card,amount\n7,1\n")
        (w.folder / "timeless.ndjson").write_text('\n{"card": 7, "amount": 1}\n')
        os.mkfifo(w.folder / "pipe")
        reader = os.open(w.folder / "pipe", os.O_RDWR)  # Whoever opens it waits for nobody.
        sessions = w.folder / "sessions.yaml"
        (w.folder / "garbage.csv").write_bytes(bytes(range(256)) * 40)
        for view, options, code, said in WRONG:
            files = w.files(("plain", 1), ("rich", 1))
            sessions.write_text(pathlib.Path(files[0]).read_text().replace(
                "services:", "  visits: {entity: card, source: payment, windows: [session 30m], "
                "aggregates: {m: count()}, ttl: 30d}\nservices:"))
            process = w.backfill(view, [str(sessions)], *options)
            _, err = process.communicate()
            assert process.returncode == code and said in err, (options, process.returncode, err)
        os.close(reader)
        process = w.backfill("rich", [], "--from", "history.csv")
        assert "name their files" in process.communicate()[1]
        assert w.drop_count() == 0
        w.filled("rich", w.files(("plain", 1), ("rich", 1)), "--from", "history.csv")
        assert w.drop_count() == 10
        # What changes while it is read has no name that anybody could send it by again.
        path = w.file_write(name="grows", rows=3000)
        process = w.backfill("rich", w.files(("plain", 1), ("rich", 2)), "--from", path, "--rate",
                             3000)
        time.sleep(0.3)
        with open(path, "a", encoding="utf-8") as out:
            out.write("1,5,x,5.00\n")
        _, err = process.communicate()
        assert process.returncode == 1 and "changed while it was read" in err, err


if __name__ == "__main__":
    print("SEED=%d" % SEED)
    appliance.main([globals()[name] for name in sys.argv[1:]])
