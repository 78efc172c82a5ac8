"""Patterns of paths, keys and plain text."""

import sys
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from faultinject.http.patterns import check_pattern, compile_path, compile_plain, literal_prefix
from tests.rows import each_row

PATHS = [
    # pattern, what it matches, what it does not
    ("/a/b", ["/a/b"], ["/a", "/a/b/", "/a/b/c", "/A/b", "a/b"]),
    ("a/b", ["/a/b"], ["/x/a/b", "/a/bc"]),
    (
        "photos/",
        ["/photos/", "/photos/a", "/photos/a/b", "/photos//"],
        ["/photos", "/photosa", "/x/photos/a"],
    ),
    ("/", ["/", "/a", "/a/b"], []),
    ("=/", ["/"], ["/a", ""]),
    ("=/photos/", ["/photos/"], ["/photos/a", "/photos"]),
    ("=photos/*", ["/photos/*"], ["/photos/a"]),
    ("=/a?", ["/a?"], ["/ab"]),
    ("/*", ["/", "/a", "/.hidden"], ["/a/", "/a/b"]),
    ("*", ["/", "/a"], ["/a/b"]),
    ("/a/*", ["/a/", "/a/b", "/a/.b"], ["/a", "/a/b/c", "/a/b/"]),
    ("/a/*.jpg", ["/a/x.jpg", "/a/.jpg", "/a/x.y.jpg"], ["/a/x.jpgs", "/a/b/x.jpg", "/a/xjpg"]),
    ("/a/x*y*z", ["/a/xyz", "/a/x1y2z", "/a/xyyz"], ["/a/xz", "/a/xzy", "/a/x/yz"]),
    ("/a/*b*", ["/a/b", "/a/xbx"], ["/a/x", "/a/x/b"]),
    ("/a/ab*ba", ["/a/abba", "/a/abxba"], ["/a/aba", "/a/ab"]),
    ("/*/b", ["/a/b", "//b"], ["/b", "/a/c/b", "a/b", "x"]),
    ("/a?c", ["/abc", "/a?c"], ["/ac", "/a/c", "/abbc"]),
    ("/a/?", ["/a/b"], ["/a/", "/a/bc", "/a//"]),
    ("/a/**", ["/a", "/a/", "/a/b", "/a/b/c", "/a//"], ["/ab", "/b/a", "/"]),
    ("**", ["/", "/a", "/a/b/"], []),
    ("/a/*/**", ["/a/", "/a/b", "/a/b/c"], ["/a", "/b/a/c"]),
    ("**/b", ["/b", "/a/b", "/a/c/b", "//b"], ["/bb", "/b/", "/b/a"]),
    ("**/*.jpg", ["/x.jpg", "/a/b/x.jpg", "/.jpg"], ["/x.jpg/", "/x.png"]),
    ("/a/**/b", ["/a/b", "/a/x/b", "/a/x/y/b", "/a/b/b"], ["/ab", "/a", "/a/b/c", "/b"]),
    ("/a/**/b/**/c", ["/a/b/c", "/a/x/b/y/z/c", "/a/b/b/c/c"], ["/a/c", "/a/c/b", "/a/b/x"]),
    ("/a/**/**/b", ["/a/b", "/a/x/b"], ["/ab"]),
    ("/a/**/?.jpg", ["/a/x.jpg", "/a/b/c/x.jpg"], ["/a/xx.jpg", "/a/.jpg"]),
    ("/a/**/b/", ["/a/b/", "/a/x/b/c", "/a/b/b"], ["/a/b", "/a/x/b"]),
    ("/a*/b/", ["/a/b/", "/ax/b/c/d"], ["/a/b", "/b/b/"]),
    ("/a**b", ["/ab", "/axb"], ["/a/b"]),
    ("/a/**b", ["/a/b", "/a/xb"], ["/a/x/b", "/b"]),
    ("/a/=b*", ["/a/=bc"], ["/a/b", "/a/bc"]),
    ("/a%2Fb", ["/a%2Fb"], ["/a/b"]),
    ("/猫/*", ["/猫/x"], ["/犬/x"]),
    ("/a//b", ["/a//b"], ["/a/b"]),
    ("/**/", ["/", "/a", "/a/b/"], []),
]


KEYS = [
    # A key may begin with a slash of its own, so none may be left out.
    ("a/b", ["a/b"], ["/a/b", "a/b/c"]),
    ("/a", ["/a"], ["a"]),
    ("a/", ["a/", "a/b"], ["a", "/a/b"]),
    ("**/x", ["x", "a/x"], ["ax"]),
    ("=a*", ["a*"], ["ab"]),
    ("?", ["a"], ["", "ab"]),
    ("*", ["", "a", ".a"], ["a/b"]),
]
PLAIN = [
    # Outside of path and key `*` matches anything, slashes too, and `?` is ordinary.
    ("abc", ["abc"], ["ABC", "abcd", ""]),
    ("a*", ["a", "ab", "a/b c"], ["ba"]),
    ("*", ["", "a/b"], []),
    ("*a*b*", ["ab", "xaxbx"], ["ba", "a"]),
    ("a*a", ["aa", "aba"], ["a"]),
    ("a**b", ["ab", "axb"], ["a"]),
    ("a?", ["a?"], ["ab"]),
    ("=a*", ["a*"], ["ab"]),
    ("=", [""], ["a"]),
    ("aXb*b", ["aXbb", "aXb1b"], ["aXb"]),
]


