"""Replay: what one seed promises, sentence by sentence."""

import json
import random
import subprocess
import sys
import uuid
from collections import Counter
from hashlib import blake2b

import pytest

from faultinject import Rule, vendors
from tests.slowly import slowly

MIXED = """
    cos:SlowDown,method=PUT,probability=0.3,times=20
    cos:@server,path=photos/,probability=0.2,skip=3,every=2
    http:503,probability=0.4,times=2,per=call
    latency,delay=0ms,probability=0.5,name=late
"""
CHANCE = "cos:SlowDown,method=PUT,probability=0.3 jss:@client,bucket=photos,probability=0.2 http:503,probability=0.1"
THINGS = [
    f"{method} /{bucket}/k{number}{query}"
    for method in ("PUT", "GET")
    for bucket in ("photos", "film")
    for number in range(100)
    for query in ("", "?partNumber=2")
]


def facts(made):
    return [
        (each.method, each.path, each.rule, each.fault, each.did, each.status, each.n)
        for each in made.outcomes
    ]


def faults(made):
    """By identity: which rule answered its attempts, and how often."""
    return Counter((each.method, each.path, each.query, each.rule) for each in made.outcomes if each.injected)


def test_requests_one_after_another_get_the_same_faults(site):
    """The whole journal repeats with the seed, whatever the triggers, and not with another."""
    chosen = random.Random(5)
    targets = [chosen.choice(THINGS[:60]) for _ in range(800)]
    first, again, other = site(MIXED, "7"), site(MIXED, "7"), site(MIXED, "8")
    for made in (first, again, other):
        made.asks(targets)
    assert facts(first) == facts(again) != facts(other)
    assert {each.rule for each in first.outcomes if each.injected} == {"rule-1", "rule-2", "rule-3", "late"}


def test_another_process_replays_to_the_byte():
    """Another process gives the same bytes of every vendor, ids too, if the clock is the same.

    Neither string hashing nor memory addresses are in it.
    """
    program = """
import json
from faultinject import Injector, WSGIFaultMiddleware, vendors
answers = []
rules = [f"{name}:@all,path=/{name}/,probability=0.5" for name in vendors.names()]
app = WSGIFaultMiddleware(
    lambda environ, start: start("200 OK", []) and [] or [],
    injector=Injector(rules, seed="7", environ={}, clock=lambda: 1.7e9),
)
for number in range(40):
    for name in vendors.names():
        path = f"/{name}/k{number % 7}"
        environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": ""}
        body = app(environ, lambda *answer: answers.append([name, *answer]))
        answers[-1].append(b"".join(body).decode())
print(json.dumps(answers))
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert runs[0] == runs[1]
    failed = [name for name, status, *_ in json.loads(runs[0]) if status != "200 OK"]
    assert {*failed} == {*vendors.names()}
    assert 0.4 < len(failed) / (40 * len(vendors.names())) < 0.6


@pytest.mark.parametrize("order", [0, slowly(1)])
def test_order_changes_nothing_for_distinct_things(site, order):
    """Requests of different identities may come in any order."""
    first, again = site(CHANCE, "3"), site(CHANCE, "3")
    first.asks(THINGS)
    again.asks(random.Random(order).sample(THINGS, len(THINGS)))
    assert faults(first) == faults(again)
    assert 100 < faults(first).total() < 300


def test_interleaving_changes_nothing_for_the_retries_of_things(site):
    """Each thing's first, second, third attempt fails or not, whatever comes between."""
    targets = [each for each in THINGS[:50] for _ in range(6)]
    first, again = site(CHANCE, "3"), site(CHANCE, "3")
    first.asks(targets)
    again.asks(random.Random(1).sample(targets, len(targets)))
    by_attempt = [
        {(each.path, each.query, each.n, each.rule, each.injected) for each in made.outcomes}
        for made in (first, again)
    ]
    assert by_attempt[0] == by_attempt[1]


