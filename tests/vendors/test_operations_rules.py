"""`operation=`: names, matches, and which of many rules a request gets."""

import pytest

from faultinject import Injector, Rule, Scenario, vendors
from faultinject.exceptions import ConfigurationError
from faultinject.vendors.operations import operations_of
from tests.decisions import candidates as candidates_of
from tests.rows import each_row

OWN = {
    "azure-blob": ("block_blob.upload", "PUT /account/photos/k", {"x-ms-blob-type": "BlockBlob"}),
    "b2": ("b2_list_file_names", "POST /b2api/v3/b2_list_file_names", {}),
    "gcs": ("storage.objects.list", "GET /storage/v1/b/photos/o", {}),
    "kodo": ("initiateMultipartUpload", "POST /buckets/photos/objects/aw==/uploads", {}),
    "swift": ("put_object", "PUT /v1/account/photos/k", {}),
    "cos": ("CopyObject", "PUT /photos/k", {"x-cos-copy-source": "/a/b"}),
    "s3": ("CopyObject", "PUT /photos/k", {"x-amz-copy-source": "/a/b"}),
    "oss": ("AppendObject", "POST /photos/k?append&position=0", {}),
}


def mistake(**keys):
    with pytest.raises(ConfigurationError) as caught:
        Rule("http:503", **keys)
    return str(caught.value)


@each_row("vendor", OWN)
def test_a_rule_takes_the_names_of_its_vendor(site, vendor):
    """Whether the vendor is the fault's or given; and patterns of them."""
    name, target, headers = OWN[vendor]
    row = next(each for each in vendors.get(vendor).errors if (each.status or 0) >= 400)
    for rule in (
        f"{row.address},operation={name},name=one",
        f"http:503,vendor={vendor},operation={name},name=one",
        f"gateway:BadGateway,vendor={vendor},operation={name[:6]}*,name=one",
        f"truncate,of={row.address},operation=={name},name=one",
        f"http:502,vendor={vendor},operation={name},unless.operation=*,name=none {row.address},name=one",
    ):
        made = site(rule)
        assert made.ask(target, headers=headers.items()) == "one", rule
        assert made.outcomes[0].operation == name
    made = site(f"http:503,vendor={vendor},operation={name}")
    assert made.ask("TRACE /v1/a/b/c", headers=headers.items()) is None


@each_row("vendor", [each for each in vendors.names() if vendors.get(each).addressing])
def test_every_name_that_is_listed_is_taken(vendor):
    """In one rule, for speed."""
    names = sorted(operations_of(vendors.get(vendor)).names)
    rule = Rule("http:503", vendor=vendor, operation=names)
    assert rule.conditions["operation"] == tuple(names)
    assert Scenario.parse(str(rule)).rules == (rule,)


@each_row(
    ("keys", "message"),
    [
        ({"operation": "PutObjekt"}, "PutObjekt is no operation of S3; did you mean PutObject?"),
        ({"operation": "putobject"}, "putobject is no operation of S3; did you mean PutObject?"),
        (
            {"operation": "Frobnicate*"},
            "Frobnicate* is no operation of S3; 'faultinject vendors s3 --operations' lists them",
        ),
        (
            {"operation": "PutBlob", "vendor": "azure-blob"},
            "PutBlob is no operation of azure-blob; 'faultinject vendors azure-blob --operations' lists them",
        ),
        (
            {"operation": "block_blob.upload"},
            "block_blob.upload is no operation of S3; it is one of azure-blob",
        ),
        ({"operation": "storage.*"}, "storage.* is no operation of S3; it is one of gcs"),
        (
            {"operation": "storage.objects.gett", "vendor": "gcs"},
            "storage.objects.gett is no operation of gcs; did you mean storage.objects.get?",
        ),
        (
            {"operation": "PutObject", "vendor": "swift"},
            "PutObject is no operation of swift; did you mean put_object? (it is one of S3)",
        ),
        ({"operation": "AppendObject", "vendor": "oss"}, None),
        (
            {"operation": "b2_list_buckets"},
            "b2_list_buckets is no operation of S3; did you mean ListBuckets? (it is one of b2)",
        ),
        ({"operation": "b2_upload_file", "vendor": "azure-blob"}, "it is one of b2"),
        ({"unless": {"operation": "PutObjekt"}}, "PutObjekt is no operation of S3; did you mean PutObject?"),
        (
            {"operation": ["GetObject", "PutObjekt", "Nix"]},
            "PutObjekt is no operation of S3; did you mean PutObject?",
        ),
    ],
)
def test_another_vendors_operation_is_refused(keys, message):
    """With the nearest name of this one, and whose it is."""
    if message is None:
        assert Rule("http:503", **keys).conditions["operation"] == (keys["operation"],)
    else:
        assert message in mistake(**keys)


