"""`oneof`: one of the documented errors that its `of=` name, whatever their vendors."""

import json
import re
from collections import Counter

import pytest

import faultinject
from faultinject import Rule, Scenario, vendors
from faultinject.cli.chances import all_fail

OVER_FOUR = ["cos:SlowDown", "qingstor:service_unavailable", "jss:InternalError", "qiniu-mix:SlowDown"]
TEXT = f"oneof,probability=0.2,{','.join(f'of={each}' for each in OVER_FOUR)}"
RULE = Rule("oneof", of=OVER_FOUR, probability=0.2)


def drawn(site, rule, count, seed="0", target="PUT /b/k{}"):
    """The faults that so many things get, in their order."""
    made = site(rule, seed, record_all=True)
    for number in range(count):
        made.ask(target.format(number))
    return [each.fault for each in made.outcomes]


def test_every_spelling_is_the_same_rule(tmp_path):
    """The order of the errors is kept."""
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"rules": [RULE.to_dict()]}))
    scenarios = [
        Scenario.parse(TEXT),
        Scenario.from_env({"FAULTINJECT_RULES": TEXT}),
        Scenario.from_env({"FAULTINJECT_RULE_FOUR": TEXT}),
        Scenario.from_toml(Scenario([RULE]).to_toml()),
        Scenario.load(file),
    ]
    assert [[rule.parts[1:] for rule in each.rules] for each in scenarios] == [[RULE.parts[1:]]] * 5


def test_the_canonical_text():
    """An error that stands twice stays twice; a single one needs no list."""
    assert (str(RULE), RULE.to_dict()["of"]) == (TEXT, OVER_FOUR)
    assert Rule("oneof", of=tuple(OVER_FOUR), probability="0.2") == RULE
    for of, text in (
        ("cos:SlowDown", "of=cos:SlowDown"),
        (["cos:SlowDown"] * 2, "of=cos:SlowDown,of=cos:SlowDown"),
    ):
        assert str(Rule("oneof", of=of)) == f"oneof,{text}"


def test_the_errors_are_drawn_evenly(site, p_of):
    """The rule has one chance, of which each error has the same share; one named twice has two."""
    found = Counter(drawn(site, RULE, 8000))
    assert set(found) == {*OVER_FOUR, None}
    assert 0.18 < 1 - found[None] / 8000 < 0.22
    assert p_of.even([found[each] for each in OVER_FOUR]) > 0.001
    twice = Counter(drawn(site, "oneof,of=cos:SlowDown,of=s3:SlowDown,of=cos:SlowDown", 3000))
    assert p_of.even([twice["cos:SlowDown"], 2 * twice["s3:SlowDown"]]) > 0.001


def test_a_seed_replays_each_draw(site):
    """The same seed gives the same errors to the same requests, and another seed others."""
    once, again, other = (drawn(site, RULE, 200, seed) for seed in ("1", "1", "2"))
    assert once == again != other


def test_a_group_counts_as_its_errors(site):
    """Its errors are drawn only where they can come; one that is named comes everywhere."""
    groups = "oneof,of=qingstor:@server,of=gateway:BadGateway"
    server = {row.address for row in vendors.get("qingstor").group("@server")}
    assert set(drawn(site, groups, 400, target="GET /b/k{}")) == {*server, "gateway:BadGateway"}
    elsewhere = set(drawn(site, groups, 400))
    assert {*server, "gateway:BadGateway"} - elsewhere == {"qingstor:upstream_failed"}
    named = "oneof,of=qingstor:upstream_failed,of=cos:SlowDown"
    assert "qingstor:upstream_failed" in drawn(site, named, 100)


def test_an_answer_is_that_of_the_error_alone(site):
    """Each error has its vendor's envelope, and names what its vendor reads in the request."""
    errors = ("cos:NoSuchKey", "gcs:notFound", "oss:NoSuchKey", "gateway:BadGateway")
    rule, answered = f"oneof,{','.join(f'of={each}' for each in errors)}", set()
    for seed in range(40):
        for target in ("GET /storage/v1/b/photos/o/cat.jpg", "GET /photos/cat.jpg"):
            made = site(rule, str(seed), record_all=True)
            body = without_ids(made.meet(target))
            [outcome] = made.outcomes
            assert body == without_ids(site(outcome.fault).meet(target))
            answered.add((outcome.fault, target))
    assert len(answered) == 2 * len(errors)


