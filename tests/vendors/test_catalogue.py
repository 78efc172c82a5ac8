"""The catalogue holds the vendors' tables, unchanged."""

import hashlib
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from faultinject import Rule, Scenario, vendors
from tests.first_vendors import FIRST_VENDORS
from tests.rows import each_row

PACKAGE = Path(vendors.__file__).parent
DIGESTS = {
    "azure-blob": "dfbdf2708b40d756",
    "b2": "cb4088654d9ea2bb",
    "bos": "904182f8bf1c21a2",
    "cos": "05ba3b2480de5c8d",
    "gateway": "b376769dcc158ab8",
    "gcs": "098cf273d5f246eb",
    "gcs-xml": "eefda3cb8f4da2df",
    "jdcloud": "c78230f0697d5137",
    "jss": "311e2a5065f7d0f8",
    "kodo": "8abcee32d0ee1f2f",
    "kodo-s3": "74c05312a227f949",
    "minio": "9b8a75b42087c9df",
    "obs": "53562e2a742b2c19",
    "oss": "40dd903f6cf5966f",
    "qingstor": "20ce5be28e23c486",
    "qiniu-mix": "c0345cc7024e6d9c",
    "r2": "665cc8010cd913dd",
    "rgw": "e0367ea9a1fa1196",
    "s3": "f8762b64a5dcf348",
    "swift": "b7e87f8ff4cb1ef6",
    "tos": "cec403f9dc4a0fec",
}
"""Digests of each vendor's codes, numbers, statuses, sources of messages, and messages."""
ROWS = [row for vendor in FIRST_VENDORS for row in vendors.get(vendor).errors]
EVERY_ROW = [row for vendor in DIGESTS for row in vendors.get(vendor).errors]
each_vendor = each_row("vendor", DIGESTS)


@pytest.mark.parametrize(
    ("vendor", "digest"),
    [
        ("qingstor", "1c908e250d7ad2440abcd0886a76d7872f4fe8732f752160f84ecb55196b86df"),
        ("cos", "8343f035313c1c81505d573ee3e816d67c0270bacb671f33236f3e1750f728f9"),
    ],
)
def test_descriptions_byte_for_byte(vendor, digest):
    """The Chinese of the two tables is the document's, to the byte."""
    lines = (
        f"{row.code}\t{'' if row.status is None else row.status}\t{row.description}\n"
        for row in vendors.get(vendor).errors
    )
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == digest


@each_vendor
def test_tables_do_not_change_unnoticed(vendor):
    """Each table has its recorded digest.

    Answers are compared with the row that they were made of: here the rows with what was read and checked. Typos,
    doubled blanks, odd statuses, and the words of captures in place of a page's stay as they are, and no row is
    missing or invented.
    """
    errors = vendors.get(vendor).errors
    lines = (
        f"{row.label}\t{'' if row.status is None else row.status}\t{row.message_source}\t{row.message}\n"
        for row in errors
    )
    assert hashlib.sha256("".join(lines).encode()).hexdigest()[:16] == DIGESTS[vendor]
    assert [row.row for row in errors] == list(range(1, len(errors) + 1))


def test_derived_cos_messages_are_the_english_originals():
    """Derived COS messages are MIX's English ones, except where they name Tencent and COS.

    COS's Chinese rows are a translation of the table that MIX prints in English.
    """
    own = ("InvalidRequest", "AccountProblem", "NotSignedUp")
    errors = [row for row in ROWS if row.vendor == "cos" and row.message_source == "derived"]
    derived = [row for row in errors if row.code not in own]
    assert [row.message for row in derived] == [
        vendors.find(f"qiniu-mix:{row.code}").message for row in derived
    ]
    assert [row.address for row in errors if re.search("AWS|Amazon", row.message)] == []


def test_invalid_request_has_eight_rows_of_its_own():
    """Each COS InvalidRequest row says something else, all with status 400."""
    rows = [row for row in vendors.get("cos").errors if row.code == "InvalidRequest"]
    labels = ["InvalidRequest", *(f"InvalidRequest/{n}" for n in range(2, 9))]
    assert [(row.label, row.status) for row in rows] == [(label, 400) for label in labels]
    assert len({row.message for row in rows}) == len({row.description for row in rows}) == 8
    assert rows[7].description == "COS 传输加速无法在此存储桶上启用。联系腾讯云支持以获取更多信息。"


