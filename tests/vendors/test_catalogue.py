"""The catalogue holds the vendors' tables, unchanged."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from faultinject import Rule, Scenario, vendors
from tests.first_vendors import FIRST_VENDORS
from tests.rows import row_by_row

PACKAGE = Path(vendors.__file__).parent
SHAPES = {
    "azure-blob": (143, 133),
    "b2": (37, 37),
    "bos": (56, 51),
    "cos": (81, 74),
    "gateway": (6, 6),
    "gcs": (69, 67),
    "gcs-xml": (63, 63),
    "jdcloud": (86, 83),
    "jss": (57, 55),
    "kodo": (32, 23),
    "kodo-s3": (23, 23),
    "minio": (329, 249),
    "obs": (99, 95),
    "oss": (251, 140),
    "qingstor": (40, 40),
    "qiniu-mix": (78, 78),
    "r2": (30, 28),
    "rgw": (82, 78),
    "s3": (126, 110),
    "swift": (117, 116),
    "tos": (62, 62),
}
"""Rows and codes of each vendor's document."""
ROWS = [row for vendor in FIRST_VENDORS for row in vendors.get(vendor).errors]
CATEGORIES = "throttle server auth not-found conflict precondition limit request redirect".split()
each_vendor = row_by_row("vendor", SHAPES)


def test_every_vendor_is_counted():
    """None of these has gone."""
    assert set(SHAPES) <= set(vendors.names())


@each_vendor
def test_row_and_code_counts(vendor):
    """No row of a vendor's document is missing or invented."""
    errors = vendors.get(vendor).errors
    assert (len(errors), len({row.code for row in errors})) == SHAPES[vendor]
    assert [row.row for row in errors] == list(range(1, len(errors) + 1))


@pytest.mark.parametrize(
    ("vendor", "column", "digest"),
    [
        ("qiniu-mix", "message", "fb0f8d00537dd22a4fdc29118fd3a20c83938c8383cfd30f2312985ae62ef959"),
        ("jss", "message", "9c22a93ef4df03cd25212ebac789a27b8f1f0ce93a207f110f0578aa01d7dcc2"),
        ("qingstor", "description", "1c908e250d7ad2440abcd0886a76d7872f4fe8732f752160f84ecb55196b86df"),
        ("cos", "description", "8343f035313c1c81505d573ee3e816d67c0270bacb671f33236f3e1750f728f9"),
    ],
)
def test_documented_columns_byte_for_byte(vendor, column, digest):
    """Code, status and the document's own text are the document's, to the byte."""
    lines = (
        f"{row.code}\t{'' if row.status is None else row.status}\t{getattr(row, column)}\n"
        for row in vendors.get(vendor).errors
    )
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == digest


DIGESTS = {
    "azure-blob": "c251d0cd6b0f87fe",
    "b2": "cd1da65cdf1b9bce",
    "bos": "ddb0a93093598f6d",
    "gateway": "08f51e7024d33617",
    "gcs": "ee730f13f64779cd",
    "gcs-xml": "4f2a042efa7780f7",
    "jdcloud": "041bb2b873dc624f",
    "kodo": "87bcdf7898de3761",
    "kodo-s3": "93cbc54647174245",
    "minio": "8eaccc28432f961c",
    "obs": "d55ead6a69b96c4b",
    "oss": "6b448540e0eef9fb",
    "r2": "2ec4827e7f0efa31",
    "rgw": "666a04fabd5b8b20",
    "s3": "81f8756349986db4",
    "swift": "66b1c65ef0e4c04c",
    "tos": "d5c582a38d30c950",
}
"""Codes with their numbers, statuses and messages of the vendors that came later."""


@row_by_row("vendor", DIGESTS)
def test_tables_do_not_change_unnoticed(vendor):
    """What is answered is compared with the row that it was made of: here the rows with what was read and checked."""
    lines = (
        f"{row.label}\t{'' if row.status is None else row.status}\t{row.message}\n"
        for row in vendors.get(vendor).errors
    )
    assert hashlib.sha256("".join(lines).encode()).hexdigest()[:16] == DIGESTS[vendor]


