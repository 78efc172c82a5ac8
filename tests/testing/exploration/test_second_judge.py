"""The second judge: the requests of a run, where the code under test asserts nothing."""

import contextlib
import json
import re
import uuid

import pytest

import faultinject
from faultinject.exceptions import ConfigurationError
from tests.rows import each_row

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
    assert error.__cause__ is None
    assert str(error).splitlines()[2:] == [
        "same bytes: request 1 sent 4 bytes, request 2, which retries it, 0 bytes",
        "  when request 1 (PutObject /b/k) gets: cos:SlowDown",
        "    1 PutObject  503 PUT /b/k  <- cos:SlowDown",
        "    2 PutObject  200 PUT /b/k",
        "  → Send the whole body from its beginning with every attempt.",
        '  replay: @pytest.mark.faultinject_explore("cos:SlowDown",'
        ' replay="cos:SlowDown,method=PUT,path=/b/k,times=1")',
    ]
    assert [(each.failed, each.gave_up, each.error) for each in exploration.runs] == [(True, False, None)]


def above_an_sdk(*bodies, path="/b/k"):
    """Code above an SDK: each of its attempts has another id of the SDK."""

    def code():
        for number, body in enumerate(bodies):
            headers = {"amz-sdk-invocation-id": str(number)}
            if send("PUT", path, data=body, content_length=len(body), headers=headers) == 200:
                return

    return code


@pytest.mark.parametrize("fault", [SLOW_DOWN, "cos:AccessDenied"])
@each_row(
    ("bodies", "warns"),
    [((b"meow", b""), True), ((b"meow", b"purr"), False), ((b"meow", b"me"), False), ((b"", b""), False)],
)
def test_a_retry_above_the_sdk_without_a_body(fault, bodies, warns):
    """A stream was read to its end and not rewound."""
    said = "warning: same bytes: request 1 sent 4 bytes, request 2, which retries it, 0 bytes"
    warned = [f"{said} ({fault},method=PUT,path=/b/k,times=1)"] if warns else []
    assert judged(above_an_sdk(*bodies), fault) == ([], warned)


@pytest.mark.parametrize("error", [True, False])
def test_a_named_retry_above_the_sdk_without_a_body(error):
    """There it is known that the request is a retry; if the caller saw an error, it is none."""

    def named(faults):
        with contextlib.suppress(OSError), faults.call("job"):
            above_an_sdk(b"meow", b"")()
            if error:
                raise OSError("not written")

    _, failed = exploring_runs(named, SLOW_DOWN)
    assert ("same bytes: request 1 sent 4 bytes" in str(failed)) is not error


def ordering(make, headers=None):
    """Code that sends and retries an order; `make` makes the body of the attempts' common part."""

    def code():
        order = uuid.uuid4().hex
        for _ in range(3):
            if send("POST", "/orders/new", data=make(order), headers=headers) == 200:
                return

    return code


def clear(*, error):
    """Clear what could not be written, and tell the caller of the error, or of success."""
    if send("PUT", "/b/state", data=b'{"cat": 1}') != 200:
        send("PUT", "/b/state", data=b"{}")
        if error:
            raise OSError("not written")


def upload(end="POST", part="partNumber=1&uploadId=x", name="uploadId=x"):
    """Code that begins an upload, with a retry, sends a part, and ends it if that goes well."""

    def code():
        begun = any(send("POST", "/b/k?uploads") == 200 for _ in range(2))
        if begun and send("PUT", f"/b/k?{part}") == 200:
            send(end, f"/b/k?{name}")

    return code


def told():
    raise OSError("not written")


def seeing(react, data=b""):
    """Code that copies, and does something about an error in the answer, whatever its status."""
    return lambda: b"<Error>" in client.put("/b/to", data=data).data and react()


def moving(*, stops):
    """Code that moves an object, looks at it unless it stops, and raises if the copy failed."""

    def code():
        failed = b"<Error>" in client.put("/b/to").data
        send("DELETE", "/b/from")
        if not (failed and stops):
            send("HEAD", "/b/to")
        if failed:
            raise OSError("it is not there")

    return code


def new(_):
    return uuid.uuid4().hex.encode()


def writes(*requests):
    """Code that sends each of these once; a pair is a body with its headers, None an empty one."""
    return lambda: [
        send(method, path, **({"data": body} if body else {"content_length": 0}))
        for method, path, body in requests
    ]


def clears_with_an_empty_one():
    """Code that does so if a write fails, and writes an empty one anyway."""
    if send("PUT", "/b/k", data=b"meow") != 200:
        send("PUT", "/b/k", content_length=0)
    send("PUT", "/b/k", content_length=0)


