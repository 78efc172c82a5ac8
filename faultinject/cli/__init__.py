"""The command line: one module a command, gathered in `program`."""

from __future__ import annotations

import sys

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    ControlClient="control",
    Journals="report",
    Progress="progress",
    Workload="demo",
    DEMO_RULES="demo",
    group="program",
    judge_when_over="report",
    listen="listening",
    load_sdk="demo",
    uvicorn_server="listening",
)
__all__ += ["main"]


def main() -> None:
    """Run the program with the arguments of the process; Ctrl-C ends it without a traceback, also while it is loaded."""
    try:
        from faultinject.cli.program import main as run

        run()
    except KeyboardInterrupt:
        print("faultinject: interrupted", file=sys.stderr)
        sys.exit(130)
