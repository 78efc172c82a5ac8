"""The control API refuses every misuse, over WSGI, ASGI and its own address."""

import hmac
import logging
import socket
import threading
import time
from contextlib import ExitStack, suppress
from itertools import chain, product
from unittest.mock import Mock

import pytest
import requests

from faultinject.control.calls import CALLS
from faultinject.control.server import ControlServer
from tests.pairs import pairs
from tests.rows import each_row

from .conftest import MOUNT, TOKEN, Api, ask, ask_asgi, call_wsgi, control, make_injector, wsgi_environ

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
CLOSED = [
    (method, path)
    for path in ("/nothing", "/static", *sorted({each.path.replace("{name}", "slow") for each in CALLS}))
    for method in METHODS
]


def test_without_the_token_nothing_is_done(client):
    """Every call but the page refuses, whatever the method; the rules stay.

    A method that another stands for is tried as well.
    """
    for authorization in (
        None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN,
        "Bearer \xff\xfe", f"Bearer {TOKEN}, Bearer x",
    ):  # fmt: skip
        for method, path in CLOSED if authorization is None else CLOSED[:2]:
            answer = client.call(method, path, token=None, headers={"Authorization": authorization})
            found = (answer.status, answer.headers.get("www-authenticate"), TOKEN in answer.body.decode())
            assert found == (401, 'Bearer realm="faultinject"', False), (authorization, method, path)
    assert [each["name"] for each in client.state()["rules"]] == ["slow", "rule-2"]


def test_each_token_has_its_owner():
    """Changes are noted under the name of the token that was used; its scheme is in any case."""
    api = Api(make_injector(FAULTINJECT_TOKEN="alice=open-sesame,bob=shut-sesame"))
    for token in ("open-sesame", "shut-sesame"):
        state = api.change("POST", "/off", headers={"Authorization": f"bEARER {token}"})
    assert [each["by"] for each in state["changes"]] == ["alice", "bob"]


OURS = "127.0.0.1:80"
CHANGES = (("POST", "/off"), ("PUT", "/rules"), ("DELETE", "/rules/slow"), ("PATCH", "/rules/slow"))
PROXIES = (
    "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X_Forwarded_For", "X-ProxyUser-Ip",
    "CF-Connecting-IP", "CF-Ray", "CDN-Loop", "True-Client-IP", "X-Client-IP", "X-Azure-ClientIP", "X-Amzn-Trace-Id",
    "X-Envoy-Attempt-Count", "X-Original-URL", "X-Remote-Addr", "CloudFront-Viewer-Country", "Front-End-Https", "Max-Forwards",
    "X-Scheme", "Proxy-Connection",
)  # fmt: skip
SITES = ("cross-site", "same-site", "odd")
MISUSED = [
    # A token in the address or in a cookie would be in logs and histories, or sent by any page.
    *(
        (401, "", "GET", path, {"token": None, "headers": headers})
        for path, headers in (
            (f"/state?token={TOKEN}", {}),
            (f"/state?access_token={TOKEN}", {}),
            ("/state", {"Cookie": f"token={TOKEN}; Authorization={TOKEN}"}),
        )
    ),
    # A foreign Host (DNS rebinding): the page of another site asks for its own name, and lands here.
    *(
        (421, "FAULTINJECT_CONTROL_HOSTS", "GET", path, {"host": host})
        for host, path in product(
            (
                "evil.example",
                "evil.example:80",
                "127.0.0.1.evil.example",
                "localhost@evil.example",
                "[::1",
                "",
            ),
            ("/state", "/", "/health"),
        )
    ),
    *(
        (200, "", "GET", "/state", {"host": host})
        for host in ("localhost", "LOCALHOST.:1", "127.9.9.9", "[::1]:80", "app.localhost")
    ),
    # The page of another origin, whatever it asks for.
    *(
        (403, "", method, path, {"headers": {"Origin": origin}})
        for origin, method, path in pairs(
            origin=(
                "https://evil.example",
                "null",
                "http://localhost:80",
                "http://127.0.0.1:1",
                "file://",
                "x",
            ),
            method=METHODS,
            path=("/", "/off", "/state"),
        )
    ),
    (200, "", "GET", "/state", {"headers": {"Origin": f"http://{OURS}"}}),
    *(
        (200, "", "GET", "/state", {"headers": {"Origin": "https://localhost"}, "host": host})
        for host in ("localhost:443", "localhost")
    ),
    # An image or a script of another site has no Origin, but says where it is from.
    *(
        (
            403,
            "" if method == "HEAD" else f"a page of another origin asks (Sec-Fetch-Site: {site})",
            method,
            path,
            {"headers": {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}},
        )
        for site, method, path in pairs(
            site=SITES, method=METHODS, path=("/", "/static/app.js", "/health", "/state")
        )
    ),
    # A link to the control page works, and to nothing else.
    *(
        (
            status,
            "",
            method,
            path,
            {"token": token, "headers": {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}},
        )
        for site, (status, method, path, token) in product(
            SITES,
            (
                (200, "GET", "/", None),
                (403, "GET", "/state", ""),
                (403, "POST", "/off", ""),
                *((403, method, "/", None) for method in METHODS[1:]),
            ),
        )
    ),
    *((200, "", "GET", "/state", {"headers": {"Sec-Fetch-Site": site}}) for site in ("same-origin", "none")),
    # Any page can send a form of three kinds without being asked.
    *(
        (415, "", method, path, {"headers": {"Content-Type": kind}})
        for kind, (method, path) in product(
            (
                None,
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "application/jsonp",
            ),
            CHANGES,
        )
    ),
    (415, "", "POST", "/off", {"raw": b"", "headers": {"Content-Type": "text/plain"}}),
    # `curl -X POST` sends no body: it needs a token, and no Content-Type.
    (401, "", "POST", "/off", {"raw": b"", "token": None}),
    # A request with a proxy's header is not local.
    *(
        (
            403,
            f"the request came through a proxy ({header.lower()}); FAULTINJECT_CONTROL_REMOTE=allow lets others in",
            "GET",
            "/state",
            {"headers": {header: ""}},
        )
        for header in PROXIES
    ),
]


