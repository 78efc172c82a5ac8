"""A lost answer has the same finding in a named call, unnamed, and in an exploration.

Of a write: it depends on what the client does then.
"""

import contextlib
import re
from uuid import uuid4

import httpx
import pytest

import faultinject
from tests.slowly import others_slowly

from .exploration.service import exploring_runs

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def storage():
    with faultinject.Storage("s3") as made:
        yield made


def make_box(storage):
    """Ask for it without certificates: to load them takes longer than to ask."""
    httpx.put(f"{storage.url}/box", trust_env=False, verify=False)


class Caller:
    """Asks a store; every attempt of one call carries its id, as those of AWS's SDKs do."""

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, trust_env=False, verify=False)

    def ask(self, method, key, content=None, attempts=3, **headers):
        """The last answer; OSError where there is none."""
        headers = {each.replace("_", "-"): text for each, text in headers.items()}
        headers["amz-sdk-invocation-id"] = str(uuid4())
        for _ in range(attempts):
            with contextlib.suppress(httpx.TransportError):
                return self.client.request(method, f"/box/{key}", content=content, headers=headers)
        raise OSError("no answer")


class ConflictError(OSError):
    """Somebody else has written it."""


def uploads(caller, *, right):
    caller.ask("PUT", "cat", b"meow", attempts=3 if right else 1)


def locks(caller, *, right):
    refused = caller.ask("PUT", "lock", b"me", if_none_match="*").status_code == 412
    if refused and not (right and caller.ask("GET", "lock").content == b"me"):
        raise ConflictError


def commits(caller, *, right):
    caller.ask("PUT", "rows", b"1, 2")
    if caller.ask("PUT", "table", b"rows", if_none_match="*").status_code == 412:
        if right and caller.ask("GET", "table").content == b"rows":
            return
        caller.ask("DELETE", "rows")
        raise ConflictError


def appends(caller, *, right):
    for _ in range(3):
        log = caller.ask("GET", "log")
        there = log.content if log.status_code == 200 else b""
        if right and b"entry" in there:
            return
        guard = {"if_match": log.headers["etag"]} if there else {"if_none_match": "*"}
        if caller.ask("PUT", "log", there + b"entry;", **guard).status_code == 200:
            return


JOBS = {
    "told an error": uploads,
    "false conflict": locks,
    "undid its own write": commits,
    "wrote twice": appends,
}
VERDICTS = {"told an error": "WARN"}


def rule(answer):
    """The fault that loses the answer of the write that counts."""
    return "reset,when=after,method=PUT,times=1" + (",key=table" if answer == "undid its own write" else "")


def judged(storage, answer, *, right, named):
    """The check's findings on the client's one call."""
    storage.reset()
    make_box(storage)
    caller = Caller(storage.url)
    with (
        faultinject.inject(rule(answer)) as faults,
        contextlib.closing(caller.client),
        contextlib.suppress(OSError),
        faults.call("job") if named else contextlib.nullcontext(),
    ):
        JOBS[answer](caller, right=right)
    return [(each.subject, each.verdict) for each in faults.findings() if each.check == "lost answer"]


@pytest.mark.parametrize("answer", others_slowly(JOBS, lambda answer: answer == "wrote twice"))
def test_in_a_call(storage, answer):
    """A named call shows what its caller heard, so the verdict is certain.

    In a journal without names, what was written later may be right. A right client of the three kinds gets no
    finding.
    """
    wrong = (answer, VERDICTS.get(answer, "FAIL"))
    unknown = (None, "INCONCLUSIVE")
    unnamed = {"told an error": unknown, "false conflict": (answer, "WARN"), "wrote twice": unknown}
    for named, found in ((True, wrong), (False, unnamed.get(answer, wrong))):
        assert judged(storage, answer, right=False, named=named) == [found]
        assert judged(storage, answer, right=True, named=named) == [unknown]


def explored(storage, job, *, right):
    """An exploration of a job that begins with an empty box, and its error."""
    caller = Caller(storage.url)

    def run(faults):
        with faults.pause():
            storage.reset()
            make_box(storage)
        job(caller, right=right)

    with contextlib.closing(caller.client):
        return exploring_runs(run, "reset,when=after,method=PUT")


@pytest.mark.parametrize("answer", JOBS)
def test_in_an_exploration(storage, answer):
    """Its finding names the answer; the program that is right has none."""
    found = []
    for right in (True, False):
        exploration, _ = explored(storage, JOBS[answer], right=right)
        findings = [each for run in exploration.runs for each in run.findings]
        found.append({(each.subject, each.verdict) for each in findings if each.check == "lost answer"})
    assert found[0] == set()
    assert (answer, VERDICTS.get(answer, "FAIL")) in found[1]


def commits_and_appends(caller, *, right):
    with contextlib.suppress(ConflictError):
        commits(caller, right=right)
    appends(caller, right=right)


def test_two_answers_at_one_operation(storage):
    """They are two causes, though the job ends well in both runs."""
    _, error = explored(storage, commits_and_appends, right=False)
    causes = re.findall(r"^lost answer: (.*?): request", str(error), re.MULTILINE)
    assert sorted(causes) == ["undid its own write", "wrote twice"]
