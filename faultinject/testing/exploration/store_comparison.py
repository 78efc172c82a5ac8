"""Compares the contents of a store after a run with those after runs without faults."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from os.path import commonprefix

from faultinject.audit.checks import CHECKS as CLIENT_CHECKS
from faultinject.audit.checks.check import decide
from faultinject.audit.documents import EvidenceKind, reference
from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.engine.shown import quoted, shown_path
from faultinject.exceptions import ConfigurationError
from faultinject.http.patterns import check_pattern, compile_path
from faultinject.literals import Verdict

# Each object's content, by `/bucket/key`.
StoreContents = dict[str, bytes]

LOST, HALF_WRITTEN, WRITTEN_TWICE, OTHER_CONTENT, OTHER_METADATA, NOT_REMOVED, PERHAPS_TWICE, LEFT_BEHIND = (
    CHECKS
) = (
    "object lost",
    "half written",
    "written twice",
    "other content",
    "other metadata",
    "not removed",
    "perhaps written twice",
    "left behind",
)
BY_NAME = (LOST, NOT_REMOVED)
"""Findings that count even if another writer has replaced an object."""
METADATA = frozenset(
    "Cache-Control Content-Disposition Content-Encoding Content-Language Content-Type".split()
)
"""The headers that a writer chooses, besides its own metadata, and that a service keeps."""


COMPARED_RUNS = 5
"""The number of runs without faults before a comparison with them may fail a run."""


LONGEST_TEXT = 2**20
"""The most bytes of a text whose words are compared."""


class Content(bytes):
    """The content of an object, with its metadata.

    Attributes:
        metadata: the headers that a writer chooses.
    """

    metadata: Mapping[str, str]

    def __new__(cls, content: bytes, headers: Iterable[tuple[str, str]]) -> Content:
        """Make it from the bytes and the headers that the service keeps with them."""
        made = super().__new__(cls, content)
        made.metadata = {name: value for name, value in headers if name in METADATA or "-meta-" in name}
        return made


class StoreComparison:
    """Learns the right contents of a store from right runs, and compares those of other runs.

    Args:
        without: the event that does not happen in right runs, for messages.
        ignore: patterns of objects, `/bucket/key`, that are not compared.

    Raises:
        ConfigurationError: a pattern is too long.
    """

    def __init__(self, without: str = "a crash", ignore: Collection[str] = ()) -> None:
        for problem in filter(None, map(check_pattern, ignore)):
            raise ConfigurationError(f"ignore: {problem}")
        self._without = without
        self._ignored = [compile_path(pattern) for pattern in ignore]
        self._runs: list[Sequence[StoreContents]] = []
        self._delayed: list[Sequence[StoreContents]] = []
        self._same: set[str] = set()
        self._names: list[set[str]] = []
        self._shapes: dict[str, str] = {}

    def learn(self, before: StoreContents, ends: Sequence[StoreContents], *, delayed: bool = False) -> None:
        """Learn the right contents from a run without faults.

        Args:
            before: the contents before the run.
            ends: the contents after the first run of the program, and after its second.
            delayed: whether it was delayed; it is not the first run then.
        """
        before, *ends = map(self._select_compared, (before, *ends))
        paths = {*before, *(path for end in ends for path in end)}
        self._same = self._same & paths if self._runs else paths
        (self._delayed if delayed else self._runs).append(ends)
        names = {_name(path) for end in ends for path in end}
        for other in self._names:
            self._shapes |= dict(shapes(names - other, other - names))
        self._names.append(names)

    @property
    def _ends(self) -> list[StoreContents]:
        return [end for run in (*self._runs, *self._delayed) for end in run]

    def findings(
        self,
        before: StoreContents,
        after: StoreContents,
        *,
        refused: Collection[str] = (),
        lost: bool = False,
        late: bool = False,
    ) -> list[Finding]:
        """The findings about a run.

        Args:
            before: the contents before the run.
            after: the contents at its end.
            refused: the objects, `/bucket/key`, whose removal a fault has refused; `/bucket/` stands for all objects
                of a bucket.
            lost: whether the answer to a write was lost.
            late: whether all answers came, one of them late. Then only a duration may differ, and a value that is the
                same after another delay is not a duration.
        """
        before, after = self._select_compared(before), self._select_compared(after)
        buckets = tuple(path for path in refused if path.endswith("/"))
        still_there = {path for path in after if path in refused or path.startswith(buckets)}
        findings = [
            *self._compare_fixed(before, after, still_there, lost=lost, late=late),
            *self._compare_changing(before, after, still_there, lost=lost),
        ]
        return findings or (list(self._words_lacking(after)) if self._knows_enough else [])

    def lacks_words(self, after: StoreContents) -> bool:
        """Whether a text lacks words, but too few runs without faults are known for a finding."""
        return not self._knows_enough and any(self._words_lacking(self._select_compared(after)))

    def removed_objects(self, before: StoreContents, after: StoreContents, until: str = "") -> list[Finding]:
        """Find objects that a run with an error has removed, and that right runs keep or replace.

        Args:
            before: the contents before the run.
            after: the contents after it.
            until: what restores the objects, as the end of the message; empty: nothing does.
        """
        before, after = self._select_compared(before), self._select_compared(after)
        remaining, usual = self._by_name(after), list(map(self._by_name, self._ends))
        lacking = [
            name
            for name in {name for end in usual for name in end}
            if all(len(end.get(name, ())) > len(remaining.get(name, ())) for end in usual)
        ]
        return [
            finding(LOST, f"it was there before the run, and is gone{until}: {path}", WARN)
            for path in sorted(before.keys() - after.keys())
            if all(path in end for end in self._ends)
            or any(fnmatchcase(path, pattern) for pattern in lacking)
        ]

    def _select_compared(self, contents: StoreContents) -> StoreContents:
        """Select the objects to compare, by their paths as the journal shows them.

        The journal hides the signature of a key that holds a presigned URL.
        """
        return {
            shown_path(path): content
            for path, content in contents.items()
            if not any(matches(path) for matches in self._ignored)
        }

    def _compare_fixed(
        self,
        before: StoreContents,
        after: StoreContents,
        still_there: Collection[str],
        *,
        lost: bool,
        late: bool,
    ) -> Iterator[Finding]:
        """Compare the objects whose names are the same in every run."""
        for path in sorted({*before, *after, *chain.from_iterable(self._ends)}):
            if self._varying_pattern(path) is not None:
                continue
            content = after.get(path)
            usual = [end[path] for end in self._ends if path in end]
            # If the fault is only a delay, contents after another delay do not excuse a difference.
            allowed = {end.get(path) for end in (chain(*self._runs) if late else self._ends)}
            if content is not None and usual:
                yield from self._compare_metadata(path, content, usual)
            if content in allowed:
                continue
            if content is None:
                yield finding(
                    LOST, f"{path} is not there; without {self._without} it has {in_bytes(len(usual[0]))}"
                )
            elif usual:
                yield from self._compare_content(path, content, late=late)
            elif path in before or path in still_there:
                yield finding(NOT_REMOVED, f"{path} is still there; without {self._without} it is removed")
            else:
                message = f"{path} ({in_bytes(len(content))}) is there, and not without {self._without}"
                yield _judge_surplus(message, [path], after, lost=lost)

    def _compare_content(self, path: str, content: bytes, *, late: bool) -> Iterator[Finding]:
        # The contents after the first run of the program, and those after its second: these two may differ.
        stages = [[end[path] for end in stage if path in end] for stage in zip(*self._runs, strict=True)]
        if any(len(set(map(len, stage))) > 1 for stage in stages):
            return  # its size differs between runs without faults, too
        usual = list(dict.fromkeys(chain.from_iterable(stages)))
        if any(len(set(stage)) > 1 and _may_be_right(content, stage) for stage in stages):
            return  # its content differs between runs without faults, too
        delayed = [end[path] for end in chain(*self._delayed) if path in end]
        # Answers in another order may only change the order of what is written.
        if late and not any(_is_reordered(content, right) for right in usual):
            delayed = [other for other in delayed if other != content]
        if any(_differs_as(content, right, other) for right in usual for other in delayed):
            return  # it differs where a delay alone makes a difference
        yield self._damage(path, content, usual)

    def _compare_metadata(self, path: str, content: bytes, usual: Sequence[bytes]) -> Iterator[Finding]:
        present, *others = (getattr(version, "metadata", {}) for version in (content, *usual))
        for name in sorted({*present, *chain.from_iterable(others)}):
            values = {other.get(name) for other in others}
            if len(values) == 1 and present.get(name) not in values:
                has, right = (_header(name, value) for value in (present.get(name), *values))
                yield finding(OTHER_METADATA, f"{path} has {has}; without {self._without} it has {right}")

    @property
    def _knows_enough(self) -> bool:
        return len(self._runs) + len(self._delayed) >= COMPARED_RUNS

    def _words_lacking(self, after: StoreContents) -> Iterator[Finding]:
        """Warn of texts that differ in each run, and lack words that all right runs have."""
        ends = list(map(self._texts, self._ends))
        for name, content in self._texts(after).items():
            usual = [end[name] for end in ends if name in end]
            lacking = _lacking(content, usual) if len(usual) == len(ends) else []
            if lacking:
                words = "1 word" if len(lacking) == 1 else f"{len(lacking):,} words"
                message = (
                    f"{name} lacks {words} that it has in each run without {self._without}, for example"
                    f" {quoted(lacking[0].decode())}"
                )
                yield finding(OTHER_CONTENT, message, WARN)

    def _texts(self, contents: StoreContents) -> StoreContents:
        """The contents by name; those of names that differ in each run stand together."""
        fixed = {path: content for path, content in contents.items() if self._varying_pattern(path) is None}
        return fixed | {
            name: _in_one_text(objects.values()) for name, objects in self._by_name(contents).items()
        }

    def _damage(self, path: str, content: bytes, usual: Collection[bytes]) -> Finding:
        """The damage to an object, compared with its right contents."""
        sizes = " or ".join(f"{size:,}" for size in sorted({len(content) for content in usual}))
        message = (
            f"{path} has {in_bytes(len(content))}; without {self._without}"
            f" it has {sizes} {'byte' if sizes == '1' else 'bytes'}"
        )
        if any(len(content) < len(right) and right.startswith(content) for right in usual):
            return finding(HALF_WRITTEN, message)
        if any(_has_a_piece_twice(content, right) for right in usual):
            return finding(WRITTEN_TWICE, message)
        if same := [_common(content, right) for right in usual if len(right) == len(content)]:
            message = f"{path} differs from what it is without {self._without}, from byte {max(same)} on"
        return finding(OTHER_CONTENT, message)

    def _compare_changing(
        self, before: StoreContents, after: StoreContents, still_there: Collection[str], *, lost: bool
    ) -> Iterator[Finding]:
        """Compare objects whose names differ in each run: their number, then their contents."""
        runs = (*self._runs, *self._delayed)
        stages = [list(map(self._by_name, stage)) for stage in zip(*runs, strict=True)]
        by_name_before, by_name_after = self._by_name(before), self._by_name(after)
        ends = list(chain.from_iterable(stages))
        for name in sorted({*chain(by_name_before, by_name_after, *ends)}):
            objects = by_name_after.get(name, {})
            number = len(objects)
            least, most = (wanted(len(end.get(name, ())) for end in ends) for wanted in (min, max))
            if least <= number <= most:
                usual = [[Counter(end.get(name, {}).values()) for end in stage] for stage in stages]
                yield from self._compare_contents(name, Counter(objects.values()), usual)
                continue
            difference = f"there is 1 object {name}" if number == 1 else f"there are {number} objects {name}"
            difference += f", without {self._without} {least if least == most else f'{least} to {most}'}"
            if number < least:
                yield finding(LOST, difference)
            elif len(by_name_before.get(name, ())) > most or not objects.keys().isdisjoint(still_there):
                yield finding(NOT_REMOVED, difference)
            else:
                yield _judge_surplus(difference, objects.keys() - before.keys(), after, lost=lost)

    def _compare_contents(
        self, name: str, present: Counter[bytes], stages: Sequence[Sequence[Counter[bytes]]]
    ) -> Iterator[Finding]:
        """Compare the contents of objects whose names match one pattern."""
        usual = [stage[0] for stage in stages]
        if present in usual or any(contents != stage[0] for stage in stages for contents in stage):
            return  # the contents are the usual ones, or they differ in each run
        nearest = min(usual, key=lambda contents: (contents - present).total())
        for content in present - nearest:
            yield self._damage(f"an object {name}", content, list(nearest - present) or list(nearest))

    def _varying_pattern(self, path: str) -> str | None:
        """The pattern of an object whose name differs in each run; None: its name is fixed.

        A part that looks like an id is fixed if all runs have it.
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
        """The objects whose names differ in each run, by the patterns of their names."""
        named: dict[str, StoreContents] = {}
        for path, content in contents.items():
            if name := self._varying_pattern(path):
                named.setdefault(name, {})[path] = content
        return named


