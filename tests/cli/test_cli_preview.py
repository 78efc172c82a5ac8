"""`faultinject preview`: the exact bytes of an answer."""

from __future__ import annotations

import io
import re

import pytest
from werkzeug.test import Client

from faultinject import Rule, WSGIFaultMiddleware, vendors
from faultinject.cli import exchange

ROWS = [row for each in vendors.names() for row in vendors.get(each).errors]


def split(data):
    head, _, body = data.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return status, [tuple(each.split(": ", 1)) for each in headers], body


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.address)
def test_every_documented_row_can_be_shown(run_bytes, row):
    """Each row's answer has its status, content type and right length, and code and message in its body."""
    rule = row.address if row.status is not None else f"{row.address},status=400"
    code, data, err = run_bytes("preview", rule)
    assert (code, err) == (0, "")
    status, headers, body = split(data)
    vendor = vendors.get(row.vendor)
    assert status.startswith(f"HTTP/1.1 {row.status or 400} ")
    assert dict(headers)["Content-Type"] == vendor.content_type
    assert int(dict(headers)["Content-Length"]) == len(body)
    if row.vendor != "gateway":
        assert vendor.escape(row.code).encode() in body
        assert vendor.escape(row.message).encode() in body


def test_the_bytes_are_those_of_the_middleware(run_bytes):
    """What is shown is what a client of the wrapped app gets for the same request, seed and rule."""
    rule = "jss:@server,name=boom,retry_after=1.5s,set.x-more=yes"
    app = WSGIFaultMiddleware(lambda environ, start: [], rule, seed="7")
    response = Client(app).get("/photos/a%20b.jpg", headers={"Host": "photos.example"})
    code, data, err = run_bytes(
        *("preview", rule, "--seed", "7", "--path", "/photos/a%20b.jpg", "--host", "photos.example")
    )
    status, headers, body = split(data)
    assert (code, err) == (0, "")
    assert status == f"HTTP/1.1 {response.status}"
    ids = re.compile(rb"[0-9A-F]{16}")
    got = [(name, value) for name, value in response.headers if name != "x-jss-request-id"]
    assert [each for each in headers if each[0] != "x-jss-request-id"] == got
    assert ids.sub(b"ID", body) == ids.sub(b"ID", response.data)


def test_a_plain_answer_byte_for_byte(run_bytes):
    """Nothing is added to or taken from what the rule says."""
    code, data, err = run_bytes("preview", 'http:503,message="über\nall",name=x')
    assert (code, err) == (0, "")
    assert data == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 9\r\n"
        b"x-faultinject: x\r\n"
        b"Cache-Control: no-store\r\n"
        b"\r\n"
        b"\xc3\xbcber\nall"
    )


def test_head_has_no_body(run_bytes):
    """HEAD shows the headers, with the length of the body that is not sent."""
    _, full, _ = run_bytes("preview", "cos:SlowDown")
    _, head, _ = run_bytes("preview", "cos:SlowDown", "--method", "HEAD")
    assert split(head)[2] == b""
    assert dict(split(head)[1])["Content-Length"] == str(len(split(full)[2]))


def test_the_method_of_the_rule_is_the_default(run_bytes):
    """A rule for HEAD is shown to HEAD unless told otherwise."""
    code, data, err = run_bytes("preview", "cos:SlowDown,method=HEAD")
    assert (code, err, split(data)[2]) == (0, "", b"")


@pytest.mark.parametrize(
    "triggers", ["probability=0", "times=0", "skip=5", "every=3", "above=5/s", "begin=1h", "begin=1m,end=1s"]
)
def test_triggers_are_left_aside(run_bytes, triggers):
    """The fault is shown however seldom the rule fires."""
    assert run_bytes("preview", f"http:503,{triggers}") == run_bytes("preview", "http:503")


