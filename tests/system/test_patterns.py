#!/usr/bin/env python3
"""LIKE, REGEXP and `matches` against re of Python: by eval, by an appliance, after kill -9."""

import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

EVENTS = 400
CARDS = ["A1", "B22", "C333", "a1", "A1x", "é1"]
CARD_RULE = r"^[A-Z]\d+$"
# Aggregate: (condition of the definition, the same by Python).
CONDITIONS = {
    "shop": (r"mail REGEXP '@([a-z0-9-]+\.)+shop$'",
             lambda m: re.search(r"@([a-z0-9-]+\.)+shop\Z", m)),
    "dots": ("mail REGEXP '^.{3}$'", lambda m: re.search(r"^.{3}\Z", m)),
    "word": (r"mail REGEXP '(?i)\bSHOP\b'", lambda m: re.search(r"(?ai)\bshop\b", m)),
    "begins": ("mail LIKE 'a%'", lambda m: m.startswith("a")),
    "second": (r"mail LIKE '_\_%'", lambda m: len(m) > 1 and m[1] == "_"),
    "other": ("NOT mail LIKE '%shop' OR mail IS NULL", None),
}
MAILS = [None, "a@b.shop", "a@b.shops", "x_y@shop", "é_@c-1.x.shop", "abc", "éé€", "A@SHOP\n", "_",
         "a_", "a@.shop", "shop", "a@b.shop\n"]


def definitions(policy):
    aggregates = "".join(f"      {name}: \"count() where {condition}\"\n".replace("\\", "\\\\")
                         for name, (condition, _) in CONDITIONS.items())
    return f"""streams:
  s:
    id: 1
    time: t
    lateness: 1h
    on_violation: {policy}
    fields:
      t: {{type: timestamp}}
      card: {{type: string, size: 16, optional: true, matches: '{CARD_RULE}'}}
      mail: {{type: string, size: 40, optional: true}}
      n: {{type: u8}}
views:
  v:
    entity: n
    key: n
    source: s
    windows: [1h]
    aggregates:
      n: count()
      carded: count(card)
{aggregates}"""


def events_draw(seed):
    draw = random.Random(seed)
    now_us = time.time_ns() // 1000 - 10**7
    events = []
    for number in range(EVENTS):
        event = {"t": now_us + number, "card": draw.choice(CARDS), "mail": draw.choice(MAILS),
                 "n": draw.randrange(4)}
        events.append({name: value for name, value in event.items() if value is not None})
    return events


def holds(name, mail):
    if name == "other":
        return mail is None or not mail.endswith("shop")
    return mail is not None and bool(CONDITIONS[name][1](mail))


def features_of(events, key, policy):
    ours = [event for event in events if event["n"] == key]
    good = [event for event in ours if re.search(CARD_RULE[:-1] + r"\Z", event["card"], re.A)]
    counted = good if policy == "quarantine" else ours
    features = {"n": len(counted),
                "carded": len(ours if policy == "count" else good)}
    for name in CONDITIONS:
        features[name] = sum(holds(name, event.get("mail")) for event in counted)
    return {name: str(value) for name, value in features.items()}, len(ours) - len(good)


def expect(is_, expected, what):
    assert is_ == expected, f"{what}: is {is_}, expected {expected}"


