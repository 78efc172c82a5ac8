"""The plan: every service has its faults, every call its key."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from faultinject import Scenario, Vendor, vendors
from faultinject.conformance.plan import PHASES, Codes, choose_phases, codes_of
from faultinject.exceptions import ConfigurationError
from tests.rows import each_row

NEEDS = {
    "throttled": "writing",
    "server-error": "broken",
    "denied": "denied",
    "not-found": "missing",
    "bad": "bad",
    "throttled-read": "own",
    "one-read": "own",
    "junk": "throttled",
    "out": "broken",
}
"""The kind of error that a phase needs."""
FITS = {
    "throttled": lambda row: row.category == "throttle" and row.retryable == "yes",
    "broken": lambda row: row.status >= 500 and row.category == "server" and row.retryable == "yes",
    "denied": lambda row: row.category == "auth" and row.status == 403,
    "missing": lambda row: row.category == "not-found" and row.status == 404,
    "bad": lambda row: row.category == "request" and row.status == 400,
}
"""The documented errors of a kind; a vendor that has none is not asked for one."""
CATEGORIES, STATUSES = {"denied": "auth", "missing": "not-found"}, {"bad": 400, "limited": 429}


@each_row("vendor", vendors.services())
def test_every_service_has_rules_that_can_be_read(vendor):
    """A service's rules are named for their phases, from calibration to outage.

    A phase has one or two rules.
    """
    codes = codes_of(vendor)
    phases = choose_phases(codes, aws=True)
    rules = Scenario.of("\n".join(filter(None, (each.rule(codes) for each in phases)))).rules
    named = dict.fromkeys(each.name.removesuffix("-then") for each in rules)
    assert [*named] == [each.name for each in phases if each.name != "cal"]
    assert len(rules) - len(named) == ("replaced" in named)
    wanted = {phase for phase, word in NEEDS.items() if codes.words[word]}
    assert {"cal", "lost", *wanted} <= {each.name for each in phases}


@each_row("vendor", vendors.services())
def test_a_service_is_asked_for_what_it_documents(vendor):
    """Each error is a row of the vendor's, of the right kind, for every request of the plan."""
    codes = codes_of(vendor)
    rows = {
        each: vendors.find(codes.words[each])
        for each in ("throttled", "own", "writing", "broken", "denied", "missing", "bad", "limited")
        if codes.words[each]
    }
    assert {each.vendor for each in rows.values()} == {vendor}
    assert [each for each, row in rows.items() if row.where and each != "writing"] == []
    service = vendors.get(vendor)
    anywhere = [row for row in service.errors if row.status is not None and not row.where and not row.again]
    documented = {kind for kind, fits in FITS.items() if any(map(fits, anywhere))}
    named = {kind for kind, label in service.typical.items() if label}
    assert FITS.keys() & (documented | named) == FITS.keys() & rows.keys()
    assert [kind for kind in documented - named if not FITS[kind](rows[kind])] == []
    assert {rows[kind].retryable for kind in rows.keys() & {"throttled", "broken"}} <= {"yes"}
    assert {
        kind: rows[kind].category for kind in rows.keys() & {"denied", "missing"}
    }.items() <= CATEGORIES.items()
    assert {kind: rows[kind].status for kind in rows.keys() & {"bad", "limited"}}.items() <= STATUSES.items()
    assert "broken" not in rows or rows["broken"].status >= 500


@each_row("vendor", vendors.services())
def test_an_error_in_a_200_is_only_for_the_end_of_an_upload(vendor):
    """An error in a 200 is used where the vendor documents it, for the end of an upload only."""
    phases = {each.name: each for each in choose_phases(codes_of(vendor))}
    documented = "CompleteMultipartUpload" in vendors.get(vendor).errors_in_200
    assert ("error-in-200" in phases, codes_of(vendor).words["hidden"].endswith(",status=200")) == (
        documented,
        documented,
    )
    if documented:
        assert {each.kind for each in phases["error-in-200"].planned()} == {"complete"}


