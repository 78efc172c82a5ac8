"""Recorded answers of Google Cloud Storage are rendered from their inputs, byte for byte."""

import json

import pytest

from faultinject import Rule, vendors
from tests.rows import each_row

UPLOAD_ID = (
    "AEnB2UpTLJO2792GLnoNGHnyhuEiLOyoal4ibgogvHAX-6dyO0glTU6uF8wmmnliF7repZbKGOQArmz2V52vSppuOFYmTqCjkg"
)
# googleapis/google-cloud-cpp#7340, 21 September 2021
CONDITION_NOT_MET = b"""{
  "error": {
    "code": 412,
    "message": "At least one of the pre-conditions you specified did not hold.",
    "errors": [
      {
        "message": "At least one of the pre-conditions you specified did not hold.",
        "domain": "global",
        "reason": "conditionNotMet",
        "locationType": "header",
        "location": "If-Match"
      }
    ]
  }
}
"""
# googleapis/java-storage#2148 for the words, in the layout above
BACKEND_ERROR = b"""{
  "error": {
    "code": 503,
    "message": "We encountered an internal error. Please try again.",
    "errors": [
      {
        "message": "We encountered an internal error. Please try again.",
        "domain": "global",
        "reason": "backendError"
      }
    ]
  }
}
"""
XML_START = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>"
JSON_PATH = "/storage/v1/b/photos/o/cat%2F1.jpg"


@pytest.fixture(autouse=True)
def seen_id(monkeypatch):
    for name in ("gcs", "gcs-xml"):
        monkeypatch.setattr(vendors.get(name), "make_ids", lambda *_: {"request_id": UPLOAD_ID})


@pytest.mark.parametrize(
    ("fault", "body"), [("gcs:conditionNotMet", CONDITION_NOT_MET), ("gcs:backendError/2", BACKEND_ERROR)]
)
def test_json(fault, body, answer_of):
    """Two spaces of indentation, code before message before errors, and a line end at the end."""
    assert answer_of(fault, target=JSON_PATH).body == body


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (JSON_PATH, "No such object: photos/cat/1.jpg"),  # googleapis/nodejs-storage#1183
        ("/storage/v1/b/photos", "Not Found"),  # googleapis/nodejs-storage#220
    ],
)
def test_what_is_not_found(path, message, answer_of):
    """A missing object is named in JSON as in text, a bucket not; a rule's words replace both."""
    told = answer_of("gcs:notFound", target=path).body.decode()
    assert told.count(f'"message": "{message}"') == 2
    assert answer_of(Rule("gcs:notFound", message="Gone"), target=path).body.decode() == told.replace(
        message, "Gone"
    )


# trinodb/trino#19943 and googleapis/google-cloud-python#2161 for the words and the domain, in the layout above
USAGE_LIMIT = """{
  "error": {
    "code": 429,
    "message": "%s",
    "errors": [
      {
        "message": "%s",
        "domain": "usageLimits",
        "reason": "rateLimitExceeded"
      }
    ]
  }
}
"""
OF_OBJECTS = (
    "The object photos/cat/1.jpg exceeded the rate limit for object mutation operations (create, update, and delete). "
    "Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429."
)
OF_BUCKETS = "The project exceeded the rate limit for creating and deleting buckets."


@each_row(
    ("keys", "path", "said"),
    [
        ({}, JSON_PATH, OF_OBJECTS),
        ({}, "/storage/v1/b?project=p", OF_BUCKETS),
        ({}, "/storage/v1/b/photos", OF_BUCKETS),
        ({"message": "Slower"}, JSON_PATH, "Slower"),
        ({"message": "Slower"}, "/storage/v1/b?project=p", "Slower"),
    ],
)
def test_json_of_a_usage_limit(keys, path, said, send, inject_with):
    """A 429 is the one error whose domain is another; it names the object that it is about."""
    injector = inject_with(Rule("gcs:rateLimitExceeded", **keys))
    answer = send(injector, "POST", path)
    assert injector.errors == []
    assert (answer.status, answer.body.decode()) == (429, USAGE_LIMIT % (said, said))


PRIVATE = {"cache-control": "private, max-age=0", "expires": "Thu, 20 Nov 2025 08:00:00 GMT"}
NOT_KEPT = {
    "content-type": "application/json; charset=UTF-8",
    "cache-control": "no-cache, no-store, max-age=0, must-revalidate",
    "pragma": "no-cache",
    "expires": "Mon, 01 Jan 1990 00:00:00 GMT",
    "vary": "Origin, X-Origin",
}
DOWNLOAD = {"content-type": "text/html; charset=UTF-8", **PRIVATE, "vary": "Origin, X-Origin"}
MEDIA = "/storage/v1/b/bookcreator-dev-firetool-tests/o/blah?alt=media"


