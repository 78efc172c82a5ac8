"""Descriptors that somebody else has closed.

A program that becomes a daemon closes all, and opens files of its own.
"""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from faultinject import Injector
from faultinject.exceptions import StoreUnavailableError
from tests.asking import get
from tests.descriptors import opened


@pytest.mark.slow
def test_nothing_of_others_is_closed(tmp_path):
    """A store and a journal do not close descriptors that are other files' by now."""
    place = tmp_path / "ours"
    place.mkdir()
    injector = Injector(
        "http:503", store=f"file:{place}/store", journal=str(place / "journal.jsonl"), environ={}
    )
    numbers = {target: number for number, target in sorted(opened(place).items(), reverse=True)}.values()
    assert len(numbers) == 5, "directory, lock, users, counts, journal"
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    for number in numbers:
        os.dup2(other, number)
    del injector
    gc.collect()
    theirs = opened(tmp_path / "other")
    try:
        assert set(numbers) <= set(theirs)
    finally:
        for number in theirs:
            os.close(number)
    assert Path(tmp_path / "other").read_bytes() == b""


@pytest.mark.parametrize("before", [0, 1])
def test_nothing_is_written_into_files_of_others(tmp_path, caplog, before):
    """The journal ends, and the log says why; also right behind a line of its own."""
    journal, other = tmp_path / "journal.jsonl", tmp_path / "other"
    injector = Injector("http:503", journal=str(journal), environ={})
    statuses = [get(injector) for _ in range(before)]
    written = journal.read_bytes()
    [number] = opened(journal)
    os.dup2(os.open(other, os.O_RDWR | os.O_CREAT), number)
    statuses += [get(injector) for _ in range(2)]
    assert statuses == [503] * (before + 2), "the faults are given"
    assert [other.read_bytes(), journal.read_bytes(), written.count(b"\n")] == [b"", written, before]
    assert "somebody has closed it" in caplog.text
    del injector
    gc.collect()
    theirs = opened(other)
    assert number in theirs
    for each in theirs:
        os.close(each)


def test_a_change_where_the_lock_is_another_s_number(tmp_path):
    """The system's error about the lock is told as an error of the store; the rules stay."""
    store = tmp_path / "store"
    injector = Injector("http:503", store=f"file:{store}", environ={})
    [number] = opened(store / "lock")
    other = os.open(tmp_path, os.O_PATH)  # of which `flock` wants nothing to know
    os.dup2(other, number)
    try:
        with pytest.raises(StoreUnavailableError, match=r"/store: Bad file descriptor$"):
            injector.use("http:500")
        assert [rule.fault for rule in injector.scenario.rules] == ["http:503"]
    finally:
        os.close(other)
        os.close(number)


# As `ddtrace-run` keeps every module: their names are taken away before the last object is.
KEPT = """
import ctypes, os, sys
from faultinject import Injector
os.kept = Injector("http:503", store="file:store", journal="journal.jsonl")
ctypes.pythonapi.Py_IncRef(ctypes.py_object([*sys.modules.values()]))
"""


def test_what_outlives_its_module(tmp_path):
    """At the end of the interpreter it is left to the system, without a word."""
    command = [sys.executable, "-c", KEPT]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=100)
    assert (found.stdout, found.stderr) == ("", "")
