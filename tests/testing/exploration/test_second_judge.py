"""The second judge: the requests of a run, where the code under test asserts nothing."""

import contextlib
import uuid

import pytest

import faultinject
from faultinject.exceptions import ConfigurationError, ExplorationFailedError

from .service import call, client, exploring, exploring_runs, send, warnings

ID = {"amz-sdk-invocation-id": "7"}
SLOW_DOWN = "cos:SlowDown"
HIDDEN = "cos:InternalError,status=200"
LOST = "reset,when=after"


def judged(code, *faults, **keys):
    """The failure and the warnings."""
    exploration, error = exploring(code, *faults, **keys)
    lines = [] if error is None else str(error).splitlines()
    place = lines.index("") if lines else 0
    return lines[place + 1 : place + 2], warnings(exploration)


def putting(*bodies, headers=None, method="PUT", path="/b/k"):
    """Code that sends these bodies, one after the other, until one gets through."""

    def code():
        for body in bodies:
            if send(method, path, data=body, content_length=len(body), headers=headers) == 200:
                return

    return code


def test_other_bytes_fail_a_run_that_passes():
    """A retry without its body is a failure though the run passes, with requests and marker.

    By the client's own id.
    """
    exploration, error = exploring(putting(b"meow", b"", headers=ID), SLOW_DOWN)
    assert isinstance(error, ExplorationFailedError)
    assert error.__cause__ is None
    assert str(error).splitlines()[2:] == [
        "same bytes: request 1 sent 4 bytes, request 2, which retries it, 0 bytes",
        "  when request 1 (PutObject /b/k) gets: cos:SlowDown",
        "    1 PutObject  503 PUT /b/k  <- cos:SlowDown",
        "    2 PutObject  200 PUT /b/k",
        "  → Send the whole body from its beginning with every attempt.",
        '  replay: @pytest.mark.faultinject("cos:SlowDown,method=PUT,path=/b/k,times=1")',
    ]
    [finished] = exploration.runs
    assert (finished.failed, finished.gave_up, finished.error) == (True, False, None)


@pytest.mark.parametrize(
    ("code", "failed", "warned"),
    [
        (putting(b"meow", b"meow"), "", ""),
        (putting(b"meow", b"me"), "", "4 bytes, request 2, which retries it, 2 bytes"),
        (putting(b"meow", b"me", headers=ID), "4 bytes, request 2, which retries it, 2 bytes", ""),
        (putting(b"meow", b""), "", "4 bytes, request 2, which retries it, 0 bytes"),
        (putting(b"meow", b"meow", b"", headers=ID), "4 bytes, request 3, which retries it, 0 bytes", ""),
        (putting(b"meow", b"purr", headers=ID), "4 bytes, request 2, which retries it, different bytes", ""),
        (putting(b"meow", b"meow and more"), "", ""),
    ],
    ids=["same", "shorter, by fingerprint", "shorter, by the client's id", "empty, by fingerprint", "third", "of the same length", "longer: another call"],
)  # fmt: skip
def test_same_bytes(code, failed, warned):
    """An id of the client's proves it; a shorter or empty body on the same key is suspicious."""
    fails, warns = judged(code, f"{SLOW_DOWN},times={2 if 'request 3' in failed else 1}")
    assert [failed in each for each in fails] == [True] * bool(failed)
    assert [warned in each for each in warns] == [True] * bool(warned)


def test_requests_that_the_code_makes_anyway():
    """A second write of its own, shorter than the one that failed, is no retry."""

    def code():
        send("PUT", "/b/k", data=b"meow")
        send("PUT", "/b/k", content_length=0)

    assert judged(code, SLOW_DOWN) == ([], [])


