"""Puts faults around the apps of a Python process that reads no `.pth` file.

Every Python process that starts with this folder on PYTHONPATH imports this module.
"""

import os
import sys


def _start() -> None:
    run = os.environ.get("FAULTINJECT_RUN")
    if not (run or os.environ.get("FAULTINJECT_SESSION")):
        return
    try:
        from faultinject.hooks import begin
    except Exception as error:  # pragma: no cover - without the package and without coverage
        _print_message(f"nothing is injected in this Python: {error}")
        if run and run.startswith("strict"):
            # The process may never serve anything, so it ends only when it imports a server. Without the package,
            # `watching` is found beside this file, as the folder is first on the path; then its name is freed.
            watching = __import__("watching")
            del sys.modules["watching"]
            watching.ImportWatch(_exit_before_serving).begin()
    else:
        begin()


def _exit_before_serving() -> None:  # pragma: no cover - a Python without coverage
    _print_message("--strict ends this process, which is about to serve without faults")
    os._exit(2)


def _print_message(text: str) -> None:  # pragma: no cover - a Python without coverage
    print(f"faultinject: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _load_hidden_sitecustomize() -> None:
    """Load the `sitecustomize` of the environment, which this module hides, if there is one."""
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


_start()
_load_hidden_sitecustomize()
