"""The command line: `commands` has the options and help; a module beside it does the work."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program with the arguments of the process.

    Ctrl-C ends it without a traceback, also during the imports.
    """
    try:
        from faultinject.cli.program import main as run

        run()
    except KeyboardInterrupt:
        print("faultinject: interrupted", file=sys.stderr)
        sys.exit(130)
