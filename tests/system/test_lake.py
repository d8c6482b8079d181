#!/usr/bin/env python3
"""The lake against what was sent: every event once, its values and its verdict, by DuckDB and by
hyparquet; ended anywhere and begun again, the same bytes. Argument: which test. SEED=
repeats it."""

import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
SOURCE = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(SOURCE / "support"))
import appliance as support  # noqa: E402
import duckdb  # noqa: E402
import store  # noqa: E402

HOUR_US = 3_600_000_000
UNITS = {"us": 1, "ms": 1000, "s": 1_000_000}


class Field:
    """A field: its YAML, how it is packed, and random values with the cell that they become."""

    def __init__(self, name, yaml, form, make, sql=None, since=1):
        self.name, self.yaml, self.form, self.make, self.since = name, yaml, form, make, since
        self.sql = sql or '"{}"::VARCHAR'


def integer(bits, signed):
    null = -2**(bits - 1) if signed else 2**bits - 1
    least, most = (null + 1, -null - 1) if signed else (0, null - 1)

    def make(rng):
        value = rng.choice([null, least, most, 0, 1, rng.randint(least, most)])
        return value, None if value == null else str(value), False
    return make


def timestamp(unit):
    def make(rng):
        if rng.random() < 0.2:
            return -2**63, None, False
        us = rng.randint(-10**14, 4 * 10**15)
        if unit == "ns":
            return us * 1000 + rng.randint(0, 999), str(us), False
        return us // UNITS[unit], str(us // UNITS[unit] * UNITS[unit]), False
    return make


def boolean(rng):
    value = rng.choice([0, 1, 255, 7])
    return value, {0: "false", 1: "true"}.get(value), value == 7


def double(rng):
    value = rng.choice([float("nan"), 0.0, -1.5, 123456.789, round(rng.uniform(-1e6, 1e6), 6)])
    return value, None if value != value else value, False


def money(rng):
    value = rng.choice([-2**63, -2**63 + 1, 2**63 - 1, 0, -5, rng.randint(-10**6, 10**6)])
    text = None if value == -2**63 else \
        ("-" if value < 0 else "") + f"{abs(value) // 100}.{abs(value) % 100:02d}"
    return value, text, False


def escaped(text):
    """UTF-8 as it is, every other byte as U+EF00 and itself."""
    return text.decode("utf-8", "surrogateescape").translate(
        {0xdc00 + byte: 0xef00 + byte for byte in range(0x80, 0x100)})


def string(rng):
    value = rng.choice([b"", b"a", "\u00e4\u20ac".encode(), b"\xff\x80x", b"\xe4",
                        b"0123456789abcdef",
                        bytes(rng.randint(1, 255) for _ in range(rng.randint(0, 16)))])
    cell = escaped(value).encode().hex() if value else None
    return value, cell, value.decode("utf-8", "ignore").encode() != value


def quantity(rng):
    value = rng.choice([0, 5, 9, -1])
    return value, str(value), False


FIELDS = [Field(f"{kind}{bits}", f"{kind}{bits}", form, integer(bits, kind == "i"))
          for kind, bits, form in [("u", 8, "B"), ("u", 16, "H"), ("u", 32, "I"), ("u", 64, "Q"),
                                   ("i", 8, "b"), ("i", 16, "h"), ("i", 32, "i"), ("i", 64, "q")]]
FIELDS += [Field(f"t_{unit}", f"timestamp, unit: {unit}", "q", timestamp(unit),
                 'epoch_us("{}")::VARCHAR') for unit in ("us", "ms", "s", "ns")]
FIELDS += [Field("flag", "bool, on_violation: {type: count}", "B", boolean),
           Field("real", "f64", "d", double, '"{}"'),
           Field("money", "decimal, scale: 2", "q", money),
           Field("text", "string, size: 16", "16s", string, 'lower(hex("{}"))'),
           Field("_lsn", "u8", "B", integer(8, False)),  # A name that is ours.
           Field("quantity", "i32, min: 0", "i", quantity),
           Field("extra", "i32, since: 2", "i", integer(32, True), since=2)]


