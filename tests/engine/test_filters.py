"""Filters of an answer, alone, in a row and in an exchange, with a body in any pieces."""

from contextlib import closing, suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject import Rule
from faultinject.engine.filters import (
    BreakOff,
    Corrupted,
    Data,
    Dripped,
    Edited,
    Interrupted,
    Rest,
    Truncated,
)
from tests.engine.conftest import Site, environ_of

SHARES = st.integers(0, 9999).map(lambda each: Fraction(each, 10000))


@st.composite
def bodies(draw):
    """A body and the pieces that it comes in."""
    body = draw(st.binary(min_size=1, max_size=300))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(body) - 1)), max_size=12)))
    ends = [*(each for each in cuts if each < len(body)), len(body)]
    return body, [body[first:end] for first, end in zip([0, *ends], ends, strict=False)]


class Sender:
    """An app whose body goes through one rule; it gives the pieces, and the journal's word."""

    def __init__(self, rule, seed="0"):
        self.site = Site(rule, seed, app=self.answer)

    def answer(self, environ, start_response):
        length = sum(map(len, self.pieces)) if self.length is True else self.length
        start_response("200 OK", [("Content-Length", str(length))] if length is not False else [])
        for each in self.pieces:
            self.taken += 1
            yield each

    def send(self, *pieces, length=True):
        self.pieces, self.length, self.taken = pieces, length, 0
        out = []
        self.site.injector.journal.clear()
        result = self.site.app(environ_of("GET /b/k"), lambda status, headers, exc_info=None: None)
        with closing(result), suppress(OSError):
            out.extend(result)
        [self.outcome] = self.site.outcomes
        return [each for each in out if each]


def sent(rule, pieces, *, length=True, seed="0"):
    """The pieces that go out, and the journal's word."""
    sender = Sender(rule, seed)
    return sender.send(*pieces, length=length), sender.outcome.did


# --- alone ---------------------------------------------------------------------------------------------------


def through(*filters, pieces, end=True):
    """The events of filters in a row, fed with these pieces."""
    events = [Data(each, more=not end or number < len(pieces)) for number, each in enumerate(pieces, 1)]
    for each in filters:
        given, events = events, []
        for event in given:
            events += each.feed(event.data, more=event.more) if isinstance(event, Data) else [event]
    return events


def test_a_filter_gives_events_and_needs_no_server():
    """Data with its time, a rest, and the end of the connection."""
    assert through(Truncated(0.0, 3), pieces=[b"ab", b"cd", b"e"])[:3] == [
        Data(b"ab"),
        Data(b"c"),
        BreakOff(),
    ]
    assert through(Interrupted(3, 2.0, "stalled"), pieces=[b"ab", b"cd", b"e"]) == [
        Data(b"ab"), Data(b"c"), Rest(2.0), Data(b"d"), Data(b"e", more=False),
    ]  # fmt: skip
    assert through(Interrupted(0, 0.0, "reset"), pieces=[b"ab"]) == [Data(b""), BreakOff()]
    assert through(Dripped(40), pieces=[b"abc"]) == [
        Data(b"ab", due=0.05), Data(b"c", due=0.075), Data(b"", more=False),
    ]  # fmt: skip
    edit = Edited([("etag", "W/1")], ["x-a"], shifted=False, ignored=False)
    assert edit.head(200, [("ETag", "1"), ("X-A", "b"), ("X-B", "c")]) == [("X-B", "c"), ("etag", "W/1")]
    assert through(edit, pieces=[b"ab", b""]) == [Data(b"ab"), Data(b"", more=False)]


@given(bodies(), st.integers(0, 300), st.integers(1, 5))
def test_filters_one_behind_the_other(body, most, flips):
    """Corrupted and then cut is the beginning of the corrupted body, with its pause."""
    whole, pieces = body
    wrong = Corrupted(flips, b"0" * 8)
    wrong.fits(len(whole))
    corrupted = b"".join(each.data for each in through(wrong, pieces=pieces))
    wrong, cut = Corrupted(flips, b"0" * 8), Truncated(0.0, most)
    assert wrong.fits(len(whole))
    events = through(wrong, Interrupted(1, 2.0, "stalled"), cut, pieces=pieces)
    before = events[: events.index(BreakOff())] if BreakOff() in events else events
    assert b"".join(each.data for each in before if isinstance(each, Data)) == corrupted[:most]
    assert (BreakOff() in events, Rest(2.0) in events) == (most < len(whole), len(whole) > 1)


# --- cut -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@given(bodies(), SHARES)
def test_a_share_is_kept_whatever_the_pieces(known, body, share):
    """Rounded down to whole bytes in decimal numbers, and never all of it.

    Of an unknown length nothing is held back to see what comes: it is a share of the first piece.
    """
    whole, pieces = body
    out, did = sent(Rule("truncate", keep=float(share)), pieces, length=known)
    kept = whole[: int(len(whole if known else pieces[0]) * share)]
    assert (b"".join(out), did) == (kept, "truncated") != (whole, "truncated")


