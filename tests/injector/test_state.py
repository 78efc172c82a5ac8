"""Rules and switches are one value that all processes of a store share and change."""

import json

import pytest

from faultinject import Injector, Rule
from faultinject.counts import redis_store
from faultinject.exceptions import ConfigurationError, ConflictError, StoreUnavailableError
from tests.asking import get
from tests.refusals import refusal

NOW = 1_700_000_000.0

SHARED = [pytest.param(each, marks=pytest.mark.live) for each in ("file", "redis")]
IN_PROCESSES = pytest.mark.parametrize("make", SHARED, indirect=True)


@pytest.fixture(params=["memory", *SHARED])
def make(request, new_url, monkeypatch, at_once):
    """`make(rules)`: two injectors of one store; each sees the other's changes at once."""
    store = new_url(request.param)
    # A server is asked at each request, which waits for what is new.
    monkeypatch.setattr(redis_store, "PAUSE", 0.0)
    now = [NOW]

    def make(rules, **named):
        made = [
            Injector(rules, store=store, environ={}, clock=lambda: now[0], **{"seed": 1, **named})
            for _ in range(1 if request.param == "memory" else 2)
        ]
        return made[0], made[-1], now

    make.store = store
    return make


def told(injector):
    return {name: (each.matched, each.injected) for name, each in injector.counts().items()}


def test_counts_go_on_while_another_rule_is_edited(make):
    """Counts survive edits of other rules, exactly; an edited rule begins at zero."""
    one, other, _ = make("http:503,times=5,path=a,name=a http:500,times=2,path=b http:429,times=2,path=c")
    assert [get(each, path) for each in (one, other) for path in ("/a", "/b", "/c")] == [503, 500, 429] * 2
    one.replace("rule-2", "http:502,times=3,path=b")
    assert [get(other, path) for path in ("/a", "/b", "/c")] == [503, 502, 200]
    other.add("http:418,path=d,times=1")
    one.remove("rule-3")
    assert told(other) == told(one) == {"a": (3, 3), "rule-2": (1, 1), "rule-3": (0, 0)}
    assert [get(each, "/a") for each in (one, other, one)] == [503, 503, 200]
    assert [get(each, "/b") for each in (one, other, one)] == [502, 502, 200]
    assert [get(each, "/d") for each in (one, other)] == [418, 200]
    assert told(one) == told(other) == {"a": (6, 5), "rule-2": (4, 3), "rule-3": (2, 1)}
    assert one.injected == other.injected == 5 + 2 + 2 + 3 + 1


def test_places_are_never_used_again(make):
    """A rule that comes back is a new one, which was never counted."""
    one, other, _ = make("http:503,times=1 http:500,times=1")
    assert [get(one), get(one), get(one)] == [503, 500, 200]
    for injector in (one, other):
        injector.remove("rule-2")
        injector.add("http:500,times=1")
        assert [get(one), get(one)] == [500, 200]
    injector.replace("rule-1", "http:503,times=2")
    injector.replace("rule-1", "http:503,times=1")
    assert [get(other), get(one)] == [503, 200]
    assert tuple(one.state.places) == tuple(other.state.places) == (5, 3)


def test_the_same_rule_again_changes_nothing(make):
    """Its counts go on."""
    one, other, _ = make("http:503,times=2")
    assert get(one) == 503
    other.replace("rule-1", Rule("http:503", times=2))
    assert [get(one), get(other)] == [503, 200]


