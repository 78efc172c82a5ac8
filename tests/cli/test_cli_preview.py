"""`faultinject preview`: the exact bytes of an answer."""

import re

import pytest
from werkzeug.test import Client

from faultinject import Vendor, WSGIFaultMiddleware, vendors
from tests.rows import each_row


def split(data):
    head, _, body = data.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return status, [tuple(each.split(": ", 1)) for each in headers], body


def wire(rule, path, host="127.0.0.1", method="GET", **asked):
    """The answer of the wrapped app to a client."""
    client = Client(WSGIFaultMiddleware(lambda environ, start: [], rule, seed="7"))
    return client.open(path, method=method, headers={"Host": host}, **asked)


@pytest.mark.parametrize("vendor", vendors.names())
def test_rows_of_every_form_and_status_can_be_shown(run_bytes, vendor, subtests):
    """Each row's answer is that of the middleware, with its status, content type and length."""
    found = vendors.get(vendor)

    # What only a row's code and message make different is the middleware's, and proved there for each row.
    for row in {(row.form, row.status, row.reason): row for row in found.errors}.values():
        with subtests.test(row.address):
            rule = row.address if row.status is not None else f"{row.address},status=400"
            code, data, err = run_bytes("preview", rule, "--path", "/photos/a%20b.jpg", "--seed", "7")
            assert (code, err) == (0, "")
            status, headers, body = split(data)
            response = wire(rule, "/photos/a%20b.jpg")
            names = [name for name, _ in headers]
            assert (status, names) == (f"HTTP/1.1 {response.status}", [name for name, _ in response.headers])
            assert (response.status_code, len(body)) == (row.status or 400, len(response.data))
            if row.status != 304:
                assert dict(headers).get("Content-Type", "") == response.headers.get("Content-Type", "")
                assert int(dict(headers)["Content-Length"]) == len(body)


def test_the_bytes_are_those_of_the_middleware(run_bytes):
    """The preview has the bytes of the middleware, for the same request, seed and rule."""
    rule = "jss:@server,name=boom,retry_after=1.5s,set.x-more=yes"
    response = wire(rule, "/photos/a%20b.jpg", "photos.example")
    given = ("preview", rule, "--seed", "7", "--path", "/photos/a%20b.jpg", "--host", "photos.example")
    code, data, err = run_bytes(*given)
    head = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    answer = f"HTTP/1.1 {response.status}\r\n{head}\r\n".encode() + response.data
    assert (code, err, masked(data)) == (0, "", masked(answer))


def test_one_of_several_errors_by_the_seed(run_bytes):
    """The seed chooses the error that is shown, whatever the chance of the rule."""
    rule = "oneof,of=cos:SlowDown,of=qingstor:internal_error,probability=0.2"
    shown = [run_bytes("preview", rule, "--seed", str(seed)) for seed in (*range(8), 0)]
    assert {(code, split(data)[0][9:12], err) for code, data, err in shown} == {
        (0, "500", ""),
        (0, "503", ""),
    }
    assert split(shown[0][1])[0] == split(shown[-1][1])[0]


def test_a_plain_answer_byte_for_byte(run_bytes):
    """Nothing is added to or taken from what the rule says."""
    found = run_bytes("preview", 'http:503,message="über\nall",name=x')
    data = (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 9\r\n"
        b"x-faultinject: x\r\n"
        b"Cache-Control: no-store\r\n"
        b"\r\n"
        b"\xc3\xbcber\nall"
    )
    assert found == (0, data, "")


def masked(data):
    """The bytes without ids, which no two answers share."""
    return re.sub(rb"[0-9A-F]{16}|[A-Za-z0-9+/]{38,}={0,2}", b"~", data)


SHORT = "a body of {} bytes has nothing to cut or to slow"
JSS = "jss:SlowDown,name=x"


