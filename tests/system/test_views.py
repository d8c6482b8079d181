#!/usr/bin/env python3
"""As many views as a definition may have: checked, served, kept, reported."""

import json
import pathlib
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402
import client  # noqa: E402

CHECK_SECONDS = 5  # Five times what perf/budget.md wants of 1,000 views.
VIEWS_MAX, STREAMS_MAX = 1024, 128
FIELDS = """      ts:     {type: timestamp}
      card:   {type: u64}
      shop:   {type: string, size: 8}
      amount: {type: decimal, scale: 2}
      tip:    {type: decimal, scale: 2, optional: true}
"""
AGGREGATES = ("count()", "sum(amount)", "avg(tip)", "min(amount)", "max(amount)", "last(amount)",
              "stddev_samp(amount)", "count(tip)")
WINDOWS = ("10m, 1h", "1h, 1d", "1d, 7d", "7d, 30d")


def definition(views, per_stream):
    streams = -(-views // per_stream)
    out = ["streams:\n"]
    for s in range(streams):
        out.append(f"  stream_{s}:\n    id: {s + 1}\n    time: ts\n    fields:\n{FIELDS}")
    out.append("views:\n")
    for v in range(views):
        out.append(f"  view_{v}:\n    entity: {'card' if v % 3 else 'shop'}\n"
                   f"    source: stream_{v // per_stream}\n"
                   f"    windows: [{WINDOWS[v // 5 % len(WINDOWS)]}]\n    aggregates:\n")
        out += [f"      a{i}: {text}\n" for i, text in enumerate(AGGREGATES)]
    return "".join(out)


def a_thousand_views_are_checked_soon():
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        path = pathlib.Path(folder) / "many.yaml"
        path.write_text(definition(1000, 10))
        start = time.monotonic()
        done = support.run("check", path, "--json")
        seconds = time.monotonic() - start
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["streams"], report["views"], report["features"]) == (100, 1000, 16000)
        assert [view["view"] for view in report["costs"]] == [f"view_{v}" for v in range(1000)]
        assert seconds < CHECK_SECONDS, seconds


def one_view_or_stream_too_many_is_refused_with_its_number():
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        path = pathlib.Path(folder) / "many.yaml"
        for views, per_stream, error in (
                (VIEWS_MAX + 1, 10, "1025 views; at most 1024 are allowed"),
                (STREAMS_MAX + 1, 1, "129 streams; at most 128 are allowed")):
            path.write_text(definition(views, per_stream))
            done = support.run("check", path)
            assert done.returncode == 78 and error in done.stderr, done


def lines_of(streams):
    """Two events for each stream: amounts that no other stream has."""
    now = time.time_ns() // 1000
    for s in range(streams):
        for turn in (1, 2):
            yield json.dumps({"stream": f"stream_{s}", "ts": now - turn, "card": s % 7,
                              "shop": f"shop{s % 5}", "amount": s * 10 + turn}).encode()


def values(appliance, count):
    redis = client.Redis(path=appliance.socket)
    out = []
    for v in range(count):
        s = v * STREAMS_MAX // count
        key = f"card:{s % 7}" if v % 3 else f"shop:shop{s % 5}"
        window = WINDOWS[v // 5 % len(WINDOWS)].split(", ")[1]
        out.append(redis.call("HMGET", key, f"view_{v}.a0_{window}", f"view_{v}.a1_{window}"))
    redis.close()
    return out


def every_view_is_served_and_kept_over_a_crash():
    views = definition(VIEWS_MAX, VIEWS_MAX // STREAMS_MAX)
    wanted = []
    for v in range(VIEWS_MAX):
        s = v * STREAMS_MAX // VIEWS_MAX
        wanted.append([b"2", b"%d.00" % (20 * s + 3)])
    with support.running(streams=views, shards=2, memory="256MiB",
                         data="directory: data, checkpoint: 1h") as appliance:
        lines = list(lines_of(STREAMS_MAX))
        appliance.send(*lines)
        appliance.wait_received(len(lines))
        support.wait_until(lambda: values(appliance, VIEWS_MAX) == wanted, "all views have it")
        appliance.verb("checkpoint")  # Rows come back from tiles,
        appliance.send(*lines)        # and from the log behind them.
        appliance.wait_received(2 * len(lines))
        wanted = [[b"4", b"%d.00" % (2 * (20 * (v * STREAMS_MAX // VIEWS_MAX) + 3))]
                  for v in range(VIEWS_MAX)]
        support.wait_until(lambda: values(appliance, VIEWS_MAX) == wanted, "all views have both")
        time.sleep(0.2)  # Text is not acknowledged: the log has it soon after.
        appliance.kill()
        appliance.start()
        assert values(appliance, VIEWS_MAX) == wanted
        reports(appliance)


def reports(appliance):
    status = appliance.status()
    assert [view["view"] for view in status["views"]] == [f"view_{v}" for v in range(VIEWS_MAX)]
    assert all(view["entities"] == 1 for view in status["views"])
    with urllib.request.urlopen(f"http://127.0.0.1:{appliance.http}/metrics", timeout=20) as page:
        text = page.read().decode()
    assert f'view="view_{VIEWS_MAX - 1}"' in text
    redis = client.Redis(path=appliance.socket)
    try:
        redis.call("HGET", "shop:1", "view_1023.a9_1d")
        raise AssertionError("an unknown feature was answered")
    except RuntimeError as error:
        assert "did you mean 'view_1023.a" in str(error), error
    redis.close()


if __name__ == "__main__":
    sys.exit(support.main([
        a_thousand_views_are_checked_soon,
        one_view_or_stream_too_many_is_refused_with_its_number,
        every_view_is_served_and_kept_over_a_crash,
    ]))
