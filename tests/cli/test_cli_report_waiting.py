"""`faultinject report` waits until recent calls must be over, and no longer."""

import json
import os
import subprocess
import sys
import time

import pytest

from faultinject.cli.report import Journals, judge_when_over
from faultinject.counts.processes import process_text
from tests.slowly import slowly

from .journals import line, text

pytestmark = pytest.mark.live

BEGAN = 1_800_000_000.0
"""The unix time at which a journal's clock begins; its monotonic clock says 1000 then."""


def at(arrived, seq=0, **more):
    """A request of a client of its own, with a throttle error."""
    return line(seq, arrived, time=BEGAN + arrived, path=f"/photos/{seq}", key=str(seq), **more)


def end(pid=7, parent=None):
    """The last line of a process."""
    empty = dict.fromkeys(line(0, 0.0))
    return text(
        [{**empty, "v": 1, "time": BEGAN, "arrived": 1000.0, "pid": pid, "ended": True, "parent": parent}]
    )


class Time:
    """A clock that only goes on while somebody rests; what is written then, and when.

    Args:
        path: the journal.
        now: seconds after its beginning.
        later: what is appended after so many seconds.
        ahead: by how much the journal's clock is ahead of ours.
        busy: seconds that pass between any two looks at the monotonic clock.
    """

    def __init__(self, path, now, later=(), *, ahead=0.0, busy=0.0):
        self.began = self.now = now
        self.busy = busy
        self.ahead = ahead
        self.path = path
        self.later = sorted(later)

    def unix(self):
        return BEGAN + self.now - self.ahead

    def monotonic(self):
        self.now += self.busy
        return 50.0 + self.now

    def rest(self, seconds):
        assert 0 < seconds <= max(0.25, 16 * self.busy)
        self.now += seconds
        while self.later and self.later[0][0] <= self.waited:
            with self.path.open("a") as file:
                file.write(self.later.pop(0)[1])

    @property
    def waited(self):
        return self.now - self.began


@pytest.fixture
def report(tmp_path):
    """Judge a journal read some seconds after its begin: the verdict, and the time it took."""

    def judge(content, now, *, later=(), ahead=0.0, busy=0.0, **options):
        path = tmp_path / "journal"
        path.write_text(content)
        clock = Time(path, now, later, ahead=ahead, busy=busy)
        journals = Journals([str(path)], clock=clock.unix, monotonic=clock.monotonic, **options)
        found = judge_when_over(journals, rest=clock.rest, monotonic=clock.monotonic)
        return found, pytest.approx(clock.waited, abs=0.03)

    return judge


def gave_up(number=4, **more):
    """Calls with a 503 within 40 ms, and no retry."""
    return text(at(0.01 * each, each, **more) for each in range(number))


TRIED_AGAIN = text([at(-20.0, 90), at(-18.5, 90)])
"""A client that waited a second and a half, twenty seconds ago."""


SLOW, QUICK = (text([at(-60.0, 90), at(-60.0 + wait, 90)]) for wait in (30.0, 0.1))
WELL = text(at(0.01 * each, each, fault=None, did="passed", status=200) for each in range(4))
SHARED = text(at(0.0001 * each, 5, connection=each) for each in range(4))
ALIVE = process_text(os.getpid())
PID, BEGUN, NAMESPACE = ALIVE.split("-")
WORKER = text([at(0.035, 50, pid=8)])
GONE = (f"{PID}-{int(BEGUN) + 1}-{NAMESPACE}", "what?", "")
"""Masters of another machine, or none."""


@pytest.mark.parametrize(
    ("content", "now", "options", "left_out", "waited"),
    [
        # A client that never retried has ten seconds from its last answer on; the time that has passed counts.
        *(
            (gave_up(), now, {}, {}, waited)
            for now, waited in ((0.04, 9.991), (4.031, 6.0), (10.031, 0), (3600.0, 0))
        ),
        # One whose waits are known has twice the longest of them, two seconds at least.
        (TRIED_AGAIN + gave_up(), 0.031, {}, {}, 2.998),
        (QUICK + gave_up(), 0.031, {}, {}, 2.0),
        # After ten seconds the report waits no longer; calls that may go on are left out.
        (SLOW + gave_up(), 0.031, {}, {"open": 5}, 10.0),
        # Calls that have succeeded, and those that count for nothing however they go on.
        (WELL, 0.04, {}, {}, 0),
        (SHARED, 0.04, {}, {"shared": 4}, 0),
        # A request without an answer may be answered at any time.
        (gave_up(1, did="delayed", answered=None, status=None), 0.0, {}, {"open": 1}, 10.0),
        # By a clock that is ahead, as of another machine, our own tells how long nothing came; else it looks old.
        (gave_up(), 0.031, {"ahead": 3600}, {}, 10.0),
        (gave_up(), 0.031, {"ahead": -3600}, {}, 0),
        # A server that has ended, or ends meanwhile: every call is over as of then.
        (gave_up() + end(), 0.04, {}, {}, 0),
        (gave_up(), 0.031, {"later": [(1.2, end())]}, {}, 1.25),
        # Of two workers the other may get the next attempt.
        (gave_up() + WORKER + end(), 0.036, {}, {}, 10.0),
        (gave_up() + WORKER + end() + end(8), 0.036, {}, {}, 0),
        # Another one may take a worker's place as long as its master is there.
        (gave_up() + end(parent=ALIVE), 0.031, {}, {}, 10.0),
        *((gave_up() + end(parent=each), 0.031, {}, {}, 0) for each in GONE),
    ],
)
def test_as_long_as_calls_may_go_on(report, content, now, options, left_out, waited):
    """And no longer; what is left out then may still have gone on."""
    found, took = report(content, now, **options)
    assert (found.left_out, waited) == (left_out, took)


