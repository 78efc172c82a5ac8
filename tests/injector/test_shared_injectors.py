"""One injector in several processes: forked, spawned, or on one named store."""

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from faultinject import Injector, RuleCounts
from faultinject.counts import directory
from faultinject.exceptions import StoreUnavailableError
from faultinject.injector import count_storage as sharing
from tests.asking import get
from tests.injector.children import in_child, in_children
from tests.locked import locked
from tests.slowly import slowly

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

RULE = "http:503,times=20"
SEVERAL = {"wsgi.multiprocess": True}


@pytest.fixture(autouse=True)
def place(tmp_path, own_directories):
    """Private directories of this test alone."""
    return tmp_path / f"faultinject-{os.geteuid()}"


def make(rules=RULE, *, seed=1, store=None, **environ):
    return Injector(rules, seed=seed, store=store, environ=environ)


def test_a_fork_after_install():
    """Parent and children count together."""
    injector = make()
    found = in_children(*[lambda: [get(injector) for _ in range(10)]] * 4)
    found.append([get(injector) for _ in range(10)])
    assert sum(each.count(503) for each in found) == 20
    counts = injector.counts()["rule-1"]
    # On a busy machine another process may have the lock for long: such a request passes, and counts as failed.
    assert (counts.matched + counts.failed, counts.injected) == (50, 20)


LIVE_SERVER = """
import multiprocessing, sys
from faultinject import Injector, WSGIFaultMiddleware

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"app"]

def around():
    return WSGIFaultMiddleware(app, injector=Injector("http:503,times=2", environ={}))

installed = around()

def serve(answers):
    for app in (installed, around()):
        statuses = []
        for _ in range(4):
            app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, _: statuses.append(status[:3]))
        answers.put(" ".join(statuses))

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    installed({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
    answers = context.SimpleQueue()
    for _ in range(2):
        process = context.Process(target=serve, args=(answers,))
        process.start()
        print(answers.get(), answers.get(), sep=", ")
        process.join()
"""


@pytest.mark.parametrize("kind", ["fork", "forkserver", slowly("spawn")])
def test_a_live_server_of_each_test(kind, tmp_path, place):
    """A child of multiprocessing counts for itself from zero.

    Whether the app was installed in it or before it was made.
    """
    script = tmp_path / "live_server.py"
    script.write_text(LIVE_SERVER)
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(script), kind]
    found = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
    assert found.stdout == "503 503 200 200, 503 503 200 200\n" * 2, found.stderr
    assert not place.exists()


