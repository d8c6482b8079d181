#!/usr/bin/env python3
"""Views get their history while events come: equal to the oracle over all events, and to what a start
with the same files makes of the log; also after a crash at any point."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import dataset
import test_union

support = dataset.support
DATA = "directory: data, checkpoint: 1h, mirror: {segment: 1MiB}"
NEW_VIEWS = ["exact", "computed", "everywhere", "pairs"]
RATE = 4000  # Events of history a second: slow enough to be met on the way.


def definitions():
    """(what runs at first, what is filled): new views, and `alone` with a second version."""
    text = (dataset.HERE / "data" / "union.yaml").read_text()
    head, views = text.split("views:\n")
    blocks = {re.match(r"  (\w+):", block).group(1): block
              for block in re.split(r"\n(?=  \w+:\n)", views.rstrip() + "\n")}
    before = head + "views:\n" + blocks["clicks"] + "\n" + blocks["alone"]
    blocks["alone"] = blocks["alone"].replace("version: 1", "version: 2") + (
        "      items_max: max(items)\n      large: count() where amount > 2.5\n"
        "    derived:\n      mean: amount_sum_2m / n_2m\n")
    return before, head + "views:\n" + "\n".join(blocks.values())


class World:
    """An appliance, its oracle of the new definitions, and messages to send."""

    def __init__(self, appliance, after, messages):
        self.appliance, self.messages, self.sent = appliance, messages, 0
        self.model = dataset.oracle.Oracle(dataset.oracle.Definition(
            re.sub(r"    derived:\n.*\n", "", after)))
        self.after = appliance.folder / "after.yaml"
        self.after.write_text(after)
        self.open()

    def open(self):
        self.redis, self.sender = dataset.opened(self.appliance)

    def files(self):
        return [str(self.appliance.definitions), str(self.after)]

    def send(self, count):
        part = self.messages[self.sent:self.sent + count]
        test_union.send(self.sender, self.model, part)
        self.sent += len(part)

    def backfill(self, view, *options):
        return subprocess.Popen(
            [support.PROGRAM, "backfill", view, *self.files(), "--json", *options, "--server",
             str(self.appliance.socket)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=self.appliance.folder)

    def state(self):
        return json.loads(self.redis.call("FS.BACKFILL", "STATUS"))

    def await_state(self, *states, share=0):
        support.wait_until(lambda: (self.state()["state"] in states
                                    and self.state()["share"] >= share), f"{states} {share}", 30)

    def check(self, times):
        test_union.check(self.redis, self.model, times)

    def restart_with_new_files(self):
        self.appliance.files = self.files()
        self.appliance.start()
        self.open()


def world_of(appliance, seed):
    source = dataset.seed_of(seed)
    _, after = definitions()
    definition = dataset.oracle.Definition(re.sub(r"    derived:\n.*\n", "", after))
    world = World(appliance, after, test_union.messages_of(source, definition))
    times = [test_union.time_of(source) for _ in range(3)]
    return world, times + [test_union.BASE_US + test_union.SPAN_US + 1, None]


@contextlib.contextmanager
def running(shards):
    with tempfile.TemporaryDirectory(prefix="freshet-") as folder:
        path = pathlib.Path(folder) / "before.yaml"
        path.write_text(definitions()[0])
        with support.running(streams="", files=[path], shards=shards, memory="128MiB",
                             data=DATA) as appliance:
            yield appliance


def views_are_filled_while_events_come(shards):
    with running(shards) as appliance:
        world, times = world_of(appliance, 41)
        world.send(120)
        verb = world.backfill("exact", "--rate", str(RATE))
        while verb.poll() is None:
            world.send(1)
            time.sleep(0.002)
        out, err = verb.communicate()
        assert verb.returncode == 0, err
        done = json.loads(out)
        assert done["state"] == "done" and done["views"] == 5 and done["version"] == 1, done
        world.send(10)
        world.check(times)
        recovery = world.appliance.status()["views"]
        assert {view["view"] for view in recovery} >= set(NEW_VIEWS), recovery
        # The old version answers until the next start, which has the rows of the new ones.
        key = next(iter(world.model.entities["alone"]))
        at = test_union.BASE_US + test_union.SPAN_US
        old, new = world.redis.call("FS.GET", key, "FIELDS", 2, "alone@1.n_20m", "alone.n_20m", "AT",
                                    at)[1::2]
        assert old == new != 0, (old, new)
        world.send(10)
        test_union.durable_await(world.redis, world.model)
        appliance.kill()
        world.restart_with_new_files()
        views = appliance.status()["store"]["recovery"]["views"]
        assert set(views.values()) == {"loaded"}, views
        world.check(times)
        world.send(20)
        test_union.durable_await(world.redis, world.model)
        world.check(times)


if __name__ == "__main__":
    for count in [int(word) for word in sys.argv[1:]] or [1, 3]:
        views_are_filled_while_events_come(count)
