"""Found by every Python that starts with this folder on PYTHONPATH: puts faults around the apps that it will serve."""

import os
import sys


def _switch_on() -> None:
    on = os.environ.get("FAULTINJECT_ENABLED", "").strip().lower()
    if on in ("0", "false", "no", "off") or not (on or os.environ.get("FAULTINJECT_SESSION")):
        return
    try:
        from faultinject.hooks.watching import Watch

        # Most Pythons below `run` serve nothing: all else is loaded only where something may.
        Watch(_hook).begin()
    except Exception as error:  # pragma: no cover - a Python without the package, nor coverage
        _say(error)


def _hook() -> None:
    try:
        from faultinject.adapters.import_hooks import hook

        hook()
    except Exception as error:
        _say(error)


def _say(error: Exception) -> None:
    print(f"faultinject: nothing is injected in this Python: {error}", file=sys.stderr)  # noqa: T201


def _go_on() -> None:
    """Load the `sitecustomize` that this one stands in front of, if there is one, under its own name."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - before everything else
    sys.path[:] = [each for each in sys.path if os.path.abspath(each or ".") != here]  # noqa: PTH100
    own = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", own)


_switch_on()
_go_on()
