#!/usr/bin/env python3
"""config/prometheus/freshet.rules.yml: what fires when, by `promtool test rules`; and that it asks
only for metrics that there are."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))
import appliance as support  # noqa: E402

RULES = support.SOURCE / "config" / "prometheus" / "freshet.rules.yml"
READ = 'view="activity",objective="read"'
FAST, BURNS, SLOWLY = ("FreshetObjectiveBurnsFast", "FreshetObjectiveBurns",
                       "FreshetObjectiveBurnsSlowly")


def objective(good, total, labels=READ, target="0.999"):
    """Series of an objective: one sample a minute, in promtool's notation."""
    return {f"freshet_slo_good_total{{{labels}}}": good, f"freshet_slo_total{{{labels}}}": total,
            f"freshet_slo_target_ratio{{{labels}}}": f"{target}x6000"}


def stages(*parts):
    """A counter: (minutes, per minute) one behind the other."""
    at, text = 0, []
    for minutes, each in parts:
        text.append(f"{at}+{each}x{minutes - 1}")
        at += minutes * each
    return " ".join(text)


EVENTS = 'freshet_ingest_events_total{stream="s"}'
DROPS = 'freshet_ingest_dropped_total{stream="s",reason="%s"}'

PARITY = 'freshet_parity_%s_total{service="fraud",feature="activity.n_1d"}'

# (sentence, series, {time: alerts that fire})
CASES = [
    ("all is good", objective("0+1000x6000", "0+1000x6000"), {"10m": [], "8h": []}),
    ("less is bad than may be", objective("0+9991x6000", "0+10000x6000"), {"10m": [], "8h": []}),
    ("without traffic", objective("500x6000", "500x6000"), {"2h": [], "8h": []}),
    ("as much is bad as may be, and a little more",
     objective("0+9985x6000", "0+10000x6000"), {"1h": [SLOWLY], "8h": [SLOWLY]}),
    ("seven times too much", objective("0+993x6000", "0+1000x6000"),
     {"2h": [BURNS, SLOWLY], "8h": [BURNS, SLOWLY]}),
    ("twenty times too much for an hour, behind a good day",
     objective(stages((1440, 1000), (60, 980), (600, 1000)), "0+1000x6000"),
     # 14.4 of 20 is reached in 43 min, ended 5 min after; 6 of 20 over six hours in 108 min: never.
     {"24h": [], "24h40m": [], "24h48m": [FAST], "25h": [FAST], "25h8m": []}),
    ("ten times too much for five hours, behind a good day",
     objective(stages((1440, 1000), (300, 990), (1000, 1000)), "0+1000x6000"),
     # Over six hours 6 of 10 after 3.6 h; the half hour forgets it soon, three days do not.
     {"24h": [], "27h": [SLOWLY], "28h": [BURNS, SLOWLY], "29h": [BURNS, SLOWLY],
      "29h20m": [SLOWLY]}),
    ("a service's freshness", objective("0+50x200", "0+100x200",
                                        'service="fraud",objective="freshness"', "0.99"),
     {"100m": [FAST, BURNS, SLOWLY]}),
    ("a restart begins again at 0 and is no failure",
     objective("0+1000x600 0+1000x600", "0+1000x600 0+1000x600"), {"10h5m": [], "11h": []}),
    ("not ready for a moment", {"freshet_ready": "1x5 0x1 1x20"}, {"6m": [], "8m": []}),
    ("not ready for long", {"freshet_ready": "1x5 0x20"}, {"7m": [], "10m": ["FreshetNotReady"]}),
    ("duplicates are normal", {EVENTS: "0+1000x60", DROPS % "message_duplicate": "0+500x60"},
     {"40m": []}),
    ("history that is loaded is normal", {EVENTS: "0+1000x60", DROPS % "event_history": "0+900x60"},
     {"40m": []}),
    ("one in a thousand is dropped", {EVENTS: "0+1000x60", DROPS % "event_late": "0+1x60"},
     {"40m": []}),
    ("one in forty is dropped", {EVENTS: "0+1000x60", DROPS % "event_late": "0+15x60",
                                 DROPS % "event_future": "0+10x60"},
     {"5m": [], "40m": ["FreshetEventsDropped"]}),
    ("a null rate is beyond its limit",
     {'freshet_dq_beyond_limit{stream="s",field="f",check="null_rate"}': "0x9 1x60"},
     {"9m": [], "12m": [], "30m": ["FreshetQualityBeyondLimit"]}),
    ("the kernel drops", {'freshet_listener_missed_total{listener="0"}': "0x9 0+3x60"},
     {"9m": [], "30m": ["FreshetDatagramsMissed"]}),
    ("gaps", {'freshet_ingest_sequence_gaps_total{producer="7"}': "0x9 0+1x60"},
     {"9m": [], "30m": ["FreshetSequenceGaps"]}),
    ("the disk is full", {'freshet_log_held{shard="1"}': "0x5 2x20 0x10"},
     {"4m": [], "10m": ["FreshetLogHeld"], "28m": []}),
    ("checkpoints fail", {"freshet_checkpoints_failed_total": "0x20 0+1x20"},
     {"19m": [], "30m": ["FreshetCheckpointsFail"]}),
    ("memory is full", {'freshet_view_refused_total{view="v",reason="view_memory"}': "0x9 0+5x30"},
     {"9m": [], "20m": ["FreshetMemoryFull"]}),
    ("a null key is no refusal",
     {'freshet_view_refused_total{view="v",reason="view_key_null"}': "0x9 0+5x30"}, {"20m": []}),
    ("memory is nearly full", {'freshet_shard_memory_bytes{shard="0"}': "81x60",
                               'freshet_shard_memory_taken_bytes{shard="0"}': "94x60",
                               'freshet_shard_memory_limit_bytes{shard="0"}': "100x60"},
     {"10m": [], "20m": ["FreshetMemoryNearlyFull"]}),
    ("chunks run out", {'freshet_shard_memory_bytes{shard="0"}': "60x60",
                        'freshet_shard_memory_taken_bytes{shard="0"}': "99x60",
                        'freshet_shard_memory_limit_bytes{shard="0"}': "100x60"},
     {"10m": [], "20m": ["FreshetMemoryNearlyFull"]}),
    ("chunks are taken while rows are packed",
     {'freshet_shard_memory_bytes{shard="0"}': "79x60",
      'freshet_shard_memory_taken_bytes{shard="0"}': "97x60",
      'freshet_shard_memory_limit_bytes{shard="0"}': "100x60"}, {"20m": []}),
    ("a value was served otherwise", {PARITY % "mismatch": "0x9 1x200", PARITY % "extra": "0x200"},
     {"9m": [], "15m": ["FreshetParityBroken"], "90m": []}),
    ("a value was served from nowhere",
     {PARITY % "mismatch": "0x200", PARITY % "extra": "0x9 1x200"},
     {"9m": [], "15m": ["FreshetParityBroken"]}),
    ("what cannot be computed again is no difference",
     {PARITY % "mismatch": "0x60", PARITY % "extra": "0x60", PARITY % "missing": "0+5x60"},
     {"30m": []}),
]

