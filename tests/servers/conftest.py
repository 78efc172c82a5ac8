"""The servers that the tests of one process share."""

from functools import cache
from types import SimpleNamespace

import pytest

from .launch import Server
from .rules import RULES


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    """`pool.get(name)` gives a server with all the rules by path, for the whole run."""
    running = []

    @cache
    def get(name):
        running.append(Server(name, tmp_path_factory.mktemp("server"), RULES))
        return running[-1]

    yield SimpleNamespace(get=get)
    # Asked all before any is waited for.
    for server in running:
        server.leave()
    for server in running:
        server.stop()


def server_of(item):
    """The name of the server that a test is about; empty where it is about all of them."""
    values = item.callspec.params if hasattr(item, "callspec") else {}
    return values.get("server") or values.get("name") or ""


def pytest_collection_modifyitems(items):
    """Put the tests of one server together, so that two workers start few servers twice."""
    places = [at for at, item in enumerate(items) if "pool" in getattr(item, "fixturenames", ())]
    for at, item in zip(places, sorted((items[at] for at in places), key=server_of), strict=True):
        items[at] = item
