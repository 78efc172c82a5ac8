"""Heads, what has no body, and what of a late one comes first."""

from faultinject import vendors
from faultinject.http.wire import can_be_written, has_no_body, late_start, length_of
from tests.rows import each_row


@each_row(
    ("method", "status", "headers", "none"),
    [
        ("GET", 200, [], False),
        ("GET", 200, [("Content-Length", "1")], False),
        ("GET", 200, [("content-length", "0")], True),
        ("HEAD", 200, [("Content-Length", "5")], True),
        ("head", 500, [], True),
        ("GET", 204, [("Content-Length", "5")], True),
        ("GET", 205, [], True),
        ("GET", 304, [("Content-Length", "5")], True),
        ("GET", 100, [], True),
        ("GET", 103, [("Content-Length", "5")], True),
        ("POST", 503, [], False),
        ("OPTIONS", 206, [("Content-Length", "5")], False),
    ],
)
def test_what_has_no_body(method, status, headers, none):
    """There is nothing to cut, to slow down or to change in it."""
    assert has_no_body(method, status, headers) is none


@each_row(
    ("headers", "length"),
    [
        ([], None),
        ([("X", "1")], None),
        ([("X", "1"), ("CONTENT-length", " 12 ")], 12),
        ([("Content-Length", "1"), ("Content-Length", "2")], 1),
        *(([("Content-Length", text)], None) for text in ("", "-1", "1.5", "0x1", "١", "9" * 20, "1, 1")),
        ([("Content-Length", "9" * 19)], int("9" * 19)),
    ],
)
def test_a_length_is_read_or_is_not_known(headers, length):
    """Whatever an app writes there."""
    assert length_of(headers) == length


@each_row(
    ("body", "start"),
    [
        (b"<?xml version='1.0' encoding='utf-8' ?>\n<Error>?></Error>", b"<?xml version='1.0' encoding='utf-8' ?>\n"),
        (b"<?xml version='1.0'?>\n\n<Error>", b"<?xml version='1.0'?>\n"),
        (b"<?xml version='1.0'?><Error>\n", b"<?xml version='1.0'?>"),
        (b"<?xml version='1.0'?>", b"<?xml version='1.0'?>"),
        (b'{"code":"?>"}', b""),
        (b"<html>", b""),
        (b"", b""),
    ],
)  # fmt: skip
def test_nothing_stands_before_an_xml_declaration(body, start):
    """So it goes out before the blanks; of anything else nothing does."""
    assert body[: late_start(body)] == start


def test_every_late_envelope_has_a_start():
    """The body of every vendor, as it is sent: blanks may stand between its start and the rest."""
    from xml.etree import ElementTree as etree

    for name in vendors.names():
        vendor = vendors.get(name)
        ids = vendor.make_ids(bytes(64), 0)
        body = vendor.render(code="C", message="<?xml ?>", status=200, resource="/b/k", ids=ids)
        start = late_start(body)
        late = body[:start] + b"  " + body[start:]
        if body.removeprefix(b"\xef\xbb\xbf")[:5] == b"<?xml":
            assert etree.fromstring(late).findtext("Code") == "C"
        else:
            assert late == b"  " + body


@each_row(
    ("line", "headers", "may"),
    [
        ("200 OK", [("A", "é b")], True),
        ("200 OK", [("A", "中")], False),
        ("200 OK\r\nX: y", [], False),
        ("200 OK", [("A", "b\nc")], False),
        ("200 OK", [("A\r", "b")], False),
        ("200 OK", [("A", "\0")], False),
        ("200 OK", [], True),
    ],
)
def test_heads_that_can_be_written(line, headers, may):
    """A head is left to the server if it would end a line early, or is not Latin-1."""
    assert can_be_written(line, headers) is may