@each_row(("status", "told", "method", "path", "how"), MISUSED)
def test_what_is_misused(api, status, told, method, path, how):
    """A call is refused where it must be, says why and changes nothing.

    No answer is for other origins.
    """
    before = api.injector.state
    answer = api.call(method, path, **how)
    assert (answer.status, api.injector.state) == (status, before)
    assert not told or told in answer.message
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_tokens_are_compared_in_constant_time(api, monkeypatch):
    """As digests of one length, by the function that is made for it."""
    seen = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: seen.append((one, other)) or False)
    assert api.get("/state", token="x").status == 401
    ((one, other),) = seen
    assert len(one) == len(other) == 32


def test_names_that_are_allowed():
    """By FAULTINJECT_CONTROL_HOSTS, and no others."""
    api = Api(make_injector(FAULTINJECT_CONTROL_HOSTS="staging.example.com, other.example"))
    assert api.get("/state", host="Staging.Example.com:8000").status == 200
    assert api.get("/state", host="more.staging.example.com").status == 421


def test_heads_that_come_twice(api):
    """Two tokens, hosts or origins count as none: a proxy in front may have checked the other."""
    token = (b"authorization", f"Bearer {TOKEN}".encode())
    host, origin, kind = (
        (b"host", b"localhost"),
        (b"origin", b"http://localhost"),
        (b"content-type", b"application/json"),
    )
    for fields, status in (
        ([host, token], 200), ([token], 421), ([host, host, token], 421), ([host, token, (b"host", b"evil.example")], 421),
        ([host, token, token], 401), ([host, token, (b"authorization", b"Bearer x")], 401), ([host, token, origin], 200),
        ([host, token, origin, origin], 403),
    ):  # fmt: skip
        assert ask_asgi(api.app, "/_faultinject/state", fields).status == status, fields
    for more, status in (([kind, (b"content-type", b"text/plain")], 415), ([kind], 200)):
        assert ask_asgi(api.app, "/_faultinject/off", [host, token, *more], method="POST").status == status


def test_a_change_without_a_body(api):
    """It is carried out without a Content-Type."""
    assert (api.call("POST", "/off", raw=b"").status, api.state()["on"]) == (200, False)


