"""Apps that nobody wrapped: under pytest a block with faults reaches those of the frameworks; elsewhere it says that it reached none."""

from __future__ import annotations

from collections.abc import Callable

patch_frameworks_hooks: list[Callable[[], object]] = []
"""What the plugin does before a block begins, of each session of pytest that is going on in this process."""


def advice() -> str:
    """What to do where no request was seen: it depends on whether the frameworks' own apps are seen in this process."""
    if patch_frameworks_hooks:
        return (
            "Flask, Django, Starlette and FastAPI apps of this process need no set-up. Wrap any other app in"
            " WSGIFaultMiddleware or ASGIFaultMiddleware. For an app that calls storage, the fixture faultinject_store"
            " starts a store that faults reach. A server in another process needs the environment of this test run, or the"
            " variables of faults.env."
        )
    return (
        "Wrap the app in WSGIFaultMiddleware or ASGIFaultMiddleware (rules=[] will do), or give the client a"
        " FaultTransport. Only under pytest do Flask, Django, Starlette and FastAPI apps of the process need no set-up."
    )
