"""Flask and FastAPI: the cost of faults in a hello-world app, and of an injected error."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any

from apps import (
    NoopASGI,
    NoopWSGI,
    around,
    asgi_by_hand,
    environ,
    fastapi_hello,
    flask_hello,
    rules,
    scope,
    serves_asgi,
    serves_wsgi,
    wsgi_by_hand,
)  # fmt: skip
from measure import Block, Goal, Row, side_by_side

MANY = 10_000
FAULTS = (
    "cos:SlowDown",
    "qingstor:internal_error",
    "jss:InternalError",
    "qiniu-mix:SlowDown",
    "gateway:BadGateway",
)


def run() -> list[Row]:
    return [*_flask(), *_fastapi()]


def _flask() -> list[Row]:
    noop = flask_hello()
    noop.wsgi_app = NoopWSGI(noop.wsgi_app)
    request = environ()
    blocks = {
        "noop": serves_wsgi(noop, request),
        "bare": serves_wsgi(flask_hello(), request),
        "on": serves_wsgi(around(flask_hello(), rules(MANY)), request),
    }
    blocks |= {fault: serves_wsgi(around(flask_hello(), fault), request) for fault in FAULTS}
    blocks["by hand"] = serves_wsgi(wsgi_by_hand(flask_hello()), request)
    sample = side_by_side(blocks, rounds=121)
    rows = [
        sample.ratio("on", f"Flask hello, no match, {MANY:,} rules", "with a no-op class", Goal("≤", 1.04))
    ]
    rows += [
        sample.ratio(fault, f"injected {fault}, WSGI", "Flask hello", Goal("≤", 0.5), "bare")
        for fault in FAULTS
    ]
    rows.append(
        sample.ratio("by hand", "an error of a few lines by hand, WSGI", "Flask hello", Goal("", 0), "bare")
    )
    return rows


def _fastapi() -> list[Row]:
    from starlette.middleware.base import BaseHTTPMiddleware

    class Nothing(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    noop, slow = fastapi_hello(), fastapi_hello()
    noop.add_middleware(NoopASGI)
    slow.add_middleware(Nothing)
    loop = asyncio.new_event_loop()

    def serves(app: Any) -> Block:
        return serves_asgi(app, scope(), loop)

    blocks = {
        "noop": serves(noop),
        "bare": serves(fastapi_hello()),
        "on": serves(around(fastapi_hello(), rules(MANY))),
        "base": serves(slow),
    }
    blocks |= {fault: serves(around(fastapi_hello(), fault)) for fault in FAULTS}
    blocks["by hand"] = serves(asgi_by_hand(fastapi_hello()))
    sample = side_by_side(blocks, rounds=121)
    loop.close()
    rows = [
        sample.ratio("on", f"FastAPI hello, no match, {MANY:,} rules", "with a no-op class", Goal("≤", 1.04))
    ]
    # What ours adds is near the noise of one round: medians of what both add, not a ratio round by round.
    ours = max(median(sample.added("on", "bare")), 1.0)
    times = [added / ours for added in sample.added("base", "bare")]
    note = f"{ours / 1000:+.2f} µs and {median(sample.added('base', 'bare')) / 1000:+.1f} µs"
    rows.append(
        sample.row(
            "added by BaseHTTPMiddleware to FastAPI", "added by faultinject", Goal("≥", 50), times, note
        )
    )
    rows += [
        sample.ratio(fault, f"injected {fault}, ASGI", "FastAPI hello", Goal("≤", 0.75), "bare")
        for fault in FAULTS
    ]
    rows.append(
        sample.ratio("by hand", "an error of a few lines by hand, ASGI", "FastAPI hello", Goal("", 0), "bare")
    )
    return rows
