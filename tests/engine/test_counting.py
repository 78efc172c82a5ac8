"""The matches that fire: skip, every, times, per, above, begin and end, combined too."""

from collections import Counter
from fractions import Fraction
from hashlib import blake2b
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject import Scenario
from faultinject.engine.counting import locked
from tests.rows import each_row
from tests.slowly import slowly

ONE, TWO, THREE = "rule-1", "rule-2", "rule-3"


@each_row(
    ("rules", "answers"),
    [
        # Every rule counts the match, whoever answers.
        ("http:500,times=2 http:501,skip=3", [ONE, ONE, None, TWO, TWO, TWO]),
        ("http:500,times=2 http:501,every=2", [ONE, ONE, None, TWO, None, TWO]),
        ("http:500,times=2 http:501,skip=1,every=2", [ONE, ONE, TWO, None, TWO, None]),
        ("http:500,times=2 http:501,above=3/s", [ONE, ONE, None, TWO, TWO, TWO]),
        # The example of the contract: the second rule counts while the first answers, but only who fires takes.
        ("cos:SlowDown,times=2 cos:InternalError,times=1", [ONE, ONE, TWO, None, None, None]),
        # The first in the order written that passes fires.
        ("http:500,times=1 http:501,times=1 http:502,times=1", [ONE, TWO, THREE, None, None, None]),
        ("http:500,skip=2 http:501", [TWO, TWO, ONE, ONE, ONE, ONE]),
        ("http:500,probability=0 http:501,times=1", [TWO, None, None, None, None, None]),
        ("http:500,times=0 http:501,times=1", [TWO, None, None, None, None, None]),
        # A rule that does not match counts nothing and keeps nobody away.
        ("http:500,path=/x http:501,times=1", [TWO, None, None, None, None, None]),
        # What can do nothing gives nothing back for another.
        ("http:500,times=1 edit,drop.x-none=", [ONE] + [None] * 5),
        # Alone and together.
        ("http:500", [ONE] * 6),
        ("http:500,skip=0", [ONE] * 6),
        ("http:500,skip=4", [None] * 4 + [ONE] * 2),
        ("http:500,from=1", [ONE] * 6),
        ("http:500,from=5", [None] * 4 + [ONE] * 2),
        ("http:500,from=3,above=3/s http:501,times=1", [TWO, None, None, ONE, ONE, ONE]),
        ("http:500,every=3", [None, None, ONE, None, None, ONE]),
        ("http:500,skip=1,every=3", [None, None, None, ONE, None, None]),
        ("http:500,skip=1,every=2,times=1", [None, None, ONE, None, None, None]),
        ("http:500,times=3,every=1", [ONE, ONE, ONE, None, None, None]),
        ("http:500,above=2/s,every=2", [None, None, None, ONE, None, ONE]),
        ("http:500,above=2/s,skip=3,times=2", [None, None, None, ONE, ONE, None]),
        ("http:500,above=2/s,times=1", [None, None, ONE, None, None, None]),
    ],
)
def test_six_requests_at_one_moment(site, rules, answers):
    """Each row: the rules, and which of them answers each of six equal requests."""
    assert site(rules).asks(["PUT /b/k"] * 6) == answers


SCOPES = {
    # per: requests of one scope, then one of another
    "rule": ["PUT /b/k", "GET /c/l", "GET /", "DELETE /b/k?x"],
    "call": [
        "PUT /b/k?partNumber=1&uploadId=a",
        "PUT /b/k?uploadId=b&partNumber=1",
        "put /b/k?partNumber=1&Signature=x&Expires=3",
    ],
    "key": ["PUT /b/k", "GET /b/k", "DELETE /b/k?versionId=3"],
    "bucket": ["PUT /b/k", "GET /b", "GET /b/other?x"],
    "operation": ["PUT /b/k", "PUT /c/l", "PUT /c/m?x-id=PutObject"],
    "client": ["PUT /b/k", "GET /c", "GET /"],
}
OTHERS = {
    "call": [
        "PUT /b/k?partNumber=2",
        "GET /b/k?partNumber=1",
        "PUT /b/l?partNumber=1",
        "PUT /c/k?partNumber=1",
    ],
    "key": ["PUT /b/l", "PUT /c/k", "PUT /b", "PUT /"],
    "bucket": ["PUT /c/k", "GET /"],
    "operation": ["GET /b/k", "PUT /b/k?partNumber=1&uploadId=a", "PUT /b", "BREW /b/k"],
}


