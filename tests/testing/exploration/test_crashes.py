"""A program is killed at each of its requests and run again: planted bugs are found, and their repaired versions pass."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import requests

import faultinject
from faultinject.exceptions import ConfigurationError, ExplorationFailed
from faultinject.testing.storage import Storage

from . import crashing

pytestmark = pytest.mark.live

PROGRAM = Path(crashing.__file__)


@pytest.fixture
def storage():
    """A store of this process."""
    store = Storage("s3")
    yield store
    store.close()


def command(job, how):
    """The command of a job."""
    return [sys.executable, "-S", str(PROGRAM), job, how]


def explore(storage, place, words, *faults, recover=None, **options):
    """All runs of a program; the failure if there was one."""
    exploration = faultinject.explore(*faults, crash=True, **options)
    try:
        for run in exploration:
            storage.app.reset()
            for each in place.iterdir():
                each.unlink()
            requests.put(f"{storage.url}/films", timeout=10)
            requests.put(f"{storage.url}/films/from", b"meow", timeout=10)
            with run as given:
                given.run(
                    words,
                    recover=recover,
                    env={**os.environ, "ENDPOINT": storage.url},
                    cwd=place,
                    store=storage,
                )
    except ExplorationFailed as error:
        return exploration, error
    return exploration, None


FOUND = {
    "noted": (
        "object lost: /films/cat is not there; without a crash it has 33 bytes",
        "method=POST,path=/films/cat,query.uploadId=,times=1,name=crash",
    ),
    "resumed": (
        "other content: /films/cat",
        "",
    ),
    "moved": ("object lost: /films/to is not there; without a crash it has 4 bytes", ""),
    "locked": ("the second run: exit code 1", ""),
    "appended": ("written twice: /films/log has 12 bytes; without a crash it has 6 bytes", ""),
}


@pytest.mark.parametrize("job", FOUND)
def test_it_is_found(job, storage, tmp_path):
    """With the smallest scenario, which shows it again."""
    said, scenario = FOUND[job]
    _, error = explore(storage, tmp_path, command(job, "wrong"))
    print(error)
    assert said in str(error)


@pytest.mark.parametrize("job", FOUND)
def test_the_repaired_version_passes(job, storage, tmp_path):
    """Nothing is said of it, not even a warning."""
    exploration, error = explore(storage, tmp_path, command(job, "right"))
    assert error is None
    print(exploration.report())
    assert "warning" not in exploration.report()
