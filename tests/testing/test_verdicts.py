"""Verdicts of `faults` on the client: its calls, the findings, and the assertion."""

import asyncio
import contextlib
import re
import sys
import time

import pytest
from werkzeug.test import Client, EnvironBuilder

import faultinject
from faultinject import WSGIFaultMiddleware, inject
from faultinject.exceptions import ConfigurationError, FaultInjectError, RetryAssertionError
from tests.asking import app
from tests.refusals import refusal

client = Client(WSGIFaultMiddleware(app, []))


def put(path="/b/k", tries=4, body=b"meow", **headers):
    """A client that tries again at once, after whatever it got."""
    for _ in range(tries):
        try:
            if client.put(path, data=body, content_length=len(body), headers=headers).status_code == 200:
                return "stored"
        except OSError:
            continue
    raise OSError("gave up\nwith details")


def upload(faults, *paths, name="upload", **keys):
    """A call with a name for each, that may give up."""
    for path in paths:
        with contextlib.suppress(OSError), faults.call(name):
            put(path, **keys)


THREE = ("/b/0", "/b/1", "/b/2")


def failure(faults, **keys):
    """The error of an assertion on retries that fails."""
    return refusal(faults.assert_retries, sort=RetryAssertionError, **keys)


def said(error):
    """The lines of an assertion, without how long anything took."""
    return re.sub(r"[\d.]+ m?s later", "… later", str(error)).splitlines()


def by_name(findings):
    return {each.name: each.verdict for each in findings}


def test_calls_of_a_test_that_stops_the_clocks(monkeypatch):
    """Named calls have the journal's clock, though freezegun, for example, moves a module's."""
    with inject("cos:SlowDown,times=1") as faults, monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: 1.7e9)
        upload(faults, "/b/k")
        assert [(each.name, each.returned) for each in faults.calls] == [("upload", True)]


def test_calls():
    """A call has its attempts, waits, bodies and end."""
    with inject("cos:SlowDown,times=2,per=call,path=b/") as faults:
        put("/b/1")
        put("/b/2")
        client.get("/c")
    assert [
        ([one.status for one in each.attempts], each.first.path, each.retries, each.same_bytes)
        for each in faults.calls
    ] == [([503, 503, 200], "/b/1", 2, True), ([503, 503, 200], "/b/2", 2, True), ([200], "/c", 0, None)]
    assert {(each.succeeded, each.inferred) for each in faults.calls} == {(True, True)}
    first, *_ = faults.calls
    assert [0 <= each < 60 for each in first.gaps] == [True, True]
    assert (type(first), type(first.last)) == (faultinject.Call, faultinject.Attempt)


def test_calls_so_far():
    """Calls are there within the block too, and are closed when it ends."""
    with inject("cos:SlowDown") as faults:
        assert faults.calls == []
        client.put("/b/k")
        assert [(each.closed, each.succeeded) for each in faults.calls] == [(False, False)]
    assert [each.closed for each in faults.calls] == [True]


def test_a_call_that_the_test_names():
    """It is over at its end, and what its caller got is known; the exception goes on its way."""
    with inject("cos:SlowDown,path=b/wrong") as faults:
        with faults.call("right") as right:
            put("/b/right")
        with pytest.raises(OSError, match="gave up"), faults.call("wrong") as wrong:
            put("/b/wrong")
        found = [right, wrong, *(each for each in faults.calls if each.closed)]
    expected = [("right", True, None), ("wrong", False, "OSError: gave up")]
    assert [(each.name, each.returned, each.error) for each in found] == expected * 2


def test_a_caller_that_calls_again():
    """Two failing calls for one thing are two if the test names them, and else look like one."""
    with inject("cos:SlowDown") as faults:
        for _ in range(8):
            client.put("/b/k", data=b"meow")
    with inject("cos:SlowDown") as named:
        upload(named, "/b/k", "/b/k")
    calls = [(each.name, len(each.attempts)) for block in (faults, named) for each in block.calls]
    assert calls == [(None, 8), ("upload", 4), ("upload", 4)]


