"""Bytes of OpenStack Swift's source: swob's pages, the rate limiter's text, s3api's XML."""

import re

from faultinject import Rule, vendors
from tests.rows import each_row

TRANSACTION = re.compile(r"tx[0-9a-f]{21}-00691eca80")
"""The fixed clock of these tests in the ten digits behind the hyphen."""
SAMPLES = [
    (
        "swift:503",
        "text/html; charset=UTF-8",
        "<html><h1>Service Unavailable</h1><p>The server is currently unavailable. Please try again at a later time."
        "</p></html>",
    ),
    (
        "swift:401",
        "text/html; charset=UTF-8",
        "<html><h1>Unauthorized</h1><p>This server could not verify that you are authorized to access the document "
        "you requested.</p></html>",
    ),
    (
        "swift:404",
        "text/html; charset=UTF-8",
        "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>",
    ),
    (
        "swift:500",
        "text/html; charset=UTF-8",
        "<html><h1>Internal Error</h1><p>The server has either erred or is incapable of performing the requested "
        "operation.</p></html>",
    ),
    (
        "swift:529",
        "text/html; charset=UTF-8",
        "<html><h1>Too Many Backend Requests</h1><p>The server is incapable of performing the requested operation due "
        "to too many requests. Slow down.</p></html>",
    ),
    ("swift:498", "text/html; charset=UTF-8", "Slow down"),
    ("swift:497", "text/html; charset=UTF-8", "Your account has been blacklisted"),
    (
        "swift:NoSuchKey",
        "application/xml",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>NoSuchKey</Code><Message>The "
        "specified key does not exist."
        "</Message><RequestId>{id}</RequestId><Key>cat's &amp; dog.jpg</Key></Error>",
    ),
    (
        "swift:InvalidURI",
        "application/xml",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>InvalidURI</Code><Message>Couldn't parse the specified "
        "URI.</Message><RequestId>{id}</RequestId><Uri>/photos/cat's%20&amp;%20dog.jpg</Uri></Error>",
    ),
    (
        "swift:SlowDown",
        "application/xml",
        "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate."
        "</Message><RequestId>{id}</RequestId></Error>",
    ),
]


@each_row(("address", "content_type", "body"), SAMPLES)
def test_answer(address, content_type, body, send, inject_with):
    """Body, Content-Type and the transaction id in two headers; s3api's two more."""
    injector = inject_with([Rule(address)], FAULTINJECT_HEADER="0")
    answer = send(injector, "GET", "/photos/cat's%20&%20dog.jpg")
    id_ = injector.journal.outcomes[0].request_id
    assert TRANSACTION.fullmatch(id_)
    assert answer.body.decode() == body.replace("{id}", id_)
    expected = [
        ("content-type", content_type),
        ("content-length", str(len(answer.body))),
        ("x-trans-id", id_),
        ("x-openstack-request-id", id_),
    ]
    if address == "swift:401":
        # swob takes what stands there for an account
        expected.append(("www-authenticate", 'Swift realm="cat%27s%20%26%20dog.jpg"'))
    if content_type == "application/xml":
        expected += [("x-amz-request-id", id_), ("x-amz-id-2", id_)]
    assert [(name.lower(), value) for name, value in answer.headers] == expected


@each_row(
    ("path", "realm"),
    [
        ("/v1/AUTH_test", "AUTH_test"),
        ("/v1/AUTH_test/photos/cat.jpg", "AUTH_test"),
        ("/v1/AUTH_%C3%BC%22%0A/photos", "AUTH_%C3%BC%22%0A"),
        ("/v1/AUTH_%ff%41", "AUTH_%FFA"),
        ("/v1%2Fmine/photos", "mine"),
        ("/v1", "unknown"),
        ("/v1/", "unknown"),
        ("/", "unknown"),
        ("/v1//photos", "unknown"),
        ("/auth/v1.0", "unknown"),
        ("/v1/auth", "unknown"),
    ],
)
def test_realm(path, realm, send, inject_with):
    """A 401 names the decoded account, encoded again; so does another error sent as 401."""
    for rule in (Rule("swift:401"), Rule("swift:403", status=401)):
        answer = send(inject_with([rule]), "GET", path)
        assert answer.header("www-authenticate") == f'Swift realm="{realm}"'
    assert "www-authenticate" not in send(inject_with([Rule("swift:403")]), "GET", path).names


@each_row(
    ("code", "content_type", "length"),
    [
        ("404", "text/html; charset=UTF-8", "0"),
        ("503", "text/html; charset=UTF-8", "0"),
        ("NoSuchKey", "application/xml", "0"),
        ("498", "text/html; charset=UTF-8", "9"),
        ("497", "text/html; charset=UTF-8", "33"),
    ],
)
def test_head(code, content_type, length, send, inject_with):
    """swob writes no page for HEAD, so the length is 0, except for a given text."""
    answer = send(inject_with([Rule(f"swift:{code}")]), "HEAD", "/v1/AUTH_test/photos/cat.jpg")
    assert (answer.header("content-type"), answer.header("content-length")) == (content_type, length)
    assert answer.body == b""


def test_reason_phrases():
    """swob's own titles go into the status line, the rate limiter's and s3api's too."""
    phrases = {row.label: row.reason for row in vendors.get("swift").errors}
    assert {
        label: phrases[label] for label in ("500", "497", "498", "499", "529", "SlowDown", "Redirect")
    } == {
        "500": "Internal Error",
        "497": "Blacklisted",
        "498": "Rate Limited",
        "499": "Client Disconnect",
        "529": "Too Many Backend Requests",
        "SlowDown": "Slow Down",
        "Redirect": "Moved Temporarily",
    }


def test_what_was_signed(send, inject_with):
    """A wrong signature has the fields of its version behind the common ones.

    s3api/s3request.py, SigV4Mixin.signature_does_not_match_kwargs
    """
    signed = "AWS4-HMAC-SHA256 Credential=id/20261120/r/s3/aws4_request,SignedHeaders=host,Signature=00"
    names = {}
    for authorization in (signed, "AWS id:c2ln"):
        injector = inject_with([Rule("swift:SignatureDoesNotMatch")], FAULTINJECT_HEADER="0")
        headers = [(b"Authorization", authorization.encode())]
        body = send(injector, "GET", "/photos/cat.jpg", headers=headers).body.decode()
        names[authorization] = re.findall("<([A-Za-z]+)>", body.partition("</RequestId>")[2])
    assert names == {
        signed: [
            "AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes", "CanonicalRequest",
            "CanonicalRequestBytes",
        ],
        "AWS id:c2ln": ["AWSAccessKeyId", "SignatureProvided"],
    }  # fmt: skip
