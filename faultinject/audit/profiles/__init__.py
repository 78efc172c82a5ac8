"""Promises of clients about their retries, as data: one TOML file a profile.

To add a profile, add a file here.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from msgspec import ValidationError, convert
from msgspec.structs import fields

from faultinject.audit.profiles.profile import Mark, Seconds, Waits
from faultinject.audit.profiles.profile import Profile as Profile
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_toml, read_bytes
from faultinject.rules.values import Mistake, duration, nearest, shown
from faultinject.vendors.vendor import read

DEFAULT = "rfc"
"""The profile of an unknown client."""
_UNKNOWN = re.compile("Object contains unknown field `([^`]*)`")


@cache
def names() -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    return tuple(
        sorted(
            path.name.removesuffix(".toml")
            for path in files(__name__).iterdir()
            if path.name.endswith(".toml")
        )
    )


def get(name: str) -> Profile:
    """A profile by its name, or the one in a TOML file.

    Args:
        name: such as `aws-2026`; a text that ends in `.toml` or has a slash in it is the path of a file.

    Raises:
        ConfigurationError: there is no such profile or file, or something in it is wrong.
    """
    if name.endswith(".toml") or "/" in name or "\\" in name:
        return _from_file(name)
    known = names()
    if name not in known:
        hint = nearest(name, known) or f"; there are {', '.join(known)}"
        raise ConfigurationError(
            f"{shown(name)} is not a profile{hint}; the name of a file of your own ends in .toml"
        )
    return _of_package(name)


def detect(user_agent: str | None) -> Profile:
    """The profile of a client by its user agent; `rfc` for an unknown client."""
    return next(
        (
            profile
            for profile in map(get, names())
            if any(mark.fits(user_agent or "") for mark in profile.marks)
        ),
        get(DEFAULT),
    )


@cache
def _of_package(name: str) -> Profile:
    return _profile(read(__name__, f"{name}.toml").decode(), name, f"{name}.toml")


def _from_file(path: str) -> Profile:
    try:
        text = read_bytes(path).decode()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError([Problem(f"cannot read it: {why}", where=path)]) from None
    return _profile(text, Path(path).stem, path)


def _profile(text: str, name: str, where: str) -> Profile:
    """The profile of a TOML text.

    Args:
        text: the TOML.
        name: the profile's name.
        where: the file's name, for messages.

    Raises:
        ConfigurationError: something is wrong; the message has the first mistake and its place.
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
    match = _UNKNOWN.match(message)
    if match is None:
        return message
    keys = [field.encode_name for kind in (Profile, Waits, Mark) for field in fields(kind)]
    return f"there is no key {match[1]}{nearest(match[1], keys)}{message[match.end() :]}"


def _seconds(_type: type, value: Any) -> Seconds:
    """A duration, as rules write it too."""
    if not isinstance(value, str):
        raise TypeError('it must be a duration such as "1s"')
    try:
        return Seconds(duration(value))
    except Mistake as mistake:
        raise ValueError(mistake.message) from None