def test_a_rule_for_other_requests_is_shown_all_the_same(run_bytes):
    """Where the request does not meet the conditions, standard error says so and the fault is shown."""
    code, data, err = run_bytes("preview", "http:503,path=photos/", "--path", "x/y")
    assert code == 0
    assert (
        err == "faultinject: GET x/y does not meet the rule's conditions; its fault is shown all the same\n"
    )
    assert data == run_bytes("preview", "http:503")[1]


@pytest.mark.parametrize(
    ("rule", "note"),
    [
        ("latency,delay=2s", "the app's own answer, 2 s late (the wait is before the app runs)"),
        (
            "latency,delay=100ms..2s,when=after",
            "the app's own answer, 100 ms to 2 s late (the wait is before its answer goes out)",
        ),
    ],
)
def test_latency_has_no_answer_of_its_own(run_bytes, rule, note):
    """For latency one line says what would happen."""
    assert run_bytes("preview", rule) == (0, b"", f"faultinject: {note}\n")


def test_a_delay_is_told_and_not_waited_for(run_bytes):
    """An hour of delay costs no time here."""
    code, data, err = run_bytes("preview", "http:503,delay=1h")
    assert (code, err) == (0, "faultinject: sent after 3600 s\n")
    assert data == run_bytes("preview", "http:503")[1]


def test_settings_that_shape_answers_hold(run_bytes):
    """FAULTINJECT_HEADER and FAULTINJECT_SEED hold here too; the kill switch and production do not matter."""
    env = {"FAULTINJECT_HEADER": "0", "FAULTINJECT_ENABLED": "0", "ENV": "production"}
    code, data, err = run_bytes("preview", "http:503", env=env)
    assert (code, err) == (0, "")
    assert [name for name, _ in split(data)[1]] == ["Content-Type", "Content-Length"]
    chosen = {
        seed: split(run_bytes("preview", "jss:@all", env={"FAULTINJECT_SEED": seed})[1])[0]
        for seed in "abcdefgh"
    }
    assert len(set(chosen.values())) > 1
    assert chosen["a"] == split(run_bytes("preview", "jss:@all", "--seed", "a")[1])[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cos:SlowDown http:503",), "preview shows one rule, and 2 were given"),
        (("",), "preview shows one rule, and none were given"),
        ((), "Missing argument 'RULE'."),
    ],
)
def test_preview_takes_one_rule(run, arguments, message):
    """None or several rules are wrong use."""
    code, out, err = run("preview", *arguments)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"Error: {message}"


def test_connect_gets_no_fault(run):
    """What leaves HTTP is never matched, and that is said."""
    code, out, err = run("preview", "http:503", "--method", "CONNECT")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "faultinject: no fault is ever given to a CONNECT request"


def test_the_environ_is_a_right_one():
    """A made-up request passes wsgiref's validator and keeps its target as given."""
    from wsgiref.validate import validator

    made = exchange.environ("GET", "/a%2Fb/ü?x=1?2", "h:1")
    made["wsgi.errors"] = io.StringIO()
    answer = exchange.Answer()

    def app(environ, start):
        start("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode("latin-1")]

    result = validator(app)(made, answer.start)
    assert b"".join(result).decode() == "/a/b/ü"
    result.close()
    view = exchange.request_of(made)
    assert (view.raw_path, view.path, view.query, view.host) == ("/a%2Fb/%C3%BC", "/a%2Fb/ü", "x=1?2", "h")


def test_a_rule_changed_is_a_rule():
    """Taking triggers away leaves everything else, also the name and unless."""
    rule = Rule("cos:SlowDown", method="PUT", unless={"path": "x"}, times=2, retry_after="2s", name="n")
    changed = exchange.changed(rule, times=None)
    assert str(changed) == "cos:SlowDown,method=PUT,unless.path=x,retry_after=2s,name=n"
    assert str(exchange.unconditional(changed)) == "cos:SlowDown,retry_after=2s,name=n"


def test_an_error_inside_is_no_preview(run, monkeypatch):
    """An error of ours is told as one, never shown as the app's answer."""
    from faultinject.core.plan import Plan

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Plan, "run", broken)
    code, out, err = run("preview", "http:503")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == "faultinject: an error inside faultinject let the request pass"
