"""Found by every Python that starts with this folder on PYTHONPATH: puts faults around the apps that it will serve."""

import os
import sys


def _switch_on() -> None:
    on = os.environ.get("FAULTINJECT_ENABLED", "").strip().lower()
    if on in ("0", "false", "no", "off") or not (on or os.environ.get("FAULTINJECT_SESSION")):
        return
    try:
        from faultinject.adapters.hooking import hook
    except ImportError as error:
        print(f"faultinject: nothing is injected in this Python: {error}", file=sys.stderr)  # noqa: T201
        return
    hook()


def _go_on() -> None:
    """Run the `sitecustomize` that this one stands in front of, if there is one."""
    import importlib.machinery
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - before everything else
    rest = [each for each in sys.path if os.path.abspath(each or ".") != here]  # noqa: PTH100
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if found is not None and found.loader is not None:
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)


_switch_on()
_go_on()
