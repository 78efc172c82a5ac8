"""One fact of an answer of which two sources know: the vendor's own documents, and the rule."""

import pytest

WAITS = ("retry-after", "x-amz-retry-after", "x-ms-retry-after-ms", "retry-after-ms")
OWN = {"b2:too_many_requests": "1", "minio:SlowDownRead": "60"}
"""Errors with which the service itself asks to wait, by a row of the error or of the answer."""


@pytest.mark.parametrize("error", OWN)
@pytest.mark.parametrize(
    ("effect", "name", "text", "hint"),
    [
        ("", "retry-after", None, None),
        (",retry_after=5s", "retry-after", "5", 5.0),
        (",retry_after=5s,hint=date", "retry-after", "5", 5.0),
        (",retry_after=5s,hint=x-amz-retry-after", "x-amz-retry-after", "5000", 5.0),
        (",set.retry-after=7", "retry-after", "7", 7.0),
        (",set.retry-after-ms=250", "retry-after-ms", "250", 0.25),
        (",retry_after=5s,set.x-ms-retry-after-ms=250", "x-ms-retry-after-ms", "250", 0.25),
    ],
)
def test_a_wait_that_the_rule_asks_for_stands_alone(site, error, effect, name, text, hint):
    """Beside the vendor's own a client would choose one of two; the journal says which it was."""
    action = site(error + effect).decide("GET /b/k")
    headers = [(each.lower(), value) for each, value in action.headers]
    assert [each for each in headers if each[0] in WAITS] == [(name, text or OWN[error])]
    assert action.told[3] == (hint or float(OWN[error]))


@pytest.mark.parametrize("error", OWN)
def test_a_header_that_the_rule_sets_stands_alone(site, error):
    """Also one that the vendor gives to each of its answers."""
    plain = site(error).decide("GET /b/k")
    names = [name.lower() for name, _ in plain.headers]
    rule = ",".join(
        (error, *(f"set.{name}=x" for name in names if name not in ("content-length", "x-faultinject")))
    )
    action = site(rule).decide("GET /b/k")
    assert sorted(name.lower() for name, _ in action.headers) == sorted(names)
