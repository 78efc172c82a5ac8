"""What a forked child must not share with its parent begins anew there, once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from faultinject.counts import per_process
from faultinject.counts.per_process import PerProcess

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Kept(PerProcess):
    """What threads have put there, and how often it began."""

    def __init__(self):
        self.began = 0
        self.goes_on = Event()
        self.goes_on.set()
        self._here()

    def _begin(self):
        self.goes_on.wait()
        self.began += 1
        self.kept = []

    def add(self, what):
        self._here()
        self.kept.append(what)


def test_the_first_threads_of_a_child_begin_it_together(monkeypatch):
    """None of them finds what is the parent's, and none loses what another has put there."""
    kept = Kept()
    kept.add("of the parent")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    kept.goes_on.clear()
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(kept.add, number) for number in range(4)]
        kept.goes_on.set()
        for each in asked:
            each.result()
    assert (kept.began, sorted(kept.kept)) == (2, [0, 1, 2, 3])


def test_a_fork_while_another_thread_begins():
    """The child waits for nobody: that thread is not there."""
    kept = Kept()
    with per_process._begins:
        per_process._after_fork()
        kept.add("nobody has the new lock")
    with per_process._begins:
        child = os.fork()
        if not child:
            kept.add("of the child")
            os._exit(0 if kept.kept == ["of the child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