def without_ids(body):
    return re.sub(rb"[A-Za-z0-9+/=]{16,}", b"", body)


def test_the_journal_has_the_error_that_was_given(site):
    """And the rule's name."""
    made = site(f"{TEXT},name=four".replace("probability=0.2,", ""))
    for number in range(40):
        made.ask(f"PUT /photos/{number}")
    told = {(each.fault, each.rule, each.status) for each in made.outcomes}
    statuses = {address: vendors.find(address).status for address in OVER_FOUR}
    assert told == {(fault, "four", status) for fault, status in statuses.items()}


@pytest.mark.parametrize(
    ("rule", "target", "met"),
    [
        # Of several vendors: as S3, or as `vendor=` says.
        ("oneof,of=cos:SlowDown,of=gcs:backendError,bucket=photos", "GET /photos/cat.jpg", True),
        ("oneof,of=cos:SlowDown,of=gcs:backendError,bucket=photos", "GET /storage/v1/b/photos/o/a", False),
        ("oneof,of=cos:SlowDown,of=gcs:backendError,vendor=gcs,bucket=photos", "GET /storage/v1/b/photos/o/a", True),
        ("oneof,of=cos:SlowDown,of=gcs:backendError,vendor=gcs,operation=storage.objects.get", "GET /storage/v1/b/photos/o/a?alt=json", True),
        # Of one vendor: as that one.
        ("oneof,of=gcs:backendError,of=gcs:rateLimitExceeded,bucket=photos", "GET /storage/v1/b/photos/o/a", True),
    ],
)  # fmt: skip
def test_conditions_are_read_as_one_vendor_reads_them(site, rule, target, met):
    """A rule of errors of one vendor reads requests as that vendor does; any other as S3."""
    assert (site(rule).ask(target) is not None) is met


def test_its_effects_are_those_of_a_documented_error(site):
    """`status`, `message`, `retry_after`, `when`, and a `share` of the keys of a DeleteObjects."""
    given = "status=429,message=later,retry_after=2s"
    [got] = drawn(site, f"oneof,of=cos:SlowDown,of=s3:SlowDown,{given}", 1)
    assert got in ("cos:SlowDown", "s3:SlowDown")
    shared = Rule(
        "oneof", of=["cos:InternalError", "s3:InternalError"], operation="DeleteObjects", status=200, share=1
    )
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    answered = site(shared).meet("POST /photos?delete", body=body)
    assert b"<Key>a</Key>" in answered and b"InternalError" in answered


def test_a_doubt_is_of_an_error_that_no_request_of_the_rule_gets():
    """The service gives the others, so that the doubt names that one alone."""
    [doubt] = Rule("oneof", of=["s3:AccessForbidden", "s3:SlowDown"], method="PUT").doubts()
    assert doubt.startswith("the service answers with s3:AccessForbidden only where method=OPTIONS")


def test_a_block_takes_it():
    """As keywords, with a list."""
    with faultinject.inject("oneof", of=OVER_FOUR, times=1) as faults:
        assert faults.injected == 0


def test_another_one_before_it_changes_no_draw(site):
    """Its errors are a part of what its draws depend on."""
    rule = "oneof,of=cos:SlowDown,probability=0.2"
    alone = drawn(site, rule, 400, "1")
    behind = drawn(site, f"oneof,of=s3:SlowDown,probability=0.001 {rule}", 400, "1")
    assert {other for one, other in zip(alone, behind, strict=True) if one != other} <= {"s3:SlowDown"}


def test_the_chance_that_it_fails_is_that_of_its_errors():
    """An error below status 400 is no failure of the attempt."""
    [rule] = Scenario.parse("oneof,of=oss:CallbackFailed,of=oss:InternalError").rules
    assert all_fail([rule], 3) == [0.5, 0.25, 0.125]
