"""`/retry_test` in front of a store, as the test suites of Google's clients use it, by HTTP."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from faultinject import Injector, install
from faultinject.retry_tests import kept
from faultinject.retry_tests.face import CONTROL_BYTES, RetryTestFace
from faultinject.server.connections import Server
from faultinject.store import ObjectStore

BUCKETS = "/storage/v1/b"
PHOTOS = f"{BUCKETS}/photos"
UPLOAD = "/upload/storage/v1/b/photos/o"
LIST, GET, INSERT = "storage.buckets.list", "storage.objects.get", "storage.objects.insert"
KIB = 1024
CONTENT = bytes(range(256)) * 4 * 300


class Bench:
    """A client of a store with `/retry_test` in front.

    Attributes:
        injector: the store's.
        now: unix seconds.
    """

    def __init__(self, rules=(), **options):
        self.now = 1_800_000_000.0
        self.injector = Injector(rules, seed=1, environ={}, clock=lambda: self.now, **options)
        store = install(ObjectStore("gcs"), injector=self.injector, enabled=True)
        self.server = Server(RetryTestFace(store, self.injector))

    def ask(self, method, path, test=None, **options):
        headers = {"x-retry-test-id": test} if test is not None else {}
        headers |= options.pop("headers", {})
        return requests.request(method, self.server.url + path, headers=headers, timeout=20, **options)

    def create(self, instructions, **more):
        answer = self.ask("POST", "/retry_test", json={"instructions": instructions, **more})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        return answer.json()["id"]

    def left(self, test):
        shown = self.ask("GET", f"/retry_test/{test}").json()
        return shown["instructions"], shown["completed"]

    def start(self):
        """The path to which the pieces of an upload go."""
        answer = self.ask("POST", f"{UPLOAD}?uploadType=resumable&name=k")
        return answer.headers["location"].removeprefix(self.server.url)

    def piece(self, session, span, data=b"", test=None):
        return self.ask("PUT", session, test, data=data, headers={"Content-Range": f"bytes {span}"})


@pytest.fixture
def bench():
    found = Bench()
    with found.server:
        found.ask("POST", BUCKETS, json={"name": "photos"})
        yield found


def test_a_test_is_made_shown_listed_and_deleted(bench):
    """As the testbench shows them."""
    one = bench.create({LIST: ["return-503", "return-reset-connection"]}, transport="http")
    other = bench.create({GET: []})
    shown = {
        "id": one,
        "instructions": {LIST: ["return-503", "return-reset-connection"]},
        "completed": False,
        "transport": "HTTP",
    }
    assert bench.ask("GET", f"/retry_test/{one}").json() == shown
    listed = bench.ask("GET", "/retry_tests").json()["retry_test"]
    assert [each["id"] for each in listed] == [other, one]  # the one used last at the end
    deleted = bench.ask("DELETE", f"/retry_test/{one}")
    assert (deleted.status_code, deleted.text) == (200, f"Deleted {one}")
    assert bench.ask("GET", f"/retry_test/{one}").status_code == 404
    assert bench.left(other) == ({GET: []}, False)


def test_each_instruction_once_in_order_for_its_own_requests(bench):
    """Another operation, another test and a request of none get nothing; a status is the service's own error."""
    test = bench.create({LIST: ["return-503", "return-408"], GET: ["return-401"]})
    other = bench.create({LIST: ["return-501"]})
    assert bench.ask("GET", PHOTOS, test).status_code == 200
    assert bench.ask("GET", BUCKETS).status_code == 200
    first = bench.ask("GET", BUCKETS, test)
    assert first.json()["error"] == {
        "code": 503,
        "message": "Retry Test: Caused a 503",
        "errors": [
            {"message": "Retry Test: Caused a 503", "domain": "global", "reason": "backendError"},
        ],
    }
    assert first.headers["x-faultinject"] == f"{test}.1"
    assert bench.left(test) == ({LIST: ["return-408"], GET: ["return-401"]}, False)
    statuses = [bench.ask("GET", BUCKETS, each).status_code for each in (test, other, test, other, test)]
    assert statuses == [408, 501, 200, 200, 200]
    assert bench.left(other) == ({LIST: []}, True)
    assert bench.left(test) == ({LIST: [], GET: ["return-401"]}, False)
    refused = bench.ask("GET", f"{PHOTOS}/o/k", test)
    assert (refused.status_code, refused.json()["error"]["errors"][0]["reason"]) == (401, "authError")
    assert bench.left(test) == ({LIST: [], GET: []}, True)


