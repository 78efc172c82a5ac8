"""The injector: what is in force, on or off, and what the environment says about it."""

import logging
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from faultinject import Injector, Rule, RuleCounts, Scenario
from faultinject.exceptions import ConfigurationError
from tests.asking import get
from tests.injector.children import in_child
from tests.pairs import pairs

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

STAGES = (
    "ENV", "APP_ENV", "ENVIRONMENT", "FLASK_ENV", "DJANGO_ENV", "FASTAPI_ENV", "NODE_ENV", "DEPLOY_ENV", "STAGE"
)  # fmt: skip

APART = (
    "faultinject: several processes count separately and replay is off, because FAULTINJECT_STORE is memory:"
)


def make(rules="http:503", clock=lambda: 1000.0, seed=1, **environ):
    return Injector(rules, seed=seed, clock=clock, environ=environ)


def told(caplog, level=logging.WARNING):
    return [each.getMessage() for each in caplog.records if each.levelno >= level]


def test_use_swaps_whole(caplog):
    """A new scenario counts from zero in a new generation, and keeps the seed unless it has one."""
    injector = make("http:503,times=1")
    assert [get(injector), get(injector)] == [503, 200]
    injector.use("http:500,times=1")
    assert (injector.seed, [get(injector), get(injector)]) == ("1", [500, 200])
    injector.use(Scenario("http:502", seed="other"))
    assert (injector.seed, get(injector)) == ("other", 502)
    injector.use([Rule("http:501")], seed=3)
    assert (injector.seed, get(injector)) == ("3", 501)
    assert [each.generation for each in injector.journal.outcomes] == [0, 0, 1, 1, 2, 3]


def test_a_rule_draws_alike_whatever_stands_before_it():
    """Only rules that are alike count as one more of the same."""
    rule = "http:503,probability=0.5,path=a/"
    alone, second = make(rule), make(f"http:500,path=b/ {rule}")
    drawn = [get(alone, f"/a/{number}") for number in range(20)]
    assert drawn == [get(second, f"/a/{number}") for number in range(20)]
    assert set(drawn) == {200, 503}


def test_the_age_of_a_scenario_is_its_own():
    """A scenario's age counts from its start, by a clock that no test's date changes."""
    injector = Injector("http:503,end=1h http:500,begin=1h", environ={})
    assert get(injector) == 503
    injector.use("http:500,begin=1h http:502,end=1h")
    assert get(injector) == 502


def test_seed_order():
    """In code the order is seed=, the scenario's, FAULTINJECT_SEED.

    From the environment the variable precedes the file's.
    """
    env, own = {"FAULTINJECT_SEED": "env", "FAULTINJECT_RULES": "http:503"}, Scenario("http:503", seed="own")
    given = ((own, 0), (own, None), ("http:503", None), (None, None), (None, "arg"))
    found = [Injector(rules, seed=seed, environ=env).seed for rules, seed in given]
    assert found == ["0", "own", "env", "env", "arg"]


def test_a_seed_is_chosen_and_kept():
    """A random seed stays when the scenario changes, unless the new one has its own."""
    one, two = make(seed=None), make(seed=None)
    seed = one.seed
    assert seed not in {two.seed, "5"}
    assert [one.use(rules).seed for rules in ("http:500", Scenario("http:500", seed=5))] == [seed, "5"]


def test_counts_by_name():
    """Every rule, in order: how many requests met its conditions, how many got its fault."""
    injector = make("http:503,times=1,path=a,name=first http:500,path=a http:502,path=c")
    for _ in range(3):
        get(injector, "/a")
    assert injector.counts() == {
        "first": RuleCounts(3, 1),
        "rule-2": RuleCounts(3, 2),
        "rule-3": RuleCounts(0, 0),
    }
    first = injector.counts()["first"]
    with pytest.raises(AttributeError, match="cannot assign to field 'matched'"):
        first.matched = 0
    with pytest.raises(KeyError, match="'wrong'"):
        first["wrong"]
    assert first["injected"] == 1


def test_it_shows_itself():
    """Rules, seed, and whether it is on; so does its state."""
    injector = make("http:503 reset", seed="a\x1b")
    assert repr(injector) == r"<Injector 2 rules, seed a\x1b, on>"
    injector.disable()
    assert repr(injector.use("http:503", seed=7)) == "<State 1 rule, seed 7, off, generation 2>"
    assert repr(injector) == "<Injector 1 rule, seed 7, off>"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"store": "fil"}, "store: fil is not a store; use memory: or file:DIRECTORY or redis://HOST"),
        (
            {"environ": {"FAULTINJECT_STORE": "fil"}},
            "FAULTINJECT_STORE: fil is not a store; use memory: or file:DIRECTORY or redis://HOST",
        ),
        # A store is text, and checked also where a block counts by itself, whatever is named.
        ({"store": Path("faults")}, "store: PosixPath('faults') is not a store; use memory:"),
        ({"store": "nonsense", "record_all": True}, "store: nonsense"),
    ],
)
def test_what_is_no_store(given, message):
    """Code and environment say the same, each with its own name for it."""
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}"):
        Injector("http:503", **{"environ": {}, **given})


