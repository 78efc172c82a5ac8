"""Times at which the machine was late: found, held against waits, and never a way out for a client that waits too long."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS
from faultinject.audit.judge import judge
from faultinject.audit.lateness import LateTime, LateTimes, together
from faultinject.audit.waits import Wait
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow

from .made import FAST, INTERNAL, calls, evidence, finding, findings

QUICK = replace(FAST, busy=0.02)
HERE = Path(__file__).parent
# Half of what AWS promises, which its client breaks.
STRICT = """
title = "half"
reference = "nobody"
distribution = "uniform"
[waits.throttle]
base = "500ms"
cap = "10s"
[waits.any]
base = "25ms"
cap = "10s"
"""


def wait(end):
    """A wait that ends then."""
    [call] = calls(1, 1.0, at=end - 1.001)
    return Wait(call, "throttle", 1, 1.0)


@pytest.mark.parametrize(
    ("end", "disturbed"), [(9.7, False), (9.8, True), (10.0, True), (10.3, True), (10.32, False)]
)
def test_a_wait_that_ends_near_a_late_time_may_be_late_for_the_same_reason(end, disturbed):
    """A quarter of a second before and after."""
    late = LateTimes([LateTime(10.0, 10.06)])
    assert late.disturb(wait(end)) is disturbed


def test_what_is_hardly_late_is_not_late():
    """30 ms are."""
    assert not LateTimes([LateTime(10.0, 10.029)]).disturb(wait(10.0))
    assert not LateTimes().disturb(wait(10.0))


def test_late_times_that_touch_are_one():
    """Whatever the order in which they are told; a long one holds those inside."""
    late = LateTimes([LateTime(10.4, 10.5), LateTime(10.0, 12.0), LateTime(20.0, 20.1)])
    assert [late.disturb(wait(each)) for each in (11.9, 12.2, 15.0, 20.0)] == [True, True, False, True]


def test_a_first_request_is_late_by_the_measure_of_the_others():
    """A client that takes half a second to begin is not late each time; what takes three times as long is."""
    starts = [LateTime(float(each), each + 0.5) for each in range(10)]
    assert not LateTimes((), starts).disturb(wait(5.2))
    late = LateTimes((), [*starts, LateTime(30.0, 31.6)])
    assert (late.disturb(wait(31.0)), late.disturb(wait(5.2))) == (True, False)


def test_how_much_a_machine_explains():
    """Half a second, or three times by how much first requests come later than the quickest."""
    even = [LateTime(float(each), each + 1.0) for each in range(20)]
    uneven = [LateTime(float(each), each + 0.1 * each) for each in range(20)]
    assert (LateTimes().room, LateTimes((), even).room) == (0.5, 0.5)
    assert LateTimes((), uneven).room == pytest.approx(3 * 1.7)


def test_a_crowd():
    """More than two within a quarter of a second, wherever that begins."""
    assert together([1.0, 1.1, 5.0, 9.0, 9.2, 9.3, 9.4]) == [False, False, False, False, True, True, True]
    assert together([]) == []


def late_calls(number, by, apart=0.04, at=0.0):
    """Calls with one wait that much longer than AWS promises after a throttle."""
    return calls(number, 1.0 + by, apart=apart, at=at)


def bound(*groups, **more):
    """What is said of AWS's bounds in a driven run."""
    return finding("backoff bound", *groups, profile="aws-2026", driven=True, turnaround=QUICK, **more)


def test_few_waits_that_are_long_together_are_the_machines():
    """5 of 124 within 0.2 s, as they were measured with a client that keeps its bound."""
    usual = calls(119, 0.9)
    assert bound(usual, late_calls(5, 0.21)).verdict == INCONCLUSIVE
    assert bound(usual, late_calls(5, 0.21, apart=1.0)).verdict == FAIL
    assert bound(usual, late_calls(5, 0.6)).verdict == FAIL  # more than such a machine explains
    assert finding("backoff bound", usual, late_calls(5, 0.6), profile="aws-2026").verdict == FAIL


