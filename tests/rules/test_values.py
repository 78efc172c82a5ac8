"""What the texts of values mean, and the exact words for those that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject.rules import values
from faultinject.rules.values import Mistake


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0.0), ("1", 1.0), ("0.3", 0.3), (".5", 0.5), ("1e-3", 0.001), ("1.0", 1.0), ("0.000", 0.0)],
)
def test_a_probability_is_a_number_from_0_to_1(text, expected):
    """Both ends are included."""
    assert values.probability(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.5", "1.5 is not between 0 and 1"),
        ("-0.1", "-0.1 is not between 0 and 1"),
        ("30%", "30% is not between 0 and 1; did you mean 0.3?"),
        ("0.5%", "0.5% is not between 0 and 1; did you mean 0.005?"),
        ("300%", "300% is not between 0 and 1"),
        ("often", "often is not between 0 and 1"),
        ("x%", "x% is not between 0 and 1"),
        ("", '"" is not between 0 and 1'),
        ("nan", "nan is not between 0 and 1"),
        ("inf", "inf is not between 0 and 1"),
        ("0_1", "0_1 is not between 0 and 1"),
        (" 1", " 1 is not between 0 and 1"),
        ("\n1", "\\n1 is not between 0 and 1"),
        ("١", "١ is not between 0 and 1"),
    ],
)
def test_what_is_no_probability_is_refused(text, message):
    """Percent, infinity, other digits and blanks are no numbers here."""
    with pytest.raises(Mistake) as caught:
        values.probability(text)
    assert caught.value.message == message


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
    ("text", "message"),
    [
        ("5", "5 has no unit; did you mean 5s?"),
        ("0.5", "0.5 has no unit; did you mean 0.5s?"),
        ("5sec", "5sec is not a duration such as 200ms, 5s, 10m or 1h"),
        ("-5s", "-5s is not a duration such as 200ms, 5s, 10m or 1h"),
        ("s", "s is not a duration such as 200ms, 5s, 10m or 1h"),
        ("", '"" is not a duration such as 200ms, 5s, 10m or 1h'),
        ("5 s", "5 s is not a duration such as 200ms, 5s, 10m or 1h"),
        ("1e3s", "1e3s is not a duration such as 200ms, 5s, 10m or 1h"),
        ("5hs", "5hs is not a duration such as 200ms, 5s, 10m or 1h"),
        ("²s", "²s is not a duration such as 200ms, 5s, 10m or 1h"),
        ("9000h", "9000h is longer than 8760h"),
        ("9" * 400 + "s", "9" * 79 + "… is longer than 8760h"),
    ],
)
def test_what_is_no_duration_is_refused(text, message):
    """A bare number says which unit it may have meant."""
    with pytest.raises(Mistake) as caught:
        values.duration(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "expected"), [("200ms", (0.2, 0.2)), ("100ms..2s", (0.1, 2.0)), ("0s..0s", (0.0, 0.0))]
)
def test_a_range_of_durations_has_both_ends(text, expected):
    """One duration is a range of one."""
    assert values.duration_range(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2s..1s", "2s..1s ends before it begins; did you mean 1s..2s?"),
        ("1s..", '"" is not a duration such as 200ms, 5s, 10m or 1h'),
        ("1..2s", "1 has no unit; did you mean 1s?"),
        ("1s..2h", "2h is longer than 1h"),
    ],
)
def test_what_is_no_range_of_durations_is_refused(text, message):
    """No end may be left out, and none be longer than asked for."""
    with pytest.raises(Mistake) as caught:
        values.duration_range(text, 3600)
    assert caught.value.message == message


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
    ("text", "least", "message"),
    [
        ("-1", 0, "-1 is not a whole number of 0 or more"),
        ("0", 1, "0 is not a whole number of 1 or more"),
        ("1.0", 0, "1.0 is not a whole number of 0 or more"),
        ("x", 0, "x is not a whole number of 0 or more"),
        ("", 0, '"" is not a whole number of 0 or more'),
        ("²", 0, "² is not a whole number of 0 or more"),
        ("9" * 5000, 0, "9" * 79 + "… is more than 1000000000000000000"),
    ],
)
def test_what_is_no_count_is_refused(text, least, message):
    """Negative and fractional numbers, and those that no counter reaches."""
    with pytest.raises(Mistake) as caught:
        values.count(text, least)
    assert caught.value.message == message


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
    ("text", "message"),
    [
        ("..", ".. has neither end; a size is such as 5MiB.., ..1KiB, 1KB..2KB or 4096"),
        ("2KB..1KB", "2KB..1KB ends before it begins; did you mean 1KB..2KB?"),
        ("5mib", "5mib is not a size such as 4096, 10KB or 5MiB"),
        ("5M", "5M is not a size such as 4096, 10KB or 5MiB; the units are KiB, MiB, GiB, KB, MB or GB"),
        ("1.5MiB", "1.5MiB is not a size such as 4096, 10KB or 5MiB"),
        ("-1", "-1 is not a size such as 4096, 10KB or 5MiB"),
        ("", '"" is not a size such as 4096, 10KB or 5MiB'),
        ("²", "² is not a size such as 4096, 10KB or 5MiB"),
    ],
)
def test_what_is_no_size_is_refused(text, message):
    """A unit that is none is told which there are."""
    with pytest.raises(Mistake) as caught:
        values.size_range(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100/s", (100, 1.0)), ("5/10s", (5, 10.0)), ("1/m", (1, 60.0)), ("3/500ms", (3, 0.5))],
)
def test_a_rate_is_a_number_in_a_time(text, expected):
    """The time may leave out its 1."""
    assert values.rate(text) == expected


@pytest.mark.parametrize("text", ["100", "0/s", "5/0s", "1.5/s", "/s", "5/", "5/10", "x/s", ""])
def test_what_is_no_rate_is_refused(text):
    """No rate of nothing, and none without a unit."""
    with pytest.raises(Mistake) as caught:
        values.rate(text)
    assert caught.value.message == f"{text or chr(34) * 2} is not a rate such as 100/s or 5/10s"


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


def test_what_is_neither_yes_nor_no_is_refused():
    """With its text."""
    with pytest.raises(Mistake) as caught:
        values.yes_no("maybe")
    assert caught.value.message == "maybe is not yes or no"


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


@pytest.mark.parametrize("text", ["99", "600", "abc", "2000", "²00", ""])
def test_what_is_no_status_is_refused(text):
    """A status has three digits, 200 to 599."""
    with pytest.raises(Mistake) as caught:
        values.status(text)
    assert caught.value.message == f"{text or chr(34) * 2} is not a status from 200 to 599"


def test_a_choice_names_the_nearest():
    """One of few words, or told which."""
    assert values.choice("date", ("seconds", "date")) == "date"
    with pytest.raises(Mistake) as caught:
        values.choice("sekonds", ("seconds", "date"))
    assert caught.value.message == "sekonds is not seconds or date; did you mean seconds?"


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


@pytest.mark.parametrize("text", ["a\r\nb", "é", "a\tb", "\x00"])
def test_only_visible_ascii_and_blanks_reach_a_header(text):
    """No header injection."""
    with pytest.raises(Mistake) as caught:
        values.header_text(text)
    assert (
        caught.value.message
        == f"{values.shown(text)} cannot be in a header: only visible ASCII and blanks can"
    )
    assert values.header_text("a b~") == "a b~"
