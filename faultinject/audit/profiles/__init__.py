"""Promises of clients about their retries, as data: one TOML file a profile.

A file added here is a profile added.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from faultinject.audit.profiles.profile import Profile as Profile
from faultinject.audit.profiles.reading import read_profile
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import read_bytes
from faultinject.rules.values import nearest, shown
from faultinject.vendors.vendor import read

DEFAULT = "rfc"
"""The profile of a client that nothing is known of."""


@cache
def names() -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    found = (each.name for each in files(__name__).iterdir())
    return tuple(sorted(each.removesuffix(".toml") for each in found if each.endswith(".toml")))


def get(name: str) -> Profile:
    """A profile by its name, or the one in a TOML file.

    Args:
        name: such as `aws-2026`, or the path of a file: what ends in `.toml` or has a slash in it.

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
    """The profile of a client by its user agent; `rfc` where nothing is known of it."""
    if user_agent:
        for profile in map(get, names()):
            if any(mark.fits(user_agent) for mark in profile.marks):
                return profile
    return get(DEFAULT)


@cache
def _of_package(name: str) -> Profile:
    return read_profile(read(__name__, f"{name}.toml").decode(), name, f"{name}.toml")


def _from_file(path: str) -> Profile:
    try:
        text = read_bytes(path).decode()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError([Problem(f"cannot read it: {why}", where=path)]) from None
    return read_profile(text, Path(path).stem, path)
