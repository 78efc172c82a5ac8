"""From the TOML of a profile to what it means."""

from __future__ import annotations

import re

from msgspec import ValidationError, convert
from msgspec.structs import fields

from faultinject.audit.profiles.profile import Mark, Profile, Seconds, Waits
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_toml
from faultinject.rules.values import Mistake, duration, nearest, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_UNKNOWN = re.compile("Object contains unknown field `([^`]*)`")
_VALUE = re.compile(r"\$\.(\w+)\[\.\.\.\]")


def read_profile(text: str, name: str, where: str) -> Profile:
    """The profile of a TOML text.

    Args:
        text: the TOML.
        name: the profile's name.
        where: the file's name, for messages.

    Raises:
        ConfigurationError: something is wrong; the first mistake is told, and where it is.
    """
    data: dict[str, Any] = {}
    try:
        data = {"title": name, **_dashed(parse_toml(text)), "name": name}
        if isinstance(data.get("clients"), list):
            data["clients"] = [_dashed(each) if isinstance(each, dict) else each for each in data["clients"]]
        if isinstance(data.get("quota"), dict):
            data["quota"] = {
                kind: numbers if isinstance(numbers, list) else [numbers]
                for kind, numbers in data["quota"].items()
            }
        return convert(data, Profile, dec_hook=_seconds)
    except ValidationError as error:
        raise ConfigurationError([Problem(_plain(str(error), data), where=where)]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([Problem(f"not TOML: {error}", where=where)]) from None


def _dashed(table: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in table.items()}


def _plain(message: str, data: dict[str, Any]) -> str:
    """What msgspec says, with the nearest key where it knows none of that name, and the key for its `[...]`."""
    if (place := _VALUE.search(message)) is not None:
        wrong = next(key for key, value in data[place[1]].items() if _is_wrong(place[1], key, value))
        message = message.replace("[...]", f".{shown(wrong)}", 1)
    found = _UNKNOWN.match(message)
    if found is None:
        return message
    keys = [each.encode_name for kind in (Profile, Waits, Mark) for each in fields(kind)]
    return f"there is no key {found[1]}{nearest(found[1], keys)}{message[found.end() :]}"


def _is_wrong(table: str, key: str, value: Any) -> bool:
    try:
        convert({"name": "", "title": "", table: {key: value}}, Profile, dec_hook=_seconds)
    except ValidationError:
        return True
    return False


def _seconds(_type: type, value: Any) -> Seconds:
    """A duration, as rules write it too."""
    if not isinstance(value, str):
        raise TypeError('it must be a duration such as "1s"')
    try:
        return Seconds(duration(value))
    except Mistake as mistake:
        raise ValueError(mistake.message) from None
