"""One decision as plain data: what is done to a request, told without doing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from faultinject.engine.actions import Disconnect, Forward, Pass
from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.vendors.addressing import Addressing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from faultinject.engine.plan import Plan
    from faultinject.engine.request import Request
    from faultinject.rules.rule import Rule
    from faultinject.vendors.vendor import Vendor


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done to one request.

    Attributes:
        kind: `unmatched`, `respond`, `forward` or `break`; where a rule matched and nothing is done what the journal says:
            `passed`, `refused`, `nothing_to_cut` or `failed`.
        rule: what the rule is called.
        fault: as the journal has it.
        when: likewise.
        seq: likewise.
        told: status, length, id and hint as the journal has them by now.
        after: whether the app runs first.
        delay: seconds to wait.
        drain: whether the request's body is read first.
        how: how the connection ends.
        held: seconds in which nothing happens before that.
        shape: what is done to the body on its way, in the journal's word.
        rate: bytes a second that it goes at.
        upload: bytes of the request's body that the app reads before the wait.
        status_line: of the answer; of a broken connection that of the answer that stands in for it.
        headers: likewise.
        body: likewise.
        head: the head as the vendor's own server writes it, where its exact bytes are asked for.
        late: whether the answer begins before its error is told.
        needs_socket: whether only a connection of our own can send it.
    """

    kind: str
    rule: str | None = None
    fault: str | None = None
    when: str | None = None
    seq: int | None = None
    told: tuple[object, ...] = ()
    after: bool = False
    delay: float = 0.0
    drain: bool = True
    how: str | None = None
    held: float | None = None
    shape: str | None = None
    rate: int | None = None
    upload: int | None = None
    status_line: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    head: bytes | None = None
    late: bool = False
    needs_socket: bool = False


def view(place: Mapping[str, Any]) -> Request:
    """The request of a WSGI environ or an ASGI scope as rules see it."""
    return WSGIRequest(place) if "REQUEST_METHOD" in place else ASGIRequest(place)


def meets(rule: Rule, request: Request, endpoints: tuple[str, ...] = (), key: bytes = b"") -> bool:
    """Whether the conditions of one rule hold, each asked by itself: what the index must not hide."""
    return rule.compile(Addressing(rule.vendor, endpoints), key)(request)


class Seen(NamedTuple):
    """What a request is about, as a vendor reads it.

    Attributes:
        operation: its name in the vendor's table.
        bucket: also a container's name.
        key: also a blob's name.
        level: what it asks about: the service, a bucket, an object, or what else the vendor's addressing has.
        exact: what tells it from others letter for letter, as `per=call` does.
        identity: the same with placeholders, as draws do.
    """

    operation: str | None
    bucket: str | None
    key: str | None
    level: str
    exact: str
    identity: str


def reads(vendor: Vendor | None, request: Request, endpoints: tuple[str, ...] = ()) -> Seen:
    """What a request is about, by the vendor's addressing and its table of operations."""
    reading = Addressing(vendor, endpoints)
    bucket, key = reading.read_address(request)
    return Seen(reading.operation(request), bucket, key, reading.level(request), *reading.identify(request))


def candidates(plan: Plan, place: Mapping[str, Any]) -> Sequence[int] | None:
    """The numbers of the rules that such a request may meet; None: there is not even a look."""
    if "REQUEST_METHOD" in place:
        find = plan.environ.get(place["REQUEST_METHOD"], plan.environ_default)
    else:
        find = plan.scope.get(place["method"], plan.scope_default)
    return None if find is None else find(place)


def decide(plan: Plan, place: Mapping[str, Any]) -> Decision:
    """Decide one request: it is counted and drawn for, and nothing is done to it."""
    found = candidates(plan, place)
    action = plan.decide(view(place), found) if found else None
    if action is None:
        return Decision("unmatched")
    entry = action.entry
    if entry is None:
        return Decision("passed")
    told = (entry.status, entry.response_bytes, entry.request_id, entry.hint, entry.hint_form)
    about = Decision("respond", entry.rule, entry.fault, entry.when, entry.seq, told)
    if isinstance(action, Pass):
        return replace(about, kind=action.did)
    plan.services.finish()
    if isinstance(action, Forward):
        about = replace(about, kind="forward", after=action.after, delay=action.delay, upload=action.upload)
        shape = action.transform
    else:
        if isinstance(action, Disconnect):
            about = replace(about, kind="break", how=action.how, held=action.held)
            action = action.instead
        answer, shape = action.answer, action.transform
        about = replace(
            about,
            after=answer.after,
            delay=action.delay,
            drain=answer.drain,
            status_line=answer.status_line,
            headers=tuple(action.headers),
            body=action.body,
            head=None if answer.exact is None else answer.exact.write(action.headers, plan.services.clock()),
            late=answer.error_after_head,
            needs_socket=answer.needs_socket,
        )
    return about if shape is None else replace(about, shape=shape.did, rate=shape.rate)
