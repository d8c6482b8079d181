#!/usr/bin/env python3
"""Rules with a policy each: counters, values, the quarantine and a restart; and what is watched."""

import json
import math
import pathlib
import struct
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

POLICIES = ["quarantine", "drop", "null_field", "count"]
I32_NULL = -2**31
# Rule: (the field's type, the rule, struct format, good value, bad value, reason,
#        what is read of the good value, of the bad one, what the quarantine shows of it).
RULES = {
    "type": ("type: bool", "", "B", 1, 7, "event_type", "true", None, None),
    "required": ("type: i32", "required: true", "i", 5, I32_NULL, "event_required", "5", None,
                 None),
    "min": ("type: i32", "min: 0", "i", 0, -1, "event_below_min", "0", "-1", -1),
    "max": ("type: decimal, scale: 2", "max: 10", "q", 1000, 1001, "event_above_max", "10.00",
            "10.01", "10.01"),
    "enum": ("type: string, size: 8", "enum: [ok, no]", "8s", b"no", b"ko", "event_not_in_enum",
             "no", "ko", "ko"),
    "min_size": ("type: string, size: 8", "min_size: 3", "8s", b"abc", b"ab", "event_too_short",
                 "abc", "ab", "ab"),
    "max_size": ("type: string, size: 8", "max_size: 4", "8s", b"abcd", b"abcde",
                 "event_too_long", "abcd", "abcde", "abcde"),
    "matches": ("type: string, size: 8", "matches: '^a'", "8s", b"ax", b"xa", "event_no_match",
                "ax", "xa", "xa"),
}
NAMES = list(RULES)
FORM = "<qQ" + "".join(row[2] for row in RULES.values())
GOOD_KEY = 100
WINDOW_SHARES = ({"ok": 8, "no": 2}, {"ok": 5, "no": 5})


def definitions(policies, rules=True):
    """A stream and a view per policy; of another policy by default, so that the rule's decides."""
    streams, views = ["streams:"], ["views:"]
    for index, policy in enumerate(policies):
        other = POLICIES[(POLICIES.index(policy) + 1) % len(POLICIES)]
        streams.append(f"  s{index}:\n    id: {index + 1}\n    time: t\n"
                       f"    on_violation: {other}\n    fields:\n"
                       "      t: {type: timestamp}\n      k: {type: u64}")
        for name, (kind, rule, *_) in RULES.items():
            held = f", {rule}" if rule and rules else ""
            held += f", on_violation: {{{name}: {policy}}}" if rules else ""
            streams.append(f"      f_{name}: {{{kind}, optional: true{held}}}")
        views.append(f"  v{index}:\n    entity: k\n    source: s{index}\n    windows: [1h]\n"
                     "    aggregates:\n      n: count()")
        views += [f"      l_{name}: last(f_{name})\n      n_{name}: count(f_{name})"
                  for name in RULES]
    return "\n".join(streams + views) + "\n"


def event_pack(key, bad, now_us):
    values = [row[4] if name == bad else row[3] for name, row in RULES.items()]
    return struct.pack(FORM, now_us, key, *values)


def message_pack(stream, sequence, producer, event):
    return (struct.pack("<HHHH", 52, stream, stream, 1) +
            struct.pack("<QQQQqIIBBH", 0, producer, sequence, sequence, 0, 1, 0, 1, 0, 0) +
            struct.pack("<HH", len(event), 1) + event)


def events_send(appliance):
    """One event without fault and one per rule, per stream; from producers with many homes."""
    now_us = time.time_ns() // 1000
    sent = 0
    for stream in range(1, len(POLICIES) + 1):
        for key, bad in [(GOOD_KEY, None), *enumerate(NAMES)]:
            sent += 1
            appliance.send(message_pack(stream, 1, sent, event_pack(key, bad, now_us)))
    appliance.wait_received(sent)
    return sent


def features_of(policy, bad):
    """What is read of the one event with the key."""
    applied = bad is None or policy in ("null_field", "count")
    features = {"n": "1" if applied else None}
    for name, row in RULES.items():
        value = row[6]
        if name == bad:
            value = row[7] if policy == "count" else None
        features[f"l_{name}"] = value if applied else None
        features[f"n_{name}"] = (str(int(value is not None)) if applied else None)
    return features


