#!/usr/bin/env python3
"""docs/producers.md works as it stands: its C example is built with pkg-config against what
`meson install` leaves, shared and static; the header compiles alone as C++; both examples end with
everything durable."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import appliance as support  # noqa: E402
from fake_home import FakeHome  # noqa: E402

CPP = """
#include <freshet/producer.h>
static void durable(void *, uint16_t, uint64_t, uint32_t) {}
int main()
{
    freshet_producer_options options;
    freshet_producer *producer = nullptr;
    char error[FRESHET_PRODUCER_ERROR_BYTES];
    freshet_producer_options_init(&options);
    options.durable = durable;
    options.event_bytes = 8;
    options.stream = 1;
    bool refused = freshet_producer_open(&options, &producer, error) == FRESHET_PRODUCER_INVALID;
    return refused && producer == nullptr ? 0 : 1;
}
"""
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def blocks():
    text = (support.SOURCE / "docs" / "producers.md").read_text()
    found = dict(re.findall(r"<!-- test: ([\w-]+) -->\n```\w+\n(.*?)```", text, re.S))
    assert set(found) == {"c", "python"}, set(found)
    return found


def install(folder):
    """What a packager would get; returns an environment in which pkg-config finds it."""
    subprocess.run(["meson", "install", "-C", str(support.BUILD), "--no-rebuild", "--destdir",
                    str(folder)], check=True, capture_output=True)
    config, = folder.rglob("freshet-producer.pc")
    return dict(os.environ, PKG_CONFIG_PATH=str(config.parent), PKG_CONFIG_SYSROOT_DIR=str(folder),
                LD_LIBRARY_PATH=str(config.parent.parent))


def flags(environment, *words):
    return subprocess.run(["pkg-config", *words, "freshet-producer"], env=environment, check=True,
                          capture_output=True, text=True).stdout.split()


def run_against_home(command, environment):
    with FakeHome(shards=2) as home:
        done = subprocess.run(command(home.port), env=environment, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0 and done.stdout == "durable 1000\n", done
        assert len(home.events) == len(set(home.events)) == 1000


def the_c_example_is_built_from_what_is_installed():
    for program in ("pkg-config", "cc", "c++", "meson"):
        support.need(program)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = install(folder)
        assert list(folder.rglob("freshet/producer.h")), "the header is installed"
        for kind, libraries in (("shared", flags(environment, "--libs")),
                                ("static", [next(str(p) for p in folder.rglob("lib*.a")),
                                            "-pthread"])):
            def command(port, kind=kind, libraries=libraries):
                source = folder / f"{kind}.c"
                source.write_text(blocks()["c"].replace("4700", str(port)))
                subprocess.run(["cc", "-std=gnu99", *STRICT, "-o", folder / kind, source,
                                *flags(environment, "--cflags"), *libraries], check=True)
                return [folder / kind]
            run_against_home(command, environment)
        source = folder / "alone.cc"
        source.write_text(CPP)
        subprocess.run(["c++", "-std=c++11", *STRICT, "-o", folder / "alone", source,
                        *flags(environment, "--cflags", "--libs")], check=True)
        subprocess.run([folder / "alone"], env=environment, check=True)


def the_python_example_works():
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(support.SOURCE / "drivers" / "producer" / "freshet_producer.py", name)
        environment = dict(os.environ, PYTHONPATH=name)
        run_against_home(lambda port: [sys.executable, "-c",
                                       blocks()["python"].replace("4700", str(port))], environment)


if __name__ == "__main__":
    support.main([the_c_example_is_built_from_what_is_installed, the_python_example_works])
