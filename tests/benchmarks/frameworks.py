"""Flask and FastAPI: the cost of faults in a hello-world app, and of an injected error."""

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
from measure import Block, Goal, Row, Sample, side_by_side

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
    unmatched, injected = _rows(side_by_side(blocks, rounds=121), "WSGI", "Flask hello", 0.5)
    return [unmatched, *injected]


def _rows(sample: Sample, interface: str, hello: str, limit: float) -> tuple[Row, list[Row]]:
    """The row of a request that no rule matches, and those of injected errors."""
    by_hand = f"an error of a few lines by hand, {interface}"
    injected = [
        sample.ratio(fault, f"injected {fault}, {interface}", hello, Goal("≤", limit), "bare")
        for fault in FAULTS
    ]
    return (
        sample.ratio("on", f"{hello}, no match, {MANY:,} rules", "with a no-op class", Goal("≤", 1.04)),
        [*injected, sample.ratio("by hand", by_hand, hello, Goal("", 0), "bare")],
    )


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
    unmatched, injected = _rows(sample, "ASGI", "FastAPI hello", 0.75)
    # What ours adds is near the noise of one round: medians of what both add, not a ratio round by round.
    ours = max(median(sample.added("on", "bare")), 1.0)
    times = [added / ours for added in sample.added("base", "bare")]
    note = f"{ours / 1000:+.2f} µs and {median(sample.added('base', 'bare')) / 1000:+.1f} µs"
    base = sample.row(
        "added by BaseHTTPMiddleware to FastAPI", "added by faultinject", Goal("≥", 50), times, note
    )
    return [unmatched, base, *injected]
