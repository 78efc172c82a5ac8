"""An ordinary request goes a shorter way through the engine and the adapters: it comes to the same as the long one."""

from __future__ import annotations

import contextlib
import io
import logging
from unittest.mock import patch
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultinject import Rule, WSGIFaultMiddleware, vendors
from faultinject.adapters import asgi, wsgi
from faultinject.engine.answers import Answer
from faultinject.engine.plan import Plan
from faultinject.engine.request import ASGIRequest, Request, WSGIRequest
from faultinject.engine.snapshot import take_snapshot
from faultinject.http.target import encode
from faultinject.vendors.addressing import Addressing, exact_identity, with_placeholders, without_new_ids
from faultinject.vendors.rendering import Rendering

UNLIKE = ("pid", "seq", "answered", "elapsed", "stalled", "arrived")


def identify(self, request):
    _, bucket, key, rest = self.read_place(request)
    exact = exact_identity(request, bucket, key, rest)
    return exact, with_placeholders(without_new_ids(exact, None if self.s3 else self.vendor.addressing))


def unusual(make):
    def init(self, *args, **more):
        make(self, *args, **more)
        self._usual = self.ordinary = False
        self.encoded = {}

    return init


def without_fill(make):
    def init(self, *args, **more):
        make(self, *args, **more)
        fill = self._envelope.fill
        self.fill = None if self.fill is None else lambda resource, ids: fill(resource, ids, {"children": ""})

    return init


async def no_body(*_):
    return None, None


@contextlib.contextmanager
def long_way():
    """Every short cut is closed."""
    with contextlib.ExitStack() as stack:
        for where, name, instead in (
            (Plan, "_decide_one", lambda self, request, number, *at: self._decide(request, [number], *at)),
            (Answer, "__init__", unusual(Answer.__init__)),
            (Rendering, "__init__", without_fill(Rendering.__init__)),
            (Request, "_take_snapshot", take_snapshot),
            (Request, "raw_path", property(lambda self: self._raw_path or encode(self.path))),
            (Addressing, "identify", identify),
            (wsgi, "_body_at_hand", lambda *_: None),
            (asgi, "_body_at_hand", no_body),
        ):
            stack.enter_context(patch.object(where, name, instead))
        yield


def come_to(send, make_injector, rule, requests, *, record_all):
    injector = make_injector([rule], record_all=record_all)
    answers = [send(injector, method, target, **more).wire for method, target, more in requests]
    outcomes = [each.to_dict() for each in injector.journal.outcomes]
    for each in outcomes:
        assert (each["elapsed"] is None) == (each["answered"] is None)
        for name in UNLIKE:
            del each[name]
    assert injector.errors == []
    return answers, outcomes, injector.counts(), injector._services.active


