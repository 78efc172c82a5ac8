"""The random token that the workers of one server agree on: whichever of them answers, it knows the same one."""

from __future__ import annotations

import os
from contextlib import suppress
from secrets import token_urlsafe

from faultinject.counts.files import open_directory
from faultinject.counts.private import clean_up_dead_owners, private_parent, private_path
from faultinject.counts.processes import common_process, several_processes
from faultinject.exceptions import ConfigurationError
from faultinject.rules.control import TOKEN

LENGTH = 32
"""Random bytes of a token."""
_FLAGS = os.O_NOFOLLOW if hasattr(os, "O_NOFOLLOW") else 0


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
    directory = open_directory(private_parent())
    name = os.path.basename(path)  # noqa: PTH119 - pathlib costs start-up time
    draft = f"{name}.{os.getpid()}"
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=directory)
        try:
            os.write(file, token.encode())
        finally:
            os.close(file)
        try:
            # Whole, or not at all; whoever comes second finds the first one's.
            os.link(draft, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            return _read(name, directory), False
        finally:
            with suppress(OSError):
                os.unlink(draft, dir_fd=directory)
        return token, True
    finally:
        os.close(directory)


def _read(name: str, directory: int) -> str:
    file = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=directory)
    try:
        found = os.fstat(file)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ConfigurationError(f"{name} is not this user's own")
        return os.read(file, 1024).decode("ascii")
    finally:
        os.close(file)
