"""Puts faults around the apps of a Python in which no path file does.

Every Python that starts with this folder on PYTHONPATH finds it.
"""

import os
import sys


def _switch_on() -> None:
    run = os.environ.get("FAULTINJECT_RUN")
    if not (run or os.environ.get("FAULTINJECT_SESSION")):
        return
    try:
        from faultinject.hooks import begin
    except Exception as error:  # pragma: no cover - a Python without the package, nor coverage
        _say(f"nothing is injected in this Python: {error}")
        if run and run.startswith("strict"):
            # It may never serve anything. This folder is the first of the path now; the name is free for others
            # again.
            watching = __import__("watching")
            del sys.modules["watching"]
            watching.ImportWatch(_end).begin()
    else:
        begin()


def _end() -> None:  # pragma: no cover - a Python without coverage
    _say("--strict ends it, as it is about to serve")
    os._exit(2)


def _say(text: str) -> None:  # pragma: no cover - a Python without coverage
    print(f"faultinject: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _go_on() -> None:
    """Load the `sitecustomize` that this one hides, if there is one, under its own name."""
    folder_here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - before everything else
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != folder_here]  # noqa: PTH100
    own_module = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", own_module)


_switch_on()
_go_on()
