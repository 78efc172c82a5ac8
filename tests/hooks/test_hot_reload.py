"""Workers reload a changed file of rules together; SIGHUP with a wrong file ends no server.

Under real servers, whose workers share counts.
"""

import os
import signal

import pytest

from .launch import GRANIAN, GUNICORN, UVICORN, Way

WSGI, ASGI = "served_counted:wsgi", "served_counted:asgi"
WAYS = {
    "gunicorn": (4, Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn")),
    "gunicorn --preload": (4, Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn")),
    "gunicorn -k gevent": (2, Way(f"{GUNICORN} -w 2 -k gevent {WSGI}", "gunicorn", "gevent")),
    "uvicorn": (2, Way(f"{UVICORN} --workers 2 {ASGI}", "uvicorn")),
    "granian": (2, Way(f"{GRANIAN} --interface wsgi --workers 2 {WSGI}", "granian")),
}
"""The number of workers, and the way to start their server."""
WITHOUT = "import sys\nsys.modules['watchfiles'] = None\n"
"""The extra is not installed."""
PATH = "/photos/cat"
WRONG = "rules[0].fault: http:5x3 is not http:"


def text(status):
    return f'[[rules]]\nfault = "http:{status}"\ntimes = 3\npath = "photos/"\n'


class Reloaded:
    """A server of several workers, whose rules come from a file.

    Args:
        server: how it is started.
        number: how many workers there are.
        path: the file.
    """

    def __init__(self, server, number, path):
        self.server = server
        self.number = number
        self.path = path
        # One that starts later would read what is written next.
        server.until(self.workers)

    def write(self, status):
        """Write the file as docs/how-to/running-server.md says.

        A file that is opened for writing is empty for a moment.
        """
        other = self.path.with_suffix(".new")
        other.write_text(text(status))
        other.replace(self.path)

    def workers(self):
        """Those that have read the file, if there are as many as there should be."""
        told = (self.server.folder / "started").read_text().split()
        started = {int(each) for each in told} & self.server.workers()
        return started if len(started) == self.number else None

    def hang_up(self):
        """All workers are others afterwards, also those that have answered nothing so far."""
        before = self.workers()
        os.kill(self.server.process.pid, signal.SIGHUP)
        self.server.until(lambda: (now := self.workers()) and before.isdisjoint(now))
        assert self.server.process.poll() is None

    def answers(self):
        """Four requests; three meet the fault however many workers there are."""
        return sorted(self.server.statuses(PATH, 4))

    def told(self):
        """The number of times that workers reported the file's new rules."""
        return self.server.log.count("rules.toml has changed, its rules are in force")


@pytest.fixture
def reloaded(start, tmp_path):
    """`reloaded(name)`: a server started that way; `watched=False`: without the extra `watch`."""

    def run(name, *, watched=True, **variables):
        number, way = WAYS[name]
        path = tmp_path / "rules.toml"
        path.write_text(text(503))
        if not watched:
            (tmp_path / "sitecustomize.py").write_text(WITHOUT)
            folders = filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])
            variables["PYTHONPATH"] = os.pathsep.join(folders)
        server = start(way, FAULTINJECT_ENABLED="1", FAULTINJECT_FILE=str(path), **variables)
        return Reloaded(server, number, path)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_a_file_that_is_watched(name, reloaded):
    """New rules hold in all workers, a wrong file changes nothing, and SIGHUP ends no server."""
    at = reloaded(name)
    assert at.answers() == [200, 503, 503, 503]
    at.write(500)
    at.server.until(lambda: at.told() == 1)
    assert at.answers() == [200, 500, 500, 500]
    at.write("5x3")
    at.server.until(lambda: WRONG in at.server.log)
    assert at.answers() == [200] * 4
    at.hang_up()
    assert at.answers() == [200] * 4, "what they had goes on, and so do the counts"
    at.write(501)
    at.hang_up()
    assert at.answers() == [200, 501, 501, 501]
    assert at.told() == 2, f"one of them publishes: {at.server.log}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "store"),
    [
        ("uvicorn", "private"),
        ("granian", "private"),
        ("gunicorn", "file"),
        ("gunicorn", "redis"),
        ("gunicorn", "memory"),
    ],
    indirect=["store"],
)
def test_a_file_that_is_read_at_a_hangup(name, store, reloaded):
    """Without the extra the file is read at SIGHUP only, wherever workers count.

    They count together, or each for itself.
    """
    at = reloaded(name, watched=False, **store)

    def fault():
        """The faults that requests get; a worker with counts of its own gives three."""
        return set(at.server.statuses(PATH, 40)) - {200}

    assert fault() == {503}
    at.write(500)
    assert fault() == set(), "nobody looks"
    at.hang_up()
    assert fault() == {500}
    at.write("5x3")
    at.hang_up()
    apart = store.get("FAULTINJECT_STORE") == "memory:"
    assert fault() == ({500} if apart else set()), "the rules stay, and counts that are shared go on"
    assert WRONG in at.server.log
    at.write(501)
    at.hang_up()
    assert fault() == {501}
    assert apart or at.told() == 2, f"one of them publishes: {at.server.log}"


@pytest.mark.slow
def test_wrong_at_the_first_start(start, tmp_path):
    """A wrong file at the first start stops the start."""
    path = tmp_path / "rules.toml"
    path.write_text(text("5x3"))
    with pytest.raises(AssertionError, match="http:5x3"):
        start(WAYS["gunicorn"][1], FAULTINJECT_ENABLED="1", FAULTINJECT_FILE=str(path))
