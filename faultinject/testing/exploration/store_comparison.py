"""What a store holds in the end, compared with what it holds where nothing was killed, or where no fault came."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from os.path import commonprefix

from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.engine.shown import shown_path
from faultinject.exceptions import ConfigurationError
from faultinject.http.patterns import check_pattern, compile_path

# Each object's content, by `/bucket/key`.
StoreContents = dict[str, bytes]

LOST, HALF_WRITTEN, WRITTEN_TWICE, OTHER_CONTENT, NOT_REMOVED, LEFT_BEHIND = CHECKS = (
    "object lost",
    "half written",
    "written twice",
    "other content",
    "not removed",
    "left behind",
)
PACKED = 16
"""The share, one in so many bytes, by which something compressed may be longer or shorter where its content differs in each run."""
BY_NAME = (LOST, NOT_REMOVED)
"""What is wrong whatever the objects hold, as where another writer has replaced one of them."""


class StoreComparison:
    """Knows what a store is to hold, from the runs that are right, and says what is wrong with another.

    Args:
        without: what did not happen in the runs that are right.
        ignore: patterns of objects, `/bucket/key`, that are not compared.

    Raises:
        ConfigurationError: a pattern is too long.
    """

    def __init__(self, without: str = "a crash", ignore: Collection[str] = ()) -> None:
        for problem in filter(None, map(check_pattern, ignore)):
            raise ConfigurationError(f"ignore: {problem}")
        self._without = without
        self._ignored = [compile_path(each) for each in ignore]
        self._runs: list[Sequence[StoreContents]] = []
        self._same: set[str] = set()
        self._names: list[set[str]] = []
        self._shapes: dict[str, str] = {}

    def learn(self, before: StoreContents, ends: Sequence[StoreContents]) -> None:
        """Take one run for right.

        Args:
            before: what the store held when the program was started.
            ends: what it held after the program had run once, and where it has run again, after that.
        """
        before, *ends = map(self._compared, (before, *ends))
        paths = {*before, *(path for each in ends for path in each)}
        self._same = self._same & paths if self._runs else paths
        self._runs.append(ends)
        names = {_name(path) for each in ends for path in each}
        for other in self._names:
            self._shapes |= dict(shapes(names - other, other - names))
        self._names.append(names)

    @property
    def _ends(self) -> list[StoreContents]:
        return [end for each in self._runs for end in each]

    def findings(self, before: StoreContents, after: StoreContents) -> list[Finding]:
        """What is wrong.

        Args:
            before: what the store held when the program was started.
            after: what it holds when the program has ended, or was killed and has run again.
        """
        before, after = self._compared(before), self._compared(after)
        return [*self._of_fixed(before, after), *self._of_changing(before, after)]

    def _compared(self, contents: StoreContents) -> StoreContents:
        """What is compared, by its path as the journal shows it: a key may hold a presigned URL's query."""
        return {
            shown_path(path): each
            for path, each in contents.items()
            if not any(matches(path) for matches in self._ignored)
        }

    def _of_fixed(self, before: StoreContents, after: StoreContents) -> Iterator[Finding]:
        """Of the objects whose names are the same in every run."""
        for path in sorted({*before, *after, *chain.from_iterable(self._ends)}):
            if self._counted_as(path) is not None:
                continue
            allowed = [each.get(path) for each in self._ends]
            found = after.get(path)
            usual = [each for each in allowed if each is not None]
            if found in allowed:
                continue
            if found is None:
                yield finding(
                    LOST, f"{path} is not there; without {self._without} it has {in_bytes(len(usual[0]))}"
                )
            elif usual:
                yield from self._of_content(path, found)
            elif path in before:
                yield finding(NOT_REMOVED, f"{path} is still there; without {self._without} it is removed")
            else:
                yield finding(
                    LEFT_BEHIND,
                    f"{path} ({in_bytes(len(found))}) is there, and not without {self._without}",
                    WARN,
                )

    def _of_content(self, path: str, found: bytes) -> Iterator[Finding]:
        # What it is after the first run in each of them, and what it is after the second: those may well differ.
        stages = [[each[path] for each in stage if path in each] for stage in zip(*self._runs, strict=True)]
        if any(len({len(each) for each in stage}) > 1 for stage in stages):
            return  # it has another size in each run: no crash is needed for that
        usual = list(dict.fromkeys(each for stage in stages for each in stage))
        varying = [stage for stage in stages if len(set(stage)) > 1]
        if any(len(found) == len(stage[0]) or _is_one_more(found, stage) for stage in varying):
            return  # it has another content in each run
        sizes = " or ".join(f"{size:,}" for size in sorted({len(each) for each in usual}))
        said = f"{path} has {in_bytes(len(found))}; without {self._without} it has {sizes} {'byte' if sizes == '1' else 'bytes'}"
        if any(len(found) < len(each) and each.startswith(found) for each in usual):
            yield finding(HALF_WRITTEN, said)
        elif any(_has_a_piece_twice(found, each) for each in usual):
            yield finding(WRITTEN_TWICE, said)
        elif same := [_common(found, each) for each in usual if len(each) == len(found)]:
            yield finding(
                OTHER_CONTENT,
                f"{path} differs from what it is without {self._without}, from byte {max(same)} on",
            )
        else:
            yield finding(OTHER_CONTENT, said)

    def _of_changing(self, before: StoreContents, after: StoreContents) -> Iterator[Finding]:
        """Of those whose names hold what is new in each run: how many there are."""
        counts = [self._changing(each) for each in self._ends]
        held, found = self._changing(before), self._changing(after)
        for name in sorted({each for count in (*counts, held, found) for each in count}):
            number = found[name]
            least, most = (wanted(count[name] for count in counts) for wanted in (min, max))
            if least <= number <= most:
                continue
            check = LOST if number < least else NOT_REMOVED if held[name] > most else LEFT_BEHIND
            there = f"there is 1 object {name}" if number == 1 else f"there are {number} objects {name}"
            usual = f"without {self._without} {least if least == most else f'{least} to {most}'}"
            yield finding(check, f"{there}, {usual}", WARN if check == LEFT_BEHIND else FAIL)

    def _counted_as(self, path: str) -> str | None:
        """What an object is called whose name is another in each run; None: it has the same one.

        What looks like an id is none where all runs have it.
        """
        if path in self._same:
            return None
        name = _name(path)
        if not all(name in each for each in self._names):
            for pattern, text in self._shapes.items():
                if re.fullmatch(pattern, name):
                    return text
        return None if name == path else name

    def _changing(self, contents: StoreContents) -> Counter[str]:
        return Counter(filter(None, map(self._counted_as, contents)))


