"""Eight planted bugs are found, each with one cause and a scenario that shows it again; their repaired versions pass."""

from __future__ import annotations

import re

import pytest

import faultinject
from faultinject.exceptions import ExplorationFailed

from .clients import CLIENTS, Client

# The smallest scenario, how many runs there are, and how many of them fail.
FOUND = {
    "rewind": ("reset,method=PUT,path=/b/big,query.partNumber=1,query.uploadId=,times=1", 50, 35),
    "copy": ("cos:InternalError,method=PUT,path=/b/to,times=1,status=200", 15, 1),
    "move": ("reset,method=POST,path=/b/moved,query.uploadId=,times=1,when=after", 50, 1),
    "listing": ("reset,method=GET,path=/b,query.marker=,query.prefix=,times=1", 18, 12),
    "append": ("reset,method=POST,path=/b/log,query.append=,times=1,when=after", 21, 3),
    "third": ("cos:SlowDown,method=PUT,path=/b/3,times=1", 33, 2),
    "threads": ("reset,method=PUT,path=/b/big,query.partNumber=3,query.uploadId=,times=1", 85, 7),
}

# A CreateMultipartUpload whose answer is lost, sent again, leaves an upload that nobody knows of.
LEAKING = ("rewind", "move", "threads")


def explore(name, *, right, depth=1):
    """All runs; the failure if there was one."""
    client = Client()
    exploration = faultinject.explore("cos", depth=depth)
    try:
        for run in exploration:
            with run:
                CLIENTS[name](client, right)
    except ExplorationFailed as error:
        return exploration, error
    return exploration, None


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found(name):
    """One cause is reported, with the smallest scenario; the marker that is printed shows the same failure again."""
    smallest, runs, failed = FOUND[name]
    exploration, error = explore(name, right=False)
    assert (len(exploration.runs), sum(each.failed for each in exploration.runs)) == (runs, failed)
    [marker] = re.findall(r'^  replay: @pytest\.mark\.faultinject\("(.+)"\)$', str(error), re.MULTILINE)
    assert marker == smallest
    assert isinstance(error.__cause__, AssertionError)
    assert error.__cause__.__traceback__ is not None
    with faultinject.inject(marker) as faults, pytest.raises(AssertionError) as again:
        CLIENTS[name](Client(), right=False)
    assert faults.injected == 1
    assert str(again.value).splitlines()[:1] == str(error.__cause__).splitlines()[:1]


def test_a_shared_budget_takes_two_faults():
    """One retry for the whole job copes with any one fault; depth 2 finds the pair, and folds it into one rule."""
    assert explore("budget", right=False)[1] is None
    exploration, error = explore("budget", right=False, depth=2)
    [smallest] = re.findall(r'^  replay: @pytest\.mark\.faultinject\("(.+)"\)$', str(error), re.MULTILINE)
    assert smallest == "reset,method=PUT,path=/b/0,times=2"
    assert all(len(each.points) == 2 for each in exploration.runs if each.failed)
    with faultinject.inject(smallest), pytest.raises(Exception, match="NetworkError"):
        CLIENTS["budget"](Client(), right=False)


@pytest.mark.parametrize("name", CLIENTS)
def test_no_alarm(name):
    """A right client passes: nothing failed, nothing was left out, every fault came; three leave an upload behind."""
    exploration, error = explore(name, right=True)
    assert error is None
    head, *warnings = exploration.report().splitlines()
    assert re.fullmatch(
        r"\d+ requests without faults, 8 faults; \d+ runs in [\d.]+ s \(backoff \d+%\), 0 failed, 0 gave up cleanly,"
        r" 0 not reached, \d+ pruned(, 1 with a warning)?",
        head,
    )
    assert ["uploads left open" in each for each in warnings if each] == [True] * (name in LEAKING)
    assert all(each.reached and not each.outcomes for each in exploration.runs)


@pytest.mark.parametrize("name", [name for name in CLIENTS if name != "threads"])
def test_no_alarm_at_depth_2(name):
    """Nor do two faults in a row break a client with three attempts."""
    exploration, error = explore(name, right=True, depth=2)
    assert error is None, error
    assert max(len(each.points) for each in exploration.runs) == 2


def test_data_is_let_go():
    """Runs that are over do not keep what the code under test had in its variables, but for the one that is shown."""
    exploration, error = explore("rewind", right=False)
    kept = [each for each in exploration.runs if each.failed and each.error.__traceback__ is not None]
    assert [each.error for each in kept] == [error.__cause__]
