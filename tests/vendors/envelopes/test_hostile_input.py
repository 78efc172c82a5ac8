"""Whatever a rule or a request says, the answer is well formed and nothing of ours raises."""

import json
import re
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultinject import Rule, vendors
from faultinject.exceptions import ConfigurationError
from tests.first_vendors import FIRST_VENDORS
from tests.slowly import FOUNDING, others_slowly, slowly

from .layout import check_fields, parse

STEADY = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=4,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# ASGI reads a target in its own way, which the places of each service and the conditions below try by default.
mostly_one_way = pytest.mark.parametrize("send", ["wsgi", slowly("asgi")], indirect=True)
both_ways = pytest.mark.parametrize("send", ["wsgi", "asgi"], indirect=True)
NASTY = (
    "\ud800", "\udfff", "x\ud83d", "\ud83d\ude00", "\x00", "\x1b[31m", "\r\nSet-Cookie: a=b", "\ufffe\uffff", "\u202e",
    "\u2028", "]]>", "</Message>", "&amp;", "&#0;", '"},{"', "\\", "\\u0000", "%(code)s %%", "%0d%0a", "降低", "\x85",
    "\u3000", "\t", "<!--", "'", "\r", "\n",
)  # fmt: skip


EVERY_MARK = (
    "a&b<c>d'e\"f", "50% %(code)s %%", "图片/猫.jpg", "back\\slash", "tab\tline\nreturn\r.", "</Message><Code>x</Code>",
    '","code":"x', "&amp;apos;", "nul\x00 bell\x07 escape\x1b \ufffe\uffff end",
)  # fmt: skip
"""Characters with a meaning in a format, or without a place in one."""


class LongText(str):
    """Text that is not printed whole when a test fails."""

    def __repr__(self):
        return f"LongText({self[:20]!r}…, {len(self)})"


class LongBytes(bytes):
    """Bytes that are not printed whole when a test fails."""

    def __repr__(self):
        return f"LongBytes({self[:20]!r}…, {len(self)})"