# UUIDs and long hexadecimal ids. Of a shorter one nobody can tell that it is none before it is another in the next run.
_IDS = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}")
# Directories that are named by the beginning of an id, as in `data/9f/9fd3…`; no bucket is.
_FANNED_OUT = re.compile(r"(?<=[^/]/)[0-9A-Fa-f]{2,4}(?=/)")


def _name(path: str) -> str:
    """A path with a star for each id."""
    starred = _IDS.sub("*", path)
    return path if starred == path else _FANNED_OUT.sub("*", starred)


# What is counted up, drawn by lot or read from a clock is one of these, between signs such as / - . and =.
_WORDS = re.compile(r"(\w+)")
# Numbers, also as in 23T16 and 05Z.
_COUNTED = re.compile(r"(\d+[TZ]?)+")


def shape(one: Sequence[str], other: Sequence[str]) -> tuple[str, str]:
    """What two names have in common that stand for each other in two runs, as `data-31a333ef` and `data-c283be0f`.

    Args:
        one: the name in the one run, in words and the signs between them.
        other: the name in the other run, in as many.

    Returns:
        The pattern of all such names, and what they are called, with a star for each word that differs.
    """
    pairs = list(zip(one, other, strict=True))
    # Where a part of it is drawn from a clock, another may be the same in these two runs only.
    fixed = [a == b and not (number % 2 and _COUNTED.fullmatch(a)) for number, (a, b) in enumerate(pairs)]
    same = list(zip(fixed, pairs, strict=True))
    pattern = "".join(re.escape(a) if alike else _like(a, b) for alike, (a, b) in same)
    return pattern, "".join(a if alike else "*" for alike, (a, _) in same)


