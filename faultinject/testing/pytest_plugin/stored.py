"""What tests have stored is gone when they end, what fixtures of wider scope have stored when those end.

Only where a test uses `faultinject_store` is this module imported.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from faultinject.store.wsgi import Contents, change
from faultinject.testing.storage import Storage, StorageFactory

NAME = "faultinject-stored"
FIXTURE = "faultinject_store"


def begin(config: pytest.Config) -> StoredByTests:
    """The session's hooks around tests with stores; registered on first use."""
    found = config.pluginmanager.get_plugin(NAME)
    if found is None:
        found = StoredByTests()
        config.pluginmanager.register(found, NAME)
    assert isinstance(found, StoredByTests)
    return found


def begin_with(request: pytest.FixtureRequest) -> StorageFactory:
    """The session's stores, for the fixture."""
    late = not request.config.pluginmanager.has_plugin(NAME)
    stored = begin(request.config)
    parent = request._parent_request  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public name
    if late and parent.scope == "function":
        # Asked for by name at run time: collection could not see it, and the test has begun.
        stored.begin_test(parent.node)
    return stored.factory


class StoredByTests:
    """The hooks around tests.

    Attributes:
        factory: the stores.
    """

    def __init__(self) -> None:
        self.factory = StorageFactory()
        self._in_test = False

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """The test begins with its first own fixture; what a wider one stores is noted, and goes with it."""
        if fixturedef.scope == "function":
            self.begin_test(request.node)
            return (yield)
        if fixturedef.argname == FIXTURE:
            return (yield)
        before: dict[Storage, Contents] = {each: each.app.contents for each in self.factory}
        after: dict[Storage, Contents] = {}

        def undo() -> None:
            """The fixture has ended: nothing of it stays."""
            for each, then in after.items():
                contents, was = each.app.contents, before.get(each, {})
                change(contents, then, was)
                change(each.app.kept, then, was)
                each.app.hold(contents)

        # Of a fixture's finalizers the first that was added runs last: behind its own clean-up.
        fixturedef.addfinalizer(undo)
        try:
            return (yield)
        finally:
            # What a test is to find at its end is there as well.
            for each in self.factory:
                was, now = before.get(each, {}), each.app.contents
                if now != was:
                    after[each] = now
                    change(each.app.kept, was, now)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """A test without fixtures of its own begins here."""
        self.begin_test(item)

    def begin_test(self, item: pytest.Item) -> None:
        """Keep what is stored now for the end of the test."""
        if self._in_test:
            return
        self._in_test = True
        for each in self.factory:
            each.app.kept = each.app.contents
        # Runs behind the clean-up of the test's own fixtures, and before that of wider ones.
        item.addfinalizer(self._end_test)

    def _end_test(self) -> None:
        self._in_test = False
        for each in self.factory:
            each.reset()
