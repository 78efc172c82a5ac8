"""Identities: the quick way of writing placeholders is the definition."""

import re
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Reading, view_of
from tests.rows import each_row

READING = Reading()

UUID = "2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d"


def by_definition(identity):
    """Replace UUIDs, then 16 hex digits or more, then 10 digits or more.

    The contract's own words, leftmost first.
    """
    identity = re.sub(
        "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}", "~", identity
    )
    return re.sub("[0-9]{10,}", "~", re.sub("[0-9A-Fa-f]{16,}", "~", identity))


pieces = st.sampled_from(
    [
        UUID,
        UUID.upper(),
        UUID[:-1],
        UUID[1:],
        "0123456789",
        "012345678",
        "abcdef",
        "ABCDEF",
        "deadbeef",
        "-",
        "/",
        "~",
        "g",
        "é",
        "猫",
        "�",
        "�",
        "😀",
        "٠١٢٣٤٥٦٧٨٩",
        "?",
        "&",
        "%2F",
        "0",
        "a",
        "1700000000",
        "f" * 15,
        "f" * 16,
    ]
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(pieces, max_size=10).map("".join) | st.text("0f-~", max_size=60))
@example(UUID + UUID)
@example(UUID + "-" + UUID)
@example(f"{UUID[:9]}{UUID}")
@example(f"{UUID[:24]}{UUID}")
@example("0123456789abcde" + UUID)
@example(UUID + "0123456789abcde")
@example("0" * 8 + "-0000" * 6 + "0" * 12)
def test_placeholders_are_written_by_the_definition(identity):
    """Whatever stands beside a UUID, a digest or a number."""
    exact, drawn = READING.identify(view_of("GET", f"/b/{quote(identity, safe='~-')}"))
    assert drawn == by_definition(exact)


@given(st.lists(pieces, max_size=8).map("".join))
@settings(derandomize=True)
def test_an_identity_has_one_form(identity):
    """Placeholders once more change nothing, unless the first ones joined digits."""
    _, once = READING.identify(view_of("GET", f"/b/{quote(identity, safe='~-')}"))
    assert not re.search("[0-9]{10}|[0-9A-Fa-f]{16}", once)


PRESIGNING = (
    "x-amz-signature x-amz-date x-amz-expires x-amz-credential x-amz-security-token signature expires awsaccesskeyid"
    " q-signature q-sign-time q-key-time q-ak x-cos-security-token access_key_id e token uploadid"
).split()
"""Parameters of presigned requests, in lower case."""
MEANT = "partnumber versionid prefix marker uploads list-type acl delete".split()


@each_row(
    ("name", "identity"),
    [
        *((name, "GET /b/k") for each in PRESIGNING for name in (each, each.upper())),
        *((name, f"GET /b/k?{name}=1") for name in MEANT),
    ],
)
def test_what_presigning_adds_is_volatile(name, identity):
    """The data file has every parameter that the ways of presigning put in.

    What means something is not volatile: two parts of an upload are two things.
    """
    assert identity_of(f"/b/k?{name}=1") == identity


def identity_of(target):
    path, _, query = target.partition("?")
    return READING.identify({"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query})[0]


def test_a_shared_access_signature_is_volatile():
    """All of it; a parameter that only has the name of one of its short ones means something."""
    query = "comp=list&sp=r&st=2026-11-20T12%3A00%3A00Z&se=2026-11-21&sr=c&sv=2026-02-06&sig=c2lnbmF0dXJl"
    assert identity_of(f"/c?{query}") == "GET /c/?comp=list"
    assert identity_of("/list?sp=3&sv=1") == "GET /list/?sp=3&sv=1"
    assert identity_of("/list?sig=3") == "GET /list/?sig=3"