def in_threads(number, work):
    """What each of so many threads gives, which begin together."""
    barrier = threading.Barrier(number)

    def begin(each):
        barrier.wait()
        return work(each)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


def test_two_tests_at_once(bench):
    """Each counts for itself, however their requests mix."""
    tests = [bench.create({LIST: ["return-503"] * 20}) for _ in range(4)]

    def work(number):
        return [bench.ask("GET", BUCKETS, tests[number]).status_code for _ in range(25)]

    assert in_threads(4, work) == [[503] * 20 + [200] * 5] * 4
    assert [bench.left(each) for each in tests] == [({LIST: []}, True)] * 4


def test_one_test_from_many_threads(bench):
    """An instruction is for one request, however many come at once."""
    test = bench.create({LIST: ["return-503"] * 10})
    found = in_threads(4, lambda _: [bench.ask("GET", BUCKETS, test).status_code for _ in range(10)])
    assert sorted(status for each in found for status in each) == [200] * 30 + [503] * 10


def test_a_connection_that_is_reset(bench):
    """Without a byte of an answer."""
    test = bench.create({LIST: ["return-reset-connection"]})
    with pytest.raises(requests.ConnectionError):
        bench.ask("GET", BUCKETS, test)
    assert bench.left(test) == ({LIST: []}, True)


def test_downloads_that_break(bench):
    """After four bytes, or after so many KiB of a content; what is shorter, and what describes it, passes."""
    bench.ask("POST", f"{UPLOAD}?uploadType=media&name=k", data=CONTENT)
    bench.ask("POST", f"{UPLOAD}?uploadType=media&name=short", data=b"x")
    test = bench.create({GET: ["return-broken-stream", "return-broken-stream-after-256K"]})

    def read(path):
        with requests.get(
            bench.server.url + path, headers={"x-retry-test-id": test}, stream=True, timeout=20
        ) as answer:
            return b"".join(_pieces(answer))

    assert read(f"{PHOTOS}/o/k?alt=media") == CONTENT[:4]
    assert bench.ask("GET", f"{PHOTOS}/o/k", test).json()["size"] == str(len(CONTENT))
    assert bench.ask("GET", f"{PHOTOS}/o/short?alt=media", test).content == b"x"
    assert bench.left(test) == ({GET: ["return-broken-stream-after-256K"]}, False)
    assert read(f"/download{PHOTOS}/o/k") == CONTENT[: 256 * KIB]
    assert bench.left(test) == ({GET: []}, True)
    assert bench.ask("GET", f"{PHOTOS}/o/k?alt=media", test).content == CONTENT


def _pieces(answer):
    """What comes before the connection ends."""
    try:
        yield from answer.iter_content(4)
    except requests.exceptions.ChunkedEncodingError:
        return


def test_a_resumable_upload_that_fails_in_the_middle(bench):
    """What came before the place is kept, as the client learns when it asks."""
    test = bench.create({INSERT: ["return-503-after-256K", "return-408"]})
    session = bench.start()
    first, rest = CONTENT[: 200 * KIB], CONTENT[200 * KIB :]
    total = len(CONTENT)
    assert bench.piece(session, f"0-{len(first) - 1}/{total}", first, test).status_code == 308
    failed = bench.piece(session, f"{len(first)}-{total - 1}/{total}", rest, test)
    assert (failed.status_code, failed.json()["error"]["code"]) == (503, 503)
    assert bench.left(test) == ({INSERT: ["return-408"]}, False)
    assert bench.piece(session, f"*/{total}", test=test).status_code == 408
    asked = bench.piece(session, f"*/{total}", test=test)
    assert (asked.status_code, asked.headers["range"]) == (308, f"bytes=0-{256 * KIB - 1}")
    done = bench.piece(session, f"{256 * KIB}-{total - 1}/{total}", CONTENT[256 * KIB :], test)
    assert (done.status_code, done.json()["size"]) == (200, str(total))
    assert bench.ask("GET", f"{PHOTOS}/o/k?alt=media").content == CONTENT