FAULTS = st.sampled_from(
    [f"{name}:@all" for name in vendors.names()] + ["http:503", "http:204", "reset", "close"]
)
CONDITIONS = st.sampled_from(
    [
        {},
        {"method": ["PUT", "HEAD"]},
        {"path": "photos/"},
        {"path": "photos/**"},
        {"bucket": "photos"},
        {"method": "PUT", "path": "/photos/"},
        {"unless": {"header": {"x-test": "b"}}},
        {"size": "1.."},
    ]
)
TRIGGERS = st.sampled_from(
    [
        {},
        {"times": 2},
        {"times": 1, "per": "key"},
        {"probability": 0.5},
        {"skip": 1, "every": 2},
        {"per": "call", "times": 1},
        {"above": "1/s"},
        {"probability": 0.5, "times": 1},
    ]
)
EFFECTS = st.sampled_from(
    [
        {},
        {"retry_after": 2},
        {"cors": False},
        {"drain": False},
        {"set": {"x-a": "b"}},
        {"message": "ü<&"},
        {"resource": "/a<b>"},
        {"set": {"connection": "close"}},
        {"retry_after": 2, "hint": "date"},
    ]
)
METHODS = st.sampled_from(["GET", "PUT", "PUT", "POST", "HEAD", "head", "OPTIONS", "DELETE"])
TARGETS = st.sampled_from(
    [
        "/photos/a.jpg",
        "/photos/",
        "/photos",
        "/",
        "/photos/%C3%BC~'b",
        "/photos/a%2Fb",
        "/films/0123456789ab",
        "/photos/a?uploadId=x&partNumber=1",
        "/photos/a%3Fsig%3Dx",
        "//x",
        f"/photos/{'k' * 2050}",
        "/photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d",
    ]
)
HEADERS = st.lists(
    st.sampled_from(
        [
            ("origin", "https://web.example"),
            ("authorization", "AWS AKID:c2ln"),
            ("x-test", "b"),
            ("if-match", '"e"'),
            ("content-type", "multipart/form-data; boundary=b"),
            ("content-type", "text/plain"),
            ("user-agent", "t"),
            ("expect", "100-continue"),
            ("host", "photos.cos.ap-x.myqcloud.com"),
            ("x-auth-token", "secret"),
        ]
    ),
    max_size=3,
    unique_by=lambda each: each[0],
)
BODIES = st.sampled_from([b"", b"", b"data", b"--b\r\n--b--", b"x" * 70_000])
REQUESTS = st.lists(
    st.tuples(METHODS, TARGETS, st.fixed_dictionaries({"headers": HEADERS, "body": BODIES})),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("record_all", [False, True], ids=["matched", "record_all"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fault=FAULTS, conditions=CONDITIONS, triggers=TRIGGERS, effects=EFFECTS, requests=REQUESTS)
@example("cos:SlowDown", {}, {"times": 2}, {}, [("PUT", "/photos/a.jpg", {"body": b"data"})] * 3)
@example("http:503", {}, {}, {}, [("GET", "/photos/a.jpg", {})])
def test_it_comes_to_the_same(
    send, make_injector, caplog, record_all, fault, conditions, triggers, effects, requests
):
    """Answers, outcomes, counts and places, of any rule and any requests."""
    caplog.set_level(logging.ERROR, "faultinject")
    if fault.partition(":")[0] in ("reset", "close"):
        effects = {}
    elif fault.startswith("http:"):
        effects = {name: value for name, value in effects.items() if name != "resource"}
    rule = Rule(fault, **conditions, **triggers, **effects)
    short = come_to(send, make_injector, rule, requests, record_all=record_all)
    with long_way():
        assert come_to(send, make_injector, rule, requests, record_all=record_all) == short


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(target=TARGETS, shown=st.booleans(), mount=st.sampled_from(["", "/mount"]))
def test_a_view_is_the_same(servers, target, shown, mount):
    """Made in one step or by the way for mounts, encoded paths and absolute targets."""
    path = unquote(target.partition("?")[0])
    environ = servers.environ("GET", target, SCRIPT_NAME=mount, RAW_URI=mount + target if shown else "")
    scope = {**servers.scope("GET", target), "root_path": mount}
    if not shown:
        del scope["raw_path"]
    for view in (WSGIRequest(environ), ASGIRequest(scope)):
        long = object.__new__(type(view))
        asked = (mount if type(view) is WSGIRequest else "") + target.partition("?")[0]
        Request.__init__(long, mount, path, asked if shown else "")
        for name in ("mount", "below", "path", "raw_path", "read_by", "named_by", "identified_by"):
            assert getattr(view, name) == getattr(long, name)


@pytest.mark.parametrize("closed", [False, True])
def test_a_body_that_cannot_be_read(servers, make_injector, closed):
    """Closed, or shorter than it says: nobody is answered as if it had been read."""
    injector = make_injector("cos:SlowDown")
    body = io.BytesIO(b"da")
    if closed:
        body.close()
    environ = servers.environ("PUT", "/photos/a.jpg", body=b"data", **{"wsgi.input": body})
    statuses = []
    WSGIFaultMiddleware(None, injector=injector)(environ, lambda status, *_: statuses.append(status))
    assert [each[:3] for each in statuses] == ["500"]
    assert [each.did for each in injector.journal.outcomes] == ["failed"]


@pytest.mark.parametrize("rule", ["cos:SlowDown", "cos:SlowDown,times=1"])
def test_an_error_of_ours_takes_nothing(send, make_injector, rule):
    """Neither of the rule's limit, where it has one, nor of the places."""
    injector = make_injector(rule)
    with pytest.MonkeyPatch.context() as broken:
        for view in (WSGIRequest, ASGIRequest):
            broken.setattr(view, "snapshot", property(lambda _: 1 / 0))
        assert send(injector, "GET", "/photos/a.jpg").status == 200
    assert send(injector, "GET", "/photos/a.jpg").status == 503


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_an_ordinary_request_takes_it(both, make_injector, monkeypatch, kind):
    """Else the comparison is one of the long way with itself."""
    taken = []
    for where, name in ((Plan, "_decide"), ({"wsgi": wsgi, "asgi": asgi}[kind], "_respond")):
        monkeypatch.setattr(where, name, lambda *_, name=name: taken.append(name))
    [send] = [each for each in both if each.kind == kind]
    answer = send(make_injector("cos:SlowDown,times=1,path=photos/"), "PUT", "/photos/a.jpg", body=b"data")
    assert (answer.status, taken) == (503, [])
