"""From the TOML of a profile to what it means; every mistake is told, not only the first."""

from __future__ import annotations

from faultinject.audit.profiles.profile import ANY, Mark, Profile, Waits
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_toml
from faultinject.rules.values import Mistake, duration, nearest, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Reader = Callable[[Any, "_Place"], Any]

KINDS = ("throttle", "server", "transport", "timeout", ANY)
DISTRIBUTIONS = ("uniform",)


def read_profile(text: str, name: str, where: str) -> Profile:
    """The profile of a TOML text.

    Args:
        text: the TOML.
        name: the profile's name.
        where: the file's name, for messages.

    Raises:
        ConfigurationError: something is wrong; `problems` holds every mistake.
    """
    try:
        data = parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([Problem(f"not TOML: {error}", where=where)]) from None
    place = _Place(where, [])
    fields = _read(data, place, _PROFILE)
    if place.problems:
        raise ConfigurationError(place.problems)
    return Profile(**{"name": name, "title": name, "reference": "", **fields})


class _Place:
    """Where in the file something stands, and the mistakes found so far."""

    def __init__(self, file: str, problems: list[Problem], keys: tuple[str, ...] = ()) -> None:
        self._file = file
        self._keys = keys
        self.problems = problems

    def below(self, key: str) -> _Place:
        """The place of a key in this table."""
        return _Place(self._file, self.problems, (*self._keys, key))

    def add(self, message: str) -> None:
        """Note a mistake here."""
        self.problems.append(Problem(message, where=f"{self._file}: {'.'.join(self._keys)}"))


def _read(table: Mapping[str, Any], place: _Place, known: Mapping[str, tuple[str, Reader]]) -> dict[str, Any]:
    """The values of a table by the names of the fields that they are for."""
    found = {}
    for key, value in table.items():
        here = place.below(key)
        if (field := known.get(key.replace("_", "-"))) is None:
            here.add(f"there is no such key{nearest(key, known)}")
            continue
        name, read = field
        try:
            found[name] = read(value, here)
        except Mistake as mistake:
            here.add(mistake.message)
    return found


def _one_that(must: str, is_right: Callable[[Any], bool]) -> Reader:
    """Reads a value that is taken as it is, if it is right."""

    def read_one(value: Any, place: _Place) -> Any:
        if not is_right(value):
            raise Mistake(f"must be {must}")
        return value

    return read_one


_text = _one_that("a text of one line", lambda value: isinstance(value, str) and value.isprintable())
_number = _one_that("a number of at least 1", lambda value: type(value) is int and value >= 1)
_factor = _one_that(
    "a number between 1 and 1000", lambda value: type(value) in (int, float) and 1 <= value <= 1000
)
_yes_no = _one_that("true or false", lambda value: isinstance(value, bool))
_table = _one_that("a table", lambda value: isinstance(value, dict))


def _numbers(value: Any, place: _Place) -> tuple[int, ...]:
    if not isinstance(value, list):
        return (_number(value, place),)
    if not value:
        raise Mistake("must be a number of at least 1, or a list of them")
    return tuple(sorted(_number(each, place) for each in value))


def _seconds(value: Any, place: _Place) -> float:
    if not isinstance(value, str):
        raise Mistake('must be a duration such as "1s"')
    return duration(value)


def _list_of_seconds(value: Any, place: _Place) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise Mistake('must be a list of durations such as ["1s", "2s"]')
    return tuple(_seconds(each, place) for each in value)


def _distribution(value: Any, place: _Place) -> str:
    if value not in DISTRIBUTIONS:
        raise Mistake(f"{shown(str(value))} is not known; there is {DISTRIBUTIONS[0]}")
    return str(value)


def _wait(value: Any, place: _Place) -> Waits:
    waits = Waits(**_read(_table(value, place), place, _WAITS))
    if not waits.base and not waits.longest:
        raise Mistake('needs base = "1s", or longest = ["1s", "2s"]')
    return waits


def _marks(value: Any, place: _Place) -> tuple[Mark, ...]:
    if not isinstance(value, list):
        raise Mistake("must be a list of tables: write [[clients]]")
    found = []
    for number, each in enumerate(value):
        here = place.below(str(number))
        fields = _read(_table(each, here), here, _MARK)
        if not fields.get("text"):
            here.add('needs user-agent = "Name/"')
        else:
            found.append(Mark(**fields))
    return tuple(found)


def _each(read: Reader, names: tuple[str, ...] | None) -> Reader:
    """Reads a table of values of one sort."""

    def read_each(value: Any, place: _Place) -> dict[str, Any]:
        table = _table(value, place)
        return _read(table, place, {name.replace("_", "-"): (name, read) for name in names or table})

    return read_each


_WAITS: dict[str, tuple[str, Reader]] = {
    "base": ("base", _seconds),
    "factor": ("factor", _factor),
    "cap": ("cap", _seconds),
    "longest": ("longest", _list_of_seconds),
    "shortest": ("shortest", _list_of_seconds),
}
_MARK: dict[str, tuple[str, Reader]] = {
    "user-agent": ("text", _text),
    "since": ("since", _text),
    "below": ("below", _text),
    "beside": ("beside", _text),
    "begins": ("begins", _yes_no),
}
_PROFILE: dict[str, tuple[str, Reader]] = {
    "title": ("title", _text),
    "reference": ("reference", _text),
    "attempts": ("attempts", _number),
    "most-attempts": ("most_attempts", _number),
    "waits": ("waits", _each(_wait, KINDS)),
    "distribution": ("distribution", _distribution),
    "budget": ("budget", _yes_no),
    "quota": ("quota", _each(_numbers, KINDS)),
    "hints": ("hints", _each(_seconds, None)),
    "clients": ("marks", _marks),
}
