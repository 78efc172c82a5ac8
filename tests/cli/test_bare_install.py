"""Every command works without extras, or says what installs the missing one."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.cli.journals import line
from tests.console import command, installs, split

pytestmark = pytest.mark.live

BARE = """
import json, os, sys
from importlib.machinery import PathFinder

OURS = {"faultinject", "anyio", "click", "msgspec", "wrapt", "idna", "typing_extensions", "pip", "coverage"}

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        # Python's own name for how it was built has its platform in it, and stands in no list.
        own = name in OURS | sys.stdlib_module_names | {"served"} or name.startswith("_sysconfigdata_")
        if path is None and not own:
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
from click.testing import CliRunner
from faultinject.cli.program import group as program

for environ, words in json.load(sys.stdin):
    done = CliRunner().invoke(program, words, env=environ, prog_name="faultinject")
    error = "" if isinstance(done.exception, SystemExit | None) else repr(done.exception)
    print(json.dumps([done.exit_code, error, done.stderr]))
"""
LACKING = [
    ("demo", "demo"),
    ("proxy --to http://h --port 0", "proxy"),
    ("explore --to http://h -r reset -- true", "proxy"),
    ("explore --to http://h --crash -- true", "proxy"),
    ("conformance --client true --tls", "serve"),
    ("conformance --client true -o report.html", "report"),
    ("report journal.jsonl --finished -o report.html", "report"),
    ("serve served:app --port 0", "serve"),
    ("serve --port 0", "serve"),
    ("explore -r http:503 -- true", "serve"),
    ("trial -- true", "serve"),
    ("conformance --client true", "serve"),
    ("serve --port 0 --tls", "tls"),
    ("FAULTINJECT_CONTROL=127.0.0.1:0 run -- true", "control"),
    ("FAULTINJECT_STORE=redis://h serve served:app -r reset --port 0", "redis"),
]
"""Commands that need an extra, and the extra."""
WORKING = [
    ("control status", 2),
    ("report journal.jsonl --finished", 3),
    ("conformance --list", 0),
    ("learn journal.jsonl", 2),
    ("convert --to envoy -r http:503", 0),
    ("vendors", 0),
    ("vendors cos:SlowDown", 0),
    ("preview cos:SlowDown", 0),
    ("check http:503", 0),
    ("schema", 0),
]
"""Commands that need no extra, and their exit codes."""


def test_what_is_missing_is_one_sentence(tmp_path):
    """With the command that installs it, and exit code 2.

    What needs nothing more works: whatever becomes of it, there is no traceback.
    """
    (tmp_path / "served.py").write_text("async def app(scope, receive, send): ...\n")
    (tmp_path / "journal.jsonl").write_text(json.dumps(line(1, 0.0)) + "\n")
    lines = [*LACKING, *WORKING]
    done = subprocess.run(
        [sys.executable, "-c", BARE],
        input=json.dumps([split(asked) for asked, _ in lines]),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(each) for each in done.stdout.splitlines()]
    for (asked, expected), (code, error, told) in zip(lines, found, strict=True):
        lacks = isinstance(expected, str)
        assert (asked, code, error) == (asked, 2 if lacks else expected, ""), told
        assert not lacks or (installs(told, expected) and told.count("\n") == 1), (asked, told)


def test_no_command_is_left_out():
    """A new one is added to a table."""
    tried = {next(word for word in asked.split() if "=" not in word) for asked, _ in LACKING + WORKING}
    listed = command("-h").stdout.partition("Commands:\n")[2].splitlines()
    assert {each.split()[0] for each in listed if re.match(r"  [a-z]", each)} <= tried
