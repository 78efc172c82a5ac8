"""The time at which a signed query expires."""

from faultinject.vendors.credentials import expires_at
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
