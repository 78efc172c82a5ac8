"""What the texts of values mean, and the exact words for those that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject.rules import values
from faultinject.rules.values import Mistake


def test_what_is_refused(golden):
    """Each value that is none, in exact words: `values.txt`."""

    def message(call):
        with pytest.raises(Mistake) as caught:
            eval(call, vars(values))
        assert str(caught.value) == caught.value.message
        return caught.value.message

    golden("values.txt", message)


def test_a_choice_is_one_of_few_words():
    """As it is written."""
    assert values.choice("date", ("seconds", "date")) == "date"


def test_a_header_may_have_visible_ascii_and_blanks():
    """All of it."""
    assert values.header_text("a b~") == "a b~"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0.0), ("1", 1.0), ("0.3", 0.3), (".5", 0.5), ("1e-3", 0.001), ("1.0", 1.0), ("0.000", 0.0)],
)
def test_a_probability_is_a_number_from_0_to_1(text, expected):
    """Both ends are included."""
    assert values.probability(text) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("5s", 5.0),
        ("1.5m", 90.0),
        ("1h", 3600.0),
        ("0s", 0.0),
        ("100ms", 0.1),
        ("0.5ms", 0.0005),
    ],
)
def test_a_duration_is_a_decimal_number_with_a_unit(text, seconds):
    """Units are ms, s, m and h."""
    assert values.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("200ms", (0.2, 0.2)), ("100ms..2s", (0.1, 2.0)), ("0s..0s", (0.0, 0.0))]
)
def test_a_range_of_durations_has_both_ends(text, expected):
    """One duration is a range of one."""
    assert values.duration_range(text) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2, "2s"),
        (2.0, "2s"),
        (0.2, "0.2s"),
        (0.05, "50ms"),
        (0.0005, "0.5ms"),
        (90, "90s"),
        (120, "2m"),
        (3600, "1h"),
        (0, "0s"),
        (1e-05, "0.01ms"),
        (1000000, "1000000s"),
    ],
)
def test_seconds_become_the_shortest_duration(seconds, text):
    """So that a rule made in Python prints as people write."""
    assert values.duration_text(seconds) == text


@given(st.floats(0, 1e6, allow_nan=False))
def test_seconds_survive_being_text(seconds):
    """The text of a duration means the same seconds."""
    assert values.duration(values.duration_text(seconds)) == pytest.approx(seconds, rel=1e-12, abs=0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_without_an_exponent(number):
    """And mean the same number."""
    text = values.number_text(number)
    assert "e" not in text.lower()
    assert float(text) == number


@pytest.mark.parametrize(("text", "least", "expected"), [("0", 0, 0), ("7", 1, 7), ("007", 0, 7)])
def test_a_count_is_a_whole_number(text, least, expected):
    """From the least that is allowed."""
    assert values.count(text, least) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5MiB..", (5 * 1024**2, None)),
        ("..1KiB", (0, 1024)),
        ("1KB..2KB", (1000, 2000)),
        ("4096", (4096, 4096)),
        ("0", (0, 0)),
        ("1GiB", (1024**3, 1024**3)),
        ("1MB..1GB", (1000**2, 1000**3)),
    ],
)
def test_a_size_is_bytes_or_a_range_of_them(text, expected):
    """KB is 1000 bytes, KiB 1024."""
    assert values.size_range(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100/s", (100, 1.0)), ("5/10s", (5, 10.0)), ("1/m", (1, 60.0)), ("3/500ms", (3, 0.5))],
)
def test_a_rate_is_a_number_in_a_time(text, expected):
    """The time may leave out its 1."""
    assert values.rate(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((each, True) for each in ("yes", "true", "on", "1", "YES")),
        *((each, False) for each in ("no", "False", "off", "0")),
    ],
)
def test_yes_and_no_have_four_spellings_each(text, expected):
    """In any case."""
    assert values.yes_no(text) is expected


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("prob", "; did you mean probability?"),
        ("probabilty", "; did you mean probability?"),
        ("co", ""),
        ("cont", ""),
        ("CONTENT-T", "; did you mean content_type?"),
        ("retry_after", ""),
    ],
)
def test_the_nearest_looks_alike_or_begins_alike(word, near):
    """A beginning of one word is near to it, of two words or below three letters to none."""
    assert values.nearest(word, ("probability", "content_type", "continue_with_the_next_rule")) == near


@given(st.text())
def test_what_is_shown_is_one_visible_line(text):
    """Control, format and bidi characters of a mistake never reach the terminal."""
    assert values.shown(text).isprintable()
    assert 0 < len(values.shown(text)) <= 10 * 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", True),
        ("A1._-b", True),
        ("", False),
        ("-a", False),
        ("a b", False),
        ("a" * 64, True),
        ("a" * 65, False),
        ("é", False),
        ("1", True),
        ("a/b", False),
    ],
)
def test_a_name_is_plain(text, expected):
    """A letter or digit, then up to 63 letters, digits, dots, underscores, dashes."""
    assert values.is_name(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X-Test", True),
        ("", False),
        ("a b", False),
        ("a:b", False),
        ("é", False),
        ("a\n", False),
        ("!#$%&'*+-.^_`|~", True),
    ],
)
def test_a_token_can_be_a_header_name(text, expected):
    """RFC 9110 5.6.2."""
    assert values.is_token(text) is expected