def test_async_with():
    """The same under async with."""

    async def code():
        async with inject("cos:SlowDown,times=1") as faults:
            async with faults.call("upload"):
                put()
            with pytest.raises(KeyError):
                async with faults.call("other"):
                    raise KeyError("x")
        return [(each.name, each.retries, each.returned) for each in faults.calls]

    assert asyncio.run(code()) == [("upload", 1, True)]


def test_a_retry_that_announces_no_body_has_lost_it():
    """A retry without a Content-Length has lost its body, as `curl -X PUT` of a read file has."""
    with inject("cos:SlowDown,times=1,per=call,path=b/") as faults:
        for number in range(3):
            with faults.call("upload"):
                for body, length in ((b"meow", "4"), (b"", "")):
                    environ = EnvironBuilder(f"/b/{number}", method="PUT", data=body).get_environ()
                    client.run_wsgi_app(environ | {"CONTENT_LENGTH": length})
    assert by_name(faults.findings())["same bytes"] == "FAIL"
    with pytest.raises(RetryAssertionError, match="3 of 3 retried calls sent 0 bytes on retry"):
        faults.assert_retries()


def test_findings():
    """Every check is in the findings; missing waits and repeated 403s are found."""
    with inject("cos:SlowDown,path=b/slow/**; cos:AccessDenied,path=b/forbidden/**") as faults:
        upload(faults, *(f"/b/{folder}/{number}" for folder in ("slow", "forbidden") for number in range(6)))
    found = by_name(faults.findings())
    expected = {
        "permanent": "FAIL",
        "backoff": "WARN",
        "retry-after": "INCONCLUSIVE",
        "attempts": None,
        **dict.fromkeys(("retries: 503 SlowDown", "gives up", "same bytes"), "PASS"),
    }
    assert {name: found.get(name) for name in expected} == expected
    assert by_name(faults.findings(profile="cos"))["attempts"] == "PASS"
    [permanent] = [each for each in faults.findings() if each.check == "permanent"]
    assert isinstance(permanent, faultinject.Finding)
    assert {each.first.path.split("/")[2] for each in permanent.calls} == {"forbidden"}
    with pytest.raises(ConfigurationError, match="nobody"):
        faults.findings(profile="nobody")


def test_an_assertion_that_decides_nothing_says_so_once():
    """It is a warning of the test, at the line that asserts; what is required fails."""
    with inject("cos:SlowDown,times=1") as faults, faults.call("upload"):
        put()
    with pytest.warns(pytest.PytestWarning, match="Nothing could be judged: 1 call met a fault") as warned:
        faults.assert_retries()
        faults.assert_retries(strict=True)
    assert [each.filename for each in warned] == [__file__]
    assert str(warned[0].message).endswith("say what has to be decided, for example require='retries'.")
    with pytest.raises(RetryAssertionError, match="required but not decided: retries"):
        faults.assert_retries(require="retries")


def test_outside_of_pytest_it_is_a_warning_of_the_user(monkeypatch):
    """Whoever has no pytest is warned in the same way."""
    monkeypatch.delitem(sys.modules, "pytest")
    with inject("cos:SlowDown,times=1") as faults:
        put()
    with pytest.warns(UserWarning, match="Nothing could be judged") as warned:
        faults.assert_retries()
    assert warned[0].category is UserWarning


@pytest.fixture(scope="module")
def forbidden():
    """A block in which six calls sent a forbidden request four times each."""
    with inject("cos:AccessDenied,path=b/**") as faults:
        for number in range(6):
            client.get("/other")
            upload(faults, f"/b/{number}")
    return faults