def test_repaired_row_says_so():
    """The one row whose cells had shifted is put right and carries a note."""
    repaired = [row for row in vendors.get("cos").errors if row.note.startswith("Repaired")]
    assert [(row.code, row.description, row.note) for row in repaired] == [
        (
            "RequestIsNotMultiPartContent",
            "Bucket POST 必须是机箱型multipart / form-data。",
            "Repaired: in the document the first word of the description, Bucket, had slipped into the code column.",
        )
    ]


def test_remarks_of_the_jss_table_are_notes():
    """JSS's Chinese column is the note, never the message; an empty cell is an empty note."""
    notes = [vendors.find(each).note for each in ("jss:AccessDenied", "jss:SlowDown")]
    assert notes == ["访问被拒绝", ""]
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
"""Damage that reading a page can leave in a message, and that no service sends."""
INTACT = {
    "oss:MirrorFailed/4": "its source has the brackets, and nothing in them",
    "swift:NoSuchLifecycleConfiguration": "its source has the blank and both full stops",
    "minio:AuthorizationQueryParametersError": "its source shows the form of a credential in angle brackets",
    "r2:ServiceUnavailable": "answers have the address in them",
    "obs:IllegalLocationConstraintException": "the place of the location, which the request does not give, is empty",
}
"""Messages that look damaged, and are not."""


def test_no_message_is_damaged_by_how_its_page_was_read():
    """Bullets, alternatives, placeholders and lost words of a document never reach the wire."""
    for row in EVERY_ROW:
        marks = [what for what, mark in DAMAGE.items() if mark.search(row.message)]
        assert bool(marks) == (row.address in INTACT), (row.address, marks)


TOLD_IN_A_NOTE = re.compile(r"(?i)answers seen (say|have|end)|gives the status|seen on the wire with")
"""A note that knows better than its row."""
NOT_THE_ROW = {
    "gcs-xml:ExpiredToken": "the words of older answers are the row's",
}


def test_what_is_known_stands_in_the_row():
    """A note says what is peculiar, not that status or message are others."""
    for row in EVERY_ROW:
        assert not TOLD_IN_A_NOTE.search(row.note) or row.address in NOT_THE_ROW
        assert row.status is not None or not re.search(r"\b[1-5]\d\d\b", row.note)


SEEN = re.compile(r"message|seen|answer|issues/|pull/|#\d|page of")
"""Words of a source that say where a message was seen."""
BY_CONTRACT = {"cos", "qingstor", "kodo", "bos", "tos", "b2"}
"""Vendors whose documents, or whose SDKs' tests, show the wire."""


def test_a_message_of_the_wire_says_where_it_was_seen():
    """A capture that beats the document can be looked at."""
    rows = [row for row in EVERY_ROW if row.message_source == "wire" and row.vendor not in BY_CONTRACT]
    assert [row.address for row in rows if not SEEN.search(row.source)] == []


def test_a_bare_code_is_the_row_that_clients_meet_most():
    """A bare code names the row that the table marks as usual; numbers name each row.

    The row that clients meet most. Numbers count the rows of the page.
    """
    denied, first = vendors.find("oss:AccessDenied"), vendors.find("oss:AccessDenied/1")
    assert [(row.variant, row.usual, row.address) for row in (denied, first)] == [
        (18, True, "oss:AccessDenied"),
        (1, False, "oss:AccessDenied/1"),
    ]
    assert vendors.find("oss:AccessDenied/18") is denied
    assert [row for row in vendors.get("oss").group("@all") if row.code == "AccessDenied"] == [denied]


def test_every_code_has_one_usual_row():
    """The marked one, or else the first."""
    usual = Counter((row.vendor, row.code) for row in EVERY_ROW if row.usual)
    assert usual == Counter({(row.vendor, row.code) for row in EVERY_ROW})


