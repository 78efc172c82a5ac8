"""Faults on the client's side of httpx, with a real server behind."""

import subprocess
import sys
import time

import httpx
import pytest

from faultinject import Injector, RuleCounts
from faultinject.clients.httpx import AsyncFaultTransport, FaultTransport
from faultinject.exceptions import ConfigurationError

from .httpx_clients import Awaiting, Blocking

WHOLE = b"0123456789" * 100


@pytest.fixture(params=[Blocking, Awaiting])
def make(request):
    """A client of either kind, with these rules."""
    return lambda rules, **options: request.param(request.param.kind(rules=rules, seed=1, **options))


def gets(url, number):
    return [("GET", url, {})] * number


def test_a_documented_error(make, url, app):
    """The vendor's own bytes, so often as the rule says, and the server is not asked."""
    client = make("cos:SlowDown,times=2,path=photos/,retry_after=3s")
    found = client.ask(*gets(url + "/photos/a%2Fb?x=1", 3), ("GET", url + "/other", {}))
    assert [each.status_code for each in found] == [503, 503, 200, 200]
    assert b"<Code>SlowDown</Code>" in found[0].content
    assert (found[0].headers["retry-after"], found[0].headers["x-faultinject"]) == ("3", "rule-1")
    assert [each[:2] for each in app.asked] == [("GET", "/photos/a%2Fb?x=1"), ("GET", "/other")]
    assert client.transport.injector.counts() == {"rule-1": RuleCounts(3, 2)}
    outcome = client.transport.injector.journal.outcomes[0]
    assert (outcome.path, outcome.host) == ("/photos/a%2Fb", "127.0.0.1")


def test_what_passes_is_the_servers(make, url):
    """Status, reason, headers in their order, and bytes."""
    [found] = make("http:500,path=never").ask(*gets(url, 1))
    assert (found.status_code, found.reason_phrase, found.content) == (200, "Fine", WHOLE)
    assert [value for name, value in found.headers.raw if name.lower() == b"x-app-said"] == [
        b"\xfc",
        b"again",
    ]


def test_what_passes_is_not_read(make, url, monkeypatch, tmp_path):
    """A passing stream stays a stream, also if every request is noted, unless it is async."""
    for journal in (False, True):
        if journal:
            monkeypatch.setenv("FAULTINJECT_JOURNAL", str(tmp_path / "journal"))
        client = make("http:500,path=never")
        if isinstance(client, Awaiting):
            [found] = client.ask(*gets(url, 1))
            assert found.content == WHOLE
            continue
        with httpx.Client(transport=client.transport) as opened, opened.stream("GET", url) as response:
            assert not response.is_stream_consumed
            assert b"".join(response.iter_bytes(300)) == WHOLE


@pytest.mark.parametrize(
    ("client", "transport"), [(Blocking, httpx.HTTPTransport), (Awaiting, httpx.AsyncHTTPTransport)]
)
def test_a_changed_answer_gives_its_connection_back(url, client, transport):
    """One is enough for all requests."""
    only = transport(limits=httpx.Limits(max_connections=1))
    found = client(client.kind(only, rules="corrupt", seed=1)).ask(*gets(url, 3))
    assert [len(each.content) for each in found] == [len(WHOLE)] * 3


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("reset", httpx.ReadError),
        ("close", httpx.RemoteProtocolError),
        ("hang,duration=1h", httpx.ReadTimeout),
        ("truncate", httpx.RemoteProtocolError),
        ("truncate,keep_bytes=0", httpx.RemoteProtocolError),
        ("truncate,of=cos:SlowDown", httpx.RemoteProtocolError),
    ],
)
def test_broken_connections(make, url, rule, kind):
    """httpx' own errors, with the request that they belong to; the next one passes."""
    broken, fine = make(f"{rule},times=1").ask(*gets(url, 2))
    assert isinstance(broken, kind)
    assert (str(broken.request.url), fine.status_code, fine.content) == (url, 200, WHOLE)


def test_corrupt(make, url):
    """One bit is another."""
    [found] = make("corrupt").ask(*gets(url, 1))
    assert (found.status_code, len(found.content)) == (200, 1000)
    assert sum(one != other for one, other in zip(found.content, WHOLE, strict=True)) == 1


def test_drip_and_latency(make, url):
    """They take their time, and the bytes are whole."""
    for rule in ("drip,rate=5000", "latency,delay=200ms"):
        before = time.monotonic()
        [found] = make(rule).ask(*gets(url, 1))
        assert found.content == WHOLE
        assert time.monotonic() - before >= 0.15