@each_row(
    ("asked", "like", "kept", "said"),
    [
        # HEAD shows the headers, with the length of the body that is not sent; the rule's method is the default.
        ("jss:SlowDown --method HEAD", "jss:SlowDown", 0, []),
        ("jss:SlowDown,method=HEAD", "jss:SlowDown", 0, []),
        # The fault is shown however seldom the rule fires, also to a request that it is not for.
        *(
            (f"http:503,{triggers}", "http:503", None, [])
            for triggers in ("probability=0", "times=0", "skip=5", "every=3", "above=5/s", "begin=1h", "begin=1m,end=1s")
        ),
        ("http:503,path=photos/ --path x/y", "http:503", None, ["GET x/y does not meet the rule's conditions; its fault is shown anyway"]),
        ("http:503,delay=1h", "http:503", None, ["sent after 1 h"]),
        # The head of a cut error has the full Content-Length, and exactly the bytes that are let through follow.
        *(
            (f"truncate,of={JSS}{key}", JSS, kept, ["the connection closes after these bytes"])
            for key, kept in (("", 60), (",keep=0.25", 30), (",keep=0", 0), (",keep_bytes=7", 7), (",keep_bytes=0", 0))
        ),
        (f"drip,of={JSS},rate=1KB,delay=90s", JSS, None, ["sent after 90 s", "the body goes out at 1000 bytes a second"]),
        # An answer that is shorter, or has no body at all, goes out whole.
        (f"truncate,of={JSS},keep_bytes=1KiB", JSS, None, [SHORT.format(120)]),
        (f"truncate,of={JSS} --method HEAD", JSS, 0, [SHORT.format(0)]),
        (f"drip,of={JSS},rate=1 --method HEAD", JSS, 0, [SHORT.format(0)]),
        # An error in a 200 that comes late has no body at HEAD that could come late: nothing is said of blanks.
        ("cos:InternalError,status=200,delay=2s --method HEAD", "cos:InternalError,status=200", 0, []),
    ],
)  # fmt: skip
def test_an_answer_like_another(run_bytes, asked, like, kept, said):
    """So many bytes of the body of the same error, and what else happens."""
    head, body = whole(run_bytes, like)
    assert (len(body) == 120) is ("jss" in like)
    code, data, err = run_bytes("preview", *asked.split())
    assert (code, masked(data), err) == (
        0,
        masked(head + b"\r\n\r\n" + body[:kept]),
        "".join(f"faultinject: {each}\n" for each in said),
    )


@each_row(
    ("rule", "words"),
    [
        ("latency,delay=2s", "the app's own answer 2 s late"),
        (
            "latency,delay=100ms..2s,when=after",
            "the app's own answer 100 ms to 2 s late, held back when the app has run",
        ),
        ("reset,probability=0.1", "a connection reset"),
        ("close,when=after,drain=no", "a connection closed without an answer, after the app has run, without"
         " reading the request's body"),
        ("hang,duration=90s", "nothing for 90 s and then a closed connection"),
        ("truncate,keep_bytes=1", "the app's own answer cut off after 1 byte of its body"),
        ("drip,rate=1KiB,delay=1h", "the app's own answer at 1024 bytes a second, 1 h late"),
        ("corrupt,flips=3", "the app's own answer with 3 bytes of its body changed"),
    ],
)  # fmt: skip
def test_a_fault_without_bytes_of_its_own(run_bytes, rule, words):
    """A fault without an answer of its own is described in one line on standard error."""
    assert run_bytes("preview", rule) == (0, b"", f"faultinject: the request gets {words}\n")


def whole(run_bytes, rule, *arguments):
    """Head and body of a rule's whole answer."""
    code, data, err = run_bytes("preview", rule, *arguments)
    assert (code, err) == (0, "")
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