@pytest.mark.parametrize("per", SCOPES)
def test_what_counts_together(site, per):
    """One injection in a scope: it is spent whatever else differs."""
    for first in SCOPES[per]:
        answers = site(f"http:503,times=1,per={per}").asks([first, *SCOPES[per]])
        assert answers == [ONE] + [None] * len(SCOPES[per])


@pytest.mark.parametrize("per", OTHERS)
def test_what_counts_apart(site, per):
    """Every scope has its own count, beginning at zero."""
    asked = [SCOPES[per][0], *OTHERS[per]]
    answers = site(f"http:503,times=1,per={per}").asks(asked * 2)
    assert answers == [ONE] * len(asked) + [None] * len(asked)


def test_clients_count_apart(site):
    """By the address that the server reports; those without one count together."""
    made = site("http:503,times=1,per=client")
    addresses = ["10.0.0.1", "10.0.0.2", "::1", "", "10.0.0.1", "", "::1"]
    assert [made.ask(REMOTE_ADDR=each) for each in addresses] == [ONE] * 4 + [None] * 3


def test_a_call_is_told_apart_letter_for_letter(site):
    """Unlike draws, `per=call` and `per=key` know one UUID, digest or timestamp from another."""
    keys = [
        "/b/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d",
        "/b/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3e",
        "/b/1700000000",
        "/b/1700000001",
    ]
    for per in ("call", "key"):
        made = site(f"http:503,times=2,per={per}")
        assert made.asks([f"PUT {key}" for key in keys for _ in range(3)]) == [ONE, ONE, None] * 4


@pytest.mark.parametrize("per", ["call", "key", "bucket", "operation", "client"])
@each_row(
    ("trigger", "fired"),
    [
        ("skip=2", [0, 0, 1, 1, 1, 1]),
        ("from=3", [0, 0, 1, 1, 1, 1]),
        ("every=2", [0, 1, 0, 1, 0, 1]),
        ("times=2", [1, 1, 0, 0, 0, 0]),
        ("above=3/s", [0, 0, 0, 1, 1, 1]),
    ],
)
def test_every_trigger_counts_in_its_scope(site, per, trigger, fired):
    """skip, every, times and above, each alone in two scopes whose requests alternate."""
    two = (("PUT /b/k", "10.0.0.1"), ("GET /c/l", "10.0.0.2"))
    made = site(f"http:503,{trigger},per={per}")
    got = [[made.ask(target, REMOTE_ADDR=sender) for target, sender in two] for _ in range(6)]
    assert got == [[ONE if each else None] * 2 for each in fired]


# --- rates -------------------------------------------------------------------------------------------------


@each_row("rate", ["5/s", "1/s", "7/s", "100/s", "5/10s", "1/h", "3/7s", "1000/m"])
def test_at_the_limit_nothing_exceeds_it(site, rate):
    """Evenly spaced at exactly the rate, for as long as one likes."""
    made = site(f"http:503,above={rate}")
    limit, period = Scenario.parse(f"http:503,above={rate}").rules[0].value("above")
    start = made.now
    for number in range(300):
        made.now = start + number * period / limit
        assert made.ask() is None


def test_a_burst_of_one_period_is_let_through(site):
    """Then the excess fails until time has passed, and never is more than one period saved up."""
    made = site("http:503,above=5/10s")
    start = made.now

    def passing(at):
        made.now = start + at
        return [made.ask() is None for _ in range(8)].index(False)

    assert [passing(at) for at in (0, 1, 2, 4, 9, 10, 1000, 1001, 1009, 1_000_000)] == [
        5,
        0,
        1,
        1,
        2,
        1,
        5,
        0,
        4,
        5,
    ]


