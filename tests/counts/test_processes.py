"""Who may start another process in the place of this one."""

from __future__ import annotations

import multiprocessing
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from faultinject.counts.owner import described, gone
from faultinject.counts.processes import RELOADED, restarter, server_process

SERVERS = ("granian", "hypercorn", "uvicorn")


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


def test_a_process_that_starts_a_server_is_no_worker():
    """Two servers of one test run, one after the other, are two, though each is a child that has loaded uvicorn."""
    import uvicorn  # noqa: F401

    def serve(answers):
        answers.put((server_process(), os.getpid()))

    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=serve, args=(answers,))
    process.start()
    server, itself = answers.get()
    process.join()
    assert server == itself


@pytest.mark.parametrize(
    "module", ["uvicorn._subprocess", "granian.server.mp", "hypercorn.asyncio.run", "app"]
)
def test_a_worker_runs_a_function_of_its_server(monkeypatch, module):
    """It and the others of its master are one server."""

    def work():
        """Serve."""

    work.__module__ = module
    worker = SimpleNamespace(_target=work, _inheriting=True)
    monkeypatch.setattr("multiprocessing.process._current_process", worker)
    assert server_process() == (os.getpid() if module == "app" else os.getppid())


@pytest.mark.parametrize("module", ["granian", "json"])
def test_a_worker_that_still_imports(monkeypatch, module):
    """A spawned process imports its parent's main module before it knows what it is to do."""

    class Importing:
        _inheriting = True

    loaded = {name: found for name, found in sys.modules.items() if name.partition(".")[0] not in SERVERS}
    monkeypatch.setattr(sys, "modules", loaded | {module: ModuleType(module)})
    monkeypatch.setattr("multiprocessing.process._current_process", Importing())
    assert server_process() == (os.getppid() if module in SERVERS else os.getpid())