def _judge_surplus(message: str, paths: Iterable[str], after: StoreContents, *, lost: bool) -> Finding:
    """Warn of objects that only this run leaves; after a lost answer, of two equal ones."""
    extra = sorted(paths) if lost else []
    others = [(path, other) for path in extra for other in after if path != other and after[path]]
    for path, other in others:
        if after[path] == after[other]:
            return finding(PERHAPS_TWICE, f"equal to {other}: {message}", WARN)
    for path, other in others:
        if _folder(path) == _folder(other) and _words(after[path]) == _words(after[other]):
            return finding(
                PERHAPS_TWICE, f"equal to {other}, but for ids, numbers and order: {message}", WARN
            )
    return finding(LEFT_BEHIND, message, WARN)


def _header(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else quoted(f"{name}: {value}")


def _without_numbers(content: bytes) -> bytes:
    """A content with a star for each id and number."""
    return _NUMBERS.sub(b"*", content)


def _is_reordered(content: bytes, right: bytes) -> bool:
    """Whether two contents have the same words in another order."""
    same_length = len(content) == len(right) <= LONGEST_TEXT
    return same_length and sorted(_TEXT_WORD.findall(content)) == sorted(_TEXT_WORD.findall(right))


def _in_one_text(contents: Iterable[bytes]) -> bytes:
    """Contents in an order that ids and numbers do not change."""
    ordered = sorted(contents, key=_without_numbers)
    return b" ".join(ordered)


# A word of a text: a name, a number, a time or an id.
_TEXT_WORD = re.compile(rb"[\w.:+-]+")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]")