@each_row(
    ("fault", "path", "headers"),
    [
        ("gcs:notFound", JSON_PATH, NOT_KEPT),
        # firebase/firebase-tools#3647, captured on 9 August 2021: text, which nobody may share
        ("gcs:notFound", MEDIA, DOWNLOAD),
        ("gcs:forbidden", MEDIA, DOWNLOAD),
        # captured on 8 September 2019, with the time of the answer as its end
        (
            "gcs-xml:AccessDenied",
            "/photos/cat",
            {"content-type": "application/xml; charset=UTF-8", **PRIVATE},
        ),
        # Neither the front end's page nor an empty answer says that nobody may keep it.
        ("gcs:BadGateway", JSON_PATH, {"content-type": "text/html; charset=UTF-8"}),
        ("gcs:LengthRequired", JSON_PATH, {"content-type": "text/html; charset=UTF-8"}),
        ("gcs:ClientClosedRequest", JSON_PATH, {"content-type": "text/html; charset=UTF-8"}),
    ],
)
def test_headers(fault, path, headers, answer_of):
    """The id, and who may keep the answer and for how long."""
    answer = answer_of(fault, target=path)
    known = {"content-length": str(len(answer.body)), "x-guploader-uploadid": UPLOAD_ID}
    assert sorted((name.lower(), value) for name, value in answer.headers) == sorted(
        {**known, **headers}.items()
    )


@pytest.mark.parametrize(
    ("keys", "path", "text"),
    [
        ({"message": "Gone <fishing>"}, MEDIA, b"Gone &lt;fishing&gt;"),
        ({}, MEDIA, b"No such object: bookcreator-dev-firetool-tests/blah"),
        ({}, "/storage/v1/b/photos/o?alt=media", b"Not Found"),
        ({}, "/download/storage/v1/b/photos/o/a%2F%3C1%3E?alt=media", b"No such object: photos/a/&lt;1&gt;"),
    ],
)
def test_what_a_download_of_nothing_says(keys, path, text, send, inject_with):
    """A rule's own message stands alone; without an object there is none to name."""
    assert send(inject_with(Rule("gcs:notFound", **keys)), "GET", path).body == text


@pytest.mark.parametrize("vendor", ["gcs", "gcs-xml"])
def test_page_of_the_front_end(vendor, answer_of):
    """A 502 is the front end's page: its head, its style sheet with single `%`, its words."""
    answer = answer_of(f"{vendor}:BadGateway")
    assert answer.header("content-type") == "text/html; charset=UTF-8"
    lines = answer.body.decode().split("\n")
    assert lines[:5] == [
        "<!DOCTYPE html>",
        "<html lang=en>",
        "  <meta charset=utf-8>",
        '  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">',
        "  <title>Error 502 (Server Error)!!1</title>",
    ]
    assert "body{margin:7% auto 0;max-width:390px;" in lines[6]
    assert "no-repeat 0% 0%/100% 100%;-moz-border-image:" in lines[6]
    assert lines[8:] == [
        "  <a href=//www.google.com/><span id=logo aria-label=Google></span></a>",
        "  <p><b>502.</b> <ins>That\u2019s an error.</ins>",
        "  <p>The server encountered a temporary error and could not complete your request.<p>Please try again in "
        "30 seconds.  <ins>That\u2019s all we know.</ins>",
        "",
    ]


@pytest.mark.parametrize("fault", ["gcs:LengthRequired", "gcs:ClientClosedRequest", "gcs:ResumeIncomplete"])
def test_answers_without_a_body(fault, answer_of):
    answer = answer_of(fault, "PUT", "/upload/storage/v1/b/photos/o?uploadType=resumable&upload_id=1")
    assert (answer.body, answer.header("content-length")) == (b"", "0")


@each_row(
    ("fault", "method", "path", "host", "rest"),
    [
        (  # chromedriver.storage.googleapis.com
            "NoSuchKey",
            "GET",
            "/LATEST_RELEASE_200",
            b"chromedriver.storage.googleapis.com",
            b"NoSuchKey</Code><Message>The specified key does not exist.</Message>"
            b"<Details>No such object: chromedriver/LATEST_RELEASE_200</Details></Error>",
        ),
        (  # the same of a bucket in the path
            "NoSuchKey",
            "GET",
            "/coding-session-rest-api/does-not-exist",
            b"storage.googleapis.com",
            b"NoSuchKey</Code><Message>The specified key does not exist.</Message>"
            b"<Details>No such object: coding-session-rest-api/does-not-exist</Details></Error>",
        ),
        (  # nextcloud/server#12537
            "SlowDown",
            "PUT",
            "/mlvx-primary-storage/urn%3Aoid%3A225782",
            b"storage.googleapis.com",
            b"SlowDown</Code><Message>Please reduce your request rate.</Message><Details>Changing object "
            b"mlvx-primary-storage/urn:oid:225782 too quickly, please slow down</Details></Error>",
        ),
        (
            "NoSuchBucket",
            "GET",
            "/none",
            b"storage.googleapis.com",
            b"NoSuchBucket</Code><Message>The specified bucket does not exist.</Message></Error>",
        ),
        (  # s3fs-fuse/s3fs-fuse#179
            "InvalidSecurity",
            "GET",
            "/",
            b"storage.googleapis.com",
            b"InvalidSecurity</Code><Message>The provided security credentials are not valid.</Message>"
            b"<Details>Incorrect Authorization header</Details></Error>",
        ),
        (
            "AuthenticationRequired",
            "GET",
            "/photos/cat",
            b"storage.googleapis.com",
            b"AuthenticationRequired</Code><Message>Authentication required.</Message></Error>",
        ),
    ],
)
def test_xml(fault, method, path, host, rest, answer_of):
    """Single quotes in the declaration, one line, no id, and the object in the details."""
    answer = answer_of(f"gcs-xml:{fault}", method, path, headers=[(b"Host", host)])
    assert answer.body == XML_START + rest