@pytest.mark.parametrize("now", [8.0, 9.5, 9.9, 10.0])
def test_a_machine_that_is_slow(report, now):
    """On a slow machine a call is judged when it is over, even if the look comes late."""
    assert report(gave_up(), now, busy=0.3)[0].left_out == {}


def test_what_comes_meanwhile_is_read(report):
    """A call that is retried and succeeds is not waited for."""
    again = text(at(1.0, each, fault=None, did="passed", status=200) for each in range(4))
    found, took = report(gave_up(), 0.031, later=[(1.0, again)])
    assert (found.attempts, found.calls, found.left_out, took) == (8, 4, {}, 1.0)


def test_a_client_that_goes_on(report):
    """Ten seconds in all, however much comes: what is open then is left out."""
    later = [(each + 0.5, text([at(each + 0.5, 100 + each)])) for each in range(30)]
    found, took = report(gave_up(), 0.031, later=later)
    assert (took, found.calls) == (10.0, 14)
    assert 0 < found.left_out["open"] < 14


def test_a_journal_without_a_request(report):
    """A process's end alone in a journal gives nothing to judge, and nothing to wait for.

    A process that ended behind a rotation leaves it.
    """
    found, took = report(end(), 0.0)
    assert (found.conclusion.reason.split(".")[0], took) == ("the journal has no requests", 0)


SAYS = "waiting {} s for 4 calls that may still be running (--finished does not wait)"


@pytest.mark.parametrize(
    ("number", "now", "said"),
    [
        (4, 0.031, SAYS.format(10)),
        (1, 3.0, "waiting 7 s for 1 call that may still be running ("),
        (4, 60.0, ""),
    ],
)
def test_what_is_said(report, capsys, number, now, said):
    """One line on standard error, and nothing where nobody waits."""
    report(gave_up(number), now)
    out, err = capsys.readouterr()
    assert (out, err[: len(said)], err.count("\n")) == ("", said, bool(said))


def test_a_countdown_on_a_terminal(report, capsys, monkeypatch):
    """One line that is written anew when it changes, and taken away at the end.

    One that cannot show it all shows its beginning: two lines could not be written anew.
    """
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    report(gave_up(), 0.031)
    first, *shown, blank, last = capsys.readouterr().err.split("\r")
    assert ([each.strip() for each in shown], first, last) == (
        [SAYS.format(each) for each in range(10, 0, -1)],
        "",
        "",
    )
    assert blank.isspace()
    monkeypatch.setenv("COLUMNS", "40")
    report(gave_up(), 9.0)
    assert capsys.readouterr().err.split("\r")[1] == SAYS.format(2)[:39]


# The command


def now(lines, ago=0.0):
    """The lines as if the last had been answered so many seconds ago."""
    lines = [*lines]
    late = time.time() - ago - max(each["time"] for each in lines)
    return text({**each, "time": each["time"] + late} for each in lines)


def calls(number=4):
    return [at(0.01 * each, each) for each in range(number)]


@pytest.mark.parametrize(
    ("ago", "words", "said"),
    [
        # `--finished` waits for nothing, and what is open is over.
        (0.0, ["--finished"], [""]),
        # The output is unchanged, and messages about the wait go to standard error. It may have been read late.
        slowly(7, [], ["", *(SAYS.format(each) + "\n" for each in (1, 2, 3))]),
        # The end of standard input says nothing of the client; calls are judged when they must be over.
        (9.8, ["-"], ["", SAYS.format(1) + "\n"]),
    ],
    ids=["the client is done", "it waits by itself", "standard input"],
)
def test_the_command(run, journal, ago, words, said):
    """It judges all calls, and says for how long it waits."""
    lines = now(calls(), ago=ago)
    place = words if words == ["-"] else [journal(lines), *words]
    code, out, err = run("report", *place, "--format", "json", input=lines)
    assert (code, json.loads(out)["left_out"], err in said) == (1, {}, True)


def test_the_standard_input_of_a_client_that_is_done():
    """It is read once."""
    command = [sys.executable, "-m", "faultinject", "report", "-", "--format", "json", "--finished"]
    done = subprocess.run(command, input=now(calls()), capture_output=True, text=True, timeout=100)
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["calls"], found["left_out"]) == (1, "", 4, {})


def test_ctrl_c(start, journal):
    """It is an interrupt as everywhere."""
    # A client's clock that is ahead: it waits as long as it ever does, however late it begins.
    running = start("report", journal(now(calls(), ago=-600)))
    assert running.line() in {SAYS.format(seconds) for seconds in range(1, 11)}
    code, rest = running.interrupt()
    assert (code, rest[-1]) == (130, "faultinject: interrupted")
