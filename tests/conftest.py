"""What the whole suite shares."""

import pytest

pytest_plugins = ["pytester"]

ALONE = {"core", "envelopes", "settings", "vendors"}
"""Folders whose tests meet nothing but the package."""


def pytest_collection_modifyitems(items):
    """A test of real servers, clients or processes may be disturbed by others on the machine.

    It is run up to twice more, from fresh fixtures, and the summary lists it with an R.
    """
    for item in items:
        if item.path.parent.name not in ALONE:
            item.add_marker(pytest.mark.flaky(reruns=2))
