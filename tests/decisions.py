"""One decision as plain data: what is done to a request, told without doing it."""

from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

from faultinject.engine.actions import Disconnect, Forward, Pass
from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.vendors.addressing import Addressing


def view(place):
    """The request of a WSGI environ or an ASGI scope as rules see it."""
    return WSGIRequest(place) if "REQUEST_METHOD" in place else ASGIRequest(place)


def condition(rule, endpoints=(), key=b""):
    """Compile one rule's conditions alone, so that a test sees requests that the index hides."""
    return rule.compile(addressing(rule.vendor, endpoints), key)


def meets(rule, request, endpoints=(), key=b""):
    """Whether the conditions of one rule hold for one request."""
    return condition(rule, endpoints, key)(request)


addressing = cache(Addressing)
"""Reading the tables of a vendor takes longer than reading a request."""


class Seen(NamedTuple):
    """Operation, bucket, key and level of a request, as a vendor reads it."""

    operation: str | None
    bucket: str | None
    key: str | None
    level: str
    exact: str
    identity: str


def reads(vendor, request, endpoints=()):
    """Read a request with the vendor's addressing and its table of operations."""
    reading = addressing(vendor, endpoints)
    bucket, key = reading.read_address(request)
    return Seen(reading.operation(request), bucket, key, reading.level(request), *reading.identify(request))


def candidates(plan, place):
    """The numbers of the rules that such a request may meet; None: there is not even a look."""
    if "REQUEST_METHOD" in place:
        find = plan.environ.get(place["REQUEST_METHOD"], plan.environ_default)
    else:
        find = plan.scope.get(place["method"], plan.scope_default)
    return None if find is None else find(place)


def decide(plan, place):
    """Decide one request: it is counted and drawn for, and nothing is done to it.

    Its `kind` is `unmatched`, `respond`, `forward` or `break`; where a rule matched and nothing is done what the
    journal says: `passed`, `refused`, `nothing_to_cut` or `failed`.
    """
    found = candidates(plan, place)
    action = plan.decide(view(place), found) if found else None
    if action is None:
        return SimpleNamespace(kind="unmatched", rule=None)
    entry = action.entry
    told = (entry.status, entry.response_bytes, entry.request_id, entry.hint, entry.hint_form)
    about = {"rule": entry.rule, "fault": entry.fault, "when": entry.when, "seq": entry.seq, "told": told}
    if isinstance(action, Pass):
        return SimpleNamespace(kind=action.did, **about)
    plan.services.finish()
    kind = "respond"
    if isinstance(action, Disconnect):
        kind = "break"
        about |= {"how": action.how, "held": action.held}
        action = action.instead
    shape = action.filter if action.filter is not None and action.filter.of_body else None
    about |= {"delay": action.delay, "shape": shape and shape.did, "rate": getattr(shape, "rate", None)}
    if isinstance(action, Forward):
        return SimpleNamespace(kind="forward", after=action.after, upload=action.upload, **about)
    answer = action.answer
    return SimpleNamespace(
        kind=kind,
        after=answer.after,
        drain=answer.drain,
        status_line=answer.status_line,
        headers=action.headers,
        body=action.body,
        late=answer.error_after_head,
        **about,
    )
