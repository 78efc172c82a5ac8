"""The bytes that a request got, made again from its line of the journal: those that went over the wire."""

from __future__ import annotations

import base64
import socket

import pytest

from .conftest import PATIENCE, Api, control, make_injector

OF_THE_SERVER = {b"date", b"server", b"connection", b"transfer-encoding"}
FAULTS = [
    "cos:SlowDown",
    "cos:SlowDown,message=später,retry_after=2s",
    "s3:@throttle,probability=0.999",
    "oss:InternalError,times=9,per=key",
    "azure-blob:ServerBusy",
    "gcs:rateLimitExceeded",
    "http:503,retry_after=90s,hint=date",
    "http:418,message=tea,set.x-one=1",
]
REQUESTS = [
    ("GET", "/photos/cat.jpg"),
    ("PUT", "/photos/a%20b%2Fc%25/%C3%A9.jpg"),
    ("HEAD", "/photos/cat.jpg"),
    ("GET", "/photos/?prefix=a%2F&uploads"),
]


def exchange(port, method, target):
    """What a client gets, byte for byte: status and headers by lower-case name, and the body."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: photos.example:81\r\nUser-Agent: one/1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())
        raw = b""
        while part := connection.recv(1 << 16):
            raw += part
    return parts(raw)


def parts(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    fields = [line.split(b": ", 1) for line in lines]
    return (
        status.split()[1],
        [(name.lower(), value) for name, value in fields if name.lower() not in OF_THE_SERVER],
        body,
    )


def last(client):
    """The newest line of the journal."""
    return client.get("/journal").data["outcomes"][-1]


def made_again(client, line):
    answer = client.call("POST", "/journal/sent", {"outcome": line})
    assert answer.status == 200, answer.body
    return answer.data


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_they_are_those_that_were_sent(kind):
    """Ids, drawn codes and dates among them, for every method and however the path is written."""
    with control(kind) as client:
        for fault in FAULTS:
            client.change("PUT", "/rules", {"text": f"latency,delay=1ms,path=none/ {fault},name=a"})
            for method, target in REQUESTS * 2:
                got = exchange(client.app_port, method, target)
                found = made_again(client, last(client))
                assert parts(base64.b64decode(found["raw"])) == got, (fault, method, target)
                assert base64.b64decode(found["body"]) == got[2]
                assert found["differs"] == []
            assert client.state()["rules"][1]["injected"] == 2 * len(REQUESTS)


def test_a_look_at_the_later_of_two_equal_rules_changes_no_draws():
    """Whichever of them is asked about first, the later one in the order written counts as another."""
    rules = {"text": "http:503,probability=0.5 http:503,probability=0.5,message=later"}

    def answers(client):
        return [exchange(client.app_port, "GET", f"/{number}")[::2] for number in range(20)]

    with control("wsgi") as client:
        client.change("PUT", "/rules", rules)
        before = answers(client)
        later = [each for each in client.get("/journal").data["outcomes"] if each["rule"] == "rule-2"]
        client.change("PUT", "/rules", rules)
        made_again(client, next(each for each in later if each["did"] == "answered"))
        assert answers(client) == before


def test_what_differs_is_said():
    """Where the rule has changed, and where the line has no number: a store did not count it."""
    api = Api(make_injector("cos:SlowDown,name=a"))
    api.ask_app()
    line = last(api)
    sent = made_again(api, line)
    uncounted = made_again(api, {**line, "n": None})
    assert uncounted["differs"] == []
    assert line["request_id"].encode() in base64.b64decode(uncounted["raw"])
    assert uncounted["raw"] != sent["raw"]
    assert "other ids than the request id differ" in uncounted["notes"][-1]
    assert made_again(api, {**line, "n": None, "request_id": "1"})["differs"] == ["request_id"]
    api.change("PATCH", "/rules/a", {"message": "another"})
    assert made_again(api, line)["differs"] == ["response_bytes"]
    api.change("PATCH", "/rules/a", {"fault": "cos:InternalError"})
    assert made_again(api, line)["differs"] == ["fault", "status", "response_bytes"]
    api.change("DELETE", "/rules/a")
    answer = api.call("POST", "/journal/sent", {"outcome": line})
    assert (answer.status, answer.message) == (404, "a is not the name of a rule in force; there is none")
    api.change("POST", "/rules", {"text": "http:503,name=b"})
    answer = api.call("POST", "/journal/sent", {"outcome": line})
    assert answer.message.startswith("a is not the name of a rule in force")


def test_a_fault_without_bytes_of_its_own():
    """Has none; where a server gave no way to end the connection, those of the answer in its place."""
    api = Api(make_injector("reset,name=a"))
    line = {"rule": "a", "did": "reset", "method": "GET", "path": "/x", "time": 1_700_000_000}
    found = made_again(api, line)
    assert (found["raw"], found["status"], found["differs"]) == (None, None, [])
    assert found["notes"] == [found["says"]]
    found = made_again(api, {**line, "did": "answered", "status": 502})
    assert base64.b64decode(found["raw"]).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert found["differs"] == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"did": "passed"}, "the app answered this request itself"),
        ({"rule": None}, "rule: null is not a text of the journal"),
        ({"time": "now"}, 'time: "now" is not a time of the journal, in seconds'),
        ({"time": 1e300}, "time: 1e+300 is not a time of the journal, in seconds"),
        ({"elapsed": -1}, "elapsed: -1 is not a time of the journal, in seconds"),
        ({"seq": True}, "seq: true is not a number of the journal"),
        ({"n": -1}, "n: -1 is not a number of the journal"),
        ({"user_agent": 1}, "user_agent: 1 is not a text of the journal"),
        ({"user_agent": "\ud800"}, 'user_agent: "\\ud800" is not a text of the journal'),
        ({"path": "/\ud800"}, 'path: "/\\ud800" is not a text of the journal'),
    ],
)
def test_a_line_that_is_none(changed, message):
    """Is refused."""
    api = Api(make_injector("http:503,name=a"))
    api.ask_app()
    answer = api.call("POST", "/journal/sent", {"outcome": {**last(api), **changed}})
    assert (answer.status, message in answer.message) == (400, True), answer.body
    assert api.call("POST", "/journal/sent", {"outcome": 1}).status == 400


def test_an_error_of_ours_is_said():
    """And breaks nothing else: no date is later than the last one that there is."""
    api = Api(make_injector("http:503,retry_after=2s,hint=date,name=a"))
    api.ask_app()
    line = {**last(api), "time": 253_402_300_799.0}
    answer = api.call("POST", "/journal/sent", {"outcome": line})
    assert (answer.status, "faultinject itself failed" in answer.message) == (500, True)