@pytest.mark.parametrize("vendor", [None, "s3", "minio", "cos", "gcs"])
@pytest.mark.parametrize(
    "name", ["AppendObject", "GetSymlink", "ComposeObject", "ListenNotification", "Append*"]
)
def test_a_relatives_operation_is_told_to_be_theirs(vendor, name):
    """All who have it are named, and none of this vendor's own that only looks a little like it."""
    having = [each for each in vendors.names() if operations_of(vendors.get(each)).recognised_for((name,))]
    keys = {"operation": name, **({"vendor": vendor} if vendor else {})}
    if vendor in having:
        assert Rule("http:503", **keys)
        return
    *some, last = having
    theirs = f"{', '.join(some)} and {last}" if some else last
    assert mistake(**keys).endswith(f"{name} is no operation of {vendor or 'S3'}; it is one of {theirs}")


def test_each_wrong_operation_is_reported_where_it_stands():
    """In text with a caret; a vendor that is wrong itself is the only mistake."""
    with pytest.raises(ConfigurationError) as caught:
        Scenario.parse("http:503,operation=Nixx,path=a,operation=PutObjekt")
    assert [each.message.partition(";")[0] for each in caught.value.problems] == [
        "Nixx is no operation of S3",
        "PutObjekt is no operation of S3",
    ]
    excerpts = [each.excerpt.splitlines() for each in caught.value.problems]
    assert [text[mark.index("^") : mark.rindex("^") + 1] for text, mark in excerpts] == ["Nixx", "PutObjekt"]
    with pytest.raises(ConfigurationError) as caught:
        Scenario.parse("http:503,vendor=goocle,operation=storage.objects.get")
    [problem] = caught.value.problems
    assert "goocle" in str(problem)


def test_a_deprecated_name_matches_what_its_successor_does(site):
    """They are one request; the journal has the successor's name."""
    made = site("cos:SlowDown,operation=GetBucketLifecycle,name=old")
    assert made.asks(["GET /photos?lifecycle", "PUT /photos?lifecycle"]) == ["old", None]
    assert made.outcomes[0].operation == "GetBucketLifecycleConfiguration"


def test_counting_per_operation_goes_by_the_vendors_names(site):
    """Each operation is a scope of its own."""
    made = site("http:503,vendor=gcs,times=1,per=operation,name=one")
    asked = [
        "GET /storage/v1/b/photos/o",
        "GET /storage/v1/b/films/o",
        "GET /storage/v1/b/photos",
        "GET /storage/v1/b/photos/o/a%2Fb",
        "GET /download/storage/v1/b/photos/o/c?alt=media",
    ]
    assert made.asks(asked) == ["one", None, "one", "one", None]
    assert [each.operation for each in made.outcomes] == [
        "storage.objects.list",
        "storage.objects.list",
        "storage.buckets.get",
        "storage.objects.get",
        "storage.objects.get",
    ]


def test_a_bucket_where_requests_name_none_matches_nothing(site):
    """A gateway reads S3 requests; most calls of B2 have the bucket in their body."""
    made = site("gateway:BadGateway,bucket=photos,name=one")
    assert made.asks(["GET /photos/k", "GET /films/k", "GET /"]) == ["one", None, None]
    made = site("http:503,vendor=b2,bucket=photos,name=one http:502,vendor=b2,key=**,name=two")
    assert made.asks(
        ["POST /b2api/v3/b2_list_file_names", "GET /file/photos/k", "GET /file/films/k", "GET /photos/k"]
    ) == [None, "one", "two", None]