@row_by_row(
    ("address", "status", "message", "source"),
    [
        ("jss:SlowDown", 400, "Please reduce your request rate.", "doc"),
        ("qiniu-mix:SlowDown", 503, "Reduce your request rate.", "doc"),
        ("qiniu-mix:ServiceUnavailable", 503, "Reduce your request rate.", "doc"),
        ("cos:SlowDown", 503, "Reduce your request rate", "doc"),
        ("cos:ServiceUnavailable", 503, "Internal error occurred with the server. Try again.", "doc"),
        ("cos:InternalError", 500, "Internal error occurred with the server", "doc"),
        ("jss:NotSuchBucketPolicy", 404, "The specified bucket does not have a bucket policy.", "doc"),
        (
            "jss:InvalidAccessKeyId",
            403,
            "The Access Key Id you provided does  not exist in our records.",
            "doc",
        ),
        (
            "cos:InvalidAccessKeyId",
            403,
            "The Access Key Id you provided does not exist in our records",
            "wire",
        ),
        ("jss:BucketNotEmpty", 409, "The bucket you tried to delete is not empty.", "doc"),
        (
            "jss:BucketNotEmpty/2",
            409,
            "The bucket you tried to delete has some muti uploads didn't delete.",
            "doc",
        ),
        ("jss:BucketNotEmpty/3", 409, "The bucket you tried to delete has acl didn't delete.", "doc"),
        ("jss:InvalidArgument", 400, "InvalidArgument", "doc"),
        ("jss:InvalidCallback", 567, "upload success but callback failed.", "doc"),
        (
            "jss:InvalidPartOrder",
            400,
            "The list of parts was not in ascending order.Parts list must specified in order by part number.",
            "doc",
        ),
        ("jss:NoSuchFile", 400, "The file doesn't exist,please upload the file again!", "doc"),
        ("jss:RequestTimeTooSkewed", 400, vendors.find("qiniu-mix:RequestTimeTooSkewed").message, "doc"),
        ("qiniu-mix:NotSignedUp", 403, "Your account is not signed up for the Amazon S3 service.", "doc"),
        ("qiniu-mix:InvalidAddressingHeader", 200, "You must specify the Anonymous role.", "doc"),
        ("qiniu-mix:MissingAttachment", 200, "A SOAP attachment was expected, but none were found.", "doc"),
        ("cos:InvalidAddressingHeader", None, "You must specify the Anonymous role.", "derived"),
        ("cos:InvalidBucketState", 409, vendors.find("qiniu-mix:InvalidBucketState").message, "derived"),
        ("cos:PreconditionFailed", 412, "Precondition not match.", "wire"),
        ("cos:EntityTooLarge", 400, "Condition key content-length-range doesn't match the value", "wire"),
        (
            "cos:RequestIsNotMultiPartContent",
            400,
            "Bucket POST must be of the enclosure-type multipart/form-data.",
            "derived",
        ),
        (
            "qingstor:too_many_buckets",
            403,
            "You created too many buckets, please open ticket to apply more quota.",
            "wire",
        ),
        ("qingstor:access_denied", 400, "The request was denied.", "derived"),
        ("gateway:RequestEntityTooLarge", 413, "Request Entity Too Large", "doc"),
        ("gateway:TooManyRequests", 429, "Too Many Requests", "doc"),
        ("gateway:InternalServerError", 500, "Internal Server Error", "doc"),
        ("gateway:BadGateway", 502, "Bad Gateway", "doc"),
        ("gateway:ServiceUnavailable", 503, "Service Temporarily Unavailable", "doc"),
        ("gateway:GatewayTimeout", 504, "Gateway Time-out", "doc"),
        (
            "s3:InvalidPart",
            400,
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag.",
            "wire",
        ),
        ("s3:NoSuchVersion", 404, "The specified version does not exist.", "wire"),
        (
            "s3:PreconditionFailed",
            412,
            "At least one of the pre-conditions you specified did not hold",
            "wire",
        ),
        ("s3:InvalidRange", 416, "The requested range is not satisfiable", "wire"),
        ("s3:KeyTooLongError", 400, "Your key is too long", "wire"),
        (
            "s3:BucketAlreadyOwnedByYou",
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
            "wire",
        ),
        (
            "s3:OperationAborted",
            409,
            "A conflicting conditional operation is currently in progress against this resource. Please try again.",
            "wire",
        ),
        ("s3:InvalidObjectState", 403, "The operation is not valid for the object's storage class", "wire"),
        (
            "s3:TemporaryRedirect",
            307,
            "Please re-send this request to the specified temporary endpoint. Continue to use the original request "
            "endpoint for future requests.",
            "wire",
        ),
        # the code and the message's last blank are Amazon's
        (
            "s3:CrossLocationLoggingProhibitted",
            403,
            "Cross S3 location logging not allowed. ",
            "wire",
        ),
        (
            "bos:SignatureDoesNotMatch",
            400,
            "The request signature we calculated does not match the signature you provided. Check your Secret Access "
            "Key and signing method. Consult the service documentation for details.",
            "doc",
        ),
        (
            "bos:IdempotentParameterMismatch",
            403,
            "The request uses the same client token as a previous, but non-identical request.",
            "doc",
        ),
        (
            "tos:SignatureDoesNotMatch",
            403,
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method.",
            "wire",
        ),
        ("oss:ObjectNotAppendable", 409, "The object is not appendable.", "doc"),
        (
            "gcs:rateLimitExceeded",
            429,
            "The project exceeded the rate limit for creating and deleting buckets.",
            "wire",
        ),
    ],
)
def test_peculiar_rows(address, status, message, source):
    """Typos, doubled blanks, odd statuses and the chosen wire texts stay as they are."""
    row = vendors.find(address)
    assert (row.address, row.status, row.message, row.message_source) == (address, status, message, source)


