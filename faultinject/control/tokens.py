"""The random token that the workers of one server agree on: whichever of them answers, it knows the same one."""

from __future__ import annotations

import os
from secrets import token_urlsafe

from faultinject.counts.private import clean_up_dead_owners, private_path
from faultinject.counts.processes import common_process, several_processes
from faultinject.exceptions import ConfigurationError
from faultinject.rules.control import TOKEN

LENGTH = 32
"""Random bytes of a token."""


def random_token(place: str) -> tuple[str, bool]:
    """A token, and whether it is this process that has made it up.

    Where several processes serve the app it is in a file that only this user can read, beside the directories in which they
    count; a later start removes it when the server has ended.

    Args:
        place: of the control API.

    Raises:
        ConfigurationError: they have no place for that file.
    """
    token = token_urlsafe(LENGTH)
    if not several_processes():
        return token, True
    try:
        if not hasattr(os, "geteuid"):  # pragma: no cover - Windows
            raise ConfigurationError("this system has no files for one user alone")
        clean_up_dead_owners()
        path = private_path(f"control\n{place}", owner=common_process())
        return _agreed(path, token)
    except (OSError, ConfigurationError) as error:
        # Of tokens that each makes up for itself, a client's would be wrong at every worker but one.
        why = f"the workers of this server cannot agree on a random token ({error}): set {TOKEN}"
        raise ConfigurationError(f"FAULTINJECT_CONTROL={place}: {why}") from error


def _agreed(path: str, token: str) -> tuple[str, bool]:
    """The token of a file in a directory of this user alone; the first process writes it."""
    from fcntl import LOCK_EX, flock  # Windows has none

    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as file:
        flock(file, LOCK_EX)
        found = file.read()
        if not found:
            file.write(token)
    return found or token, not found