# What is said in these two is the vendor's own markup, which stands so on the wire.
WITH_MARKS = {"minio"}
# Ceph leaves the message empty, and its source has no more than the code; B2 was seen to send an empty one.
WITHOUT_MESSAGES = {"rgw", "b2:unauthorized"}
# Amazon's message ends in a blank, and so does Cloudflare's.
WITH_A_BLANK = {"s3:CrossLocationLoggingProhibitted", "r2:SignatureDoesNotMatch"}


@each_vendor
def test_rows_are_well_formed(vendor):
    """Every row is complete, in the closed vocabularies, and its message can go on any wire."""
    for row in vendors.get(vendor).errors:
        sent = row.message, row.code, row.reason
        told = row.description, row.note, row.source, row.retryable_words
        assert row.message or {vendor, row.address} & WITHOUT_MESSAGES
        assert row.description or vendor not in FIRST_VENDORS
        assert row.source
        assert row.row >= 1
        assert row.status is None or 200 <= row.status <= 799
        assert all(text.isascii() for text in sent)
        assert all(text.isprintable() for text in (*sent, *told))
        assert all(text == text.strip() for text in (row.code, row.reason, *told))
        assert row.message == row.message.strip() or row.address in WITH_A_BLANK
        assert "`" not in row.message or vendor in WITH_MARKS
        assert not any(mark in text for text in (row.message, row.reason, *told) for mark in ("](", "\u3000"))
        assert row.message_source in {"wire", "doc", "derived"}
        assert row.category in {
            *(
                "throttle",
                "server",
                "auth",
                "not-found",
                "conflict",
                "precondition",
                "limit",
                "request",
                "redirect",
            )
        }
        assert row.retryable in {"yes", "no", "unstated"}
        assert row.form in {"", *vendors.get(vendor).forms}


CODE = re.compile("[A-Za-z0-9]+([._-]?[A-Za-z0-9]+)*")


def test_codes_can_be_named_in_rules():
    """A code has letters, digits and single marks; any other is named by its label."""
    for row in EVERY_ROW:
        if CODE.fullmatch(row.code) and row.status is not None:
            continue
        rule = Rule(row.address, status=400)
        assert Scenario.parse(str(rule)).rules == (rule,)
        assert vendors.find(row.address) is row


def test_what_is_not_verified_says_why():
    """An unverified fact has a note."""
    assert [row.address for row in EVERY_ROW if row.unverified and not row.note] == []


def test_which_rows_of_kodos_s3_were_seen():
    """Three, in answers of Qiniu's."""
    seen = [row.code for row in vendors.get("kodo-s3").errors if not row.unverified]
    assert seen == ["AccessDenied", "NoSuchKey", "NotSupportAnonymous"]


def test_retryable_is_quoted_from_the_row():
    """`retryable` is yes or no only with a quotation of the document.

    Otherwise it is unstated.
    """
    for row in EVERY_ROW:
        assert (row.retryable == "unstated") == (row.retryable_words == ""), row
        assert any(row.retryable_words in text for text in (row.message, row.description, row.note)), row


SAYS = {
    "": "",
    "after-authorize": "authorize",
    "after-refresh": "refresh|Regenerate",
    "with-care": "can be retried, though care",
    "new-session": "new (session|upload)",
    "query-first": "query the server state|Refetch",
    "after-signing": "signs anew",
}
"""Words of documents that ask for a step before a request is sent again."""


def test_what_is_to_be_done_first_is_quoted_from_the_row():
    """A step before a retry is quoted from the document."""
    for row in EVERY_ROW:
        assert re.search(SAYS[row.again], f"{row.message} {row.description} {row.note}"), row


SKEWED = "cos gcs-xml jdcloud jss kodo-s3 minio obs oss qiniu-mix rgw s3 swift tos".split()
"""Vendors with RequestTimeTooSkewed: one code, with one meaning."""


def test_rows_of_one_code_agree():
    """Rows of one code differ only where their words do, and an SDK's reaction holds for all."""
    by_code = {}
    for row in EVERY_ROW:
        by_code.setdefault((row.vendor, row.code), []).append(row)
    for rows in by_code.values():
        told = {(row.retryable, row.again) for row in rows}
        by_sdk = [row.address for row in rows if row.retryable == "yes" and "SDK" in row.note]
        assert len(told) == 1 or by_sdk == []