@each_row(
    ("vendor", "expected"),
    [
        ("s3", ["x-amz-retry-after"]),
        ("minio", ["retry-after", "retry-after-date"]),
        ("azure-blob", ["retry-after", "retry-after-date", "x-ms-retry-after-ms", "retry-after-ms"]),
    ],
)
def test_a_service_asks_to_wait_in_its_own_way(vendor, expected):
    """Retry-After, or headers of its own; a malformed hint stands in the one that clients read."""
    codes = codes_of(vendor)
    phases = choose_phases(codes, aws=vendor == "s3")
    assert [each.name for each in phases if each.hint] == expected
    for aws, header in (
        (True, "x-amz-retry-after" if vendor == "s3" else "retry-after"),
        (False, "retry-after"),
    ):
        [junk] = choose_phases(codes, aws=aws, names=("junk",))
        assert f"set.{header}=soon," in junk.rule(codes)


def test_what_a_vendor_names_stands_above_what_its_table_suggests():
    """A vendor's named errors override those that its table suggests.

    MinIO has one for readers and one for writers; QingStor's 429 is for fetches alone, so no reader gets it.
    """
    minio, qingstor = codes_of("minio"), codes_of("qingstor")
    assert (minio.words["throttled"], minio.words["writing"]) == ("minio:SlowDownRead", "minio:SlowDownWrite")
    rules = {each.name: each.rule(minio) for each in choose_phases(minio)}
    assert (rules["throttled"][:19], rules["throttled-read"][:18]) == (
        "minio:SlowDownWrite",
        "minio:SlowDownRead",
    )
    assert (qingstor.words["throttled"], qingstor.words["limited"]) == ("qingstor:service_unavailable", "")


def test_a_service_that_always_asks_to_wait_asks_for_a_second():
    """A service that always asks for a wait asks for one second in the plan.

    MinIO's own 60 s are longer than a plan. Phases about the wait keep theirs, and B2 its second.
    """
    minio = codes_of("minio")
    rules = {each.name: each.rule(minio) for each in choose_phases(minio)}
    short = {name for name, rule in rules.items() if "retry_after=1s" in rule}
    assert short == {each.name for each in choose_phases(minio) if "{brief}" in each.fault}
    assert {"throttled", "throttled-read", "one", "one-read", "one-post", "too-many-requests"} <= short
    assert "retry_after=3s" in rules["retry-after"]
    assert codes_of("b2").words["brief"] == ""


@each_row(
    ("name", "message"),
    [
        ("azure", "'azure' is not a vendor; did you mean azure-blob?"),
        ("osss", "'osss' is not a vendor; did you mean oss?"),
        ("gateway", "gateway is no storage service; there are azure-blob, b2, bos"),
    ],
)
def test_what_is_no_storage_service_is_said(name, message):
    """With the nearest, or all that there are; nor is it among them."""
    with pytest.raises(ConfigurationError) as caught:
        codes_of(name)
    assert (str(caught.value)[: len(message)], name in vendors.services()) == (message, False)
    assert len(vendors.services()) == len(vendors.names()) - 1


def test_no_two_calls_have_a_key_in_common():
    """A key tells a call from all others; it begins with its phase."""
    asked = [each for phase in PHASES for each in phase.planned()]
    assert Counter(each.key for each in asked).most_common(1)[0][1] == 1
    assert all(each.key.startswith(f"{each.phase}-") for each in asked)


def test_the_numbers_of_calls_are_those_that_the_checks_need():
    """Twenty-five calls calibrate, twenty repeat a wait often enough, a hundred are an outage."""
    numbers = {each.name: len(list(each.planned())) for each in PHASES}
    assert numbers == {
        "cal": 25, "throttled": 20, "throttled-read": 20, "server-error": 12, "one": 4, "one-read": 4, "one-post": 4, "reset": 4, "denied": 3, "not-found": 3, "bad": 3, "too-many-requests": 4,
        "retry-after": 4, "retry-after-date": 3, "x-amz-retry-after": 4, "x-ms-retry-after-ms": 3, "retry-after-ms": 3, "junk": 3, "lost": 8, "error-in-200": 4, "slow": 12, "replaced": 4, "out": 120,
    }  # fmt: skip