TEXT = st.one_of(
    st.text(st.characters(), max_size=60),
    st.lists(st.sampled_from(NASTY) | st.text(max_size=3), max_size=8).map("".join),
    st.sampled_from(NASTY).map(lambda each: LongText(each * (100_000 // len(each)))),
)
WIRE = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([each.encode("utf-8", "surrogatepass") for each in NASTY])
        | st.sampled_from(
            [
                b"%",
                b"%2F",
                b"%ff",
                b"/",
                b"?",
                b"&",
                b"=",
                b"+",
                b"//",
                b"..",
                b":",
                b"@",
                b"\xff",
                b"\xc0\x80",
            ]
        ),
        max_size=10,
    ).map(b"".join),
    st.sampled_from([b"a", b"/", b"%41", b"%", b"\xff", b"&", b"=&"]).map(
        lambda each: LongBytes(each * (100_000 // len(each)))
    ),
)
TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-", min_size=1, max_size=12).map(str.encode)
VENDORS = vendors.names()
READERS = {vendors.get(each).addressing: each for each in (*VENDORS, *reversed(FIRST_VENDORS))}
"""A vendor for each way of reading bucket and key."""


def suitable(send, *texts):
    """The vendors for these texts: all by WSGI, and by ASGI those that differ.

    ASGI gives the same bytes, so the first ones and one for each way of reading. Where reading takes its time, one
    for each way by WSGI, and the first ones by ASGI.
    """
    if sum(map(len, texts)) >= 10_000:
        return FIRST_VENDORS if send.kind == "asgi" else sorted(READERS.values())
    return sorted({*FIRST_VENDORS, *READERS.values()}) if send.kind == "asgi" else VENDORS


@lru_cache(64)
def whole(text):
    """`text` as Unicode can hold it: surrogates in pairs are one character, alone U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@lru_cache(64)
def of_xml(text):
    """The XML 1.0 characters of a text (https://www.w3.org/TR/xml/#charsets)."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", whole(text))


def shown(content_type, text):
    """The text that a parser of the format must give."""
    return of_xml(text) if "xml" in content_type or "html" in content_type else whole(text)


def check_sendable(headers):
    """Check that names are tokens, and that values have no control characters."""
    for name, value in headers:
        assert re.fullmatch("[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
        assert re.fullmatch("[ -~]*", value)


def well_formed(answer):
    """Check that headers can be sent, the length is true and the body parses; gives the fields."""
    assert 200 <= answer.status <= 799
    check_sendable(answer.headers)
    assert len(set(answer.names)) == len(answer.names)
    bodyless = answer.status in (204, 205, 304)
    assert bodyless or answer.header("Content-Length") == str(len(answer.body))
    if bodyless or "content-type" not in answer.names:
        assert answer.body == b""
        return []
    return parse(answer.header("Content-Type"), answer.body)


@STEADY
@given(message=TEXT, resource=TEXT)
@example(message="", resource="")
@example(message="".join(EVERY_MARK), resource="".join(EVERY_MARK))
@example(message="\ud800|\udc00|x\ud83d|\ud83d\ude00", resource="\ud800|\udc00|x\ud83d|\ud83d\ude00")
def test_any_message_and_resource(send, inject_with, message, resource):
    """Text of any kind comes back from the parser as itself, less what the format cannot carry."""
    asked = str(message), str(resource)
    given = whole(asked[0]), whole(asked[1])
    for vendor in suitable(send, *asked):
        if given != asked:
            with pytest.raises(ConfigurationError, match="is not valid Unicode"):
                Rule(f"{vendor}:@all", message=asked[0], resource=asked[1])
        injector = inject_with(Rule(f"{vendor}:@all", message=given[0], resource=given[1]))
        answer = send(injector, "GET", "/photos/k")
        fields = well_formed(answer)
        assert injector.errors == []
        if "content-type" not in answer.names:
            continue
        told, place = (shown(answer.header("Content-Type"), each) for each in given)
        row = vendors.find(injector.journal.outcomes[0].fault)
        check_fields(row, answer.status, fields, message=told, resource=place, code=row.code)
        if vendor == "gateway":
            # a parser of HTML may not tell line breaks apart: the answer keeps them as they are
            assert {value for where, value in fields if where.endswith(("title", "h1"))} == {
                f"{answer.status} {told}"
            }
        elif vendor in FIRST_VENDORS:
            values = {name.lower(): value for name, value in fields}
            assert values["message"] == told
            assert values.get("resource", place) == place


@both_ways
@STEADY
@given(name=TEXT, value=TEXT, kind=TEXT, message=TEXT)
@example(name="x-a", value="\r\nx: y", kind="text/html", message="m")
@example(name="x\r\nset-cookie", value="v", kind="a\nb", message="\ud800")
def test_any_header_of_a_rule(send, inject_with, name, value, kind, message):
    """A rule's name, headers and type are refused, or sent without control characters."""
    name, value, kind, message = map(str, (name, value, kind, message))
    for keys in ({"name": name}, {"set": {name: value}}, {"content_type": kind}, {"message": message}):
        try:
            rule = Rule("http:503", **keys)
        except ConfigurationError as error:
            assert str(error).replace("\n", "").isprintable()
            continue
        injector = inject_with(rule)
        answer = send(injector, "GET", "/")
        assert (injector.errors, answer.status) == ([], 503)
        check_sendable(answer.headers)


CONDITIONS = (
    "{v}:@all,unless.path=/none/**,unless.key=a*b,unless.bucket=zzz,unless.operation={copy},unless.query.q=*x*y,"
    "unless.header.x-a=*x*y,unless.host=*.none,unless.client=10.0.0.1"
)
COPYING = {
    "azure-blob": "blob.copy_from_url",
    "b2": "b2_copy_file",
    "gcs": "storage.objects.copy",
    "kodo": "copy",
    "swift": "copy_object",
}


@mostly_one_way
@STEADY
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "get", "PROPFIND", "X" * 500]),
    path=WIRE,
    query=WIRE,
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [b"host", b"origin", b"x-a", b"authorization", b"user-agent", b"amz-sdk-request"]
            ),
            WIRE,
        )
        | st.tuples(TOKEN.map(lambda each: b"x-" + each), WIRE),
        max_size=4,
        unique_by=lambda pair: pair[0].lower(),
    ),
)
@example(method="GET", path=b"", query=b"", headers=[])
@example(
    method="GET", path=LongBytes(b"/" + b"a" * 100_000), query=LongBytes(b"a=" + b"b" * 100_000), headers=[]
)
@example(
    method="PUT",
    path=b"/\x00\r\nx: y/\xff",
    query=b"\r\n\x00=%00",
    headers=[(b"origin", b"http://a\r\nx: y")],
)
@example(method="GET", path=b"*", query=b"", headers=[(b"host", b"[::1"), (b"origin", b"\xff")])
@example(method="GET", path=b"http://host/a%2Fb/%E7%8C%AB", query=b"", headers=[(b"host", b"")])
def test_any_request(send, inject_with, method, path, query, headers):
    """Bytes of any kind in path, query and headers are answered, escaped and journalled."""
    for vendor in suitable(send, path, query, *(value for _, value in headers)):
        injector = inject_with(CONDITIONS.format(v=vendor, copy=COPYING.get(vendor, "CopyObject")))
        answer = send(injector, method, (path, query), headers=headers)
        assert injector.errors == []
        fields = well_formed(answer)
        # COS's own SDK drops the whole error when one element is empty
        assert vendor not in FIRST_VENDORS or path[:1] not in (b"", b"/") or all(value for _, value in fields)
        assert "access-control-allow-origin" not in answer.names or dict(headers)[b"origin"].isascii()
        [outcome] = injector.journal.outcomes
        assert (outcome.did, outcome.status) == ("answered", answer.status)
        assert json.loads(json.dumps(outcome.to_dict()))["rule"] == "rule-1"


