"""Help needs no room of the package: its names are compared with the rooms' own here."""

import subprocess
import sys

import pytest

from faultinject.cli import options
from faultinject.cli.program import group
from faultinject.server.bounds import LIMITS

LIGHT = {"faultinject.exceptions", "faultinject.faces"}
"""The modules outside of the command line that its help loads."""
HELPS = ["--version", "-h", *(f"{name} -h" for name in group.commands), "control set -h"]
LOADED = """
import os, sys

before = {*sys.modules}
from faultinject.cli.program import program

for line in sys.argv[1:]:
    if os.fork():
        os.wait()
    else:
        program.main(line.split(), standalone_mode=False)
        print("loaded", line, ":", *({*sys.modules} - before), flush=True)
        os._exit(0)
"""


@pytest.fixture(scope="module")
def loaded():
    """The modules that the program has loaded when it has printed something, by its words."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *HELPS], capture_output=True, text=True, check=True, timeout=300
    )
    lines = [each.partition(" : ") for each in done.stdout.splitlines() if each.startswith("loaded ")]
    return {words.removeprefix("loaded "): {*modules.split()} for words, _, modules in lines}


@pytest.mark.live
@pytest.mark.parametrize("words", HELPS)
def test_help_loads_no_room(loaded, words):
    """Beside click, Python's own modules and the options of this command, nothing is loaded."""
    modules = loaded[words]
    commands = {f"faultinject.cli.commands.{name}" for name in words.split() if name in group.commands}
    ours = {name for name in modules if name.startswith("faultinject.")}
    assert {name for name in ours if not name.startswith("faultinject.cli")} <= LIGHT
    assert {name for name in ours if name.startswith("faultinject.cli.commands.")} == commands
    of_others = {name.partition(".")[0] for name in modules} - {"click", "faultinject"}
    assert of_others <= sys.stdlib_module_names
    assert of_others.isdisjoint({"asyncio", "doctest", "http", "json", "logging", "ssl", "tempfile"})


def test_the_default_of_connections_is_the_servers():
    """`--max-connections` begins where a server without it does."""
    assert LIMITS.connections == options.MOST_CONNECTIONS