def test_a_client_that_does_wrong(forbidden):
    """The assertion names finding, document and requests, by their numbers."""
    error = failure(forbidden, ignore=["backoff"])
    finding, *calls, action = said(error)
    assert re.fullmatch(r"✕ permanent: 6 of 6 calls retried after 403 AccessDenied.* \(n = 6\)", finding)
    assert re.fullmatch(
        r"    → .*See RFC 9110 15\.5 \(https://www.rfc-editor.org/rfc/rfc9110#section-15.5\)", action
    )
    assert calls == [
        f"    requests {begin} to {begin + 3}: upload: PUT /b/{number}: 403 AccessDenied, … later 403 AccessDenied,"
        " … later 403 AccessDenied, … later 403 AccessDenied; its caller saw an error: OSError: gave up"
        for number, begin in ((0, 2), (1, 7), (2, 12))
    ]
    assert all(isinstance(error, each) for each in (AssertionError, FaultInjectError))


@pytest.mark.parametrize(
    ("keys", "error", "match"),
    [
        ({"ignore": "random"}, ConfigurationError, "'random' is not a check; there are answers, same bytes, non-idempotent retry"),
        ({"ignore": ["permament"]}, ConfigurationError, "permament"),
        ({"profile": "nobody"}, ConfigurationError, "nobody"),
        ({"require": ["retry-aftr"]}, ConfigurationError, "did you mean 'retry-after'"),
        ({"ignore": "backoff"}, RetryAssertionError, "✕ permanent"),
        ({"ignore": ["permanent", "backoff"], "require": "retry budget"}, RetryAssertionError, "required but not decided: retry budget"),
        ({"ignore": ["backoff"], "require": ["retry-after"]}, RetryAssertionError, r"^✕ permanent: 6 of 6 (.|\n)+\nrequired but not decided: retry-after\n"),
    ],
)  # fmt: skip
def test_what_is_ignored_and_required(forbidden, keys, error, match):
    """An ignored check fails nothing, unknown names are refused, failures and lacks are shown.

    A check that is required and not decided.
    """
    forbidden.assert_retries(ignore=["permanent", "backoff"])
    with pytest.raises(error, match=match):
        forbidden.assert_retries(**keys)


def test_a_client_that_does_right():
    """A right client raises nothing, unless an undecided check is required, with advice."""
    with inject("cos:SlowDown,times=1,per=call") as faults:
        upload(faults, *THREE)
        faults.assert_retries()
        faults.assert_retries(profile=None, strict=True)
    faults.assert_retries(require=["retries", "retries: 503 SlowDown"])
    head, hint = said(failure(faults, require=["retries", "retry-after", "retry quota"]))
    assert head == "required but not decided: retry-after, retry quota"
    assert hint.startswith("? retry-after: Not enough data: 0 of 3 answers with Retry-After. ")
    with pytest.raises(RetryAssertionError, match="required but not decided: same bytes, "):
        faults.assert_retries(require=["all"])


def test_warnings():
    """They are warnings of the test, each once, and fail an assertion that is strict."""
    with inject("http:503,path=b/") as faults:
        upload(faults, *(f"/b/{number}" for number in range(5)), tries=1)
        for number in range(3):
            faults.add("http:500,times=1", path=f"c/{number}")
            upload(faults, f"/c/{number}")
    assert by_name(faults.findings())["retries: 503"] == "WARN"
    with pytest.warns(pytest.PytestWarning) as warned:
        faults.assert_retries(ignore=["backoff"])
        faults.assert_retries(ignore=["backoff"])
    assert [each.filename for each in warned] == [__file__]
    told = str(warned[0].message).splitlines()
    assert told[0].startswith("assert_retries(): ! retries: 503: 0 of 5 calls")
    assert told[-1].partition(" See ")[0] == "    → Retry such a failure."
    finding, request, *_ = said(failure(faults, strict=True))
    assert finding.startswith("! retries: 503: 0 of 5 calls")
    assert request == "    request 1: upload: PUT /b/0: 503; its caller saw an error: OSError: gave up"
    assert request.partition(";")[0] in told[1]