def test_messages_by_source():
    """What was seen on the wire, what is documented and what is our rendering are told apart."""
    counted = {
        vendor: Counter(row.message_source for row in vendors.get(vendor).errors)
        for vendor in (*FIRST_VENDORS, "s3")
    }
    assert counted == {
        "cos": {"wire": 14, "doc": 3, "derived": 64},
        "gateway": {"doc": 6},
        "jss": {"doc": 57},
        "qingstor": {"wire": 1, "derived": 39},
        "qiniu-mix": {"doc": 78},
        "s3": {"wire": 84, "doc": 42},
    }


@pytest.mark.parametrize(
    ("vendor", "digest"),
    [
        ("cos", "955dff4278f009f9a156af97e8147e0fcc24e7300ffe8ea2d9aabb7bd8d960e5"),
        ("qingstor", "ea7029a25d7e869253fa4c0ae9e70f4af04874b6448da3a4c5e757b95033cd0f"),
    ],
)
def test_english_messages_byte_for_byte(vendor, digest):
    """The English messages of the two Chinese tables do not change unnoticed."""
    lines = (f"{row.label}\t{row.message_source}\t{row.message}\n" for row in vendors.get(vendor).errors)
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == digest


def test_derived_cos_messages_are_the_english_originals():
    """COS's Chinese rows are a translation of the table that MIX prints in English."""
    derived = [row for row in vendors.get("cos").errors if row.message_source == "derived"]
    ours = [row.message for row in derived if row.code != "InvalidRequest"]
    assert ours == [
        vendors.find(f"qiniu-mix:{row.code}").message for row in derived if row.code != "InvalidRequest"
    ]


def test_invalid_request_has_eight_rows_of_its_own():
    """Each COS InvalidRequest row says something else, all with status 400."""
    rows = [row for row in vendors.get("cos").errors if row.code == "InvalidRequest"]
    assert [row.label for row in rows] == ["InvalidRequest", *(f"InvalidRequest/{n}" for n in range(2, 9))]
    assert {row.status for row in rows} == {400}
    assert len({row.message for row in rows}) == len({row.description for row in rows}) == 8
    assert rows[7].description == "COS 传输加速无法在此存储桶上启用。联系腾讯云支持以获取更多信息。"


def test_repaired_row_says_so():
    """The one row whose cells had shifted is put right and carries a note."""
    row = vendors.find("cos:RequestIsNotMultiPartContent")
    assert row.description == "Bucket POST 必须是机箱型multipart / form-data。"
    assert (
        row.note
        == "Repaired: in the document the first word of the description, Bucket, had slipped into the code column."
    )
    assert [each.code for each in vendors.get("cos").errors if each.note.startswith("Repaired")] == [row.code]