def test_ids_have_the_form_of_the_captured_one(monkeypatch):
    """As long as the one that was captured, with its beginning, in its alphabet."""
    monkeypatch.undo()
    made = vendors.get("gcs").make_ids(bytes(range(64)), 0)["request_id"]
    assert (len(made), made[:6]) == (len(UPLOAD_ID), UPLOAD_ID[:6])
    assert made.replace("-", "").replace("_", "").isalnum()


def test_a_wrong_signature_of_the_xml_api(answer_of):
    """A wrong signature gets `Access denied.`, details, and what Google signed, as captured.

    Without a signature there is no more.
    """
    told = (
        "<Code>SignatureDoesNotMatch</Code><Message>Access denied.</Message><Details>The request signature we"
        " calculated does not match the signature you provided. Check your Google secret key and signing method."
        "</Details>"
    )
    query = (
        "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%2F20251116%2Fauto%2Fstorage%2Fgoog4_request"
        "&X-Goog-Date=20251116T050034Z&X-Goog-Expires=900&X-Goog-SignedHeaders=host"
    )
    answer = answer_of(
        "gcs-xml:SignatureDoesNotMatch", "PUT", f"/photos/k?{query}&X-Goog-Signature=ab"
    ).body.decode()
    assert (
        told + "<StringToSign>GOOG4-RSA-SHA256\n20251116T050034Z\n20251116/auto/storage/goog4_request\n"
        in answer
    )
    assert f"<CanonicalRequest>PUT\n/photos/k\n{query.replace('&', '&amp;')}\nhost:" in answer
    assert answer.endswith("\n\nhost\nUNSIGNED-PAYLOAD</CanonicalRequest></Error>")
    assert (
        answer_of("gcs-xml:SignatureDoesNotMatch", "PUT", "/photos/k")
        .body.decode()
        .endswith(f"{told}</Error>")
    )


def test_an_expired_address_of_the_xml_api(answer_of):
    """The moment is the signature's own, as captured on 11 September 2026."""
    told = "<Code>ExpiredToken</Code><Message>Invalid argument.</Message><Details>The provided token has expired."
    moment = " Request signature expired at: 2026-09-11T23:48:45+00:00"
    for query, more in (("?X-Goog-Date=20260911T234844Z&X-Goog-Expires=1", moment), ("", "")):
        answer = answer_of("gcs-xml:ExpiredToken", target=f"/photos/k{query}")
        assert answer.body.decode().endswith(f"{told}{more}</Details></Error>")


def test_a_session_that_is_gone(answer_of):
    """https://github.com/googleapis/google-cloud-java/issues/3586: a 410 whose body has 503."""
    answer = answer_of("gcs:Gone", "PUT", "/upload/storage/v1/b/photos/o?uploadType=resumable&upload_id=1")
    assert json.loads(answer.body) == {
        "error": {
            "code": 503,
            "message": "Backend Error",
            "errors": [{"message": "Backend Error", "domain": "global", "reason": "backendError"}],
        }
    }


ABSENT = "The billing account for the owning project is disabled in state absent"
ANONYMOUS = (
    "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object. Permission"
    " 'storage.objects.get' denied on resource (or it may not exist)."
)
LOCATED = {"locationType": "header", "location": "Authorization"}
SEEN = [
    ("accountDisabled", 403, ABSENT, LOCATED),  # googleapis/python-storage#1456
    ("insufficientPermissions", 403, "Insufficient Permission", {}),  # GoogleCloudPlatform/fda-mystudies#70
    ("required/2", 401, ANONYMOUS, LOCATED),  # fsspec/gcsfs#546; the place: activeviam/atoti-notebooks#298
]


@pytest.mark.parametrize(("label", "status", "told", "located"), SEEN)
def test_who_may_not(label, status, told, located, answer_of):
    """As captured, with the header that the service was not content with."""
    answer = answer_of(f"gcs:{label}", target=JSON_PATH)
    errors = [{"message": told, "domain": "global", "reason": label.partition("/")[0], **located}]
    assert answer.status == status
    assert json.loads(answer.body) == {"error": {"code": status, "message": told, "errors": errors}}
