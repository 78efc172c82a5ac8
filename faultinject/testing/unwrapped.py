"""Apps that nobody wrapped.

Under pytest a block with faults reaches those of the frameworks; elsewhere it says that it reached none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

patch_frameworks_hooks: list[Callable[[], object]] = []
"""The plugin's work before a block begins, for each session of pytest in this process."""


def advice() -> str:
    """The advice if no request was seen.

    It depends on whether the frameworks' own apps are seen in this process.
    """
    if patch_frameworks_hooks:
        inside_moto = (
            " Inside moto's mock_aws, requests of botocore clients to S3 need none either: faults come while"
            " the test's own body runs, not its fixtures."
        )
        return (
            "Flask, Django, Starlette and FastAPI apps of this process need no set-up. Wrap any other app in"
            " WSGIFaultMiddleware or ASGIFaultMiddleware. For an app that calls storage, the fixture"
            " faultinject_store starts a store that faults reach. A server in another process needs the"
            " environment of this test run, or the variables of faults.env."
            f"{inside_moto if 'moto' in sys.modules else ''}"
        )
    return (
        "Wrap the app in WSGIFaultMiddleware or ASGIFaultMiddleware (rules=[] will do), or give the client a"
        " FaultTransport. Only under pytest do Flask, Django, Starlette and FastAPI apps of the process need"
        " no set-up."
    )