@pytest.mark.parametrize(
    ("headers", "keys"), [(None, {}), (ID, {"allow": KeyError})], ids=["an error", "an excuse"]
)
def test_a_finding_stands_beside_an_error(headers, keys):
    """The test's own error is shown first, and the finding below the requests.

    The error proves that a guessed retry did harm. An exception that the code may give up with does not cover what it
    sent before.
    """

    def code():
        if send("PUT", "/b/k", data=b"meow", headers=headers) != 200:
            send("PUT", "/b/k", content_length=0, headers=headers)
            raise KeyError("noticed")

    _, error = exploring(code, SLOW_DOWN, **keys)
    finding = "same bytes: request 1 sent 4 bytes, request 2, which retries it, 0 bytes"
    assert ", 1 failed\n" in str(error)
    said = str(error).splitlines()
    assert (said[2], f"  ✕ {finding}" in said) == (
        (finding, False) if keys else ("KeyError: 'noticed'", True)
    )


def test_an_error_behind_a_200_that_nobody_did_anything_about():
    """An ignored error in a 200 is suspicious if the run passes.

    The journal does not show what the client told its caller.
    """
    copy = {"headers": {"x-cos-copy-source": "b/from"}}

    def code():
        send("PUT", "/b/to", **copy)

    failed, warned = judged(code, HIDDEN)
    assert failed == []
    assert warned == [
        "warning: error in 200: request 1 got 200 InternalError, an error in spite of its status, and no"
        " retry followed (cos:InternalError,method=PUT,path=/b/to,times=1,status=200)"
    ]


def test_errors_in_200_that_are_seen():
    """An error that is raised, retried or repaired by another request is no finding."""

    def seeing(react, data=b""):
        if b"<Error>" in client.put("/b/to", data=data).data:
            react()

    def raising():
        raise OSError

    assert judged(lambda: seeing(raising), HIDDEN, allow=OSError) == ([], [])
    assert judged(lambda: seeing(lambda: send("PUT", "/b/to")), HIDDEN) == ([], [])
    assert judged(lambda: seeing(lambda: send("DELETE", "/b/to"), b"meow"), HIDDEN) == ([], [])


@pytest.mark.parametrize("swallowed", [True, False])
def test_an_error_in_200_in_a_call_that_the_test_names(swallowed):
    """There it is known what the caller saw: success is a failure, an error is right."""

    def upload(faults):
        with contextlib.suppress(OSError), faults.call("upload"):
            if b"<Error>" in client.put("/b/to").data and not swallowed:
                raise OSError("no")

    exploration, error = exploring_runs(upload, HIDDEN)
    assert ("error in 200: request 1 got 200 InternalError" in str(error)) == swallowed
    assert ("the caller saw success" in str(error)) == swallowed
    assert warnings(exploration) == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "verdict"),
    [
        ("POST", "/orders/new", ID, "fails"),
        ("PATCH", "/orders/7", ID, "fails"),
        ("POST", "/orders/new", {}, "warns"),
        ("POST", "/orders/new", {"Idempotency-Key": "7"}, ""),
        ("POST", "/b/log?append&position=4", {}, "warns"),
        ("POST", "/b", {"User-Agent": "boto3/1.44"}, "warns"),
        ("POST", "/b?delete", {}, ""),
        ("PUT", "/b/k", {}, ""),
    ],
    ids=["POST", "PATCH", "by fingerprint", "with a key", "with a place", "form upload", "delete", "PUT"],
)  # fmt: skip
def test_non_idempotent_retry(method, path, headers, verdict):
    """A blind retry of a write that may have taken effect fails, or is suspicious.

    By fingerprint, and of an SDK's form, it is only suspicious.
    """
    code = putting(b"meow", b"meow", method=method, path=path, headers=headers)
    failed, warned = judged(code, LOST)
    said = (
        f"non-idempotent retry: request 1 ({method}) was carried out and its answer lost; request "
        "2 retried it without an"
        " Idempotency-Key, and took effect twice"
    )
    assert failed == [said] * (verdict == "fails")
    assert [said in each for each in warned] == [True] * (verdict == "warns")
    assert judged(code, "reset") == ([], [])


