#!/usr/bin/env python3
"""The examples make of their events what stands beside them: NAME.yaml, NAME.ndjson, and
NAME*.expected, whose first lines are the command that made it."""

import pathlib
import shlex
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import appliance as support  # noqa: E402

EXAMPLES = support.SOURCE / "config" / "examples"


def command_of(path):
    """The words behind `freshet eval` in the comment that the file begins with."""
    text = ""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        text += line.removeprefix("#").rstrip("\\")
    words = shlex.split(text)
    assert words[:2] == ["freshet", "eval"], f"{path}: does not begin with its command"
    return words[2:]


def evaluate(path, expected):
    return support.run("eval", *command_of(path), "--expect", expected, cwd=support.SOURCE)


def every_example_has_events_and_what_they_make():
    for example in sorted(EXAMPLES.glob("*.yaml")):
        assert example.with_suffix(".ndjson").is_file(), example
        assert list(EXAMPLES.glob(f"{example.stem}*.expected")), example


def the_examples_make_what_they_say():
    for path in sorted(EXAMPLES.glob("*.expected")):
        done = evaluate(path, path)
        assert (done.returncode, done.stdout) == (0, ""), (path, done.stdout, done.stderr)


def all_that_is_answered_is_expected():
    for path in sorted(EXAMPLES.glob("*.expected")):
        done = support.run("eval", *command_of(path), cwd=support.SOURCE)
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert done.stdout.splitlines() == lines, (path, done.stdout)


def one_value_that_differs_is_said():
    for path in sorted(EXAMPLES.glob("*.expected")):
        lines = path.read_text().splitlines()
        name = lines[-1].rsplit(" ", 1)[0]
        with tempfile.NamedTemporaryFile("w", suffix=".expected") as changed:
            changed.write("\n".join([*lines[:-1], name + " something"]) + "\n")
            changed.flush()
            done = evaluate(path, changed.name)
        assert done.returncode == 1 and done.stdout.startswith(f"{name}: is "), (path, done)


if __name__ == "__main__":
    support.main([every_example_has_events_and_what_they_make, the_examples_make_what_they_say,
                  all_that_is_answered_is_expected, one_value_that_differs_is_said])