def test_remarks_of_the_jss_table_are_notes():
    """JSS's Chinese column is the note, never the message; an empty cell is an empty note."""
    assert vendors.find("jss:AccessDenied").note == "访问被拒绝"
    assert vendors.find("jss:SlowDown").note == ""
    assert sum(bool(row.note) for row in vendors.get("jss").errors) == 16


DAMAGE = {
    "two texts joined by or": re.compile(r"[.!]\s*or\b"),
    "the bullet of a list": re.compile(r"^\s*[-*\u2022]|\. - "),
    "a placeholder": re.compile(r"X{3}|\bx{3}\b|\{[A-Za-z]\w*\}|<[A-Za-z][\w-]*>|%[sd]|\$\w"),
    "two names of which one is meant": re.compile(
        r"\b(blob|container|bucket|object)/(blob|container|bucket|object)\b"
    ),
    "a value that is missing": re.compile(r"\b(is|of|to|than|the|an?)[.,]?$|\(\)"),
    "a blank before a full stop": re.compile(r" \.( |$)"),
    "a quote that does not end": re.compile(r'^[^"]*("[^"]*"[^"]*)*"[^"]*$'),
    "a program": re.compile(r'" \+|//'),
}
"""What reading a page can leave in a message, which no service sends."""
INTACT = {
    "swift:NoSuchLifecycleConfiguration": "its source has the blank and both full stops",
    "minio:AuthorizationQueryParametersError": "its source shows the form of a credential in angle brackets",
    "r2:ServiceUnavailable": "answers have the address in them",
    "obs:IllegalLocationConstraintException": "the place of the location, which the request does not give, is empty",
}
"""Messages that look damaged, and are not."""


def test_no_message_is_damaged_by_how_its_page_was_read(for_all):
    """Bullets, alternatives, placeholders and lost words of a document never reach the wire."""

    def check(row):
        marks = [what for what, mark in DAMAGE.items() if mark.search(row.message)]
        assert marks == [] or row.address in INTACT

    for_all([row for vendor in SHAPES for row in vendors.get(vendor).errors], check)
    stale = [
        each
        for each in INTACT
        if not any(mark.search(vendors.find(each).message) for mark in DAMAGE.values())
    ]
    assert stale == []


TOLD_IN_A_NOTE = re.compile(r"(?i)answers seen (say|have|end)|gives the status|seen on the wire with")
"""A note that knows better than its row."""
NOT_THE_ROW = {
    "gcs-xml:ExpiredToken": "the words of older answers are the row's",
}


def test_what_is_known_stands_in_the_row(for_all):
    """A note says what is peculiar, not that status or message are others."""

    def check(row):
        assert not TOLD_IN_A_NOTE.search(row.note) or row.address in NOT_THE_ROW
        assert row.status is not None or not re.search(r"\b[1-5]\d\d\b", row.note)

    for_all([row for vendor in SHAPES for row in vendors.get(vendor).errors], check)


SEEN = re.compile(r"message|seen|answer|issues/|pull/|#\d|page of")
"""How a source says where a message was seen."""
BY_CONTRACT = {"cos", "qingstor", "kodo", "bos", "tos", "b2"}
"""Vendors whose tables say it elsewhere: their documents, or their SDKs' tests, show the wire."""


@row_by_row("vendor", [each for each in SHAPES if each not in BY_CONTRACT])
def test_a_message_of_the_wire_says_where_it_was_seen(vendor):
    """A capture that beats the document can be looked at."""
    rows = [row for row in vendors.get(vendor).errors if row.message_source == "wire"]
    assert [row.address for row in rows if not SEEN.search(row.source)] == []