def breaks_down():
    send("POST", "/b/k?uploads")
    assert send("PUT", "/b/k?partNumber=1&uploadId=x") == 200
    send("POST", "/b/k?uploadId=x")


SHORTER = "request 1 sent 4 bytes, request 2, which retries it, "
OPEN = (
    "warning: uploads left open: CreateMultipartUpload /b/k: an upload is neither completed nor aborted, and keeps its"
    " parts (cos:SlowDown,method="
)
TWICE = (
    "non-idempotent retry: request 1 (POST) was carried out and its answer lost; request 2 retried it without an"
    " Idempotency-Key, and took effect twice"
)


@each_row(
    ("code", "faults", "keys", "failed", "warned"),
    [
        # An id of the client's proves a retry; a shorter or empty body on the same key is suspicious.
        (putting(b"meow", b"meow"), [SLOW_DOWN], {}, [], []),
        (putting(b"meow", b"me"), [SLOW_DOWN], {}, [], [f"{SHORTER}2 bytes"]),
        (putting(b"meow", b"me", headers=ID), [SLOW_DOWN], {}, [f"{SHORTER}2 bytes"], []),
        (putting(b"meow", b""), [SLOW_DOWN], {}, [], [f"{SHORTER}0 bytes"]),
        (putting(b"meow", b"meow", b"", headers=ID), [f"{SLOW_DOWN},times=2"], {}, ["4 bytes, request 3, which retries it, 0 bytes"], []),
        (putting(b"meow", b"purr", headers=ID), [SLOW_DOWN], {}, [f"{SHORTER}different bytes"], []),
        (putting(b"meow", b"meow and more"), [SLOW_DOWN], {}, [], []),
        (putting(b"meow", b""), [SLOW_DOWN], {"ignore": "same bytes"}, [], []),
        (putting(b"meow", b""), [SLOW_DOWN], {"ignore": ["non-idempotent retry", "same bytes"]}, [], []),
        # A second write of the code's own is no retry, and hides none.
        (writes(("PUT", "/b/k", b"meow"), ("PUT", "/b/k", None)), [SLOW_DOWN], {}, [], []),
        (clears_with_an_empty_one, [f"{SLOW_DOWN},method=PUT"], {}, [], ["same bytes"]),
        # So is what clears up after a failure that the caller is told of.
        (lambda: clear(error=True), [SLOW_DOWN], {"allow": OSError}, [], []),
        (lambda: clear(error=False), [SLOW_DOWN], {}, [], ["same bytes: request 1 sent 10 bytes, request 2, which retries it, 2 bytes"]),
        # An ignored error in a 200 is suspicious, as the journal does not show what the client told its caller.
        (lambda: send("PUT", "/b/to", headers={"x-cos-copy-source": "b/from"}), [HIDDEN], {}, [], [
            "warning: error in 200: request 1 got 200 InternalError, an error in spite of its status, and no"
            " retry followed (cos:InternalError,method=PUT,path=/b/to,times=1,status=200)"
        ]),
        (seeing(told), [HIDDEN], {"allow": OSError}, [], []),
        (seeing(lambda: send("PUT", "/b/to")), [HIDDEN], {}, [], []),
        (seeing(lambda: send("DELETE", "/b/to"), b"meow"), [HIDDEN], {}, [], []),
        (writes(("PUT", "/b/to", None), ("DELETE", "/b/to", None)), [f"{HIDDEN},method=PUT"], {}, [], ["no retry followed"]),
        # An error that ends the run later, and is allowed, does not excuse code that made all its requests nevertheless.
        (moving(stops=False), [f"{HIDDEN},method=PUT"], {"allow": OSError}, [], ["error in 200: request 1 got 200 InternalError, an error in spite of its status, and no retry followed"]),
        (moving(stops=True), [f"{HIDDEN},method=PUT"], {"allow": OSError}, [], []),
        # A lost beat and the next one are no retry; one more than without faults is.
        (lambda: [call("POST", "/beats", attempts=1, data=b"beat") for _ in range(3)], [LOST], {}, [], []),
        (lambda: [call("POST", "/beats", attempts=2, data=b"beat") for _ in range(3)], [LOST], {}, [], ["non-idempotent retry"]),
        # A body with the call's id lets the server recognise a retry; a new one may be an order of its own.
        (ordering(str.encode), [LOST], {}, [], ["; each run sends different bytes: the retry is safe if the server recognises them"]),
        (ordering(new), [LOST], {}, [], []),
        (ordering(new, ID), [LOST], {"ignore": "same bytes"}, [TWICE], []),
        (ordering(lambda _: b"one cat"), [LOST], {}, [], ["and took effect twice (reset,method=POST,path=/orders/new,times=1,when=after)"]),
        # If the second attempt fails before it was done, the first was the only one.
        (putting(b"meow", b"meow", method="POST", path="/orders/new", headers=ID), [f"{LOST},method=POST", SLOW_DOWN], {"depth": 2}, [TWICE], []),
        (upload(), [SLOW_DOWN], {}, [], [
            f"{OPEN}PUT,path=/b/k,query.partNumber=1,query.uploadId=,times=1)",
            f"{OPEN}POST,path=/b/k,query.uploadId=,times=1)",
        ]),
        (upload("DELETE"), [f"{LOST},method=POST"], {}, [], ["an upload is neither"]),
        (upload(), ["http:500", "http:503"], {}, [], ["query.partNumber=1,query.uploadId=,times=1, and 1 similar run)", ""]),
        (upload(part="part_number=0&upload_id=x", name="upload_id=x"), ["qingstor:internal_error,method=PUT", "qingstor:internal_error,method=POST"], {}, [], [
            "method=PUT,path=/b/k,query.part_number=0,query.upload_id=,times=1)",
            "method=POST,path=/b/k,query.upload_id=,times=1)",
        ]),
        # Code that leaves its upload open without faults means to.
        (writes(("POST", "/b/k?uploads", None)), [SLOW_DOWN, "reset"], {}, [], []),
        (lambda: call("POST", "/b/k?uploads"), [SLOW_DOWN, "reset"], {}, [], []),
        (lambda: call("POST", "/b/k?uploads"), [LOST], {}, [], ["an upload is neither"]),
        # An upload of code that broke down is one failure and no warning.
        (breaks_down, ["http:500,method=PUT"], {}, ["assert 500 == 200"], []),
    ],
)  # fmt: skip
def test_what_fails_and_what_is_suspicious(code, faults, keys, failed, warned):
    """Each part is in its line, and there is no other line."""
    found = judged(code, *faults, **keys)
    assert [
        [part in line for part, line in zip(*each, strict=True)]
        for each in zip((failed, warned), found, strict=True)
    ] == [[True] * len(failed), [True] * len(warned)], found


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


