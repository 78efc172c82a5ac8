"""The entry into every Python below `run`.

`faultinject.pth` beside the package calls `begin`, or else this folder's `sitecustomize` does.
"""

import os
import sys


def begin() -> None:
    """Put faults around the apps that this Python will serve; a second call does nothing."""
    on = os.environ.get("FAULTINJECT_ENABLED", "").strip().lower()
    if on in ("0", "false", "no", "off") or "faultinject.hooks.watching" in sys.modules:
        return
    from faultinject.hooks.watching import ImportWatch

    # Most Pythons below `run` serve nothing, so the rest is loaded only when a framework or server is.
    ImportWatch(_hook).begin()


def _hook() -> None:
    try:
        from faultinject.adapters.import_hooks import hook

        hook()
    except Exception as error:
        text = f"faultinject: nothing is injected in this Python: {error}"
        print(text, file=sys.stderr, flush=True)  # noqa: T201
        if os.environ.get("FAULTINJECT_RUN", "").startswith(
            "strict"
        ):  # pragma: no cover - it does not outlive this
            os._exit(2)  # an exception may be caught on its way, and is another exit code while Python starts
