"""A plan is run: who is asked for what, when, and what is kept of it."""

import contextlib
import http.client
import time
from itertools import pairwise
from uuid import uuid4

import pytest

from faultinject import vendors
from faultinject.conformance.driving import run
from faultinject.conformance.plan import BUCKET, ETAG, PHASES, choose_phases, codes_of
from faultinject.journal.reading import read
from tests.slowly import others_slowly, slowly

from .conftest import Direct, Stubborn, short

DONE = {
    "cal": {(200, "passed", None)},
    "throttled": {(503, "answered", None)},
    "server-error": {(500, "answered", None)},
    "one": {(503, "answered", None)},
    "one-read": {(503, "answered", None)},
    "one-post": {(503, "answered", None)},
    "reset": {(None, "reset", None)},
    "denied": {(403, "answered", None)},
    "not-found": {(404, "answered", None)},
    "bad": {(400, "answered", None)},
    "throttled-read": {(503, "answered", None)},
    "retry-after": {(503, "answered", "seconds")},
    "retry-after-date": {(503, "answered", "date")},
    "x-amz-retry-after": {(503, "answered", "x-amz-retry-after")},
    "x-ms-retry-after-ms": {(503, "answered", "x-ms-retry-after-ms")},
    "retry-after-ms": {(503, "answered", "retry-after-ms")},
    "junk": {(503, "answered", "unreadable")},
    "lost": {(None, "reset", None)},
    "error-in-200": {(200, "answered", None)},
    "slow": {(200, "delayed", None)},
    "replaced": {(200, "truncated", None)},
    "out": {(500, "answered", None)},
}


REFUSALS = short("cal", "denied", calls=(("get", 3),))
HIDDEN = [each for each in PHASES if each.name == "error-in-200"]
OWN_KINDS = ("s3", "cos", "azure-blob", "b2", "gcs", "kodo", "swift")
"""A service for each kind of operations; the others are asked as S3 is."""


def phase_of(outcome):
    return outcome.path.rpartition("/")[2].rpartition("-")[0]


def test_every_phase_does_what_it_says():
    """Each call meets the fault of its phase, and of no other."""
    done = run(Direct, name="direct", phases=[each for each in short() if each.name != "too-many-requests"])
    seen = {}
    for each in done.outcomes:
        seen.setdefault(phase_of(each), set()).add((each.status, each.did, each.hint_form))
    assert seen == DONE
    assert all(each.rule == phase_of(each) for each in done.outcomes if each.injected)


@pytest.mark.parametrize("vendor", others_slowly(vendors.services(), OWN_KINDS.__contains__))
def test_every_service_answers_with_its_own_errors(vendor):
    """Whatever service is played, each phase injects what the vendor documents."""
    there = {each.name for each in choose_phases(codes_of(vendor))}
    names = there & {
        "throttled",
        "server-error",
        "denied",
        "throttled-read",
        "too-many-requests",
        "error-in-200",
    }
    done = run(Direct, name="direct", vendor=vendor, phases=short(*names))
    assert {(each.rule, each.did) for each in done.outcomes} == {(name, "answered") for name in names}
    assert {each.fault.partition(":")[0] for each in done.outcomes} == {vendor}


def test_a_request_without_a_key_is_judged_by_nobody():
    """A request without a key belongs to no call: upload addresses are asked for repeatedly."""

    class Asking(Direct):
        def put(self, key):
            self.ask("POST", "addresses?for=upload", key.encode())
            super().put(key)

        def ask(self, method, key, body=None):
            with contextlib.suppress(ValueError):
                super().ask(method, key, body)

    done = run(Asking, name="asking", phases=[each for each in PHASES if each.name == "one"])
    assert len(done.outcomes) == 8
    assert {attempt.path for call in done.judgement.evidence.calls for attempt in call.attempts} == {
        f"/{BUCKET}/one-{number:03}" for number in range(1, 5)
    }


class Fresh(Direct):
    """A client that repeats an error in a 200 under a new id.

    SDKs do so that read the answer above their retries.
    """

    attempts = 2

    def complete(self, key):
        for _ in range(self.attempts):
            connection = http.client.HTTPConnection(self.address, timeout=20)
            headers = {"amz-sdk-invocation-id": str(uuid4()), "User-Agent": "aws-sdk-x/1"}
            connection.request("POST", f"/{BUCKET}/{key}?uploadId={key}", document(), headers)
            content = connection.getresponse().read()
            connection.close()
            if b"<Error>" not in content:
                return


class Swallowing(Fresh):
    """Takes it for success."""

    attempts = 1