@each_row("vendor", vendors.services())
def test_every_method_is_throttled(vendor):
    """Reads and writes fail until they give up, the beginning of an upload fails once.

    There are as many as a check of waits needs.
    """
    codes = codes_of(vendor)
    throttling = {codes.words["own"], codes.words["writing"]} - {""}
    throttled = [
        each for each in choose_phases(codes) if (each.rule(codes) or "").partition(",")[0] in throttling
    ]
    numbers = Counter(
        ("times" in each.fault, asked.kind) for each in throttled if not each.hint for asked in each.planned()
    )
    expected = (20, 20, 4) if codes.words["throttled"] else (0, 0, 0)
    assert (numbers[False, "get"], numbers[False, "put"], numbers[True, "post"]) == expected


def test_phases_begin_one_after_the_other():
    """Phases do not overlap, and the outage comes when the others have settled."""
    phases = choose_phases(codes_of("minio"))[1:]
    asked = [[each.at for each in phase.planned()] for phase in phases]
    gaps = [later[0] - earlier[-1] for earlier, later in pairwise(asked)]
    assert [round(each, 2) for each in gaps] == [0.3] * (len(gaps) - 1) + [2.3]
    assert (phases[-1].name, [round(each - asked[-1][0], 2) for each in asked[-1][:3]]) == (
        "out",
        [0, 0.02, 0.04],
    )
    assert asked[-1][-1] < 15


def test_a_fault_that_passes_opens_no_ordinary_breaker():
    """A passing fault fails under five calls within a second, when the first is retried.

    An ordinary circuit breaker opens after five.
    """
    once = [each for each in PHASES if "times=1" in each.fault and not each.fault.startswith("latency")]
    first_second = {each.name: sum(call.at < 1.0 for call in each.planned()) for each in once}
    assert max(first_second.values()) < 5


def test_phases_that_a_client_cannot_know_are_left_out():
    """Only clients that document AWS's header are asked by it to wait, at any service."""
    cos = codes_of("cos")
    assert "x-amz-retry-after" not in {each.name for each in choose_phases(codes_of("s3"))}
    assert {each.name for each in choose_phases(cos, aws=True)} - {
        each.name for each in choose_phases(cos)
    } == {"x-amz-retry-after"}
    assert [
        (each.name, each.begin) for each in choose_phases(cos, names=["denied", "x-amz-retry-after"])
    ] == [("denied", 0.0)]


def test_a_service_without_an_error_is_not_asked_for_it():
    """A phase whose fault a service has not is left out."""
    cos = codes_of("cos")
    codes = replace(
        cos, words={**cos.words, "broken": "", "hidden": "", "limited": "", "moved": ""}, hints=("seconds",)
    )
    names = {each.name for each in choose_phases(codes, aws=True)}
    left = {each.name for each in PHASES} - names
    assert left == {
        "server-error",
        "too-many-requests",
        "retry-after-date",
        "x-ms-retry-after-ms",
        "retry-after-ms",
        "error-in-200",
        "replaced",
        "out",
    }


def rule_of(name, codes):
    [phase] = (each for each in PHASES if each.name == name)
    return phase.rule(codes)


def vendor(**more):
    """A vendor of somebody else's, with the table of one that comes along."""
    there = vendors.get("jss")
    return Vendor(
        id="acme", title="ACME", content_type="application/json", template="envelope.json", escape="json",
        package=there.package, **more,
    )  # fmt: skip


def test_a_vendor_of_another_package_is_played_by_its_own_table():
    """Nothing here has to know it: its table says what it documents, and it may say so itself."""
    words = Codes.of(vendor(typical={"missing": "NoSuchBucket", "bad": ""})).words
    assert [words[each] for each in ("throttled", "broken", "denied", "missing", "bad", "own", "limited", "hidden")] == [
        "acme:SlowDown", "acme:InternalError", "acme:AccessDenied", "acme:NoSuchBucket", "", "acme:SlowDown", "", "",
    ]  # fmt: skip
    asks = Codes.of(vendor(hint="x-ms-retry-after-ms"))
    assert asks.hints == ("x-ms-retry-after-ms",)
    assert "set.x-ms-retry-after-ms=soon" in rule_of("junk", asks)
