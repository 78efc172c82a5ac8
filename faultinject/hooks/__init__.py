"""Starts faultinject in each Python process that `run` or a test session starts.

`faultinject.pth` beside the package calls `begin`; where no `.pth` file is read, this folder's `sitecustomize` does.
"""

import os
import sys


def begin() -> None:
    """Put faults around the apps that this process will serve; a second call does nothing."""
    switch = os.environ.get("FAULTINJECT_ENABLED", "").strip().lower()
    if switch in ("0", "false", "no", "off") or "faultinject.hooks.watching" in sys.modules:
        return
    from faultinject.hooks.watching import ImportWatch

    # Most of these processes serve nothing, so the rest is loaded only when a framework or a server is imported.
    ImportWatch(_install_hooks).begin()


def _install_hooks() -> None:
    try:
        from faultinject.adapters.import_hooks import hook

        hook()
    except Exception as error:
        text = f"faultinject: nothing is injected in this Python: {error}"
        print(text, file=sys.stderr, flush=True)  # noqa: T201
        if os.environ.get("FAULTINJECT_RUN", "").startswith(
            "strict"
        ):  # pragma: no cover - the process ends here, before coverage can write
            os._exit(2)  # an exception might be caught, and has another exit code while Python starts
