"""The command line: `commands` has options and help, the module of each name does the work."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program with the arguments of the process.

    Ctrl-C ends it without a traceback, also while it is loaded.
    """
    try:
        from faultinject.cli.program import main as run

        run()
    except KeyboardInterrupt:
        print("faultinject: interrupted", file=sys.stderr)
        sys.exit(130)