def _lacking(content: bytes, usual: Sequence[bytes]) -> list[bytes]:
    """Find words that all right runs have at the same places, and this content lacks.

    Only texts that differ in each run are compared: other formats have no words. Additional words, such as those of a
    log, are no damage.
    """
    texts = (content, *usual)
    if len({*usual}) < 2 or max(map(len, texts)) > LONGEST_TEXT or any(map(_NO_TEXT.search, texts)):
        return []
    rows = [_TEXT_WORD.findall(text) for text in usual]
    if len({*map(len, rows)}) > 1:
        return []
    always = Counter(words[0] for words in zip(*rows, strict=True) if len({*words}) == 1)
    return list((always - Counter(_TEXT_WORD.findall(content))).elements())


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


# UUIDs and long hexadecimal ids. A shorter id looks like a word until it differs in the next run.
_IDS = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}")
_NUMBERS = re.compile(_IDS.pattern.encode() + rb"|[0-9]+")
# Directories that are named after the beginning of an id, as in `data/9f/9fd3…`; a bucket is none.
_FANNED_OUT = re.compile(r"(?<=[^/]/)[0-9A-Fa-f]{2,4}(?=/)")


def _name(path: str) -> str:
    """A path with a star for each id."""
    starred = _IDS.sub("*", path)
    return path if starred == path else _FANNED_OUT.sub("*", starred)