def test_threads_change_nothing(site, in_many_threads):
    """One thread or sixteen: the same things fail, each as often."""
    targets = THINGS * 3
    alone, together = site(CHANCE, "11"), site(CHANCE, "11")
    alone.asks(targets)
    in_many_threads(16, lambda number: together.asks(targets[number::16]))
    assert faults(alone) == faults(together)
    assert faults(alone).total() > 300


def keys_of_a_run(seed):
    """Keys as a test makes them: each run has its own UUIDs, digests and times."""
    chosen = random.Random(seed)
    for _ in range(100):
        yield from (
            f"PUT /photos/{uuid.UUID(int=chosen.getrandbits(128))}.jpg",
            f"GET /photos/{chosen.getrandbits(256):064x}",
            f"DELETE /photos/{chosen.randrange(10**9, 10**10)}/{chosen.randrange(10**12, 10**16)}.log",
            f"GET /bucket-{chosen.getrandbits(128):032X}?prefix={chosen.randrange(10**9, 10**10)}",
        )


def test_keys_that_are_new_in_every_run_get_the_same_draws(site):
    """A UUID, a hex digest or a timestamp in a path does not change what fails."""
    rules = "http:503,probability=0.3"
    first, again = (site(rules, "5").asks(keys_of_a_run(run)) for run in (1, 2))
    # The placeholders make one identity of each kind, so attempts in order are what is compared.
    assert first == again
    assert 60 < sum(each is not None for each in first) < 180


PRESIGNED = [
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK{0}%2F20261120%2Fx%2Fs3%2Faws4_request&X-Amz-Date=20261120T10{0}Z"
    "&X-Amz-Expires={0}&X-Amz-SignedHeaders=host&X-Amz-Signature=ab{0}&X-Amz-Security-Token=t{0}",
    "AWSAccessKeyId=a{0}&Signature=s%2F{0}%3D&Expires={0}",
    "q-sign-algorithm=sha1&q-ak=a{0}&q-sign-time={0};9&q-key-time={0};9&q-header-list=&q-url-param-list=&q-signature={0}"
    "&x-cos-security-token=t{0}",
    "access_key_id=a{0}&expires={0}&signature={0}",
    "e={0}&token=a:{0}=",
    "AccessKey=a{0}&Expires={0}&Signature=x{0}",
    "uploadId={0}",
    "UPLOADID={0}&DATE={0}",
    "X%2DAmz%2DSignature={0}",
]


@pytest.mark.parametrize("query", PRESIGNED, ids=lambda each: each.partition("=")[0])
@pytest.mark.parametrize("kept", ["", "partNumber=3", "versionId=abc"])
def test_a_presigned_retry_is_the_same_thing(site, query, kept):
    """A presigned retry is the same thing.

    Signature, date, expiry, token, credential and upload id are new in each attempt.
    """
    made, plain = (site("http:503,times=3,per=call http:502,probability=0.5", "1") for _ in range(2))

    def target(attempt):
        return "PUT /photos/cat.jpg?" + "&".join(filter(None, [query.format(attempt), kept]))

    assert [made.ask(target(attempt)) for attempt in range(3, 9)] == [
        plain.ask("PUT /photos/cat.jpg" + (f"?{kept}" if kept else "")) for _ in range(6)
    ]
    assert ([each.n for each in made.outcomes], made.counts["rule-1"]) == ([0, 1, 2, 3, 4, 5], (6, 3))


def test_a_parameter_that_means_something_makes_another_thing(site):
    """Nothing but the volatile ones is left out."""
    targets = [
        f"GET /b/k?{each}"
        for each in ("", "versionId=1", "versionId=2", "partNumber=1", "signatures=1", "acl")
    ]
    assert site("http:503,times=1,per=call").asks(targets * 2) == ["rule-1"] * 6 + [None] * 6


ONE_SELF = [
    slowly("cos:SlowDown,probability=0.3,path=photos/"),
    slowly("http:503,probability=0.3,name=named"),
    "jss:@client,probability=0.3,unless.method=GET",
]
PUTS = [f"PUT /photos/k{number % 200}" for number in range(600)]


