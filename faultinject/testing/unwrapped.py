"""Advice for blocks that saw no request, as the app has no middleware.

Under pytest, faults also reach unwrapped apps of Flask, Django, Starlette and FastAPI.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

patch_frameworks_hooks: list[Callable[[], object]] = []
"""Functions that patch the frameworks before a block, one for each pytest session."""


def advice() -> str:
    """The advice if no request was seen; under pytest, unwrapped apps of frameworks are seen."""
    if patch_frameworks_hooks:
        inside_moto = (
            " Inside moto's mock_aws, requests of botocore clients to S3 need none either: faults come while"
            " the test's own body runs, not its fixtures. There, requests to your own app meet only rules with"
            " path= or host=."
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
