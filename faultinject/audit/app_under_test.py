"""Finds the requests of a test to its own app, while the storage behind it has faults."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable, Sequence

from msgspec import structs

from faultinject.audit.matching import client_of
from faultinject.audit.statistics import grouped
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.outcome import Outcome

APP_UNDER_TEST = "app under test"
"""The reason for leaving out requests that a test makes to the app under test."""


def asked_of_app(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Find the requests that tests themselves made to the app under test, without a client.

    A place is the app under test if none of the test's requests to it got a fault, and if, in some test, it refused
    a request during which a request to another place got a fault.

    Args:
        attempts: in order of arrival.
    """
    faults = {
        test: [attempt.arrived for attempt in own if attempt.injected]
        for test, own in grouped(attempts, _test).items()
    }
    untouched = {
        key: own
        for key, own in grouped(attempts, lambda attempt: (_test(attempt), _place(attempt))).items()
        if not any(attempt.injected for attempt in own)
    }
    apps = {
        place
        for (test, place), own in untouched.items()
        if any(_refused_below(attempt, faults[test]) for attempt in own)
    }
    return [attempt for (_, place), own in untouched.items() if place in apps for attempt in own]


def refusals(asked: Sequence[Attempt], windows: Collection[CallWindow]) -> list[CallWindow]:
    """Find the app's refusals to a test: each stands for an error of the calls below it.

    Args:
        asked: the requests to the app.
        windows: the calls that the test itself has named.
    """
    return [
        CallWindow(
            f"{attempt.method} {attempt.path}",
            attempt.arrived,
            attempt.answered,
            returned=False,
            test=attempt.test,
            within=[one.began for one in windows if one.name is not None and one.began <= attempt.arrived],
        )
        for attempt in asked
        if attempt.failed and attempt.answered is not None and attempt.test is not None
    ]


def places_of_app(requests: Sequence[Outcome]) -> set[Hashable]:
    """Find the places of the app under test, by its requests to other places meanwhile.

    Requests that are signed with an access key are left out: an SDK sends them to a storage.

    Args:
        requests: in order of arrival.
    """
    places: set[Hashable] = set()
    for number, request in enumerate(requests):
        answered = request.answered
        if answered is None or request.principal is not None or _place(request) in places:
            continue
        end = bisect_left(requests, answered, number + 1, key=lambda request: request.arrived)
        if any(
            inner.test == request.test and is_below(inner, request) for inner in requests[number + 1 : end]
        ):
            places.add(_place(request))
    return places


def is_below(inner: Outcome, request: Outcome) -> bool:
    """Whether a request ran within another one, of another client and to another place."""
    host, client, route = _place(request)
    other_host, other_client, bucket = _place(inner)
    return (
        client != other_client
        and (host, route) != (other_host, bucket)
        and request.arrived <= inner.arrived
        and None not in (inner.answered, request.answered)
        and (inner.answered or 0) < (request.answered or 0)
    )


def without_operations(requests: Sequence[Outcome], places: Collection[Hashable]) -> list[Outcome]:
    """Return the requests, of which those to the app under test get no operation of a storage."""
    return [
        structs.replace(request, operation=None) if _place(request) in places else request
        for request in requests
    ]


def _test(attempt: Attempt) -> Hashable:
    return attempt.clock, attempt.test


def _place(attempt: Outcome) -> tuple[str, str, str]:
    """The host, client and first segment of a request; app and test may have the same client."""
    return attempt.host, client_of(attempt.user_agent), attempt.path.lstrip("/").partition("/")[0]


def _refused_below(attempt: Attempt, faults: Sequence[float]) -> bool:
    """Whether the app refused this request, and another request got a fault during it.

    Args:
        attempt: the request.
        faults: the times at which requests with a fault came, ascending.
    """
    return (
        attempt.failed
        and attempt.answered is not None
        and bisect_left(faults, attempt.arrived) < bisect_left(faults, attempt.answered)
    )