@pytest.mark.parametrize("span", [None, f"0-*/{len(CONTENT)}", "0-*/*"])
def test_a_resumable_upload_in_one_piece_that_fails_in_the_middle(bench, span):
    """Also where the client does not say how long it is."""
    test = bench.create({INSERT: ["return-500-after-256K"]})
    session = bench.start()
    headers = {"Content-Range": f"bytes {span}"} if span else {}
    assert bench.ask("PUT", session, test, data=CONTENT, headers=headers).status_code == 500
    assert bench.piece(session, "*/*").headers["range"] == f"bytes=0-{256 * KIB - 1}"


def test_an_upload_that_has_passed_the_place_already(bench):
    """It fails at once, and nothing more is kept."""
    session = bench.start()
    total = len(CONTENT)
    assert bench.piece(session, f"0-{total - 2}/{total}", CONTENT[:-1]).status_code == 308
    test = bench.create({INSERT: ["return-503-after-256K"]})
    assert bench.piece(session, f"{total - 1}-{total - 1}/{total}", CONTENT[-1:], test).status_code == 503
    assert bench.piece(session, "*/*").headers["range"] == f"bytes=0-{total - 2}"
    assert bench.left(test) == ({INSERT: []}, True)


def test_an_upload_in_one_request_that_fails_in_the_middle(bench):
    """Nothing of it is kept; what is shorter passes, and so does what begins an upload or only asks."""
    test = bench.create({INSERT: ["return-503-after-256K"]})
    media = f"{UPLOAD}?uploadType=media&name=k"
    assert bench.ask("POST", media, test, data=b"short").status_code == 200
    assert bench.ask("POST", f"{UPLOAD}?uploadType=resumable&name=j", test).status_code == 200
    session = bench.start()
    assert bench.piece(session, "*/*", test=test).status_code == 308
    assert bench.ask("PUT", "/photos/k", test, data=CONTENT).status_code == 400  # the XML API is not there
    assert bench.ask("POST", media, test, data=CONTENT).status_code == 503
    assert bench.ask("GET", f"{PHOTOS}/o/k?alt=media").content == b"short"
    assert bench.ask("POST", media, test, data=CONTENT).status_code == 200


def test_the_answer_to_an_upload_that_is_cut(bench):
    """Of the last piece; the object is there."""
    test = bench.create({INSERT: ["return-broken-stream-final-chunk-after-9B"]})
    session = bench.start()
    assert bench.piece(session, "0-2/*", b"abc", test).status_code == 308
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        bench.piece(session, "3-5/6", b"def", test)
    assert bench.left(test) == ({INSERT: []}, True)
    assert bench.ask("GET", f"{PHOTOS}/o/k?alt=media").content == b"abcdef"


@pytest.mark.slow
def test_stalls(bench):
    """In the middle of an upload or of a download that goes beyond the place; others do not wait."""
    test = bench.create({INSERT: ["stall-for-1s-after-256K"] * 2, GET: ["stall-for-1s-after-1K"]})
    media = f"{UPLOAD}?uploadType=media&name=k"
    session = bench.start()
    total = len(CONTENT)
    took = []

    def timed(*request, **options):
        began = time.monotonic()
        answer = bench.ask(*request, test, **options)
        took.append((answer.status_code, time.monotonic() - began >= 1))
        return answer

    timed("POST", media, data=b"short")
    timed("POST", media, data=CONTENT)
    for start, stop in ((0, 256 * KIB), (256 * KIB, total)):
        span = {"Content-Range": f"bytes {start}-{stop - 1}/{total}"}
        timed("PUT", session, data=CONTENT[start:stop], headers=span)
    timed("GET", f"{PHOTOS}/o/k")
    assert timed("GET", f"{PHOTOS}/o/k?alt=media").content == CONTENT
    assert took == [(200, False), (200, True), (308, False), (200, True), (200, False), (200, True)]
    assert bench.left(test) == ({INSERT: [], GET: []}, True)


