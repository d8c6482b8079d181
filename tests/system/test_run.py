#!/usr/bin/env python3
"""Start, stop, bad files, usage: what a user meets first."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402

VERBS = [row.split("(")[1].split(",")[0]
         for row in (support.SOURCE / "controlplane/verbs.def").read_text().splitlines()
         if row.startswith("VERB(")]


def starts_and_ends_on_sigterm():
    with support.running() as appliance:
        banner = appliance.log.read_text()
        assert f"redis-cli -s {appliance.socket} HMGET card:4711" in banner, banner
        assert "in memory only: a restart starts empty" in banner, banner
        assert "no authentication" in banner, banner
    assert not appliance.socket.exists(), "the socket file is left behind"


def ends_by_itself_after_for():
    with tempfile.TemporaryDirectory() as folder:
        appliance = support.Appliance(folder)
        start = time.monotonic()
        done = support.run("run", appliance.definitions, "--for", "1.5")
        assert done.returncode == 0, done.stderr
        assert 1.4 < time.monotonic() - start < 15


def banner_and_log_are_json_when_asked():
    with tempfile.TemporaryDirectory() as folder:
        appliance = support.Appliance(folder)
        done = support.run("run", appliance.definitions, "--for", "0.5", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["unix"] == str(appliance.socket)
        events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
        assert events == ["ready", "stop"], events


def an_invalid_file_is_78_and_names_every_place():
    with tempfile.TemporaryDirectory() as folder:
        bad = pathlib.Path(folder) / "bad.yaml"
        bad.write_text("streams:\n  a:\n    id: 1\n    version: 1\n    time: ts\n    fields:\n"
                       "      ts: {type: timestamp}\n      x: {type: nonsense}\n"
                       "      y: {tipe: u64}\n")
        done = support.run("run", bad)
        assert done.returncode == 78, done
        assert f"{bad}:8:" in done.stderr and f"{bad}:9:" in done.stderr, done.stderr
        assert "event=ready" not in done.stderr and done.stdout == "", done
        assert "u64" in done.stderr, "does not say what is allowed: " + done.stderr
        errors = json.loads(support.run("run", bad, "--json").stdout)["errors"]
        assert {error["line"] for error in errors} >= {8, 9}, errors
        missing = support.run("run", bad.with_name("missing.yaml"))
        assert missing.returncode == 78 and "missing.yaml" in missing.stderr, missing


def a_second_one_on_the_same_socket_is_refused_with_a_sentence():
    with support.running() as first, tempfile.TemporaryDirectory() as folder:
        second = support.Appliance(folder)
        text = second.definitions.read_text().replace(str(second.socket), str(first.socket))
        second.definitions.write_text(text)
        done = support.run("run", second.definitions, "--for", "5")
        assert done.returncode == 1, done
        assert str(first.socket) in done.stderr, done.stderr
        assert first.status()["appliance"]["ready"]


def a_taken_port_is_refused_with_a_sentence():
    with support.running() as first, tempfile.TemporaryDirectory() as folder:
        second = support.Appliance(folder)
        text = second.definitions.read_text().replace(f":{second.udp}\"", f":{first.udp}\"")
        second.definitions.write_text(text)
        done = support.run("run", second.definitions, "--for", "5")
        assert done.returncode == 1 and str(first.udp) in done.stderr, done
        assert not second.socket.exists(), "something stayed open"


def every_verb_has_help_and_refuses_unknown_options():
    assert len(VERBS) >= 9, VERBS
    for verb in VERBS:
        done = support.run(verb, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: freshet {verb}"), done
        assert "--json" in done.stdout, f"{verb} has no --json"
        done = support.run(verb, "--nonsense")
        assert done.returncode == 2 and "--nonsense" in done.stderr, done
    for arguments in ([], ["nonsense"], ["run"], ["get"], ["get", "nocolon"], ["status", "x"],
                      ["run", "x", "--for", "-1"], ["run", "x", "--log-format", "xml"]):
        done = support.run(*arguments)
        assert done.returncode == 2 and done.stderr != "", (arguments, done)
    assert "did you mean \"check\"" in support.run("chekc").stderr
    assert support.run("--help").returncode == 0
    assert support.run("--version").stdout.startswith("freshet ")


def a_client_without_a_server_says_what_it_tried():
    for verb in (["status"], ["get", "card:1"], ["drops"], ["top"]):
        done = support.run(*verb, "--server", "/nowhere/freshet.sock")
        assert done.returncode == 1, done
        assert "/nowhere/freshet.sock" in done.stderr and "freshet run" in done.stderr, done
    done = support.run("status", environment={"FRESHET_SERVER": "127.0.0.1:1"})
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr, done
    for server in ("", "127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1:", "host:port"):
        done = support.run("status", "--server", server)
        assert done.returncode == 1 and "HOST:PORT, the port 1 to 65535" in done.stderr, done
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([support.PROGRAM, "status"], capture_output=True, text=True,
                              cwd=folder, env={}, timeout=30)
        assert "run/freshet.sock" in done.stderr, done


def sending_what_cannot_be_read_is_a_failure():
    with support.running() as appliance:
        stream = re.search(r"streams:\n  (\w+):", appliance.definitions.read_text())[1]
        done = appliance.verb("send", "--to", f"127.0.0.1:{appliance.udp}", "--config",
                              appliance.definitions, "--stream", stream, appliance.folder,
                              check=False)
        assert done.returncode == 1 and "cannot be read: Is a directory" in done.stderr, done


if __name__ == "__main__":
    support.main([starts_and_ends_on_sigterm, ends_by_itself_after_for,
                  banner_and_log_are_json_when_asked, an_invalid_file_is_78_and_names_every_place,
                  a_second_one_on_the_same_socket_is_refused_with_a_sentence,
                  a_taken_port_is_refused_with_a_sentence,
                  every_verb_has_help_and_refuses_unknown_options,
                  a_client_without_a_server_says_what_it_tried,
                  sending_what_cannot_be_read_is_a_failure])