def hits_of(site, rules, rule, seed="9"):
    """For each request, whether the rule answered; None if an earlier rule did."""
    made = site(rules, seed)
    name = made.injector.scenario.display_names[[str(each) for each in rules].index(str(rule))]
    return [None if each not in (None, name) else each == name for each in made.asks(PUTS)]


@pytest.mark.parametrize("text", ONE_SELF)
def test_other_rules_change_no_draw_of_a_rule(site, text):
    """Added before it or after it, removed, moved about: a rule draws what it drew."""
    (rule,) = site(text).injector.scenario.rules
    alone = hits_of(site, [rule], rule)
    others = [
        Rule("http:500", times=2),
        Rule("cos:@all", probability=0.4),
        Rule("http:503", probability=0.2, name="other"),
        Rule("http:502", path="never"),
    ]
    for rules in ([*others, rule], [rule, *others], [others[3], rule, *others[:3]], [*others[1:2], rule]):
        known = [
            (one, two) for one, two in zip(hits_of(site, rules, rule), alone, strict=True) if one is not None
        ]
        assert len(known) > 250 and {*known} == {(True, True), (False, False)}


EDITS = [
    # what is added to the rule, which of its hits are left
    ({"times": 5}, lambda hits: [hit and sum(hits[: at + 1]) <= 5 for at, hit in enumerate(hits)]),
    ({"skip": 200}, lambda hits: [hit and at >= 200 for at, hit in enumerate(hits)]),
    ({"every": 3}, lambda hits: [hit and at % 3 == 2 for at, hit in enumerate(hits)]),
    ({"above": "100/s"}, lambda hits: [hit and at >= 100 for at, hit in enumerate(hits)]),
    ({"per": "call", "skip": 1}, lambda hits: [hit and at >= 200 for at, hit in enumerate(hits)]),
    ({"begin": "0s", "end": "1h"}, lambda hits: hits),
    (
        {
            "retry_after": 5,
            "hint": "date",
            "set": {"x-a": "b"},
            "message": "m",
            "cors": False,
            "drain": False,
        },
        lambda hits: hits,
    ),
]


@pytest.mark.parametrize("text", ONE_SELF)
@pytest.mark.parametrize(("edit", "left"), EDITS)
def test_edited_triggers_and_effects_change_no_draw(site, text, edit, left):
    """Edited triggers and effects change no draw; triggers thin the same hits out.

    Only name, fault and conditions are in the label.
    """
    (rule,) = site(text).injector.scenario.rules
    parts = rule.to_dict()
    changed = Rule(parts.pop("fault"), **parts, **edit)
    hits = hits_of(site, [rule], rule)
    assert hits_of(site, [changed], changed) == left(hits)
    assert sum(left(hits)) >= 5


def test_a_named_rule_may_be_edited_all_over(site):
    """A given name is the whole label; without one, conditions and fault are."""
    rules = {
        "named": Rule("http:503", name="up", probability=0.3),
        "edited": Rule("cos:SlowDown", name="up", method="PUT", probability=0.3),
        "unnamed": Rule("http:503", probability=0.3),
        "condition": Rule("http:503", path="**", probability=0.3),
    }
    hits = {name: tuple(hits_of(site, [rule], rule)) for name, rule in rules.items()}
    assert hits["named"] == hits["edited"]
    assert len(set(hits.values())) == 3


def test_a_name_by_position_is_for_display_only(site):
    """A rule that moves is called otherwise and draws the same."""
    first = site("http:503,probability=0.3", "9").asks(THINGS)
    second = site("http:500,method=PATCH http:503,probability=0.3", "9").asks(THINGS)
    assert {*first} == {"rule-1", None}
    assert second == [each and "rule-2" for each in first]


