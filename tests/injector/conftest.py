"""Fixtures of the tests of injectors."""

import tempfile

import pytest

from faultinject.counts import redis_store
from faultinject.counts.patience import waiting
from faultinject.injector.instances import living
from tests.counts import conftest as counts

new_url = counts.new_url
process = counts.process


@pytest.fixture(autouse=True)
def no_injector_of_an_earlier_test():
    """Forget the injectors of earlier tests.

    A fork lets every injector of the process share its counts, also one that something still holds.
    """
    others = list(living)
    living.clear()
    yield
    for each in others:
        living.add(each)


@pytest.fixture
def looked_at_often(monkeypatch):
    """A server is looked at a hundred times a second, instead of once."""
    monkeypatch.setattr(redis_store, "PAUSE", 0.01)


@pytest.fixture
def at_once(monkeypatch):
    """Background work is done within requests, so that a test knows when."""
    monkeypatch.setattr(waiting, "no_waiting", True)


@pytest.fixture
def now(monkeypatch):
    """The clock of retries, a list of one number."""
    found = [1000.0]
    monkeypatch.setattr(waiting, "clock", lambda: found[0])
    return found


@pytest.fixture
def own_directories(tmp_path, monkeypatch):
    """Private directories are of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def place(tmp_path):
    """The directory of a store."""
    return tmp_path / "store"


@pytest.fixture(params=["memory", "file", "redis"])
def store(request, new_url):
    """A store of this test, of each kind."""
    return new_url(request.param)


@pytest.fixture(params=["file", "redis"])
def shared(request, new_url):
    """One that processes share."""
    return new_url(request.param)