@both_ways
@STEADY
@given(path=TEXT, mount=TEXT, method=TEXT)
def test_what_no_server_should_send(send, inject_with, path, mount, method):
    """Text that is not even a request line, from a careless server, is still answered."""
    path, mount, method = str(path), str(mount), str(method)
    more = {"PATH_INFO": path, "SCRIPT_NAME": mount, "REQUEST_METHOD": method, "HTTP_ORIGIN": path}
    if send.kind == "asgi":
        more = {"path": path, "root_path": mount, "method": method}

    for vendor in suitable(send, path, mount, method):
        injector = inject_with(f"{vendor}:@all")
        answer = send(injector, target="/sent", **more)
        assert injector.errors == []
        if method.upper() == "HEAD" or answer.header("Content-Length") == "0":
            continue
        well_formed(answer)
        assert json.dumps(injector.journal.outcomes[0].to_dict())


@both_ways
@STEADY
@given(path=WIRE, query=WIRE, value=WIRE)
def test_conditions_on_any_request(send, inject_with, path, query, value):
    """Conditions read hostile requests without an error, and others go to the app."""
    rules = [
        f"http:503,{each},probability=0"
        for each in (
            "path=/a/**", "path=**/b*", "key=a/*", "bucket=*x", "operation=GetObject", "query.q=*1", "header.x-a=*a*b*",
            "host=*.com", "client=127.0.0.0/8", "vendor=cos,key=**", "unless.path=/a", "size=1KB..",
        )
    ]  # fmt: skip
    injector = inject_with(rules)
    answer = send(injector, "PUT", (path, query), headers=[(b"x-a", value), (b"host", value)])
    assert injector.errors == []
    assert (answer.status, answer.header("x-app"), answer.body) == (200, "yes", b"app")


HOSTILE = {
    "target": (
        b"/b\xff<i>&\"'%0d%0aset-cookie:%20a=b%00/k]]>%E7%8C%AB\r\nx: y\x1b\\%22%7d,%7b/\xed\xa0\x80%(code)s",
        b"uploadId=%0d%0ax:%20y%3C%2FCode%3E&partNumber=<%22'&versionId=%ff%00&comp=\"}&X-Amz-Expires=1%0a&tagging=%5c",
    ),
    "headers": [
        (name, b"a\"<b>&'\\]]>\xe9\x01\t;,=%0d%0a{}")
        for name in (
            b"host", b"range", b"if-match", b"if-none-match", b"x-amz-copy-source", b"x-amz-content-sha256", b"content-md5",
            b"x-amz-storage-class", b"authorization", b"date", b"x-amz-date", b"x-ms-client-request-id", b"x-ms-version",
            b"x-ms-date", b"x-bz-file-name", b"x-auth-token", b"x-amz-object-attributes", b"x-amz-tagging", b"expect",
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("vendor", others_slowly(VENDORS, FOUNDING.__contains__))
def test_what_a_row_takes_from_the_request_breaks_nothing(send, inject_with, vendor, subtests):
    """Markup and line ends that a row reads off the request stay text.

    In its body and its headers. That the other adapter gives the same bytes is proved beside the adapters.
    """

    for row in vendors.get(vendor).errors:
        with subtests.test(row.address):
            injector = inject_with(Rule(row.address, **({"status": 400} if row.status is None else {})))
            answer, head = (send(injector, method, **HOSTILE) for method in ("POST", "HEAD"))
            well_formed(answer)
            assert all(re.fullmatch("[ -~]*", value) for _, value in head.headers)
            assert not {"set-cookie", "x"} & {*head.names}
            assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", answer.body)
            assert [each.did for each in injector.journal.outcomes] == ["answered"] * 2
            assert (injector.errors, head.body) == ([], b"")