# (what a rule says, what it could say, the case that tells)
WRONG = [("> 14.4", "> 21", "twenty times"), ("> 6 ", "> 11 ", "seven times"),
         ("> 1 ", "> 2 ", "as much"), ("0.01 *", "0.1 *", "one in forty"),
         ("> 0.8 *", "> 0.95 *", "memory is nearly"), ("> 0.98 *", "> 1.98 *", "chunks run out"),
         ("for: 2m", "for: 1h", "not ready for long"),
         ("message_duplicate", "event_late", "duplicates"),
         ("|event_history", "", "history that"),
         (" + increase(freshet_parity_extra_total[1h])", "", "a value was served from")]


def firing_tests(firing):
    for time, alerts in firing.items():
        yield {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": time,
               "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}
                               for alert in alerts]}


def promtool(rules, cases):
    """Runs cases against the text of the rules."""
    tests = {"rule_files": ["freshet.rules.yml"], "evaluation_interval": "1m",
             "tests": [{"name": sentence, "interval": "1m",
                        "input_series": [{"series": name, "values": values}
                                         for name, values in series.items()],
                        "promql_expr_test": list(firing_tests(firing))}
                       for sentence, series, firing in cases]}
    with tempfile.TemporaryDirectory(prefix="freshet-alerts-") as name:
        folder = pathlib.Path(name)
        (folder / "freshet.rules.yml").write_text(rules)
        (folder / "cases.yml").write_text(json.dumps(tests))
        return subprocess.run(["promtool", "test", "rules", "cases.yml"], cwd=folder,
                              capture_output=True, text=True, timeout=120, check=False)


def the_rules_fire_when_they_shall():
    done = promtool(RULES.read_text(), CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def a_wrong_threshold_is_found():
    text = RULES.read_text()
    for right, wrong, sentence in WRONG:
        assert right in text, right
        case = [case for case in CASES if case[0].startswith(sentence)]
        done = promtool(text.replace(right, wrong), case)
        assert done.returncode != 0, f"{right} -> {wrong}: nothing was said"


def the_rules_ask_for_metrics_that_there_are():
    table = (support.SOURCE / "controlplane" / "metrics.def").read_text()
    known = {"freshet_" + name for name in re.findall(r"^METRIC\((\w+),", table, re.M)}
    asked = set(re.findall(r"\bfreshet_\w+", RULES.read_text()))
    assert asked and asked <= known, asked - known


def the_rules_are_well_formed():
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    support.need("promtool")
    support.main([the_rules_ask_for_metrics_that_there_are, the_rules_are_well_formed,
                  the_rules_fire_when_they_shall, a_wrong_threshold_is_found])
