"""The report of an exploration: text, data, and the marker that shows a failure again."""

import json
import re
from contextlib import suppress
from textwrap import dedent
from types import SimpleNamespace
from uuid import uuid4

from werkzeug.test import Client

import faultinject
from faultinject import WSGIFaultMiddleware
from tests.measured import without_times
from tests.rows import each_row

from .service import call, client, exploring, passing, send


def failing():
    if send("PUT", "/b/a?partNumber=1&uploadId=x") != 200:
        assert call("DELETE", "/b/a?uploadId=x")
        raise AssertionError("first")
    assert send("PUT", "/b/b") == 200, "second\nwith details"


def test_the_text():
    """Failures are grouped by cause, with the smallest scenario, its result, and the marker."""
    _, error = exploring(failing, "cos:SlowDown", "reset,when=after", "http:503,times=2")
    assert without_times(str(error)) == dedent(
        """\
        2 requests without faults, 3 faults; 6 runs ~, 6 failed, 1 with a warning

        AssertionError: first
          when request 1 (UploadPart /b/a) gets: http:503
            1 UploadPart            503 PUT /b/a?partNumber=1&uploadId=x  <- http:503
            2 AbortMultipartUpload  200 DELETE /b/a?uploadId=x
          replay: @pytest.mark.faultinject("http:503,method=PUT,path=/b/a,query.partNumber=1,query.uploadId=,times=2")
          and 2 similar: cos:SlowDown,method=PUT,path=/b/a,query.partNumber=1,query.uploadId=,times=1 …

        AssertionError: second
          when request 2 (PutObject /b/b) gets: http:503
            1 UploadPart  200 PUT /b/a?partNumber=1&uploadId=x
            2 PutObject   503 PUT /b/b  <- http:503
          replay: @pytest.mark.faultinject("http:503,method=PUT,path=/b/b,times=2")
          and 2 similar: cos:SlowDown,method=PUT,path=/b/b,times=1 …

        warning: lost answer: told an error: request 2 (PUT) was carried out and its answer lost; an error was reported (reset,method=PUT,path=/b/b,times=1,when=after)
          → Read the object before you report the failure or do the job again, since the write may stand."""
    )  # fmt: skip


def once(method, target, before=()):
    """Code that asks for these, with retries, and then for one that has to come through at once."""

    def code():
        for each in before:
            call(*each.split(" ", 1))
        assert send(method, target) == 200

    return code


STAND = "→ Read the object before you report the failure or do the job again, since the write may stand."
IN_SPITE = (
    "→ Send the request again: s3 documents RequestTimeout as retryable, in spite of its status 400"
    " (faultinject vendors s3:RequestTimeout). Or leave it out with `without`."
)


@each_row(
    ("method", "fault", "action"),
    [
        ("PUT", "reset,when=after", [STAND]),
        (
            "DELETE",
            "reset,when=after",
            ["→ Look whether the object is gone before you report the failure"],
        ),
        # Many clients take each 4xx for final: the report quotes the vendor, and says how to leave the fault out.
        ("PUT", "s3:RequestTimeout", [IN_SPITE]),
        *(("PUT", fault, []) for fault in ("s3:SlowDown", "s3:NoSuchKey", "http:408")),
    ],
)
def test_the_advice(method, fault, action):
    """A lost answer has one by its method, an error that may be retried by its vendor."""
    lines = [
        line.strip() for line in str(exploring(once(method, "/b/cat"), fault)[1]).splitlines() if "→" in line
    ]
    assert [line.startswith(each) for line, each in zip(lines, action, strict=True)] == [True] * len(action)


def test_two_faults():
    """Two equal faults are one rule and two lines; two different ones two rules in one marker."""

    def put(first, second):
        if send("PUT", "/b/k") in first and send("PUT", "/b/k") in second:
            raise KeyError

    faults = "http:503,delay=1ms", "http:500"
    _, error = exploring(lambda: put((500, 503), (500, 503)), *faults, depth=2)
    assert "(PutObject /b/k) gets: http:500\n  and request 2 (PutObject /b/k) gets: http:500\n" in str(error)
    assert '  replay: @pytest.mark.faultinject("http:500,method=PUT,path=/b/k,times=2")\n' in str(error)
    _, error = exploring(lambda: put((503,), (500,)), *faults, depth=2)
    assert without_times(str(error)).splitlines()[1:] == [
        "",
        "KeyError",
        "  when request 1 (PutObject /b/k) gets: http:503,delay=1ms",
        "  and request 2 (PutObject /b/k) gets: http:500",
        "    1 PutObject  503 PUT /b/k  <- http:503",
        "    2 PutObject  500 PUT /b/k  <- http:500",
        '  replay: @pytest.mark.faultinject("http:503,method=PUT,path=/b/k,times=1,delay=1ms",'
        ' "http:500,method=PUT,path=/b/k,skip=1,times=1")',
    ]


