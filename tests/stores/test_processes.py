"""Who may start another process in the place of this one."""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from faultinject.stores.owner import described, gone
from faultinject.stores.processes import RELOADED, restarter


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Nobody knows of a server."""
    for name in RELOADED:
        monkeypatch.delenv(name, raising=False)
    for name in ("uwsgi", "gunicorn.arbiter"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_nobody():
    """A process that somebody has started by hand."""
    assert restarter() is None


@pytest.mark.parametrize("name", RELOADED)
def test_a_reloader(monkeypatch, name):
    """Flask's and Django's set a variable for the process that serves."""
    monkeypatch.setenv(name, "true")
    found = restarter()
    assert found == described(os.getppid())
    assert not gone(found)


def test_a_master_of_workers(monkeypatch):
    """gunicorn's workers have its arbiter in memory."""
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", ModuleType("arbiter"))
    assert restarter() == described(os.getppid())


@pytest.mark.parametrize("master", [True, False])
def test_uwsgi_says_it_itself(monkeypatch, master):
    """Its master has a number, if there is one."""
    number = os.getpid() if master else 0
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(masterpid=lambda: number))
    assert restarter() == (described(number) if master else None)