def copies(*, error):
    """Copy, and tell the caller of an error in a 200, or of success."""
    if b"<Error>" in client.put("/b/to").data and error:
        raise OSError("no")


@pytest.mark.parametrize("error", [True, False])
@each_row(
    ("code", "fault", "said"),
    [
        (copies, HIDDEN, "error in 200: request 1 got 200 InternalError.*the caller saw success"),
        (clear, SLOW_DOWN, "same bytes: request 1"),
    ],
)  # fmt: skip
def test_a_call_that_the_test_names(code, fault, said, error):
    """There it is known what the caller saw: success is a failure, an error is right."""

    def named(faults):
        with contextlib.suppress(OSError), faults.call("job"):
            code(error=error)

    exploration, failed = exploring_runs(named, fault)
    assert (bool(re.search(said, str(failed))), warnings(exploration)) == (not error, [])


@each_row(("error", "failures"), [(True, 0), (False, 1)])
def test_a_later_error_does_not_excuse_a_named_call(error, failures):
    """A false success stays wrong if the run then ends with an error that is allowed."""

    def named(faults):
        with contextlib.suppress(OSError), faults.call("job"):
            copies(error=error)
        if faults.injected:
            raise KeyError("it is not there")

    exploration, _ = exploring_runs(named, HIDDEN, allow=KeyError)
    found = json.loads(exploration.to_json())
    assert (found["failed"], found["gave_up"]) == (failures, 1 - failures)


@pytest.mark.parametrize(
    ("method", "path", "headers", "verdict"),
    [
        ("POST", "/orders/new", ID, "fails"),
        ("PATCH", "/orders/7", ID, "fails"),
        ("POST", "/orders/new", {}, "warns"),
        ("POST", "/orders/new", {"Idempotency-Key": "7"}, ""),
        ("POST", "/b/log?append&position=4", {}, "warns"),
        ("POST", "/b", {"User-Agent": "boto3/1.44"}, "warns"),
        ("POST", "/upload/storage/v1/b/films/o?uploadType=media&name=cat", ID, ""),
        ("POST", "/b?delete", {}, ""),
        ("PUT", "/b/k", {}, ""),
    ],
    ids=["POST", "PATCH", "by fingerprint", "with a key", "with a place", "form upload", "same object", "delete", "PUT"],
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


@each_row(
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
