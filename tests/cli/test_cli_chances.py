"""Rates, chances and dead rules, held against the engine itself."""

from __future__ import annotations

import itertools

import pytest

from faultinject import Rule, Scenario
from faultinject.cli import chances
from faultinject.cli.descriptions import percent
from faultinject.injector import trials

CERTAIN = [
    "",
    "skip=1",
    "every=2",
    "times=1",
    "times=2,per=call",
    "skip=1,every=2",
    "skip=2,times=1",
    "times=0",
]
REQUEST = trials.environ("PUT", "/bucket/key", "127.0.0.1")


def answers(rules, count, seed="0"):
    """Which rule answers each of that many attempts."""
    trial = trials.Trial(rules, seed)
    actions = [trial.ask(REQUEST) for _ in range(count)]
    return [None if each is None else each.entry.rule for each in actions]


@pytest.mark.parametrize("first", CERTAIN)
def test_certain_rules_fail_as_the_engine_says(first):
    """For rules without chance, P(all n attempts fail) is 1 as long as the engine fails every attempt, then 0."""
    for second in CERTAIN:
        rules = Scenario(
            [",".join(filter(None, ("http:503", first))), ",".join(filter(None, ("http:500", second)))]
        ).rules
        failed = [each is not None for each in answers(rules, 5)]
        assert chances.all_fail(rules) == [float(all(failed[:n])) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("first", "second"), [*itertools.product(["", "skip=1", "every=2", "every=3"], repeat=2)]
)
def test_certain_rules_fire_at_the_rate_of_the_engine(first, second):
    """Over whole cycles after the skipped ones, each rule answers the share of attempts that is told."""
    rules = Scenario(
        [",".join(filter(None, ("http:503", first))), ",".join(filter(None, ("http:500", second)))]
    ).rules
    told = answers(rules, 13)[1:]
    assert chances.rates(rules) == pytest.approx([told.count(f"rule-{n}") / 12 for n in (1, 2)])


def test_chances_are_those_of_the_engine():
    """Over many identities, chance after chance comes out as told, latency not counted as a failure."""
    rules = Scenario(
        ["http:503,probability=0.4", "latency,delay=0s,probability=0.5", "http:500,probability=0.6"]
    ).rules
    assert chances.rates(rules) == pytest.approx([0.4, 0.3, 0.18])
    assert chances.all_fail(rules, 3) == pytest.approx([0.58, 0.58**2, 0.58**3])
    trial = trials.Trial(rules, "1")
    count = 1000
    calls = []
    for number in range(count):
        request = trials.environ("PUT", f"/bucket/k{number}", "127.0.0.1")
        actions = [trial.ask(request) for _ in range(2)]
        calls.append([None if each is None else each.entry.fault for each in actions])
    both = sum({*call} <= {"http:503", "http:500"} for call in calls) / count
    assert both == pytest.approx(0.58**2, abs=0.05)


@pytest.mark.parametrize("window", ["begin=1s,end=0s", "begin=1s,end=1s", "end=0s"])
def test_a_window_that_never_opens_comes_to_nothing(window):
    """What never fires has no rate and fails no attempt; the rule behind it has them all."""
    rules = Scenario([f"cos:SlowDown,{window}", "http:503"]).rules
    assert chances.dead(rules, ("a", "b")) == {0: "it ends before it begins"}
    assert chances.rates(rules) == [0.0, 1.0]
    assert chances.all_fail(rules[:1], 2) == [0.0, 0.0]
    assert answers(rules, 3) == ["rule-2"] * 3


def test_times_and_chance_together():
    """At most one failure in all: two attempts cannot both fail."""
    assert chances.all_fail([Rule("http:503", probability=0.5, times=1)], 3) == [0.5, 0.0, 0.0]


def test_a_small_chance_is_not_none():
    """However small, a chance that is not 0 is not told as 0, and what is left of it neither."""
    small = [Rule("http:503", probability=0.001)]
    assert chances.all_fail(small) == pytest.approx([1e-3, 1e-6, 1e-9, 1e-12, 1e-15], rel=1e-9, abs=0)
    large = [Rule("http:503", probability=0.9999999999999)]
    assert chances.untouched(large) == pytest.approx(1e-13, rel=1e-2, abs=0)
    assert [percent(each) for each in (chances.all_fail(small)[4], chances.untouched(large))] == [
        "< 0.001 %"
    ] * 2


def test_what_is_left_by_certain_rules():
    """Of cycles that rules answer wholly nothing is left, in spite of the rounding of numbers."""
    assert chances.untouched(Scenario(["http:503,every=3", "http:500"]).rules) == 0.0
    assert chances.untouched(Scenario(["http:503,every=3", "http:500,every=2"]).rules) == pytest.approx(1 / 3)
    assert chances.untouched([]) == 1.0


def test_an_answer_below_400_is_no_failure():
    """A redirect or a 200 is an answer, not an error."""
    assert chances.all_fail([Rule("cos:SlowDown", status=200)], 1) == [0.0]


@pytest.mark.parametrize(
    ("rule", "fails"),
    [
        ("hang", True),
        ("reset", True),
        ("close", True),
        ("truncate", True),
        ("truncate,of=cos:SlowDown", True),
        ("drip,rate=1KiB", False),
        ("drip,rate=1KiB,of=cos:SlowDown", True),
        ("corrupt", False),
        ("latency,delay=1s", False),
        ("stall,duration=1s", False),
        ("stall,duration=1s,after_bytes=1KiB", False),
        ("cos:InternalError,status=200,delay=1s", False),
    ],
)
def test_what_fails_an_attempt(rule, fails):
    """A broken connection and a cut answer are failures; an answer that is late, slow or changed is an answer."""
    assert chances.all_fail(Scenario.parse(rule).rules, 2) == [float(fails)] * 2
    assert chances.rates(Scenario.parse(rule).rules) == [1.0]


