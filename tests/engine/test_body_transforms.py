"""What is done to a body on its way, however the app cuts it into pieces."""

from __future__ import annotations

from fractions import Fraction
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject.engine.body_transforms import Corrupted, Dripped, Truncated, slices

BODY = bytes(range(256)) * 4
SHARES = st.integers(0, 9999).map(lambda each: Fraction(each, 10000))
DIGESTS = st.binary(min_size=32, max_size=32)


def digest_of(number):
    return blake2b(b"%d" % number, digest_size=32).digest()


@st.composite
def bodies(draw):
    """A body and the pieces that it comes in."""
    body = draw(st.binary(min_size=1, max_size=300))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(body) - 1)), max_size=12)))
    ends = [*(each for each in cuts if each < len(body)), len(body)]
    return body, [body[first:end] for first, end in zip([0, *ends], ends, strict=False)]


def through(transform, pieces):
    """What goes out until it is done, and how many pieces were looked at."""
    out = b""
    for count, piece in enumerate(pieces, 1):
        out += transform.feed(piece)
        if transform.done:
            return out, count
    return out, len(pieces)


# --- cut -----------------------------------------------------------------------------------------------------


@given(bodies(), SHARES)
def test_a_share_of_a_known_length_is_kept_whatever_the_pieces(body, share):
    """Rounded down to whole bytes in decimal numbers, and never all of it."""
    whole, pieces = body
    transform = Truncated(float(share), None)
    assert transform.fits(len(whole))
    kept, count = through(transform, pieces)
    assert kept == whole[: int(len(whole) * share)] != whole
    assert transform.done and transform.touched
    assert sum(map(len, pieces[:count])) > len(kept) >= sum(map(len, pieces[: count - 1])) or count == 1


@given(bodies(), st.integers(0, 400))
def test_so_many_bytes_of_a_known_length_are_kept(body, most):
    """A body that is no longer is left alone."""
    whole, pieces = body
    transform = Truncated(0.5, most)
    assert transform.fits(len(whole)) is (most < len(whole))
    kept, _ = through(transform, pieces)
    assert kept == whole[:most]
    assert transform.done is transform.touched is (most < len(whole))


@given(bodies(), SHARES)
def test_a_share_of_an_unknown_length_is_that_of_the_first_piece(body, share):
    """Nothing is held back to see what comes: the cut is in the first piece, always."""
    whole, pieces = body
    transform = Truncated(float(share), None)
    assert transform.fits(None)
    kept, count = through(transform, pieces)
    assert (kept, count) == (whole[: int(len(pieces[0]) * share)], 1)
    assert len(kept) < len(pieces[0]) and transform.touched


@given(bodies(), st.integers(0, 400))
def test_so_many_bytes_of_an_unknown_length_are_kept(body, most):
    """Counted over all pieces; one that ends before is left alone."""
    whole, pieces = body
    transform = Truncated(0.5, most)
    assert transform.fits(None)
    kept, _ = through(transform, pieces)
    assert kept == whole[:most]
    assert transform.done is transform.touched is (len(whole) > most)


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
    transform = Truncated(share, None)
    assert transform.fits(length)
    assert len(transform.feed(bytes(length))) == kept


def test_nothing_comes_behind_a_cut():
    """Also where somebody goes on."""
    transform = Truncated(0.5, 3)
    assert [transform.feed(each) for each in (b"ab", b"cd", b"ef")] == [b"ab", b"c", b""]


@pytest.mark.parametrize(
    "transform", [Truncated(0.5, None), Truncated(0.5, 0), Dripped(1), Corrupted(1, digest_of(1))]
)
def test_nothing_fits_an_empty_body(transform):
    """There is nothing to cut, to slow down or to change."""
    assert not transform.fits(0)
    assert transform.fits(1)
    assert not transform.touched


@pytest.mark.parametrize(
    ("transform", "did", "cuts", "rate"),
    [
        (Truncated(0.5, None), "truncated", True, None),
        (Dripped(10), "dripped", False, 10),
        (Corrupted(1, b""), "corrupted", False, None),
    ],
)
def test_a_shape_says_what_it_does(transform, did, cuts, rate):
    """The outcome's word, whether the connection ends, and how fast it goes."""
    assert (transform.did, transform.cuts, transform.rate) == (did, cuts, rate)


