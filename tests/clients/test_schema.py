#!/usr/bin/env python3
"""config/freshet.schema.json knows the keys that the loader knows, takes the files that it takes,
and refuses what editors shall underline."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))
import appliance as support  # noqa: E402

SCHEMA = support.SOURCE / "config" / "freshet.schema.json"
KEYWORD = re.compile(r"^KEYWORD\((\w+), (\w+), (BUILT|LATER),", re.M)
ELSEWHERE = {"key_file", "producer", "producer_key", "user"}  # Files of their own.
GOOD = sorted([*(support.SOURCE / "config" / "examples").glob("*.yaml"),
               *(support.SOURCE / "tests" / "system" / "data").glob("*.yaml")])
STREAM = "streams: {s: {id: 1, time: t, fields: {t: {type: timestamp}, k: {type: u64}}}}\n"
VIEW = "views: {v: {entity: k, source: s, windows: [1h], aggregates: {c: count()}%s}}\n"
SERVICE = "services: {f: {features: [v.c_1h], log: %s}}\n"
WRONG = {
    "an unknown key": STREAM + VIEW % ", wher: k > 1",
    "no windows": STREAM + "views: {v: {entity: k, source: s, aggregates: {c: count()}}}\n",
    "a duration without a unit": STREAM + VIEW % ", ttl: 40",
    "an aggregate that is none": STREAM + VIEW.replace("count()", "cout()") % "",
    "a stream without fields": "streams: {s: {id: 1, time: t}}\n",
    "a type that is none": STREAM.replace("u64", "int") + VIEW % "",
    "an objective without a target": STREAM + VIEW % ", slo: {read: 1ms}",
    "an objective without a limit": STREAM + VIEW % ", slo: {target: 99.9}",
    "all of them": STREAM + VIEW % ", slo: {read: 1ms, target: 100}",
    "a log without a share": STREAM + VIEW % "" + SERVICE % "{}",
    "a share above one": STREAM + VIEW % "" + SERVICE % "{sample: 1.5}",
    "a name with a capital": STREAM + VIEW.replace("v:", "View:") % "",
}


def keys_check():
    """Keys by place, of the table and of the schema."""
    schema = json.loads(SCHEMA.read_text())
    table = {}
    for place, name, state in KEYWORD.findall((support.SOURCE / "config/keywords.def").read_text()):
        if place not in ELSEWHERE and state == "BUILT":
            table.setdefault(place, set()).add(name)
    for place, names in table.items():
        node = schema if place == "top" else schema["definitions"][place]
        assert set(node["properties"]) == names, (place, set(node["properties"]) ^ names)


def errors_of(paths):
    environment = dict(os.environ, FRESHET_SCHEMA=str(SCHEMA))
    done = subprocess.run(["node", HERE / "schema.js", *paths], capture_output=True, text=True,
                          timeout=60, check=False, env=environment, cwd=HERE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main():
    keys_check()
    support.need("node")
    if not (HERE / "node_modules" / "ajv").is_dir():
        print("skipped: needs the packages of tests/clients/package-lock.json (npm ci there)")
        sys.exit(support.SKIPPED)
    for path, errors in errors_of(GOOD).items():
        assert not errors, (path, errors)
    with tempfile.TemporaryDirectory(prefix="freshet-schema-") as folder:
        paths = {}
        for number, (name, text) in enumerate(WRONG.items()):
            path = pathlib.Path(folder) / f"{number}.yaml"
            path.write_text(text)
            paths[str(path)] = name
        for path, errors in errors_of(paths).items():
            assert errors, f"{paths[path]}: nothing was said"
    print(f"{len(GOOD)} files are good, {len(WRONG)} are not")


if __name__ == "__main__":
    main()
