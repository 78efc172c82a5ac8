"""The owner of a directory, processes of one server, and removal after a process's end."""

import builtins
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from faultinject import Injector
from faultinject.counts.private import server_start, session_path
from faultinject.counts.processes import has_ended, process_text, restarter, server_process
from tests.asking import get
from tests.refusals import refusal

SERVERS = ("granian", "hypercorn", "uvicorn")
RELOADED = ("WERKZEUG_RUN_MAIN", "RUN_MAIN")


@pytest.fixture(autouse=True)
def parent(tmp_path, monkeypatch):
    """Private directories of this test alone, in which nobody knows of a server."""
    for name in RELOADED:
        monkeypatch.delenv(name, raising=False)
    for name in ("uwsgi", "gunicorn.arbiter"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"faultinject-{os.geteuid()}"


@pytest.fixture
def without_proc(monkeypatch):
    """A system that tells nothing of its processes."""
    for place, name in ((builtins, "open"), (os, "readlink"), (os, "listdir")):
        real = getattr(place, name)

        def look(path, *more, real=real, **named):
            if str(path).startswith("/proc/"):
                raise FileNotFoundError(path)
            return real(path, *more, **named)

        monkeypatch.setattr(place, name, look)


@pytest.fixture(params=[True, False])
def told(request):
    """Whether the system tells of its processes; once it does, once it does not."""
    if not request.param:
        request.getfixturevalue("without_proc")
    return request.param


@pytest.fixture
def ended():
    """The number of a process that has ended, and its text while it lived."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        text = process_text(process.pid)
        assert not has_ended(text)
    return process.pid, text


def test_the_living_and_the_dead(ended, monkeypatch):
    """A process is known by number and start time; a reused number is another process.

    A process of another container is unknown.
    """
    pid, text = ended
    mine = process_text(os.getpid())
    number, began, namespace = mine.split("-")
    assert number == str(os.getpid())
    if sys.platform == "linux":
        assert has_ended(f"{number}-{int(began) + 1}-{namespace}")
    assert [has_ended(text), has_ended(f"{pid}-{began}-1")] == [True, False]
    for wrong in ("", "1-2", "a-b-c", "1-2-3-4"):
        with pytest.raises(ValueError, match=r"int|unpack"):
            has_ended(wrong)

    def forbidden(pid, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert not has_ended(mine), "that one may not signal it says that it is there"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_nobody_waits_for_is_dead():
    """It has ended, though its number is still in use."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        text = process_text(process.pid)
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(text)


@pytest.mark.usefixtures("without_proc")
def test_without_proc_the_number_must_do(ended):
    """Without /proc the number must do, and servers still share their counts."""
    mine, dead = f"{os.getpid()}-0-0", f"{ended[0]}-0-0"
    assert (process_text(os.getpid()), has_ended(mine), has_ended(dead)) == (mine, False, True)


def test_directories_of_the_dead_are_removed(parent, ended):
    """Only directories of dead processes are removed.

    Not of the living, nor of another container, nor anything that is not ours; files such as notes stay.
    """
    parent.mkdir(0o700)
    pid, text = ended
    for name in (f"{text}-00", f"{text}-01"):
        Injector("http:503", store=f"file:{parent}/{name}", environ={})
    (parent / f"{text}-04").write_text("a note")
    kept = {"notes", "1-2", f"{pid}-1-1-00", f"{process_text(os.getpid())}-00"}
    for name in kept:
        (parent / name).mkdir(0o700)
    (parent / f"{text}-02").symlink_to(parent / "notes")
    (parent / f"{text}-03").mkdir(0o700)
    (parent / f"{text}-03" / "thesis.tex").touch()
    kept |= {f"{text}-02", f"{text}-03"}
    for _ in range(2):
        assert not Path(session_path()).exists()
        assert {each.name for each in parent.iterdir()} == kept


@pytest.mark.parametrize("what", ["link", "open"])
def test_somebody_elses_place_is_refused(parent, tmp_path, what):
    """Whoever made it first in the directory that all may write to."""
    if what == "link":
        parent.symlink_to(tmp_path)
    else:
        parent.mkdir()
        parent.chmod(0o777)
    assert {"link": "name a directory itself", "open": "chmod 700"}[what] in str(refusal(session_path))
    assert [*tmp_path.iterdir()] == [parent]


@pytest.mark.usefixtures("told")
def test_workers_have_a_directory_of_their_own(parent, monkeypatch):
    """Workers have a directory below the user's own, named for their common process.

    Also where the system tells little.
    """
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", ModuleType("arbiter"))
    injectors = [Injector("http:503,times=1", seed=1, environ={}) for _ in range(2)]
    assert [get(each) for each in injectors] == [503, 503]
    assert parent.stat().st_mode & 0o777 == 0o700
    found = {each.name.rpartition("-")[0] for each in parent.iterdir()}
    assert found <= {process_text(os.getppid()), process_text(os.getpid())}
    assert len([*parent.iterdir()]) == 2, "two apps of a process are two in every worker"


MASTER, WORKER = True, False
PARENTS = {
    "systemd, which is root's": ("systemd", MASTER),
    "a shell of another container": (None, MASTER),
    "a master that is root's": ("gunicorn", WORKER),
    "a master that is root's, by a title": ("gunicorn: maste", WORKER),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("module", ["gunicorn.arbiter", "uwsgi"])
@pytest.mark.parametrize("name", PARENTS)
def test_a_master_and_a_worker_whose_parent_shows_little(parent, monkeypatch, name, module):
    """The directory belongs to the master, not to its parent, which would outlive the server.

    The next server would begin with the counts of this one. A master starts another worker where one ends, and nobody
    another master.
    """
    called, is_master = PARENTS[name]
    pid = os.getppid() if called else 0
    real = builtins.open

    def look(path, *more, **named):
        if path == f"/proc/{pid}/stat":
            with real(path, "rb") as file:
                head, end, rest = file.read().rpartition(b")")
            fields = rest.split()
            fields[42:45] = [b"0"] * 3
            return io.BytesIO(head + end + b" ".join(fields))
        if path == f"/proc/{pid}/comm":
            return io.StringIO(f"{called}\n")
        if path == f"/proc/{os.getpid()}/comm":
            return io.StringIO("gunicorn\n")
        return real(path, *more, **named)

    monkeypatch.setattr(builtins, "open", look)
    monkeypatch.setattr(os, "getppid", lambda: pid)
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    Injector("http:503,times=1", seed=1, environ={})
    [directory] = parent.iterdir()
    assert (directory.name.rpartition("-")[0], restarter()) == (
        process_text(os.getpid() if is_master else pid),
        None if is_master else process_text(pid),
    )


@pytest.mark.parametrize("name", RELOADED)
def test_a_reloader(monkeypatch, name):
    """Flask's and Django's reloaders are recognised by a variable; a manual start has none."""
    assert restarter() is None
    monkeypatch.setenv(name, "true")
    assert restarter() == process_text(os.getppid())
    assert not has_ended(restarter())


def test_a_process_that_starts_a_server_is_no_worker():
    """Two servers of one test run are two, though each is a child that has loaded uvicorn."""
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
    worker = SimpleNamespace(_target=SimpleNamespace(__module__=module), _inheriting=True)
    monkeypatch.setattr("multiprocessing.process._current_process", worker)
    assert server_process() == (os.getpid() if module == "app" else os.getppid())


@pytest.mark.parametrize("imports", ["its parent's main module", "its own function"])
@pytest.mark.parametrize("module", ["granian", "json"])
def test_a_worker_that_still_imports(monkeypatch, module, imports):
    """A spawned process imports its parent's main module before its own task.

    Then it imports its task, which it has by then.
    """
    loaded = {name: found for name, found in sys.modules.items() if name.partition(".")[0] not in SERVERS}
    if imports == "its parent's main module":
        loaded["__mp_main__"] = ModuleType("__mp_main__")
    monkeypatch.setattr(sys, "modules", loaded | {module: ModuleType(module)})
    monkeypatch.setattr("multiprocessing.process._current_process", SimpleNamespace(_inheriting=True))
    is_worker = module in SERVERS and imports == "its parent's main module"
    assert server_process() == (os.getppid() if is_worker else os.getpid())


def test_the_start_of_a_server(monkeypatch, told):
    """A process that a reloader starts keeps the server's start.

    Also where the system does not tell when the reloader began.
    """
    now = time.time()
    assert server_start(now) == now
    monkeypatch.setenv("RUN_MAIN", "true")
    first = server_start(now)
    assert (first < now, server_start(now + 3600)) == (told, first)
    assert Injector("http:503", environ={"FAULTINJECT_EXPIRES": "1h"}).expires - 3600 <= first


@pytest.mark.usefixtures("without_proc")
def test_a_start_that_nobody_can_note(monkeypatch, parent):
    """Each process counts from its own."""
    parent.write_text("a file of somebody")
    monkeypatch.setenv("RUN_MAIN", "true")
    assert (server_start(1.0), server_start(2.0)) == (1.0, 2.0)