def test_requests_between():
    """The attempts of a call need not follow each other."""
    with inject("cos:AccessDenied,path=b/**") as faults:
        for path in THREE:
            with faults.call("upload"):
                for each in (path, "/other", path):
                    client.put(each)
    with pytest.raises(RetryAssertionError, match="    requests 1, 3: upload: PUT /b/0"):
        faults.assert_retries()


def test_nothing_to_judge():
    """An assertion on no request at all is a mistake of the test."""
    nothing = r"^there is nothing to judge: no request was seen$"
    with inject("cos:SlowDown") as faults:
        with pytest.raises(RetryAssertionError, match=nothing):
            faults.assert_retries()
        cause = f"ENOTFOUND {'example' * 40}.invalid"
        with contextlib.suppress(OSError), faults.call("upload"):
            raise OSError(cause)
        with pytest.raises(RetryAssertionError, match=f"no request arrived: OSError: {cause}$"):
            faults.assert_retries()


def test_who_asks_has_got_all():
    """Within the block, and without names, earlier requests count as over."""
    with inject("cos:AccessDenied,path=b/forbidden/**; cos:SlowDown,path=b/slow/**") as faults:
        for number in range(3):
            for path in ("forbidden", "forbidden", "slow"):
                client.put(f"/b/{path}/{number}", data=b"meow")
        found = by_name(faults.findings())
        assert (found["permanent"], found["retries: 503 SlowDown"]) == ("FAIL", "WARN")


@pytest.mark.slow
def test_more_requests_than_are_kept():
    """A journal that lost its first requests is named where the verdict rests on the rest."""
    wrapped = WSGIFaultMiddleware(app, [])
    environ = EnvironBuilder(path="/b/k").get_environ()
    with inject("cos:AccessDenied,path=b/forbidden/**") as faults:
        for _ in range(10_000):
            list(wrapped(dict(environ), lambda *_: None))
        for number in (0, 0, 1, 1, 2, 2):
            client.put(f"/b/forbidden/{number}")
    assert said(failure(faults))[-1] == "6 requests are no longer in memory"


def test_what_a_request_says_is_escaped():
    """A path cannot write on the terminal of who reads the failure."""
    with inject("cos:AccessDenied,path=b/**") as faults:
        upload(faults, *(f"/b/%1b[31m{number}" for number in range(3)), name="\x1b[31m")
    text = str(failure(faults))
    assert ("\x1b" in text, "\\x1b[31m" in text) == (False, True)


def test_a_call_within_a_call():
    """The inner one holds its own requests, and the outer one what comes before and after."""
    with inject("cos:SlowDown,times=1,per=call") as faults, faults.call("outer"):
        put("/b/1")
        with faults.call("inner"):
            put("/b/2")
        put("/b/3")
    assert [(each.name, each.retries) for each in faults.calls] == [("outer", 1), ("inner", 1), ("outer", 1)]


def test_a_short_call_in_the_time_of_a_long_one():
    """A short call within a long one takes none of its requests, in concurrent tasks."""
    with inject("cos:SlowDown,times=2,per=call") as faults:

        async def upload(number, *steps):
            with faults.call(f"upload {number}"):
                for at in steps:
                    while len(faults.outcomes) < at:
                        await asyncio.sleep(0)
                    client.put(f"/b/{number}", data=b"meow")

        async def main():
            await asyncio.gather(upload(1, 0, 2, 5), upload(2, 1, 3, 4))

        asyncio.run(main())
    assert [each.path for each in faults.outcomes] == ["/b/1", "/b/2", "/b/1", "/b/2", "/b/2", "/b/1"]
    assert [(each.first.path, each.retries, each.closed) for each in faults.calls] == [
        ("/b/1", 2, True),
        ("/b/2", 2, True),
    ]
