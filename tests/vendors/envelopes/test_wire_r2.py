"""An answer of Cloudflare R2, byte for byte."""

from __future__ import annotations


def test_answer(answer_of):
    """The body has code and message alone, in one line; the id is in a header."""
    answer = answer_of("r2:NoSuchKey", target="/photos/cat.jpg", ids={"request_id": "81ad1e2c17a7979b-IAD"})
    assert answer.body == (
        b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>'
        b"<Message>The specified key does not exist.</Message></Error>"
    )
    assert answer.header("cf-ray") == "81ad1e2c17a7979b-IAD"
