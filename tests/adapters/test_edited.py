"""The app's answer with other headers, or without its range, is equal on WSGI and ASGI."""

from types import SimpleNamespace

import a2wsgi
import httpx
import pytest

from faultinject import Injector, Scenario
from faultinject.clients.httpx import FaultTransport

BODY = b"0123456789"
HEADERS = {"ETag": '"one"', "X-Kept": "kept"}


ANSWERS = {
    None: (200, BODY, HEADERS),
    "bytes=99-": (416, b"", {"Content-Range": "bytes */10"}),
    "bytes=0-": (206, BODY, {"Content-Range": "bytes 0-9/10"}),
    "bytes=1-3": (206, BODY[1:4], {**HEADERS, "Content-Range": "bytes 1-3/10"}),
}
"""An object's answers, by the range that a request asks for."""


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise ZeroDivisionError
    status, body, headers = ANSWERS[environ.get("HTTP_RANGE") or environ.get("HTTP_X_MS_RANGE")]
    start_response(f"{status} X", [*headers.items()])
    return [body]


APP = SimpleNamespace(wsgi=wsgi, asgi=a2wsgi.WSGIMiddleware(wsgi))


@pytest.fixture
def made(send):
    """Make a function that sends requests to an app under these rules, and its injector."""

    def make(rules, *, record_all=False, **environ):
        injector = Injector(Scenario(rules), seed=1, environ=environ, record_all=record_all)

        def get(path="/photos/cat", **headers):
            found = send(injector, target=path, headers=headers.items(), app=APP)
            return found.status, found.body, {name.lower(): text for name, text in found.headers}

        return get, injector

    return make


UNTOUCHED = {"x-faultinject": None, "etag": '"one"'}


@pytest.mark.parametrize("record_all", [False, True])
@pytest.mark.parametrize(
    ("rule", "ranged", "status", "body", "told"),
    [
        (
            "edit,set.etag=two,set.x-new=new,drop.content-range,name=moved", "bytes=1-3", 206, b"123",
            {"etag": "two", "x-new": "new", "x-kept": "kept", "content-range": None, "x-faultinject": "moved",
             "cache-control": "no-store"},
        ),
        ("edit,drop.etag,delay=1ms", "", 200, BODY, {"etag": None}),
        # The app answers with the whole; a request for the whole loses nothing.
        ("edit,range=ignore", "bytes=1-3", 200, BODY, {"content-range": None}),
        ("edit,range=ignore", "", 200, BODY, UNTOUCHED),
        # The bytes are those that were asked for, the Content-Range says others.
        ("edit,range=shift", "bytes=1-3", 206, b"123", {"content-range": "bytes 2-4/10"}),
        ("edit,range=shift", "", 200, BODY, UNTOUCHED),
        ("edit,range=shift", "bytes=0-", 206, BODY, {"x-faultinject": None}),
        ("edit,range=shift", "bytes=99-", 416, b"", {"x-faultinject": None}),
        # A header that is not there cannot be dropped.
        ("edit,drop.content-range", "", 200, BODY, UNTOUCHED),
    ],
)  # fmt: skip
def test_an_edited_answer(made, rule, ranged, status, body, told, record_all):
    """The rest of the answer stays, and what changes nothing is not marked and does not count."""
    get, injector = made(rule, record_all=record_all)
    found = get(**({"Range": ranged} if ranged else {}))
    assert (*found[:2], {name: found[2].get(name) for name in told}) == (status, body, told)
    [outcome] = injector.journal.outcomes
    edits = told.get("x-faultinject", "") is not None
    assert (outcome.did, outcome.injected) == ("edited" if edits else "nothing_to_cut", edits)
    assert (outcome.status, [each.injected for each in injector.counts().values()]) == (
        status if edits or record_all else None,
        [edits],
    )


def test_a_range_of_azure_is_ignored_too(made):
    """By either name the app gets to see none."""
    get, _ = made("edit,range=ignore,times=1")
    assert [get(**{"x-ms-range": "bytes=1-3"})[0] for _ in range(2)] == [200, 206]


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
    assert [each.did for each in injector.journal.outcomes][-2:] == ["app_failed", "edited"]


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
    assert (cut.if_match, edited.if_range, cut.response_bytes, len(cut.etag)) == (None, None, 5, 4)


def test_a_client_of_its_own_process():
    """A transport edits headers too, but sends the request as it is, with its range."""

    def serve(request):
        status, body, headers = ANSWERS[request.headers.get("range")]
        return httpx.Response(status, content=body, headers=headers)

    transport = FaultTransport(httpx.MockTransport(serve), rules="edit,drop.etag,times=1 edit,range=ignore")
    with httpx.Client(transport=transport) as client:
        asked = [client.get("http://h/b/k", headers={"Range": "bytes=1-3"}) for _ in range(2)]
    assert [("etag" in each.headers, each.status_code) for each in asked] == [(False, 206), (True, 206)]
    assert [each.did for each in transport.injector.journal.outcomes] == ["edited", "nothing_to_cut"]