@given(bodies(), st.integers(0, 400), st.booleans())
def test_so_many_bytes_are_kept(body, most, known):
    """Bytes are counted over all pieces, and a shorter body is not changed."""
    whole, pieces = body
    out, did = sent(Rule("truncate", keep_bytes=most), pieces, length=known)
    told = "truncated" if most < len(whole) else "nothing_to_cut"
    assert (b"".join(out), did) == (whole[:most], told)


@pytest.mark.parametrize(
    ("share", "length", "kept"),
    [
        (0.5, 1, 0), (0.5, 2, 1), (0.5, 3, 1), (0.5, 1023, 511), (0.0, 10, 0), (0.29, 100, 29), (0.57, 100, 57),
        (0.999999, 10, 9), (0.9999999999999999, 5, 4), (1e-300, 1000, 0), (0.7, 10**6, 700_000),
        (0.9999999999999999, 10**6, 10**6 - 1), (0.000001, 10**6, 1),
    ],
)  # fmt: skip
def test_a_share_is_rounded_down(share, length, kept):
    """As one would on paper, and at least one byte is missing."""
    out, _ = sent(Rule("truncate", keep=share), [bytes(length)])
    assert len(b"".join(out)) == kept


# --- slow ----------------------------------------------------------------------------------------------------


@given(bodies(), st.integers(10**4, 10**18 - 1), st.booleans())
def test_a_slow_body_is_the_same_body(body, rate, known):
    """A piece that takes at most a twentieth of a second stays as it is."""
    _, pieces = body
    if len(pieces[0]) == max(map(len, pieces)) <= rate // 20:
        assert sent(Rule("drip", rate=rate), pieces, length=known) == (pieces, "dripped")


@pytest.mark.parametrize(("rate", "sizes"), [(2000, [100, 100, 50, 30]), (5999, [250, 30]), (39, [1, 1])])
def test_a_slow_body_goes_in_slices(rate, sizes):
    """Of a twentieth of a second, or a byte each."""
    pieces = [bytes(250), bytes(30)] if rate > 39 else [b"ab"]
    out, _ = sent(Rule("drip", rate=rate), pieces)
    assert [len(each) for each in out] == sizes


# --- wrong ---------------------------------------------------------------------------------------------------


def changed(before, after):
    assert len(before) == len(after)
    return [at for at, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]


@given(bodies(), st.integers(1, 1000), st.integers(0, 5))
def test_so_many_bytes_of_a_known_length_are_changed_whatever_the_pieces(body, flips, seed):
    """Exactly so many, or all of a shorter body; each really is another byte, at its own place."""
    whole, pieces = body
    rule = Rule("corrupt", flips=flips)
    [once], _ = sent(rule, [whole], seed=seed)
    out, did = sent(rule, pieces, seed=seed)
    assert (b"".join(out), list(map(len, out)), did) == (once, list(map(len, pieces)), "corrupted")
    assert len(changed(whole, once)) == min(flips, len(whole))


@given(bodies(), st.integers(1, 1000), st.integers(0, 5))
def test_of_an_unknown_length_the_first_piece_is_changed(body, flips, seed):
    """As if it were the whole body; what follows is untouched."""
    _, pieces = body
    rule = Rule("corrupt", flips=flips)
    out, _ = sent(rule, pieces, length=False, seed=seed)
    [alone], _ = sent(rule, pieces[:1], seed=seed)
    assert out == [alone, *pieces[1:]] != pieces
    assert len(changed(pieces[0], alone)) == min(flips, len(pieces[0]))


def test_a_body_that_ends_early_may_miss_its_changes():
    """An app that promises more than it sends: nothing is claimed that was not done."""
    assert sent("corrupt", [b"x"], length=10**9) == ([b"x"], "nothing_to_cut")


def test_changes_are_spread_evenly(p_of):
    """Changes are spread evenly over places, first and last included, and over byte values."""
    length, places, values = 100, [0] * 100, [0] * 255
    sender = Sender("corrupt,flips=2")
    for _ in range(4000):
        out = b"".join(sender.send(bytes(length)))
        for at in changed(bytes(length), out):
            places[at] += 1
            values[out[at] - 1] += 1
    assert sum(places) == 8000 and min(values) > 0
    assert min(p_of.even(places), p_of.even(values)) > 0.001


def test_a_first_piece_as_long_as_what_is_let_through():
    """It alone shows no cut: the answer may end there, and its head is not marked."""
    filtered = Truncated(0.5, 4)
    assert [filtered.begins_with(piece) for piece in (b"", b"meow", b"meows")] == [False, False, True]
