"""Calls made by hand, for checks to judge."""

from __future__ import annotations

from itertools import count

from faultinject.audit.evidence import Evidence
from faultinject.audit.profiles import get
from faultinject.audit.waits import Turnaround
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import SDK_ID, Call

SLOW_DOWN = {"fault": "cos:SlowDown", "status": 503, "did": "answered"}
INTERNAL = {"fault": "cos:InternalError", "status": 500, "did": "answered"}
HIDDEN = {"fault": "cos:InternalError", "status": 200, "did": "answered"}
DENIED = {"fault": "cos:AccessDenied", "status": 403, "did": "answered"}
RESET = {"fault": "reset", "status": None, "did": "reset"}
LOST = RESET | {"applied": True}
FINE = {"fault": None, "status": 200, "did": "passed"}

FAST = Turnaround(0.0003, 0.001, 20)
UNKNOWN = Turnaround(n=3)
TOOK = 0.001
"""Seconds from the arrival of a request to its answer."""

_numbers = count(1)


def attempt(arrived=0.0, kind=SLOW_DOWN, **more):
    """One request."""
    number = next(_numbers)
    fields = {
        "time": 1_800_000_000.0 + arrived,
        "arrived": arrived,
        "answered": arrived + TOOK,
        "pid": 7,
        "seq": number,
        "client": "127.0.0.1",
        "connection": 40_000,
        "method": "PUT",
        "path": "/bucket/key",
        "query": "",
        "host": "127.0.0.1",
        "user_agent": "acme/1.0",
        "request_bytes": 100,
        "request_digest": "d",
        "body_complete": True,
        "applied": False,
        "guarded": False,
        "region": "a",
        "clock_offset": 0,
    }
    return Attempt.of({**fields, **kind, **more})


def call(*gaps, kind=SLOW_DOWN, last=None, at=0.0, signal=SDK_ID, every=(), about=None, **more):
    """A call whose attempts all fail alike, each `gaps` seconds after the answer before it.

    Args:
        gaps: the waits, seconds.
        kind: what the attempts get.
        last: what the last one gets instead.
        at: when it begins.
        signal: what joined them.
        every: for each attempt fields of its own.
        about: keywords of `Call`.
        more: fields of all attempts.
    """
    arrived, made = at, []
    kinds = [kind] * len(gaps) + [kind if last is None else last]
    own = [*every, *[{}] * (len(kinds) - len(every))]
    path = f"/bucket/{next(_numbers)}"
    for gap, each, fields in zip((None, *gaps), kinds, own, strict=True):
        if gap is not None:
            arrived = (made[-1].answered or arrived + TOOK) + gap
        made.append(attempt(arrived, each, **({"path": path} | more | fields)))
    return Call(made, signal, **(about or {}))


def calls(number, *gaps, apart=0.04, at=0.0, **more):
    """A number of such calls, one after the other begun."""
    return [call(*gaps, at=at + apart * each, **more) for each in range(number)]


def evidence(*groups, profile="rfc", turnaround=FAST, **more):
    """What checks look at."""
    found = sorted((each for group in groups for each in group), key=lambda each: each.first.arrived)
    return Evidence(
        calls=found,
        profile=get(profile) if isinstance(profile, str) else profile,
        turnaround=turnaround,
        **more,
    )
