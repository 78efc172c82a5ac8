"""Instructions that a request carries itself, in `x-goog-emulator-instructions`, as the testbench had them before `/retry_test`."""

from __future__ import annotations

import http.client
import time

import pytest

from faultinject.retry_tests import carried

from .test_retry_tests import CONTENT, GET, KIB, PHOTOS, UPLOAD, bench, told

__all__ = ["bench"]
LONG = CONTENT * 4
"""More than a MiB."""
MEDIA = f"{PHOTOS}/o/k?alt=media"


@pytest.fixture(autouse=True)
def stored(bench):
    """A long object."""
    bench.ask("POST", f"{UPLOAD}?uploadType=media&name=k", data=LONG)


def read(bench, text, header="x-goog-emulator-instructions", **headers):
    """What comes of the object, and how it ended."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.server.port, timeout=20)
    try:
        connection.request("GET", MEDIA, headers={header: text, **headers})
        answer = connection.getresponse()
        got, end = b"", "whole"
        try:
            while piece := answer.read1(64 * KIB):
                got += piece
        except ConnectionResetError:
            end = "reset"
        return answer.status, got, end
    finally:
        connection.close()


@pytest.mark.parametrize("header", ["x-goog-emulator-instructions", "x-goog-testbench-instructions"])
def test_downloads_that_break_each_time(bench, header):
    """By both names of the header; nothing is counted, and what is no longer passes."""
    for _ in range(2):
        assert read(bench, "return-broken-stream", header) == (200, LONG[: KIB * KIB], "reset")
    short = {"Range": f"bytes=0-{KIB - 1}"}
    assert read(bench, "return-broken-stream", header, **short) == (206, LONG[:KIB], "whole")


def test_a_download_that_breaks_where_it_begins_at_the_first_byte(bench):
    """The rest is given, but for the first two retries that say which they are."""
    broken, rest = (200, LONG[: 256 * KIB], "reset"), {"Range": f"bytes={256 * KIB}-"}
    after = "return-503-after-256K"
    assert [read(bench, text) for text in (after, f"{after}/retry-1", f"{after}/retry-3")] == [broken] * 3
    assert read(bench, after, Range="bytes=0-300000") == (206, *broken[1:])
    statuses = [read(bench, f"{after}{each}", **rest)[0] for each in ("/retry-1", "/retry-2", "/retry-3", "")]
    assert statuses == [503, 503, 206, 206]
    assert read(bench, after, **rest)[1:] == (LONG[256 * KIB :], "whole")


def test_a_resumable_upload_fails_each_time(bench):
    """From that byte on, of which the store keeps what came before; an upload in one request passes."""
    after = {"x-goog-emulator-instructions": "return-503-after-256K"}
    session, total = bench.start(), len(CONTENT)
    span = {"Content-Range": f"bytes 0-{total - 1}/{total}"}
    assert bench.ask("PUT", session, data=CONTENT, headers=span | after).status_code == 503
    assert bench.piece(session, f"*/{total}").headers["range"] == f"bytes=0-{256 * KIB - 1}"
    span = {"Content-Range": f"bytes {256 * KIB}-{total - 1}/{total}"}
    assert bench.ask("PUT", session, data=CONTENT[256 * KIB :], headers=span | after).status_code == 503
    assert bench.ask("PUT", session, data=CONTENT[256 * KIB :], headers=span).status_code == 200
    media = f"{UPLOAD}?uploadType=media&name=j"
    assert bench.ask("POST", media, data=CONTENT, headers=after).status_code == 200


def test_a_download_with_other_bytes(bench):
    """As many, and one of them another."""
    status, got, _ = read(bench, "return-corrupted-data")
    assert (status, len(got), sum(a != b for a, b in zip(got, LONG, strict=True))) == (200, len(LONG), 1)


@pytest.mark.parametrize(("text", "later"), [("stall-always", 1), ("stall-at-256KiB", 0)])
def test_stalls(bench, text, later, monkeypatch):
    """At the beginning of any download, or in the middle of one from the first byte on; and then all of it comes."""
    monkeypatch.setattr(carried, "STALL", 0.5)
    began = time.monotonic()
    assert read(bench, text) == (200, LONG, "whole")
    assert time.monotonic() - began >= 0.5
    assert read(bench, text, Range=f"bytes={KIB}-") == (206, LONG[KIB:], "whole")
    delayed = [each.did for each in bench.injector.journal.outcomes if each.did in ("delayed", "stalled")]
    assert len(delayed) == 1 + later


def test_what_is_meant_for_others(bench):
    """A request for no content passes, and so does every one while faults are switched off."""
    headers = {"x-goog-emulator-instructions": "return-503-after-256K"}
    assert bench.ask("GET", f"{PHOTOS}/o/k", headers=headers).status_code == 200
    bench.injector.disable()
    assert read(bench, "return-broken-stream") == (200, LONG, "whole")


def test_a_retry_test_comes_first(bench):
    """What it has no more failures for is done as the header says."""
    test = bench.create({GET: ["return-408"]})
    headers = {"x-goog-emulator-instructions": "return-503-after-256K/retry-1", "Range": "bytes=9-"}
    statuses = [bench.ask("GET", MEDIA, test, headers=headers).status_code for _ in range(3)]
    assert statuses == [408, 503, 503]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("return-503", 400, "<return-503> is invalid"),
        ("return-503-after-512K", 400, "<return-503-after-512K> is invalid"),
        ("", 400, "<> is invalid"),
        ("x" * 300, 400, f"<{'x' * 256}> is invalid"),
        ("redirect-send-token-a", 501, "<redirect-send-token-a> is not implemented"),
        ("inject-upload-data-error", 501, "<inject-upload-data-error> is not implemented"),
        ("break-after-256K", 501, "<break-after-256K> is not implemented"),
        ("stall-for-2s", 501, "<stall-for-2s> is not implemented"),
    ],
)
def test_instructions_that_are_refused(bench, text, status, said):
    """The testbench does nothing for an unknown one, so that a test of it proves nothing."""
    answer = bench.ask("GET", MEDIA, headers={"x-goog-emulator-instructions": text})
    assert (answer.status_code, told(answer)) == (status, f"The fault injection request {said}.")
