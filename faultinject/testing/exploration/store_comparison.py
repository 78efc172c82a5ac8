"""The final contents of a store, compared with those without a crash or without faults."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from os.path import commonprefix

from faultinject.audit.checks import CHECKS as CLIENT_CHECKS
from faultinject.audit.checks.check import decide
from faultinject.audit.documents import EvidenceKind, reference
from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.engine.shown import shown_path
from faultinject.exceptions import ConfigurationError
from faultinject.http.patterns import check_pattern, compile_path
from faultinject.literals import Verdict

# Each object's content, by `/bucket/key`.
StoreContents = dict[str, bytes]

LOST, HALF_WRITTEN, WRITTEN_TWICE, OTHER_CONTENT, NOT_REMOVED, PERHAPS_TWICE, LEFT_BEHIND = CHECKS = (
    "object lost",
    "half written",
    "written twice",
    "other content",
    "not removed",
    "perhaps written twice",
    "left behind",
)
BY_NAME = (LOST, NOT_REMOVED)
"""Findings that count whatever the objects hold, also if another writer has replaced one."""


class StoreComparison:
    """Knows the right contents of a store from right runs, and finds what is wrong with others.

    Args:
        without: the event that did not happen in the right runs.
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
        """Take one run as right.

        Args:
            before: what the store held when the program was started.
            ends: what it held after the program had run once, and where it has run again, after that.
        """
        before, *ends = map(self._compared, (before, *ends))
        paths = {*before, *(path for end in ends for path in end)}
        self._same = self._same & paths if self._runs else paths
        self._runs.append(ends)
        names = {_name(path) for end in ends for path in end}
        for other in self._names:
            self._shapes |= dict(shapes(names - other, other - names))
        self._names.append(names)

    @property
    def _ends(self) -> list[StoreContents]:
        return [end for run in self._runs for end in run]

    def findings(
        self,
        before: StoreContents,
        after: StoreContents,
        *,
        refused: Collection[str] = (),
        lost: bool = False,
    ) -> list[Finding]:
        """The findings about a run.

        Args:
            before: the contents of the store when the program was started.
            after: its contents when the program has ended, or was killed and has run again.
            refused: the objects, `/bucket/key`, whose removal a fault has refused; `/bucket/` stands for all of a
                bucket.
            lost: whether the answer to a write was lost.
        """
        before, after = self._compared(before), self._compared(after)
        buckets = tuple(path for path in refused if path.endswith("/"))
        left = {path for path in after if path in refused or path.startswith(buckets)}
        return [
            *self._of_fixed(before, after, left, lost=lost),
            *self._of_changing(before, after, left, lost=lost),
        ]

    def gone(self, before: StoreContents, after: StoreContents) -> list[Finding]:
        """Objects that a run with an error has removed, and right runs leave or replace."""
        before, after = self._compared(before), self._compared(after)
        found, usual = self._by_name(after), list(map(self._by_name, self._ends))
        lacking = [
            name
            for name in {name for each in usual for name in each}
            if all(len(each.get(name, ())) > len(found.get(name, ())) for each in usual)
        ]
        return [
            finding(LOST, f"it was there before the run, and is gone: {path}", WARN)
            for path in sorted(before.keys() - after.keys())
            if all(path in end for end in self._ends) or any(fnmatchcase(path, each) for each in lacking)
        ]

    def _compared(self, contents: StoreContents) -> StoreContents:
        """The compared objects, by their paths as the journal shows them.

        A key may hold a presigned URL's query.
        """
        return {
            shown_path(path): content
            for path, content in contents.items()
            if not any(matches(path) for matches in self._ignored)
        }

    def _of_fixed(
        self, before: StoreContents, after: StoreContents, left: Collection[str], *, lost: bool
    ) -> Iterator[Finding]:
        """Compare the objects whose names are the same in every run."""
        for path in sorted({*before, *after, *chain.from_iterable(self._ends)}):
            if self._counted_as(path) is not None:
                continue
            allowed = [end.get(path) for end in self._ends]
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
            elif path in before or path in left:
                yield finding(NOT_REMOVED, f"{path} is still there; without {self._without} it is removed")
            else:
                said = f"{path} ({in_bytes(len(found))}) is there, and not without {self._without}"
                yield _of_more(said, [path], after, lost=lost)

    def _of_content(self, path: str, found: bytes) -> Iterator[Finding]:
        # What it is after the first run in each of them, and what it is after the second: those may well differ.
        stages = [[each[path] for each in stage if path in each] for stage in zip(*self._runs, strict=True)]
        if any(len({len(each) for each in stage}) > 1 for stage in stages):
            return  # it has another size in each run: no crash is needed for that
        usual = list(dict.fromkeys(each for stage in stages for each in stage))
        if any(len(set(stage)) > 1 and _is_one_more(found, stage) for stage in stages):
            return  # it has another content in each run
        yield self._damage(path, found, usual)

    def _damage(self, path: str, found: bytes, usual: Collection[bytes]) -> Finding:
        """The damage to an object, compared with its right contents."""
        sizes = " or ".join(f"{size:,}" for size in sorted({len(content) for content in usual}))
        said = (
            f"{path} has {in_bytes(len(found))}; without {self._without}"
            f" it has {sizes} {'byte' if sizes == '1' else 'bytes'}"
        )
        if any(len(found) < len(content) and content.startswith(found) for content in usual):
            return finding(HALF_WRITTEN, said)
        if any(_has_a_piece_twice(found, content) for content in usual):
            return finding(WRITTEN_TWICE, said)
        if same := [_common(found, content) for content in usual if len(content) == len(found)]:
            said = f"{path} differs from what it is without {self._without}, from byte {max(same)} on"
        return finding(OTHER_CONTENT, said)

    def _of_changing(
        self, before: StoreContents, after: StoreContents, left: Collection[str], *, lost: bool
    ) -> Iterator[Finding]:
        """Compare objects under drawn names: their number, and their contents where equal."""
        stages = [list(map(self._by_name, stage)) for stage in zip(*self._runs, strict=True)]
        held, found = self._by_name(before), self._by_name(after)
        ends = list(chain.from_iterable(stages))
        for name in sorted({each for some in (*ends, held, found) for each in some}):
            there = found.get(name, {})
            number = len(there)
            least, most = (wanted(len(end.get(name, ())) for end in ends) for wanted in (min, max))
            if least <= number <= most:
                usual = [[Counter(each.get(name, {}).values()) for each in stage] for stage in stages]
                yield from self._of_contents(name, Counter(there.values()), usual)
                continue
            said = f"there is 1 object {name}" if number == 1 else f"there are {number} objects {name}"
            said += f", without {self._without} {least if least == most else f'{least} to {most}'}"
            if number < least:
                yield finding(LOST, said)
            elif len(held.get(name, ())) > most or not there.keys().isdisjoint(left):
                yield finding(NOT_REMOVED, said)
            else:
                yield _of_more(said, there.keys() - before.keys(), after, lost=lost)

    def _of_contents(
        self, name: str, there: Counter[bytes], stages: Sequence[Sequence[Counter[bytes]]]
    ) -> Iterator[Finding]:
        """Compare the contents of objects under drawn names of one pattern."""
        usual = [stage[0] for stage in stages]
        if there in usual or any(each != stage[0] for stage in stages for each in stage):
            return  # they hold what they always hold, or something else in each run
        nearest = min(usual, key=lambda each: (each - there).total())
        for content in there - nearest:
            yield self._damage(f"an object {name}", content, list(nearest - there) or list(nearest))

    def _counted_as(self, path: str) -> str | None:
        """The name by which an object counts whose name differs in each run; None: it does not.

        A part that looks like an id is none if all runs have it.
        """
        if path in self._same:
            return None
        name = _name(path)
        if not all(name in names for names in self._names):
            for pattern, text in self._shapes.items():
                if re.fullmatch(pattern, name):
                    return text
        return None if name == path else name

    def _by_name(self, contents: StoreContents) -> dict[str, StoreContents]:
        """The objects whose names differ in each run, by the names under which they count."""
        named: dict[str, StoreContents] = {}
        for path, each in contents.items():
            if name := self._counted_as(path):
                named.setdefault(name, {})[path] = each
        return named