def test_variables_apply_to_rules_in_code():
    """Every variable but FILE, RULES and RULE_* is read."""
    injector = make(
        "cos:SlowDown,bucket=photos",
        FAULTINJECT_RULES="this is not read",
        FAULTINJECT_ENDPOINT="storage.example",
        FAULTINJECT_HEADER="0",
    )
    assert get(injector, "/k", HTTP_HOST="photos.storage.example") == 503
    with pytest.raises(ConfigurationError, match="FAULTINJECT_MAX_ACTIV"):
        make(FAULTINJECT_MAX_ACTIV="1")


PRODUCTION = (
    "{}={} looks like production; to inject there set FAULTINJECT_PRODUCTION=allow and FAULTINJECT_EXPIRES"
    " to at most 24h"
)
ELSEWHERE = "faults are only where APP_ENV=staging (FAULTINJECT_ONLY_WHERE), and APP_ENV {} here"
ONLY = {"FAULTINJECT_ONLY_WHERE": "APP_ENV=staging"}


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        *(
            ({variable: value}, PRODUCTION.format(variable, value.strip()))
            for variable, value in pairs(
                variable=STAGES,
                value=["production", "PROD", "Prod-eu", " prd ", "live", "Live"],
                alike={"variable": lambda variable: None},
            )
        ),
        (ONLY, ELSEWHERE.format("is not set")),
        (ONLY | {"APP_ENV": "staging-eu"}, ELSEWHERE.format("has another value")),
        (ONLY | {"APP_ENV": "Staging"}, ELSEWHERE.format("has another value")),
        (ONLY | {"POD_NAMESPACE": "staging"}, ELSEWHERE.format("is not set")),
        # One variable that fits does not hide what another one says.
        (ONLY | {"APP_ENV": "staging", "STAGE": "prod"}, PRODUCTION.format("STAGE", "prod")),
    ],
)
def test_where_nothing_may_be_injected(environ, why, caplog):
    """The app runs untouched, whatever is put in force; one ERROR says why and how to allow it."""
    injector = make(**environ)
    assert [get(injector), get(injector)] == [200, 200]
    injector.enable()
    injector.use("http:500")
    assert (injector.enabled, get(injector), injector.journal.outcomes) == (False, 200, [])
    assert (told(caplog)[0], caplog.records[0].levelname) == (f"faultinject is off: {why}", "ERROR")


def test_where_faults_are_allowed():
    """By the variable that must say so; in production with an end of at most a day."""
    assert get(make(**ONLY, APP_ENV="staging")) == 503
    assert get(make(ENV="prod", FAULTINJECT_PRODUCTION="allow", FAULTINJECT_EXPIRES="2h")) == 503
    for expires in ("25h", ""):
        with pytest.raises(ConfigurationError, match="allow needs FAULTINJECT_EXPIRES of at most 24h"):
            make(ENV="prod", FAULTINJECT_PRODUCTION="allow", FAULTINJECT_EXPIRES=expires)


def test_kill_switch_is_silent_in_production(caplog):
    """ENABLED=0 says nothing, wherever it is."""
    assert get(make(ENV="prod", FAULTINJECT_ENABLED="0")) == 200
    assert told(caplog) == []


def test_expires_by_duration():
    """Counted from the start of the process, which was not long ago."""
    begun = time.time()
    now = [begun]
    injector = make(clock=lambda: now[0], FAULTINJECT_EXPIRES="1000h")
    for passed, status in ((0.0, 503), (3_590_000.0, 503), (3_600_000.0, 200)):
        now[0] = begun + passed
        assert get(injector) == status
    assert get(make(clock=lambda: now[0], FAULTINJECT_EXPIRES="1000h")) == 200


def test_the_end_is_said(caplog):
    """The end is logged once a process, with the number of faults given until then.

    At the first request that might have got a fault. A moment is logged once in a process, so each test has its own.
    """
    now = [1_000_000_000.0]
    end = {"FAULTINJECT_EXPIRES": "2001-09-09T01:46:50Z"}
    injector = make("http:503,path=photos/", clock=lambda: now[0], **end)
    other = make("http:500,times=1", clock=lambda: now[0], **end)
    assert [get(injector, "/photos/cat"), get(other), get(other)] == [503, 500, 200]
    caplog.clear()
    now[0] += 10
    assert get(injector, "/dogs") == 200
    assert caplog.messages == [], "no rule was for it"
    for each in (injector, other, injector):
        assert get(each, "/photos/cat") == 200
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        (
            "WARNING",
            "faultinject is off: FAULTINJECT_EXPIRES passed at 2001-09-09T01:46:50Z, 2 faults were injected",
        )
    ]


def test_the_end_of_one_fault(caplog, tmp_path):
    """Injectors of one store have injected what it says once."""
    now = [1_000_000_000.0]
    more = {"FAULTINJECT_EXPIRES": "2001-09-09T01:47:00Z", "FAULTINJECT_STORE": f"file:{tmp_path / 'store'}"}
    injectors = [make("http:503,times=1", clock=lambda: now[0], **more) for _ in range(2)]
    assert [get(each) for each in injectors] == [503, 200]
    now[0] += 20
    assert [get(each) for each in injectors] == [200, 200]
    assert caplog.messages[-1].endswith("passed at 2001-09-09T01:47:00Z, 1 fault was injected")


