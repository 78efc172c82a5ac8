"""The servers that the tests of one process share."""

from __future__ import annotations

import pytest

from .launch import Pool
from .rules import RULES


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    """Every server with all the rules, by path."""
    running = Pool(tmp_path_factory, RULES)
    yield running
    running.stop()
