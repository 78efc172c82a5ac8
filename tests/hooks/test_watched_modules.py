"""What wakes the hook in a process that `run` has started: the modules that it can wrap, named where nothing heavy is loaded."""

import subprocess
import sys

NAMES = """
from faultinject.adapters.import_hooks import SERVERS
from faultinject.adapters.patch import BRIDGES, PLACES
from faultinject.hooks.watching import MODULES
print(sorted(MODULES ^ {*SERVERS, *PLACES, *BRIDGES}))
"""


def test_each_server_and_framework_wakes_the_hook():
    """A server that is added to the one list and not to the other would run without faults, and nobody would be told."""
    done = subprocess.run(
        [sys.executable, "-c", NAMES], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