def test_the_end_is_said_in_every_process(caplog):
    """A child says it for itself, whatever its parent has said."""
    now = [0.0]
    injector = make(
        clock=lambda: now[0], FAULTINJECT_EXPIRES="1970-01-01T00:00:05Z", FAULTINJECT_STORE="memory:"
    )
    get(injector)
    now[0] = 5.0
    get(injector)
    said = len(caplog.messages)
    assert in_child(lambda: [get(injector), get(injector), *caplog.messages[said:]])[2:] == [
        APART,
        "faultinject is off: FAULTINJECT_EXPIRES passed at 1970-01-01T00:00:05Z, 0 faults were injected",
    ]


def test_the_start_is_announced_once(caplog):
    """Scenario and seed at WARNING: a rule that a shell cut short is visible."""
    injector = make("cos:SlowDown,times=2,path=photos/ http:503", seed="s")
    for _ in range(3):
        get(injector)
    assert told(caplog) == ["faultinject is on: seed s, rules cos:SlowDown,path=photos/,times=2 http:503"]


def draws(rules="http:503,probability=0.5", **more):
    """The results of 64 requests in an injector of their own with counts in memory."""
    injector = make(rules, seed="same", FAULTINJECT_STORE="memory:")
    return [get(injector, f"/{number}", **more) for number in range(64)]


@pytest.mark.parametrize("module", ["gunicorn.arbiter", "multiprocessing.process"])
def test_several_processes_draw_independently(module, monkeypatch, caplog):
    """With `memory:` each process draws with a number of its own, and the log says so."""

    def work():
        """Serve."""

    work.__module__ = "uvicorn._subprocess"
    process = SimpleNamespace(current_process=lambda: SimpleNamespace(_target=work))
    monkeypatch.setitem(sys.modules, module, process)
    assert draws() != draws()
    assert told(caplog)[:2] == ["faultinject is on: seed same, rules http:503,probability=0.5", APART]


def test_wsgi_multiprocess_separates_at_the_first_request(caplog):
    """A server that says `wsgi.multiprocess` says it with the request; once is enough."""
    says = {"wsgi.multiprocess": True}
    assert draws(**says) != draws(**says)
    assert told(caplog).count(APART) == 2


def test_a_fork_separates():
    """Forked workers draw independently, and their parent goes on as before."""
    injector = make("http:503,probability=0.5", seed="same", FAULTINJECT_STORE="memory:")

    def run():
        found = [get(injector, f"/{number}") for number in range(64)]
        return found, [each.pid for each in injector.journal.outcomes]

    expected = draws()
    get(injector, "/before")
    parent = os.getpid()
    children = [in_child(run) for _ in range(2)]
    assert children[0][0] != children[1][0] != expected
    assert [(len(set(pids)), parent in pids, len(pids)) for _, pids in children] == [(1, False, 64)] * 2
    assert run()[0] == expected


@pytest.fixture
def bringing():
    """A thread has begun to read its request's rules.

    What brings them too, the thread's future, and what ends it.
    """
    began, goes_on = Event(), Event()

    def clock():
        if threading.current_thread() is not threading.main_thread():
            began.set()
            assert goes_on.wait(60)
        return 1000.0

    injector = make("http:418,path=/tea", clock=clock, FAULTINJECT_ON_REQUEST="1")
    bring = partial(get, injector, HTTP_X_FAULTINJECT_RULES="http:503,times=1")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(bring)
        assert began.wait(60)
        yield bring, first, goes_on
        goes_on.set()


def test_a_fork_while_another_thread_brings_rules(bringing):
    """A child does not wait for a thread that it lacks, and counts its own requests from zero.

    The fork comes while another thread reads new rules.
    """
    bring, first, _ = bringing
    assert in_child(lambda: [bring(), bring()]) == [503, 200]
    assert not first.done(), "somebody waited for the thread"


def test_two_requests_that_bring_the_same_rules_at_once(bringing):
    """They count together, whichever of them has compiled them first."""
    bring, first, goes_on = bringing
    assert (bring(), first.done()) == (503, False), "somebody waited for the thread"
    goes_on.set()
    assert [first.result(60), bring()] == [200, 200]


def test_a_fork_while_another_thread_changes():
    """A thread of the parent that holds our locks does not exist in the child."""
    injector, other = make("http:503"), make("http:500")
    goes_on = True

    def change():
        while goes_on:
            other.add("http:404,path=never")
            other.remove("rule-2")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(5):
            assert in_child(lambda: [get(injector), get(other)]) == [503, 500]
    finally:
        goes_on = False
        thread.join()


def test_what_has_expired_is_not_said_to_be_on(caplog):
    """Expired faults are not announced as on."""
    Injector("http:503", environ={"FAULTINJECT_EXPIRES": "2020-02-03T04:05:06Z"}).announce()
    assert caplog.messages == ["faultinject is off: FAULTINJECT_EXPIRES has passed"]