CAPTURED = {
    "azure-blob:AuthenticationFailed": "Server failed to authenticate the request. Make sure the value of Authorization "
    "header is formed correctly including the signature.",
    "azure-blob:ConditionNotMet/1": "The condition specified using HTTP conditional header(s) is not met.",
    "azure-blob:ConditionNotMet": "The condition specified using HTTP conditional header(s) is not met.",
    "azure-blob:InternalError": "Server encountered an internal error. Please try again after some time.",
    "azure-blob:InvalidHeaderValue": "The value for one of the HTTP headers is not in the correct format.",
    "azure-blob:InvalidMetadata": "The metadata specified is invalid. It has characters that are not permitted.",
    "azure-blob:InvalidQueryParameterValue": "Value for one of the query parameters specified in the request URI is "
    "invalid.",
    "azure-blob:InvalidResourceName": "The specifed resource name contains invalid characters.",
    "azure-blob:InvalidXmlDocument": "XML specified is not syntactically valid.",
    "azure-blob:LeaseIdMissing": "There is currently a lease on the blob and no lease ID was specified in the request.",
    "azure-blob:Md5Mismatch": "The MD5 value specified in the request did not match with the MD5 value calculated by "
    "the server.",
    "azure-blob:MissingRequiredHeader": "An HTTP header that's mandatory for this request is not specified.",
    "azure-blob:OperationTimedOut": "Operation could not be completed within the specified time.",
    "azure-blob:ServerBusy": "The server is busy.",
    "gcs:notFound": "Not Found",
    "obs:AccessDenied": "Access Denied",
    "obs:AccessDenied/1": "OBS authentication requires a valid Date or x-obs-date header",
    "obs:IllegalLocationConstraintException": "The  location constraint is incompatible for the region specific endpoint "
    "this request was sent to.",
    "obs:NoSuchUpload": "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
    "aborted or completed.",
    "obs:SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided. Check "
    "your key and signing method.",
    "oss:AccessDenied": "You have no right to access this object because of bucket acl.",
    "oss:InvalidAccessKeyId": "The OSS Access Key Id you provided does not exist in our records.",
    "oss:SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided. Check "
    "your key and signing method.",
    "r2:AccessDenied": "Access Denied",
    "r2:IncompleteBody": "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    "r2:InternalError": "We encountered an internal error. Please try again.",
    "r2:ServiceUnavailable": "Please look at https://www.cloudflarestatus.com for issues or contact customer support.",
    "r2:ServiceUnavailable/2": "Reduce your concurrent request rate for the same object.",
    "r2:NoSuchUpload": "The specified multipart upload does not exist.",
    "r2:SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided. Check "
    "your secret access key and signing method. ",
}
"""What answers say where the vendor's page says something else."""


def test_captures_beat_the_prose_of_pages():
    """The words of an answer that was seen, not those of the document, are sent."""
    assert {each: (row.message, row.message_source) for each in CAPTURED for row in [vendors.find(each)]} == {
        each: (message, "wire") for each, message in CAPTURED.items()
    }


