"""Stores of each kind, threads that really interleave, and other processes."""

import subprocess
import sys
from contextlib import ExitStack
from itertools import count
from threading import Event

import pytest

from faultinject.counts.patience import waiting

from .opened import open_counts


@pytest.fixture
def new_url(request, tmp_path):
    """The URL of a store of that kind which nobody has used."""
    numbers = count()

    def make(kind):
        if kind == "memory":
            return "memory:"
        if kind == "file":
            return f"file:{tmp_path}/store-{next(numbers)}"
        prefix = f"{request.getfixturevalue('redis_prefix')}-{next(numbers)}"
        return f"{request.getfixturevalue('redis_server').url}?prefix={prefix}"

    return make


@pytest.fixture(params=["memory", "file", "redis"])
def counts(request, new_url):
    """Counts of each kind."""
    return open_counts(new_url(request.param))


@pytest.fixture(params=["file", "redis"])
def shared_url(request, new_url):
    """A store that processes share, of each kind."""
    return new_url(request.param)


@pytest.fixture
def now(monkeypatch):
    """The clock of waits, a list of one number that waits and tests move on."""
    moment = [1000.0]

    def pause(seconds):
        moment[0] += seconds

    monkeypatch.setattr(waiting, "clock", lambda: moment[0])
    monkeypatch.setattr(waiting, "pause", pause)
    return moment


@pytest.fixture
def nothing_beside(monkeypatch):
    """Holds back work beside the requests until this is set."""
    go_on = Event()
    monkeypatch.setattr(waiting, "pause", lambda _: go_on.wait(60))
    yield go_on
    go_on.set()


@pytest.fixture
def process():
    """Start a Python program with these arguments; it talks by lines, and ends with the test."""
    with ExitStack() as ended:

        def start(program, *arguments, **how):
            ran = ended.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, *map(str, arguments)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    **how,
                )
            )
            ended.callback(ran.kill)
            return ran

        yield start
