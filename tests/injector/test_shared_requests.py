"""One request's use of shared counts: its locks, and its end if others have the lock."""

import fcntl
from pathlib import Path
from unittest.mock import patch

import pytest

from faultinject import Injector, RuleCounts
from tests.asking import ask, get
from tests.injector.children import in_child
from tests.locked import locked

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

BUSY = "faultinject: another process held the store's lock for too long: 1 request passed without a decision"


@pytest.fixture
def make(place):
    """An injector on the store."""
    return lambda rules, **environ: Injector(rules, seed=1, store=f"file:{place}", environ=environ)


def holds(injector, requests=5):
    """The number of times that requests took the lock."""
    lock = injector._count_storage.store.lock
    with patch.object(lock, "_flock", wraps=lock._flock) as flock:
        for _ in range(requests):
            get(injector)
    assert injector.errors == []
    return sum(each.args[1] != fcntl.LOCK_UN for each in flock.call_args_list)


NEEDS_NONE = [
    "http:503",
    "cos:SlowDown",
    "cos:SlowDown,path=/**,delay=1ms",
    "drip,of=cos:SlowDown,rate=1MB",
    "http:503,probability=0",
    "http:503,times=0",
    "cos:SlowDown,probability=0.5,times=0",
    "http:503,times=3",
    "http:503,times=3,per=call",
    "http:503,times=3 cos:SlowDown",
    "http:503,probability=0 http:500,times=2,per=key latency,delay=0s",
]
NEEDS_ONE = [
    "http:503,times=100",
    "http:503,times=100,per=call",
    "http:503,probability=0.5",
    "http:503,probability=0.5,times=100",
    "http:503,probability=0.5,times=1",
    "http:503,skip=1",
    "http:503,every=2",
    "http:503,above=1/s",
    "cos:@server",
    "http:503,delay=1ms..2ms",
    "cos:AccessDenied,status=200,share=0.5",
    "corrupt",
    "drip,of=cos:@server,rate=1MB",
    "http:503,times=100,path=dogs/ http:500,times=100",
    "http:503,probability=0.000001,times=3 http:500",
    "http:503,probability=0.000001,times=3 http:500,probability=0.000001,times=3",
    "http:503,times=1 http:500,times=100 http:502,probability=0.5",
]


@pytest.mark.parametrize(
    ("rules", "needed"), [*((each, 0) for each in NEEDS_NONE), *((each, 5) for each in NEEDS_ONE)]
)
def test_one_hold_serves_a_whole_request(make, place, rules, needed):
    """Match, take and what is counted with them, whatever is drawn in between and whoever fires.

    Where nothing depends on a number, none is needed: the process has its rows by then, and `times` is spent. The lock
    is free while an answer is made, and when the journal gets its line, also for requests that pass.
    """
    injector = make(rules)
    free = []

    def look(_):
        with locked(place / "lock"):  # which would block for ever
            free.append(True)

    injector.journal.follow(look)
    for _ in range(4):
        get(injector)
    assert (holds(injector), len(free) >= 9) == (needed, True)


@pytest.mark.parametrize("rules", ["http:503,probability=0.5,times=9", "http:503,times=9"])
def test_an_error_of_ours_leaves_the_lock_free(make, place, rules):
    """Between match and take, and when the answer is made."""
    injector = make(rules)
    rule = injector.own_plan.ready(0)
    with patch.object(rule, "act" if rule.always_fires else "drawn", side_effect=ZeroDivisionError):
        assert get(injector) == 200
    with locked(place / "lock"):
        pass
    assert [type(each) for each in injector.errors] == [ZeroDivisionError]
    found = [get(injector) for _ in range(40)]
    assert found.count(503) == 9, "a take of a fault that was not given goes back"


def test_a_refused_fault_is_given_back(make):
    """Too many under way: what it took is there for the next one."""
    injector = make("http:503,times=2", FAULTINJECT_MAX_ACTIVE="1")
    services = injector.own_plan.services
    assert services.begin()
    assert [get(injector) for _ in range(3)] == [200] * 3
    services.finish()
    assert [get(injector) for _ in range(3)] == [503, 503, 200]
    assert injector.counts() == {"rule-1": RuleCounts(6, 2)}


def test_a_lock_that_others_have_costs_single_requests(make, place, caplog):
    """A lock that others have costs single requests, and is no failure of the store.

    The next request gets its fault, and the journal shows those missed.
    """
    injector = make("http:503,times=9,path=photos/ http:500")
    assert get(injector, "/photos/a") == 503
    with locked(place / "lock"):
        assert [get(injector, path) for path in ("/photos/a", "/photos/b", "/dogs")] == [200, 200, 500]
    assert get(injector, "/photos/a") == 503
    did = [(each.did, each.rule, each.status) for each in injector.journal.outcomes]
    injected = ("answered", "rule-1", 503)
    failed = ("failed", None, None)
    assert did == [injected, failed, failed, ("answered", "rule-2", 500), injected]
    assert injector.counts() == {
        "rule-1": RuleCounts(2, 2, 2),
        "rule-2": RuleCounts(3, 1, 2),
    }
    assert (injector.undecided, injector.failures, injector.errors) == (2, 0, [])
    assert caplog.messages[1:] == [
        f"faultinject: several processes share their counts in {injector.counted_in}, seed 1",
        BUSY,
    ]


def test_errors_of_ours_are_counted_as_failed(make):
    """With whatever was met, of any store."""
    for injector in (make("http:503"), Injector("http:503", environ={})):
        rule = injector.own_plan.ready(0)
        rule.act = lambda *_: 1 / 0
        found = (get(injector), injector.counts(), injector.undecided)
        assert found == (200, {"rule-1": RuleCounts(1, 0, 1)}, 0)


def test_rules_that_need_no_counts_are_counted_in_all_processes(make):
    """Each process in its own rows; the sums are exact, also of those that have ended."""
    injector = make("cos:SlowDown,path=photos/ http:500,times=3")
    paths = ["/photos/cat.jpg", "/dogs"] * 10
    found = [in_child(lambda: [get(injector, each) for each in paths]) for _ in range(4)]
    found.append([get(injector, each) for each in paths])
    statuses = [each for some in found for each in some]
    assert (statuses.count(503), statuses.count(500)) == (50, 3)
    expected = {"rule-1": RuleCounts(50, 50), "rule-2": RuleCounts(100, 3)}
    assert injector.counts() == make("cos:SlowDown,path=photos/ http:500,times=3").counts() == expected
    assert injector.injected == 53


def test_ids_differ_though_nobody_counts(make, place):
    """Of all processes; and replayed one after another they are the same again."""

    def ids(injector):
        return [ask(injector)[1]["x-qs-request-id"] for _ in range(20)]

    injector = make("qingstor:internal_error")
    found = [ids(injector), in_child(lambda: ids(injector)), in_child(lambda: ids(injector))]
    assert len({each for some in found for each in some}) == 60
    assert {each.n for each in injector.journal.outcomes} == {None}


def test_numbers_are_told_where_they_are_counted(make):
    """n is the journal's word for what was drawn with."""
    injector = make("http:503,probability=0.5,times=1")
    for _ in range(3):
        get(injector)
    assert [each.n for each in injector.journal.outcomes] == [0, 1, 2]
    assert Path(injector.counted_in).is_dir()
