"""Removes the objects of a test when it ends, and those of a wider fixture when that ends.

The plugin imports this module if a test uses `faultinject_store`.
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
    hooks = config.pluginmanager.get_plugin(NAME)
    if hooks is None:
        hooks = StoredByTests()
        config.pluginmanager.register(hooks, NAME)
    assert isinstance(hooks, StoredByTests)
    return hooks


def begin_with(request: pytest.FixtureRequest) -> StorageFactory:
    """The session's stores, for the fixture."""
    late = not request.config.pluginmanager.has_plugin(NAME)
    stored = begin(request.config)
    parent = request._parent_request  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public name
    if late and parent.scope == "function":
        # `request.getfixturevalue(…)`: the collection could not see it, and the test has begun.
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
        """Begin a test with its first fixture, and note the objects that a wider fixture makes."""
        if fixturedef.scope == "function":
            self.begin_test(request.node)
            return (yield)
        if fixturedef.argname == FIXTURE:
            return (yield)
        before: dict[Storage, Contents] = {storage: storage.app.contents for storage in self.factory}
        after: dict[Storage, Contents] = {}

        def undo() -> None:
            """Remove the objects of the fixture after its end."""
            for storage, contents_after in after.items():
                contents, contents_before = storage.app.contents, before.get(storage, {})
                change(contents, contents_after, contents_before)
                change(storage.app.saved_contents, contents_after, contents_before)
                storage.app.replace_contents(contents)

        # pytest runs the finalizer that was added first as the last one: after the fixture's own clean-up.
        fixturedef.addfinalizer(undo)
        try:
            return (yield)
        finally:
            # The end of the test that requested this fixture must not remove the fixture's objects.
            for storage in self.factory:
                contents_before, now = before.get(storage, {}), storage.app.contents
                if now != contents_before:
                    after[storage] = now
                    change(storage.app.saved_contents, contents_before, now)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Begin a test that has no fixtures of its own."""
        self.begin_test(item)

    def begin_test(self, item: pytest.Item) -> None:
        """Note the objects of the stores, to restore them at the end of the test."""
        if self._in_test:
            return
        self._in_test = True
        for storage in self.factory:
            storage.app.saved_contents = storage.app.contents
        # It runs after the clean-up of the test's own fixtures, and before that of wider ones.
        item.addfinalizer(self._end_test)

    def _end_test(self) -> None:
        self._in_test = False
        for storage in self.factory:
            storage.reset()
