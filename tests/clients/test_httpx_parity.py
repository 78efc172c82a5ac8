"""Sync and async httpx get the same faults, answers and records, for every word."""

from itertools import count

import httpx
import pytest

from faultinject import Injector
from faultinject.engine import entry
from tests.adapters.test_parity import RULES, UNLIKE
from tests.pairs import pairs

from .httpx_clients import Awaiting, Blocking

TRANSPORT = [
    *("reset", "close", "hang,duration=1h", "reset,when=after", "close,when=after", "hang,duration=1h,when=after"),
    *("truncate", "truncate,keep_bytes=0", "truncate,of=cos:SlowDown", "corrupt", "corrupt,flips=9"),
    *("drip,rate=1000000", "drip,rate=1000000,of=cos:SlowDown", "stall,duration=1ms", "stall,duration=1ms,when=after"),
    *(
        f"{fault},after_bytes={number},when={when}"
        for fault in ("reset", "close", "hang,duration=1h", "stall,duration=1ms")
        for number in (2, 7, 1000)
        for when in ("before", "after")
    ),
    *("cos:SlowDown,after_bytes=2", "http:503,after_bytes=2", "http:503,after_bytes=1000"),
    *("cos:InternalError,status=200,when=after", "s3:SlowDown,status=200,operation=DeleteObjects,share=0.5"),
    "latency,delay=1ms,sample=key:0.5",
]  # fmt: skip
PIECES = [b"on", b"", b"e t", b"wo"]
REQUESTS = [
    ("GET", "/photos/a.jpg", {}),
    ("HEAD", "/photos/a.jpg", {}),
    ("PUT", "/photos/b%20c%2Fd.jpg?partNumber=1&uploadId=x&x=%2F", {"content": b"data", "headers": {"X-Test": "abc"}}),
    ("PUT", "/photos/%C3%BC.jpg", {"content": PIECES, "headers": {"Origin": "https://web.example"}}),
    ("PUT", "/photos/empty", {"content": []}),
    ("PUT", "/photos/large", {"content": [b"x" * 70_000, b"y" * 70_000]}),
    ("POST", "/photos?delete", {"content": b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"}),
    ("OPTIONS", "/photos/a.jpg", {"headers": {"Access-Control-Request-Method": "PUT", "Origin": "x"}}),
    ("PUT", "/photos/none", {}),
    ("GET", "/%FF%00<a>'\"", {"headers": {"User-Agent": "tü".encode()}}),
]  # fmt: skip


def seen(what):
    """The client's view of an answer or an error."""
    if isinstance(what, Exception):
        return [each.__name__ for each in type(what).__mro__], str(what)
    headers = [(name.lower(), value) for name, value in what.headers.raw]
    return what.status_code, headers, what.content


def tried(kind, rule, record_all):
    """Results, requests at the server, records and counts of a client of that kind."""
    asked = []

    def answer(request):
        """The server of requests that pass; it answers with what it was sent."""
        asked.append((request.method, str(request.url), request.content))
        content = b"app: " + request.content[:9]
        headers = {"X-App": "yes", "Content-Length": str(len(content))}
        return httpx.Response(200, headers=headers, content=b"" if request.method == "HEAD" else content)

    injector = Injector([rule], seed=1, environ={}, record_all=record_all, clock=lambda: 1_763_625_600.25)
    client = kind(kind.kind(httpx.MockTransport(answer), injector=injector))
    found = [seen(each) for each in client.ask(*REQUESTS, base_url="http://photos.example")]
    outcomes = [each.to_dict() for each in injector.journal.outcomes]
    for each in outcomes:
        for name in UNLIKE:
            del each[name]
    assert injector.errors == []
    return found, asked, outcomes, injector.counts()


@pytest.mark.parametrize(
    ("rule", "record_all"),
    [
        *((rule, True) for rule in RULES),
        *pairs(rule=TRANSPORT, record_all=[False, True], alike={"rule": lambda rule: rule.partition(",")[0]}),
    ],
    ids=str,
)
def test_both_doors(monkeypatch, rule, record_all):
    """Streamed bodies among them."""
    results = []
    for kind in (Blocking, Awaiting):
        monkeypatch.setattr(entry, "_seq", count())  # ids are made of it
        results.append(tried(kind, rule, record_all))
    one, other = results
    for request, mine, others in zip(REQUESTS, one[0], other[0], strict=True):
        assert (request[1], mine) == (request[1], others)
    for mine, others in zip(one[2], other[2], strict=True):
        assert {**mine, **others} == {**others, **mine}
    assert (one[1], one[3]) == (other[1], other[3])