@pytest.mark.parametrize(("tried", "fails"), [(1, False), (2, True)])
def test_equal_posts_that_the_code_sends_anyway(tried, fails):
    """A lost beat and the next one are no retry; one more than without faults is."""

    def code():
        for _ in range(3):
            call("POST", "/beats", attempts=tried, data=b"beat")

    failed, warned = judged(code, LOST)
    assert (failed, ["non-idempotent retry" in each for each in warned]) == ([], [True] * fails)


def ordering(make, headers=None):
    """Code that sends and retries an order; `make` makes the body of the attempts' common part."""

    def code():
        order = uuid.uuid4().hex
        for _ in range(3):
            if send("POST", "/orders/new", data=make(order), headers=headers) == 200:
                return

    return code


def test_a_body_that_holds_an_id_of_its_call():
    """A body with the call's id is equal in all attempts, so the server may recognise a retry.

    It differs between runs.

    So the server may recognise a retry.
    """
    failed, [warned] = judged(ordering(str.encode), LOST)
    assert failed == []
    assert "; each run sends different bytes: the retry is safe if the server recognises them" in warned


def test_a_body_that_is_new_in_each_attempt():
    """A new body in each attempt may be an order of its own, unless an SDK's id joins them.

    No server can recognise such a retry.
    """

    def new(_):
        return uuid.uuid4().hex.encode()

    assert judged(ordering(new), LOST) == ([], [])
    _, error = exploring(ordering(new, ID), LOST)
    assert "non-idempotent retry: request 1 (POST) was carried out and its answer lost" in str(error)


def test_a_body_that_is_the_same_in_each_run():
    """A body that is the same in each run is like the same order once more."""
    _, [warned] = judged(ordering(lambda _: b"one cat"), LOST)
    assert warned.endswith("and took effect twice (reset,method=POST,path=/orders/new,times=1,when=after)")


def clear(*, error):
    """Clear what could not be written, and tell the caller of the error, or of success."""
    if send("PUT", "/b/state", data=b'{"cat": 1}') != 200:
        send("PUT", "/b/state", data=b"{}")
        if error:
            raise OSError("not written")


def test_clearing_up_after_a_failure_is_no_retry():
    """It got through, and the code took that for no success."""
    assert judged(lambda: clear(error=True), SLOW_DOWN, allow=OSError) == ([], [])
    _, [warned] = judged(lambda: clear(error=False), SLOW_DOWN)
    assert "same bytes: request 1 sent 10 bytes, request 2, which retries it, 2 bytes" in warned


@pytest.mark.parametrize("error", [True, False])
def test_clearing_up_in_a_call_that_the_test_names(error):
    """The caller's error shows whether a named call was cleared up."""

    def code(faults):
        with contextlib.suppress(OSError), faults.call("write"):
            clear(error=error)

    _, failed = exploring_runs(code, SLOW_DOWN)
    assert ("same bytes: request 1" in str(failed)) == (not error)


def test_a_write_that_comes_anyway_mends_no_error_in_200():
    """Without faults the code deletes it as well."""

    def code():
        client.put("/b/to")
        send("DELETE", "/b/to")

    failed, warned = judged(code, f"{HIDDEN},method=PUT")
    assert failed == []
    assert ["no retry followed" in each for each in warned] == [True]


def test_an_empty_write_that_comes_anyway_hides_no_other():
    """It is sent once without faults, and twice with one."""

    def code():
        if send("PUT", "/b/k", data=b"meow") != 200:
            send("PUT", "/b/k", content_length=0)
        send("PUT", "/b/k", content_length=0)

    _, warned = judged(code, f"{SLOW_DOWN},method=PUT")
    assert ["same bytes" in each for each in warned] == [True]


def test_a_repeat_that_is_refused_itself():
    """If the second attempt fails before it was done, the first was the only one."""
    code = putting(b"meow", b"meow", method="POST", path="/orders/new", headers=ID)
    failed, _ = judged(code, f"{LOST},method=POST", SLOW_DOWN, depth=2)
    assert failed == [
        "non-idempotent retry: request 1 (POST) was carried out and its answer lost; request 2 retried it without an"
        " Idempotency-Key, and took effect twice"
    ]


