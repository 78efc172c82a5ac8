"""`sample` chooses the same users, tenants or keys always, by the seed alone."""

from hashlib import blake2b
from itertools import pairwise
from math import sqrt

import pytest

from faultinject import Rule, Scenario
from tests.decisions import condition, view
from tests.rows import each_row
from tests.rules.test_conditions import asgi, wsgi

USERS = [f"user-{number}" for number in range(2000)]
KEY = blake2b(b"42").digest()
"""Of the seed 42."""
SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261120/x/s3/aws4_request, SignedHeaders=host, Signature=00"


def checking(rule, key=KEY):
    """Whether a request meets a rule's conditions."""
    return condition(rule, key=key)


def of(user):
    """A request of that user."""
    return wsgi(headers=[("X-User", user)])


def chosen(share, *, seed="42", users=USERS, fault="http:503", **keys):
    """The users that a sample by a header chooses."""
    check = checking(Rule(fault, sample=f"header.x-user:{share}", **keys), blake2b(seed.encode()).digest())
    return {each for each in users if check(of(each))}


def test_a_share_of_users():
    """As many as it says: within four standard deviations, for every seed."""
    for share in (0.05, 0.3, 0.9):
        found = [len(chosen(share, seed=seed)) / len(USERS) for seed in "abc"]
        allowed = 4 * sqrt(share * (1 - share) / len(USERS))
        assert all(abs(each - share) < allowed for each in found), (share, found)


def test_a_larger_share_holds_the_smaller_one():
    """Raising it only adds users: 0 chooses nobody, 1 everybody."""
    growing = [chosen(share) for share in (0, 0.01, 0.2, 1)]
    assert [each < more for each, more in pairwise(growing)] == [True] * 3
    assert (growing[0], growing[-1]) == (set(), {*USERS})


def test_every_rule_chooses_the_same_users():
    """Whatever its fault, name and other keys."""
    assert chosen(0.1) == chosen(0.1, fault="reset", name="other", probability=0.2, path="/**")


def test_the_seed_chooses(p_of):
    """Users chosen by one seed are no likelier or unlikelier with another."""
    one, two = chosen(0.3), chosen(0.3, seed="43")
    assert p_of.independent((each in one, each in two) for each in USERS) > 0.001


def test_each_thing_is_chosen_by_itself(p_of):
    """The same text as a header and as a parameter is chosen apart."""
    check = checking(Rule("http:503", sample="query.x-user:0.3"))
    one, two = chosen(0.3), {each for each in USERS if check(wsgi(query=f"x-user={each}"))}
    assert p_of.independent((each in one, each in two) for each in USERS) > 0.001


@pytest.mark.parametrize("what", ["header.x-user", "key"])
def test_it_says_nothing_of_the_draws(what, site, environ, p_of):
    """Within the sample and outside, a probability hits its share.

    Even where the identity is what is sampled.
    """
    at = site(
        [Rule("http:503", sample=f"{what}:0.5", probability=0.4), Rule("http:503", probability=0.4)], seed="7"
    )
    asked = [{"target": f"PUT /b/{each}", "headers": [("X-User", each)]} for each in USERS]
    got = [at.ask(**each) for each in asked]
    in_sample = checking(Rule("http:503", sample=f"{what}:0.5"), blake2b(b"7").digest())
    inside = [in_sample(view(environ(**each))) for each in asked]
    first = [each == "rule-1" for each in got]
    assert not any(hit for hit, there in zip(first, inside, strict=True) if not there)
    hits = sum(first), sum(inside)
    assert p_of.fits([hits[0], hits[1] - hits[0]], [0.4, 0.6]) > 0.001
    # The second rule draws for all: nothing tells who is in the sample.
    alone = site([Rule("http:503", probability=0.4)], seed="7")
    drawn = [alone.ask(**each) is not None for each in asked]
    assert p_of.independent(zip(inside, drawn, strict=True)) > 0.001


def test_who_was_chosen_keeps_what_was_drawn(site):
    """A larger share changes no draw of those who were chosen before: it only adds faults."""
    small, large = (
        site(Rule("http:503", sample=f"header.x-user:{share}", probability=0.5), seed="7")
        for share in (0.2, 0.6)
    )
    asked = [{"target": f"GET /{each}", "headers": [("X-User", each)]} for each in USERS[:1000]]
    before, after = ({at for at, each in enumerate(asked) if one.ask(**each)} for one in (small, large))
    assert before < after


