"""The meaning of values, and the exact words for texts without one."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject import ConfigurationError, Rule
from tests.refusals import refusal
from tests.rows import each_row


def one(key, text):
    """The value of a key."""
    return Rule("cos:SlowDown", **{key: text}).value(key)


def message(make, *arguments, **named):
    """The words of the only mistake in a call."""
    [problem] = refusal(make, *arguments, **named).problems
    return problem.message


def taking(key):
    """A function of a value, as `values.txt` calls one."""
    return lambda text: one(key, text)


READERS = {
    "probability": taking("probability"),
    "duration": taking("begin"),
    "duration_range": taking("delay"),
    "count": taking("skip"),
    "count_from_1": taking("every"),
    "size_range": lambda text: Rule("cos:SlowDown", size=text),
    "rate": taking("above"),
    "yes_no": taking("drain"),
    "status": taking("status"),
    "choice": taking("when"),
    "header_text": lambda text: Rule("cos:SlowDown", set={"x-a": text}),
}


def test_what_is_refused(golden):
    """Each value that is none, in exact words: `values.txt`."""

    golden("values.txt", lambda call: message(eval, call, dict(READERS)))


@each_row(
    ("rule", "key", "expected"),
    [
        (Rule("cos:SlowDown", when="after"), "when", "after"),
        (Rule("http:503", content_type="a b~"), "content_type", "a b~"),
        *((Rule("cos:SlowDown", probability=text), "probability", value) for text, value in [("0", 0.0), ("1", 1.0), ("0.3", 0.3), (".5", 0.5), ("1e-3", 0.001), ("1.0", 1.0), ("0.000", 0.0)]),
        *((Rule("cos:SlowDown", begin=text), "begin", value) for text, value in [("200ms", 0.2), ("5s", 5.0), ("1.5m", 90.0), ("1h", 3600.0), ("0s", 0.0), ("100ms", 0.1), ("0.5ms", 0.0005)]),
        *((Rule("cos:SlowDown", delay=text), "delay", value) for text, value in [("200ms", (0.2, 0.2)), ("100ms..2s", (0.1, 2.0)), ("0s..0s", (0.0, 0.0))]),
        *((Rule("cos:SlowDown", skip=text), "skip", value) for text, value in [("0", 0), ("7", 7), ("007", 7)]),
        *((Rule("cos:SlowDown", above=text), "above", value) for text, value in [("100/s", (100, 1.0)), ("5/10s", (5, 10.0)), ("1/m", (1, 60.0)), ("3/500ms", (3, 0.5))]),
        *((Rule("cos:SlowDown", drain=each), "drain", True) for each in ("yes", "true", "on", "1", "YES")),
        *((Rule("cos:SlowDown", drain=each), "drain", False) for each in ("no", "False", "off", "0")),
        (Rule("cos:SlowDown", probability=0.25), "probability", 0.25),
        (Rule("cos:SlowDown", above="100/s"), "above", (100, 1.0)),
        (Rule("cos:SlowDown", delay="100ms..2s"), "delay", (0.1, 2.0)),
        (Rule("cos:SlowDown", delay=2), "delay", (2.0, 2.0)),
        (Rule("cos:SlowDown", end="1h"), "end", 3600.0),
        *((Rule("cos:SlowDown", status=each), "status", each) for each in (200, 429, 599)),
        (Rule("cos:SlowDown", drain="off"), "drain", False),
        (Rule("cos:SlowDown", set={"x": "y"}), "set.x", "y"),
        (Rule("cos:SlowDown", hint="date"), "hint", "date"),
        (Rule("cos:SlowDown", hint="X-Amz-Retry-After"), "hint", "x-amz-retry-after"),
        (Rule("cos:SlowDown"), "vendor", None),
        (Rule("hang"), "duration", 300.0),
        (Rule("hang", duration=1.5), "duration", 1.5),
        (Rule("hang", duration=timedelta(minutes=2)), "duration", 120.0),
        (Rule("hang", duration="1h"), "duration", 3600.0),
        (Rule("hang", duration=0), "duration", 0.0),
        (Rule("reset", delay="1h"), "delay", (3600.0, 3600.0)),
        (Rule("truncate"), "keep", 0.5),
        (Rule("truncate", keep=0), "keep", 0.0),
        (Rule("truncate", keep=0.999999), "keep", 0.999999),
        (Rule("truncate"), "keep_bytes", None),
        (Rule("truncate", keep_bytes=0), "keep_bytes", 0),
        (Rule("truncate", keep_bytes="4KiB"), "keep_bytes", 4096),
        (Rule("reset"), "after_bytes", None),
        (Rule("reset", after_bytes=0), "after_bytes", 0),
        (Rule("cos:SlowDown", after_bytes="256KiB"), "after_bytes", 262_144),
        (Rule("stall"), "duration", 300.0),
        (Rule("truncate"), "of", None),
        (Rule("truncate", of="cos:@server"), "of", "cos:@server"),
        (Rule("drip", rate="1KB"), "rate", 1000),
        (Rule("corrupt"), "flips", 1),
        (Rule("corrupt", flips=1000), "flips", 1000),
        (Rule("reset"), "http2", False),
        (Rule("reset", http2="on"), "http2", True),
        (Rule("cos:SlowDown"), "cors", True),
        (Rule("cos:SlowDown", cors=0), "cors", False),
    ],
)  # fmt: skip
def test_what_a_value_means(rule, key, expected):
    """Shares, seconds, ranges, sizes, rates, and yes or no in four spellings, and defaults."""
    assert [rule.value(key) for _ in range(2)] == [expected] * 2


@each_row(
    ("text", "least", "most"),
    [
        ("5MiB..", 5 * 1024**2, None),
        ("..1KiB", 0, 1024),
        ("1KB..2KB", 1000, 2000),
        ("4096", 4096, 4096),
        ("0", 0, 0),
        ("1GiB", 1024**3, 1024**3),
        ("1MB..1GB", 1000**2, 1000**3),
    ],
)
def test_a_size_is_bytes_or_a_range_of_them(site, text, least, most):
    """KB is 1000 bytes, KiB 1024; both ends are in it."""
    made = site(f"http:503,drain=no,size={text}")

    def met(length):
        return made.ask("PUT /b/k", CONTENT_LENGTH=str(length)) is not None

    assert met(least) and (least == 0 or not met(least - 1))
    assert met(10**15) if most is None else met(most) and not met(most + 1)


@each_row(
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
    assert Rule("http:503", begin=seconds).options["begin"] == text


@given(st.floats(0, 1e6, allow_nan=False))
def test_seconds_survive_being_text(seconds):
    """The text of a duration means the same seconds."""
    assert one("begin", seconds) == pytest.approx(seconds, rel=1e-12, abs=0)


@given(st.floats(0, 1))
def test_numbers_are_written_without_an_exponent(number):
    """And mean the same number."""
    rule = Rule("cos:SlowDown", probability=number)
    assert "e" not in rule.options["probability"].lower()
    assert rule.value("probability") == number


@each_row(
    ("word", "near"),
    [
        ("prob", "; did you mean probability?"),
        ("probabilty", "; did you mean probability?"),
        ("CONTENT_T", "; did you mean content_type?"),
        ("bo", ""),
    ],
)
def test_the_nearest_looks_alike_or_begins_alike(word, near):
    """A beginning of one word is near to it, of two words or below three letters to none."""
    assert message(Rule, "http:503", **{word: "1"}) == f"{word} is not a key{near}"


@given(st.text(min_size=1))
def test_what_is_shown_is_one_visible_line(text):
    """Control, format and bidi characters of a mistake never reach the terminal."""
    told = message(Rule, "cos:SlowDown", times=f"x{text}")
    assert told.isprintable()
    assert len(told) <= 10 * 80


@each_row(
    ("keys", "right"),
    [
        # A name is a letter or digit, then up to 63 letters, digits, dots, underscores, dashes.
        *(({"name": text}, True) for text in ("a", "A1._-b", "a" * 64, "1")),
        *(({"name": text}, False) for text in ("", "-a", "a b", "a" * 65, "é", "a/b")),
        # A header's name is a token of RFC 9110 5.6.2.
        *(({"header": {text: "1"}}, True) for text in ("X-Test", "!#$%&'*+-.^_`|~")),
        *(({"header": {text: "1"}}, False) for text in ("", "a b", "a:b", "é", "a\n")),
    ],
)
def test_a_name_is_plain_and_that_of_a_header_a_token(keys, right):
    """All others are refused."""
    try:
        found = bool(Rule("http:503", **keys))
    except ConfigurationError:
        found = False
    assert found is right
