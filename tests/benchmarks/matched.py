"""A rule matches and does not fire: the whole decision, without an answer."""

from __future__ import annotations

from typing import Any

from apps import around, calls_asgi, calls_wsgi, environ, rules, scope, trivial_asgi, trivial_wsgi
from measure import Goal, Row, side_by_side

from faultinject import Rule

_PATH = "/bucket77/photos/2024/a.jpg"


def run() -> list[Row]:
    return [*_compared("WSGI"), *_compared("ASGI")]


def _compared(interface: str) -> list[Row]:
    call: Any
    app, request, call = (
        (trivial_wsgi, environ, calls_wsgi) if interface == "WSGI" else (trivial_asgi, scope, calls_asgi)
    )
    sample = side_by_side(
        {
            "unmatched": call(around(app, rules(10_000)), request()),
            "chance": call(around(app, rules(10_000, probability=0)), request(path=_PATH)),
            "times": call(around(app, rules(10_000, times=0, per="call")), request(path=_PATH)),
            "address": call(
                around(app, Rule("cos:SlowDown", bucket="bucket77", key="photos/", probability=0)),
                request(path=_PATH),
            ),
        }
    )
    told = {
        "chance": "draw does not fire, 10,000 rules",
        "times": "`times` used up, `per=call`, 10,000 rules",
        "address": "bucket and key, draw does not fire",
    }
    return [
        sample.row(
            f"{interface}, matched, {what}",
            "no match",
            Goal("≤", 8.0, "µs"),
            [added / 1000 for added in sample.added(name)],
        )
        for name, what in told.items()
    ]