@each_row(
    ("fault", "first"),
    [("cos:InternalError", b"<?xml version='1.0' encoding='utf-8' ?>\n"), ("jss:InternalError", b"")],
)
def test_an_error_that_comes_late_in_a_200(run_bytes, fault, first):
    """The head of a late error in a 200 has no Content-Length, and blanks precede the error.

    They stand where XML allows them, and the error is whole.
    """
    _, body = whole(run_bytes, f"{fault},status=200")
    code, data, err = run_bytes("preview", f"{fault},status=200,delay=2s")
    status, headers, late = split(data)
    said = "the head goes out at once, then blanks for 2 s, one every 200 ms (only one is shown here), then the error"
    assert (code, status, err) == (0, "HTTP/1.1 200 OK", f"faultinject: {said}\n")
    assert "Content-Length" not in dict(headers)
    assert masked(late) == masked(first + b" " + body.removeprefix(first))


def test_an_error_in_a_200_whose_length_the_service_does_not_say(run_bytes):
    """An error in a 200 without a length is marked, as BOS answers a copy.

    The request is the operation that the rule names, and its body is as any other.
    """
    head, body = whole(run_bytes, "bos:InternalError,status=200,operation=PutObject", "--method", "PUT")
    assert b"Content-Length: " in head
    rule = "bos:InternalError,status=200,operation=CopyObject"
    code, data, err = run_bytes("preview", rule, "--method", "PUT")
    _, headers, chunked = split(data)
    assert (code, err) == (
        0,
        "faultinject: the answer has no Content-Length: over HTTP/1.1 it is sent in chunks\n",
    )
    assert ("Content-Length" in dict(headers), len(chunked)) == (False, len(body))


def test_settings_that_shape_answers_hold(run_bytes):
    """FAULTINJECT_HEADER and FAULTINJECT_SEED apply; kill switch and production do not."""
    env = {"FAULTINJECT_HEADER": "0", "FAULTINJECT_ENABLED": "0", "ENV": "production"}
    code, data, err = run_bytes("preview", "http:503", env=env)
    assert (code, err, [name for name, _ in split(data)[1]]) == (0, "", ["Content-Type", "Content-Length"])
    chosen = {
        seed: split(run_bytes("preview", "jss:@all", env={"FAULTINJECT_SEED": seed})[1])[0]
        for seed in "abcdefgh"
    }
    assert len(set(chosen.values())) > 1
    assert chosen["a"] == split(run_bytes("preview", "jss:@all", "--seed", "a")[1])[0]


def test_an_error_inside_is_no_preview(refused, monkeypatch):
    """An error of ours is told as one, never shown as the app's answer."""

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(Vendor, "envelope", broken)
    err = refused("preview", "jss:SlowDown")
    assert err.splitlines()[-1] == "faultinject: an error inside faultinject lets the request pass"


def test_the_keys_of_a_delete_objects(run_bytes, tmp_path):
    """`--body` names the keys, and the preview is the client's answer; without it a whole error."""
    body = b"<Delete>%b</Delete>" % b"".join(b"<Object><Key>%d</Key></Object>" % each for each in range(20))
    (tmp_path / "delete.xml").write_bytes(body)
    rule = "cos:InternalError,operation=DeleteObjects,status=200,share=0.5"
    response = wire(rule, "/photos?delete", method="POST", data=body)
    asked = ["preview", rule, "--method", "POST", "--path", "/photos?delete", "--seed", "7"]
    code, data, err = run_bytes(*asked, "--body", str(tmp_path / "delete.xml"))
    status, headers, shown = split(data)
    assert (code, err, status, shown) == (0, "", "HTTP/1.1 200 OK", response.data)
    assert shown.count(b"<Deleted>") + shown.count(b"<Error>") == 20
    assert int(dict(headers)["Content-Length"]) == len(shown)
    code, data, err = run_bytes(*asked)
    said = "faultinject: the request's body names no keys: the error is for the request as a whole\n"
    assert (code, err, b"<Error>\n\t<Code>InternalError</Code>" in data) == (0, said, True)
