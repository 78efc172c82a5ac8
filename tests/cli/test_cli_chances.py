"""Rates, chances and dead rules of `faultinject check` agree with a wrapped app's answers."""

import json

import pytest
from werkzeug.test import Client

from faultinject import WSGIFaultMiddleware
from tests.rows import each_row

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
CYCLES = ["", "skip=1", "every=2", "every=3"]


def app(_environ, start):
    start("200 OK", [("Content-Length", "0")])
    return []


def answers(rules, count, *, seed="0", path="/bucket/key"):
    """The status of each attempt; None of a connection that broke."""
    client = Client(WSGIFaultMiddleware(app, rules, seed=seed))
    found = []
    for _ in range(count):
        try:
            found.append(client.put(path).status_code)
        except ConnectionError:
            found.append(None)
    return found


@pytest.fixture
def told(run):
    """The report on rules, as data, with all rates beside it."""

    def check(*rules):
        found = json.loads(run("check", *rules, "--json")[1])
        return found | {"rates": [each["rate"] for each in found["rules"]]}

    return check


def both(first, second):
    """Two rules with these keys."""
    return [",".join(filter(None, each)) for each in (("http:503", first), ("http:500", second))]


def test_certain_rules_fail_as_the_engine_says(told):
    """For rules without chance, P(all n attempts fail) is 1 until an attempt succeeds, then 0."""
    for first in CERTAIN:
        for second in CERTAIN:
            rules = both(first, second)
            failed = [each != 200 for each in answers(rules, 5)]
            assert told(*rules)["all_fail"] == [float(all(failed[:n])) for n in range(1, 6)], rules


def test_certain_rules_fire_at_the_rate_of_the_engine(told):
    """Over whole cycles each rule answers the share of attempts that is reported.

    After the skipped ones.
    """
    for first in CYCLES:
        for second in CYCLES:
            rules = both(first, second)
            seen = answers(rules, 13)[1:]
            assert told(*rules)["rates"] == pytest.approx([seen.count(each) / 12 for each in (503, 500)]), (
                rules
            )


def test_chances_are_those_of_the_engine(told):
    """Over many identities the reported chances are met; latency counts as no failure."""
    rules = ["http:503,probability=0.4", "latency,delay=0s,probability=0.5", "http:500,probability=0.6"]
    found = told(*rules)
    assert found["rates"] == pytest.approx([0.4, 0.3, 0.18])
    assert found["all_fail"][:3] == pytest.approx([0.58, 0.58**2, 0.58**3])
    client = Client(WSGIFaultMiddleware(app, rules, seed="1"))
    calls = [[client.put(f"/bucket/k{number}").status_code for _ in range(2)] for number in range(1000)]
    assert sum(200 not in call for call in calls) / 1000 == pytest.approx(0.58**2, abs=0.05)


@each_row("window", ["begin=1s,end=0s", "begin=1s,end=1s", "end=0s"])
def test_a_window_that_never_opens_comes_to_nothing(told, window):
    """A rule that never fires has no rate and fails no attempt; the rule behind it has them all."""
    rules = [f"cos:SlowDown,{window}", "http:500"]
    found = told(*rules)
    assert found["rules"][0]["dead"] == "it ends before it begins"
    assert (found["rates"], found["untouched"], answers(rules, 3)) == ([0.0, 1.0], 0.0, [500] * 3)
    assert told(rules[0])["all_fail"] == [0.0] * 5


@each_row(
    ("rules", "name", "expected"),
    [
        (["http:503,probability=0.5,times=1"], "all_fail", [0.5, 0, 0, 0, 0]),  # one failure in all
        (["cos:SlowDown,status=200"], "all_fail", [0] * 5),  # an answer, and no error
        (["http:503,above=5/s"], "all_fail", [0] * 5),  # one call does not exceed a rate
        # Of cycles that rules answer wholly nothing is left, in spite of the rounding of numbers.
        (["http:503,every=3", "http:500"], "untouched", 0.0),
        (["http:503,every=3", "http:500,every=2"], "untouched", pytest.approx(1 / 3)),
        # Rates of rare rules are exact, also if their cycle is too long to try out.
        (["http:503,every=20000,probability=0.5"], "rates", [0.5 / 20_000]),
        (
            ["http:503,every=9001", "http:500,every=8999"],
            "rates",
            pytest.approx([1 / 9001, (1 - 1 / 9001) / 8999], rel=1e-9),
        ),
    ],
)
def test_exact_numbers(told, rules, name, expected):
    """Of the chances of one call, of what is left to the app, and of rates."""
    assert told(*rules)[name] == expected


def test_a_small_chance_is_not_none(told, run):
    """However small, a chance that is not 0 is not told as 0, and what is left of it neither."""
    small, large = "http:503,probability=0.001", "http:503,probability=0.9999999999999"
    assert told(small)["all_fail"] == pytest.approx([1e-3, 1e-6, 1e-9, 1e-12, 1e-15], rel=1e-9, abs=0)
    assert told(large)["untouched"] == pytest.approx(1e-13, rel=1e-2, abs=0)
    shown = [
        each.split(maxsplit=1)[1]
        for each in run("check", small)[1].splitlines()
        if each[:1] in tuple("12345")
    ]
    assert shown == ["0.1 %", *["< 0.001 %"] * 4]
    lines = [" ".join(each.split()) for each in run("check", large)[1].splitlines()]
    assert "none of them < 0.001 %" in lines
    assert "rule-1 0 %" in [
        " ".join(each.split()) for each in run("check", "http:503,times=0")[1].splitlines()
    ]
    assert "rule-1 100 %" in [" ".join(each.split()) for each in run("check", "http:503")[1].splitlines()]


@each_row(
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
        ("edit,drop.etag", False),
        ("stale", False),
        ("latency,delay=1s", False),
        ("stall,duration=1s", False),
        ("stall,duration=1s,after_bytes=1KiB", False),
        ("cos:InternalError,status=200,delay=1s", False),
    ],
)
def test_what_fails_an_attempt(told, rule, fails):
    """A broken connection and a cut answer are failures; a late, slow or changed one is none."""
    found = told(rule)
    assert (found["all_fail"], found["rates"]) == ([float(fails)] * 5, [1.0])


@each_row(
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
        (["http:503,path=a,unless.path=a"], {0: "its conditions and unless.path exclude each other"}),
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
def test_dead_rules(told, rules, dead):
    """A rule is called dead only if it never fires, and then it does not fire."""
    found = told(*rules)
    assert {at: each["dead"] for at, each in enumerate(found["rules"]) if each["dead"]} == dead
    for at, why in dead.items():
        assert found["rates"][at] == 0.0 or "answers every" in why
        client = Client(WSGIFaultMiddleware(app, rules, seed="0"))
        for _ in range(20):
            try:
                assert client.put("/bucket/key").headers.get("x-faultinject") != found["rules"][at]["name"]
            except ConnectionError:
                assert rules[at] != "reset"


@each_row(
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
def test_rules_that_may_fire_are_not_called_dead(told, rules):
    """A rule that may fire is not called dead."""
    assert told(*rules)["rules"][1]["dead"] is None