def test_workers_that_a_server_forks_by_multiprocessing():
    """As granian does it, with an app that its master has loaded."""
    injector = make()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def work():
        answers.put([get(injector) for _ in range(20)])

    work.__module__ = "granian.server.mp"
    workers = [context.Process(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    assert [sum(answers.get().count(503) for _ in workers), get(injector)] == [20, 200]
    for each in workers:
        each.join()


def test_children_of_one_who_has_counted():
    """Counts in memory stay in the parent, and the children count together."""
    injector = make()
    assert get(injector) == 503
    found = in_children(*[lambda: [get(injector) for _ in range(10)]] * 3)
    assert sum(each.count(503) for each in found) == 20
    assert [get(injector) for _ in range(20)] == [503] * 19 + [200]


def work():
    """A server's function that a process of multiprocessing runs."""


work.__module__ = "uvicorn._subprocess"


@pytest.mark.parametrize("module", ["gunicorn.arbiter", "multiprocessing.process"])
def test_several_processes_are_known_at_the_start(module, monkeypatch, place, caplog):
    """A worker shares its counts with its siblings, and a master with its children."""
    process = SimpleNamespace(current_process=lambda: SimpleNamespace(_target=work))
    monkeypatch.setitem(sys.modules, module, process)
    make(seed="s").announce()
    [directory] = place.iterdir()
    owner = os.getpid() if module == "gunicorn.arbiter" else os.getppid()
    assert directory.name.startswith(f"{owner}-")
    assert caplog.messages[1] == f"faultinject: several processes share their counts in {directory}, seed s"


CONTROL = {"FAULTINJECT_CONTROL": "/_faultinject"}


def test_what_has_no_rule_yet_is_shared(monkeypatch, place):
    """An injector without rules shares if the control API may give it some.

    Not in a single process, nor with `memory:`.
    """
    alone = make([], **CONTROL)
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", SimpleNamespace())
    others = [make([], store="memory:", **CONTROL), make([])]
    assert ([each.follows for each in (alone, *others)], place.exists()) == ([False] * 3, False)
    injector = make([], **CONTROL)
    injector.disable()
    assert in_child(lambda: injector.use("http:503,times=3").generation) == injector.state.generation == 3
    injector.enable()
    assert in_children(*[lambda: [get(injector)]] * 2) == [[503], [503]]
    assert [get(injector), get(injector)] == [503, 200]


def test_what_is_off_is_shared_where_it_may_be_switched_on():
    """A child is asked by the control API to switch faults on: they are on in all processes."""
    injector = make(**CONTROL)
    injector.disable()
    assert in_child(lambda: injector.enable().on) is True
    assert (injector.state.on, get(injector)) == (True, 503)


@pytest.fixture
def two(monkeypatch):
    """Two injectors as of two processes; the first has made the directory.

    Nobody waits long for a lock.
    """
    monkeypatch.setattr(directory, "PATIENCE", 0.01)
    monkeypatch.setattr(sharing, "PAUSE", 0.0)
    numbers = {}
    monkeypatch.setattr(sharing, "_numbers", numbers)
    made = make(), make()
    assert get(made[0], **SEVERAL) == 503
    numbers.clear()
    return made


def test_what_others_have_in_force_holds_for_the_first_request(two):
    """Switches and rules of the others hold for a worker's first request.

    Also if there are more rules.
    """
    two[0].disable()
    assert get(two[1], **SEVERAL) == 200
    assert two[1].counts() == {"rule-1": RuleCounts(1, 1)}


@pytest.mark.parametrize("rules", [[], ["http:418,path=other"], ["http:500,path=other", "http:418"]])
def test_other_rules_hold_for_the_first_request(two, rules):
    """They are found by their own conditions."""
    two[0].use(rules)
    assert get(two[1], **SEVERAL) == (418 if len(rules) == 2 else 200)
    assert two[1].errors == []


def test_a_directory_that_others_hold_for_long(two, place, caplog):
    """A directory that others hold is waited for, and nothing is injected meanwhile.

    So there are never more than N. The log says why.
    """
    with locked(next(place.glob("*/lock"))):
        assert [get(two[1], **SEVERAL) for _ in range(3)] == [200] * 3
        assert get(two[1]) == 200
    assert [get(two[number % 2]) for number in range(30)].count(503) == 19
    assert "nothing is injected while the store is unavailable: another process held" in caplog.text


def test_apps_with_the_same_rules_count_apart():
    """Each has an injector of its own, in every process."""
    injectors = [make(), make()]
    found = in_children(*[lambda: [[get(each) for _ in range(15)] for each in injectors]] * 2)
    assert [sum(each.count(503) for each in of_one) for of_one in zip(*found, strict=True)] == [20, 20]


def test_what_is_off_makes_no_directory(place):
    """A fork costs nothing where nothing is injected, or nothing is shared."""
    off = make()
    off.disable()
    injectors = [
        off, make(FAULTINJECT_ENABLED="0"), make(APP_ENV="production"), make([]),
        make(store="memory:"), Injector(RULE, environ={}, record_all=True),
    ]  # fmt: skip
    assert in_child(lambda: len(injectors)) == len(injectors)
    assert not place.exists()


def test_no_directory_can_be_had(place, caplog):
    """Nothing breaks: each process counts for itself, and the log says why."""
    place.write_text("a file of somebody")
    injector = make()
    found = in_children(*[lambda: [get(injector) for _ in range(30)]] * 2)
    assert [each.count(503) for each in found] == [20, 20]
    assert get(injector, **SEVERAL) == 503
    assert any("count separately and replay is off, because the store" in each for each in caplog.messages)


def test_a_directory_that_cannot_be_agreed_on(tmp_path, monkeypatch, caplog):
    """As where there is none, the injector counts for itself; a store with a name has to be had."""
    full = Mock(side_effect=StoreUnavailableError("no space left"))
    monkeypatch.setattr(directory.DirectoryStore, "_publish", full)
    assert get(make(), **SEVERAL) == 503
    assert caplog.messages[1].endswith("count separately and replay is off, because no space left")
    with pytest.raises(StoreUnavailableError, match="no space left"):
        make(store=f"file:{tmp_path}/store")


def test_requests_of_a_server_of_several_processes(caplog, place):
    """`wsgi.multiprocess` is enough to share counts, and is logged once."""
    injector = make(seed="s")
    assert [get(injector, **SEVERAL) for _ in range(21)] == [503] * 20 + [200]
    [directory] = place.iterdir()
    assert caplog.messages == [
        f"faultinject is on: seed s, rules {RULE}",
        f"faultinject: several processes share their counts in {directory}, seed s",
    ]


def test_a_seed_that_nobody_gave_is_the_firsts(tmp_path):
    """All draw with it."""
    store = f"file:{tmp_path / 'store'}"
    one, other = make(seed=None, store=store), make(seed=None, store=store)
    assert one.seed == other.seed
    assert make(seed="given", store=store).seed == "given"


def test_a_scenario_is_swapped_in_all_processes(tmp_path, caplog):
    """A new scenario is put in force in all processes, with counts from zero, and logged."""
    store = f"file:{tmp_path / 'store'}"
    one, other = make(store=store), make(store=store)
    assert [get(one), get(other)] == [503, 503]
    one.use("http:500,times=3", seed="new")
    assert [get(other), get(one), get(other), get(one)] == [500, 500, 500, 200]
    found = (other.seed, [str(each) for each in other.scenario.rules], other.injected)
    assert found == ("new", ["http:500,times=3"], 2 + 3)
    assert "faultinject is on: seed new, rules http:500,times=3" in caplog.messages
    one.use("http:500,times=3")
    assert [get(each) for each in (one, other, one, other)] == [500, 500, 500, 200]
    other.use([])
    assert [get(one), get(other)] == [200, 200]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (("{", ""), "{}/scenario-2 cannot be read: Extra data: line 1 column 9 (char 8)"),
        (("http:500", "of-a-newer-version"), "rules[0].fault: of-a-newer-version is not a fault"),
    ],
)
def test_a_scenario_that_cannot_be_read(tmp_path, monkeypatch, caplog, damage, said):
    """The one in force stays, and the log says why, once; nobody has to publish it once more."""
    store = tmp_path / "store"
    one, other = make(store=f"file:{store}"), make(store=f"file:{store}")
    one.use("http:500")
    [scenario] = store.glob("scenario*")
    whole = scenario.read_text()
    scenario.write_text(whole.replace(*damage))
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(3):
        assert get(other) == 503
        now += 2.0
    assert get(other) == 503
    assert [each.partition("; ")[0] for each in caplog.messages if "cannot be read" in each] == [
        f"faultinject: the new rules cannot be read, the previous ones stay in force: {said.format(store)}"
    ]
    scenario.write_text(whole)
    assert get(other) == 503, "not before it is time"
    now += 2.0
    assert get(other) == 500
    scenario.write_text(whole.replace(*damage))
    one.use("http:502")
    assert get(other) == 502


@pytest.mark.parametrize("record_all", [True, False])
def test_a_store_of_the_environment_is_not_for_blocks(tmp_path, record_all):
    """A temporary injector counts by itself, without the environment's store."""
    store = tmp_path / "store"
    made = Injector(RULE, environ={"FAULTINJECT_STORE": f"file:{store}"}, record_all=record_all)
    assert (get(made), store.exists()) == (503, not record_all)


def test_a_request_waits_while_another_one_reads_what_was_put_in_force(new_url):
    """A request after a change meets it, also if another thread has only begun to read it."""
    url = new_url("file")
    one, begun, go_on = make("", store=url), Event(), Event()

    def clock():
        """Compiling new rules asks for the time."""
        if one.scenario.rules and not begun.is_set():
            begun.set()
            go_on.wait(60)
        return 0.0

    other = Injector("", store=url, seed=1, environ={}, clock=clock)
    one.use("http:503")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get, other)
        assert begun.wait(60)
        second = pool.submit(get, other)
        wait([second], 0.2)
        go_on.set()
        assert [first.result(60), second.result(60)] == [503, 503]