def test_a_download_stalls_behind_what_came_before(bench):
    """The client has that already."""
    bench.ask("POST", f"{UPLOAD}?uploadType=media&name=k", data=CONTENT)
    test = bench.create({GET: ["stall-for-600s-after-1K"]})
    headers = {"x-retry-test-id": test}
    path = f"{bench.server.url}{PHOTOS}/o/k?alt=media"
    with requests.get(path, headers=headers, stream=True, timeout=20) as answer:
        assert answer.raw.read(KIB) == CONTENT[:KIB]
        bench.ask("DELETE", f"/retry_test/{test}")
        assert answer.raw.read() == CONTENT[KIB:]


def test_a_test_that_is_deleted_while_a_request_waits(bench):
    """The request goes on at once."""
    bench.ask("POST", f"{UPLOAD}?uploadType=media&name=k", data=CONTENT)
    test = bench.create({GET: ["stall-for-600s-after-1K", "return-503"]})
    answers = []
    reader = threading.Thread(
        target=lambda: answers.append(bench.ask("GET", f"{PHOTOS}/o/k?alt=media", test).content)
    )
    reader.start()
    while bench.left(test)[0][GET][0] != "return-503":
        time.sleep(0.01)
    assert answers == []
    assert bench.ask("DELETE", f"/retry_test/{test}").status_code == 200
    reader.join(10)
    assert answers == [CONTENT]
    gone = bench.ask("GET", BUCKETS, test)
    assert gone.status_code == 404


def told(answer):
    """What an error says, which is a document in a document."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return json.loads(error["message"])["error"]["errors"][0]["message"]


def test_an_unknown_test(bench):
    """It is told so, whatever it asked for, and the connection can be used again."""
    with requests.Session() as session:
        answer = session.post(
            f"{bench.server.url}{UPLOAD}?uploadType=media&name=k",
            data=CONTENT,
            headers={"x-retry-test-id": "gone"},
            timeout=20,
        )
        assert (answer.status_code, told(answer)) == (404, "Retry Test gone does not exist.")
        assert session.get(bench.server.url + BUCKETS, timeout=20).status_code == 200
    for method in ("GET", "DELETE"):
        assert (
            told(bench.ask(method, f"/retry_test/{'x' * 300}"))
            == f"Retry Test {'x' * 256}... does not exist."
        )


@pytest.mark.parametrize(
    ("payload", "status", "message"),
    [
        ({LIST: ["return-5000"]}, 400, "The fault injection request <return-5000> is invalid."),
        ({LIST: ["return-200"]}, 400, "The fault injection request <return-200> is invalid."),
        ({LIST: ["return-anything"]}, 400, "The fault injection request <return-anything> is invalid."),
        ({LIST: ["return-503 "]}, 400, "The fault injection request <return-503 > is invalid."),
        (
            {LIST: ["stall-for-601s-after-1K"]},
            400,
            "The fault injection request <stall-for-601s-after-1K> is invalid.",
        ),
        ({LIST: [503]}, 400, "The fault injection request <503> is invalid."),
        ({LIST: ["x" * 257]}, 400, f"The fault injection request <{'x' * 256}...> is invalid."),
        (
            {LIST: ["redirect-send-token-a"]},
            501,
            "The fault injection request <redirect-send-token-a> over HTTP is not implemented.",
        ),
        (
            {LIST: ["return-503-if-dp-enforced"]},
            501,
            "The fault injection request <return-503-if-dp-enforced> over HTTP is not implemented.",
        ),
        (
            {"storage.buckets.lists": ["return-503"]},
            400,
            "The requested method <storage.buckets.lists> for fault injection is invalid.",
        ),
        (
            {"storage.buckets.*": ["return-503"]},
            400,
            "The requested method <storage.buckets.*> for fault injection is invalid.",
        ),
        ({"x" * 257: []}, 400, f"The requested method <{'x' * 256}...> for fault injection is invalid."),
        ({LIST: "return-503"}, 400, f"The list of fault injection requests for <{LIST}> is invalid."),
        ({LIST: ["return-503"] * 101}, 400, "More than 100 fault injection requests is invalid."),
        ([LIST], 400, "The instructions is invalid."),
    ],
)
def test_instructions_that_are_refused(bench, payload, status, message):
    """What is wrong is said in the testbench's form, and nothing is kept."""
    answer = bench.ask("POST", "/retry_test", json={"instructions": payload})
    assert (answer.status_code, told(answer)) == (status, message)
    assert bench.ask("GET", "/retry_tests").json() == {"retry_test": []}