def definitions(version):
    lines = ["streams:", "  wide:", "    id: 7", f"    version: {version}", "    time: ts",
             "    fields:", "      ts: {type: timestamp}", "      k: {type: u64}"]
    lines += [f"      {f.name}: {{type: {f.yaml}, optional: true}}" for f in FIELDS
              if f.since <= version]
    lines += ["  plain:", "    id: 9", "    time: ts", "    fields:",
              "      ts: {type: timestamp, unit: ms}", "      k: {type: u64}",
              "      name: {type: string, size: 8, optional: true}"]
    for stream in ("wide", "plain"):
        lines += ["views:"] if stream == "wide" else []
        lines += [f"  of_{stream}:", "    entity: k", f"    source: {stream}", "    windows: [1h]",
                  "    aggregates:", "      n: count()"]
    return "\n".join(lines) + "\n"


class Sent:
    """What was sent, as rows of the lake."""

    def __init__(self, appliance, rng):
        self.appliance, self.rng = appliance, rng
        self.rows = {"wide": {}, "plain": {}}
        self.sequence = {}
        self.events = 0

    def time(self, first):
        """A time of an event, and what becomes of it."""
        now_us = time.time_ns() // 1000
        if first:
            return now_us, "applied"
        return self.rng.choice([(now_us, "applied")] * 5 +
                               [(now_us - self.rng.randint(0, 50 * 60) * 10**6, "applied"),
                                (now_us - 5 * HOUR_US - self.rng.randint(0, 20) * HOUR_US,
                                 "event_late"), (now_us + 2 * HOUR_US, "event_future")])

    def wide(self, version, first):
        ts, verdict = self.time(first)
        key = self.rng.randint(1, 2**64 - 2)
        row = {"ts": str(ts), "k": str(key), "_verdict": verdict, "_field": None, "_raw": None}
        form, wire, raw = "<qQ", [ts, key], False
        for field in FIELDS:
            if field.since > version:
                row[field.name] = None
                continue
            value, cell, bad = field.make(self.rng)
            form += field.form
            wire.append(value)
            row[field.name] = cell
            raw |= bad
            if field.name == "t_ns":
                row["_t_ns_ns"] = None if cell is None else str(value)
            if field.name == "quantity" and value < 0:
                row["_verdict"], row["_field"] = "event_below_min", field.name
        row["_quarantined"] = str(row["_verdict"] in ("event_below_min", "event_future")).lower()
        packed = struct.pack(form, *wire)
        row["_raw"] = packed.hex() if raw else None
        return packed, row

    def plain(self, _, first):
        ts, verdict = self.time(first)
        key, name = self.rng.randint(0, 99), self.rng.choice([b"", b"x", b"name"])
        return struct.pack("<qQ8s", ts // 1000, key, name), {
            "ts": str(ts // 1000 * 1000), "k": str(key), "name": name.hex() or None,
            "_verdict": verdict, "_field": None, "_raw": None,
            "_quarantined": str(verdict == "event_future").lower()}

    def message(self, version=1, first=False):
        stream = self.rng.choice(["wide", "plain"])
        for name in (["wide", "plain"] if first else [stream]):
            self.message_of(name, version if name == "wide" else 1, first)

    def message_of(self, stream, version, first):
        producer, lane = self.rng.choice(range(1, 7)), self.rng.choice([0, 1])
        if first:
            producer, lane = first
        sequence = self.sequence.get((producer, lane), 0) + 1
        self.sequence[(producer, lane)] = sequence
        events = []
        for place in range(1 if first else self.rng.randint(0, 9)):
            packed, row = getattr(self, stream)(version, first)
            row |= {"_producer": str(producer), "_lane": str(lane), "_sequence": str(sequence),
                    "_place": str(place), "_incarnation": "3", "_schema_version": str(version),
                    "_refused_views": "0"}
            self.rows[stream][producer, lane, sequence, place] = row
            events.append(packed)
        number = {"wide": 7, "plain": 9}[stream]
        size = len(events[0]) if events else 0
        self.appliance.send(
            struct.pack("<HHHH", 52, number, number, version) +
            struct.pack("<QQQQqIIBBH", 0, producer, sequence, sequence, 0, 3, 0, 1, 0, lane) +
            struct.pack("<HH", size, len(events)) + b"".join(events))
        self.events += len(events)

    def send(self, messages, versions=(1,)):
        """First an event of now in every lane, so that its home knows what is late."""
        for producer in range(1, 7):
            for lane in (0, 1):
                self.message(first=(producer, lane))
        self.appliance.wait_received(self.events, 60)
        for _ in range(messages):
            self.message(self.rng.choice(versions))
            time.sleep(0.003)  # A frame for each: they fill segments.
        self.appliance.wait_received(self.events, 60)

    def text(self):
        """Two events of a datagram of text: producer 0, its lane the shard."""
        now_us = time.time_ns() // 1000000 * 1000
        self.appliance.send(f'plain k=5i,name="t" {now_us}000\nplain k=6i {now_us}000\n'.encode())
        self.events += 2
        self.appliance.wait_received(self.events, 60)
        return now_us


def export(data, lake, *words, check=0):
    done = support.run("export", "--data", data, "--out", lake, "--json", *words)
    assert done.returncode == check, done
    return json.loads(done.stdout) if done.stdout else done.stderr


def tree(folder):
    """Names and hashes of all files."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def manifest(lake):
    lines = [json.loads(line) for line in (lake / "manifest.jsonl").read_text().splitlines()]
    return ([line for line in lines if "path" in line], [line for line in lines if "whole" in line])


RECORD = ["_producer", "_lane", "_sequence", "_place", "_incarnation", "_schema_version",
          "_verdict", "_field", "_quarantined", "_refused_views"]


def rows_by_duckdb(database, lake, stream):
    """Rows of the lake by identity, as the oracle has them."""
    source = (f"read_parquet('{lake}/stream={stream}/*/*/*.parquet', union_by_name=true, "
              "hive_partitioning=true)")
    columns = {row[0]: row[1] for row in database.query(f"DESCRIBE SELECT * FROM {source}")}
    if stream == "wide":
        fields = {f.name: f.sql.format(f.name) for f in FIELDS if f.name in columns}
        fields["_t_ns_ns"] = '"_t_ns_ns"'
        assert columns["__lsn"] == "UBIGINT" and columns["money"] == "DECIMAL(19,2)", columns
        assert columns["i8"] == "TINYINT" and columns["t_s"] == "TIMESTAMP WITH TIME ZONE", columns
    else:
        fields = {"name": 'lower(hex("name"))'}
    expressions = {"ts": "epoch_us(ts)", "k": "k", **fields, "_raw": "lower(hex(_raw))",
                   **{name: f'"{name}"::VARCHAR' for name in RECORD}}
    lsn = '"__lsn"' if stream == "wide" else '"_lsn"'
    rows = database.query(
        f"SELECT {', '.join(expressions.values())}, (dt || ' ' || hr)::VARCHAR, "
        f"strftime(make_timestamp(epoch_us(ts)), '%Y-%m-%d %H'), _shard, {lsn}, "
        f"epoch_us(_apply_time) FROM {source} ORDER BY _shard, {lsn}")
    found, places = {}, []
    for row in rows:
        *cells, partition, hour, shard, lsn, apply_us = row
        cells = dict(zip(expressions, cells))
        # DuckDB makes a date and a number of the folders' names.
        assert partition.split()[0] == hour.split()[0] and \
            int(partition.split()[-1]) == int(hour.split()[1]), (partition, hour)
        identity = tuple(int(cells[name]) for name in RECORD[:4])
        places.append((int(shard), int(lsn)))
        if identity[0] == 0:  # Its incarnation is the epoch.
            identity = (*identity, cells["k"], cells["_incarnation"])
        assert identity not in found, f"{identity} twice"
        found[identity] = cells
        assert abs(int(apply_us) - time.time() * 1e6) < 600e6, apply_us
    assert len(set(places)) == len(places), "an LSN twice"
    return found


def rows_differ(found, expected):
    assert found.keys() == expected.keys(), (
        f"missing: {sorted(expected.keys() - found.keys())[:5]}, "
        f"too many: {sorted(found.keys() - expected.keys())[:5]}")
    for identity, row in expected.items():
        wrong = {name: (found[identity].get(name), cell) for name, cell in row.items()
                 if found[identity].get(name) != cell}
        assert not wrong, f"{identity}: found and expected {wrong}"


def manifest_check(database, lake):
    """The manifest names every file, and says what is in it."""
    files, segments = manifest(lake)
    on_disk = {str(p.relative_to(lake)) for p in lake.rglob("*.parquet")}
    named = [line["path"] for line in files]
    assert sorted(named) == sorted(on_disk), set(named) ^ on_disk
    assert not list(lake.rglob("*.tmp")), list(lake.rglob("*.tmp"))
    assert [sum(s[what] for s in segments) for what in ("files", "rows")] == \
        [len(files), sum(line["rows"] for line in files)], segments
    for line in files:
        path = lake / line["path"]
        lsn = '"__lsn"' if line["stream"] == "wide" else '"_lsn"'
        said = database.query(
            f"SELECT count(*), min(epoch_us(ts)), max(epoch_us(ts)), min(epoch_us(_apply_time)), "
            f"max(epoch_us(_apply_time)), min({lsn}), max({lsn}), min(_shard), "
            f"list_sort(list(DISTINCT _schema_version))::VARCHAR FROM read_parquet('{path}')")[0]
        lsns = [int(e) << 48 | int(n) for e, n in (line[m].split(":") for m in
                                                   ("lsn_min", "lsn_max"))]
        assert said == [str(v) for v in (
            line["rows"], line["event_us_min"], line["event_us_max"], line["apply_us_min"],
            line["apply_us_max"], *lsns, line["shard"], sorted(line["schema_versions"]))], line
        assert line["bytes"] == path.stat().st_size, line
        assert line["event_us_min"] // HOUR_US == line["hour_us"] // HOUR_US == \
            line["event_us_max"] // HOUR_US, line
        assert line["crc32c"] == f"{store.crc32c(path.read_bytes()):08x}", line


def hyparquet_check(lake, expected, rng):
    """Some of the files by another reader: values of the plain stream, all of them."""
    files = sorted((lake / "stream=plain").rglob("*.parquet"))
    for path in rng.sample(files, min(4, len(files))):
        done = subprocess.run(["node", SOURCE / "clients" / "parquet.mjs", path],
                              capture_output=True, text=True, check=True, timeout=60)
        out = json.loads(done.stdout)
        names = [element["name"] for element in out["types"]]
        for cells in out["cells"]:
            row = dict(zip(names, cells))
            identity = tuple(int(row[name]) for name in RECORD[:4])
            if identity[0] == 0:
                continue
            wanted = expected[identity]
            assert (row["ts"], row["k"]) == (wanted["ts"], wanted["k"])
            assert row["name"] == ("-" if wanted["name"] is None else "x" + wanted["name"])
            assert bytes.fromhex(row["_verdict"][1:]).decode() == wanted["_verdict"]
            assert row["_raw"] == "-" and row["_quarantined"] == \
                str(int(wanted["_quarantined"] == "true"))


class Life:
    """Two lives of an appliance with what was sent to them."""

    def __init__(self, folder, shards, number, options="mirror: {segment: 1MiB}"):
        self.folder, self.rng = pathlib.Path(folder), random.Random(number)
        self.options = "directory: data, ack: none, " + options
        self.appliance = support.Appliance(self.folder, definitions(1), shards, data=self.options)
        self.data = self.folder / "data"
        self.sent = Sent(self.appliance, self.rng)

    def run(self, segments):
        """Until the log has begun so many files."""
        self.sent.events = 0
        self.appliance.start()
        while self.segment() < segments:
            self.sent.send(200)
        self.text_us = self.sent.text()

    def segment(self):
        """Number of the newest segment that is written."""
        return max(log["segment"] for log in self.appliance.status()["store"]["logs"])

    def again(self, messages):
        assert self.appliance.stop() == 0, self.appliance.log.read_text()
        self.appliance.define(definitions(2), self.appliance_shards(),
                              self.options)
        self.sent.events = 0
        self.appliance.start()
        self.sent.send(messages, versions=(1, 2))
        assert self.appliance.stop() == 0, self.appliance.log.read_text()

    def appliance_shards(self):
        return len({p.name.split("-")[1] for p in self.data.glob("mirror-*.log")})

    def segment_last(self):
        """Greatest number of a file of the log, also of one that is not begun."""
        return max(int(p.stem.split("-")[2]) for p in self.data.glob("mirror-*.log"))

    def expected(self, found):
        """With the text events, whose identity the appliance gave."""
        plain = dict(self.sent.rows["plain"])
        texts = [identity for identity in found if identity[0] == 0]
        assert sorted(identity[4] for identity in texts) == ["5", "6"], texts
        for identity in texts:
            plain[identity] = {"ts": str(self.text_us), "k": identity[4], "_verdict": "applied",
                               "name": b"t".hex() if identity[4] == "5" else None}
        return plain


def whole(shards, seed):
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        life = Life(folder, shards, seed)
        database = duckdb.Database()
        lake, fresh = life.folder / "lake", life.folder / "fresh"
        try:
            life.run(3)
            first = export(life.data, lake)
            assert first["segments_open"] == shards and first["rows"] > 0, first
            life.again(300)
            second = export(life.data, lake)
            assert second["segments_known"] == first["segments"] and \
                second["segments_open"] == 0, (first, second)
            found = rows_by_duckdb(database, lake, "plain")
            expected = life.expected(found)
            rows_differ(found, expected)
            rows_differ(rows_by_duckdb(database, lake, "wide"), life.sent.rows["wide"])
            manifest_check(database, lake)
            hyparquet_check(lake, expected, life.rng)
            third = export(life.data, lake)
            assert third["files"] == 0 and third["segments_known"] == \
                first["segments"] + second["segments"], third
            pieces_check(life, fresh, lake)
            kills_check(life, fresh)
            full_check(life, fresh)
            damage_check(life)
        finally:
            life.appliance.stop()
            database.close()


def pieces_check(life, fresh, lake):
    """At once, the files are those that came in two runs; and so are those that are asked for."""
    export(life.data, fresh)
    parquet = {name: value for name, value in tree(fresh).items() if name.endswith("parquet")}
    ours = {name: value for name, value in tree(lake).items() if name.endswith("parquet")}
    # What was exported beside the running appliance knew no second version of the schema.
    assert parquet == ours, {n for n in parquet.keys() | ours.keys()
                             if parquet.get(n) != ours.get(n)}
    part = life.folder / "part"
    export(life.data, part, "--stream", "plain")
    hours = sorted(line["hour_us"] for line in manifest(part)[0])
    found, expected = ({n for n in names if n.endswith("parquet") and "stream=wide" not in n}
                       for names in (tree(part), parquet))
    assert found == expected and not list(part.glob("stream=wide")), found ^ expected
    for lake, more, said in (
            (life.data, [], "is the data directory; --out takes a folder of its own"),
            (part, ["--stream", "plian"], "no plan in the log has it; did you mean `plain`?"),
            (part, ["--since", "7", "--until", "7"], "--until is not behind --since")):
        before = tree(lake)
        done = support.run("export", "--data", life.data, "--out", lake, *more)
        assert done.returncode in (1, 2) and said in done.stderr, (more, done.stderr)
        assert tree(lake) == before, more
    some = life.folder / "some"
    export(life.data, some, "--since", str(hours[0] + 1), "--until", str(hours[0] + 2))
    found = {n for n in tree(some) if n.endswith("parquet")}
    expected = {line["path"] for line in manifest(fresh)[0] if line["hour_us"] == hours[0]}
    assert found == expected, found ^ expected
    export(life.data, some)
    found = {n: v for n, v in tree(some).items() if n.endswith("parquet")}
    assert found == parquet, {n for n in found.keys() | parquet if found.get(n) != parquet.get(n)}


def kills_check(life, fresh):
    """kill -9 at any moment, again and again, and a last run: the same tree."""
    lake, kills = life.folder / "killed", 0
    expected = tree(fresh)
    for attempt in range(25):
        process = subprocess.Popen([support.PROGRAM, "export", "--data", life.data, "--out", lake],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, said = process.communicate(timeout=life.rng.uniform(0.001, 0.02) * (1 + attempt / 3))
            assert process.returncode == 0, said
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            if attempt % 3 == 0 and (lake / "manifest.jsonl").exists():
                tear(lake / "manifest.jsonl", life.rng)
    export(life.data, lake)
    assert kills > 3, "it was never ended early"
    assert tree(lake) == expected, {n for n in expected.keys() | tree(lake).keys()
                                    if expected.get(n) != tree(lake).get(n)}


def full_check(life, fresh):
    """A disk that takes no more, at any place, is told; with room again, the same tree."""
    lake, expected = life.folder / "full", tree(fresh)
    for size in (0, 100, 3000, 6000, 9000):
        done = subprocess.run(
            [support.PROGRAM, "export", "--data", life.data, "--out", lake], capture_output=True,
            text=True, timeout=60, preexec_fn=lambda: files_limit(size))
        assert done.returncode == 1 and "File too large" in done.stderr, (size, done)
        assert not list(lake.rglob("*.tmp")), size
        whole_files = {n for n in tree(lake) if n.endswith("parquet")}
        assert all(tree(lake)[n] == expected[n] for n in whole_files), size
    export(life.data, lake)
    assert tree(lake) == expected, expected.keys() ^ tree(lake).keys()


def files_limit(size):
    """No file of the process grows beyond it: write() says so."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def tear(path, rng):
    """The last line as a crash leaves it: without its end."""
    text = path.read_bytes()
    last = text[:-1].rfind(b"\n") + 1
    if len(text) > last + 1:
        path.write_bytes(text[:rng.randint(last + 1, len(text) - 1)])


def damage_check(life):
    """A segment with a flipped byte is named with its place, and none of it is there."""
    data, lake = life.folder / "damaged", life.folder / "of_damaged"
    shutil.copytree(life.data, data)
    path = sorted(data.glob("mirror-000-*.log"))[0]
    with open(path, "r+b") as file:
        file.seek(4096 + 64 + 8)  # In the first frame's entries; what pads a frame proves nothing.
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    # And one whose header has one: it is none, with frames behind it.
    headless = sorted(data.glob("mirror-000-*.log"))[1]
    with open(headless, "r+b") as file:
        file.seek(40)
        file.write(b"\xff")
    done = support.run("export", "--data", data, "--out", lake)
    assert done.returncode == 1 and f"{headless.name}: damaged at byte 0" in done.stderr, done
    assert done.returncode == 1 and path.name in done.stderr and \
        "damaged at byte" in done.stderr, done
    number = int(path.stem.split("-")[2])
    files, segments = manifest(lake)
    assert files and not [line for line in files + segments
                          if (line["shard"], line["segment"]) == (0, number)], (number, files)
    # A manifest that is damaged is not built upon.
    text = (lake / "manifest.jsonl").read_text().splitlines()
    (lake / "manifest.jsonl").write_text("\n".join([text[0][:-9], *text[1:]]) + "\n")
    done = support.run("export", "--data", data, "--out", lake)
    assert done.returncode == 1 and "line 1 of manifest.jsonl is damaged" in done.stderr, done


def one_shard():
    whole(1, seed())


def three_shards():
    whole(3, seed())


def an_appliance_keeps_a_lake():
    """While events come, beside what `export` makes of the same log; across a kill, and where the
    log goes as soon as the lake has it."""
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        life = Life(folder, 1, seed(), "checkpoint: 100ms, mirror: "
                    "{segment: 1MiB, bytes: 4MiB, lake: kept}")
        lake, database = life.folder / "kept", duckdb.Database()
        try:
            life.run(8)
            support.wait_until(lambda: life.appliance.status()["store"]["lake"]["files"] > 0,
                               "a file of the lake", 60)
            # Its lock is on the manifest.
            done = support.run("export", "--data", life.data, "--out", lake)
            assert done.returncode == 1 and "another process writes this lake" in done.stderr, done
            life.appliance.kill()
            life.run(life.segment_last() + 3)
            segment = life.segment()
            support.wait_until(lambda: lake_has_below(lake, life.data, segment),
                               "the lake has what is sealed", 60)
            said = life.appliance.status()["store"]["lake"]
            assert said["missed"] == said["damaged"] == said["failed"] == 0, said
            assert said["rows"] > 0 and said["error"] == "", said
            assert life.appliance.stop() == 0, life.appliance.log.read_text()
            assert not (life.data / "mirror-000-00000001.log").exists(), "nothing was let go"
            last = export(life.data, lake)
            assert last["segments"] in (1, 2), last
            rows_differ(rows_by_duckdb(database, lake, "wide"), life.sent.rows["wide"])
            found = rows_by_duckdb(database, lake, "plain")
            rows_differ({i: row for i, row in found.items() if i[0] != 0}, life.sent.rows["plain"])
            manifest_check(database, lake)
        finally:
            life.appliance.stop()
            database.close()


def a_lake_that_was_taken_away_begins_anew():
    """Under a running appliance: all that the log has is in it again, and in its manifest."""
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        life = Life(folder, 1, seed(), "mirror: {segment: 1MiB, lake: kept}")
        lake = life.folder / "kept"
        try:
            life.run(4)
            support.wait_until(lambda: lake_has_below(lake, life.data, 3), "the first segments", 60)
            for take in lambda: lake.rename(life.folder / "old"), (lake / "manifest.jsonl").unlink:
                take()
                begun = life.segment()
                while life.segment() < begun + 2:
                    life.sent.send(200)
                support.wait_until(lambda n=begun: (lake / "manifest.jsonl").exists() and
                                   lake_has_below(lake, life.data, n + 1), "a whole lake", 60)
                there = {str(path.relative_to(lake)) for path in lake.glob("stream=[wp]*/*/*/*")
                         if int(path.name[9:17]) <= begun}
                files = {line["path"] for line in manifest(lake)[0]}
                assert there and there <= files, there - files
            assert life.appliance.stop() == 0, life.appliance.log.read_text()
        finally:
            life.appliance.stop()


def lake_has_below(lake, data, segment):
    """Whether it has every segment below that is still there. Numbers may have gaps."""
    kept = {int(path.stem.split("-")[2]) for path in data.glob("mirror-*.log")}
    return {line["segment"] for line in manifest(lake)[1]} >= {n for n in kept if n < segment}


def seed():
    number = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={number}")
    return number


TESTS = {"one_shard": one_shard, "three_shards": three_shards,
         "kept": an_appliance_keeps_a_lake, "taken": a_lake_that_was_taken_away_begins_anew}


def main():
    test = TESTS[sys.argv[1]]
    if test is not a_lake_that_was_taken_away_begins_anew:
        support.need("node")
        if not duckdb.is_here() or not (SOURCE / "clients/node_modules/hyparquet").is_dir():
            print(f"skipped: {duckdb.missing()}")
            sys.exit(support.SKIPPED)
    support.main([test])


if __name__ == "__main__":
    main()