def test_above_stays_quiet_for_one_call():
    """One call does not exceed a rate."""
    rule = Rule("http:503", above="5/s")
    assert (chances.rates([rule]), chances.all_fail([rule], 2)) == ([0.0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("rules", "dead"),
    [
        (["http:503", "http:500"], {1: "rule-1 answers every request that it matches"}),
        (["latency,delay=0s", "http:500"], {1: "rule-1 answers every request that it matches"}),
        (
            ["http:503,method=PUT,method=POST", "http:500,method=put,path=a"],
            {1: "rule-1 answers every request that it matches"},
        ),
        (["http:503,header.x=", "http:500,header.x="], {1: "rule-1 answers every request that it matches"}),
        (
            ["cos:SlowDown,bucket=a", "cos:AccessDenied,bucket=a"],
            {1: "rule-1 answers every request that it matches"},
        ),
        (["reset", "http:500"], {1: "rule-1 answers every request that it matches"}),
        (["http:503,probability=0"], {0: "probability is 0"}),
        (["http:503,times=0", "http:500"], {0: "times is 0"}),
        (["http:503,begin=2s,end=1s"], {0: "it ends before it begins"}),
        (
            ["http:503,path=a,unless.path=a,unless.path=b"],
            {0: "its conditions and unless.path exclude each other"},
        ),
        (["http:503,method=GET,operation=PutObject", "http:500"], {0: "PutObject comes with PUT only"}),
        (["http:503,method=P*,method=DELETE,operation==GetObject"], {0: "GetObject comes with GET only"}),
        (
            ["http:503,method=PUT,operation=GetObject,operation=HeadObject"],
            {0: "its operations come with GET or HEAD only"},
        ),
        (["http:503,operation=ListBuckets,bucket=bucket", "http:500"], {0: "ListBuckets names no bucket"}),
        (["rgw:NoSuchKey,bucket=admin,bucket==swift"], {0: "the server keeps admin or swift for itself"}),
        (["minio:NoSuchKey,bucket=minio,bucket=photos"], {}),
        (["http:503,operation=ListObjects*,key=key"], {0: "its operations name no key"}),
        (["b2:bad_request,operation=b2_list_buckets,bucket=b"], {0: "b2_list_buckets names no bucket"}),
        (
            ["http:503,vendor=azure-blob,operation=container.create,key=k"],
            {0: "container.create names no key"},
        ),
        (["http:503,vendor=swift,operation=get_account,bucket=k"], {0: "get_account names no bucket"}),
        (
            ["http:503,vendor=gcs,operation=storage.buckets.get,key=k"],
            {0: "storage.buckets.get names no key"},
        ),
    ],
)
def test_dead_rules(rules, dead):
    """What is called dead is certain never to fire, and does not fire."""
    found = Scenario(rules)
    assert chances.dead(found.rules, found.display_names) == dead
    assert all(
        chances.rates(found.rules)[number] == 0.0 for number in dead if "answers every" not in dead[number]
    )
    assert not {found.display_names[number] for number in dead} & {*answers(found.rules, 20)}


@pytest.mark.parametrize(
    "rules",
    [
        ["http:503,probability=0.99", "http:500"],
        ["http:503,times=100", "http:500"],
        ["http:503,skip=1", "http:500"],
        ["http:503,end=1h", "http:500"],
        ["http:503,above=5/s", "http:500"],
        ["http:503,method=PUT", "http:500"],
        ["http:503,method=PUT", "http:500,method=PUT,method=GET"],
        ["http:503,header.x=", "http:500,method=PUT"],
        ["http:503,unless.path=a", "http:500"],
        ["http:503", "http:500,method=OPTIONS"],
        ["cos:SlowDown,bucket=a", "jss:SlowDown,bucket=a"],
        ["http:503,times=0,name=a", "http:500"],
        ["http:503,method=GET,operation=PutObject", "http:500"],
        ["http:503", "http:500,operation=OptionsObject"],
        [
            "http:503,method=HEAD",
            "http:500,method=P*,operation=PutObject,operation=ListBuckets,bucket=b,header.x=",
        ],
        ["http:503,method=HEAD", "b2:bad_request,operation=b2_upload_file,bucket=b,key=k"],
        ["http:503,method=HEAD", "gcs:backendError,operation=storage.objects.insert,bucket=b,key=k"],
        ["http:503,method=HEAD", "kodo:573,operation=*,bucket=b,key=k"],
        ["http:503,method=HEAD", "http:500,vendor=azure-blob,operation=blob.download,bucket=b,key=k"],
    ],
)
def test_rules_that_may_fire_are_not_called_dead(rules):
    """Where it is not certain, nothing is said of the later rule."""
    found = Scenario(rules)
    assert 1 not in chances.dead(found.rules, found.display_names)


@pytest.mark.parametrize(
    ("chance", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.3, "30 %"),
        (0.0027, "0.27 %"),
        (4e-7, "< 0.001 %"),
        (0.99999, "> 99.99 %"),
    ],
)
def test_percent(chance, text):
    """Never 0 or 100 for what is only close to it."""
    assert percent(chance) == text