def test_a_client_that_is_not_on_this_machine():
    """Is refused, also with the token, unless such are allowed: the server's own word counts."""
    refused = Api(make_injector())
    allowed = Api(make_injector(FAULTINJECT_CONTROL_REMOTE="allow", FAULTINJECT_TOKEN=f"{TOKEN}-to-all"))
    here = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    for address in (*here, "10.0.0.7", "2001:db8::1", "testclient", None, "0.0.0.0"):
        for made, token in ((refused, TOKEN), (allowed, f"{TOKEN}-to-all")):
            fields = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
            answer = ask_asgi(made.app, "/_faultinject/state", fields, address=address)
            let_in = made is allowed or address in here
            assert answer.status == (200 if let_in else 403), address
            assert let_in or "FAULTINJECT_CONTROL_REMOTE=allow" in answer.message
    ask_asgi(allowed.app, "/_faultinject/off", fields, method="POST", address=None)
    assert [each.by for each in allowed.injector.state.changes] == [""]
    for address, status, told in (
        ("10.0.0.7", "403", b"10.0.0.7 is not on this machine"),
        ("", "403", b"does not tell the client's address"),
        ("127.0.0.1", "200", b"slow"),
    ):
        environ = wsgi_environ("/_faultinject/state", REMOTE_ADDR=address)
        found, _, body = call_wsgi(refused.injector, environ)
        assert (found[:3], told in body) == (status, True), address


def test_which_headers_a_proxy_adds(client):
    """Every server hears of them.

    Headers of tools, browsers and traces do not say that there is a proxy.
    """
    for header in ("X-Forwarded-For", "X-Real-IP", "CF-Ray"):
        assert client.get("/state", headers={header: ""}).status == 403, header
    own = {
        "Postman-Token": "1", "X-Request-ID": "1", "X-Requested-With": "fetch", "traceparent": "00", "baggage": "a=b", "X-B3-TraceId": "1",
        "X-Schemathesis-TestCaseId": "1", "Sec-CH-UA-Platform": "Linux", "Sec-GPC": "1", "Upgrade-Insecure-Requests": "1", "Priority": "u=0",
        "DNT": "1", "Sec-CH-Prefers-Color-Scheme": "dark", "Referer": "http://localhost/", "Cache-Control": "no-cache", "If-None-Match": "x", "From": "a@b",
    }  # fmt: skip
    assert client.get("/state", headers=own).status == 200


def test_through_a_proxy_where_that_is_allowed(caplog):
    """The token is asked for all the same, and the log has the address of the connection."""
    token = f"{TOKEN}-to-all"
    with control("own", FAULTINJECT_CONTROL_REMOTE="allow", FAULTINJECT_TOKEN=token) as client:
        forwarded = {"X-Forwarded-For": "6.6.6.6"}
        assert client.get("/state", headers=forwarded, token=None).status == 401
        assert client.call("POST", "/off", headers=forwarded, token=token).status == 200
        assert "faultinject: 127.0.0.1 switched faults off by the control API" in caplog.text


def test_a_body_of_just_as_many_bytes(api):
    """A MiB is taken without its length, too; one byte more is not."""
    bodies = [b'{"text": ""}'.ljust(size) for size in (1 << 20, (1 << 20) + 1)]
    kind = {"Content-Type": "application/json"}
    assert [api.call("PUT", "/rules", raw=each, headers=kind).status for each in bodies] == [200, 413]


