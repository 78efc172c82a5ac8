"""A named directory meets late processes, other rules, and a clock that is set back."""

import os
import subprocess
import sys
import time
from functools import partial

import pytest

from faultinject import Injector, RuleCounts
from faultinject.exceptions import StoreInUseError
from tests.asking import get
from tests.injector.children import in_child
from tests.refusals import refusal

RULE = "http:503,times=5"


def make(place, rules=RULE, option="", **named):
    return Injector(rules, store=f"file:{place}{option}", environ={}, **named)


@pytest.fixture
def now(now, monkeypatch, own_directories):
    """The clock of retries; this process is one that a reloader has started, and may replace."""
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    return now


@pytest.mark.parametrize("seed", [None, "s"])
def test_a_late_worker_rests_until_the_store_is_back(tmp_path, place, now, caplog, seed):
    """A late worker waits for the store, counts and logs that once, and makes nothing there.

    When the store is back, counts go on where they were.
    """
    first = make(place, seed=seed)
    assert get(first) == 503
    place.rename(tmp_path / "away")
    late = make(place, seed=seed)
    assert [get(late), get(late)] == [200, 200]
    assert late.counts() == {"rule-1": RuleCounts(0, 0, 2)}
    assert not place.exists()
    now[0] += 4.0
    assert get(late) == 200
    assert [each for each in caplog.messages if "while the store is unavailable" in each] == [
        f"faultinject: nothing is injected while the store is unavailable: the store '{place}' is not there:"
        " make the directory, or name another"
    ]
    (tmp_path / "away").rename(place)
    now[0] += 60.0
    assert [get(each) for each in (late, first, late, late, first, late)] == [503] * 4 + [200] * 2
    assert late.seed == first.seed
    assert late.counts() == {"rule-1": RuleCounts(7, 5)}


def test_a_late_worker_finds_another_directory(tmp_path, place, now):
    """A directory in the first one's place is not the server's, until rules are put in force."""
    assert get(make(place)) == 503
    place.rename(tmp_path / "away")
    place.mkdir(0o700)
    late = make(place)
    assert (get(late), late.missing_store) == (
        200,
        f"the store {place} was removed and replaced while this server was running",
    )
    now[0] += 60.0
    assert get(late) == 200
    late.use("http:500,times=1")
    assert [get(late), get(late)] == [500, 200]


@pytest.mark.filterwarnings("ignore:This process")
@pytest.mark.parametrize("back", [False, True])
def test_a_forked_worker_of_a_directory_that_was_moved(tmp_path, place, now, caplog, back):
    """One line says that the directory has moved, and nothing of new rules.

    When it is back, its counts go on.
    """
    injector = make(place)
    injector.announce()
    place.rename(tmp_path / "away")
    caplog.clear()

    def work():
        found, told = [get(injector), get(injector)], [*caplog.messages]
        if back:
            (tmp_path / "away").rename(place)
            now[0] += 60.0
            found += [get(injector) for _ in range(5)]
        return [found, told]

    found, told = in_child(work)
    assert found == [200, 200] + [503] * 5 * back
    assert told == [
        f"faultinject: nothing is injected while the store is unavailable: the store's {place}/lock was removed: "
        "No such file or directory"
    ]


@pytest.mark.usefixtures("now")
def test_a_late_worker_that_is_refused_is_no_user(tmp_path, place):
    """The directory is another one by then: another server begins there with its own rules."""
    environ = {name: each for name, each in os.environ.items() if name != "WERKZEUG_RUN_MAIN"}
    command = [sys.executable, "-c", OTHER, f"file:{place}"]
    begin = partial(subprocess.run, input=b"\n", env=environ, check=True, timeout=100)
    make(place)
    place.rename(tmp_path / "away")
    begin([*command, "change"])
    late = make(place)
    assert "removed and replaced" in late.missing_store
    begin(command)
    assert get(late) == 200


def test_no_place_for_a_note(tmp_path, place, now):
    """Then a directory that was made anew is taken for the first one."""
    (tmp_path / f"faultinject-{os.geteuid()}").write_text("a file of somebody")
    assert get(make(place)) == 503
    place.rename(tmp_path / "away")
    assert [get(late := make(place)), get(late)] == [503, 503]


@pytest.mark.parametrize("worker", [True, False])
@pytest.mark.usefixtures("own_directories")
def test_who_comes_later_with_the_rules_that_a_server_began_with(place, monkeypatch, worker):
    """A worker takes over the current rules, and a server that is started anew uses its own."""
    if worker:
        monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    make(place).use("http:500,times=1")
    late = make(place)
    assert [get(late), get(late)] == ([500, 200] if worker else [503, 503])


OTHER = """
import sys
from faultinject import Injector
injector = Injector("http:503", store=sys.argv[1], seed="s", environ={})
print(injector.use("http:503,times=2").generation if sys.argv[2:] else "begun", flush=True)
sys.stdin.readline()
"""


def test_other_rules_are_refused_and_replaced(place, caplog, process):
    """Other rules are refused while a process counts; a replaced process logs who did it."""
    with process(OTHER, f"file:{place}") as other:
        assert other.stdout.readline() == "begun\n"
        for rules, seed in (("http:500", "s"), ("http:503", "other")):
            with pytest.raises(StoreInUseError, match=r"with file:.*/store\?replace$"):
                make(place, rules, seed=seed)
        injector = make(place, "http:500", "?replace", seed="s")
        assert get(injector) == 500
        other.communicate("\n")
    with process(OTHER, f"file:{place}?replace", "change") as other:
        assert other.stdout.readline() == "4\n"
        assert [get(injector) for _ in range(3)] == [503, 503, 200]
        other.communicate("\n")
    assert f"faultinject: process {other.pid} has changed the rules" in caplog.messages


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
    assert str(refusal(Injector, RULE, store=store, environ={})) == f"store: {why}"


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
        for passed[0], status in ((3_500.0, 503), (3_700.0, 200)):
            assert (get(injector), bool(plan.over(plan.endings))) == (status, status == 200)
        wall[0] += 86_400.0 + 3_600.0
        passed[0] = 0.0
        assert get(injector) == 200, "and at that time in any case"
    assert sum("FAULTINJECT_EXPIRES passed at" in each for each in caplog.messages) <= 1
