"""From the TOML of a profile to what it means."""

from __future__ import annotations

from msgspec import ValidationError, convert

from faultinject.audit.profiles.profile import Profile, Seconds
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_toml
from faultinject.rules.values import Mistake, duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
        said = {key.replace("_", "-"): value for key, value in parse_toml(text).items()}
        data = {"title": name, **said, "name": name}
        if isinstance(data.get("quota"), dict):
            data["quota"] = {
                kind: numbers if isinstance(numbers, list) else [numbers]
                for kind, numbers in data["quota"].items()
            }
        return convert(data, Profile, dec_hook=_seconds)
    except ValidationError as error:
        raise ConfigurationError([Problem(str(error), where=where)]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([Problem(f"not TOML: {error}", where=where)]) from None


def _seconds(_type: type, value: Any) -> Seconds:
    """A duration, as rules write it too."""
    if not isinstance(value, str):
        raise TypeError('it must be a duration such as "1s"')
    try:
        return Seconds(duration(value))
    except Mistake as mistake:
        raise ValueError(mistake.message) from None
