"""Rules as text: `cos:SlowDown,times=2,path=photos/ http:503,probability=0.1`.

    rules = rule *( SEP rule ) [ SEP ]              SEP = blanks, line ends, ";"
    rule  = fault *( "," *blank key "=" value )

Text without a quote is read the quick way, by splitting. Where that fails, and for text with quotes, a slower
reader knows the place of everything.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from faultinject.rules.diagnosis import MOST, Diagnosis, excerpt, owner
from faultinject.rules.rule import Rule, place_of
from faultinject.rules.spelling import SEPARATORS
from faultinject.rules.values import Mistake, shown
from faultinject.rules.vocabulary import combine, entry, split_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.rules.vocabulary import Entry, EntryOrWord

    Span = tuple[int, int]
    Draft = tuple[str | None, Span, list["Item"], list["Misplaced"]]

MISQUOTED = "quotes must enclose a whole value or name"
BETWEEN = re.compile("[ \t\r\n;]*")
BLANKS = re.compile("[ \t]*")
KEY = re.compile('[^"=, \t\r\n;]*')
WORD = re.compile('[^", \t\r\n;]*')
REST = re.compile("[^, \t\r\n;]*")
QUOTED = re.compile(r'"((?:\\[\\"]|[^"])*+)"')
ESCAPED = re.compile(r'\\([\\"])')


def read_rules(text: str, where: str, diagnosis: Diagnosis) -> list[Rule]:
    """The rules of a text that are right; mistakes go into `diagnosis`."""
    if '"' not in text:
        try:
            rules = _quick(text)
        except Mistake:
            pass
        else:
            if _claim(rules, where, diagnosis):
                return rules
    return Reader(text).rules(where, diagnosis)


def _quick(text: str) -> list[Rule]:
    text = text.replace("\t", " ")
    while ", " in text:
        text = text.replace(", ", ",")
    text = text.replace("\n", " ").replace("\r", " ").replace(";", " ")
    rules = []
    wrong: list[tuple[int, Mistake]] = []
    for chunk in text.split(" "):
        if not chunk:
            continue
        fault, *items = chunk.split(",")
        entries = [_read(item) for item in items]
        parts = combine(fault, entries, wrong)
        if parts is None:
            raise wrong[0][1]
        rules.append(Rule.of_parts(fault, parts))
    return rules


def _claim(rules: Sequence[Rule], where: str, diagnosis: Diagnosis) -> bool:
    """Note the names that rules are given; nothing is noted when one stands twice, whose place the slower reader knows."""
    named = [(rule.name, number) for number, rule in enumerate(rules, 1) if rule.name is not None]
    names = dict(named)
    if len(names) < len(named) or not diagnosis.may_claim(names):
        return False
    for name, number in named:
        diagnosis.claim(name, owner(f"rule {number}" if len(rules) > 1 else "", where), "")
    return True


@lru_cache(1024)
def _read(item: str) -> Entry:
    key, equals, value = item.partition("=")
    if not equals:
        raise Mistake(item)
    return entry(*split_key(key), value)


class Item(NamedTuple):
    """One `key=value` and where its two halves stand."""

    key: str
    key_at: Span
    value: str
    value_at: Span


class Misplaced(Exception):
    """The grammar is broken at this span."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.span = start, end


