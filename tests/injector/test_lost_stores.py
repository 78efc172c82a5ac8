"""A worker that comes when the store of its server is lost: it injects nothing, and goes on when that is back."""

from __future__ import annotations

import os
import tempfile
import time

import pytest

from faultinject import Injector, WSGIFaultMiddleware
from faultinject.counts import begun, guarded
from faultinject.counts.directory import StoreDirectory
from faultinject.exceptions import ConfigurationError, StoreInUse, StoreUnavailable
from faultinject.injector import count_storage as sharing

RULE = "http:503,times=5"


def get(injector):
    """The status of one request."""
    statuses = []

    def app(_, start_response):
        start_response("200 OK", [])
        return [b"app"]

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    list(
        WSGIFaultMiddleware(app, injector=injector)(
            environ, lambda status, _: statuses.append(int(status[:3]))
        )
    )
    return statuses[0]


@pytest.fixture
def now(monkeypatch, tmp_path):
    """The clock of what is tried again; this process is one of several of a server that its parent is."""
    found = [0.0]
    monkeypatch.setattr(sharing, "monotonic", lambda: found[0])
    monkeypatch.setattr(guarded.Guarded.__init__, "__kwdefaults__", {"monotonic": lambda: found[0]})
    monkeypatch.setattr(begun, "server_process", os.getppid)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return found


def make(place, rules=RULE, option="", **named):
    return Injector(rules, store=f"file:{place}{option}", environ={}, **named)


@pytest.mark.parametrize("seed", [None, "s"])
def test_a_late_worker_rests_until_the_store_is_back(tmp_path, now, caplog, seed):
    """Counted and said once; nothing is made where the store was, and counts go on where they were."""
    place = tmp_path / "store"
    first = make(place, seed=seed)
    assert get(first) == 503
    place.rename(tmp_path / "away")
    late = make(place, seed=seed)
    assert [get(late), get(late)] == [200, 200]
    assert late.counts() == {"rule-1": {"matched": 0, "injected": 0, "failed": 2}}
    assert late.injected == 0
    assert not place.exists()
    now[0] += 2.0
    assert get(late) == 200
    away = [each for each in caplog.messages if "while the store is unavailable" in each]
    assert away == [
        f"faultinject: nothing is injected while the store is unavailable: the store {place} was removed and"
        " replaced while this server was running"
    ]
    (tmp_path / "away").rename(place)
    now[0] += 2.0
    assert [get(each) for each in (late, first, late, late, first, late)] == [503] * 4 + [200] * 2
    assert late.seed == first.seed
    assert late.counts() == {"rule-1": {"matched": 7, "injected": 5}}


def test_a_late_worker_finds_what_is_in_force(tmp_path, now):
    """Though its own rules are those that the server was started with."""
    place = tmp_path / "store"
    make(place).use("http:500,times=1")
    late = make(place)
    assert [get(late), get(late)] == [500, 200]
    now[0] += 2.0


@pytest.mark.usefixtures("now")
def test_late_workers_that_come_at_once(tmp_path, monkeypatch):
    """One removes what another is just opening: that one opens it again, and its server does not end."""
    place = tmp_path / "store"
    make(place)
    place.rename(tmp_path / "away")
    real, removed = os.open, []

    def late(path, *rest, **named):
        if path == "lock" and len(removed) < 3:
            removed.append(path)
            raise FileNotFoundError(2, "No such file or directory")
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "open", late)
    assert get(make(place)) == 200
    removed.clear()
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        make(tmp_path / "other")


@pytest.mark.usefixtures("now")
def test_what_cannot_be_given_back(tmp_path):
    """A store that is away answers nothing at all."""
    from faultinject.counts import Take

    place = tmp_path / "store"
    make(place)
    place.rename(tmp_path / "away")
    counts = make(place).own_plan.counts.counts
    for each in (counts.take, counts.give_back):
        with pytest.raises(StoreUnavailable):
            each(Take(0, "", 1))
    counts.release()
    counts.note_injected(0)
    counts.note_undone(0)
    assert (counts.matched(0), counts.injected(0), counts.totals([0])) == (0, 0, [(0, 0, 0)])


@pytest.mark.usefixtures("now")
def test_the_first_of_a_server_is_told_at_the_start(tmp_path, monkeypatch):
    """Nobody counted there before: the start stops."""

    def agree(*_, **__):
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(StoreDirectory, "agree", agree)
    with pytest.raises(StoreUnavailable):
        make(tmp_path / "store")


def test_other_rules_are_refused_and_replaced(tmp_path, monkeypatch, caplog):
    """Two servers, seen from this process by who its workers' parent is."""
    place = tmp_path / "store"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = make(place, seed="s")
    monkeypatch.setattr(begun, "server_process", os.getppid)
    with pytest.raises(
        StoreInUse, match=rf"those of process {os.getpid()} since .* with file:.*/store\?replace$"
    ):
        make(place, "http:500", seed="s")
    with pytest.raises(StoreInUse):
        make(place, seed="other")
    assert get(first) == 503
    make(place, "http:500", "?replace", seed="s")
    assert get(first) == 500
    assert f"faultinject: process {os.getppid()} has changed the rules" in caplog.messages


@pytest.mark.parametrize(
    ("store", "why"),
    [
        (
            "file:/x?replce",
            "file:/x?replce: the only option of a directory is ?replace; did you mean file:/x?replace?",
        ),
        ("file:?replace", "file: needs a directory, such as file:/tmp/faults"),
    ],
)
def test_how_one_says_it(store, why):
    """A slip is no part of the path."""
    with pytest.raises(ConfigurationError) as failed:
        Injector(RULE, store=store, environ={})
    assert str(failed.value) == f"store: {why}"


def test_a_directory_with_a_question_mark(tmp_path):
    """Is one, where what is behind it cannot be an option."""
    make(tmp_path / "what?")
    assert (tmp_path / "what?" / "version").exists()


def test_the_clock_is_set_back(monkeypatch, tmp_path, caplog):
    """FAULTINJECT_EXPIRES ends after so long all the same, also a wait that goes on meanwhile."""
    real, passed, wall = time.monotonic, [0.0], [1_000_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + passed[0])
    monkeypatch.setattr("faultinject.injector.injector._STARTED", 1_000_000.0)
    for text in ("1h", "1970-01-12T14:46:40Z"):
        caplog.clear()
        passed[0], wall[0] = 0.0, 1_000_000.0
        place = f"file:{tmp_path}/{text[:2]}"
        injector = Injector(
            "http:503", store=place, clock=lambda: wall[0], environ={"FAULTINJECT_EXPIRES": text}
        )
        plan = injector.own_plan
        wall[0] -= 86_400.0
        passed[0] = 3_500.0
        assert get(injector) == 503
        assert not plan.over(plan.endings)
        passed[0] = 3_700.0
        assert get(injector) == 200
        assert plan.over(plan.endings)
        wall[0] += 86_400.0 + 3_600.0
        passed[0] = 0.0
        assert get(injector) == 200, "and at that time in any case"
    assert sum("FAULTINJECT_EXPIRES passed at" in each for each in caplog.messages) <= 1