CARE = {"gcs-xml:OperationAborted"}
"""Google asks for care, in words of its own."""


@pytest.mark.parametrize(
    "code", ["RequestTimeTooSkewed", "OperationAborted", "TokenRefreshRequired", "SlowDown"]
)
def test_codes_with_one_meaning_have_one_rule(code):
    """A code with one meaning has one rule at all vendors, or a source for another.

    All of them may be retried after the same step.
    """
    rows = [row for row in EVERY_ROW if row.code == code]
    assert len(rows) > 3
    assert len({(row.retryable, row.again) for row in rows if row.address not in CARE}) == 1


def test_rows_that_ask_for_something_first():
    """Exactly these."""
    said = {row.address: row.again for row in EVERY_ROW if row.again}
    assert said == {
        "bos:RequestExpired": "after-signing",
        "qingstor:request_expired": "after-signing",
        **{f"{each}:RequestTimeTooSkewed": "after-signing" for each in SKEWED},
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
        **dict.fromkeys(
            [f"{each}:RequestTimeTooSkewed" for each in ("cos", "jss", "qiniu-mix")]
            + ["qingstor:request_expired"],
            ("yes", "sends the request again"),
        ),
        "qingstor:fetch_throttled": ("yes", "请稍后重试"),
        "qingstor:internal_error": ("yes", "请稍后重试"),
        "qingstor:service_unavailable": ("yes", "请稍后重试"),
        "qingstor:upstream_failed": ("yes", "again after 500, 502, 503 and 504"),
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
        *(
            "RequestTimeout",
            "OperationAborted",
            "InternalError",
            "ServiceUnavailable",
            "SlowDown",
        ),
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
"""Vendors that say little of retries, and whose protocols do."""
SILENT_OF_503 = (
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
"""503s of MinIO's admin API, which are the state of a site and not of a request."""


@each_row("vendor", BY_PROTOCOL)
def test_what_the_protocol_calls_retryable(vendor):
    """S3's and HTTP's retryable errors hold for vendors of those protocols.

    Not those that must be signed again first.
    """
    assert [row.label for row in vendors.get(vendor).group("@retryable")] == BY_PROTOCOL[vendor]


def test_who_is_busy_says_so():
    """RFC 9110 and 6585 call 503, 429 and 408 temporary, and S3 its two codes."""
    silent = {
        row.address
        for row in EVERY_ROW
        if row.retryable != "yes"
        and (row.status in (408, 429, 503) or row.code in ("SlowDown", "ServiceUnavailable"))
    }
    assert silent == {*SILENT_OF_503}


def test_categories_agree_with_statuses():
    """A 5xx is server or throttle, a 3xx redirect, and a 412 precondition, and nothing else is."""
    for row in EVERY_ROW:
        assert (row.status in range(300, 400)) == (row.category == "redirect"), row
        assert (row.status == 412) == (row.category == "precondition"), row
        assert row.status in range(500, 600) or row.category != "server", row
        assert row.status not in range(500, 600) or row.category in {"server", "throttle"}, row


# --- the vendors beside each other -------------------------------------------------------------------------


TABLES = {each: {(row.code, row.status, row.message) for row in vendors.get(each).errors} for each in DIGESTS}
"""Each vendor's table without the vendor's name."""


def test_no_vendor_has_the_table_of_another():
    """Relatives share codes and many words, never the whole, nor even all but a few rows."""
    for one, other in combinations(TABLES.values(), 2):
        assert len(one & other) < 0.9 * min(len(one), len(other))


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
"""Words that name the vendor in its rows' sources."""


def test_every_row_has_a_source_of_its_own_vendor():
    """Codes and words that two vendors have in common come from each one's own document."""
    strange = [row for row in EVERY_ROW if not re.search(OWN[row.vendor], row.source, re.IGNORECASE)]
    assert strange == []


def test_no_source_is_shared():
    """No two vendors name one and the same source for a row."""
    named = {}
    for row in EVERY_ROW:
        named.setdefault(row.source, set()).add(row.vendor)
    assert {source: those for source, those in named.items() if len(those) > 1} == {}