def _of_more(said: str, paths: Iterable[str], after: StoreContents, *, lost: bool) -> Finding:
    """Warn of objects that only this run leaves, and of their equals after a lost answer."""
    some = sorted(paths) if lost else []
    others = [(path, other) for path in some for other in after if path != other and after[path]]
    for path, other in others:
        if after[path] == after[other]:
            return finding(PERHAPS_TWICE, f"equal to {other}: {said}", WARN)
    for path, other in others:
        if _folder(path) == _folder(other) and _words(after[path]) == _words(after[other]):
            return finding(PERHAPS_TWICE, f"equal to {other}, but for ids, numbers and order: {said}", WARN)
    return finding(LEFT_BEHIND, said, WARN)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


# UUIDs and long hexadecimal ids. A shorter one cannot be told from other words before it differs in the next run.
_IDS = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}")
_NUMBERS = re.compile(_IDS.pattern.encode() + rb"|[0-9]+")
# Directories that are named by the beginning of an id, as in `data/9f/9fd3…`; no bucket is.
_FANNED_OUT = re.compile(r"(?<=[^/]/)[0-9A-Fa-f]{2,4}(?=/)")


def _name(path: str) -> str:
    """A path with a star for each id."""
    starred = _IDS.sub("*", path)
    return path if starred == path else _FANNED_OUT.sub("*", starred)


def _words(content: bytes) -> Counter[bytes]:
    """The words of a content, with a star for each id and number.

    JSON may have them in any order.
    """
    return Counter(re.findall(rb"[\w*]+", _NUMBERS.sub(b"*", content)))


