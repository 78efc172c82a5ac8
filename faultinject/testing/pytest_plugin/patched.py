"""The frameworks' own apps are patched for a session in which a test is marked, or some block with faults begins."""

from __future__ import annotations

import pytest

from faultinject.adapters.patch import Patch

PATCH = pytest.StashKey[Patch]()


def patch(config: pytest.Config) -> None:
    """Patch them, if that was not done yet, until the session ends."""
    if PATCH not in config.stash:
        config.stash[PATCH] = found = Patch()
        config.add_cleanup(found.undo)