def upload(end="POST", part="partNumber=1&uploadId=x", name="uploadId=x"):
    """Code that begins an upload, with a retry, sends a part, and ends it if that goes well."""

    def code():
        begun = any(send("POST", "/b/k?uploads") == 200 for _ in range(2))
        if begun and send("PUT", f"/b/k?{part}") == 200:
            send(end, f"/b/k?{name}")

    return code


def test_uploads_left_open():
    """An upload that is neither completed nor aborted is a warning, with the number."""
    failed, warned = judged(upload(), "cos:SlowDown")
    assert failed == []
    assert warned == [
        "warning: uploads left open: CreateMultipartUpload /b/k: an upload is neither completed nor aborted, and keeps"
        " its parts (cos:SlowDown,method=PUT,path=/b/k,query.partNumber=1,query.uploadId=,times=1)",
        "warning: uploads left open: CreateMultipartUpload /b/k: an upload is neither completed nor aborted, and keeps"
        " its parts (cos:SlowDown,method=POST,path=/b/k,query.uploadId=,times=1)",
    ]
    [line] = judged(upload("DELETE"), f"{LOST},method=POST")[1]
    assert "an upload is neither" in line


def test_uploads_of_qingstor():
    """It writes the parameters another way."""
    code = upload(part="part_number=0&upload_id=x", name="upload_id=x")
    failed, warned = judged(code, "qingstor:internal_error,method=PUT", "qingstor:internal_error,method=POST")
    assert failed == []
    assert [line.rpartition("method=")[2] for line in warned] == [
        "PUT,path=/b/k,query.part_number=0,query.upload_id=,times=1)",
        "POST,path=/b/k,query.upload_id=,times=1)",
    ]


def test_uploads_that_are_open_anyway():
    """Code that leaves its upload open without faults means to."""

    def code():
        any(send("POST", "/b/k?uploads") == 200 for _ in range(2))

    assert judged(code, "cos:SlowDown", "reset") == ([], [])
    [line] = judged(code, LOST)[1]
    assert "an upload is neither" in line


def test_an_upload_of_code_that_broke_down():
    """An upload of code that broke down is one failure and no warning."""

    def code():
        send("POST", "/b/k?uploads")
        assert send("PUT", "/b/k?partNumber=1&uploadId=x") == 200
        send("POST", "/b/k?uploadId=x")

    exploration, error = exploring(code, "http:500,method=PUT")
    assert error is not None
    assert warnings(exploration) == []


def test_several_alike_are_one_line():
    """Runs that show the same are counted."""
    [line] = [each for each in judged(upload(), "http:500", "http:503")[1] if "partNumber" in each]
    assert line.endswith("times=1, and 1 similar run)")


@pytest.mark.parametrize("ignore", ["same bytes", ["non-idempotent retry", "same bytes"]])
def test_ignored(ignore):
    """An ignored check fails nothing."""
    assert judged(putting(b"meow", b""), SLOW_DOWN, ignore=ignore) == ([], [])


@pytest.mark.parametrize(
    ("ignore", "message"),
    [
        (["same byte"], r"^ignore: 'same byte' is not a check; did you mean 'same bytes'\?$"),
        ("x", r"^ignore: 'x' is not a check; there are same bytes, .* and left behind"),
        ("hidden error", "'hidden error' is not a check; there are same bytes, error in 200"),
        ("spread", "'spread' is not a check; there are same bytes"),
    ],
)
def test_ignoring_what_is_not_there(ignore, message):
    """A name that is none is refused, with the nearest."""
    with pytest.raises(ConfigurationError, match=message):
        faultinject.explore("reset", ignore=ignore)


def test_other_rules_are_not_judged():
    """Effects of other rules are in every run, and are not judged."""
    with faultinject.inject(f"{HIDDEN},path=/b/to") as faults:
        exploration = faults.explore("http:500,path=/b/k")
        for run in exploration:
            with run:
                send("PUT", "/b/to")
                send("PUT", "/b/k")
    assert warnings(exploration) == []