@pytest.mark.parametrize("rule", ["http:503,probability=0.5", "cos:SlowDown,method=PUT,probability=0.5"])
def test_twins_draw_apart(site, p_of, rule):
    """Of two rules with equal labels the first draws as if alone, and the second apart."""
    targets = [f"PUT /photos/k{number}" for number in range(2000)]
    twins, alone = site(f"{rule} {rule},times=9999", "2").asks(targets), site(rule, "2").asks(targets)
    assert [each == "rule-1" for each in twins] == [each == "rule-1" for each in alone]
    assert (
        p_of.fits([twins.count(each) for each in ("rule-1", "rule-2", None)], [1 / 2, 1 / 4, 1 / 4]) > 0.001
    )


@pytest.mark.parametrize("fault", ["truncate,keep=0.1", "drip,rate=1"])
def test_twins_of_two_vendors_draw_apart_in_the_order_written(site, fault):
    """Rules that differ in `of` alone draw apart, in the order written.

    `of` is no part of the label, and says how requests are read. The faults are the same whichever vendor is asked
    first.
    """
    ofs = ("gcs:backendError", "swift:503", "cos:SlowDown")
    rules = " ".join(f"{fault},of={each},bucket=photos,probability=0.5" for each in ofs)
    ways = ("/storage/v1/b/photos/o/g", "/v1/account/photos/s", "/photos/c")
    targets = [f"GET {way}{number}" for way in ways for number in range(20)]

    def decided(asked):
        made = site(rules, "7")
        return {each: made.decide(each).kind for each in asked}

    assert decided(targets) == decided(targets[::-1])


@pytest.mark.parametrize(
    "more",
    [
        {"host": "photos.example"},
        {"host": "photos.example:8080"},
        {"SERVER_NAME": "x", "SERVER_PORT": "81", "wsgi.url_scheme": "https"},
        {"headers": [("Range", "bytes=0-9"), ("Authorization", "q-ak=a"), ("User-Agent", "x")]},
        {"body": b"0123456789"},
        {"REMOTE_ADDR": "10.9.8.7", "REMOTE_PORT": "81"},
    ],
    ids=["host", "port", "server", "headers", "body", "client"],
)
def test_where_and_with_what_a_request_comes_changes_nothing(site, more):
    """Host, port, headers, body and client are not in the identity: servers on any port replay."""
    plain, other = site(CHANCE, "6"), site(CHANCE, "6")
    assert [plain.ask(each) for each in THINGS] == [other.ask(each, **more) for each in THINGS]


def test_changed_rules_count_from_zero_and_draw_the_same(site):
    """`use()` with the same rules is a replay; `add()` goes on."""
    made = site(CHANCE, "6")
    first = made.asks(THINGS * 2)
    made.injector.use(CHANCE)
    assert made.asks(THINGS * 2) == first
    going_on = site(CHANCE, "6")
    going_on.asks(THINGS)
    going_on.injector.add("http:500,path=never")
    assert going_on.asks(THINGS) == first[len(THINGS) :]


@pytest.mark.parametrize("first", ["/photos/a", "/else"])
def test_a_name_that_reads_like_a_bare_fault_is_a_twin_in_the_order_written(site, first):
    """A name equal to an unnamed label draws apart, in the order written.

    Whichever rule is asked first.
    """
    rules = (
        "http:503,path=photos/,name=latency,probability=0.5 latency,delay=0ms,probability=0.5 "
        "latency,delay=0ms,probability=0.5,when=after"
    )
    made, alone = site(rules, seed=3), site(rules, seed=3)
    made.ask(f"PUT {first}")
    asked = [f"PUT /photos/k{number}" for number in range(40)]
    assert made.asks(asked) == alone.asks(asked)
    key = blake2b(b"3").digest()
    for target, outcome in zip(asked, alone.outcomes, strict=True):
        drawn = [
            blake2b(b"%b\0%b\x000" % (label, target.encode()), key=key, digest_size=32).digest()[0] < 128
            for label in (b"latency", b"latency#2", b"latency#3")
        ]
        fired = [name for name, hit in zip(("latency", "rule-2", "rule-3"), drawn, strict=True) if hit]
        assert (outcome.rule if outcome.injected else None) == (fired[0] if fired else None)