def eval_test(folder, policy):
    events = events_draw(1)
    (folder / "d.yaml").write_text(definitions(policy))
    (folder / "e.json").write_text("".join(json.dumps(event) + "\n" for event in events))
    for key in range(4):
        done = subprocess.run([support.PROGRAM, "eval", folder / "d.yaml", "--events",
                               folder / "e.json", "--key", f"n:{key}"], capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        lines = dict(line.split() for line in done.stdout.splitlines())
        expected, _ = features_of(events, key, policy)
        expect(lines, {f"v.{name}_1h": value for name, value in expected.items()},
               f"eval, {policy}, n:{key}")
    broken = sum(features_of(events, key, policy)[1] for key in range(4))
    said = f"{broken} not applied: event_no_match"
    assert broken > 0 and (said in done.stderr) == (policy == "quarantine"), done.stderr


def reads_check(appliance, events, policy, what):
    names = ["n", "carded", *CONDITIONS]
    redis = client.Redis(path=appliance.socket)
    rows = redis.call("FS.MGET", 4, *(f"n:{key}" for key in range(4)), "FIELDS", len(names),
                      *(f"v.{name}_1h" for name in names), "LATEST")
    redis.close()
    for key, row in enumerate(rows):
        values = [value.decode() for value in row[1::2]]
        expect(dict(zip(names, values)), features_of(events, key, policy)[0],
               f"{what}, {policy}, n:{key}")


def appliance_test(folder, policy, shards):
    """What it counts, and the same again after a crash, with another rule: verdicts are obeyed."""
    events = events_draw(2)
    data = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
    appliance = support.Appliance(folder, definitions(policy), shards=shards, data=data)
    try:
        appliance.start()
        for first in range(0, EVENTS, 20):
            lines = [json.dumps({"stream": "s", **event}, ensure_ascii=False)
                     for event in events[first:first + 20]]
            appliance.send("\n".join(lines).encode())
            appliance.wait_received(first + 20)
        broken = sum(features_of(events, key, policy)[1] for key in range(4))
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics",
                                         timeout=10).read().decode()
        counted = metrics.splitlines()
        rule = 'freshet_dq_violations_total{stream="s",field="card",rule="matches"}'
        assert f"{rule} {broken}" in counted, metrics
        reason = 'freshet_ingest_dropped_total{stream="s",reason="event_no_match"}'
        assert f"{reason} {broken if policy == 'quarantine' else 0}" in counted, metrics
        reads_check(appliance, events, policy, f"{shards} shards")
        # Nothing acknowledges text: what was taken has to be on the disk before the crash.
        support.wait_until(lambda: all(log["durable_lsn"] == log["complete_lsn"] and
                                       log["gathered_bytes"] == 0
                                       for log in appliance.status()["store"]["logs"]),
                           "all is durable", 30)
        appliance.kill()
        appliance.define(definitions(policy).replace(CARD_RULE, "^never$"), shards, data)
        appliance.start()
        reads_check(appliance, events, policy, f"{shards} shards, after kill -9")
    finally:
        assert appliance.stop() == 0, appliance.log.read_text()


def refusals_test(folder):
    """What cannot be compiled is refused where it stands."""
    rows = [("mail: {type: string, size: 40", "mail: {type: string, size: 40, matches: 'a$b'",
             ":10:47: `matches` cannot be compiled: "),
            (CONDITIONS["dots"][0], "mail REGEXP '(.{0,30}a.{0,30}b){16}'",
             "cannot be compiled: Pattern is too large."),
            (CONDITIONS["dots"][0], "mail REGEXP '.{1001}'", "more than 1000 characters"),
            (CONDITIONS["dots"][0], "lower(mail) REGEXP 'a'",
             "REGEXP looks at a string field alone; LIKE looks at any string"),
            ("    aggregates:\n", "    derived: {d: \"mailed_1h REGEXP 'a'\"}\n"
                                   "    aggregates:\n      mailed: last(mail)\n",
             "REGEXP looks at fields of a stream, in `where` and aggregates; here LIKE is")]
    for old, new, said in rows:
        text = definitions("drop")
        assert old in text, old
        (folder / "bad.yaml").write_text(text.replace(old, new))
        done = support.run("check", folder / "bad.yaml")
        assert done.returncode == 78 and said in done.stderr, (new, done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="freshet-") as name:
        folder = pathlib.Path(name)
        for policy in ("quarantine", "null_field", "count"):
            eval_test(folder, policy)
        refusals_test(folder)
    for policy, shards in (("quarantine", 1), ("null_field", 2)):
        with tempfile.TemporaryDirectory(prefix="freshet-") as name:
            appliance_test(pathlib.Path(name), policy, shards)


if __name__ == "__main__":
    main()
