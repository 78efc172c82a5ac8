"""Twelve planted bugs are found with one cause and a replay each; repaired versions pass."""

import re

import pytest

import faultinject
from tests.measured import without_times
from tests.pairs import fewest
from tests.slowly import others_slowly

from .clients import CLIENTS, Client
from .service import exploring

pytestmark = pytest.mark.live

# The smallest scenario, how many runs there are, and how many of them fail.
FOUND = {
    "rewind": ("reset,method=PUT,path=/b/big,query.partNumber=1,query.uploadId=,times=1", 58, 36),
    "copy": ("cos:InternalError,method=PUT,path=/b/to,times=1,status=200", 18, 1),
    "move": ("reset,method=POST,path=/b/moved,query.uploadId=,times=1,when=after", 58, 1),
    "listing": ("reset,method=GET,path=/b,query.marker=,query.prefix=,times=1", 25, 14),
    "append": ("reset,method=POST,path=/b/log,query.append=,times=1,when=after", 25, 3),
    "third": ("cos:SlowDown,method=PUT,path=/b/3,times=1", 42, 2),
    "threads": ("reset,method=PUT,path=/b/big,query.partNumber=3,query.uploadId=,times=1", 98, 7),
    "overwrite": ("reset,method=PUT,path=/b/state,skip=4,times=1", 81, 6),
    "queue": ("truncate,method=GET,path=/b/queue,query.pop=,times=1", 32, 6),
    "short": ("truncate,method=GET,path=/b/film,times=1", 9, 1),
    "late": ("hang,method=GET,path=/b/state,times=1,duration=2500ms", 9, 1),
}
QUICK = ("copy", "append", "queue", "short")
"""One bug of each kind, with few runs: lost answer, error in a 200, short body."""

# A CreateMultipartUpload whose answer is lost, sent again, leaves an upload that nobody knows of.
LEAKING = ("rewind", "move", "threads")


def explore(name, *faults, right, depth=1):
    """All runs; the failure if there was one."""
    with Client() as client:
        return exploring(
            lambda: CLIENTS[name](client, right), *(faults or ("cos",)), depth=depth, max_runs=1000
        )


@pytest.mark.parametrize("name", others_slowly(FOUND, lambda name: name in QUICK))
def test_it_is_found(name):
    """One cause is reported, with the smallest scenario, and its marker shows the failure again."""
    smallest, runs, failed = FOUND[name]
    exploration, error = explore(name, right=False)
    assert (len(exploration.runs), sum(each.failed for each in exploration.runs)) == (runs, failed)
    markers = re.findall(r'^  replay: @pytest\.mark\.faultinject\("(.+)"\)$', str(error), re.MULTILINE)
    assert markers == [smallest]
    # The failure is raised from the error of the run that is shown; other runs keep none.
    assert [each.error for each in exploration.runs if each.error is not None] == [error.__cause__]
    assert (type(error.__cause__), error.__cause__.__traceback__ is None) == (AssertionError, False)
    with Client() as client, faultinject.inject(smallest) as faults, pytest.raises(AssertionError) as again:
        CLIENTS[name](client, right=False)
    assert faults.injected == 1
    assert str(again.value).splitlines()[:1] == str(error.__cause__).splitlines()[:1]


@pytest.mark.slow
def test_a_shared_budget_takes_two_faults():
    """One retry for the whole job survives any one fault; depth 2 finds the pair as one rule."""
    assert explore("budget", right=False)[1] is None
    exploration, error = explore("budget", right=False, depth=2)
    [smallest] = re.findall(r'^  replay: @pytest\.mark\.faultinject\("(.+)"\)$', str(error), re.MULTILINE)
    assert smallest == "reset,method=PUT,path=/b/0,times=2"
    assert all(len(each.points) == 2 for each in exploration.runs if each.failed)
    with Client() as client, faultinject.inject(smallest), pytest.raises(Exception, match="NetworkError"):
        CLIENTS["budget"](client, right=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_no_alarm(name):
    """A right client passes, with every fault; three leave an upload behind."""
    exploration, error = explore(name, right=True)
    assert error is None
    head, *warnings = without_times(exploration.report()).splitlines()
    # A client may report a fault that stays by what it returns, which its test asserts.
    reported = [each for each in warnings if each.startswith("not judged: failed assertions (AssertionError")]
    assert re.fullmatch(
        r"\d+ requests? without faults, 13 faults; \d+ runs ~, 0 failed(, \d+ gave up cleanly)?"
        rf"(, 1 with a warning)?{', 1 not judged' * len(reported)}",
        head,
    )
    rest = [each for each in warnings if each and "→" not in each and each not in reported]
    assert ["uploads left open" in each for each in rest] == [True] * (name in LEAKING)
    assert all(each.reached and not each.outcomes for each in exploration.runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    fewest([name for name in FOUND if name != "threads"], lambda name: [FOUND[name][0].partition(",")[0]]),
)
def test_no_alarm_at_depth_2(name):
    """Two faults in a row do not break a client with three attempts.

    One client for each fault that shows a bug.
    """
    exploration, error = explore(name, right=True, depth=2)
    assert error is None, error
    assert max(len(each.points) for each in exploration.runs) == 2
    assert "left out:" not in exploration.report()


def test_a_lost_answer_to_a_read():
    """A message that a GET takes from a queue is lost with the answer: this read has an effect."""
    exploration, error = explore("queue", "reset", "reset,when=after", right=False)
    assert "gets: the answer is cut after 0 bytes (reset)" in str(error)
    assert {each.text.endswith(",when=after") for each in exploration.runs if each.failed} == {True}
