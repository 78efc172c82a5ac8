"""Processes that change what is in force at the same time, or are killed while they do."""

import os
import signal
from functools import partial

import pytest

from faultinject import Injector, RuleCounts
from tests.asking import get
from tests.injector.children import in_children

# Python 3.12 and later warn of a fork in a process that had threads.
pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def make(store, rules="http:503,times=20,path=a,name=a"):
    return Injector(rules, store=store, seed=1, environ={})


def make_anew(store, rules):
    """An injector whose rules replace those of the others."""
    return make(f"{store}{'&' if '?' in store else '?'}replace", rules)


def test_no_change_of_many_is_lost(shared):
    """Four processes change rules while all are asked, and `times` stays exact.

    They add, replace and switch without looking.
    """

    def work(process):
        statuses = []
        for number in range(5):
            name = f"p{process}-{number}"
            injector.add(f"http:500,path=b,name={name}")
            statuses += [get(injector, "/a") for _ in range(3)]
            injector.disable_rule(name)
            injector.replace(name, f"http:502,path=b,name={name}")
            if number % 2:
                injector.remove(name)
        return statuses

    injector = make(shared)
    found = in_children(*(partial(work, process) for process in range(4)))
    state = injector.state
    rest = [get(injector, "/a") for _ in range(3)]
    assert sum(each.count(503) for each in found) + rest.count(503) == 20
    assert {*state.scenario.display_names} == {
        "a", *(f"p{process}-{number}" for process in range(4) for number in (0, 2, 4))
    }  # fmt: skip
    assert {*state.disabled} == {*state.scenario.display_names} - {"a"}
    assert len({*state.places}) == 13
    assert get(injector, "/b") == 200
    counts = injector.counts()["a"]
    # On a busy machine another process may have the lock for long: such a request passes, and counts as failed.
    assert (counts.matched + counts.failed, counts.injected) == (63, 20)
    assert state.generation == 1 + 20 + 20 + 20 + 8


STEPS = ("open", "pwrite", "ftruncate", "unlink", "fdopen", "listdir")


@pytest.mark.parametrize("change", ["use", pytest.param("add", marks=pytest.mark.slow)])
def test_a_process_that_is_killed_while_it_publishes(tmp_path, change):
    """If a process dies while it publishes, others have the old rules or the new ones, whole.

    At whatever step; with their counts, and they may change them.
    """
    store = f"file:{tmp_path / 'store'}"
    injector = make(store, "http:503,times=100,path=a,name=a")
    counted = 0
    for at in range(1, 1000):
        before = injector.state
        pid = os.fork()
        if not pid:
            left = at
            for name in STEPS:
                real = getattr(os, name)

                def step(*given, real=real, **named):
                    nonlocal left
                    left -= 1
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*given, **named)

                setattr(os, name, step)
            try:
                getattr(injector, change)(
                    "http:503,times=100,path=a" if change == "use" else "http:500,path=b"
                )
            finally:
                os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        assert get(injector, "/a") == 503
        counted += 1
        found = injector.state
        changed = found.generation != before.generation
        assert found.generation == before.generation + changed
        if changed and change == "use":
            counted = 1
        rules = len(before.scenario.rules) + (changed and change == "add")
        assert len(found.scenario.rules) == len(found.places) == rules
        assert make(store, found.scenario).state.to_data() == found.to_data()
        assert next(iter(injector.counts().values())) == RuleCounts(counted, counted)
        assert changed or killed
        if not killed:
            break
    assert len(STEPS) < at < 999


@pytest.mark.parametrize("why", ["", "5xx>5%/1m: 9 of 100"])
def test_other_rules_do_not_switch_on_what_was_switched_off(shared, why, caplog):
    """New rules do not switch faults on that a person, or the app's failures, switched off.

    By `?replace` as by `use`, in the log too.
    """
    make(shared).disable(why=why)
    other = make_anew(shared, "http:504,name=b")
    other.announce()
    state = other.state
    assert ([*state.scenario.display_names], state.on, state.why_off) == (["b"], False, why)
    assert get(other) == 200
    told = "faultinject is off: it was switched off for all processes of its store"
    assert caplog.messages[-1] == (f"{told}: {why}" if why else told)
    other.enable()
    assert get(other) == 504


def test_other_rules_do_not_lengthen_the_time(shared):
    """Faults for ten minutes end when they end, whoever brings other rules meanwhile."""
    first = make(shared)
    until = first.enable(until=first.clock() + 600).until
    assert make_anew(shared, "http:504").state.until == until