@pytest.mark.parametrize(
    "rules", ["http:503,probability=0.5 " * 4, "cos:@server,probability=0.5,path=a/* " * 4]
)
def test_draws_are_what_they_were(make, rules):
    """Of twins too, whichever of them is switched off, on again, replaced or taken away."""
    paths = [f"/a/{number}" for number in range(30)]

    def draws(injector, twin):
        plan = injector.own_plan
        return [plan.ready(plan.places.index(twin)).drawn(f"GET {path}", 0) for path in paths]

    twin = rules.split()[0]
    alone = Injector(f"{rules} {twin}", seed=1, environ={})
    expected = [draws(alone, number) for number in range(5)]
    one, other, _ = make(rules)
    one.disable_rule("rule-2")
    assert get(other, "/a/x") in {200, *range(500, 600)}
    assert [draws(other, twin) for twin in (3, 0, 2)] == [expected[3], expected[0], expected[2]]
    assert one.state.disabled == other.state.disabled == ("rule-2",)
    other.enable_rule("rule-2")
    assert get(one, "/a/x") in {200, *range(500, 600)}
    assert [draws(one, twin) for twin in (3, 1)] == [expected[3], expected[1]]
    one.replace("rule-1", "http:418,path=never")
    other.remove("rule-2")
    assert get(one, "/a/x") in {200, *range(500, 600)}
    assert [draws(one, twin) for twin in (2, 3)] == [expected[2], expected[3]]
    one.add(f"{twin} {twin}")
    assert [draws(one, place) for place in (2, 3, 5, 6)] == [expected[2], expected[3], *expected[:2]]
    other.add(twin)
    assert draws(other, 7) == expected[4], "those between are kept, and keep theirs"


def test_a_rule_that_takes_a_shown_name_changes_no_draws(make):
    """A rule keeps its draws when another takes its shown name.

    The rule that is called `rule-1` by its place is called `rule-2` from then on.
    """
    rule = "http:503,probability=0.5"
    one, other, _ = make(rule)
    alone = Injector(rule, seed=1, environ={})
    paths = [f"/{number}" for number in range(20)]
    before = [get(one, path) for path in paths]
    other.add("http:500,path=none,name=rule-1")
    assert before + [get(one, path) for path in paths] == [get(alone, path) for path in paths * 2]


def test_a_rule_that_is_switched_off_is_matched_by_nothing(make):
    """A disabled rule matches nothing and keeps its counts; edits keep its name and switch."""
    one, other, _ = make("http:503,times=2 http:500,path=b http:429")
    assert get(one) == 503
    one.disable_rule("rule-1")
    assert [get(other), get(one, "/b")] == [429, 500]
    assert told(other) == {"rule-1": (1, 1), "rule-2": (1, 1), "rule-3": (3, 1)}
    other.disable_rule("rule-3")
    assert get(one) == 200
    one.remove("rule-2")
    assert one.state.disabled == other.state.disabled == ("rule-1", "rule-2")
    one.replace("rule-2", "http:502,name=new")
    assert other.state.disabled == ("rule-1", "new")
    other.enable_rule("rule-1")
    assert [get(one), get(other)] == [503, 200]
    other.reset()
    assert one.state.disabled == ("new",)
    assert [get(one), get(other), get(one)] == [503, 503, 200]
    one.use("http:418")
    assert other.state.disabled == ()


WRONG = [
    (lambda one: one.remove("rule-3"), "rule-3 is not the name of a rule; did you mean rule-2?"),
    (
        lambda one: one.replace("frist", "http:500"),
        "frist is not the name of a rule; did you mean first?",
    ),
    (lambda one: one.disable_rule("x"), "x is not the name of a rule"),
    (lambda one: one.enable_rule("rule-1"), "rule-1 is not the name of a rule; did you mean rule-2?"),
    (
        lambda one: one.replace("first", "http:500 http:501"),
        "first: one rule is replaced by one rule, not by 2",
    ),
    (lambda one: one.replace("first", ""), "first: one rule is replaced by one rule, not by 0"),
    (lambda one: one.replace("rule-2", "http:500,name=first"), "first"),
    (lambda one: one.add("http:500,name=first"), "first"),
    (lambda one: one.enable(until=NOW), "until: 1700000000.0 is not a moment in the future"),
    (lambda one: one.enable(until=float("nan")), "until: nan is not a moment in the future"),
    (lambda one: one.enable(until=True), "until: True is not a moment in the future"),
    (lambda one: one.enable(until="10m"), "until: '10m' is not a moment in the future"),
]