# --- slow ----------------------------------------------------------------------------------------------------


@given(bodies(), st.integers(1, 2000) | st.integers(1, 10**18), st.booleans())
def test_a_slow_body_is_the_same_body(body, rate, known):
    """In slices of a twentieth of a second, or a byte each."""
    whole, pieces = body
    transform = Dripped(rate)
    assert transform.fits(len(whole) if known else None) and not transform.touched
    fed = [transform.feed(each) for each in pieces]
    assert b"".join(fed) == whole
    assert transform.touched and not transform.done
    parts = [[*slices(each, rate)] for each in fed]
    assert [b"".join(each) for each in parts] == pieces
    sizes = {len(part) for each in parts for part in each}
    assert max(sizes) <= max(1, rate // 20)
    assert all(len(part) == max(1, rate // 20) for each in parts for part in each[:-1])


# --- wrong ---------------------------------------------------------------------------------------------------


def changed(before, after):
    assert len(before) == len(after)
    return [at for at, (one, other) in enumerate(zip(before, after, strict=True)) if one != other]


@given(bodies(), st.integers(1, 1000), DIGESTS)
def test_so_many_bytes_of_a_known_length_are_changed_whatever_the_pieces(body, flips, digest):
    """Exactly so many, or all of a shorter body; each really is another byte, at its own place."""
    whole, pieces = body
    alone, split = Corrupted(flips, digest), Corrupted(flips, digest)
    assert alone.fits(len(whole)) and split.fits(len(whole)) and not alone.touched
    once = alone.feed(whole)
    fed = [split.feed(each) for each in pieces]
    assert b"".join(fed) == once
    assert [len(each) for each in fed] == [len(each) for each in pieces]
    assert len(changed(whole, once)) == min(flips, len(whole))
    assert split.touched and not split.done


@given(bodies(), st.integers(1, 1000), DIGESTS)
def test_of_an_unknown_length_the_first_piece_is_changed(body, flips, digest):
    """As if it were the whole body; what follows is untouched."""
    _, pieces = body
    transform, alone = Corrupted(flips, digest), Corrupted(flips, digest)
    assert transform.fits(None)
    fed = [transform.feed(each) for each in pieces]
    assert fed[0] == alone.feed(pieces[0]) != pieces[0]
    assert len(changed(pieces[0], fed[0])) == min(flips, len(pieces[0]))
    assert fed[1:] == pieces[1:]


def test_a_body_that_ends_early_may_miss_its_changes():
    """An app that promises more than it sends: nothing is claimed that was not done."""
    transform = Corrupted(1, digest_of(1))
    assert transform.fits(10**9)
    assert transform.feed(b"x") == b"x"
    assert not transform.touched


@pytest.mark.parametrize("flips", [1, 3, 1000])
def test_the_digest_says_where(flips):
    """The same digest changes the same bytes to the same; another one does not."""

    def out(digest):
        transform = Corrupted(flips, digest)
        assert transform.fits(len(BODY))
        return transform.feed(BODY)

    assert out(digest_of(1)) == out(digest_of(1)) != out(digest_of(2))
    # Only the last quarter of it: the others have decided, chosen and waited.
    assert out(b"x" * 24 + digest_of(1)[24:]) == out(digest_of(1))
    assert out(digest_of(1)[:24] + b"x" * 8) != out(digest_of(1))


def test_changes_are_spread_evenly(p_of):
    """Over the places of a body, first and last included, and over the values that a byte may get."""
    length, places, values = 100, [0] * 100, [0] * 255
    for number in range(4000):
        transform = Corrupted(2, digest_of(number))
        assert transform.fits(length)
        out = transform.feed(bytes(length))
        for at in changed(bytes(length), out):
            places[at] += 1
            values[out[at] - 1] += 1
    assert sum(places) == 8000
    assert p_of.even(places) > 0.001
    assert p_of.even(values) > 0.001 and min(values) > 0