def _like(one: str, other: str) -> str:
    """A pattern of words that stand for each other."""
    number = one.isdigit() and other.isdigit()
    if len(one) != len(other):
        return r"\d+" if number else r"\w+"
    # Numbers may be longer next time. Or they are the beginnings of ids, which happen to have no letter.
    return rf"(?:\d+|\w{{{len(one)}}})" if number else rf"\w{{{len(one)}}}"


def shapes(ones: Iterable[str], others: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The shapes of names that only one of two runs has: each beside the one of the other run that is most like it."""
    found = [_WORDS.split(each) for each in sorted(others)]
    for each in sorted(ones):
        words = _WORDS.split(each)
        alike = [other for other in found if other[::2] == words[::2]]
        if alike:
            yield shape(words, max(alike, key=lambda other: sum(map(str.__eq__, words, other))))


# Of a number, a time or an id: at the edge of what differs more of it may differ in the next run.
_SIGNS = (string.ascii_letters + string.digits + "_.:+-").encode()
_WORD = re.compile(rb"[\w.:+-]+|[^\w.:+-]+")


def _is_one_more(found: bytes, usual: list[bytes]) -> bool:
    """Whether what differs from run to run, such as a time with a fraction, is somewhat longer or shorter this time."""
    return _is_packed_alike(found, usual) or _has_such_words(found, usual) or _has_such_a_piece(found, usual)


def _is_packed_alike(found: bytes, usual: list[bytes]) -> bool:
    """Whether it is no text, as what is compressed, and about as long: there a few letters that differ change all that follows."""
    size = len(usual[0])
    try:
        found.decode()
    except UnicodeDecodeError:
        # Of a binary record that is not compressed, all but what was drawn anew is the same in each run.
        begin = _common(min(usual), max(usual))
        same = sum(one == other for one, other in zip(min(usual)[begin:], max(usual)[begin:], strict=True))
        return 2 * same < size - begin and abs(len(found) - size) <= size // PACKED + 3
    return False


def _has_such_words(found: bytes, usual: list[bytes]) -> bool:
    """Whether each word is as long as in the runs without faults, or nearly so where those differ in it."""
    for word, *known in zip_longest(*(_WORD.finditer(each) for each in (found, *usual))):
        if word is None or None in known:
            return False
        size = len(known[0][0])
        varies = len({each[0] for each in known}) > 1
        if abs(len(word[0]) - size) > (_most(size) if varies else 0):
            return False
    return True


def _most(size: int) -> int:
    """How many bytes longer or shorter something of this size may be."""
    return min(size - 1, size // 4 + 3)


def _has_such_a_piece(found: bytes, usual: list[bytes]) -> bool:
    """Whether only the piece in which the runs without faults differ is somewhat longer or shorter."""
    size = len(usual[0])
    least, most = min(usual), max(usual)
    same = _common(least, most)
    begin = least[:same].rstrip(_SIGNS)
    turned = [each[same:][::-1] for each in usual]
    end = turned[0][: min(_common(turned[0], each) for each in turned)][::-1].lstrip(_SIGNS)
    differs = size - len(begin) - len(end)
    return (
        len(found) >= len(begin) + len(end)
        and found.startswith(begin)
        and found.endswith(end)
        and abs(len(found) - size) <= _most(differs)
    )


def _has_a_piece_twice(found: bytes, right: bytes) -> bool:
    """Whether it is the right content but for a piece that stands there twice, one behind the other."""
    more = len(found) - len(right)
    if more <= 0:
        return False
    same = _common(found, right)
    if found[same + more :] != right[same:]:
        return False
    piece = found[same : same + more]
    return piece in (found[same - more : same] if same >= more else b"", right[same : same + more])


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two contents have in common at their beginning."""
    return len(commonprefix((one, other)))  # noqa: RUF071 - byte by byte is what is meant


def in_bytes(number: int) -> str:
    """`1 byte`, `2,000 bytes`."""
    return "1 byte" if number == 1 else f"{number:,} bytes"


def finding(check: str, message: str, verdict: str = FAIL, subject: str | None = None) -> Finding:
    """A finding of one run."""
    return Finding(check=check, verdict=verdict, n=1, message=message, subject=subject)
