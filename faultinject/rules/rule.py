"""A rule: conditions, triggers, a fault and its effects.

Rules are frozen data. Two rules with the same parts are equal, wherever each was read from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

from faultinject.rules import faults, spelling
from faultinject.rules.conditions import CONDITIONS, all_of, doubt_of_method
from faultinject.rules.diagnosis import MOST, Diagnosis
from faultinject.rules.key import Check, Reading
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.values import Mistake, listed, number_text, shown, text_of
from faultinject.rules.vocabulary import KEYS, Entry, EntryOrWord, Parts, combine, entry, reads_as, split_key

if TYPE_CHECKING:
    from faultinject.engine.actions import Act
    from faultinject.engine.compiled_rule import CompiledRule
    from faultinject.rules.rule_keys import RuleKeys
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.vendor import Vendor

    Split = tuple[bool, str, str | None]

# A key on the left has an effect only if the rule also has a key on the right.
_NEEDING = {
    "per": tuple(key for key, trigger in TRIGGERS.items() if trigger.counts),
    "hint": ("retry_after",),
}
_MAY_DO_NOTHING = frozenset((*_NEEDING, "resource"))
# `from` is a keyword of Python.
_PYTHON = {"from_": "from"}
# The types of single values. Any other value may be a list or a dict.
_SINGLE = (str, int, float)


class Rule:
    """A rule: the requests that get a fault, the fault, and how often.

    Args:
        fault: `vendor:Code`, `vendor:@group`, `http:NNN`, `oneof`, `latency`, `stall`, `hang`, `reset`, `close`,
            `truncate`, `drip`, `corrupt`, `edit`, `overwrite` or `stale`.
        keys: `name`, conditions, triggers and effects, as in `RuleKeys`. A condition takes a list for "any of these",
            and with `oneof` the key `of` takes a list for "one of these". `header`, `query`, `set`, `drop` and
            `unless` take a dict: `header={"range": ""}`. Durations are text with a unit, `timedelta`, or seconds.
            `from` is a keyword of Python, so write `from_`.

    Raises:
        ConfigurationError: something is wrong; `problems` has every mistake.

    Attributes:
        fault: as written.
        name: the given name or None.
        conditions: the texts of each condition, by canonical key (`path`, `header.x-test`), in canonical order.
        unless: in the same form, the conditions under which the rule does not match.
        options: the text of each trigger and effect, and of `vendor`, by canonical key.

    >>> print(Rule("cos:SlowDown", probability=0.3, method=["PUT", "POST"], path="photos/", retry_after=2))
    cos:SlowDown,method=PUT,method=POST,path=photos/,probability=0.3,retry_after=2s
    """

    # Not a dataclass: msgspec would write its attributes, and not the keys of `to_dict`.
    __slots__ = ("conditions", "fault", "name", "options", "unless")

    fault: str
    name: str | None
    conditions: Mapping[str, tuple[str, ...]]
    unless: Mapping[str, tuple[str, ...]]
    options: Mapping[str, str]

    def __init__(self, fault: str, /, **keys: Unpack[RuleKeys]) -> None:
        if keys.get("name", "") is None:
            del keys["name"]
        if isinstance(fault, str):
            fault = text_of(fault)
        where = shown(fault) if isinstance(fault, str) and fault else "rule"
        diagnosis = Diagnosis()
        parts, mistakes = read_table(fault, keys)
        for place, mistake in mistakes:
            inside = place_of(place, mistake) if place != "fault" else ""
            head = f"{where}: {inside}" if inside else ("" if where in mistake.message else where)
            diagnosis.note(mistake, head)
        diagnosis.close()
        assert parts is not None
        _fill(self, fault, parts)

    @classmethod
    def of_parts(cls, fault: str, parts: Parts) -> Rule:
        """The rule of parts that `combine` has checked."""
        rule = cls.__new__(cls)
        _fill(rule, fault, parts)
        return rule

    def named(self, name: str) -> Rule:
        """The rule, with that name if it has none of its own."""
        if self.name is not None:
            return self
        return Rule.of_parts(self.fault, (name, *self.parts[1:]))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Rule cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Rule cannot be changed: {name}")

    @property
    def resolved(self) -> faults.Fault:
        """The fault with its documented errors."""
        return faults.get(self.fault).with_options(self.options)

    @property
    def vendor(self) -> Vendor | None:
        """The vendor that reads bucket, key and operation; None: as an S3 request."""
        return reads_as(self.resolved, self.options)

    @property
    def changes_body(self) -> bool:
        """Whether its fault changes the body of an answer on its way."""
        return self.resolved.changes_body

    @property
    def draws(self) -> bool:
        """Whether it draws more than the ids of its answers when it fires."""
        return self.resolved.draws(self)

    def prepare(self, compiled: CompiledRule) -> Act:
        """The action of its fault, prepared as far as possible."""
        return self.resolved.prepare(compiled)

    def value(self, key: str) -> Any:
        """The parsed value of a trigger or effect, or its default.

        Durations are seconds; `delay` is (shortest, longest), `above` (limit, seconds) or None.
        """
        text = self.options.get(key)
        if text is None:
            return KEYS[key.partition(".")[0]].default
        return _parse(key, text)

    @property
    def set_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that `set.NAME` adds or replaces: lower-case name and value."""
        return tuple((key[4:], text) for key, text in self.options.items() if key[:4] == "set.")

    def doubts(self) -> list[str]:
        """Methods that almost no request has, and keys without effect, in words.

        An example is `per has no effect without times`.
        """
        doubts = []
        for start, conditions in (("", self.conditions), ("unless.", self.unless)):
            for text in conditions.get("method", ()):
                doubt = doubt_of_method(text)
                if doubt:
                    doubts.append(f"{start}method={shown(text)}: {doubt}")
        doubts += self.resolved.doubts(self)
        if not _MAY_DO_NOTHING.isdisjoint(self.options):
            doubts += self._without_effect()
        return doubts

    def _without_effect(self) -> list[str]:
        vendor = self.resolved.vendor
        usual = {"per": KEYS["per"].default, "hint": vendor.hint if vendor is not None else "seconds"}
        doubts = [
            f"{key} has no effect without {listed(needed)}"
            for key, needed in _NEEDING.items()
            if key in self.options
            and self.value(key) != usual[key]
            and self.options.keys().isdisjoint(needed)
        ]
        if "resource" in self.options and vendor is not None and vendor.resource is None:
            doubts.append(f"resource has no effect: errors of {vendor.id} name none")
        return doubts

    def compile(self, context: Addressing, seed: bytes = b"") -> Check:
        """The test of a request: all conditions hold, and no `unless.` condition does.

        Args:
            context: how the rule's vendor reads a request.
            seed: the key of the scenario's seed, with which `sample` chooses.
        """
        reading = Reading(context, seed)
        return all_of(_compile(self.conditions, reading), _compile(self.unless, reading))

    @property
    def label(self) -> str:
        """The text on which the draws depend.

        It is the given name, or the canonical text of fault and conditions, without shares. The errors of a `oneof`
        are a part of its fault.
        """
        if self.name:
            return self.name
        errors = "".join(f",{key}={self.options[key]}" for key in self.resolved.several)
        conditions = spelling.conditions(_label_conditions(self.unless), "unless.")
        return self._head(_label_conditions(self.conditions)) + errors + conditions

    def _head(self, conditions: Mapping[str, tuple[str, ...]]) -> str:
        text = self.fault + spelling.conditions(conditions)
        return f"{text},vendor={self.options['vendor']}" if "vendor" in self.options else text

    def to_dict(self) -> dict[str, object]:
        """The rule as plain data, in the shape of TOML and JSON."""
        data: dict[str, object] = {"fault": self.fault}
        _nest(data, self.conditions)
        if "vendor" in self.options:
            data["vendor"] = self.options["vendor"]
        if self.unless:
            data["unless"] = _nest({}, self.unless)
        for key, text in self.options.items():
            word, dot, name = key.partition(".")
            if dot:
                data.setdefault(word, {})[name] = text  # type: ignore[index]  # made on this line
            elif len(texts := spelling.texts(key, text)) > 1:
                data[word] = texts
            else:
                data[word] = _plain(word, text)
        if self.name is not None:
            data["name"] = self.name
        return data

    @property
    def parts(self) -> Parts:
        """Name, conditions, unless and options, as copies that `of_parts` takes."""
        return self.name, dict(self.conditions), dict(self.unless), dict(self.options)

    def __str__(self) -> str:
        """The canonical text: parsing it gives an equal rule."""
        name = f",name={self.name}" if self.name is not None else ""
        options = {key: text for key, text in self.options.items() if key != "vendor"}
        unless = spelling.conditions(self.unless, "unless.")
        return f"{self._head(self.conditions)}{unless}{spelling.options(options)}{name}"

    def __repr__(self) -> str:
        return f"<Rule {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rule):
            return NotImplemented
        return (self.fault, *self.parts) == (other.fault, *other.parts)

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Rule.of_parts, (self.fault, self.parts)