@each_row("rate", ["3/s", "7/s", "10/s", "49/s", "100/s", "997/s", "3/7s", "5/10s", "7/1h"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.123456])
def test_a_burst_is_the_limit_whatever_the_rounding(site, rate, fraction):
    """Thirds and sevenths of seconds, behind ten digits of unix time, lose no request."""
    limit = int(rate.partition("/")[0])
    made = site(f"http:503,above={rate}", now=1_763_625_600 + fraction)
    assert made.asks(["PUT /b/k"] * (limit + 2)) == [None] * limit + [ONE, ONE]


# --- begin and end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "open_at"),
    [
        ("begin=2s", [2.0, 2.5, 4.999, 5.0, 99.0]),
        ("end=5s", [0.0, 1.999, 2.0, 2.5, 4.999]),
        ("begin=2s,end=5s", [2.0, 2.5, 4.999]),
        ("begin=0s", [0.0, 1.999, 2.0, 2.5, 4.999, 5.0, 99.0]),
        ("end=0s", []),
        ("begin=5s,end=2s", []),
    ],
)
def test_a_window_is_open_from_begin_until_end(site, window, open_at):
    """Begin is in it, end is not; outside of it a match is not even counted."""
    made = site(f"http:503,{window}")
    start = made.now = 1024.0
    made.injector.use(f"http:503,{window}")
    for age in (0.0, 1.999, 2.0, 2.5, 4.999, 5.0, 99.0):
        made.now = start + age
        assert (made.ask() is not None) == (age in open_at)
    assert (made.counts, len(made.outcomes)) == ({ONE: (len(open_at), len(open_at))}, len(open_at))


def test_a_new_scenario_starts_the_clock_anew_and_an_added_rule_does_not(site):
    """begin and end are measured from when the scenario took effect."""
    made = site("http:503,end=10s")
    made.now += 11
    assert made.ask() is None
    made.injector.add("http:502,begin=12s")
    made.now += 1
    assert made.ask() == TWO
    made.injector.use("http:503,end=10s")
    assert made.ask() == ONE


# --- threads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", [0, slowly(1)])
def test_sixty_four_threads_get_exactly_a_hundred(site, in_many_threads, round_):
    """Never 99, never 101; each match is counted once."""
    made = site("http:503,times=100")
    answers = [
        each for asked in in_many_threads(64, lambda _: made.asks(["PUT /b/k"] * 40)) for each in asked
    ]
    assert (Counter(answers), made.counts) == ({ONE: 100, None: 2460}, {ONE: (2560, 100)})
    assert sorted(each.n for each in made.outcomes) == list(range(2560))


def test_a_rate_is_exact_under_threads(site, in_many_threads):
    """At one moment the limit is let through, not one more or less."""
    made = site("http:503,above=50/s")
    answers = Counter(
        each for asked in in_many_threads(64, lambda _: made.asks(["PUT /b/k"] * 5)) for each in asked
    )
    assert answers == {None: 50, ONE: 270}


def test_each_number_is_given_once_without_a_lock_of_the_interpreter(in_many_threads):
    """Eight threads get 0 to 1,599 between them."""
    following = locked(count().__next__)
    numbers = in_many_threads(8, lambda _: [following() for _ in range(200)])
    assert sorted(each for some in numbers for each in some) == list(range(1600))


@pytest.mark.parametrize("round_", [0, slowly(1)])
def test_what_is_given_back_is_given_out_again_and_never_twice(site, in_many_threads, round_):
    """The app fails every second time on its own, and exactly a hundred faults are injected.

    Those takes are returned. A take may be returned when the other threads have no requests left: later ones get it
    then.
    """
    tick = count()

    def app(environ, start_response):
        start_response("500 Oh" if next(tick) % 2 else "200 OK", [("Content-Length", "0")])
        return []

    made = site("http:503,times=100,when=after", app=app)
    answers = [
        each for asked in in_many_threads(64, lambda _: made.asks(["PUT /b/k"] * 10)) for each in asked
    ]
    assert 100 - 64 < Counter(answers)[ONE] <= 100
    answers += made.asks(["PUT /b/k"] * 160)
    assert Counter(answers) == {ONE: 100, None: 700}
    did = Counter(each.did for each in made.outcomes)
    assert did["answered"] == 100 == made.counts[ONE][1]
    assert did["app_failed"] > 10 and set(did) == {"answered", "app_failed", "passed"}