@each_row(
    ("of", "pattern", "matches", "not_"),
    [
        *((compile_path, *row) for row in PATHS),
        *((partial(compile_path, leading=False), *row) for row in KEYS),
        *((compile_plain, *row) for row in PLAIN),
    ],
)
def test_a_pattern_matches_whole_texts(of, pattern, matches, not_):
    """Stars, folders, literals and dot-files match as the documentation says, row by row."""
    test = of(pattern)
    assert [each for each in matches if not test(each)] == []
    assert [each for each in not_ if test(each)] == []


def matches_by_definition(pattern: str, path: str) -> bool:
    """The definition, spelled out without a thought for time."""
    folder = pattern.endswith("/")
    pattern = pattern if pattern.startswith("/") else f"/{pattern}"
    wanted = pattern[1:].split("/")
    if folder:
        wanted[-1:] = ["*", "**"]
    return path.startswith("/") and segments_match(wanted, path[1:].split("/"))


def segments_match(wanted: list[str], segments: list[str]) -> bool:
    if not wanted:
        return not segments
    if wanted[0] == "**":
        return any(segments_match(wanted[1:], segments[at:]) for at in range(len(segments) + 1))
    return (
        bool(segments)
        and segment_matches(wanted[0], segments[0])
        and segments_match(wanted[1:], segments[1:])
    )


def segment_matches(wanted: str, segment: str) -> bool:
    if not wanted:
        return not segment
    if wanted[0] == "*":
        return any(segment_matches(wanted[1:], segment[at:]) for at in range(len(segment) + 1))
    return bool(segment) and wanted[0] in ("?", segment[0]) and segment_matches(wanted[1:], segment[1:])


@given(
    st.lists(
        st.sampled_from(["**", "*", "?", "a", "ab", "a*", "*b", "a?", "", "a*b*"]), min_size=1, max_size=6
    ),
    st.text("ab/", max_size=10),
)
def test_every_path_pattern_agrees_with_the_definition(segments, path):
    """The quick ways (prefix, segments, states) are shortcuts of one meaning."""
    pattern = "/" + "/".join(segments)
    path = f"/{path}"
    assert compile_path(pattern)(path) == matches_by_definition(pattern, path)


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_every_plain_pattern_agrees_with_the_definition(pattern, text):
    """`*` matches any run of characters, also none."""
    assert compile_plain(pattern)(text) == segment_matches(pattern, text)


@each_row(
    ("pattern", "prefix"),
    [
        ("/a/b", ("/a/b", True)),
        ("a/b", ("/a/b", True)),
        ("=a/*", ("/a/*", True)),
        ("/a/b/**", ("/a/b", False)),
        ("/a/b*", ("/a", False)),
        ("/a/b?/c", ("/a", False)),
        ("/a?/b*", ("", False)),
        ("/a*/b?", ("", False)),
        ("photos/", ("/photos", False)),
        ("/", ("", False)),
        ("=/", ("/", True)),
        ("**", ("", False)),
        ("*.jpg", ("", False)),
        ("//x/*", ("//x", False)),
    ],
)
def test_the_literal_prefix_of_a_path_pattern_is_whole_segments(pattern, prefix):
    """The index files a rule under these segments: all that the pattern matches begins so."""
    assert literal_prefix(pattern) == prefix


@given(
    st.lists(st.sampled_from(["**", "*", "?", "a", "b", "a*", ""]), min_size=1, max_size=5),
    st.text("ab/", max_size=8),
)
def test_what_matches_begins_with_the_literal_prefix(segments, path):
    """No rule is lost by its index."""
    pattern, path = "/" + "/".join(segments), f"/{path}"
    prefix, literal = literal_prefix(pattern)
    if compile_path(pattern)(path):
        assert path == prefix if literal else f"{path}/".startswith(f"{prefix}/")


@each_row(
    ("text", "problem"),
    [
        ("*" * 16, None),
        ("*" * 17, "a pattern of 17 stars; at most 16 are allowed"),
        ("/" + "/".join("a" * 32), None),
        ("/" + "/".join("a" * 32) + "/", None),
        ("/".join("a" * 33), "a pattern of 33 segments; at most 32 are allowed"),
        ("a" * 1024, None),
        ("a" * 1025, "a pattern of 1025 characters; at most 1024 are allowed"),
        ("=" + "*" * 2000, None),
    ],
)
def test_a_pattern_has_limits(text, problem):
    """16 stars, 32 segments, 1,024 characters; what is taken literally is no pattern."""
    assert check_pattern(text) == problem


WORST = [
    "/" + "/".join(["**", "a", "b"] * 5 + ["**", "*a*", "*c*", "d"]),
    "/" + "*" + "a?" * 500 + "b*",
    "/" + "/".join(["**"] + ["a?"] * 29 + ["**", "c"]),
    "/" + "a*" * 15 + "b",
    "/**/" + "a/" * 28 + "*b*/**",
]
UNITS = ["a", "a/", "aa/", "ab", "/"]


@each_row(
    ("pattern", "unit"),
    [(each, unit) for at, each in enumerate(WORST) for unit in (UNITS[at], UNITS[at - 1], UNITS[at - 2])],
)
def test_the_worst_pattern_costs_a_step_a_character(pattern, unit):
    """No pattern within the limits makes the cost grow faster than the path does."""
    test = compile_path(pattern)

    def lines_run(path: str) -> int:
        run = 0

        def trace(frame, event, _):
            nonlocal run
            if frame.f_code.co_filename == compile_path.__code__.co_filename:
                run += event == "line"
                return trace
            return None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            test(path)
        finally:
            sys.settrace(before)
        return run

    short, long = (lines_run(("/" + unit * 8192)[:length]) for length in (2048, 8192))
    assert long <= 4.5 * short + 100
    assert long <= 4 * 8192 + 500