def test_what_is_wrong_changes_nothing(make, subtests):
    """And says what would be right."""
    one, other, _ = make("http:503,times=99,name=first http:429")
    before = one.state
    for change, why in WRONG:
        with subtests.test(why):
            assert why in str(refusal(change, one))
            assert (one.state, get(other), other.state.generation) == (before, 503, before.generation)


def test_an_empty_scenario_has_no_names(make):
    """The message does not look for a near one."""
    one, _, _ = make([])
    with pytest.raises(ConfigurationError, match=r"^there is no rule$"):
        one.remove("rule-1")


CHANGES = [
    lambda one, expected: one.use("http:500", expected=expected),
    lambda one, expected: one.add("http:500", expected=expected),
    lambda one, expected: one.replace("rule-1", "http:500", expected=expected),
    lambda one, expected: one.remove("rule-1", expected=expected),
    lambda one, expected: one.disable_rule("rule-1", expected=expected),
    lambda one, expected: one.enable_rule("rule-1", expected=expected),
    lambda one, expected: one.reset(expected=expected),
    lambda one, expected: one.disable(expected=expected),
    lambda one, expected: one.enable(expected=expected),
]


@pytest.mark.parametrize("change", CHANGES)
def test_who_comes_second_is_told(make, change):
    """A change based on an old generation is refused, and works after another look."""
    one, other, _ = make("http:503,times=9")
    seen = one.state.generation
    other.add("http:429,path=b")
    now = other.state.generation
    with pytest.raises(
        ConflictError, match=f"^generation {now} is in force, not {seen}: it was changed since$"
    ):
        change(one, seen)
    assert [str(each) for each in one.state.scenario.rules] == ["http:503,times=9", "http:429,path=b"]
    assert (get(one), one.state.generation) == (503, now)
    assert change(one, now).generation == one.state.generation == other.state.generation == now + 1


def test_on_and_off_are_shared(make):
    """Whoever switches off does so for all; what is counted stays."""
    one, other, _ = make("http:503,times=2")
    assert get(other) == 503
    one.disable(why="too many errors")
    assert [get(other), get(one), one.enabled, other.enabled] == [200, 200, False, False]
    assert (other.state.on, other.state.why_off) == (False, "too many errors")
    one.use("http:500,times=2")
    assert [get(other), get(one)] == [200, 200], "swapping is not switching on"
    other.enable()
    assert (one.state.on, one.state.why_off) == (True, "")
    assert [get(one), get(other), get(one)] == [500, 500, 200]


def test_what_passed_is_told_by_all(make):
    """`passed` adds up all processes' undecided requests, and `reset` begins anew.

    Too many under way, the store, an error: each process has some of them.
    """
    one, other, _ = make("http:503")
    services = one.own_plan.services
    assert not all(services.begin() for _ in range(10_000))
    other.own_plan.services.failed(StoreUnavailableError("gone"), "")
    other.own_plan.services.failed(ValueError(), "")
    assert get(one) == 200
    assert one.passed() == other.passed() == (2, 1, 1)
    other.reset()
    assert one.state.generation == other.state.generation
    assert one.passed() == other.passed() == (0, 0, 0)


def test_until_a_moment(make, caplog):
    """At that moment faults end in all processes, logged; a clock set back prolongs nothing."""
    one, other, now = make("http:503")
    # Each moment is logged once in a process.
    seconds = 600 + ("memory", "file", "unix").index(make.store.partition(":")[0])
    one.disable()
    one.enable(until=NOW + seconds)
    assert [get(one), get(other), other.state.until] == [503, 503, NOW + seconds]
    now[0] += seconds
    assert [one.enabled, other.enabled, get(one), get(other)] == [False, False, 200, 200]
    assert [each for each in caplog.messages if "switched on for passed" in each] == [
        "faultinject is off: the time that it was switched on for passed at"
        f" 2023-11-14T22:23:{seconds - 580}Z, 2 faults were injected"
    ]
    other.enable(until=NOW + 700)
    assert [get(one), get(other)] == [503, 503]
    for injector in (one, other):
        injector.own_plan.services.deadline = 0.0
    assert [get(one), get(other)] == [200, 200]
    other.add("http:500")
    assert get(other) == 200, "another change does not lengthen it either"
    one.enable()
    assert [get(one), get(other), one.state.until] == [503, 503, None]
    one.enable(until=NOW + 800)
    one.disable()
    assert other.state.until is None