def reads_check(appliance, what):
    redis = client.Redis(path=appliance.socket)
    names = list(features_of("count", None))
    for index, policy in enumerate(POLICIES):
        for key, bad in [(GOOD_KEY, None), *enumerate(NAMES)]:
            row = redis.call("FS.GET", f"k:{key}", "FIELDS", len(names),
                             *(f"v{index}.{name}_1h" for name in names), "LATEST")
            values = [None if value is None else value.decode() for value in row[1::2]]
            expected = features_of(policy, bad)
            assert dict(zip(names, values)) == expected, (
                f"{what}, {policy}, {bad}: {dict(zip(names, values))}, expected {expected}")
    redis.close()


def metrics_of(appliance):
    text = urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics",
                                  timeout=10).read().decode()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def counters_check(appliance):
    metrics = metrics_of(appliance)
    status = appliance.status()
    for index, policy in enumerate(POLICIES):
        dropped = policy in ("quarantine", "drop")
        stream = status["streams"][index]
        assert stream["dropped"] == (len(RULES) if dropped else 0), (policy, stream)
        assert stream["quarantined"] == (len(RULES) if policy == "quarantine" else 0), stream
        for name, row in RULES.items():
            series = f'{{stream="s{index}",field="f_{name}",rule="{name}"}}'
            assert metrics["freshet_dq_violations_total" + series] == "1", (series, metrics)
            assert stream["violations"][row[5]] == 1, stream
            assert {"field": f"f_{name}", "rule": name, "policy": policy,
                    "count": 1} in stream["rules"], stream["rules"]
            reason = f'freshet_ingest_dropped_total{{stream="s{index}",reason="{row[5]}"}}'
            assert metrics[reason] == ("1" if dropped else "0"), (reason, policy)
        assert len(stream["rules"]) == len(RULES), stream["rules"]
    assert status["balance"] == 0


