"""A session and the processes that take part in it, one step at a time."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from faultinject import Faults, Injector, Scenario, inject
from faultinject.exceptions import InjectionFailedError
from faultinject.injector.session_sync import Session
from tests.asking import get
from tests.injector.children import in_child
from tests.locked import locked
from tests.until import until

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

PART = """
import os
import faultinject
from faultinject.injector.session_sync import Session

def app(environ, start_response):
    start_response("500 Broken" if environ["PATH_INFO"] == "/broken" else "200 OK", [])
    return [b""]

late = app
app = faultinject.install(app, "http:418,path=own")
own = Session()  # as a pytest has one whose tests have markers
os.environ |= own.variables
late = faultinject.WSGIFaultMiddleware(late, injector=faultinject.Injector([], environ={}))
print("ready", flush=True)
while True:
    path = input()
    if not path:
        break
    asked = late if path == "/late" else app
    asked({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda status, _: print(status[:3], flush=True))
"""


class Part:
    """Another process with an app."""

    def __init__(self, session, **environ):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PART],
            env={**os.environ, **session.variables, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n", self.process.stderr.read()

    def get(self, path="/"):
        """The status of one request."""
        self.ask(path)
        return self.status()

    def ask(self, path="/"):
        """Send a request."""
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()

    def status(self):
        """The status of the request that was sent."""
        return int(self.process.stdout.readline())

    def end(self):
        """End the process, and return its log."""
        _, log = self.process.communicate("\n", timeout=100)
        assert self.process.returncode == 0, log
        return log


@pytest.fixture
def session(own_directories):
    """A session of this process."""
    made = Session()
    yield made
    made.close()
    assert not Path(made.path).exists()


@pytest.fixture
def part(session):
    """Processes that take part."""
    running = []

    def start(**environ):
        running.append(Part(session, **environ))
        return running[-1]

    yield start
    for each in running:
        with each.process:
            if each.process.poll() is None:
                each.end()


def test_an_app_that_fails_ends_the_faults_of_a_command(session, part):
    """The processes of `run` add up the app's failures, and then nobody gets a fault.

    Also not a process that begins later.
    """
    session.publish(Scenario("http:503,path=x", abort="5xx>50%/1h,min=4"), "1", record=False)
    one, other = part(), part()
    assert [each.get("/x") for each in (one, other)] == [503, 503]
    assert [each.get("/broken") for each in (one, other, one, other)] == [500] * 4
    until(lambda: [each.get("/x") for each in (one, other)] == [200, 200])
    late = part()
    assert [late.get("/x"), late.get("/own"), one.get("/own")] == [200] * 3
    told = "5xx>50%/1h,min=4: 4 of 4 requests (100 %) failed by themselves within 1 h"
    off = f"faultinject is off: it was switched off for all processes of its store: {told}"
    lines = [[text for text in each.end().splitlines() if "is off" in text] for each in (one, other, late)]
    # A status is read before its answer is noted: either of the two may find it out.
    found = [f"faultinject is off: {told}; nothing is injected until it is enabled again by hand"]
    assert (sorted(lines[:2]), lines[2]) == (sorted([[off], found]), [off])


def test_what_changes_ends_the_waits_of_another_process(session, part):
    """Its test has ended, or other rules are in force: no request comes that would see it."""
    waiting = part()
    for change in (
        session.withdraw,
        partial(session.publish, Scenario("http:500"), "2"),
        partial(session.publish, Scenario([]), "2", in_force=False),
    ):
        number = session.publish(Scenario("http:503,delay=1h"), "1", test="t")
        waiting.ask("/own")
        until(partial(session.outcomes, {number}))
        change()
        assert waiting.status() == 503


def test_what_is_in_force(session, part):
    """At the very next request, in every process; in between their own rules hold."""
    one, other = part(), part()
    assert [one.get("/own"), one.get("/")] == [418, 200]
    first = session.publish(Scenario("http:503,times=3"), "1", test="t")
    assert [each.get("/own") for each in (one, other) * 3] == [503] * 3 + [200] * 3
    second = session.publish(Scenario("http:500,times=1"), "2")
    assert [each.get("/own") for each in (other, one)] == [500, 200]
    session.withdraw()
    assert [each.get("/own") for each in (one, other)] == [418, 418]
    third = session.publish(Scenario("http:502,times=1"), "3")
    assert [each.get("/own") for each in (one, other, part())] == [502, 200, 200]
    session.publish(Scenario([]), "3", in_force=False)
    assert [each.get("/own") for each in (one, other)] == [418, 418]
    assert [second, third] == [first + 1, second + 1]
    found = session.outcomes({first})
    assert [(each.status, each.seed, each.test, each.generation) for each in found] == [
        (status, "1", "t", first) for status in [503] * 3 + [200] * 3
    ]
    assert {each.pid for each in found} == {one.process.pid, other.process.pid}
    assert [each.status for each in session.outcomes({second})] == [500, 200]
    session.forget()
    assert session.outcomes({first, second}) == []
    for each in (one, other):
        [line] = each.end().splitlines()
        assert line.endswith(", rules http:418,path=own")


OWNER = """
import json
from faultinject import Scenario
from faultinject.injector.session_sync import Session

session = Session()
session.publish(Scenario("http:503"), "1")
print(json.dumps(session.variables), flush=True)
input()
"""


def test_a_killed_test_run_leaves_nothing_in_force(part):
    """After a killed test run, servers have their own rules again, at the next request.

    Also one that had no request before; it stays so.
    """
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        variables = json.loads(run.stdout.readline())
        asked, idle = part(**variables), part(**variables)
        assert asked.get("/own") == 503
        run.kill()  # as a time limit does, or a machine without memory
    found = [each.get(path) for path in ("/own", "/own", "/") for each in (idle, asked)]
    assert found == [418] * 4 + [200] * 2


def test_a_session_by_another_name(session, part, tmp_path):
    """A directory mounted under another name keeps its faults, as in a container.

    It says nothing of its test run.
    """
    session.publish(Scenario("http:503"), "1")
    assert part(FAULTINJECT_SESSION=f"{session.path}/").get("/own") == 503
    mounted = Path(session.path).rename(tmp_path / "mounted")
    assert part(FAULTINJECT_SESSION=str(mounted)).get("/own") == 503
    mounted.rename(session.path)


def test_a_later_process_takes_part(session, part):
    """A later process takes over the rules, with the counts so far.

    All processes share the moment from which `begin` and `end` count, however late they come. When the session is
    closed they have their own rules again, whatever was in force.
    """
    assert not session.attached
    scenario = Scenario("http:503,begin=1h,end=3h,times=2 http:500,end=1h")
    session.publish(scenario, "1", began=time.time() - 7200)
    assert part().get() == 503
    assert session.attached
    late = part()
    assert [late.get(), late.get()] == [503, 200]
    assert session.counts().matched(0) == 3
    session.close()
    assert late.get("/own") == 418


def test_what_cannot_be_read(session, part):
    """Nothing breaks: what was in force is over, and the log says why."""
    one = part()
    session.publish(Scenario("http:503"), "1")
    assert one.get() == 503
    session.publish(Scenario("http:500"), "1")
    for each in Path(session.path).glob("scenario*"):
        each.write_text("{")
    assert [one.get(), one.get()] == [200, 200]
    session.publish(Scenario("http:502"), "1")
    assert one.get() == 502
    assert one.end().count("the rules of the session cannot be read") == 1


def test_requests_that_got_no_decision_fail_the_block(session, part):
    """Requests without a decision fail the block, in any process.

    A test that is green because nothing could be injected proves nothing.
    """
    injector = Injector([], environ={})
    here, there = partial(get, injector), part().get
    rule, lock = Scenario("http:503,times=5"), Path(session.path) / "lock"
    for undecided in (here, there):
        told = r"^1 request passed without a decision about faults: see"
        with pytest.raises(InjectionFailedError, match=told), Faults(rule, session=session) as faults:
            assert there() == 503
            with locked(lock):
                assert undecided() == 200
            assert [here(), there()] == [503, 503]
        assert sorted(each.did for each in faults.outcomes) == ["answered"] * 3 + ["failed"]
    with pytest.raises(ZeroDivisionError), Faults(rule, session=session):
        with locked(lock):
            assert [here(), there()] == [200, 200]
        _ = 1 / 0  # which the test hears of first


def test_a_session_that_ends(session, part):
    """A process that lives on has its own rules again, and so has one that never made a request.

    An injector that is made later sees every change by itself: another one may have no request in between.
    """
    one, idle = part(), part()
    session.publish(Scenario("http:503"), "1")
    assert [one.get(path) for path in ("/late", "/own")] == [503, 503]
    session.withdraw()
    assert one.get("/late") == 200
    session.close()
    assert [one.get("/own"), idle.get("/own"), idle.get("/own")] == [418, 418, 418]


def test_not_where_it_looks_like_production(session, part):
    """Nor with the kill switch."""
    session.publish(Scenario("http:503"), "1")
    assert part(FAULTINJECT_ENABLED="0").get("/own") == 200
    guarded = part(APP_ENV="production")
    assert guarded.get("/own") == 200
    assert "APP_ENV=production looks like production" in guarded.end()


def test_a_fork_of_its_own_process(session):
    """A forked child takes part like any process, without the faults in its parent's memory."""
    injector = Injector([], environ={})

    def asked():
        return [get(injector), get(injector)]

    assert not session.attached
    with inject("http:418"):
        assert get(injector) == 418
        generation = session.publish(Scenario("http:503,times=1"), "1")
        assert in_child(asked) == [503, 200]
        assert get(injector) == 418
    assert session.attached
    assert len(session.outcomes({generation})) == 2
    for each in Path(session.path).iterdir():
        each.unlink()
    Path(session.path).rmdir()
    assert in_child(asked) == [200, 200]


def test_variables(session):
    """The variables name the session's directory, and the path of the hooks."""
    assert session.variables["FAULTINJECT_SESSION"] == session.path
    assert session.variables["PYTHONPATH"].split(os.pathsep)[0].endswith("hooks")