@each_row(("depth", "again"), [(1, []), (2, ["and request 2"])])
def test_the_report_names_the_requests_of_the_run_that_failed(depth, again):
    """No id is of the run that was recorded, in which the same request had another one."""

    def code():
        key = f"/x-1250000000/{uuid4()}"
        assert any(send("PUT", key) == 200 for _ in range(depth)), key

    _, error = exploring(code, "http:503", depth=depth)
    failure, *lines = str(error).splitlines()[2:]
    key = failure.removeprefix("AssertionError: ")
    assert [line.partition(" gets: ")[0].strip() for line in lines if " gets: " in line] == [
        f"{word} (PutObject {key})" for word in ("when request 1", *again)
    ]
    assert f"PutObject  503 PUT {key}  <- http:503" in str(error)


@each_row(
    ("method", "fault", "words"),
    [
        ("PUT", "reset,when=after", "the answer is lost (reset) after the request was carried out\n    1 PutObject  PUT /b/k  <- reset after it was carried out\n"),
        ("PUT", "http:503,when=after", "http:503 after the request was carried out\n"),
        ("PUT", "cos:InternalError,status=599", "cos:InternalError with status 599\n"),
        ("GET", "reset,when=after", "the answer is cut after 0 bytes (reset)\n"),
        ("GET", "http:503,when=after", "http:503\n"),
        ("GET", "truncate", "truncate\n    1 GetObject  200 GET /b/k  <- truncate, cut after 1 byte\n"),
        ("PUT", "truncate", "truncate\n    1 PutObject  200 PUT /b/k  <- truncate\n"),
    ],
)  # fmt: skip
def test_what_the_fault_is(method, fault, words):
    """Words describe a lost answer, a fault after the app, and the rule's own status.

    An answer that is cut is not lost.
    """

    def code():
        answer = client.open("/b/k", method=method)
        assert (answer.status_code, answer.get_data()) == (200, b"ok")

    _, error = exploring(code, fault)
    operation = {"PUT": "PutObject", "GET": "GetObject"}[method]
    assert f"when request 1 ({operation} /b/k) gets: {words}" in str(error)


def test_a_long_run():
    """A long run shows its beginning, its end and each fault's surroundings; equal rows are one."""

    def code():
        for number in range(30):
            call("PUT", f"/b/{number}")
        for _ in range(3):
            call("GET", "/b/0")
        ok = send("PUT", "/b/last" + "x " * 50) == 200
        for number in range(30):
            call("PUT", f"/b/{number}")
        assert ok

    def failing():
        code()
        assert send("GET", "/b/k") == 200

    _, first = exploring(failing, "http:503,path=b/15", "http:503,key=k", max_runs=9)
    _, second = exploring(code, "http:503,path=b/last*")
    rows, others = (re.findall(r"^    +[\d…].*", str(error), re.MULTILINE) for error in (first, second))
    assert (*rows[7:10], rows[-1], len(rows)) == (
        "     8 PutObject  200 PUT /b/7",
        "    … 47 more …",
        "    58 PutObject  200 PUT /b/23",
        "    65 GetObject  503 GET /b/k  <- http:503",
        17,
    )
    assert others[8:16] == [
        "    … 19 more …",
        "    28 PutObject  200 PUT /b/27",
        "    29 PutObject  200 PUT /b/28",
        "    30 PutObject  200 PUT /b/29",
        "    31 GetObject  200 GET /b/0  and 2 times more, to 33",
        f"    34 PutObject  503 PUT /b/last{'x ' * 39}…  <- http:503",
        "    35 PutObject  200 PUT /b/0",
        "    36 PutObject  200 PUT /b/1",
    ]


LONG_ID = f"/b/k?uploadId={'0' * 31}{{0}}f&partNumber={'7' * 40}{{0}}"
ROW = f"UploadPart  200 PUT /b/k?uploadId=00000000…&partNumber={'7' * 8}…"


@each_row(
    ("before", "rows"),
    [
        # A row that stands for two says so.
        (
            ["GET /b/0"] * 2,
            "    1 GetObject  200 GET /b/0  and once more, to 2\n    3 PutObject  503 PUT /b/k",
        ),
        # An upload's id is shown by its beginning, and requests with different ids stay apart.
        (
            [f"PUT {LONG_ID.format(number)}" for number in (1, 2)],
            f"    1 {ROW}\n    2 {ROW}\n    3 PutObject   503 PUT /b/k  <- http:503\n",
        ),
    ],
)
def test_rows(before, rows):
    """The requests before the one that fails."""
    _, error = exploring(once("PUT", "/b/k", before), "http:503,method=PUT,unless.query.uploadId=")
    assert rows in str(error)


