"""Rules as text: `cos:SlowDown,times=2,path=photos/ http:503,probability=0.1`.

    rules = rule *( SEP rule ) [ SEP ]              SEP = blanks, line ends, ";"
    rule  = fault *( "," *blank key "=" value )

A valid rule without quotes is split at its commas, which is fast. Any other rule is read into a `Draft`, which has the
place of each part for messages.
"""

from __future__ import annotations

import re
from functools import lru_cache
from re import Match
from typing import NamedTuple

from faultinject.rules.diagnosis import MOST, Diagnosis, excerpt, owner
from faultinject.rules.rule import Rule, place_of
from faultinject.rules.values import Mistake, shown
from faultinject.rules.vocabulary import Entry, EntryOrWord, combine, entry, split_key

Span = tuple[int, int]

# A rule without quotes.
PLAIN = re.compile('[^", \t\r\n;]*(?:,[ \t]*[^", \t\r\n;]*)*+(?![^ \t\r\n;])')
MISQUOTED = "quotes must enclose a whole value or name"
WORD = '[^", \t\r\n;]*+'
IN_QUOTES = r'"(?:\\[\\"]|[^"])*+"'
END = "(?![^, \t\r\n;])"
FAULT = re.compile(WORD + END)
ITEM = re.compile(rf""",[ \t]*+([^"=, \t\r\n;]*+(?:(?<=\.){IN_QUOTES})?)(?:=({IN_QUOTES}|{WORD}))?{END}""")
"""A comma, a key and a value with their quotes; without an equals sign the value is None."""
QUOTED = re.compile(IN_QUOTES)
BETWEEN = re.compile("[ \t\r\n;]*")
REST = re.compile("[^, \t\r\n;]*")
ESCAPED = re.compile(r'\\([\\"])')


class Misplaced(NamedTuple):
    """A mistake in the grammar, and its span."""

    span: Span
    message: str


class Draft(NamedTuple):
    """A rule with the places of its parts in the text.

    Attributes:
        fault: the fault's text; None if a quote breaks it.
        fault_at: the place of the fault.
        items: the matches of `ITEM`, one for each key and its value.
        broken: the mistakes in the grammar.
    """

    fault: str | None
    fault_at: Span
    items: list[Match[str]]
    broken: list[Misplaced]


def read_rules(text: str, where: str, diagnosis: Diagnosis) -> list[Rule]:
    """Read the valid rules of a text; mistakes go into `diagnosis`."""
    rules = []
    reader = Reader(text)
    number = 0
    while reader.more():
        number += 1
        start = reader.at
        rule = reader.plain()
        if rule is None or diagnosis.has_claimed(rule.name):
            reader.at = start
            draft = reader.draft()
            inside = f"rule {number}" if number > 1 or reader.more() else ""
            rule = _rule_of(text, draft, inside, where, diagnosis)
        elif rule.name is not None:
            inside = f"rule {number}" if number > 1 or reader.more() else ""
            diagnosis.claim(rule.name, owner(inside, where), where)
        if rule is not None:
            rules.append(rule)
    return rules


@lru_cache(1024)
def _entry(item: str) -> Entry:
    """Read an entry, and cache it, as many rules have the same."""
    key, equals, value = item.lstrip(" \t").partition("=")
    if not equals:
        raise Mistake(item)
    return entry(*split_key(key), value)