@pytest.fixture(scope="module")
def many_rules():
    # Each name only for one method: PUT or GET.
    names = ("PutObject", "GetObject", "List*", "PutBucketAcl")
    rules = [Rule("http:503", operation=names[at % 4], size=f"{at}..") for at in range(1_000)]
    return Injector(rules, environ={}).own_plan


@pytest.mark.parametrize(
    ("target", "places"),
    [
        ("PUT /b/k", range(0, 1_000, 4)),
        ("PUT /b?acl", range(3, 1_000, 4)),
        ("GET /b?list-type=2", range(2, 1_000, 4)),
        *((target, None) for target in ("PUT /b/k?acl", "GET /b?acl", "DELETE /b/k", "HEAD /b/k")),
    ],
)
def test_many_rules_with_operations_are_filed(environ, many_rules, target, places):
    """A request gets rules of its operation alone, and of an impossible method none is examined."""
    assert candidates_of(many_rules, environ(target)) == (places and [*places])


@each_row("vendor", ["gcs", "azure-blob", "swift", "b2", "kodo"])
def test_buckets_that_stand_elsewhere_are_filed_as_well(site, environ, vendor):
    """By what the vendor reads: many of them hand out one."""
    targets = {
        "gcs": "GET /storage/v1/b/bucket-{}/o/k",
        "azure-blob": "GET /account/bucket-{}/k",
        "swift": "GET /v1/account/bucket-{}/k",
        "b2": "GET /file/bucket-{}/k",
        "kodo": "POST /buckets/bucket-{}/objects/aw==/uploads",
    }
    rules = [Rule("http:503", vendor=vendor, bucket=f"bucket-{number}") for number in range(500)]
    rules += [Rule("http:503", bucket=f"bucket-{number}") for number in range(500)]
    made = site(rules)
    plan = made.injector.own_plan
    asked = (targets[vendor].format(17), "GET /bucket-17/k", "GET /else/k")
    # Google's other API is read too, where a request is not one of the JSON API.
    found = [[17], [17, 517] if vendor == "gcs" else [517], None]
    assert [candidates_of(plan, environ(each)) for each in asked] == found
    assert made.ask(targets[vendor].format(17)) == "rule-18"


def test_an_operation_narrows_the_methods_of_a_rule(environ):
    """Those that it and `method` have in common; with none in common it matches nothing."""
    plan = Injector([Rule("http:503", operation="Put*", method=["GET", "PUT"])], environ={}).own_plan
    assert candidates_of(plan, environ("PUT /b/k"))
    assert candidates_of(plan, environ("GET /b/k")) is None
    plan = Injector(
        [Rule("http:503", operation="PutObject", method="GET"), Rule("http:502", method="PUT")], environ={}
    ).own_plan
    assert candidates_of(plan, environ("GET /b/k")) is None


def test_any_number_of_names_and_patterns_is_looked_up():
    """The memory of names and patterns is bounded, and changes no answer."""
    known = operations_of(None)
    names = sorted(known.names)
    for number in range(1100):
        assert known.recognised_for([f"nothing-{number}"]) == frozenset()
        pair = names[number % 97], names[number // 97]
        assert known.methods(pair) == known.methods(pair[:1]) | known.methods(pair[1:])
    assert known.recognised_for(["PutObject", "Abort*"]) == {"PutObject", "AbortMultipartUpload"}


def test_a_literal_given_twice_is_filed_once(environ):
    """Two patterns may have the same beginning."""
    rules = [
        Rule("http:503", path=["photos/", "photos/*"]),
        Rule("http:503", bucket=["photos", "=photos"]),
        Rule("http:503", host=["a.example", "A.example"]),
    ]
    plan = Injector(rules, environ={}).own_plan
    assert candidates_of(plan, environ("GET /photos/k", host="a.example")) == [0, 1, 2]