def test_a_body_that_is_too_large(client):
    """A body of 1 MiB fits, and a larger one is refused unread, with a length or without.

    A small one in chunks is read like any other.
    """
    kind = {"Content-Type": "application/json"}
    assert client.call("POST", "/on", raw=b"{}".ljust(1 << 20), headers=kind).status == 200
    large = (1 << 20) + 1
    try:
        answer = client.call("PUT", "/rules", raw=b'{"text": ""}'.ljust(large), headers=kind)
    except (BrokenPipeError, ConnectionResetError):
        answer = client.call("PUT", "/rules", raw=b"", headers={**kind, "Content-Length": str(large)})
    assert (answer.status, answer.message) == (413, "a body has at most 1048576 bytes")
    for length in (2 << 20, "9" * 18):
        huge = kind | {"Content-Length": str(length)}
        assert client.call("PUT", "/rules", raw=b"", headers=huge).status == 413
    chunks = b"".join(b"10000\r\n" + b" " * 0x10000 + b"\r\n" for _ in range(17)) + b"0\r\n\r\n"
    head = (
        f"PUT {client.mount}/rules HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    assert b" 413 " in ask(client.port, head.encode() + chunks).partition(b"\r\n")[0]
    assert [each["name"] for each in client.state()["rules"]] == ["slow", "rule-2"]
    small = client.call(
        "PUT",
        "/rules",
        raw=b'14\r\n{"text": "http:504"}\r\n0\r\n\r\n',
        headers=kind | {"Transfer-Encoding": "chunked"},
    )
    assert [each["text"] for each in small.data["rules"]] == ["http:504"]


def test_too_many_rules_in_a_list(api):
    """They are counted before any of them is read."""
    answer = api.call("PUT", "/rules", {"rules": [{"fault": "reset"}] * 10_001})
    assert (answer.status, answer.message) == (413, "10001 rules are too many: the control API takes 10000")


@pytest.mark.slow
def test_too_many_rules(api):
    """As text, and one more beside those that there are."""
    answer = api.call("PUT", "/rules", {"text": "reset " * 100_000})
    assert (answer.status, answer.message) == (413, "100000 rules are too many: the control API takes 10000")
    assert len(api.change("PUT", "/rules", {"text": "reset,times=0 " * 10_000})["rules"]) == 10_000
    answer = api.call("POST", "/rules", {"fault": "reset"})
    assert (answer.status, answer.message) == (413, "10001 rules are too many: the control API takes 10000")


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("http:503,set.location=https://evil.example/", "set.location"),
        ("http:503,set.location=//evil.example/", "set.location"),
        ("http:503,set.x-sendfile=/etc/passwd", "set.x-sendfile"),
        ("http:503,set.x-accel-redirect=/internal/", "set.x-accel-redirect"),
        ("http:503,set.set-cookie=a=b", "set.set-cookie"),
        ("http:503,set.access-control-allow-origin=*", "set.access-control-allow-origin"),
        ("http:503,content_type=text/html,message=<script>", "content_type"),
        ("http:503,set.content-type=image/svg+xml", "set.content-type"),
        ("edit,drop.content-type=", "drop.content-type"),
        ("edit,set.content-type=application/xml", "set.content-type"),
        ("edit,drop.Content_Disposition=,delay=1ms", "drop.content-disposition"),
        ("edit,set.content-disposition=inline", "set.content-disposition"),
        ('edit,drop."content-security-policy"=', "drop.content-security-policy"),
    ],
)
def test_rules_that_reach_further(api, rule, where):
    """No files, no other hosts, no exact bytes, nothing that a browser runs; by whichever call."""
    before = api.get("/rules").body
    for method, path in (("PUT", "/rules"), ("POST", "/rules"), ("PATCH", "/rules/slow")):
        answer = api.call(method, path, {"text": rule})
        assert answer.status == 400, answer.body
        assert answer.data["error"]["problems"][0]["where"].endswith(f": {where}")
    assert api.get("/rules").body == before


GUARDS = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}


def test_a_browser_runs_nothing_of_what_such_rules_send(client):
    """A browser runs nothing that such a rule sends: nosniff, no scripts in XML, a safe preview."""
    rule = {"fault": "http:503", "content_type": "application/xml", "message": "<a/>", "path": "evil"}
    client.change("PUT", "/rules", {"rules": [rule, {"fault": "cos:SlowDown", "path": "cos"}]})
    preview = client.call("POST", "/preview", {"rule": rule}).data
    sent = {name.lower(): text for name, text in preview["headers"]}
    for path in ("/evil", "/cos"):
        answer = requests.get(f"http://127.0.0.1:{client.app_port}{path}", timeout=20)
        assert (answer.status_code, answer.headers.items() >= GUARDS.items()) == (503, True)
    assert sent.items() >= GUARDS.items()
    assert client.call("PUT", "/rules", {"text": "http:503,set.x-content-type-options=x"}).status == 400


def test_what_somebody_else_has_written_stays():
    """Rules of the environment may go further, and are put back as they were."""
    api = Api(
        make_injector(
            "http:503,content_type=text/html,name=page http:503,set.location=https://a.example,name=away"
            " edit,drop.content-type=,name=kind"
        )
    )
    rules = api.get("/rules").data
    api.change("PUT", "/rules", {**rules, "rules": [*rules["rules"], {"fault": "reset", "times": 0}]})
    assert api.call("PATCH", "/rules/page", {"times": 1}).status == 400
    api.change("PATCH", "/rules/page", {"times": 1, "content_type": None})


