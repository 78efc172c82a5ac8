"""Rules as text: `cos:SlowDown,times=2,path=photos/ http:503,probability=0.1`.

    rules = rule *( SEP rule ) [ SEP ]              SEP = blanks, line ends, ";"
    rule  = fault *( "," *blank key "=" value )

Text without a quote is read the quick way, by splitting. Where that fails, and for text with quotes, a slower
reader knows the place of everything.
"""

from __future__ import annotations

from functools import lru_cache

from faultinject.rules.diagnosis import MOST, Diagnosis, excerpt, owner
from faultinject.rules.rule import Rule, place_of
from faultinject.rules.spelling import BLANKS, SEPARATORS
from faultinject.rules.values import Mistake, shown
from faultinject.rules.vocabulary import combine, entry, split_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.rules.vocabulary import Entry, EntryOrWord

    Span = tuple[int, int]
    Draft = tuple[str | None, Span, list["Item"], list["Misplaced"]]

MISQUOTED = "quotes must enclose a whole value or name"


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
    """Note the names that rules are given; nothing is noted when one stands twice."""
    named = {rule.name: number for number, rule in enumerate(rules, 1) if rule.name is not None}
    if len(named) < sum(rule.name is not None for rule in rules) or not diagnosis.may_claim(named):
        return False
    for name, number in named.items():
        diagnosis.claim(name, owner(f"rule {number}" if len(rules) > 1 else "", where), "")
    return True


@lru_cache(1024)
def _read(item: str) -> Entry:
    key, equals, value = item.partition("=")
    if not equals:
        raise Mistake(item)
    return entry(*split_key(key), value)


class Item:
    """One `key=value` and where its two halves stand."""

    __slots__ = ("key", "key_at", "value", "value_at")

    def __init__(self, key: str, key_at: Span, value: str, value_at: Span) -> None:
        self.key = key
        self.key_at = key_at
        self.value = value
        self.value_at = value_at


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
            if diagnosis.full:
                break
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
            if diagnosis.full:
                break
            head = ": ".join(filter(None, (place, place_of(key, each))))
            diagnosis.note(each, head, excerpt(self.text, *span))
        if broken or fault is None or parts is None:
            return None
        return Rule.of_parts(fault, parts)

    def _more(self) -> bool:
        self._skip(SEPARATORS)
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
            self._recover()
        fault_at = start, self.at
        while self.text[self.at : self.at + 1] == ",":
            comma = self.at
            self.at += 1
            self._skip(BLANKS)
            try:
                items.append(self._item(comma))
            except Misplaced as misplaced:
                broken.append(misplaced)
                self._recover()
                if len(broken) >= MOST:  # no further one is told
                    self.at = len(self.text)
        return fault, fault_at, items, broken

    def _item(self, comma: int) -> Item:
        start = self.at
        key = self._key()
        key_at = start, self.at
        if self.text[self.at : self.at + 1] != "=":
            if key.startswith("drop."):
                return Item(key, key_at, "", key_at)
            if not key and self.text[self.at : self.at + 1] != ",":
                raise Misplaced("a rule cannot end with a comma", comma, comma + 1)
            if not key:
                raise Misplaced("there is nothing between two commas", comma, self.at + 1)
            raise Misplaced(f"{shown(key)} needs a value: {shown(key)}=…", *key_at)
        if not key:
            raise Misplaced("there is no key before the equals sign", start, start + 1)
        self.at += 1
        start = self.at
        value = self._quoted() if self.text[start : start + 1] == '"' else self._word()
        return Item(key, key_at, value, (start, self.at))

    def _key(self) -> str:
        start = self.at
        while self.at < len(self.text) and (each := self.text[self.at]) not in f"=,{SEPARATORS}":
            if each == '"' and self.text[self.at - 1] == ".":
                self._quoted(ends="=,")
            elif each == '"':
                raise Misplaced(MISQUOTED, self.at, self.at + 1)
            else:
                self.at += 1
        return self.text[start : self.at]

    def _word(self) -> str:
        start = self.at
        while self.at < len(self.text) and (each := self.text[self.at]) not in f",{SEPARATORS}":
            if each == '"':
                raise Misplaced(MISQUOTED, self.at, self.at + 1)
            self.at += 1
        return self.text[start : self.at]

    def _quoted(self, ends: str = ",") -> str:
        """The text in quotes; what follows it must be an end."""
        start = self.at
        found = []
        self.at += 1
        while (each := self.text[self.at : self.at + 1]) != '"':
            if not each:
                raise Misplaced("the quote is not closed", start, start + 1)
            if each == "\\" and self.text[self.at + 1 : self.at + 2] in ("\\", '"'):
                self.at += 1
                each = self.text[self.at]
            found.append(each)
            self.at += 1
        self.at += 1
        follows = self.text[self.at : self.at + 1]
        if follows and follows not in f"{ends}{SEPARATORS}":
            raise Misplaced(MISQUOTED, self.at - 1, self.at)
        return "".join(found)

    def _recover(self) -> None:
        """Go on at the next comma or end of the rule."""
        while self.at < len(self.text) and self.text[self.at] not in f",{SEPARATORS}":
            self.at += 1

    def _skip(self, what: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in what:
            self.at += 1