def document():
    part = f"<Part><PartNumber>1</PartNumber><ETag>{ETAG}</ETag></Part>"
    return f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"


@pytest.mark.parametrize(
    ("client", "phases", "check", "expected"),
    [
        # A client that sends forbidden requests again fails, one that does not passes.
        (Direct, REFUSALS, "permanent", "PASS"),
        (Stubborn, REFUSALS, "permanent", "FAIL"),
        # A repetition under another id after an error in a 200 counts as a retry, though the SDK's own ids say that
        # these are two calls.
        (Fresh, HIDDEN, "error in 200", "PASS"),
        (Swallowing, HIDDEN, "error in 200", "FAIL"),
    ],
)
def test_the_verdict_is_that_of_the_client(client, phases, check, expected):
    """By what it did in the phases of a check."""
    done = run(client, name="client", vendor="s3", phases=phases)
    assert [each.verdict for each in done.judgement.findings if each.check == check] == [expected]


def test_what_is_kept_of_a_run(tmp_path):
    """A call that raises is told with the error in one line, one that returns without.

    Budgets are kept by client, so a fresh one is made for each phase, and closed. Every request is in the journal as
    well, for `faultinject report`, and whoever watches hears of every call that ends.
    """
    made, seen, path = [], [], str(tmp_path / "journal.jsonl")

    def factory(endpoint, bucket):
        made.append(Direct(endpoint, bucket))
        return made[-1]

    phases = short("cal", "denied", "not-found")
    done = run(factory, name="direct", phases=phases, journal=path, watch=seen.append)
    windows = {each.name: each for each in done.windows}
    assert {name: (each.key, each.returned, each.error) for name, each in windows.items()} == {
        "cal": ("cal-001", True, None),
        "denied": ("denied-001", False, "ValueError: 403 for denied-001"),
        "not-found": ("not-found-001", False, "ValueError: 404 for not-found-001"),
    }
    assert (
        [each.began <= each.ended for each in done.windows],
        [each.path for each in read([path], skipped={})],
        [each.closed for each in made],
        sorted(seen),
    ) == ([True] * 3, [each.path for each in done.outcomes], [True] * 3, [1, 2, 3])


def test_a_client_need_not_do_everything():
    """Kinds of calls that a client has not are not asked for; nor need it be closed."""

    class Reader:
        def __init__(self, endpoint, bucket):
            self.get = Direct(endpoint, bucket).get

    done = run(Reader, name="reader", phases=short("lost", "error-in-200", "not-found"))
    assert [each.key for each in done.windows] == ["not-found-001"]


def test_calibration_comes_first_and_alone():
    """Its calls are made one after the other, and all others after the last of them."""
    calls = (("get", 5),)
    done = run(Direct, name="direct", phases=short("cal", "denied", calls=calls))
    windows = [(each.began, each.ended) for each in done.windows]
    assert [each.name for each in done.windows] == ["cal"] * 5 + ["denied"] * 5
    assert all(before[1] <= after[0] for before, after in pairwise(windows[:6]))


@pytest.mark.parametrize(
    ("names", "stuck", "deadline", "left"),
    [
        # A call that goes on at the deadline is told as never ended, and the others are judged.
        slowly(
            ("denied", "not-found"), "not-found", 5.0, {"denied": (False, False), "not-found": (True, None)}
        ),
        # If the first call does not end, nothing else is asked for.
        (("cal", "denied"), "cal", 0.5, {"cal": (True, None)}),
    ],
    ids=["beside others", "in the calibration"],
)
def test_what_is_not_over_at_the_deadline_stays_open(for_ever, names, stuck, deadline, left):
    """It is not waited for."""

    class Stuck(Direct):
        def get(self, key):
            if key.startswith(stuck):
                for_ever()
            super().get(key)

    began = time.monotonic()
    done = run(Stuck, name="stuck", phases=short(*names), deadline=deadline)
    assert time.monotonic() - began < 30
    assert {each.name: (each.ended is None, each.returned) for each in done.windows} == left


def test_the_deadline_cuts_calls_that_were_not_begun():
    """Calls that would begin after the deadline are not asked for."""
    [phase] = (each for each in PHASES if each.name == "out")
    assert 0 < len(run(Direct, name="direct", phases=[phase], deadline=0.8).windows) < 120


def test_a_client_that_cannot_be_made_is_an_error():
    """An exception of the client's factory is raised on."""

    def factory(_endpoint, _bucket):
        raise LookupError("no such region")

    with pytest.raises(LookupError, match="no such region"):
        run(factory, name="none", phases=short("cal"))