def _words(content: bytes) -> Counter[bytes]:
    """The words of a content, with a star for each id and number.

    JSON may have them in any order.
    """
    return Counter(re.findall(rb"[\w*]+", _without_numbers(content)))


# The words of a name, between signs such as / - . and =. A counter, a random id or a time is a word.
_WORDS = re.compile(r"(\w+)")
# Numbers, also as in 23T16 and 05Z.
_COUNTED = re.compile(r"(\d+[TZ]?)+")


def shape(first: Sequence[str], second: Sequence[str]) -> tuple[str, str]:
    """The pattern of two names of the same object in two runs.

    Examples are `data-31a333ef` and `data-c283be0f`.

    Args:
        first: the name in one run, split into words and signs.
        second: the name in the other run, split into as many.

    Returns:
        A regular expression for all such names, and their pattern for people, with a star for each word that differs.
    """
    pairs = list(zip(first, second, strict=True))
    # Two parts of a time may be equal in these two runs by chance.
    fixed = [a == b and not (number % 2 and _COUNTED.fullmatch(a)) for number, (a, b) in enumerate(pairs)]
    same = list(zip(fixed, pairs, strict=True))
    pattern = "".join(re.escape(a) if alike else _like(a, b) for alike, (a, b) in same)
    return pattern, "".join(a if alike else "*" for alike, (a, _) in same)


