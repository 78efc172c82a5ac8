"""The key id, the region and the end of a signed request."""

from faultinject.vendors.credentials import expires_at, key_id, signed_for
from tests.rows import each_row


@each_row(
    ("query", "time"),
    [
        ("authorization=bce-auth-v1/AKID/2026-11-20T12:00:00Z/1800/host/00", "2026-11-20T12:00:00Z"),
        ("authorization=bce-auth-v1%2FAKID%2F2026-11-20T12%3A00%3A00Z", "2026-11-20T12:00:00Z"),
        # Cut off before the time.
        ("authorization=bce-auth-v1/AKID", None),
        ("authorization=bce-auth-v1", None),
        ("", None),
    ],
)
def test_the_time_of_a_query_of_bos(query, time):
    """It is the part behind the key, where a query has one."""
    assert expires_at(query) == time


@each_row(
    ("text", "region"),
    [
        ("X-Amz-Credential=AKID%2f20261120%2feu-west-1%2fs3%2faws4_request&X-Amz-Date=1", "eu-west-1"),
        ("Credential=AKID/20261120/eu-west-1/s3/aws4_request", "eu-west-1"),
        # Cut off: what is left of the region may be a part of it.
        ("Credential=AKID/20261120/eu-we", None),
        ("Credential=AKID/20261120/eu-west-1/s3", None),
        ("AWS AKID:c2lnbmF0dXJl", None),
    ],
)
def test_the_region_of_a_signature(text, region):
    """It is in the scope of the key, of a whole one only."""
    assert signed_for(text) == region


def test_a_key_without_end():
    """No more of it is kept than of any other value."""
    assert [len(key_id(f"{scheme}{'k' * 9000}:00")) for scheme in ("AWS ", "Credential=")] == [2048] * 2