@row_by_row(
    ("address", "status", "message"),
    [
        ("azure-blob:AuthorizationFailure", 403, "This request is not authorized to perform this operation."),
        (
            "azure-blob:ContentLengthLargerThanTierLimit",
            409,
            "The blob's content length cannot exceed its tier limit.",
        ),
        ("azure-blob:BlobOperationNotSupported", 409, "The operation is not supported in this scenario."),
        ("azure-blob:AccountProtectedFromDeletion", 409, "The specified account is protected from deletion"),
        ("r2:ExpiredRequest", 403, "Presigned URL or request signature has expired."),
        (
            "oss:PreconditionFailed",
            412,
            "At least one of the pre-conditions you specified did not hold.",
        ),
        ("oss:EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size."),
        ("oss:EntityTooLarge/2", 400, "Source object Length exceeds the maximum allowed size."),
        (
            "swift:XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        ("rgw:Metadata_name_too_long", 400, ""),
        ("rgw:Not_an_SLO_manifest", 400, ""),
        ("rgw:Invalid_UTF8_or_contains_NULL", 412, ""),
    ],
)
def test_rows_of_later_editions(address, status, message):
    """What a page, or a second page of the document, says today."""
    row = vendors.find(address)
    assert (row.status, row.message) == (status, message)


def test_a_bare_code_is_the_row_that_clients_meet_most():
    """A column of the table marks it; its number names it as well, and numbers count the rows of the page."""
    denied = vendors.find("oss:AccessDenied")
    assert (denied.variant, denied.usual, denied.address) == (18, True, "oss:AccessDenied")
    assert vendors.find("oss:AccessDenied/18") is denied
    first = vendors.find("oss:AccessDenied/1")
    assert (first.variant, first.usual, first.address) == (1, False, "oss:AccessDenied/1")
    assert [row.address for row in vendors.get("oss").group("@all") if row.code == "AccessDenied"] == [
        denied.address
    ]
    assert vendors.find("cos:InvalidRequest/1") is vendors.find("cos:InvalidRequest")


def test_every_code_has_one_usual_row():
    """The marked one, or else the first."""
    for vendor in SHAPES:
        usual = Counter(row.code for row in vendors.get(vendor).errors if row.usual)
        assert usual == Counter({row.code for row in vendors.get(vendor).errors})


# What is said in these two is the vendor's own markup, which stands so on the wire.
WITH_MARKS = {"minio"}
# Ceph leaves the message empty, and its source says no more than the code; B2 was seen to send an empty one.
WITHOUT_MESSAGES = {"rgw", "b2:unauthorized"}
# Amazon's message ends in a blank, and so does Cloudflare's.
WITH_A_BLANK = {"s3:CrossLocationLoggingProhibitted", "r2:SignatureDoesNotMatch"}


@each_vendor
def test_rows_are_well_formed(vendor, for_all):
    """Every row is complete, in the closed vocabularies, and its message can go on any wire."""

    def check(row):
        assert row.message or {vendor, row.address} & WITHOUT_MESSAGES
        assert row.message.isascii()
        assert row.message.isprintable() or not row.message
        assert row.message == row.message.strip() or row.address in WITH_A_BLANK
        assert "`" not in row.message or vendor in WITH_MARKS
        assert "](" not in row.message
        assert row.code.isascii()
        assert row.code == row.code.strip()
        assert row.code.isprintable()
        assert row.description or vendor not in FIRST_VENDORS
        assert row.source
        assert row.row >= 1
        assert row.message_source in {"wire", "doc", "derived"}
        assert row.category in CATEGORIES
        assert row.retryable in {"yes", "no", "unstated"}
        assert row.status is None or 200 <= row.status <= 799
        assert row.form in {"", *vendors.get(vendor).forms}
        assert row.reason.isascii()
        for text in (row.description, row.note, row.source, row.retryable_words, row.reason):
            assert text == text.strip()
            assert text.isprintable()
            assert "\u3000" not in text
            assert "](" not in text

    for_all(vendors.get(vendor).errors, check)


CODE = re.compile("[A-Za-z0-9]+([._-]?[A-Za-z0-9]+)*")


def test_codes_can_be_named_in_rules(for_all):
    """A code is letters, digits and single marks between them; what else a vendor sends is named by its label."""

    def check(row):
        if CODE.fullmatch(row.code) and row.status is not None:
            return
        rule = Rule(row.address, status=400)
        assert Scenario.parse(str(rule)).rules == (rule,)
        assert vendors.find(row.address) is row

    for_all([row for vendor in SHAPES for row in vendors.get(vendor).errors], check)


@each_vendor
def test_what_is_not_verified_says_why(vendor, for_all):
    """Who takes a fact from memory notes it."""

    def check(row):
        assert not row.unverified or row.note

    for_all(vendors.get(vendor).errors, check)


@each_vendor
def test_retryable_is_quoted_from_the_row(vendor, for_all):
    """Who calls an error retryable, or final, quotes the document; who quotes nothing says unstated."""

    def check(row):
        assert (row.retryable == "unstated") == (row.retryable_words == "")
        assert any(row.retryable_words in text for text in (row.message, row.description, row.note))

    for_all(vendors.get(vendor).errors, check)


SAYS = {
    "": "",
    "after-authorize": "authorize",
    "after-refresh": "refresh|Regenerate",
    "with-care": "can be retried, though care|[Tt]ry again",
    "new-session": "new (session|upload)",
    "query-first": "query the server state|Refetch",
    "after-signing": "signs anew",
}
"""How documents ask for something before a request is sent again."""


@each_vendor
def test_what_is_to_be_done_first_is_quoted_from_the_row(vendor, for_all):
    """Who says how a request may be sent again, quotes the document."""
    assert {row.again for row in vendors.get(vendor).errors} <= {*SAYS}

    def check(row):
        assert re.search(SAYS[row.again], f"{row.message} {row.description} {row.note}")

    for_all(vendors.get(vendor).errors, check)


def test_rows_that_ask_for_something_first():
    """Exactly these."""
    said = {row.address: row.again for vendor in SHAPES for row in vendors.get(vendor).errors if row.again}
    assert said == {
        "bos:RequestExpired": "after-signing",
        "oss:RequestTimeTooSkewed": "after-signing",
        "azure-blob:OperationTimedOut": "query-first",
        "b2:bad_auth_token": "after-authorize",
        "b2:expired_auth_token": "after-authorize",
        "cos:TokenRefreshRequired": "after-refresh",
        "gcs:Gone": "new-session",
        "gcs:authError": "after-refresh",
        "gcs:conflict": "with-care",
        "gcs-xml:Gone": "new-session",
        "gcs-xml:OperationAborted": "with-care",
        "qiniu-mix:TokenRefreshRequired": "after-refresh",
        "r2:ExpiredRequest": "after-refresh",
        "r2:PreconditionFailed": "query-first",
        "s3:TokenRefreshRequired": "after-refresh",
        "swift:OperationAborted": "with-care",
        "swift:TokenRefreshRequired": "after-refresh",
    }


def test_retryable_rows():
    """Exactly these rows say whether to try again."""
    said = {row.address: (row.retryable, row.retryable_words) for row in ROWS if row.retryable != "unstated"}
    assert said == {
        "cos:BucketAlreadyExists": ("no", "请选择其他名称，然后重试。"),
        "cos:InternalError": ("yes", "请再试一次。"),
        "cos:OperationAborted": ("yes", "再试一次。"),
        "cos:PermanentRedirect": ("no", "将所有将来的请求发送到此端点。"),
        "cos:ServiceUnavailable": ("yes", "降低您的请求率。"),
        "cos:SlowDown": ("yes", "降低您的请求率。"),
        "jss:BucketAlreadyExists": ("no", "Please select a different name and try again."),
        "jss:InternalError": ("yes", "Please try again."),
        "jss:SlowDown": ("yes", "Please reduce your request rate."),
        "qingstor:fetch_throttled": ("yes", "请稍后重试"),
        "qingstor:internal_error": ("yes", "请稍后重试"),
        "qingstor:service_unavailable": ("yes", "请稍后重试"),
        "qiniu-mix:InternalError": ("yes", "Please try again."),
        "qiniu-mix:OperationAborted": ("yes", "Try again."),
        "qiniu-mix:ServiceUnavailable": ("yes", "Reduce your request rate."),
        "qiniu-mix:SlowDown": ("yes", "Reduce your request rate."),
        "gateway:ServiceUnavailable": ("yes", "will likely be alleviated after some delay"),
        "gateway:TooManyRequests": ("yes", "how long to wait before making a new request"),
    }


BY_PROTOCOL = {
    "gateway": ["TooManyRequests", "ServiceUnavailable"],
    "kodo": ["502", "503", "504", "599"],
    "kodo-s3": ["InternalError", "ServiceUnavailable", "SlowDown"],
    "rgw": [
        *("RequestTimeout", "OperationAborted", "InternalError", "ServiceUnavailable", "SlowDown"),
        *("UnknownError", "Rate_Limited"),
    ],
    "swift": [
        *(
            "408",
            "499",
            "500",
            "502",
            "503",
            "504",
            "507",
            "529",
            "498",
            "InternalError",
            "OperationAborted",
            "RequestTimeout",
        ),
        *("ServiceUnavailable", "SlowDown"),
    ],
}
"""Who says little or nothing of retries, and speaks protocols that do."""
SILENT_OF_503 = (
    "qingstor:upstream_failed",
    "minio:XMinioAdminConfigNoQuorum",
    "minio:XMinioAdminReplicationRemoteConnectionError",
    *(
        f"minio:XMinioSiteReplication{each}"
        for each in (
            "BackendIssue",
            "BucketConfigError",
            "BucketMetaError",
            "IAMError",
            "ServiceAccountError",
        )
    ),
)
"""A founder, whose rows say what its document does, and 503s of MinIO's admin API that are the state of a site."""


@row_by_row("vendor", BY_PROTOCOL)
def test_what_the_protocol_calls_retryable(vendor):
    """What S3 and HTTP say holds of those that speak them."""
    assert [row.label for row in vendors.get(vendor).group("@retryable")] == BY_PROTOCOL[vendor]


def test_who_is_busy_says_so():
    """RFC 9110 and 6585 say of a 503, a 429 and a 408 that it is a matter of time; S3 of its two codes."""
    silent = {
        row.address
        for vendor in SHAPES
        for row in vendors.get(vendor).errors
        if row.retryable != "yes"
        and (row.status in (408, 429, 503) or row.code in ("SlowDown", "ServiceUnavailable"))
    }
    assert silent == {*SILENT_OF_503}


@each_vendor
def test_categories_agree_with_statuses(vendor, for_all):
    """A 5xx is the server's or throttling, a 3xx a redirect, a 412 a precondition, and none of these is anything else."""

    def check(row):
        assert (row.status in range(300, 400)) == (row.category == "redirect")
        assert (row.status == 412) == (row.category == "precondition")
        if row.status in range(500, 600):
            assert row.category in {"server", "throttle"}
        else:
            assert row.category != "server"

    for_all(vendors.get(vendor).errors, check)


# --- the vendors beside each other -------------------------------------------------------------------------


def table(vendor):
    """What a vendor's document says, without whose it is."""
    return [(row.code, row.status, row.message) for row in vendors.get(vendor).errors]


def test_no_vendor_has_the_table_of_another(for_all):
    """Relatives share codes and many words, never the whole, nor even all but a few rows."""
    pairs = [(one, other) for one in SHAPES for other in SHAPES if one < other]

    def check(pair):
        first, second = ({*table(each)} for each in pair)
        assert len(first & second) < 0.9 * min(len(first), len(second))

    for_all(pairs, check)


def test_no_file_of_a_table_is_another_vendors():
    """Each reads its own folder, and no two of these are equal."""
    names = vendors.own_names()
    files = [PACKAGE / vendor.replace("-", "_") / "errors.csv" for vendor in names]
    assert len({file.read_bytes() for file in files}) == len(names)
    assert {path.parent for path in PACKAGE.glob("*/errors.csv")} == {file.parent for file in files}
    rows = [row for vendor in names for row in vendors.get(vendor).errors]
    assert len({id(row) for row in rows}) == len({row.address for row in rows}) == len(rows)
    assert all(row.vendor == vendor for vendor in names for row in vendors.get(vendor).errors)


OWN = {
    "azure-blob": "azure|azurite",
    "b2": "b2|backblaze",
    "bos": "bos|baidu",
    "cos": "tencent",
    "gateway": "nginx",
    "gcs": "json api|google",
    "gcs-xml": "xml api|google",
    "jdcloud": "jd cloud|jdcloud",
    "jss": "jss",
    "kodo": "kodo",
    "kodo-s3": "kodo",
    "minio": "minio",
    "obs": "obs|opentelekomcloud|huawei",
    "oss": "oss|alibaba|aliyun",
    "qingstor": "qingstor",
    "qiniu-mix": "mix",
    "r2": "r2|cloudflare",
    "rgw": "ceph|rgw",
    "s3": "s3|aws|amazon|boto|versitygw/issues",
    "swift": "swift",
    "tos": "tos|volcengine",
}
"""What names the vendor in the sources of its rows."""


@each_vendor
def test_every_row_has_a_source_of_its_own_vendor(vendor, for_all):
    """Codes and words that two vendors have in common come from each one's own document."""

    def check(row):
        assert re.search(OWN[vendor], row.source, re.IGNORECASE)

    for_all(vendors.get(vendor).errors, check)


def test_no_source_is_shared():
    """No two vendors name one and the same source for a row."""
    named = [
        (vendor, source) for vendor in SHAPES for source in {row.source for row in vendors.get(vendor).errors}
    ]
    twice = [source for source, times in Counter(source for _, source in named).items() if times > 1]
    assert {source: [vendor for vendor, each in named if each == source] for source in twice} == {}
