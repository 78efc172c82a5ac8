"""Which files a store's directory holds; nothing else in it is ever touched."""

from __future__ import annotations

import os

from faultinject.counts.opening import remove_file

FILES = ("version", "journal", "lock", "attached", "users")
SCENARIO, COUNTS, EVENTS = "scenario-", "counts-", "journal-"


def is_ours(name: str) -> bool:
    """Whether a file of that name belongs to a store."""
    return name in FILES or name.startswith((SCENARIO, COUNTS, EVENTS))


def remove_directory(directory: int, path: str) -> None:
    """Remove a store by its descriptor and path; what is not ours stays, and so does then the directory."""
    from contextlib import suppress

    with suppress(OSError):
        for name in os.listdir(directory):
            if is_ours(name):
                remove_file(name, directory)
        os.rmdir(path)  # noqa: PTH106 - pathlib takes its time to load