@pytest.mark.parametrize("made", [wsgi, asgi])
@pytest.mark.parametrize(
    ("what", "there", "other"),
    [
        ("header.x-user", {"headers": [("X-User", "a")]}, {"headers": [("X-User", "")]}),
        ("header.X_User", {"headers": [("x-user", "a")]}, {}),
        ("query.user", {"query": "user=a"}, {"query": "user=&users=a"}),
        ("client", {"client": "10.0.0.1"}, {"client": None}),
        ("bucket", {"path": "/photos"}, {"path": "/"}),
        ("key", {"path": "/photos/cat"}, {"path": "/photos"}),
        (
            "principal",
            {"headers": [("Authorization", SIGNED.format("AKID"))]},
            {"headers": [("Authorization", "Bearer x")]},
        ),
        ("principal", {"query": "X-Amz-Credential=AKID%2F20261120%2Fx"}, {"query": "x=1"}),
    ],
)
def test_a_request_without_the_thing_is_left_alone(made, what, there, other):
    """A share of all is everybody who has it."""
    check = checking(Rule("http:503", sample=f"{what}:1"))
    assert (check(made(**there)), check(made(**other))) == (True, False)


@each_row(
    ("what", "asked"),
    [
        ("header.x-user", lambda text: {"headers": [("x-user", text)]}),
        ("query.user", lambda text: {"query": f"user={text}&user=other&x={text}1"}),
        ("client", lambda text: {"client": text}),
        ("bucket", lambda text: {"path": f"/{text}/k{text}"}),
        ("key", lambda text: {"path": f"/b/{text}"}),
        ("principal", lambda text: {"headers": [("authorization", SIGNED.format(text))]}),
    ],
)
def test_both_interfaces_choose_the_same(what, asked):
    """By what the thing is, and by all of it."""
    check = checking(Rule("http:503", sample=f"{what}:0.5"))
    found = [[check(made(**asked(f"u{number}"))) for number in range(100)] for made in (wsgi, asgi)]
    assert found[0] == found[1]
    assert 25 < sum(found[0]) < 75


def test_a_key_is_one_with_its_bucket():
    """Keys of the same name in two buckets are two."""
    check = checking(Rule("http:503", sample="key:0.5"))
    found = [[check(wsgi(path=f"/{bucket}/k{number}")) for number in range(50)] for bucket in ("a", "b")]
    assert found[0] != found[1]


def test_repeated_headers_are_one_text():
    """As WSGI servers give them."""
    check = checking(Rule("http:503", sample="header.x-user:0.5"))
    for number in range(20):
        several = asgi(headers=[("x-user", "a"), ("x-user", str(number))])
        assert check(several) == check(of(f"a,{number}"))


def test_text_that_is_no_unicode():
    """A header with bytes that are not Unicode is sampled like any other."""
    assert checking(Rule("http:503", sample="header.x-user:1"))(of("\udcff\xff"))


def test_several_samples_are_either():
    """As every condition that is given twice."""
    either = checking(Rule("http:503", sample=["header.x-user:0.2", "client:1"]))
    assert either(wsgi(client="10.0.0.1"))
    assert {each for each in USERS if either(wsgi(headers=[("X-User", each)], client=None))} == chosen(0.2)


def test_unless_is_the_others():
    """`unless.sample` keeps the chosen ones away, and nobody else."""
    check = checking(Rule("http:503", unless={"sample": "header.x-user:0.2"}))
    assert {each for each in USERS if not check(of(each))} == chosen(0.2)
    assert check(wsgi())


@each_row(
    ("text", "canonical"),
    [
        ("header.X_User:5e-2", "header.x-user:0.05"),
        ("header.X.User:0.5", "header.x.user:0.5"),
        ("query.X_User:0.050", "query.X_User:0.050"),
        ("query.a:b:1", "query.a:b:1"),
        ("client:1E-3", "client:0.001"),
    ],
)
def test_canonical_text(text, canonical):
    """A header's name ignores case, a parameter's does not; numbers have no exponent."""
    rule = Rule("http:503", sample=text)
    assert str(rule) == f"http:503,sample={canonical}"
    assert Scenario(str(rule)) == Scenario.from_toml(Scenario(rule).to_toml()) == Scenario(rule)


def test_the_label_has_no_share():
    """So that draws stay; two rules that differ by it alone are twins."""
    rules = [
        *({"sample": f"client:{share}", "unless": {"sample": f"key:{share}"}} for share in (0.1, 0.2)),
        {"sample": "client:0.1", "name": "a"},
        {"sample": "client:0.1", "method": "PUT"},
    ]
    assert [Rule("http:503", **keys).label for keys in rules] == [
        "http:503,sample=client,unless.sample=key",
        "http:503,sample=client,unless.sample=key",
        "a",
        "http:503,method=PUT,sample=client",
    ]


def test_workers_that_count_for_themselves_choose_the_same(site):
    """Workers with counts of their own choose the same users.

    The salt that keeps their draws apart is not in the choice.
    """
    rules = "http:503,sample=header.x-user:0.5 http:502,probability=0.5"
    asked = [{"headers": [("X-User", each)], "wsgi.multiprocess": True} for each in USERS[:100]]
    workers = [site(rules, "7", FAULTINJECT_STORE="memory:") for _ in range(2)]
    first, again = ([made.ask("GET /", **each) for each in asked] for made in workers)
    assert [each == "rule-1" for each in first] == [each == "rule-1" for each in again]
    assert first != again, "they draw apart"
