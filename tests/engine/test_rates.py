"""Chance: as often as asked for, and evenly.

All seeds are fixed, so a test is red or green for good; `p > 0.001` is what a sound generator passes. That each draw
has bytes of a digest for itself, and so knows nothing of another, is proved in `test_vectors.py`.
"""

import pytest

from faultinject import vendors
from faultinject.exceptions import ConfigurationError, UnknownDocumentedError
from tests.first_vendors import FIRST_VENDORS
from tests.rows import each_row
from tests.slowly import others_slowly

SEEDS = ["0", "1", "a seed", "0/tests/test_a.py::test_b", "ключ"]
ONE_SEED = others_slowly(SEEDS, lambda seed: seed == "0")
PROBABILITIES = [0.01, 0.3, 0.5, 0.99]
GROUPS = ("@server", "@throttle", "@retryable", "@client", "@all")
DRAWN = [
    *(f"{vendor}:{group}" for vendor in FIRST_VENDORS for group in GROUPS),
    *(f"{vendor}:@all" for vendor in vendors.names()),
]
"""Groups are drawn alike, so some vendors stand for all, but each vendor is drawn from."""


def first_attempts(site, rule, seed, count, **more):
    """Whether the first attempt of each of many things is hit."""
    made = site(rule, seed, **more)
    return [made.ask(f"PUT /photos/k{number}") is not None for number in range(count)]


def repeats(site, rule, seed, count):
    """Whether each of many attempts of one thing is hit."""
    made = site(rule, seed)
    return [made.ask() is not None for _ in range(count)]


def test_the_statistics_are_right(p_of):
    """Values of the published chi-square table, at the thousandth and at the middle."""
    thousandth, middle = [(10.828, 1), (13.816, 2), (29.588, 10)], [(0.455, 1), (4.351, 5), (99.334, 100)]
    assert [round(p_of.tail(*each), 4) for each in thousandth] == [0.001] * 3
    assert [round(p_of.tail(*each), 3) for each in middle] == [0.5] * 3


@pytest.mark.parametrize("probability", others_slowly(PROBABILITIES, lambda probability: probability == 0.3))
@pytest.mark.parametrize("attempts", [first_attempts, repeats], ids=["identities", "attempts"])
def test_a_probability_is_a_rate(site, p_of, attempts, probability):
    """The share of faults is the rule's, over many things and over attempts of one."""
    rates = [probability, 1 - probability]
    hits = [sum(attempts(site, f"http:503,probability={probability}", seed, 2000)) for seed in SEEDS]
    assert all(p_of.fits([hit, 2000 - hit], rates) > 0.001 for hit in hits)
    assert p_of.fits([sum(hits), 10_000 - sum(hits)], rates) > 0.001


@each_row(
    ("probability", "hit"),
    [
        ("0", False),
        ("0.0", False),
        ("0.00000000000000000001", False),
        ("0.9999999999999999", True),
        ("1", True),
        ("1.0", True),
    ],
)
@pytest.mark.parametrize("attempts", [first_attempts, repeats])
def test_nothing_is_never_and_one_is_always(site, attempts, probability, hit):
    """The ends are certain, whatever is drawn; what is next to them is hardly ever otherwise."""
    assert set(attempts(site, f"http:503,probability={probability}", "0", 500)) == {hit}


@pytest.mark.parametrize("seed", ONE_SEED)
def test_raising_a_probability_only_adds_faults(site, seed):
    """Each attempt that fails at some probability fails at every higher one."""
    targets = [f"PUT /photos/k{number % 400}" for number in range(1200)]
    before = set()
    for probability in (0, 0.01, 0.05, 0.3, 0.5, 0.9, 0.99, 1):
        hits = site(f"http:503,probability={probability}", seed).asks(targets)
        now = {number for number, hit in enumerate(hits) if hit}
        assert before <= now
        before = now
    assert before == set(range(1200))


@pytest.mark.parametrize("seed", ONE_SEED)
def test_rules_draw_apart_from_each_other(site, p_of, seed):
    """Seeds, labels and twins: each changes everything, none of them half."""
    rules = ["http:503", "http:502", "cos:SlowDown", "http:503,method=PUT", "http:503,name=a"]
    hits = [first_attempts(site, f"{each},probability=0.5", seed, 1500) for each in rules]
    hits.append(first_attempts(site, "http:503,probability=0.5", f"{seed} ", 1500))
    for at, one in enumerate(hits):
        for other in hits[at + 1 :]:
            assert p_of.independent(zip(one, other, strict=True)) > 0.001


def drawn(site, rule, seed, count):
    """All that is drawn for each of many things: whether at all, the code, the delay, the id."""
    made = site(rule, seed)
    found = []
    for number in range(count):
        action = made.decide(f"PUT /photos/k{number}")
        found.append(None if action.kind == "passed" else action)
    return found


