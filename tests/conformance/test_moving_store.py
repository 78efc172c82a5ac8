"""Of a cut download whose object was replaced, only `mixed versions` says anything."""

from __future__ import annotations

import contextlib
import http.client

import pytest

from faultinject.audit.judging import judge_run
from faultinject.conformance.driving import run
from faultinject.conformance.plan import choose_phases, codes_of
from faultinject.journal.driven_run import run_of
from faultinject.journal.reading import read

from .conftest import Direct, Stubborn, at_once


class Resuming(Direct):
    """Asks for the rest of a cut download by Range."""

    guard: str | None = None
    end = ""

    def get(self, key):
        got, etag, end = b"", "", ""
        for _ in range(3):
            headers = {"Range": f"bytes={len(got)}-{end}"} if got else {}
            if got and self.guard:
                headers[self.guard] = etag
            connection = http.client.HTTPConnection(self.address, timeout=20)
            with contextlib.closing(connection):
                connection.request("GET", f"/{self.bucket}/{key}", headers=headers)
                answer = connection.getresponse()
                content, whole = self.content_of(answer)
            if answer.status == 412:
                raise ValueError(f"{key} has changed")
            if answer.status == 200:
                got, etag = b"", answer.getheader("ETag")
                end = self.end and str(int(answer.getheader("Content-Length")) - 1)
            got += content
            if whole:
                return got
        raise ValueError(f"{key} was cut three times")

    @staticmethod
    def content_of(answer):
        try:
            return answer.read(), True
        except http.client.IncompleteRead as cut:
            return cut.partial, False


class ToItsEnd(Resuming):
    """Says where the rest ends, as it knows how long the whole is."""

    end = "known"


class IfRange(Resuming):
    guard = "If-Range"


class IfMatch(ToItsEnd):
    guard = "If-Match"


class Anew(Direct):
    """Begins anew."""

    attempts = 2

    def get(self, key):
        for _ in range(self.attempts):
            try:
                return super().get(key)
            except http.client.IncompleteRead:
                continue
        raise ValueError(key)


class Ignoring(Direct):
    """Takes what has come for the whole."""

    def get(self, key):
        try:
            super().get(key)
        except http.client.IncompleteRead as cut:
            return cut.partial


def judged(client, names=("cal", "replaced"), **how):
    """The verdicts of these phases on a client."""
    phases = at_once(choose_phases(codes_of("s3"), names=names))
    return run(client, name="planted", vendor="s3", phases=phases, **how)


def verdicts(judgement):
    """The decided verdicts by check."""
    return {each.name: each.verdict for each in judgement.findings if each.verdict != "INCONCLUSIVE"}


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (Resuming, {"mixed versions": "FAIL"}),
        (ToItsEnd, {"mixed versions": "FAIL"}),
        (IfRange, {"mixed versions": "PASS"}),
        (IfMatch, {"mixed versions": "PASS"}),
        (Anew, {"mixed versions": "PASS"}),
        (Direct, {}),
        (Ignoring, {"answers": "FAIL"}),
    ],
)
def test_a_download_is_of_one_version(client, expected, tmp_path):
    """A client fails if it joins two versions, or returns the beginning as the whole.

    Nothing else is judged.
    """
    path = tmp_path / "journal.jsonl"
    done = judged(client, journal=str(path))
    assert (verdicts(done.judgement), done.failure, done.judgement.calls) == (expected, "", 29)
    noted = run_of(path.read_bytes().splitlines())
    assert verdicts(judge_run(read([str(path)], skipped={}), noted)) == expected


def test_what_was_judged_is_shown():
    """The requests of each of the four calls, or why nothing is said."""
    [found] = (each for each in judged(ToItsEnd).judgement.findings if each.check == "mixed versions")
    assert (found.n, [len(each.attempts) for each in found.calls]) == (4, [2] * 4)
    assert judged(Direct).judgement.conclusion.reason.startswith(
        "4 calls met a fault or retried, not enough data"
    )


def test_a_cut_download_may_have_no_end(for_ever):
    """A client that waits for ever for the rest gets no verdict, though it retries other calls."""

    class Waiting(Stubborn):
        def get(self, key):
            try:
                super().get(key)
            except http.client.IncompleteRead:
                for_ever()

    done = judged(Waiting, names=("cal", "reset", "replaced"), deadline=2.0)
    assert {each.name for each in done.windows if each.ended is None} == {"replaced"}
    assert (done.failure, verdicts(done.judgement)["retries: reset"]) == ("", "PASS")


def test_a_call_without_an_end_gave_its_caller_nothing(for_ever):
    """A call that has not ended by the deadline is not judged.

    The client got the rest of another version.
    """

    class Noticing(ToItsEnd):
        def get(self, key):
            super().get(key)
            if key.startswith("replaced"):
                for_ever()

    done = judged(Noticing, deadline=2.0)
    assert {each.name for each in done.windows if each.ended is None} == {"replaced"}
    assert "overwritten" in {each.did for each in done.outcomes}
    assert (done.failure, verdicts(done.judgement)) == ("", {})


@pytest.mark.parametrize(("vendor", "there"), [("cos", True), ("gcs", True), ("azure-blob", True), ("swift", False), ("b2", False), ("kodo", False)])  # fmt: skip
def test_only_a_store_that_can_replace_is_asked_to(vendor, there):
    """The small stores of other services have no second writer."""
    assert ("replaced" in {each.name for each in choose_phases(codes_of(vendor))}) is there
