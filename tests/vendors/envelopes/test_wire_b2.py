"""Published answers of Backblaze B2's native API, byte for byte."""

import pytest

from faultinject import Rule
from tests.rows import each_row

HEADERS = [
    ("cache-control", "max-age=0, no-cache, no-store"),
    ("strict-transport-security", "max-age=63072000"),
]
"""Of every answer: Backblaze/B2_Command_Line_Tool#984."""
SAMPLES = [
    # falense/b2_fuse#8
    (
        Rule("b2:expired_auth_token"),
        401,
        '{\n  "code": "expired_auth_token",\n  "message": "Authorization token has expired",\n  "status": 401\n}',
    ),
    # jeygeethan/activestorage-backblaze#7
    (
        Rule("b2:service_unavailable"),
        503,
        '{\n  "code": "service_unavailable",\n  "message": "no tomes available",\n  "status": 503\n}',
    ),
    # WWBN/AVideo#2585
    (
        Rule("b2:service_unavailable", message="Tome is overly busy"),
        503,
        '{\n  "code": "service_unavailable",\n  "message": "Tome is overly busy",\n  "status": 503\n}',
    ),
    # ShareX/ShareX#4187
    (
        Rule("b2:service_unavailable", message="c002_v0001118_t0002 is too busy"),
        503,
        '{\n  "code": "service_unavailable",\n  "message": "c002_v0001118_t0002 is too busy",\n  "status": 503\n}',
    ),
    # rclone/rclone#1905
    (
        Rule("b2:file_not_present"),
        400,
        '{\n  "code": "file_not_present",\n  "message": "File not present: '
        "snapshots/aff0b718fb9fa0f6387def95c50e5b544caf5a2009"
        '939ab451b1d4bbc1cd6791 4_z9ceb62c61c604b3d6a080c10_f11003750eb26cca6_d20171211_m040416_c001_v0001097_t0057",\n'
        '  "status": 400\n}',
    ),
]


@each_row(("rule", "status", "body"), SAMPLES)
def test_answer(rule, status, body, send, inject_with):
    """Two blanks before each field, the status in the body too, and no id anywhere."""
    injector = inject_with([rule], FAULTINJECT_HEADER="0")
    answer = send(injector, "POST", "/b2api/v4/b2_list_file_names")
    assert (answer.status, answer.body.decode()) == (status, body)
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/json;charset=utf-8"),
        ("content-length", str(len(body))),
        *HEADERS,
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_without_a_valid_token_gets_no_message(method, send, inject_with):
    """A 401 to a download has no message unless the rule has one: 68 bytes.

    Backblaze/B2_Command_Line_Tool#984: other calls get the words.
    """
    rules = [Rule("b2:expired_auth_token", times=1), Rule("b2:expired_auth_token", message="Expired")]
    injector = inject_with(rules, FAULTINJECT_HEADER="0")
    answers = [send(injector, method, "/file/photos/cat.jpg") for _ in rules]
    lengths = [{name.lower(): value for name, value in each.headers}["content-length"] for each in answers]
    assert lengths == ["68", "75"]
    if method == "GET":
        assert answers[0].body == b'{\n  "code": "expired_auth_token",\n  "message": "",\n  "status": 401\n}'


@each_row(
    ("rule", "method", "waits", "part"),
    [
        # rclone/rclone#3990: the words name the limit and the call
        (
            Rule("b2:too_many_requests"),
            "POST",
            "1",
            b'"message": "200 calls/minute allowed for: API_LIST_FILE_NAMES_CALLED",',
        ),
        (Rule("b2:too_many_requests", retry_after="30s"), "POST", "30", b""),
        (Rule("b2:service_unavailable", retry_after="30s"), "POST", "30", b""),
        (Rule("b2:internal_error"), "POST", None, b""),
        # HEAD of a file is told to wait as well: it is a header.
        (Rule("b2:too_many_requests"), "HEAD", "1", b""),
    ],
)
def test_hint(rule, method, waits, part, answer_of):
    """A 429 has a hint in seconds, which a rule may change; other errors have none."""
    answer = answer_of(rule, method, "/file/photos/k" if method == "HEAD" else "/b2api/v4/b2_list_file_names")
    assert [value for name, value in answer.headers if name.lower() == "retry-after"] == (
        [waits] if waits else []
    )
    assert part in answer.body
