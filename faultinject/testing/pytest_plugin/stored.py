"""What tests have stored is gone when they end, what fixtures of wider scope have stored when those end.

Only where a test uses `faultinject_store` is this module imported.
"""

from __future__ import annotations

import pytest

from faultinject.store.contents import change
from faultinject.testing.storage import StorageFactory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from faultinject.store.contents import Contents
    from faultinject.testing.storage import Storage

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
        stored = _StoredByFixture(self.factory)
        # Of a fixture's finalizers the first that was added runs last: behind its own clean-up.
        fixturedef.addfinalizer(stored.undo)
        try:
            return (yield)
        finally:
            stored.note()

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


class _StoredByFixture:
    """What the set-up of one fixture stores."""

    def __init__(self, factory: StorageFactory) -> None:
        self._factory = factory
        self._before: dict[Storage, Contents] = {each: each.app.contents for each in factory}
        self._after: dict[Storage, Contents] = {}

    def note(self) -> None:
        """Its set-up is over. What a test is to find at its end is there as well."""
        for each in self._factory:
            before, after = self._before.get(each, {}), each.app.contents
            if after != before:
                self._after[each] = after
                change(each.app.kept, before, after)

    def undo(self) -> None:
        """It has ended: nothing of it stays."""
        for each, after in self._after.items():
            contents, before = each.app.contents, self._before.get(each, {})
            change(contents, after, before)
            change(each.app.kept, after, before)
            each.app.hold(contents)