def test_after(make, url, app):
    """The server has done it, and the answer is the fault."""
    [found] = make("http:500,when=after").ask(("PUT", url + "/photos/1", {"content": b"cat"}))
    assert (found.status_code, app.asked) == (500, [("PUT", "/photos/1", b"cat")])


@pytest.mark.parametrize(
    "rule", ["http:500,times=1", "reset,times=1", "http:500,times=1,when=after", "latency,delay=1ms"]
)
def test_uploads(make, url, app, rule):
    """Of known and unknown length: noted with a fault, whole without."""
    client = make(rule)
    known, unknown = ("PUT", url, {"content": b"cat"}), ("PUT", url, {"content": [b"one ", b"two"]})
    client.ask(known, unknown)
    assert app.asked[-1] == ("PUT", "/", b"one two")
    first = client.transport.injector.journal.outcomes[0]
    assert (first.method, first.request_bytes) == ("PUT", 3)


@pytest.mark.parametrize("noted", [False, True])
def test_streamed_uploads(make, url, app, monkeypatch, tmp_path, noted):
    """A fault takes only as much of an upload as it needs, and a passing one is whole."""
    if noted:
        monkeypatch.setenv("FAULTINJECT_JOURNAL", str(tmp_path / "journal"))
    taken = []

    def pieces():
        for each in (b"o", b"ne", b"", b" two"):
            taken.append(each)
            yield each

    client = make("reset,after_bytes=2,times=1")
    broken, whole = client.ask(("PUT", url, {"content": pieces()}), ("PUT", url, {"content": pieces()}))
    assert isinstance(broken, httpx.ReadError)
    assert (taken, whole.status_code) == ([b"o", b"ne", b"o", b"ne", b"", b" two"], 200)
    assert app.asked == [("PUT", "/", b"one two")]
    first, second = client.transport.injector.journal.outcomes
    assert (first.did, first.request_bytes, first.body_complete) == ("raised", 2, False)
    if noted:
        assert (second.did, second.request_bytes, second.body_complete) == ("passed", 7, True)
        client.ask(("PUT", url, {"content": b"one two"}))
        assert client.transport.injector.journal.outcomes[-1].request_digest == second.request_digest


def test_other_letters(make, url, app):
    """A path and headers beyond ASCII."""
    [found] = make("http:500,path=/ü/€").ask(
        ("GET", url + "/ü/€", {"headers": {"X-Own": "ü".encode("latin-1")}})
    )
    assert found.status_code == 500


def test_a_transport_of_ones_own(make):
    """Anything that httpx takes; closed with the client."""
    closed = []

    class Own(httpx.MockTransport):
        def close(self):
            closed.append(True)

        async def aclose(self):
            closed.append(True)

    client = make("http:500,times=1", transport=Own(lambda request: httpx.Response(201, text="own")))
    assert [each.status_code for each in client.ask(*gets("http://nowhere.example/", 2))] == [500, 201]
    assert closed == [True]


@pytest.mark.parametrize("kind", [FaultTransport, AsyncFaultTransport])
def test_injectors(kind):
    """One of one's own, or rules; wrong ones are said at once."""
    injector = Injector("http:500", environ={})
    assert kind(injector=injector).injector is injector
    with pytest.raises(ConfigurationError, match="did you mean cos:SlowDown"):
        kind(rules="cos:Slowdown")
    with pytest.raises(ConfigurationError, match="give an injector, or rules and a seed"):
        kind(rules="http:500", injector=injector)


def test_a_failing_server_is_the_clients_own_matter(make):
    """An error of the transport beneath comes through."""

    def refuse(request):
        raise httpx.ConnectError("no route")

    [found] = make("http:500,times=0", transport=httpx.MockTransport(refuse)).ask(*gets("http://h/", 1))
    assert isinstance(found, httpx.ConnectError)


def test_no_adapter_for_requests():
    """It says why, and what to use instead; it is an ImportError as well."""
    with pytest.raises(ImportError, match="sits above urllib3's retries") as caught:
        import faultinject.clients.requests  # noqa: F401
    assert "faultinject.clients.httpx" in str(caught.value)


def test_nothing_is_loaded_by_the_package_itself():
    """The doors' libraries are loaded by those who go through."""
    text = "import sys, faultinject.clients; print({'httpx', 'botocore'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
