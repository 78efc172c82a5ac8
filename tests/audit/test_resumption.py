"""Uploads and downloads that go on where they broke off are told from those that are done again."""

from __future__ import annotations

import pytest

from faultinject.audit.grouping import group

from .made import FINE, attempt

CUT = {"fault": "reset", "did": "reset", "status": 200, "when": "after", "applied": True}


def ranged(part, arrived, kind, **more):
    """A download that asks for a part; None: for all."""
    hint = None if part is None else {"part": part}
    return attempt(
        arrived, kind, method="GET", attempt_hint=hint, request_bytes=None, request_digest=None, **more
    )


@pytest.mark.parametrize(
    ("first", "second", "calls"),
    [
        (None, "bytes=500-", 1),
        (None, None, 1),
        ("bytes=0-999", "bytes=0-999", 1),
        ("bytes=0-999", "bytes=500-999", 1),
        ("bytes=0-999", "bytes=1000-1999", 2),
        ("bytes=0-999", "bytes=500-1999", 2),
        (None, "bytes=0-99", 2),
        ("bytes=500-", "bytes=0-", 2),
        (None, "bytes=-500", 2),
        ("items=1", "bytes=1-", 2),
    ],
)
def test_a_download_goes_on_where_it_broke_off(first, second, calls):
    """Another part of the same object is another download, and not the same one again."""
    found = group([ranged(first, 0.0, CUT), ranged(second, 0.5, FINE)])
    assert len(found) == calls
    if calls == 1:
        assert found[0].resumed == (first != second)


@pytest.mark.parametrize(
    ("parts", "calls"),
    [
        (("bytes 0-899/900", "bytes */900"), 1),
        (("bytes 0-255/900", "bytes 100-899/900"), 1),
        (("bytes 0-255/900", "bytes 256-511/900"), 1),
        (("bytes 0-255/900", "bytes 600-899/900"), 2),
        (("bytes 0-255/900", None), 2),
    ],
)
def test_an_upload_goes_on_where_it_broke_off(parts, calls):
    """By asking how far it came, or with what is left; a part farther on is another's."""
    sent = [
        attempt(
            0.5 * number, (CUT, FINE)[number], attempt_hint=part and {"part": part}, request_bytes=10 + number
        )
        for number, part in enumerate(parts)
    ]
    assert len(group(sent)) == calls
