"""Patterns of paths, keys and plain text, which match the whole value.

No regular expression is made from them.

In a path `*` and `?` stay within a segment, and a segment `**` stands for any number of segments. A pattern that ends
in `/` matches that folder and all below it. Elsewhere `*` matches anything and `?` is an
ordinary character. A pattern that begins with `=` is taken literally.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller

Test = Callable[[str], bool]

STARS = 16
SEGMENTS = 32
CHARACTERS = 1024


def check_pattern(text: str) -> str | None:
    """Name the limit that a pattern exceeds; None if it exceeds none."""
    if text[:1] == "=" or (
        len(text) <= CHARACTERS and text.count("*") <= STARS and text.count("/") < SEGMENTS
    ):
        return None
    if len(text) > CHARACTERS:
        return f"a pattern of {len(text)} characters; at most {CHARACTERS} are allowed"
    if text.count("*") > STARS:
        return f"a pattern of {text.count('*')} stars; at most {STARS} are allowed"
    segments = text.removeprefix("/").removesuffix("/").count("/") + 1
    return (
        f"a pattern of {segments} segments; at most {SEGMENTS} are allowed" if segments > SEGMENTS else None
    )


def literal_prefix(text: str) -> tuple[str, bool]:
    """The literal segments at a path pattern's start, and whether the whole pattern is literal.

    `/a/b/**` gives `("/a/b", False)`, `a/b` gives `("/a/b", True)`, `*.jpg` gives `("", False)`.
    """
    if text[:1] == "=":
        return _with_slash(text[1:]), True
    text = _with_slash(text)
    cut = text.find("*")
    question_mark = text.find("?")
    if cut < 0 or 0 <= question_mark < cut:
        cut = question_mark
    if cut < 0:
        return (text[:-1], False) if text[-1] == "/" else (text, True)
    return text[: text.rindex("/", 0, cut)], False


def compile_plain(text: str) -> Test:
    """The test for a pattern in which `*` matches anything."""
    if text[:1] == "=" or "*" not in text:
        return _literal_test(text.removeprefix("="))
    return _stars_test(text)


def compile_path(text: str, *, leading: bool = True) -> Test:
    """The test for a pattern of a path, or of a key.

    Args:
        text: the pattern.
        leading: whether the pattern is of a path: its first `/` may be left out.
    """
    if leading:
        return _literal_test(_with_slash(text[1:])) if text[:1] == "=" else _path_test(_with_slash(text))
    if text[:1] == "=":
        return _literal_test(text[1:])
    test = _path_test(f"/{text}")
    return lambda value: test(f"/{value}")


def _with_slash(text: str) -> str:
    return text if text[:1] == "/" else f"/{text}"


def _literal_test(text: str) -> Test:
    return text.__eq__


def _path_test(pattern: str) -> Test:
    folder = pattern[-1] == "/"
    segments = pattern[1:].split("/")
    wild = segments.count("**")
    if "?" in pattern or wild > 1 or (wild and folder):
        return _states_test(pattern)
    if not wild and "*" not in pattern:
        return methodcaller("startswith", pattern) if folder else _literal_test(pattern)
    if wild and "*" not in pattern[:-2]:
        exact, below = pattern[:-3], pattern[:-2]
        return lambda path: path.startswith(below) or path == exact
    return _segments_test(segments, folder=folder)


def _stars_test(text: str) -> Test:
    first, *middle, last = text.split("*")
    middle = [piece for piece in middle if piece]
    least = len(first) + len(last)
    if not middle:
        return lambda value: len(value) >= least and value.startswith(first) and value.endswith(last)

    def test(value: str) -> bool:
        if len(value) < least or not value.startswith(first) or not value.endswith(last):
            return False
        at, end = len(first), len(value) - len(last)
        for piece in middle:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return test


def _segments_test(pattern: list[str], *, folder: bool) -> Test:
    """The test for a pattern without `?` and with at most one `**`.

    The segments before `**` are compared from the start, those after it from the end; nothing is compared twice.
    """
    if folder:
        pattern = [*pattern[:-1], "*", "**"]
    at = pattern.index("**") if "**" in pattern else -1
    tests = [_stars_test(segment) if "*" in segment else _literal_test(segment) for segment in pattern]
    front, back = (tests, []) if at < 0 else (tests[:at], tests[at + 1 :])
    least = len(front) + len(back)

    def test(path: str) -> bool:
        if path[:1] != "/":
            return False
        segments = path[1:].split("/")
        count = len(segments)
        # "/a/**" matches "/a", but "/**/a" does not match "": a path has at least one segment.
        if count < least or (at < 0 and count != least):
            return False
        for check, segment in zip(front, segments, strict=False):
            if not check(segment):
                return False
        tail = segments[count - len(back) :]
        return all(check(segment) for check, segment in zip(back, tail, strict=False))

    return test


def _states_test(pattern: str) -> Test:
    """The test for any pattern: it follows all positions in the pattern at the same time.

    A set of positions is a number, with a bit for each position that the path's characters so far may have reached.
    Each character of the path is one step for all positions together, so the time does not depend on the pattern.
    """
    # Masks of positions. On "/": step to the next position if it is in `slash`, remain if the position is in
    # `repeats_always`, and from one in `before_wildcard` also step two positions. On another character c: step
    # to the next position if it is in `anything` or `characters[c]`, remain if the position is in
    # `repeats_in_segment` or `repeats_always`.
    slash = anything = repeats_in_segment = repeats_always = before_wildcard = 0
    characters: dict[str, int] = {}
    folder = pattern[-1] == "/"
    segments = pattern[1:].split("/")
    at = 1
    accepted = 0
    previous = ""
    for index, segment in enumerate(segments):
        if segment == "**":
            if previous == "**":
                continue
            # `**` is one position: a "/" enters it, no character leaves it, and the "/" of the next segment goes on
            # from it. As `**` may stand for no segment, that "/" also goes on from the position before `**`.
            slash |= at << 1
            repeats_always |= at << 1
            before_wildcard |= at
            previous, at = segment, at << 1
            accepted = at | at >> 1
            continue
        previous = segment
        at <<= 1
        slash |= at
        if folder and index == len(segments) - 1:
            repeats_always |= at
        for character in segment:
            if character == "*":
                repeats_in_segment |= at
                continue
            at <<= 1
            if character == "?":
                anything |= at
            else:
                characters[character] = characters.get(character, 0) | at
        accepted = at
    steps = {character: bits | anything for character, bits in characters.items()}
    loops = repeats_in_segment | repeats_always
    step = steps.get

    def test(path: str) -> bool:
        states = 1
        for character in path:
            if character == "/":
                states = (states << 1 & slash) | (states & repeats_always) | ((states & before_wildcard) << 2)
            else:
                states = (states << 1 & step(character, anything)) | (states & loops)
            if not states:
                return False
        return bool(states & accepted)

    return test