def quarantine(*arguments):
    done = support.run("quarantine", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fields_of(bad):
    """Fields as the quarantine shows them."""
    fields = {}
    for name, row in RULES.items():
        good = {"type": True, "required": 5, "min": 0}.get(name, row[6])
        fields[f"f_{name}"] = row[8] if name == bad else good
    return fields


def quarantine_check(data):
    listed = quarantine("list", data)
    assert [(e["stream"], e["rule"], e["field"], e["reason"]) for e in
            sorted(listed, key=lambda e: NAMES.index(e["rule"]))] == [
                ("s0", name, f"f_{name}", row[5]) for name, row in RULES.items()], listed
    assert [e["decided_us"] for e in listed] == sorted(e["decided_us"] for e in listed)
    every = quarantine("list", data, "--all")
    assert sorted(e["stream"] for e in every) == ["s0"] * len(RULES) + ["s1"] * len(RULES), every
    assert not any(e["quarantined"] for e in every if e["stream"] == "s1")
    for event in listed:
        shown = quarantine("show", data, event["position"])
        assert shown == event, (shown, event)
        values = {name: value for name, value in shown["fields"].items() if name[:2] == "f_"}
        assert values == fields_of(event["rule"]), values
        assert shown["fields"]["k"] == NAMES.index(event["rule"]), shown
        assert (shown["producer"], shown["sequence"]) == (2 + shown["fields"]["k"], 1), shown
    filters_check(data, listed)


def filters_check(data, listed):
    position = listed[-1]["position"]
    rows = [
        (["--stream", "s1"], []),
        (["--stream", "s1", "--all"], NAMES),
        (["--field", "f_min"], ["min"]),
        (["--rule", "max_size"], ["max_size"]),
        (["--reason", "event_no_match"], ["matches"]),
        (["--limit", "3"], [e["rule"] for e in listed[-3:]]),
        (["--since", "1h"], NAMES),
        (["--since", str(listed[-1]["decided_us"] + 1)], []),
        (["--since", "2100-01-01T00:00:00Z"], []),
    ]
    for arguments, rules in rows:
        found = [e["rule"] for e in quarantine("list", data, *arguments)]
        assert sorted(found) == sorted(rules), (arguments, found)
    text = support.run("quarantine", "list", data).stdout
    assert f"{position} " in text and '"abcde"' in text and "producer " in text, text
    text = support.run("quarantine", "show", data, position).stdout
    assert "quarantined: " in text and "<- broke the rule" in text, text


def usage_check(data):
    rows = [(["list"], 2, "list DIR | show DIR POSITION is missing"),
            (["find", data], 2, "list DIR and show DIR POSITION are known"),
            (["list", data, "--rule", "mix"], 2, "rules: type required min max"),
            (["list", data, "--limit", "0"], 2, "a number from 1 to 100000"),
            (["list", data, "--since", "soon"], 2, "--since soon: 10m"),
            (["list", data, "--rule", "max", "--reason", "event_late"], 2, "give one of them"),
            (["show", data, "0:1"], 2, "0:1 is no position"),
            (["show", data, "63:1:1"], 1, "the log has no event at 63:1:1"),
            (["list", data / "none"], 1, "No such file or directory")]
    for arguments, code, said in rows:
        done = support.run("quarantine", *arguments)
        assert done.returncode == code and said in done.stderr, (arguments, done)


def all_is_durable(appliance):
    return all(log["durable_lsn"] == log["complete_lsn"] and log["gathered_bytes"] == 0
               for log in appliance.status()["store"]["logs"])


def every_rule_does_what_its_policy_says(shards=1):
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        data = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
        appliance = support.Appliance(folder, definitions(POLICIES), shards=shards, data=data)
        directory = pathlib.Path(folder) / "data"
        try:
            appliance.start()
            events_send(appliance)
            counters_check(appliance)
            reads_check(appliance, f"{shards} shards")
            support.wait_until(lambda: all_is_durable(appliance), "all is durable", 30)
            quarantine_check(directory)
            usage_check(directory)
            # Verdicts are obeyed: neither other policies nor other rules change what was.
            appliance.kill()
            appliance.define(definitions(POLICIES[2:] + POLICIES[:2]), shards, data)
            appliance.start()
            reads_check(appliance, f"{shards} shards, other policies")
            quarantine_check(directory)
            assert appliance.stop() == 0
            appliance.define(definitions(POLICIES, rules=False), shards, data)
            appliance.start()
            reads_check(appliance, f"{shards} shards, no rules")
        except BaseException:
            print(appliance.log.read_text(), file=sys.stderr)
            raise
        finally:
            assert appliance.stop() == 0
        quarantine_check(directory)


def forwards_obey_their_homes():
    every_rule_does_what_its_policy_says(shards=3)


def stricter(policy, version):
    return f"""streams:
  s:
    id: 1
    time: t
    fields:
      t: {{type: timestamp}}
      k: {{type: u64}}
      x: {{type: i32, min: 0, on_violation: {policy}}}
views:
  v:
    version: {version}
    entity: k
    source: s
    windows: [1h]
    aggregates: {{n: count(), c: count(x), a: avg(x)}}
"""


def a_rebuilt_view_has_no_nulls_where_it_allows_none():
    names = ["v.n_1h", "v.c_1h", "v.a_1h"]
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        data = "directory: data, checkpoint: 1h"
        appliance = support.Appliance(folder, stricter("null_field", 1), data=data)
        try:
            for policy, version, expected in (("null_field", 1, [b"3", b"2", b"5"]),
                                              ("drop", 2, [b"2", b"2", b"5"])):
                appliance.define(stricter(policy, version), 1, data)
                appliance.start()
                if version == 1:
                    appliance.send(*(f"s k=1i,x={x}i".encode() for x in (-1, 4, 6)),
                                   f"s k=1i,x=9i {time.time_ns() + 3600 * 10**9}".encode())
                    appliance.wait_received(4)
                    support.wait_until(lambda: all_is_durable(appliance), "all is durable", 30)
                redis = client.Redis(path=appliance.socket)
                row = redis.call("FS.GET", "k:1", "FIELDS", len(names), *names, "LATEST")
                redis.close()
                assert row[1::2] == expected, (policy, row)
                assert appliance.stop() == 0
                # What is from the future is set aside whatever the policies say.
                listed = quarantine("list", pathlib.Path(folder) / "data")
                assert [(e["reason"], e["rule"], e["field"], e["fields"]["x"]) for e in listed] == [
                    ("event_future", None, None, 9)], listed
        finally:
            appliance.stop()


def wrong_definitions_are_refused_where_they_stand():
    rows = [("required: quarantine", "requried: quarantine",
             ":10:78: `requried` is no key of `on_violation`; did you mean `required`?"),
            ("min: 0", "min_size: 1",
             ":11:42: `min_size` is for string only; this field is i32"),
            ("on_violation: {min: q", "on_violation: {max: q",
             ":11:65: `f_min` has no rule `max`: there is nothing to break")]
    text = definitions(POLICIES)
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        path = pathlib.Path(folder) / "bad.yaml"
        for old, new, said in rows:
            assert old in text, old
            path.write_text(text.replace(old, new, 1))
            done = support.run("check", path)
            assert done.returncode == 78 and said in done.stderr, (new, done.stderr)


WATCHED = """streams:
  s:
    id: 1
    time: t
    quality: {window: 1s, reference: 1h, null_rate: {x: 0.15, m: 0.15}, shift: {m: 0.25, x: 0.25},
              freshness: 2s}
    fields:
      t: {type: timestamp}
      k: {type: u64}
      m: {type: string, size: 4, optional: true, enum: [ok, no]}
      x: {type: decimal, scale: 2, optional: true, max: 1000, on_violation: null_field}
views:
  v: {entity: k, source: s, windows: [1h], aggregates: {n: count()}}
"""


def psi(reference, window):
    """Of shares by value."""
    pairs = [(window[name] / sum(window.values()), reference[name] / sum(reference.values()))
             for name in reference]
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def lines_of(shares, nulls, x):
    """Ten events: values of m by share, some of x too large for its rule, so that they are null."""
    names = [name for name, count in shares.items() for _ in range(count)]
    return "\n".join(json.dumps({"stream": "s", "k": number, "m": name,
                                 "x": 5000 if number < nulls else x})
                     for number, name in enumerate(names)).encode()


class Watch:
    """Sends while it looks: the greatest value of each check so far, and whether it was beyond."""

    CHECKS = {("x", "null_rate"): ("null_ratio", 0.15), ("m", "null_rate"): ("null_ratio", 0.15),
              ("m", "shift"): ("shift_psi", 0.25), ("x", "shift"): ("shift_psi", 0.25)}

    def __init__(self, appliance):
        self.appliance = appliance
        self.greatest = {}
        self.beyond = set()

    def look(self):
        """A value is beyond exactly when it is greater than its limit."""
        metrics = metrics_of(self.appliance)
        for (field, check), (name, limit) in self.CHECKS.items():
            value = metrics.get(f'freshet_dq_{name}{{stream="s",field="{field}"}}')
            flag = metrics[
                f'freshet_dq_beyond_limit{{stream="s",field="{field}",check="{check}"}}']
            assert flag == str(int(value is not None and float(value) > limit)), (check, metrics)
            if value is not None:
                best = self.greatest.get((field, check), 0)
                self.greatest[field, check] = max(best, float(value))
            if flag == "1":
                self.beyond.add((field, check))

    def send_until(self, datagram, condition, what):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, f"not within 20 s: {what}: {self.greatest}"
            for _ in range(20):
                self.appliance.send(datagram)
                time.sleep(0.005)
            self.look()


def what_changes_is_seen_beyond_its_limit():
    before, after = WINDOW_SHARES
    fresh = 'freshet_dq_beyond_limit{stream="s",field="",check="freshness"}'
    age = 'freshet_dq_freshness_seconds{stream="s"}'
    with support.running(streams=WATCHED, shards=2) as appliance:
        watch = Watch(appliance)
        end = time.monotonic() + 4  # Some windows for the reference.
        watch.send_until(lines_of(before, 1, 20), lambda: time.monotonic() > end, "quiet windows")
        assert not watch.beyond and len(watch.greatest) == 4, (watch.beyond, watch.greatest)
        assert abs(watch.greatest["x", "null_rate"] - 0.1) < 0.02, watch.greatest
        watch.send_until(lines_of(after, 4, 80), lambda: len(watch.beyond) == 3,
                         "three checks beyond their limits")
        expected = psi(before, after)
        watch.send_until(lines_of(after, 4, 80),
                         lambda: watch.greatest["x", "null_rate"] > 0.38, "a whole window")
        # Of a reference in which the first events of the shift may be.
        assert expected * 0.6 < watch.greatest["m", "shift"] < expected * 1.1, watch.greatest
        assert watch.greatest["x", "null_rate"] < 0.42, watch.greatest
        assert watch.greatest["m", "null_rate"] == 0, watch.greatest
        table = appliance.verb("status").stdout
        assert "null_rate" in table and "broken " in table, table
        support.wait_until(lambda: metrics_of(appliance)[fresh] == "1", "the stream is old", 15)
        assert float(metrics_of(appliance)[age]) > 2
        checks = appliance.status()["streams"][0]["quality"]["checks"]
        assert {c["check"]: c["beyond"] for c in checks}["freshness"], checks


if __name__ == "__main__":
    support.main([every_rule_does_what_its_policy_says, forwards_obey_their_homes,
                  a_rebuilt_view_has_no_nulls_where_it_allows_none,
                  wrong_definitions_are_refused_where_they_stand,
                  what_changes_is_seen_beyond_its_limit])
