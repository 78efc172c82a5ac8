"""All keys of a rule in their canonical order, their spelling, and keys that exclude others.

The keys and values of a rule become *entries*, and the entries become its parts. Text, TOML, JSON and Python each have
their own way to make entries; from there on they share this code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from faultinject.exceptions import ConfigurationError
from faultinject.rules import faults, spelling
from faultinject.rules.conditions import CONDITIONS, check_operation
from faultinject.rules.effects import EFFECTS, EXCLUDING
from faultinject.rules.key import Key, anything
from faultinject.rules.triggers import FOR_GOOD, NOT_FOR_GOOD, TRIGGERS
from faultinject.rules.values import Mistake, is_name, listed, most_like, nearest, shown
from faultinject.vendors.vendor import Vendor

T = TypeVar("T")
Entry = tuple[int, str, str]
"""The rank, which gives the order; the canonical key with its NAME; the text."""
EntryOrWord = Entry | str
"""An entry; of a wrong entry only its key, or an empty text if the key is unknown."""
Conditions = dict[str, tuple[str, ...]]
Parts = tuple[str | None, Conditions, Conditions, dict[str, str]]
"""Name, conditions, unless, options."""

NAME_RANK, OPTION_RANK, UNLESS_RANK = 50, 100, 200


def _name(text: str) -> str:
    if not is_name(text):
        raise Mistake(
            f"{shown(text)} is not a name: a letter or digit, then up to 63 letters, digits, . _ or -"
        )
    return text


def _vendor(text: str) -> str:
    """The id of a storage vendor."""
    from faultinject import vendors

    try:
        vendor = vendors.get(text)
    except ConfigurationError as error:
        raise Mistake.of(error) from None
    if vendor.addressing is None:
        raise Mistake(f"{text} is not a storage vendor")
    return text


NAME = Key(
    key="name",
    doc="""The rule's name in logs and answers.

    It is a letter or digit, then up to 63 letters, digits, `.`, `_`, `-`.

    >>> print(Rule("http:503", name="photos-put"))
    http:503,name=photos-put
    """,
    read=_name,
    default_text="by position",
)
VENDOR = Key(
    key="vendor",
    doc="""The vendor that reads bucket, key and operation for a fault without a storage vendor.

    >>> print(Rule("http:503", vendor="cos", bucket="photos"))
    http:503,bucket=photos,vendor=cos
    """,
    read=_vendor,
    default_text="as an S3 request",
)
RANKS: dict[str, tuple[int, Key]] = {
    **{key: (rank, condition) for rank, (key, condition) in enumerate(CONDITIONS.items())},
    "name": (NAME_RANK, NAME),
    **{
        key_.key: (OPTION_RANK + rank, key_)
        for rank, key_ in enumerate((VENDOR, *TRIGGERS.values(), *EFFECTS.values()))
    },
}
FIRST_EFFECT = RANKS["when"][0]
KEYS: dict[str, Key] = {key: key_ for key, (_, key_) in RANKS.items()}
SEPARATORS = frozenset(f",{spelling.SEPARATORS}")
MORE_THAN_A_FAULT = (
    "only a fault can stand here; give its keys as keywords (in TOML: as keys of the table), "
    "or all of it to Scenario.parse"
)
# The vendors of the enclosing `reading_as` blocks, innermost last.
_reading_as: list[str] = []


def split_key(raw: str) -> tuple[bool, str, str | None]:
    """Split a key: whether it begins with `unless.`, the canonical key, and its NAME or None.

    The NAME has no quotes.
    """
    key, dot, name = raw.partition(".")
    key = key.replace("-", "_")
    unless = key == "unless" and bool(dot)
    if unless:
        key, dot, name = name.partition(".")
        key = key.replace("-", "_")
    if not dot:
        return unless, key, None
    if name[:1] == '"':
        if len(name) < 2 or name[-1] != '"':
            raise Mistake(f"{shown(raw)}: the quotes must enclose the whole name", at_key=True)
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\") if "\\" in name else name[1:-1]
    return unless, key, name


def entry(unless: bool, word: str, name: str | None, text: str) -> Entry:
    """Read one key and value; raises `Mistake`."""
    rank, key = _find(unless, word, name)
    full = word
    if name is not None:
        if not name:
            raise Mistake(f"{word} needs a name behind the dot", at_key=True)
        if key.header:
            name = name.lower().replace("_", "-")
        elif not name.isascii():
            _check_unicode(name, at_key=True)
        key.check_name(name)
        full = f"{word}.{name}"
    if not text.isascii():
        _check_unicode(text)
    key.parse(text)
    if key.check_text is not anything:
        key.check_text(name or "", text)
    return (rank + UNLESS_RANK if unless else rank), full, key.spell(text)


def _find(unless: bool, word: str, name: str | None) -> tuple[int, Key]:
    ranked = RANKS.get(word)
    if ranked is None or (unless and ranked[0] >= NAME_RANK):
        if unless:
            near = nearest(word, CONDITIONS)
            raise Mistake(f"{shown(word)} is not a condition{near}", at_key=True)
        if word == "fault":
            raise Mistake("the fault stands first, without a key", at_key=True)
        if word == "unless":
            raise Mistake("unless needs a condition, such as unless.path", at_key=True)
        raise Mistake(f"{shown(word)} is not a key{nearest(word, ('fault', 'unless', *KEYS))}", at_key=True)
    if ranked[1].named != (name is not None):
        if name is None:
            raise Mistake(f"{word} needs a name, such as {word}.x-test", at_key=True)
        raise Mistake(f"{word} takes no name", at_key=True)
    return ranked


def _check_unicode(text: str, *, at_key: bool = False) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Mistake(f"{shown(text)} is not valid Unicode", at_key=at_key) from None


def combine(text: str, entries: Sequence[EntryOrWord], mistakes: list[tuple[int, Mistake]]) -> Parts | None:
    """Combine a fault and entries into the parts of a rule.

    Args:
        text: the fault as written.
        entries: the entries in any order; of a wrong entry, which the caller reports, only its key.
        mistakes: gets every mistake, with the index of its entry, or -1 for the fault.

    Returns:
        the parts in canonical order, or None if anything was wrong.
    """
    fault = takes = None
    try:
        fault = faults.get(text)
        takes = _ranks(fault.takes)
    except Mistake as mistake:
        mistakes.append((-1, _better_message(text) or mistake))
    name: str | None = None
    conditions: dict[str, list[str]] = {}
    unless: dict[str, list[str]] = {}
    options: dict[str, str] = {}
    for index, item in enumerate(entries):
        if isinstance(item, str):
            continue
        rank, key, value = item
        if rank < NAME_RANK or rank >= UNLESS_RANK:
            group = conditions if rank < NAME_RANK else unless
            group.setdefault(key, []).append(value)
            continue
        if key in options and key in (("of",) if fault is None else fault.several):
            options[key] += f",{value}"
        elif key in options or (rank == NAME_RANK and name is not None):
            mistakes.append((index, Mistake(f"{key} is given twice", at_key=True)))
        elif rank == NAME_RANK:
            name = value
        else:
            options[key] = value
            if rank >= FIRST_EFFECT and takes is not None and rank not in takes:
                assert fault is not None
                message = (
                    f"{fault.text} takes no {key.partition('.')[0]}; it takes {listed(fault.takes, 'and')}"
                )
                mistakes.append((index, Mistake(message, at_key=True)))
    if fault is not None:
        fault = fault.with_options(options)
        if _reading_as and "vendor" not in options and not _error_of(fault, options).addressed:
            options = {VENDOR.key: _reading_as[-1], **options}
        _check(fault, options, entries, mistakes)
        if "operation" in conditions or "operation" in unless:
            _check_operations(fault, options, entries, mistakes)
    if mistakes:
        return None
    order = [entry[:2] for entry in entries if not isinstance(entry, str)]
    if order != sorted(order):
        conditions, unless, options = _sort_entries(conditions), _sort_entries(unless), _sort_entries(options)
    return (
        name,
        {key: tuple(values) for key, values in conditions.items()},
        {key: tuple(values) for key, values in unless.items()},
        options,
    )


def _better_message(text: str) -> Mistake | None:
    """Make a better message for a text that is not a fault: a key, or a fault and more."""
    if not SEPARATORS.isdisjoint(text):
        return Mistake(MORE_THAN_A_FAULT)
    before, equals, _ = text.partition("=")
    word = before.removeprefix("unless.").partition(".")[0].replace("-", "_")
    # Blanks separate rules, so `times = 2` becomes three rules, and the second begins with the equals sign.
    if equals and (not before or word in KEYS):
        return Mistake(
            f"{shown(text)} is not a fault; a key and its value follow a comma, without a blank,"
            " as in cos:SlowDown,times=2"
        )
    return None


@contextmanager
def reading_as(vendor: str | None) -> Iterator[None]:
    """Make the rules of a block read requests as this vendor does.

    This is for rules that have no storage vendor and name none with `vendor`.

    Args:
        vendor: its id; None: as an S3 request.

    Raises:
        ConfigurationError: it is not a storage vendor.
    """
    if vendor is None:
        yield
        return
    try:
        VENDOR.parse(vendor)
    except Mistake as mistake:
        raise ConfigurationError(mistake.message) from None
    _reading_as.append(vendor)
    try:
        yield
    finally:
        _reading_as.remove(vendor)


def _error_of(fault: faults.Fault, options: Mapping[str, str]) -> faults.Fault:
    """The documented error of a rule: that of `of=`, otherwise the fault itself."""
    if "of" in options and "of" in fault.takes and "of" not in fault.several:
        return faults.get(options["of"])
    return fault


def _check(
    fault: faults.Fault,
    options: dict[str, str],
    entries: Sequence[EntryOrWord],
    mistakes: list[tuple[int, Mistake]],
) -> None:
    error = _error_of(fault, options)
    if "vendor" in options and error.addressed:
        index = next(
            at for at, item in enumerate(entries) if not isinstance(item, str) and item[1] == "vendor"
        )
        error_text = options.get("of", error.text).partition(",")[0]
        message = f"{error_text} always reads requests as {error.rows[0].vendor} does"
        mistakes.append((index, Mistake(message, at_key=True)))
    for trigger in NOT_FOR_GOOD if FOR_GOOD in options else ():
        if trigger in options:
            message = (
                f"{FOR_GOOD} and {trigger} exclude each other; {FOR_GOOD} alone says that the fault stays"
            )
            mistakes.append((-1, Mistake(message)))
    mistakes.extend(
        (-1, mistake)
        for mistake in fault.check(options)
        if not any(_may_be_misspelled(key, entries) for key in mistake.missing)
    )
    for effect, excluded in EXCLUDING:
        if effect in options and excluded in options and {effect, excluded} <= {*fault.takes}:
            mistakes.append((-1, Mistake(f"{effect} and {excluded} exclude each other; give one of them")))


def _may_be_misspelled(key: str, entries: Sequence[EntryOrWord]) -> bool:
    """Whether a missing key may be present under a wrong spelling, which is reported already.

    A word that is unlike every key (None) may be any of them.
    """
    words = [entry for entry in entries if isinstance(entry, str)]
    return any(word == key or (word not in KEYS and most_like(word, KEYS) in (key, None)) for word in words)


def _check_operations(
    fault: faults.Fault,
    options: dict[str, str],
    entries: Sequence[EntryOrWord],
    mistakes: list[tuple[int, Mistake]],
) -> None:
    """Check that each operation is one of the vendor that reads the rule's requests."""
    vendor_keys = ("vendor", "of") if "of" in fault.takes else ("vendor",)
    if not fault.addressed and any(
        _may_be_misspelled(key, entries) for key in vendor_keys if key not in options
    ):
        return
    vendor = reads_as(fault, options)
    rank = RANKS["operation"][0]
    for index, item in enumerate(entries):
        if not isinstance(item, str) and item[0] in (rank, rank + UNLESS_RANK):
            try:
                check_operation(item[2], vendor)
            except Mistake as mistake:
                mistakes.append((index, mistake))


def reads_as(fault: faults.Fault, options: Mapping[str, str]) -> Vendor | None:
    """The vendor that reads bucket, key and operation for a rule; None: as an S3 request."""
    fault = _error_of(fault, options)
    if fault.addressed:
        return fault.vendor
    if "vendor" not in options:
        return None
    from faultinject import vendors

    return vendors.get(options["vendor"])


@cache
def _ranks(takes: tuple[str, ...]) -> frozenset[int]:
    return frozenset(RANKS[take][0] for take in takes)


def _sort_entries(entries: dict[str, T]) -> dict[str, T]:
    return dict(sorted(entries.items(), key=lambda item: (RANKS[item[0].partition(".")[0]][0], item[0])))