class Reader:
    """Reads a text from left to right; a mistake does not end it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def rules(self, where: str, diagnosis: Diagnosis) -> list[Rule]:
        """The rules that are right; mistakes go into `diagnosis`."""
        rules = []
        found = []
        while self._more():
            found.append(self._rule())
        for number, draft in enumerate(found, 1):
            inside = f"rule {number}" if len(found) > 1 else ""
            place = f"{where}: {inside}" if where and inside else where or inside
            rule = self._made(draft, place, diagnosis)
            if rule is None:
                continue
            rules.append(rule)
            if rule.name is not None:
                at = next(item.value_at for item in draft[2] if item.key == "name")
                head = f"{place}: name" if place else "name"
                diagnosis.claim(rule.name, owner(inside, where), head, excerpt(self.text, *at))
        return rules

    def _made(self, draft: Draft, place: str, diagnosis: Diagnosis) -> Rule | None:
        fault, fault_at, items, broken = draft
        entries: list[EntryOrWord] = []
        wrong: list[tuple[int, Mistake]] = []
        for index, item in enumerate(items):
            word = ""
            if len(wrong) >= MOST:  # no further one is told
                entries.append(word)
                break
            try:
                unless, word, name = split_key(item.key)
                entries.append(entry(unless, word, name, item.value))
            except Mistake as found:
                entries.append(word)
                wrong.append((index, found))
        if broken:
            entries.append("")
        parts = combine(fault, entries, wrong) if fault is not None else None
        notes = [(each.span, "", Mistake(each.message)) for each in broken]
        for index, mistake in wrong:
            if index < 0:
                notes.append((fault_at, "", mistake))
            else:
                item = items[index]
                notes.append((item.key_at if mistake.at_key else item.value_at, item.key, mistake))
        for span, key, each in sorted(notes, key=lambda note: note[0]):
            head = ": ".join(filter(None, (place, place_of(key, each))))
            diagnosis.note(each, head, excerpt(self.text, *span))
        if broken or fault is None or parts is None:
            return None
        return Rule.of_parts(fault, parts)

    def _more(self) -> bool:
        self._take(BETWEEN)
        return self.at < len(self.text)

    def _rule(self) -> Draft:
        items: list[Item] = []
        broken: list[Misplaced] = []
        start = self.at
        fault = None
        try:
            fault = self._word()
        except Misplaced as misplaced:
            broken.append(misplaced)
            self._take(REST)
        fault_at = start, self.at
        while self._next == ",":
            comma = self.at
            self.at += 1
            self._take(BLANKS)
            try:
                items.append(self._item(comma))
            except Misplaced as misplaced:
                broken.append(misplaced)
                self._take(REST)
                if len(broken) >= MOST:  # no further one is told
                    self.at = len(self.text)
        return fault, fault_at, items, broken

    def _item(self, comma: int) -> Item:
        start = self.at
        key = self._key()
        key_at = start, self.at
        if self._next != "=":
            if key.startswith("drop."):
                return Item(key, key_at, "", key_at)
            if not key and self._next != ",":
                raise Misplaced("a rule cannot end with a comma", comma, comma + 1)
            if not key:
                raise Misplaced("there is nothing between two commas", comma, self.at + 1)
            raise Misplaced(f"{shown(key)} needs a value: {shown(key)}=…", *key_at)
        if not key:
            raise Misplaced("there is no key before the equals sign", start, start + 1)
        self.at += 1
        start = self.at
        value = self._quoted() if self._next == '"' else self._word()
        return Item(key, key_at, value, (start, self.at))

    def _key(self) -> str:
        start = self.at
        self._take(KEY)
        if self._next == '"':
            if self.text[self.at - 1] != ".":
                raise Misplaced(MISQUOTED, self.at, self.at + 1)
            self._quoted(ends="=,")
        return self.text[start : self.at]

    def _word(self) -> str:
        word = self._take(WORD)
        if self._next == '"':
            raise Misplaced(MISQUOTED, self.at, self.at + 1)
        return word

    def _quoted(self, ends: str = ",") -> str:
        """The text in quotes; what follows it must be an end."""
        start = self.at
        found = QUOTED.match(self.text, start)
        if found is None:
            self.at = len(self.text)
            raise Misplaced("the quote is not closed", start, start + 1)
        self.at = found.end()
        if self._next not in f"{ends}{SEPARATORS}":
            raise Misplaced(MISQUOTED, self.at - 1, self.at)
        return ESCAPED.sub(r"\1", found[1])

    @property
    def _next(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        """What matches here, and may be nothing; reading goes on behind it."""
        found = pattern.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return found[0]