def test_the_control_path_cannot_be_reached_around(client):
    """Odd spellings of a path are other paths, and each of them needs the token."""
    for path in (
        "//state",
        "/./state",
        "/x/../state",
        "/state/",
        "/STATE",
        "/%2e%2e/state",
        "/state%00",
        "/%ff",
        "/static/%2e%2e/app.py",
    ):
        assert client.get(path, token=None).status in (401, 400), path
        assert client.get(path).status in (404, 400, 200), path


@pytest.mark.parametrize("kind", ["wsgi", "waitress", "asgi"])
def test_odd_spellings_of_the_control_path(kind):
    """Each spelling is a path of the API, with its token, or one of the app, with its faults."""
    with control(kind, "http:503") as client:
        for target, ours in (
            ("/_faultinject/state", True),
            ("/%5Ffaultinject/state", True),
            ("/_faultinject%2Fstate", True),
            ("/_faultinject/../state", True),
            ("/_faultinject/..%2f../state", True),
            ("/_faultinject//state", True),
            ("/_faultinject/", False),
            ("/_FAULTINJECT/state", None),
            # These servers merge slashes at the beginning.
            ("//_faultinject/state", None if kind == "asgi" else True),
            ("/x/../_faultinject/state", None),
            ("/%2e/_faultinject/state", None),
            ("/_faultinjec", None),
            ("/_faultinject;x/state", None),
        ):
            head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            found = ask(client.port, head.encode()).lower()
            status = {True: b" 401 ", False: b" 200 ", None: b" 503 "}[ours]
            assert status in found.partition(b"\r\n")[0], target
            assert (b"x-faultinject: rule-1" in found) == (ours is None), target
        told = [each["path"] for each in client.get("/journal").data["outcomes"]]
        assert not [each for each in told if each.startswith("/_faultinject/")]


def test_names_bring_no_headers(api):
    """Neither a rule's name nor a header's, nor its value, ends a line of an answer."""
    for status, method, path, rule in (
        (400, "POST", "/rules", {"fault": "http:503", "name": "a\r\nX-Evil: 1"}),
        (400, "POST", "/rules", {"fault": "http:503", "set": {"x-a\r\nx-evil": "1"}}),
        (400, "POST", "/rules", {"fault": "http:503", "set": {"x-a": "1\r\nX-Evil: 1"}}),
        (400, "POST", "/rules", {"fault": "http:503", "set": {"x-a": "1\nX-Evil: 1"}}),
        (400, "POST", "/rules", {"fault": "http:503", "set": {"x-a: 1\x00": "1"}}),
        (404, "GET", "/rules/a%0d%0aX-Evil:%201", None),
        (404, "GET", "/a%0d%0aX-Evil:%201", None),
    ):
        answer = api.call(method, path, rule)
        assert (answer.status, "x-evil" in answer.headers) == (status, False), (path, rule)


def test_text_of_a_request_is_escaped_in_the_log(api, caplog):
    """No line of a log is made up by a client."""
    api.change("POST", "/on", headers={"User-Agent": "curl/8\x1b[2J " + "x" * 200})
    assert f"127.0.0.1 (curl/8\\x1b[2J {'x' * 89}) switched faults on by" in caplog.text
    name = "a\\nWARNING faultinject: root did it\x1b[2J"
    api.call("POST", "/rules", {"text": f'http:503,message="{name}\x1b"'})
    api.change("POST", "/rules", {"fault": "http:503", "header": {"x-test": "\u202etxt"}})
    assert {"\x1b", "\u202e"}.isdisjoint(caplog.text)


def test_who_changed_what_is_logged_once(client, caplog):
    """With the address that the connection has, and where the API is; never with the token."""
    client.change("POST", "/on", {"for": "10m"})
    client.change("PATCH", "/rules/slow", {"times": 7})
    client.get("/state")
    client.call("PATCH", "/rules/slow", {"times": "x"})
    told = [each.getMessage() for each in caplog.records if "by the control API" in each.getMessage()]
    place = client.mount or "127.0.0.1:0"
    assert [each.rpartition(", generation")[0] for each in told] == [
        f"faultinject: 127.0.0.1 switched faults on for 10m by the control API ({place})",
        "faultinject: 127.0.0.1 changed the rule slow to cos:SlowDown,path=photos/,times=7,name=slow"
        f" by the control API ({place})",
    ]
    assert TOKEN not in caplog.text


