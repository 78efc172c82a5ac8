"""Directories that processes find by themselves, and whose they are."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from faultinject.counts import owner as owner_module
from faultinject.counts.directory import private_directory
from faultinject.counts.owner import boot, described, gone
from faultinject.counts.private import clean_up_dead_owners, private_parent, session_path
from faultinject.exceptions import ConfigurationError


@pytest.fixture(autouse=True)
def parent(tmp_path, monkeypatch):
    """Private directories of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"faultinject-{os.geteuid()}"


@pytest.fixture
def ended():
    """The number of a process that has ended, and its text while it lived."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        text = described(process.pid)
    return process.pid, text


def test_all_workers_of_a_server_find_the_same(parent):
    """Same parent, command line and scenario: same place, below the user's own."""
    one, other = private_directory("http:503"), private_directory("http:503")
    assert one.path == other.path
    one.publish({}, rules=0)
    assert other.generation == 1
    assert private_parent() == str(parent) == str(Path(one.path).parent)
    assert parent.stat().st_mode & 0o777 == 0o700
    assert Path(one.path).name.startswith(f"{described(os.getppid())}-")


def test_what_differs_is_apart(monkeypatch):
    """Another scenario, command line, owner or start of the machine."""
    found = [
        private_directory("http:503"),
        private_directory("http:500"),
        private_directory("http:503", owner=os.getpid()),
        private_directory("http:503", command=["gunicorn", "app"]),
        private_directory("http:503", command=["gunicorn app"]),
    ]
    monkeypatch.setattr(owner_module, "_PROC", "/nowhere")
    found.append(private_directory("http:503"))
    assert len({each.path for each in found}) == 6


def test_a_session_has_a_place_of_its_own(parent):
    """Each another one, which goes away with its process."""
    assert session_path() != session_path()
    assert Path(session_path()).parent == parent
    assert not gone(Path(session_path()).name.rpartition("-")[0])


@pytest.mark.parametrize("what", ["link", "open"])
def test_somebody_elses_place_is_refused(parent, tmp_path, what):
    """Whoever made it first in the directory that all may write to."""
    if what == "link":
        parent.symlink_to(tmp_path)
    else:
        parent.mkdir()
        parent.chmod(0o777)
    for call in (lambda: private_directory("http:503"), session_path, clean_up_dead_owners):
        with pytest.raises(ConfigurationError, match=r"name a directory itself|chmod 700"):
            call()
    assert {each.name for each in tmp_path.iterdir()} == {parent.name}


def test_directories_of_the_dead_are_removed(parent, ended):
    """And no other: not of the living, not of another container, nothing that is none of ours."""
    assert clean_up_dead_owners() == 0
    mine = private_directory("http:503", owner=os.getpid())
    pid, text = ended
    for name in (f"{text}-00", f"{text}-01"):
        (parent / name).mkdir(0o700)
        (parent / name / "journal").touch()
    kept = {"notes", "1-2", f"{pid}-1-1-00", Path(mine.path).name}
    for name in ("notes", "1-2", f"{pid}-1-1-00"):
        (parent / name).mkdir(0o700)
    (parent / f"{text}-02").symlink_to(parent / "notes")
    (parent / f"{text}-03").mkdir(0o700)
    (parent / f"{text}-03" / "thesis.tex").touch()
    kept |= {f"{text}-02", f"{text}-03"}
    assert clean_up_dead_owners() == 2
    assert {each.name for each in parent.iterdir()} == kept
    assert clean_up_dead_owners(str(parent)) == 0
    assert mine.publish({}, rules=0) == 1


def test_the_living_and_the_dead(ended):
    """By number and beginning: a number that was given again is another process."""
    pid, text = ended
    assert gone(text)
    mine = described(os.getpid())
    assert not gone(mine)
    number, began, namespace = mine.split("-")
    assert number == str(os.getpid())
    if sys.platform == "linux":
        assert gone(f"{number}-{int(began) + 1}-{namespace}")
    assert not gone(f"{pid}-{began}-1"), "of another container nobody knows"
    for wrong in ("", "1-2", "a-b-c", "1-2-3-4"):
        with pytest.raises(ValueError, match=r"int|unpack"):
            gone(wrong)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_nobody_waits_for_is_dead():
    """It has ended, though its number is still in use."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        text = described(process.pid)
        assert not gone(text)
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert gone(text)


def test_without_proc_the_number_must_do(monkeypatch, ended):
    """Where the system does not tell when a process began."""
    monkeypatch.setattr(owner_module, "_PROC", "/nowhere")
    mine = described(os.getpid())
    assert mine == f"{os.getpid()}-0-0"
    assert not gone(mine)
    assert gone(f"{ended[0]}-0-0")
    assert boot() == ""


def test_a_process_of_another_user_is_alive(monkeypatch):
    """That one may not signal it says that it is there."""

    def forbidden(pid, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert not gone(described(os.getpid()))
