"""The journal's view of a request that is under way."""

from __future__ import annotations


def test_a_line_so_far_stands_by_itself(site):
    """What is learnt of the request behind it is in the final line, and changes nothing of what was said."""
    made = site("latency,delay=1s")
    entry = made.decide().entry
    # Another name of as many letters stands before it.
    entry.saw("200", [("X-Content-Kind", "9"), ("Content-Length", "3")])
    entry.write("delayed", applied=True, last=False)
    entry.saw("500", [(b"content-length", b"7")])
    [so_far] = made.outcomes
    assert (so_far.status, so_far.response_bytes, so_far.final) == (200, 3, None)
    entry.write("delayed", applied=True)
    [ended] = made.outcomes
    assert (ended.status, ended.response_bytes, ended.final) == (500, 7, True)