def test_a_client_whose_waits_are_mostly_too_long_is_not_excused():
    """Not by a crowd, and not by a machine that is late now and then."""
    late = LateTimes([LateTime(2.0, 2.1)])
    assert bound(late_calls(60, 0.3)).verdict == FAIL
    assert bound(late_calls(60, 0.3), late_times=late).verdict == FAIL
    always = LateTimes([LateTime(0.0, 9.0)])
    assert bound(late_calls(60, 0.3), late_times=always).verdict == INCONCLUSIVE
    assert bound(late_calls(60, 0.6), late_times=always).verdict == FAIL


def test_waits_of_a_time_without_lateness_decide():
    """If they are enough, and all of them are short enough."""
    late = LateTimes([LateTime(11.0, 11.3)])
    busy = late_calls(4, 0.3, at=9.9)
    found = bound(calls(20, 0.9), busy, late_times=late)
    assert (found.verdict, found.n) == (PASS, 20)
    assert found.message == (
        "20 of 20 waits are within the bounds of aws-2026; 4 others ended while the machine was late"
    )
    assert bound(calls(19, 0.9), busy, late_times=late).verdict == INCONCLUSIVE
    assert bound(calls(20, 0.9), busy, late_calls(1, 0.3), late_times=late).verdict == INCONCLUSIVE


def test_waits_of_a_late_time_do_not_hide_that_there_is_no_jitter():
    """Where enough others are left; else they count as ever."""
    rigid = calls(10, 1.0, kind=INTERNAL)
    spread = [call for each in range(5) for call in calls(1, 1.3 + each / 10, at=20.0, kind=INTERNAL)]
    late = LateTimes([LateTime(21.0, 23.0)])
    assert finding("jitter", rigid, spread).verdict == INCONCLUSIVE
    assert finding("jitter", rigid, spread, late_times=late).verdict == FAIL
    few = finding("jitter", rigid[:5], spread)
    assert finding("jitter", rigid[:5], spread, late_times=late).message == few.message


def test_undisturbed_waits():
    """All of them, where too few would be left."""
    found = evidence(calls(3, 1.0), late_times=LateTimes([LateTime(1.0, 1.03)]))
    far = replace(found, calls=[*found.calls, *calls(2, 1.0, at=50.0)])
    assert len(far.undisturbed(far.waits, 2)) == 2
    assert len(far.undisturbed(far.waits, 3)) == 5


def recorded(name, **more):
    """The judgement on boto3, recorded on a machine whose processors had other work."""
    said = json.loads(gzip.decompress((HERE / name).read_bytes()))
    windows = [
        CallWindow(name, began, ended, returned, error, key=key)
        for name, began, ended, returned, error, key in said["windows"]
    ]
    late = [LateTime(*each) for each in said["late"]]
    attempts = map(Attempt, said["attempts"])
    return judge(attempts, driven=True, told=windows, until=said["until"], late=late, **more)


@pytest.mark.parametrize("name", ["uneven_machine.json.gz", "starved_client.json.gz"])
def test_a_client_that_keeps_its_promise_on_a_busy_machine(name):
    """It is not said to break it, though a fifth of its waits are seconds longer."""
    [found] = [each for each in recorded(name).findings if each.check == "backoff bound"]
    assert found.verdict == INCONCLUSIVE
    assert "while others were late too. Reduce the machine's load" in found.message


def test_a_promise_that_most_waits_break_is_seen_on_a_busy_machine(tmp_path):
    """Those that end while nothing is late are enough."""
    path = tmp_path / "half.toml"
    path.write_text(STRICT)
    judged = recorded("uneven_machine.json.gz", profile=str(path))
    [found] = [each for each in judged.findings if each.check == "backoff bound"]
    assert found.verdict == FAIL


def test_only_who_drives_knows_of_late_times():
    """From a journal alone nothing is excused."""
    assert [each.verdict for each in findings("backoff bound", late_calls(60, 0.6), profile="aws-2026")] == [
        FAIL
    ]