# --- all of it at once, against the definition ------------------------------------------------------------


class Definition:
    """One rule's triggers as the contract words them, without a thought for speed."""

    def __init__(self, number, name, keys):
        self.name, self.keys = name, keys
        self.matches, self.taken, self.seen, self.due = Counter(), Counter(), Counter(), {}
        self.label = f"http:{500 + number}"

    def match(self, request, now):
        """Whether it would fire but for `times`, and the scope."""
        keys = self.keys
        if not keys.get("begin", 0) <= now < keys.get("end", 1000):
            return None
        scope = {"rule": None, "call": request, "key": request.split()[1], "bucket": request.split("/")[1]}[
            keys.get("per", "rule")
        ]
        place, n = self.matches[scope], self.seen[request]
        self.matches[scope] += 1
        self.seen[request] += 1
        exceeds = True
        if "above" in keys:
            limit, period = keys["above"]
            due = max(self.due.get(scope, now), now)
            exceeds = due + Fraction(period, limit) > now + period
            if not exceeds:
                self.due[scope] = due + Fraction(period, limit)
        place -= keys.get("skip", 0)
        text = f"{self.label}\0{request}\0{n}".encode()
        digest = blake2b(text, key=blake2b(b"7").digest(), digest_size=32).digest()
        drawn = int.from_bytes(digest[:8], "big") < int(keys.get("probability", 1) * 2**64)
        return scope, exceeds and place >= 0 and (place + 1) % keys.get("every", 1) == 0 and drawn

    def take(self, scope):
        self.taken[scope] += 1
        return self.taken[scope] <= self.keys.get("times", 10**9)

    def text(self):
        keys = dict(self.keys)
        if "above" in keys:
            keys["above"] = "{}/{}s".format(*keys["above"])
        for key in keys.keys() & {"begin", "end"}:
            keys[key] = f"{keys[key]}s"
        return ",".join([self.label, *(f"{key}={value}" for key, value in keys.items())])


triggers = st.fixed_dictionaries(
    {},
    optional={
        "probability": st.sampled_from([0, 0.25, 0.5, 0.875, 1]),
        "skip": st.integers(0, 3),
        "every": st.integers(1, 3),
        "times": st.integers(0, 4),
        "per": st.sampled_from(["rule", "call", "key", "bucket"]),
        "above": st.tuples(st.integers(1, 3), st.integers(1, 2)),
        "begin": st.integers(0, 2),
        "end": st.integers(1, 4),
    },
)
things = st.sampled_from(
    [f"{method} /{bucket}/{key}" for method in ("PUT", "GET") for bucket in "ab" for key in "kl"]
)
moments = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 4, 12]), things), min_size=5, max_size=60)


@settings(max_examples=70, deadline=None, derandomize=True)
@given(rules=st.lists(triggers, min_size=1, max_size=4), requests=moments)
def test_any_triggers_do_what_the_contract_says(site, rules, requests):
    """With any rules, requests and clock each match counts, and only the first to pass fires."""
    defined = [Definition(number, f"rule-{number + 1}", keys) for number, keys in enumerate(rules)]
    made = site(" ".join(each.text() for each in defined), "7", now=0.0)
    now = Fraction(0)
    for wait, request in requests:
        now += Fraction(wait, 24)
        made.now = float(now)
        expected = None
        for rule, found in [(rule, rule.match(request, now)) for rule in defined]:
            if expected is None and found is not None and found[1] and rule.take(found[0]):
                expected = rule.name
        assert made.ask(request) == expected
