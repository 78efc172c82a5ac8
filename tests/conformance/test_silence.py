"""A client that has fallen silent, and one that only waits."""

import pytest

from faultinject import Attempt
from faultinject.conformance.breach import find_silence
from faultinject.journal.call_window import CallWindow
from tests.journals import line
from tests.rows import each_row

FINE = {"fault": None, "did": "passed", "status": 200}
FAILED = {"fault": "cos:SlowDown", "did": "answered", "status": 503}


def window(key, began, ended=None):
    return CallWindow(key.partition("-")[0], began, ended, None if ended is None else True, key=key)


def asked(key, at, kind=FINE, **more):
    return Attempt.of(line(at, kind, path=f"/bucket/{key}", **{"applied": True, **more}))


@each_row(
    ("calls", "requests", "until", "silent"),
    [
        # Nothing is open.
        ([window("a-1", 0, 1)], [asked("a-1", 0.5)], 60, None),
        # Asked for, and never begun; or answered, and the caller never told.
        ([window("a-1", 0)], [], 1.9, None),
        ([window("a-1", 0)], [], 2.1, 2.1),
        ([window("a-1", 0)], [asked("a-1", 1)], 2.9, None),
        ([window("a-1", 0)], [asked("a-1", 1)], 3.1, 2.1),
        # Another call ended meanwhile, or another request came.
        ([window("a-1", 0), window("a-2", 0, 5)], [], 6, None),
        ([window("a-1", 0), window("a-2", 0)], [asked("a-2", 5)], 6, None),
        # Another call may be waiting before it tries again: longer than it ever waited.
        ([window("a-1", 0), window("a-2", 0)], [asked("a-2", 1, FAILED)], 9, None),
        ([window("a-1", 0), window("a-2", 0)], [asked("a-2", 1, FAILED)], 11.1, 10.1),
        ([window("a-1", 0), window("a-2", 0)], [asked("a-2", 1, FAILED), asked("a-2", 4, FAILED)], 9, None),
        ([window("a-1", 0), window("a-2", 0)], [asked("a-2", 1, FAILED), asked("a-2", 4, FAILED)], 10.1, 6.1),
        # All that are open may be waiting.
        ([window("a-1", 0)], [asked("a-1", 1, FAILED)], 29, None),
        ([window("a-1", 0)], [asked("a-1", 1, FAILED), asked("a-1", 2, FAILED)], 3.9, None),
        ([window("a-1", 0)], [asked("a-1", 1, FAILED), asked("a-1", 2, FAILED)], 4.1, 2.1),
    ],
)
def test_silence(calls, requests, until, silent):
    """For as long as it takes until a wait can be ruled out."""
    found = find_silence(calls, requests, until=until, deadline=30)
    assert (found and found.seconds) == (None if silent is None else pytest.approx(silent, abs=0.01))
    if found:
        assert list(found.calls) == [each for each in calls if each.ended is None]


def test_a_short_deadline():
    """Half of it is enough for one that has nothing to wait for; a wait may still be longer."""
    idle, waits = [window("a-1", 0)], [asked("a-1", 0.1, FAILED)]
    assert find_silence(idle, [], until=1, deadline=1) is not None
    assert find_silence(idle, [], until=0.4, deadline=1) is None
    assert find_silence(idle, waits, until=1, deadline=1) is None


def test_an_answer_that_never_came_is_no_failure_to_wait_out():
    """The request is on its way, or its answer is: its caller is to be told."""
    calls = [window("a-1", 0)]
    found = find_silence(calls, [asked("a-1", 1, answered=None, status=None)], until=4, deadline=30)
    assert found.seconds == 3
