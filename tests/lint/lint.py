"""What the lint checks share. A tree is a dict of path to text, so that each check can be tried on
a small made-up tree and prove that it can fail."""

import os
import re
import subprocess
import sys

EXIT_SKIPPED = 77
PRODUCT = ("dataplane/", "drivers/", "config/", "controlplane/")
TEXT_ENDINGS = (".c", ".h", ".cc", ".def", ".py", ".sh", ".md", ".yaml", ".yml", ".build", ".txt")


def source_folder():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("FRESHET_SOURCE") or os.path.dirname(os.path.dirname(here))


def build_folder():
    return os.environ.get("FRESHET_BUILD") or os.path.join(source_folder(), "build")


def file_names():
    """Files of the project, relative to its root: what git tracks or would track."""
    root = source_folder()
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"],
        cwd=root, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        names = done.stdout.splitlines()
    else:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if not f.startswith((".", "build", "node_modules"))]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(n for n in names if os.path.isfile(os.path.join(root, n)))


def tree_of(endings):
    """The tree of files with one of these endings."""
    tree = {}
    for name in file_names():
        if name.endswith(endings):
            with open(os.path.join(source_folder(), name), encoding="utf-8") as file:
                tree[name] = file.read()
    return tree


TOKEN = re.compile(
    r'(?P<block>/\*.*?\*/)|(?P<line>//[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|'
    r"(?P<char>'(?:\\.|[^'\\\n])*')", re.S)


def code_of(text):
    """C text with comments and the insides of literals blanked, so that only code is searched.
    Lines keep their numbers."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def line_comments_of(text):
    """Line numbers of // comments."""
    return [text.count("\n", 0, m.start()) + 1 for m in TOKEN.finditer(text)
            if m.lastgroup == "line"]


def folder_of(name):
    """The floor folder of a path: the longest of the known ones."""
    for folder in ("dataplane/base", "dataplane/feature", "drivers/producer"):
        if name.startswith(folder + "/"):
            return folder
    return name.split("/")[0]


def main(check, self_test):
    """Runs both; prints findings; ends the process with 0 or 1 (77 comes from the check)."""
    missed = self_test()
    for what in missed:
        print(f"self-test: {what}")
    findings = check()
    for finding in findings:
        print(finding)
    failed = (1 if missed else 0) + (1 if findings else 0)
    print(f"{2 - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(EXIT_SKIPPED)