def test_no_output_has_the_token(client, caplog):
    """No answer, whatever it is, and no line of the log; nor the password of a store."""
    told = b""
    with caplog.at_level(logging.DEBUG):
        for method, path in CLOSED:
            told += client.call(method, path).body
        for path in ("/", "/health", "/static/app.js", "/nothing", f"/{TOKEN[:-1]}"):
            answer = client.get(path)
            told += answer.body + str(answer.headers).encode()
    assert TOKEN not in told.decode() + caplog.text + repr(client.injector.control)


def test_the_random_token_is_told_once(caplog):
    """In the log, and nowhere else; each injector has another."""
    api = Api(make_injector(FAULTINJECT_TOKEN=""))
    (token,) = [each.rpartition(" ")[2] for each in caplog.messages if "its token is" in each]
    assert len(token) >= 43
    assert [api.get("/state", token=each).status for each in (token, TOKEN)] == [200, 401]
    api.change("POST", "/off", token=token)
    assert sum(token in each for each in caplog.messages) == 1


@pytest.mark.parametrize(
    ("environ", "key", "why"),
    [
        ({"FLASK_ENV": "production"}, "production", "FLASK_ENV=production"),
        (
            {"FAULTINJECT_ONLY_WHERE": "APP_ENV=staging"},
            "elsewhere",
            "faults are only where APP_ENV=staging (FAULTINJECT_ONLY_WHERE), and APP_ENV is not set here",
        ),
    ],
)
def test_where_nothing_may_be_injected_nothing_is_armed(environ, key, why):
    """The state says why; what only switches off is allowed."""
    api = Api(make_injector(**environ))
    state = api.state()
    assert (state[key], state["enabled"]) == (why, False)
    for method, path, body in (
        ("POST", "/on", {}),
        ("POST", "/reset", {}),
        ("PUT", "/rules", {"text": "http:503"}),
        ("POST", "/rules", {"text": "http:503"}),
        ("PATCH", "/rules/slow", {"times": 1}),
        ("DELETE", "/rules/slow", {}),
        ("POST", "/rules/slow/enable", {}),
    ):
        answer = api.call(method, path, body)
        assert (answer.status, answer.message[: len(why)]) == (403, why), (method, path)
    assert api.change("POST", "/rules/slow/disable")["rules"][0]["enabled"] is False
    assert api.change("POST", "/off")["on"] is False
    assert api.ask_app() == 200


@pytest.mark.parametrize("clock", [time.time, lambda: 1577836800.0], ids=["long ago", "at this moment"])
def test_expired_faults_stay_off(clock):
    """By FAULTINJECT_EXPIRES; the state says so."""
    api = Api(make_injector("http:503", clock=clock, FAULTINJECT_EXPIRES="2020-01-01T00:00:00Z"))
    assert api.ask_app() == 200
    state = api.state()
    assert (state["enabled"], state["expires"]) == (False, 1577836800.0)
    answer = api.call("POST", "/on", {"for": "10m"})
    assert (answer.status, answer.message.partition(" at ")[0]) == (
        403,
        "FAULTINJECT_EXPIRES has ended all faults of this server",
    )
    api.change("PUT", "/rules", {"text": "http:504"})
    assert api.ask_app() == 200