# What is counted up, drawn by lot or read from a clock is one of these, between signs such as / - . and =.
_WORDS = re.compile(r"(\w+)")
# Numbers, also as in 23T16 and 05Z.
_COUNTED = re.compile(r"(\d+[TZ]?)+")


def shape(one: Sequence[str], other: Sequence[str]) -> tuple[str, str]:
    """The common part of two names for the same thing in two runs.

    Examples are `data-31a333ef` and `data-c283be0f`.

    Args:
        one: the name in the one run, in words and the signs between them.
        other: the name in the other run, in as many.

    Returns:
        The pattern of all such names, and what they are called, with a star for each word that differs.
    """
    pairs = list(zip(one, other, strict=True))
    # If a part of it is drawn from a clock, another part may be the same in these two runs only.
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
    """The shapes of names that only one of two runs has.

    Each stands beside the most similar name of the other run.
    """
    split = [_WORDS.split(name) for name in sorted(others)]
    for name in sorted(ones):
        words = _WORDS.split(name)
        alike = [other for other in split if other[::2] == words[::2]]
        if alike:
            yield shape(words, max(alike, key=lambda other: sum(map(str.__eq__, words, other))))


# Of a number, a time or an id: at the edge of what differs more of it may differ in the next run.
_SIGNS = (string.ascii_letters + string.digits + "_.:+-").encode()
# What texts end with that have an end, such as JSON, XML and lines.
_CLOSING = tuple(each.encode() for each in "}])>;\"'\n")
SOME, CERTAIN = 8, 32
"""Bytes that two contents hardly, and never, have in common by chance."""


def _is_one_more(found: bytes, usual: Sequence[bytes]) -> bool:
    """Whether content that varies between runs may be whole; a length alone tells nothing.

    Args:
        found: the content.
        usual: those of the runs that are right, which are all of one length.
    """
    if not found or len(found) == len(usual[0]):
        return bool(found)
    begin = _beginning(usual).rstrip(_SIGNS)
    end = _beginning([each[len(begin) :][::-1] for each in usual])[::-1].lstrip(_SIGNS)
    seam = end + begin
    return not (
        begin.startswith(found)
        or (len(found) >= CERTAIN and any(_is_half_or_twice(found, each) for each in usual))
        or (begin and end and len(seam) >= SOME and found.count(seam) > usual[0].count(seam))
        or (len(end) >= SOME and end.endswith(_CLOSING) and found[-1:] != end[-1:])
        or _lacks_a_piece(found, end, len(usual[0]))
        or _lacks_a_piece(found[::-1], begin[::-1], len(usual[0]))
    )


def _is_half_or_twice(found: bytes, right: bytes) -> bool:
    return right.startswith(found) or _has_a_piece_twice(found, right)


def _lacks_a_piece(found: bytes, end: bytes, size: int) -> bool:
    """Whether it breaks off, or lacks a piece, in the end that is the same in each run.

    Elsewhere a length or an offset that differs may have changed all that follows.
    """
    rest = found[size - len(end) :]
    same = _common(rest, end)
    return len(found) < size and same >= CERTAIN and same + _common(rest[::-1], end[::-1]) >= len(rest)


def _has_a_piece_twice(found: bytes, right: bytes) -> bool:
    """Whether it is the right content but for a piece that stands there twice in a row."""
    more = len(found) - len(right)
    if more <= 0:
        return False
    same = _common(found, right)
    if found[same + more :] != right[same:]:
        return False
    piece = found[same : same + more]
    return piece in (found[same - more : same] if same >= more else b"", right[same : same + more])


def _beginning(contents: Sequence[bytes]) -> bytes:
    """The common beginning of contents."""
    least = min(contents)
    return least[: _common(least, max(contents))]


def _common(one: bytes, other: bytes) -> int:
    """The number of equal bytes at the beginning of two contents."""
    return len(commonprefix((one, other)))  # noqa: RUF071 - byte by byte is what is meant


def in_bytes(number: int) -> str:
    """`1 byte`, `2,000 bytes`."""
    return "1 byte" if number == 1 else f"{number:,} bytes"


def finding(
    check: str,
    message: str,
    verdict: Verdict = FAIL,
    subject: str | None = None,
    *,
    evidence: Collection[EvidenceKind] = (EvidenceKind.STORE,),
    action: str = "",
) -> Finding:
    """A finding of one run, with the documents that its check has in reports on clients.

    The report knows the advice of most checks; `action` is another one.
    """
    documents = CLIENT_CHECKS[check].documents if check in CLIENT_CHECKS else ()
    made = Finding(
        check=check,
        verdict=verdict,
        n=1,
        message=message,
        subject=subject,
        action=action,
        evidence=evidence,
        documents=documents,
        reference=reference(documents),
    )
    decide(made, frozenset())
    return made
