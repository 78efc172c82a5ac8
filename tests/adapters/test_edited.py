"""The app's answer with other headers, or without its range, is equal on WSGI and ASGI."""

import pytest

from faultinject import Injector, Scenario

BODY = b"0123456789"
HEADERS = {"ETag": '"one"', "X-Kept": "kept"}


def answer(ranged):
    """An object's answer to a request for its second to fourth byte, or for all of it."""
    if ranged == "bytes=99-":
        return 416, b"", {"Content-Range": "bytes */10"}
    if ranged == "bytes=0-":
        return 206, BODY, {"Content-Range": "bytes 0-9/10"}
    if ranged:
        return 206, BODY[1:4], {**HEADERS, "Content-Range": "bytes 1-3/10"}
    return 200, BODY, HEADERS


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise ZeroDivisionError
    status, body, headers = answer(environ.get("HTTP_RANGE"))
    start_response(f"{status} X", [*headers.items()])
    return [body]


async def asgi(scope, receive, send):
    if scope["path"] == "/broken":
        raise ZeroDivisionError
    status, body, headers = answer(dict(scope["headers"]).get(b"range", b"").decode())
    sent = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def made(send):
    """Make a function that sends requests to an app under these rules, and its injector."""

    def make(rules, *, record_all=False, **environ):
        injector = Injector(Scenario(rules), environ=environ, record_all=record_all)

        def get(path="/photos/cat", **headers):
            app = wsgi if send.kind == "wsgi" else asgi
            found = send(injector, target=path, headers=headers.items(), app=app)
            return found.status, found.body, {name.lower(): text for name, text in found.headers}

        return get, injector

    return make


def told(injector):
    """The journal's outcome, and the status that the client got."""
    return [(each.did, each.status) for each in injector.journal.outcomes]


def test_headers_are_set_and_dropped(made):
    """The rest of the answer stays, and the mark says which rule it was."""
    get, injector = made("edit,set.etag=two,set.x-new=new,drop.content-range,name=moved")
    status, body, headers = get(Range="bytes=1-3")
    assert (status, body) == (206, b"123")
    assert (headers["etag"], headers["x-new"], headers["x-kept"]) == ("two", "new", "kept")
    assert "content-range" not in headers
    assert (headers["x-faultinject"], headers["cache-control"]) == ("moved", "no-store")
    assert told(injector) == [("edited", 206)]
    assert injector.journal.outcomes[0].injected


def test_an_ignored_range(made):
    """The app answers with the whole; a request for the whole loses nothing."""
    get, injector = made("edit,range=ignore")
    assert get(Range="bytes=1-3")[:2] == (200, BODY)
    assert "x-faultinject" not in get()[2]
    assert [did for did, _ in told(injector)] == ["edited", "nothing_to_cut"]
    assert {each.fault for each in injector.journal.outcomes} == {"edit,range=ignore"}


def test_a_shifted_range(made):
    """The bytes are those that were asked for, the Content-Range says others."""
    get, injector = made("edit,range=shift")
    status, body, headers = get(Range="bytes=1-3")
    assert (status, body, headers["content-range"]) == (206, b"123", "bytes 2-4/10")
    for ranged in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=99-"}):
        assert "x-faultinject" not in get(**ranged)[2]
    assert [did for did, _ in told(injector)] == ["edited", *["nothing_to_cut"] * 3]


@pytest.mark.parametrize("record_all", [False, True])
def test_what_changes_nothing_does_not_count(made, record_all):
    """A header that is not there cannot be dropped: `times` counts only what was done."""
    get, injector = made("edit,drop.content-range,times=1", record_all=record_all)
    get()
    get(Range="bytes=1-3")
    assert "content-range" in get(Range="bytes=1-3")[2]
    assert [did for did, _ in told(injector)] == ["nothing_to_cut", "edited", "passed"]
    assert told(injector)[0][1] == (200 if record_all else None)


def test_without_a_mark(made):
    """FAULTINJECT_HEADER=0 leaves the mark out, and lets a rule set Cache-Control."""
    get, _ = made("edit,set.cache-control=public", FAULTINJECT_HEADER="0")
    headers = get()[2]
    assert (headers["cache-control"], "x-faultinject" in headers) == ("public", False)


def test_an_app_that_fails(made):
    """Its error is its own, and the fault was not given."""
    get, injector = made("edit,drop.etag,times=1")
    with pytest.raises(ZeroDivisionError):
        get("/broken")
    get()
    assert [did for did, _ in told(injector)][-2:] == ["app_failed", "edited"]


def test_it_may_be_late(made):
    """A delay comes before the app, as with other faults."""
    get, injector = made("edit,drop.etag,delay=1ms")
    assert "etag" not in get()[2]
    assert told(injector)[-1] == ("edited", 200)


def test_versions_are_in_the_journal(made):
    """Part and version are in the journal; an ETag's digest is equal in request and answer."""
    get, injector = made("truncate,keep=0.5,times=1 edit,set.etag=two,times=1 latency,delay=1ms,times=1")
    with pytest.raises(Exception, match=r"cut|IncompleteRead|bytes"):
        get()
    get(Range="bytes=1-3", **{"If-Match": '"one"'})
    get(Range="bytes=1-3", **{"If-Range": "two"})
    cut, edited, late = injector.journal.outcomes
    assert (cut.range, edited.range, late.range) == (None, "bytes=1-3", "bytes=1-3")
    assert cut.etag == edited.if_match != edited.etag == late.if_range
    assert (cut.if_match, edited.if_range, cut.response_bytes) == (None, None, 5)
    assert len(cut.etag) == 4


def test_a_client_of_its_own_process():
    """A transport edits headers too, but sends the request as it is, with its range."""
    httpx = pytest.importorskip("httpx")
    from faultinject.clients.httpx import FaultTransport

    def serve(request):
        status, body, headers = answer(request.headers.get("range"))
        return httpx.Response(status, content=body, headers=headers)

    transport = FaultTransport(httpx.MockTransport(serve), rules="edit,drop.etag,times=1 edit,range=ignore")
    with httpx.Client(transport=transport) as client:
        asked = [client.get("http://h/b/k", headers={"Range": "bytes=1-3"}) for _ in range(2)]
    assert [("etag" in each.headers, each.status_code) for each in asked] == [(False, 206), (True, 206)]
    assert [did for did, _ in told(transport.injector)] == ["edited", "nothing_to_cut"]
