"""Answers of Ceph's gateway, as its source makes them.

src/rgw/rgw_common.cc, rgw_rest.cc and rgw_formats.cc
"""

import pytest

from faultinject import Rule
from tests.rows import each_row

RGW_ID = "tx000003ac6e5b4d5a9c8f6-0064a1b2c3-4d3f-default"
HOST_ID = "4d3f-default-default"
XML = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message></Message>%s'
    f"<RequestId>{RGW_ID}</RequestId><HostId>{HOST_ID}</HostId></Error>"
)
JSON = f'{{"Code":"%s","Message":"",%s"RequestId":"{RGW_ID}","HostId":"{HOST_ID}"}}'


@pytest.fixture
def answer(answer_of):
    """One answer with known ids."""
    ids = {"request_id": RGW_ID, "host_id": HOST_ID}

    def ask(code, target="/photos/a", *, method="GET", headers=(), **effects):
        return answer_of(Rule(f"rgw:{code}", **effects), method, target, ids=ids, headers=headers)

    return ask


@pytest.mark.parametrize(("target", "bucket"), [("/", ""), ("/photos/a", "<BucketName>photos</BucketName>")])
def test_xml(target, bucket, answer):
    """The fields of dump in their order, with the message empty."""
    got = answer("NoSuchKey", target)
    assert got.body.decode() == XML % ("NoSuchKey", bucket)
    assert (got.header("x-amz-request-id"), got.header("accept-ranges")) == (RGW_ID, "bytes")


def test_an_object_that_is_being_restored(answer):
    """RestoreAlreadyInProgress of Ceph tentacle comes with its header.

    rgw_rest_s3.cc, RGWRestoreObj_ObjStore_S3::send_response
    """
    got = answer("RestoreAlreadyInProgress", "/photos/a?restore", method="POST")
    assert (got.status, got.header("x-amz-restore")) == (409, 'ongoing-request="true"')
    assert got.body.decode() == XML % ("RestoreAlreadyInProgress", "<BucketName>photos</BucketName>")


def test_swift(answer):
    """The plain formatter writes the code and nothing else."""
    for target in ("/photos/a", "/photos/a?format=json"):
        got = answer("QuotaExceeded/2", target)
        assert (got.status, got.body) == (413, b"QuotaExceeded")
        told = [got.header(name) for name in ("content-type", "x-trans-id", "x-openstack-request-id")]
        assert told == ["text/plain; charset=utf-8", RGW_ID, RGW_ID]
        assert "x-amz-request-id" not in got.names


@each_row(
    ("target", "accept", "is_json"),
    [
        ("/?format=json", None, True),
        ("/photos?format=json", None, True),
        ("/photos?prefix=a&format=json", "application/xml", True),
        ("/photos", "application/json", True),
        ("/photos", "application/json;q=0.9, */*", True),
        ("/photos?format=yaml", "application/json", True),
        ("/photos?format=xml", "application/json", False),
        ("/photos?format=html", "application/json", False),
        ("/photos?format=JSON", None, False),
        ("/photos", "application/json, text/plain, */*", False),
        ("/photos", "text/xml", False),
        ("/photos", None, False),
    ],
)
def test_who_asks_for_json_gets_it(target, accept, is_json, answer):
    """allocate_formatter: the query first, then the Accept up to its first semicolon."""
    got = answer("SlowDown", target, headers={"accept": accept} if accept else {})
    xml = XML % ("SlowDown", "<BucketName>photos</BucketName>")
    # A bucket that the request does not name is left out.
    json = JSON % ("SlowDown", '"BucketName":"photos",' if target.startswith("/photos") else "")
    assert got.body.decode() == (json if is_json else xml)
    assert got.header("content-type") == ("application/json" if is_json else "application/xml")
    assert (got.status, got.header("accept-ranges")) == (503, "bytes")


@pytest.mark.parametrize("query", ["", "?format=json"])
@pytest.mark.parametrize("code", ["PermanentRedirect", "WebsiteRedirect", "NotModified"])
def test_an_answer_without_a_body(code, query, answer):
    """end_header dumps what is an error alone, from 400 on; abort_early says where to go."""
    got = answer(code, f"/photos/a{query}")
    id_, found = ("x-amz-request-id", RGW_ID), [(name.lower(), value) for name, value in got.headers]
    redirect = [("content-length", "0"), id_, ("location", f"/photos/a{query}")]
    unmodified = code == "NotModified"
    assert (got.status, got.body) == (304 if unmodified else 301, b"")
    assert found == ([id_] if unmodified else redirect)


def test_a_redirect_goes_nowhere_else(answer):
    """A target that clients would read as another server is not repeated."""
    assert "location" not in answer("PermanentRedirect", "//evil.example/x").names


def test_the_status_that_is_sent_decides(answer):
    """Another status than the documented one has the body of its own."""
    answers = [
        answer("SlowDown", status=301),
        answer("PermanentRedirect", status=400),
        answer("SlowDown", status=200),
        answer("NoSuchKey", "/photos/a?format=json", method="HEAD"),
    ]
    assert [each.body[:5] for each in answers] == [b"", b"<?xml", b"<?xml", b""]


@pytest.mark.parametrize(
    ("target", "headers"), [("&format=json", ()), ("", [("Accept", "application/json")])]
)
def test_a_share_of_keys_is_said_in_xml(target, headers, send, inject_with):
    """Also to who would like JSON: as a whole it would be another answer."""
    document = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
    injector = inject_with(Rule("rgw:AccessDenied", status=200, share=1))
    sent = [(name.encode(), value.encode()) for name, value in headers]
    got = send(injector, "POST", f"/photos?delete{target}", headers=sent, body=document)
    assert got.body.count(b"<Error><Key>") == 2
