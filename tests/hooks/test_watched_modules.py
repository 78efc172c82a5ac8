"""The modules that wake the hook in a process of `run`, named without heavy imports."""

import subprocess
import sys

NAMES = """
from faultinject.adapters.import_hooks import SERVERS
from faultinject.adapters.patch import BRIDGES, PLACES
from faultinject.hooks.watching import MODULES
print(sorted(MODULES ^ {*SERVERS, *PLACES, *BRIDGES}))
"""


def test_each_server_and_framework_wakes_the_hook():
    """Each server and framework is in both lists; otherwise it would get no faults, silently."""
    done = subprocess.run(
        [sys.executable, "-c", NAMES], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n", (
        "hooks/watching.py (MODULES) has them too, or they are in no table of adapters/"
    )
