"""A store on a file system that is full, or can be read only."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from faultinject import Injector
from faultinject.adapters.wsgi import WSGIFaultMiddleware
from faultinject.counts import directory as directory_module
from faultinject.counts import guarded
from faultinject.counts.directory import StoreDirectory
from faultinject.engine.counting import Take
from faultinject.exceptions import ConfigurationError, StoreUnavailable


def run(*words):
    """Whether a command of the system succeeds."""
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def mounted(tmp_path):
    """Mount a small file system for the test; gives where it is."""
    made = []

    def mount(size):
        if shutil.which("mount") is None or not run(
            "mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", tmp_path
        ):
            pytest.skip("no file system may be mounted here")
        made.append(tmp_path)
        return tmp_path

    yield mount
    for each in made:
        assert run("umount", "-l", each)


def get(injector, path="/"):
    """The status of one request."""
    statuses = []

    def app(_, start_response):
        start_response("200 OK", [])
        return [b"app"]

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    list(
        WSGIFaultMiddleware(app, injector=injector)(
            environ, lambda status, _: statuses.append(int(status[:3]))
        )
    )
    return statuses[0]


def fill(place):
    """Leave no room; what is removed again makes it."""
    filler = Path(place, "filler")
    with filler.open("wb", 0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    return filler


def test_no_room_from_the_start(mounted):
    """The start is refused with a reason, and nothing half made is in the way once there is room."""
    place = mounted("32k")
    with pytest.raises(StoreUnavailable, match=r"[Nn]o space left"):
        Injector("http:503,times=3", seed=1, store=f"file:{place}/store", environ={})
    assert run("mount", "-o", "remount,size=1m", place)
    injector = Injector("http:503,times=3", seed=1, store=f"file:{place}/store", environ={})
    assert [get(injector) for _ in range(5)] == [503] * 3 + [200] * 2


def test_no_room_later(mounted, caplog, monkeypatch):
    """Requests pass, counted and said once; with room injection goes on by itself, and never beyond what there is."""
    now = [0.0]
    monkeypatch.setattr(guarded.Guarded.__init__, "__kwdefaults__", {"monotonic": lambda: now[0]})
    place = mounted("256k")
    injector = Injector("http:503,times=3,per=key", seed=1, store=f"file:{place}/store", environ={})
    filler = fill(place)
    assert [get(injector, f"/b/{number}") for number in range(64)] == [200] * 64
    assert injector.counts()["rule-1"]["failed"] == 64
    assert caplog.text.count("nothing is injected while the store is unavailable") == 1
    filler.unlink()
    now[0] += 2.0
    assert [get(injector, "/b/cat") for _ in range(5)] == [503] * 3 + [200] * 2
    assert "the store is available again; 64 requests passed without a decision" in caplog.text


def test_no_room_for_other_rules(mounted):
    """Those in force stay, with their counts."""
    place = mounted("512k")
    injector = Injector("http:503,times=3", seed=1, store=f"file:{place}/store", environ={})
    assert get(injector) == 503
    filler = fill(place)
    with pytest.raises(StoreUnavailable, match=r"[Nn]o space left"):
        injector.use("http:500")
    assert [get(injector) for _ in range(3)] == [503, 503, 200]
    filler.unlink()
    injector.use("http:500,times=1")
    assert [get(injector) for _ in range(2)] == [500, 200]


def test_read_only(mounted):
    """The system refuses that while a process counts there; a store that is read only from the start says so."""
    place = mounted("1m")
    store = StoreDirectory(f"{place}/store")
    store.publish({}, rules=1)
    counts = store.join()[2]
    assert not run("mount", "-o", "remount,ro", place), "files are open for writing"
    assert counts.take(Take(0, "", 1))
    del counts, store
    assert run("mount", "-o", "remount,ro", place)
    with pytest.raises(ConfigurationError, match=r"/store' is not writable: name another directory$"):
        StoreDirectory(f"{place}/store")


@pytest.mark.parametrize("name", ["lock", "generation", "scenario-1", "counts-1"])
def test_a_file_that_others_would_not_find(tmp_path, name, monkeypatch):
    """Within sixteen requests it is said; put back, counting goes on where it was."""
    monkeypatch.setattr(directory_module, "time_ns", lambda: 2**62)
    store = StoreDirectory(str(tmp_path / "store"))
    store.publish({}, rules=1)
    counts = store.join()[2]

    def match():
        return counts.match([(0, "", "/", None)], 0.0)[0][0]

    for _ in range(40):
        match()
    place = tmp_path / "store" / name
    place.rename(tmp_path / "kept")
    with pytest.raises(StoreUnavailable, match=rf"^the store's .*/store/{name} was removed$"):
        for _ in range(16):
            match()
    with pytest.raises(StoreUnavailable):
        match()
    place.write_bytes((tmp_path / "kept").read_bytes())
    if name != "scenario-1":
        with pytest.raises(StoreUnavailable):
            match()
    (tmp_path / "kept").replace(place)
    number = match()
    assert [match() for _ in range(20)] == [*range(number + 1, number + 21)]
    store.publish({}, rules=1)
    assert match() == number + 21, "what was replaced is no loss"
    for _ in range(40):
        match()


def test_a_directory_that_is_moved(tmp_path):
    """And another one in its place."""
    path = tmp_path / "store"
    store = StoreDirectory(str(path))
    store.publish({}, rules=1)
    counts = store.join()[2]

    def match_often():
        for _ in range(16):
            counts.match([(0, "", "/", None)], 0.0)

    match_often()
    path.rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable, match=r"/store was moved away: No such file or directory$"):
        match_often()
    path.mkdir(0o700)
    with pytest.raises(StoreUnavailable, match=r"/store was moved away, another one is in its place$"):
        match_often()
    path.rmdir()
    (tmp_path / "away").rename(path)
    os.utime(path)
    match_often()