@lru_cache(4096)
def _parse(key: str, text: str) -> Any:
    return KEYS[key.partition(".")[0]].parse(text)


def _fill(rule: Rule, fault: str, parts: Parts) -> None:
    # Set one by one: a loop over their names takes a fifth longer for 10,000 rules.
    put = object.__setattr__
    put(rule, "fault", fault)
    name, conditions, unless, options = parts
    put(rule, "name", name)
    put(rule, "conditions", MappingProxyType(conditions))
    put(rule, "unless", MappingProxyType(unless))
    put(rule, "options", MappingProxyType(options))


def _label_conditions(conditions: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    return {
        key: tuple(map(CONDITIONS[key.partition(".")[0]].in_label, texts))
        for key, texts in conditions.items()
    }


def _compile(conditions: Mapping[str, tuple[str, ...]], reading: Reading) -> list[Check]:
    tests = []
    for key, texts in conditions.items():
        word, _, name = key.partition(".")
        tests.append(CONDITIONS[word].compile(texts, name, reading))
    return tests


def _nest(data: dict[str, Any], conditions: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    for key, texts in conditions.items():
        word, dot, name = key.partition(".")
        table = data.setdefault(word, {}) if dot else data
        table[name if dot else word] = texts[0] if len(texts) == 1 else list(texts)
    return data


def _plain(key: str, text: str) -> object:
    """The number or bool with exactly this canonical text; otherwise the text itself."""
    if KEYS[key].flag:
        return {"yes": True, "no": False}.get(text, text)
    for number in (int, float):
        try:
            value = number(text)
        except ValueError:
            continue
        if KEYS[key].number and number_text(value) == text:
            return value
    return text


def read_table(
    fault: object, keys: Mapping[str, object], *, strict: bool = False
) -> tuple[Parts | None, list[tuple[str, Mistake]]]:
    """The parts of a rule from Python, TOML or JSON values; and each mistake with its place.

    Args:
        fault: as given.
        keys: as in `Rule` or in a table of TOML.
        strict: whether numbers are no durations, as in TOML and JSON.

    Returns:
        the parts, or None if anything is wrong.
    """
    entries, mistakes = _entries(keys, strict=strict)
    if not isinstance(fault, str):
        return None, [*mistakes, ("fault", Mistake(f"{shown(repr(fault))} is not a fault: give it as text"))]
    misplaced: list[tuple[int, Mistake]] = []
    parts = combine(fault, [entry for _, entry in entries], misplaced)
    mistakes += [(entries[index][0] if index >= 0 else "fault", mistake) for index, mistake in misplaced]
    return None if mistakes else parts, mistakes


def _entries(
    keys: Mapping[str, object], *, strict: bool
) -> tuple[list[tuple[str, EntryOrWord]], list[tuple[str, Mistake]]]:
    """The entries of these keys, each with its place, and the mistakes.

    Reading stops at the number of mistakes that a report shows.
    """
    entries: list[tuple[str, EntryOrWord]] = []
    mistakes: list[tuple[str, Mistake]] = []
    for raw, value in keys.items():
        try:
            key = split_key(_PYTHON.get(raw, raw))
            singles = [(raw, key, value)] if isinstance(value, _SINGLE) else [*_spread(raw, key, value)]
        except Mistake as mistake:
            mistakes.append((raw, mistake))
            continue
        for place, parts, single in singles:
            if len(mistakes) >= MOST:
                # The other keys are not read. An unknown key keeps them from being reported as missing.
                return [*entries, ("", "")], mistakes
            try:
                read = _entry(parts, single) if type(single) is str else _spell(parts, single, strict=strict)
                entries.append((place, read))
            except Mistake as mistake:
                mistakes.append((place, mistake))
                entries.append((place, parts[1]))
    return entries, mistakes


@lru_cache(512)
def _entry(key: Split, text: str) -> Entry:
    """Read an entry, and cache it, as many rules have the same."""
    return entry(*key, text)


def _spell(key: Split, value: object, *, strict: bool) -> Entry:
    row = KEYS.get(key[1])
    return entry(*key, row.write(value, strict=strict) if row is not None else "")


def _spread(place: str, key: Split, values: object) -> Iterator[tuple[str, Split, object]]:
    """Yield the single values of a key, also those in a dict of names or in a list."""
    unless, word, name = key
    if isinstance(values, Mapping) and key == (False, "unless", None):
        for raw, value in values.items():
            inner = _name(raw)
            yield from _spread(f"{place}.{inner}", split_key(f"unless.{inner}"), value)
    elif isinstance(values, Mapping) and word in KEYS and KEYS[word].named:
        for raw, value in values.items():
            inner = _name(raw)
            full = inner if name is None else f"{name}.{inner}"
            yield from _spread(f"{place}.{inner}", (unless, word, full), value)
    elif isinstance(values, list | tuple) and values:
        for value in values:
            yield place, key, value
    else:
        yield place, key, values


def _name(raw: object) -> str:
    """The text of a key in a dict, which is text or a number."""
    if isinstance(raw, str):
        return text_of(raw)
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return number_text(raw)
    raise Mistake(f"{shown(repr(raw))} is not a name: give it as text")


def place_of(place: str, mistake: Mistake) -> str:
    """The place of a mistake in its rule: its key, unless the message is about the key itself."""
    return "" if mistake.at_key else place
