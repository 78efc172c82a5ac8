"""The catalogue holds the vendors' tables, unchanged."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from faultinject import vendors
from faultinject.vendors.vendor import CATEGORIES

SHAPES = {
    "cos": (81, 74),
    "gateway": (6, 6),
    "jss": (57, 55),
    "qingstor": (40, 40),
    "qiniu-mix": (78, 78),
}
ROWS = [row for vendor in SHAPES for row in vendors.get(vendor).errors]


def each_row():
    return pytest.mark.parametrize("row", ROWS, ids=lambda row: row.address)


@pytest.mark.parametrize("vendor", SHAPES)
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


@pytest.mark.parametrize(
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
    ],
)
def test_peculiar_rows(address, status, message, source):
    """Typos, doubled blanks, odd statuses and the chosen wire texts stay as they are."""
    row = vendors.find(address)
    assert (row.address, row.status, row.message, row.message_source) == (address, status, message, source)


def test_messages_by_source():
    """What was seen on the wire, what is documented and what is our rendering are told apart."""
    counted = {vendor: Counter(row.message_source for row in vendors.get(vendor).errors) for vendor in SHAPES}
    assert counted == {
        "cos": {"wire": 14, "doc": 3, "derived": 64},
        "gateway": {"doc": 6},
        "jss": {"doc": 57},
        "qingstor": {"wire": 1, "derived": 39},
        "qiniu-mix": {"doc": 78},
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


@each_row()
def test_row_is_well_formed(row):
    """Every row is complete, in the closed vocabularies, and its message can go on any wire."""
    assert row.message
    assert row.message.isascii()
    assert row.message.isprintable()
    assert row.message == row.message.strip()
    assert "`" not in row.message
    assert "](" not in row.message
    assert row.code.isascii()
    assert row.code.replace("_", "").isalnum()
    assert row.description
    assert row.source
    assert row.row >= 1
    assert row.message_source in {"wire", "doc", "derived"}
    assert row.category in CATEGORIES
    assert row.retryable in {"yes", "no", "unstated"}
    for text in (row.description, row.note, row.source, row.retryable_words):
        assert text == text.strip()
        assert text.isprintable()
        assert "\u3000" not in text
        assert "](" not in text


@each_row()
def test_retryable_is_quoted_from_the_row(row):
    """Who calls an error retryable, or final, quotes the document; who quotes nothing says unstated."""
    assert (row.retryable == "unstated") == (row.retryable_words == "")
    assert any(row.retryable_words in text for text in (row.message, row.description, row.note))


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
    }


@pytest.mark.parametrize("vendor", SHAPES)
def test_categories_agree_with_statuses(vendor):
    """A 5xx is the server's or throttling, a 3xx a redirect, a 412 a precondition, and none of these is anything else."""
    for row in vendors.get(vendor).errors:
        assert (row.status in {301, 307}) == (row.category == "redirect"), row
        assert (row.status == 412) == (row.category == "precondition"), row
        if row.status is not None and row.status >= 500:
            assert row.category in {"server", "throttle"}, row
        else:
            assert row.category != "server", row