def _like(first: str, second: str) -> str:
    """A regular expression for words of the same kind as both."""
    number = first.isdigit() and second.isdigit()
    if len(first) != len(second):
        return r"\d+" if number else r"\w+"
    # A number may be longer in the next run; or it is the beginning of an id that has no letter by chance.
    return rf"(?:\d+|\w{{{len(first)}}})" if number else rf"\w{{{len(first)}}}"


def shapes(ones: Iterable[str], others: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The patterns of names that only one of two runs has.

    Each name is paired with the most similar name of the other run.
    """
    split = [_WORDS.split(name) for name in sorted(others)]
    for name in sorted(ones):
        words = _WORDS.split(name)
        alike = [other for other in split if other[::2] == words[::2]]
        if alike:
            yield shape(words, max(alike, key=lambda other: sum(map(str.__eq__, words, other))))


# The characters of a number, a time or an id: those beside the differing part may differ in the next run.
_SIGNS = (string.ascii_letters + string.digits + "_.:+-").encode()
# The last characters of complete texts such as JSON, XML and lines.
_CLOSING = tuple(sign.encode() for sign in "}])>;\"'\n")
SOME, CERTAIN = 8, 32
"""Numbers of equal bytes: seldom equal by chance, and never equal by chance."""


# Numbers, times and durations, and what is between them.
_MEASURES = re.compile(rb"[0-9.:]+|[^0-9.:]+")


def _differs_as(content: bytes, right: bytes, delayed: bytes) -> bool:
    """Whether content differs from right content only where that of a delayed run does.

    Contents with other parts, such as packed ones, cannot be compared.
    """
    present, usual, late = (_MEASURES.findall(version) for version in (content, right, delayed))
    if len(usual) != len(late):
        return True
    return (
        usual != late
        and len(present) == len(usual)
        and all(
            part == usual_part or usual_part != late_part
            for part, usual_part, late_part in zip(present, usual, late, strict=True)
        )
    )


def _may_be_right(content: bytes, usual: Sequence[bytes]) -> bool:
    """Whether content that differs between right runs may be right; its length proves nothing.

    Args:
        content: the content.
        usual: the contents after right runs, which all have one length.
    """
    if not content or len(content) == len(usual[0]):
        return bool(content)
    begin = _beginning(usual).rstrip(_SIGNS)
    end = _beginning([right[len(begin) :][::-1] for right in usual])[::-1].lstrip(_SIGNS)
    seam = end + begin
    return not (
        begin.startswith(content)
        or (
            len(content) >= CERTAIN
            and any(right.startswith(content) or _has_a_piece_twice(content, right) for right in usual)
        )
        or (begin and end and len(seam) >= SOME and content.count(seam) > usual[0].count(seam))
        or (len(end) >= SOME and end.endswith(_CLOSING) and content[-1:] != end[-1:])
        or _lacks_a_piece(content, end, len(usual[0]))
        or _lacks_a_piece(content[::-1], begin[::-1], len(usual[0]))
    )


def _lacks_a_piece(content: bytes, end: bytes, size: int) -> bool:
    """Whether content breaks off, or lacks a piece, within the end that all right runs share.

    In other places, a length or an offset that differs may have changed all bytes after it.
    """
    rest = content[size - len(end) :]
    same = _common(rest, end)
    return len(content) < size and same >= CERTAIN and same + _common(rest[::-1], end[::-1]) >= len(rest)


def _has_a_piece_twice(content: bytes, right: bytes) -> bool:
    """Whether content is the right content with one piece twice in a row."""
    more = len(content) - len(right)
    if more <= 0:
        return False
    same = _common(content, right)
    if content[same + more :] != right[same:]:
        return False
    piece = content[same : same + more]
    return piece in (content[same - more : same] if same >= more else b"", right[same : same + more])


def _beginning(contents: Sequence[bytes]) -> bytes:
    """The common beginning of contents."""
    least = min(contents)
    return least[: _common(least, max(contents))]


def _common(first: bytes, second: bytes) -> int:
    """The number of equal bytes at the beginning of two contents."""
    return len(commonprefix((first, second)))  # noqa: RUF071 - byte by byte is what is meant


def in_bytes(number: int) -> str:
    """Write a number of bytes for people: `1 byte`, `2,000 bytes`."""
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
    """Make a finding of one run, with the documents of its check.

    The report has advice for most checks; `action` replaces it.
    """
    documents = CLIENT_CHECKS[check].documents if check in CLIENT_CHECKS else ()
    result = Finding(
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
    decide(result, frozenset())
    return result