def test_the_environments_end_stays():
    """Of the two moments the first holds; without one of the scenario that of the environment."""
    now = [NOW]
    injector = Injector(
        "http:503",
        store="memory:",
        environ={"FAULTINJECT_EXPIRES": "2023-11-14T22:15:00Z"},
        clock=lambda: now[0],
    )
    for until in (NOW + 50, NOW + 86_400):
        injector.enable(until=until)
        assert get(injector) == 503
        now[0] += 50
        assert get(injector) == 200


def test_the_environment_wins_here(make):
    """FAULTINJECT_ENABLED=0 and production hold in their own process; others are switched on."""
    one, other, _ = make("http:503")
    killed = Injector("http:503", seed=1, store=make.store, environ={"FAULTINJECT_ENABLED": "0"})
    guarded = Injector("http:503", seed=1, store=make.store, environ={"APP_ENV": "production"})
    one.disable()
    for each in (killed, guarded):
        each.enable()
        assert (get(each), each.enabled) == (200, False)
    if make.store != "memory:":
        assert [get(one), get(other)] == [503, 503]


def test_a_state_is_a_value():
    """It cannot be changed, and is the same when it was JSON in between."""
    made = Injector("http:503 http:500 http:429", seed="s", environ={}).state
    with pytest.raises(AttributeError, match="cannot assign to field"):
        made.on = False
    changed = (
        made.without_rule("rule-1")
        .with_rule_switched("rule-2", on=False)
        .with_changes(until=9.0, why_off="x", by=7)
    )
    for each in (made, changed):
        data = json.loads(json.dumps(each.to_data()))
        again = type(made).from_data(data, 4, made)
        assert (again.generation, again.to_data(), again.decides_as(each)) == (4, each.to_data(), True)
    assert not changed.decides_as(made)
    with pytest.raises(ValueError, match="not have one number for each rule"):
        type(made).from_data(data | {"places": [1]}, 4, made)


def test_a_file_counts_by_so_many_rules(tmp_path, monkeypatch):
    """A directory has a limited number of rules, and removed ones count too.

    A new scenario begins at the first number.
    """
    monkeypatch.setattr("faultinject.counts.directory.MOST_RULES", 2)
    injector = Injector("http:503", store=f"file:{tmp_path / 'store'}", environ={})
    injector.replace("rule-1", "http:500")
    with pytest.raises(
        ConfigurationError, match="counts for at most 2 rules, including those that were replaced or removed"
    ):
        injector.replace("rule-1", "http:502")
    assert get(injector) == 500
    injector.reset()
    injector.replace("rule-1", "http:502")
    assert get(injector) == 502


@pytest.mark.live
def test_what_cannot_be_read_is_only_replaced_as_a_whole(tmp_path):
    """Single rules of it are not; what is in force here stays."""
    store = tmp_path / "store"
    one, other = (Injector("http:503", store=f"file:{store}", seed=1, environ={}) for _ in range(2))
    one.disable()
    one.enable()
    (scenario,) = store.glob("scenario-*")
    data = json.loads(scenario.read_text())
    for damaged in (
        "{",
        json.dumps({**data, "data": {**data["data"], "places": 1}}),
        json.dumps({**data, "data": {}}),
    ):
        scenario.write_text(damaged)
        with pytest.raises(StoreUnavailableError):
            other.add("http:500")
        assert get(other) == 503
    data["data"]["scenario"] = '{"rules": [{"fault": "cos:Slowdown"}]}'
    scenario.write_text(json.dumps(data))
    with pytest.raises(ConfigurationError, match="did you mean cos:SlowDown"):
        other.add("http:500")
    assert other.use("http:500").generation == 4
    assert [get(one), get(other)] == [500, 500]


