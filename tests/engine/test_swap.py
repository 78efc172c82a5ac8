"""A scenario is swapped at once: every request is decided by exactly one."""

import threading

import pytest

from faultinject import Rule, Scenario
from faultinject.exceptions import ConfigurationError


def test_a_request_is_decided_by_one_scenario(site, in_many_threads):
    """While rules are swapped, each request's status, rule and generation belong together."""
    scenarios = [
        Scenario(Rule(f"http:{500 + number}", name=f"g{number}"), seed=number) for number in range(50)
    ]
    made = site(scenarios[0], seed=None)
    asking = set(range(1, 7))
    wanted, swapped = threading.Semaphore(0), threading.Semaphore(0)

    def work(thread):
        if thread == 0:
            swaps = 0
            while asking:
                wanted.acquire(timeout=0.05)
                swaps += 1
                made.injector.use(scenarios[swaps % 50])
                swapped.release()
            return []
        answers = []
        try:
            for number in range(400):
                if number % 40 == 0:
                    wanted.release()
                    swapped.acquire()
                answers.append((f"/t{thread}/{number}", made.ask(f"PUT /t{thread}/{number}")))
            return answers
        finally:
            asking.discard(thread)

    answers = dict(each for asked in in_many_threads(7, work) for each in asked)
    outcomes = {each.path: each for each in made.outcomes}
    assert len(answers) == len(outcomes) == 2400
    for path, rule in answers.items():
        outcome = outcomes[path]
        number = outcome.generation % 50
        assert (rule, outcome.rule, outcome.fault, outcome.status, outcome.seed) == (
            (f"g{number}", f"g{number}", f"http:{500 + number}", 500 + number, str(number))
        )
    assert len({each.generation for each in outcomes.values()}) > 10


@pytest.mark.parametrize(
    "wrong",
    [
        "cos:NoSuchThing",
        "http:503,probability=2",
        "http:503,name=a http:502,name=a",
        "http:503,tmies=2",
        ["http:503", 7],
    ],
)
@pytest.mark.parametrize("how", ["use", "add"])
def test_a_wrong_scenario_leaves_the_old_one_working(site, wrong, how):
    """Its rules, seed, counts and generation: as if nobody had asked."""
    made = site("http:503,times=3,name=old", "7")
    assert made.ask() == "old"
    plan, scenario = made.injector.plan, made.injector.scenario
    with pytest.raises(ConfigurationError):
        getattr(made.injector, how)(wrong)
    assert (made.injector.plan, made.injector.scenario, made.injector.seed) == (plan, scenario, "7")
    answers, generations = made.asks(["GET /"] * 3), {each.generation for each in made.outcomes}
    assert (answers, generations) == (["old", "old", None], {0})


def test_off_means_untouched_and_on_goes_on(site):
    """Counts are kept while it is off, and nothing is counted."""
    made = site("http:503,times=3")
    assert made.ask() == "rule-1"
    made.injector.disable()
    assert made.asks(["GET /"] * 3) == [None] * 3
    made.injector.enable()
    assert made.asks(["GET /"] * 3) == ["rule-1", "rule-1", None]
    assert made.counts == {"rule-1": (4, 3)}