def belongs(row, group):
    """Whether a row belongs to a group, by its own status.

    Only rows with a status from 400 that come to objects.
    """
    if row.status is None or row.status < 400 or not row.of_objects:
        return False
    return {
        "@server": 500 <= row.status < 600 and row.status != 501,
        "@client": 400 <= row.status < 500,
        "@throttle": row.category == "throttle",
        "@retryable": row.retryable == "yes" and row.again != "after-signing",
        "@all": True,
    }[group]


def comes_to_an_upload(where):
    """Whether a PUT of an object may get a row of this place.

    `unless.` conditions are of other requests.
    """
    places = [{*each.strip().split(",")} for each in where.split(";")]
    return any(
        not {each for each in place if each[:7] != "unless."}
        - {"", "method=PUT", "method=POST", "method=DELETE"}
        or (
            not place.isdisjoint(("operation=PutObject", "operation=storage.objects.insert"))
            and not any(each[:7] == "header." for each in place)
        )
        for place in places
    )


def codes_of(group):
    """The usual rows of the codes that belong to a group, as the vendor's table has them."""
    vendor, _, name = group.partition(":")
    return [each.address for each in vendors.get(vendor).errors if each.usual and belongs(each, name)]


@pytest.mark.parametrize("name", GROUPS)
@each_row("vendor", vendors.names())
def test_a_group_holds_what_belongs_to_it(vendor, name):
    """Groups follow the rows' statuses, categories and words, in order; empty ones are refused."""
    codes = codes_of(f"{vendor}:{name}")
    if codes:
        assert [each.address for each in vendors.get(vendor).group(name)] == codes
    else:
        with pytest.raises(UnknownDocumentedError, match=f"{vendor}:{name} is empty"):
            vendors.get(vendor).group(name)


@pytest.mark.parametrize("group", others_slowly(dict.fromkeys(DRAWN), lambda group: group.startswith("cos:")))
def test_a_group_is_drawn_evenly_over_its_codes(site, p_of, group):
    """A group's codes are equally frequent, and no other comes; empty groups are refused."""
    if not codes_of(group):
        with pytest.raises(ConfigurationError, match=f"{group} is empty"):
            site(group)
        return
    codes = {each for each in codes_of(group) if comes_to_an_upload(vendors.find(each).where)}
    times = 40 if group.partition(":")[0] in FIRST_VENDORS else 8
    found = [each.fault for each in drawn(site, group, "0", times * len(codes))]
    # of 8 times so many draws one code in 3,000 is left out
    assert set(found) == codes or (times == 8 and set(found) < codes and len(codes - set(found)) == 1)
    if len(codes) > 1:
        assert p_of.even([found.count(each) for each in sorted(codes)]) > 0.001


def test_a_row_of_a_group_is_drawn_only_where_it_can_come(site):
    """No failed fetch for an upload, SQL's errors for S3 Select alone; else all rows."""
    failed = {row.address for row in vendors.get("qingstor").group("@server")}
    assert "qingstor:upstream_failed" in failed

    def found(rule, target):
        made = site(rule, "0")
        return {made.decide(target.format(number)).fault for number in range(400)}

    assert found("qingstor:@server", "PUT /b/k{}") == failed - {"qingstor:upstream_failed"}
    assert found("qingstor:@server", "GET /b/k{}") == failed
    sql = {row.address for row in vendors.get("minio").errors if "Select" in row.where and row.usual}
    assert found("minio:@client", "GET /b/k{}").isdisjoint(sql)
    assert not found("minio:@client", "POST /b/k{}?select&select-type=2").isdisjoint(sql)


def test_a_group_none_of_whose_rows_could_come(site, monkeypatch):
    """The rule says where it fires: all rows are drawn from."""
    throttled = vendors.get("qingstor").group("@throttle")
    for row in throttled:
        monkeypatch.setattr(row, "where", "method=GET")
    made = site("qingstor:@throttle", "0")
    assert {made.decide(f"PUT /b/k{number}").fault for number in range(100)} == {
        row.address for row in throttled
    }


def test_a_delay_is_drawn_evenly_and_never_shorter(site, p_of):
    """From the shortest to the longest, each tenth as often as each other."""
    delays = [each.delay for each in drawn(site, "latency,delay=100ms..2s", "0", 3000)]
    assert min(delays) >= 0.1 and max(delays) <= 2.0
    tenths = [int((each - 0.1) / 1.9 * 10) for each in delays]
    assert p_of.even([tenths.count(each) for each in range(10)]) > 0.001
    assert {each.delay for each in drawn(site, "latency,delay=200ms", "0", 50)} == {0.2}