@pytest.mark.live
@pytest.mark.parametrize("lost", ["standing", "seed", "generation"])
def test_what_a_server_has_lost(redis_server, redis_prefix, lost):
    """As above; without a generation there is nothing."""
    one, other = (
        Injector("http:503", store=f"{redis_server.url}?prefix={redis_prefix}", seed=1, environ={})
        for _ in range(2)
    )
    one.add("http:500")
    client, key = redis_server.client(), f"{{{redis_prefix}}}:scenario"
    if lost == "standing":
        client.hset(key, lost, "{")
    else:
        client.hdel(key, lost)
    for change in (lambda: other.add("http:500"), other.reset):
        with pytest.raises(StoreUnavailableError, match=r"has incomplete rules|cannot be read"):
            change()
    assert get(other) == 503
    other.use("http:502,times=1")
    assert [one.state.text, get(one), get(other)] == [other.state.text, 502, 200]


@pytest.mark.live
@pytest.mark.usefixtures("at_once")  # a thread that informs the server would go on as long as it is away
def test_a_server_that_is_away(start_redis):
    """Without the server only this process's `off` works; a late process takes part first."""
    server = start_redis()
    injector = Injector("http:503", store=server.url, seed=1, environ={})
    before = injector.state
    server.client().save()
    server.kill()
    late = Injector("http:503", store=server.url, seed=1, environ={})
    for change in (
        lambda: late.add("http:500"),
        lambda: injector.add("http:500"),
        lambda: injector.use("http:500"),
        lambda: injector.enable(until=NOW * 2),
        injector.reset,
    ):
        with pytest.raises(StoreUnavailableError):
            change()
    assert (injector.state, injector.enabled, get(injector)) == (before, True, 503)
    with pytest.raises(StoreUnavailableError):
        injector.disable(why="too many errors")
    assert (injector.enabled, injector.state.why_off, get(injector)) == (False, "too many errors", 200)
    server.start()
    late.add("http:500,path=b")
    assert [str(each) for each in injector.enable().scenario.rules] == ["http:503", "http:500,path=b"]
    assert get(injector) == 503


@IN_PROCESSES
def test_who_comes_later_finds_it_off(make, caplog):
    """As it is for all, and says so; the switch of another process is in the log as well."""
    one, other, _ = make("http:503")
    one.disable_rule("rule-1")
    one.disable(why="5xx above 5 %")
    assert get(other) == 200
    off = "faultinject is off: it was switched off for all processes of its store: 5xx above 5 %"
    assert caplog.messages.count(off) == 1
    late, _, _ = make("http:503")
    assert (late.state.to_data(), late.state.generation) == (one.state.to_data(), 3)
    caplog.clear()
    assert get(late) == 200
    assert caplog.messages == [off]
    one.enable_rule("rule-1")
    one.enable()
    assert get(other) == 503
    assert caplog.messages[-1] == "faultinject is on: it was switched on for all processes of its store"


@IN_PROCESSES
def test_a_change_that_comes_between(make, monkeypatch):
    """A change in between is not lost: the edit is repeated on it, or refused by `expected`."""
    one, other, _ = make("http:503")
    storage = other._count_storage
    real, between = storage.read_newest, ["http:500,name=a", "http:500,name=b"]

    def newest(*given, **named):
        found = real(*given, **named)
        if between:
            one.add(between.pop(0))
        return found

    monkeypatch.setattr(storage, "read_newest", newest)
    assert other.add("http:500,name=c").scenario.display_names == ("rule-1", "a", "b", "c")
    between.append("http:500,name=d")
    with pytest.raises(ConflictError, match=r"^generation 5 is in force, not 4: it was changed since$"):
        other.add("http:500,name=e", expected=4)
    assert other.state.scenario.display_names == ("rule-1", "a", "b", "c", "d")