@pytest.mark.parametrize(
    ("transport", "status", "message"),
    [
        ("GRPC", 501, "Retry Test API over GRPC is not implemented."),
        ("QUIC", 400, "The requested transport <QUIC> is not supported in the testbench is invalid."),
        (1, 400, "The requested transport <1> is not supported in the testbench is invalid."),
    ],
)
def test_transports_that_are_refused(bench, transport, status, message):
    """There is HTTP only."""
    payload = {"instructions": {LIST: ["return-503"]}, "transport": transport}
    answer = bench.ask("POST", "/retry_test", json=payload)
    assert (answer.status_code, told(answer)) == (status, message)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"instructions": {}}', b"3"])
def test_no_instructions(bench, body):
    """In plain words, as the testbench says it."""
    answer = bench.ask("POST", "/retry_test", data=body)
    assert (answer.status_code, answer.text) == (400, "instructions is not defined")
    assert answer.headers["content-type"] == "text/plain"


def test_control_requests_that_are_none(bench):
    """What is no JSON, what is too long, and methods that there are not."""
    for body, status in ((b"{", 400), (b"", 400), (b"[" * 60_000, 400), (b" " * (CONTROL_BYTES + 1), 413)):
        answer = bench.ask("POST", "/retry_test", data=body)
        assert (answer.status_code, "is invalid" in told(answer)) == (status, True)
    for method, path in (("GET", "/retry_test"), ("POST", "/retry_tests"), ("PUT", "/retry_test/x")):
        assert told(bench.ask(method, path)) == "method is not allowed"


def test_too_many_tests_and_old_ones_are_given_up(bench, monkeypatch):
    """The one that was not used for the longest time is the first to go."""
    monkeypatch.setattr(kept, "MOST_TESTS", 2)
    first, second = (bench.create({LIST: ["return-503"]}) for _ in range(2))
    assert bench.ask("GET", PHOTOS, first).status_code == 200
    third = bench.create({LIST: ["return-503"]})
    assert [bench.ask("GET", PHOTOS, each).status_code for each in (first, second, third)] == [200, 404, 200]
    bench.now += kept.LIFETIME
    assert bench.ask("GET", PHOTOS, third).status_code == 200
    bench.now += 1
    fourth = bench.create({LIST: ["return-503"]})
    listed = bench.ask("GET", "/retry_tests").json()["retry_test"]
    assert [each["id"] for each in listed] == [third, fourth]


def test_faults_for_everybody_stay_in_force():
    """Rules of the store count for themselves; switched off, no test's fault is injected either; each is one line."""
    bench = Bench("gcs:notFound,operation=storage.buckets.list,times=1", record_all=True)
    with bench.server:
        test = bench.create({LIST: ["return-503", "return-503"]})
        statuses = [bench.ask("GET", BUCKETS, each).status_code for each in (test, None, None)]
        bench.injector.disable()
        statuses.append(bench.ask("GET", BUCKETS, test).status_code)
        bench.injector.enable()
        statuses.append(bench.ask("GET", BUCKETS, test).status_code)
        assert statuses == [503, 404, 200, 200, 503]
        noted = [
            (each.rule, each.status)
            for each in bench.injector.journal.outcomes
            if each.path == BUCKETS and each.final is not False
        ]
    assert noted == [(f"{test}.1", 503), ("rule-1", 404), ("rule-1", 200), (f"{test}.2", 503)]