def test_text_from_requests_and_errors_is_escaped():
    """Nothing of a request or an exception is written to a terminal raw.

    The marker is still right Python.
    """
    path = "/b/%1B%5B31m%E2%80%AE%22%5C%0A%20x"

    def code():
        if send("PUT", path) != 200:
            raise AssertionError(f"\x1b[31m{'x' * 500}")

    _, error = exploring(code, "http:503", "cos:SlowDown,path=\x1bx")
    text = str(error)
    assert text.replace("\n", "").isprintable()
    assert f"AssertionError: \\x1b[31m{'x' * 194}…" in text
    [marker] = re.findall(r"@pytest\.mark\.faultinject\((.+)\)$", text, re.MULTILINE)
    with faultinject.inject(eval(marker)) as faults:
        assert send("PUT", path) == 503
    assert faults.injected == 1


def test_causes_are_told_apart_by_what_the_requests_show():
    """A conflict with its own write is a cause of its own, though the same line raises.

    That line also raises for an error that the code does not retry.
    """
    there = set()

    def app(environ, start_response):
        status = "412 Precondition Failed" if environ["PATH_INFO"] in there else "200 OK"
        there.add(environ["PATH_INFO"])
        start_response(status, [("Content-Length", "0")])
        return [b""]

    claiming = Client(WSGIFaultMiddleware(app, []))

    def claim():
        there.clear()
        for _ in range(2):
            with suppress(OSError):
                status = claiming.put("/b/claim", data=b"7", headers={"If-None-Match": "*"}).status_code
                break
        if status != 200:
            raise RuntimeError(status)

    exploration, error = exploring(claim, "s3:RequestTimeout", "reset,when=after")
    assert len(json.loads(exploration.to_json())["findings"]) == 2
    assert (
        "  ✕ lost answer: false conflict: request 1 (PUT) was carried out and its answer lost; "
        "request 2 got 412 because of" in str(error)
    )


def test_causes_are_told_apart_by_line_and_operation():
    """Operation, line and exception distinguish causes."""

    def code():
        ok = send("PUT", "/b/k") == 200 and send("GET", "/b/k") == 200
        assert ok

    exploration, error = exploring(code, "http:503", "http:500")
    counts = [str(error).count(each) for each in ("replay: ", " and 1 similar: ")]
    assert (counts, len(exploration.runs)) == ([2, 2], 4)


def test_the_data():
    """`--json` gives data in a shape that programs rely on."""

    def code():
        if send("PUT", "/b/k") == 503:
            raise KeyError("k")
        send("HEAD", "/b/k")

    exploration, _ = exploring(code, "http:503", "http:500", "cos:RequestTimeout,method=HEAD")
    found = json.loads(exploration.to_json())
    assert (0 <= found["seconds"] < 60, 0 <= found["backoff"] <= 1) == (True, True)
    assert found == {
        "v": 1,
        "seconds": found["seconds"],
        "backoff": found["backoff"],
        "requests": ["PutObject /b/k", "HeadObject /b/k"],
        "faults": ["http:503", "http:500", "cos:RequestTimeout,method=HEAD"],
        "depth": 1,
        "runs": 4,
        "failed": 1,
        "gave_up": 0,
        "pruned": 1,
        "not_run": 0,
        "left_out": [
            "cos:RequestTimeout on HEAD (its answer has no body that says which error it is; exhaustive=True brings it"
            " back)"
        ],
        "not_reached": [],
        "incomplete": ["cos:RequestTimeout,method=HEAD was injected in no run (nearest: HEAD /b/k)"],
        "warnings": [],
        "findings": [
            {
                "error": "KeyError: 'k'",
                "audit": [],
                "scenario": ["http:503,method=PUT,path=/b/k,times=1"],
                "marker": '@pytest.mark.faultinject("http:503,method=PUT,path=/b/k,times=1")',
                "alike": [],
                "requests": ["PUT /b/k"],
                "evidence": ["told"],
            }
        ],
        "warned": [],
    }


def test_backoff_is_told(monkeypatch):
    """The share of backoff after faults is reported, with advice if it is most of the time."""
    monkeypatch.setattr("faultinject.testing.exploration.causes._backoff", lambda outcomes: 1000.0)
    # The clock of everybody would also be that of threads that other tests have left.
    clock = SimpleNamespace(monotonic=iter(range(1000)).__next__)
    monkeypatch.setattr("faultinject.testing.runs.time", clock)
    first, *_, last = passing(lambda: call("PUT", "/b/k"), "http:503", "http:500").report().splitlines()
    assert "(backoff 100%)" in first
    assert last == "more than half of the time was the client's own backoff: configure a shorter one in tests"