class Reader:
    """Reads rules from left to right, and continues after a mistake."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def more(self) -> bool:
        """Skip separators, and return whether another rule begins there."""
        self._take(BETWEEN)
        return self.at < len(self.text)

    def plain(self) -> Rule | None:
        """Read the next rule; None if it has quotes or a mistake."""
        rule_text = self._take(PLAIN)
        if rule_text is None:
            return None
        fault, *items = rule_text[0].split(",")
        try:
            parts = combine(fault, [_entry(item) for item in items], [])
        except Mistake:
            return None
        return None if parts is None else Rule.of_parts(fault, parts)

    def draft(self) -> Draft:
        """Read the next rule with its places and mistakes."""
        start = self.at
        broken: list[Misplaced] = []
        fault = self._take(FAULT)
        if fault is None:
            broken.append(self._quote_mistake(self.text.index('"', start)))
        draft = Draft(fault and fault[0], (start, self.at), [], broken)
        while self.text.startswith(",", self.at):
            item = self._take(ITEM)
            if item is None:
                broken.append(self._find_wrong_quote())
            elif item[1] and (item[2] is not None or item[1].startswith("drop.")):
                draft.items.append(item)
            else:
                broken.append(self._missing_part(item))
            if len(broken) >= MOST:  # no more are reported
                self.at = len(self.text)
        return draft

    def _take(self, pattern: re.Pattern[str]) -> Match[str] | None:
        """Match the pattern here, and continue after the match."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def _find_wrong_quote(self) -> Misplaced:
        """Find the wrong quote of an item that `ITEM` does not match; continue after the item."""
        start = self.at
        while True:
            opening = self.text.index('"', start)
            before = self.text[start:opening]
            in_name = before[-1] == "." and "=" not in before
            if not in_name and before.find("=") != len(before) - 1:
                return self._quote_mistake(opening)
            closed = QUOTED.match(self.text, opening)
            if closed is None:
                self.at = len(self.text)
                return Misplaced((opening, opening + 1), "the quote is not closed")
            start = closed.end()
            if not in_name or self.text[start] != "=":
                return self._quote_mistake(start - 1)

    def _quote_mistake(self, at: int) -> Misplaced:
        self.at = at + 1
        self._take(REST)
        return Misplaced((at, at + 1), MISQUOTED)

    def _missing_part(self, item: Match[str]) -> Misplaced:
        """Find the mistake in an item without a key, or without a value."""
        comma = item.start()
        key, value = item.groups()
        if key:
            return Misplaced(item.span(1), f"{shown(key)} needs a value: {shown(key)}=…")
        if value is not None:
            return Misplaced(item.span(1), "there is no key before the equals sign")
        if self.text.startswith(",", self.at):
            return Misplaced((comma, self.at + 1), "there is nothing between two commas")
        return Misplaced((comma, comma + 1), "a rule cannot end with a comma")


def _rule_of(text: str, draft: Draft, inside: str, where: str, diagnosis: Diagnosis) -> Rule | None:
    """Make the rule of a draft.

    Mistakes go into `diagnosis` in the order of the text, and so does the rule's name.
    """
    fault, fault_at, items, broken = draft
    place = ": ".join(filter(None, (where, inside)))
    entries: list[EntryOrWord] = []
    mistakes: list[tuple[int, Mistake]] = []
    for index, item in enumerate(items):
        unless, word, name = split_key(item[1])
        value = item[2] or ""
        if value[:1] == '"':
            value = ESCAPED.sub(r"\1", value[1:-1])
        try:
            entries.append(entry(unless, word, name, value))
        except Mistake as error:
            mistakes.append((index, error))
            entries.append(word)
            if len(mistakes) >= MOST:  # no more are reported
                break
    if broken or len(mistakes) >= MOST:
        entries.append("")
    parts = combine(fault, entries, mistakes) if fault is not None else None
    notes = [(problem.span, "", Mistake(problem.message)) for problem in broken]
    for index, mistake in mistakes:
        if index < 0:
            notes.append((fault_at, "", mistake))
        else:
            item = items[index]
            span = item.span(1) if mistake.at_key or item[2] is None else item.span(2)
            notes.append((span, item[1], mistake))
    for span, key, mistake in sorted(notes, key=lambda note: note[0]):
        head = ": ".join(filter(None, (place, place_of(key, mistake))))
        diagnosis.note(mistake, head, excerpt(text, *span))
    if broken or fault is None or parts is None:
        return None
    rule = Rule.of_parts(fault, parts)
    if rule.name is not None:
        name_at = next(item.span(2) for item in items if item[1] == "name")
        head = ": ".join(filter(None, (place, "name")))
        diagnosis.claim(rule.name, owner(inside, where), head, excerpt(text, *name_at))
    return rule
