"""Processes that a program leaves behind are gone after the run, with their open files."""

import os
import select
import sys
import time
from contextlib import contextmanager
from secrets import token_hex
from subprocess import PIPE, Popen
from threading import Thread

import pytest

from faultinject import processes
from faultinject.testing.exploration import programs
from faultinject.testing.exploration.programs import Program

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not show what a process was started with"
)


@pytest.fixture
def beats(tmp_path):
    """A pipe with a name, read without waiting; what has it open for writing is alive."""
    os.mkfifo(tmp_path / "beats")
    reading = os.open(tmp_path / "beats", os.O_RDONLY | os.O_NONBLOCK)
    yield reading
    os.close(reading)


def program(directory, source):
    """A program with a child in a session of its own, which is at work when the program ends."""
    text = f"""
import os, time
begun = os.pipe()
if os.fork():
    os.read(begun[0], 1)
    os._exit(0)
os.setsid()
beats = os.open("beats", os.O_WRONLY)
os.write(beats, b".")
{source}
"""
    return Program([sys.executable, "-c", text], os.environ, str(directory))


def is_over(beats):
    """Whether nobody has the other end of the pipe."""
    os.read(beats, 1_000_000)
    try:
        return os.read(beats, 1) == b""
    except BlockingIOError:
        return False


def test_one_that_has_much_to_give_back(tmp_path, beats):
    """It has lost its environment, by which it is found, long before its files are closed."""
    source = """
much = bytearray(400_000_000)
os.write(begun[1], b".")
time.sleep(60)
"""
    assert (program(tmp_path, source).run()[0], is_over(beats)) == (0, True)


@contextmanager
def at_work(tried, beats):
    """The program runs, and everything of it is there."""
    running = Thread(target=tried.run)
    running.start()
    select.select([beats], [], [], 60)
    tried._started.wait(60)
    yield tried._process
    running.join()


@contextmanager
def somebody_elses(**more):
    """A process of somebody else, begun after the program."""
    other = Popen(["sleep", "600"], **more)
    try:
        yield other
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_somebody_elses_without_an_environment(monkeypatch, tmp_path, beats):
    """A foreign process without an environment is neither killed nor waited for.

    The missing environment is noticed, so the process is not taken for one that is about to end.
    """
    monkeypatch.setattr(programs, "DEATH", 60)
    killed = program(tmp_path, "time.sleep(600)")
    with at_work(killed, beats), somebody_elses(env={}):
        began = time.monotonic()
        killed.kill()
        assert time.monotonic() - began < 30
        assert (killed.killed, killed.survives, is_over(beats)) == (True, False, True)


@pytest.mark.slow
def test_somebody_elses_that_takes_long_to_end(monkeypatch, tmp_path, beats):
    """One that gives much memory back has no environment all the while; nobody is blamed for it."""
    monkeypatch.setattr(programs, "DEATH", 5)
    killed = program(tmp_path, "time.sleep(600)")
    with at_work(killed, beats) as child, somebody_elses() as other:

        def without(name):
            if name == f"{other.pid}/environ":
                raise ProcessLookupError
            return read(name)

        read = processes._read
        monkeypatch.setattr(processes, "_read", without)
        killed.kill()
        assert (killed.killed, killed.survives, is_over(beats)) == (True, False, True)
        assert processes.living_after(0.1, child, token_hex()) == 0


def test_while_others_are_started_all_the_time(tmp_path, beats):
    """There is an end of it all the same."""
    others = "import os\nos.write(1, b'.')\nwhile True:\n    if os.fork() == 0: os._exit(0)\n    os.wait()"
    other = Popen([sys.executable, "-c", others], stdout=PIPE)
    try:
        other.stdout.read(1)
        ran = program(tmp_path, "os.write(begun[1], b'.')\ntime.sleep(60)").run()
        assert (ran, is_over(beats), other.poll()) == ((0, ""), True, None)
    finally:
        other.kill()
        other.communicate()