GIVEN = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}
SENT = GIVEN | {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json"}


# A body whose client has left, as uWSGI and mod_wsgi tell it, and one of which nobody may read a byte.
BROKEN = Mock(**{"read.side_effect": OSError("request data read error")})
UNREAD = Mock(**{"read.side_effect": AssertionError("the body was read")})


@pytest.mark.parametrize(
    ("path", "environ", "status"),
    [
        ("off", SENT | {"CONTENT_LENGTH": "2", "wsgi.input": BROKEN}, "400 Bad Request"),
        ("state", GIVEN | {"CONTENT_LENGTH": "-1"}, "400 Bad Request"),
        ("state", GIVEN | {"CONTENT_LENGTH": "x"}, "400 Bad Request"),
        ("off", SENT | {"HTTP_TRANSFER_ENCODING": "chunked"}, "411 Length Required"),
        ("off", SENT | {"CONTENT_LENGTH": "9"}, "400 Bad Request"),
        ("\xff\xfe", GIVEN | {"QUERY_STRING": "a=\xff"}, "404 Not Found"),
        # hypercorn's port is a number, and behind a Unix socket there is none
        *(("state", {"SERVER_PORT": port}, "200 OK") for port in (8000, None, "", "x")),
    ],
)
def test_requests_that_a_wsgi_server_should_not_have_let_through(path, environ, status):
    """Lengths that are none, text that does not decode, bodies without an end."""
    app = make_injector()
    found = call_wsgi(app, wsgi_environ(f"/_faultinject/{path}", **environ))[0]
    assert (found, app.enabled) == (status, True)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"HTTP_AUTHORIZATION": "Bearer wrong"}, "401 Unauthorized"),
        ({"HTTP_HOST": "evil.example"}, "421 Misdirected Request"),
        ({"REMOTE_ADDR": "10.0.0.7"}, "403 Forbidden"),
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, "403 Forbidden"),
        ({"HTTP_ORIGIN": "https://evil.example"}, "403 Forbidden"),
        ({"HTTP_AUTHORIZATION": "", "CONTENT_LENGTH": "x"}, "401 Unauthorized"),
        ({"HTTP_AUTHORIZATION": "", "CONTENT_LENGTH": str(2 << 20)}, "401 Unauthorized"),
    ],
)
def test_under_wsgi_no_body_is_read_of_who_may_not_ask(wrong, status):
    """The head decides; a worker would wait for as long as they send it."""
    app = make_injector()
    given = {"CONTENT_LENGTH": "9", "CONTENT_TYPE": "application/json", "wsgi.input": UNREAD, **wrong}
    asked, head = (
        wsgi_environ("/_faultinject/off", REQUEST_METHOD=each, **given) for each in ("POST", "HEAD")
    )
    found, headers, body = call_wsgi(app, asked)
    assert (found, "WWW-Authenticate" in dict(headers)) == (status, status[:3] == "401"), body
    assert ("x-content-type-options", "nosniff") in headers
    assert call_wsgi(app, head)[2] == b""


@pytest.mark.parametrize("resets", [False, True], ids=["ends", "resets"])
def test_a_client_that_leaves_in_the_middle_of_a_body(client, caplog, resets):
    """Its request is not carried out, also if the part could be read, and is no error of ours."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.sendall(half_a_call(client))
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert client.state()["on"] is True
    assert [record for record in caplog.records if record.name == "faultinject" and record.exc_info] == []


@pytest.mark.parametrize(
    ("piece", "end", "status"),
    [
        (b" ", {"type": "http.disconnect"}, 400),
        (b" " * 65536, {"type": "http.request", "body": b" ", "more_body": True}, 413),
    ],
    ids=["leaves", "goes on without end"],
)
def test_a_body_without_a_length(api, piece, end, status):
    """Without its end it is not carried out, and no more of it is read than a call may have."""
    messages = chain([{"type": "http.request", "body": piece, "more_body": True}] * 17, [end] * 2)
    fields = [
        (b"host", b"localhost"),
        (b"authorization", f"Bearer {TOKEN}".encode()),
        (b"content-type", b"application/json"),
    ]
    found = ask_asgi(api.app, f"{MOUNT}/off", fields, "POST", messages=messages).status
    assert (found, next(messages, None), api.injector.enabled) == (status, end, True)


def half_a_call(client):
    """Its first bytes, by somebody who may."""
    return (
        f"POST {client.mount}/off HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{}"
    ).encode()


@pytest.mark.parametrize("authorised", [False, True])
def test_clients_that_say_nothing_take_little_of_the_process(authorised):
    """At an address of its own: 32 files and threads, and others are answered meanwhile."""
    with control("own") as client, ExitStack() as stack:
        threads, silent = threading.active_count(), []
        for _ in range(100):
            connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
            silent.append(stack.enter_context(connection))
            connection.sendall(half_a_call(client) if authorised else b"")
        assert client.state()["on"] is True
        for connection in silent[:68]:
            assert ended(connection)
        assert threading.active_count() - threads <= 32 + 1  # and one that answers
        assert client.state()["on"] is True


def ended(connection):
    with suppress(ConnectionResetError):
        return connection.recv(1000) == b""
    return True


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_call_that_does_not_come_in_time(monkeypatch, part):
    """At an address of its own, its connection ends."""
    limits = ControlServer.limits
    assert (limits.connections, limits.request) == (32, 10)
    monkeypatch.setattr(limits, "request", 0.05)
    with (
        control("own") as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection,
    ):
        connection.sendall(half_a_call(client)[: -2 if part == "body" else 20])
        assert ended(connection)
        assert client.state()["on"] is True
