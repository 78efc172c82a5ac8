"""From the TOML of a profile to what it means."""

from __future__ import annotations

import re
from typing import Any

from msgspec import ValidationError, convert
from msgspec.structs import fields

from faultinject.audit.profiles.profile import Mark, Profile, Seconds, Waits
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_toml
from faultinject.rules.values import Mistake, duration, nearest

_UNKNOWN = re.compile("Object contains unknown field `([^`]*)`")


def read_profile(text: str, name: str, where: str) -> Profile:
    """The profile of a TOML text.

    Args:
        text: the TOML.
        name: the profile's name.
        where: the file's name, for messages.

    Raises:
        ConfigurationError: something is wrong; the first mistake is told, and where it is.
    """
    try:
        data = {"title": name, **parse_toml(text), "name": name}
        if isinstance(data.get("quota"), dict):
            data["quota"] = {
                kind: numbers if isinstance(numbers, list) else [numbers]
                for kind, numbers in data["quota"].items()
            }
        return convert(data, Profile, dec_hook=_seconds)
    except ValidationError as error:
        raise ConfigurationError([Problem(_plain(str(error)), where=where)]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([Problem(f"not TOML: {error}", where=where)]) from None


def _plain(message: str) -> str:
    """The message of msgspec, with the nearest key for one that it does not know."""
    found = _UNKNOWN.match(message)
    if found is None:
        return message
    keys = [field.encode_name for kind in (Profile, Waits, Mark) for field in fields(kind)]
    return f"there is no key {found[1]}{nearest(found[1], keys)}{message[found.end() :]}"


def _seconds(_type: type, value: Any) -> Seconds:
    """A duration, as rules write it too."""
    if not isinstance(value, str):
        raise TypeError('it must be a duration such as "1s"')
    try:
        return Seconds(duration(value))
    except Mistake as mistake:
        raise ValueError(mistake.message) from None
