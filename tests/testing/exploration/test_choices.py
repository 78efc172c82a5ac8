"""The faults of an exploration, one by one."""

import re

import pytest

import faultinject
from faultinject import Rule
from faultinject.exceptions import ConfigurationError, ProductionRefusedError
from faultinject.testing.exploration.choices import choices_of
from tests.rows import each_row

from .service import call, exploring, passing, scenarios

RETRYABLE = {
    "azure-blob": [
        *("CannotVerifyCopySource", "ContainerBeingDeleted", "InternalError", "OperationTimedOut"),
        *["ServerBusy"] * 4,
    ],
    "b2": [
        *("bad_auth_token", "expired_auth_token", "internal_error", "request_timeout", "service_unavailable"),
        "too_many_requests",
    ],
    "gcs": [
        *("BadGateway", "GatewayTimeout", "backendError", "backendError", "conflict", "internalError"),
        *("rateLimitExceeded", "uploadBrokenConnection"),
    ],
    "gcs-xml": [
        *("BadGateway", "GatewayTimeout", "InternalError", "OperationAborted", "RequestTimeout"),
        *("ServiceUnavailable", "SlowDown"),
    ],
    "kodo": ["502", "503", "504", "599"],
    "kodo-s3": ["InternalError", "ServiceUnavailable", "SlowDown"],
    "rgw": [
        *("InternalError", "OperationAborted", "Rate_Limited", "RequestTimeout", "RequestTimeout"),
        *("ServiceUnavailable", "SlowDown", "UnknownError"),
    ],
    "swift": [
        *("408", "498", "498", "499", "500", "502", "503", "504", "507", "529"),
        *("InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"),
    ],
}
"""Retryable errors by the documents of vendors without S3, or by their protocols.

By the protocol where the documents do not say it.
"""
WITH_CARE = {
    *("azure-blob:OperationTimedOut", "gcs:conflict", "gcs-xml:OperationAborted"),
}
"""Errors that may be retried after a look at the state; a client may as well give up."""
OF_ANOTHER_WRITER = {
    f"{vendor}:OperationAborted" for vendor in ("cos", "obs", "qiniu-mix", "rgw", "s3", "swift")
}
"""Errors that only a second request at the same time causes; a lone client never gets them."""


def faults_of(*faults, request="PUT /b/k"):
    """The faults of one request, without the conditions of its place."""
    method, path = request.split(" ")
    place = f",method={method},path={path}"
    return [each.replace(place, "") for each in scenarios([request], *faults)]


def test_one_of_several_errors_is_each_of_them():
    """The members are tried one by one, as those of a group.

    Each reads requests as its own vendor does.
    """
    rule = "oneof,of=cos:SlowDown,of=gateway:BadGateway,of=s3:@throttle,of=cos:SlowDown,when=after,vendor=cos"
    assert [str(each.rule) for each in choices_of([rule])] == [
        "cos:SlowDown,when=after",
        "gateway:BadGateway,vendor=cos,when=after",
        "s3:SlowDown,when=after",
    ]


def own(vendor):
    """A vendor's errors that may pass and are in its standard set, for any request."""
    found = (each.rule for each in choices_of([vendor]) if not each.lasts)
    return sorted({rule.fault for rule in found if rule.fault.startswith(f"{vendor}:")})


@each_row("method", ["PUT", "GET", "HEAD"])
def test_the_standard_set(method):
    """A vendor id stands for its retryable errors, and for faults of networks and gateways.

    A GET gets a short answer, and each of them none at all.
    """
    told = faultinject.vendors.get("cos").errors
    rows = {each.address for each in told if each.retryable == "yes" and not each.again}
    expected = {
        *rows,
        "reset",
        "reset,when=after",
        "gateway:BadGateway",
        "hang,duration=2500ms",
        "cos:ExpiredToken,from=1",
    } - OF_ANOTHER_WRITER
    if method == "GET":
        expected |= {"truncate"}
    found = [each.replace(",times=1", "") for each in faults_of("cos", request=f"{method} /b/k")]
    assert sorted(found) == sorted(expected)


@each_row("vendor", [each for each in faultinject.vendors.names() if each != "gateway"])
def test_the_standard_set_of_every_vendor(vendor):
    """Every vendor has a set with its own errors, and without errors that have no status."""
    rows = {
        (each.code, each.status): each
        for each in reversed(faultinject.vendors.get(vendor).errors)
        if each.retryable == "yes"
        and each.status >= 400
        and each.again not in ("with-care", "query-first", "after-signing")
    }.values()
    assert own(vendor) == sorted({row.address for row in rows} - OF_ANOTHER_WRITER) != []
    rules = [each.rule for each in choices_of([vendor])]
    assert all(400 <= row.status < 600 for rule in rules for row in rule.resolved.rows)
    assert {"reset", "reset,when=after", "reset,after_bytes=2", "truncate,method=GET"} <= set(map(str, rules))


@each_row("vendor", RETRYABLE)
def test_what_documents_call_retryable(vendor):
    """Row by row."""
    told = [
        row.label.partition("/")[0]
        for row in faultinject.vendors.get(vendor).errors
        if row.retryable == "yes" and row.again != "after-signing"
    ]
    assert sorted(told) == RETRYABLE[vendor]
    own_codes = {each.partition("/")[0] for each in own(vendor)}
    assert own_codes == {f"{vendor}:{each}" for each in RETRYABLE[vendor]} - WITH_CARE - OF_ANOTHER_WRITER


REFUSED = {
    "azure-blob": "AuthorizationFailure",
    "b2": "access_denied",
    "gcs": "forbidden",
    "kodo": "403",
    "oss": "SecurityTokenExpired",
    "qingstor": "permission_denied",
    "swift": "403",
    **dict.fromkeys(("bos", "jdcloud", "kodo-s3", "minio", "obs", "r2", "rgw"), "AccessDenied"),
}
"""The error of a lost permission, by vendor; elsewhere ExpiredToken."""


@each_row("vendor", [each for each in faultinject.vendors.names() if each != "gateway"])
def test_what_stays(vendor):
    """Of each set one error begins at a request, and stays, if the vendor documents one."""
    stays = [each.rule for each in choices_of([vendor]) if each.lasts]
    rows = [
        row
        for row in faultinject.vendors.get(vendor).errors
        if row.code == REFUSED.get(vendor, "ExpiredToken")
    ]
    assert list(map(str, stays)) == [f"{vendor}:{each.code},from=1" for each in rows[:1]]
    assert all(row.status in (400, 403) for each in stays for row in each.resolved.rows)


def test_a_set_without_some_of_its_faults():
    """`without` takes a fault from a set or a group; an unknown name gets the nearest."""
    whole, less = own("s3"), [each.rule.fault for each in choices_of(["s3"], without=["s3:SlowDown", "hang"])]
    assert ({*whole} - {*less}, "hang" in less) == ({"s3:SlowDown"}, False)
    assert [str(each.rule) for each in choices_of(["kodo-s3:@throttle"], without=["kodo-s3:SlowDown"])] == [
        "kodo-s3:ServiceUnavailable"
    ]
    with pytest.raises(ConfigurationError, match=r"s3:Slowdown is not among .*; did you mean s3:SlowDown\?"):
        choices_of(["s3"], without=["s3:Slowdown"])
    with pytest.raises(ConfigurationError, match="explore needs a fault"):
        choices_of(["reset"], without=["reset"])


def test_what_may_be_tried_again_with_care():
    """No set has an error that may be retried with care; by its name it is explored.

    No client must repeat it, as Google's own does not.
    """
    for each in WITH_CARE:
        assert faultinject.vendors.find(each).retryable == "yes"
        assert each not in own(each.partition(":")[0])
    assert faults_of("gcs:conflict") == ["gcs:conflict,times=1"]


BODY = {"data": b"meow"}
S3 = "PUT /b/k"
PLACED = [
    # The error, a request that gets it, and one that does not; each with a body, or headers, or neither.
    ("azure-blob:CannotVerifyCopySource", ("PUT /a/c/b", {"headers": {"x-ms-copy-source": "http://x/y"}}), ("PUT /a/c/b", BODY)),
    ("azure-blob:ContainerBeingDeleted", ("PUT /a/c?restype=container", {}), ("PUT /a/c/b", BODY)),
    ("b2:bad_auth_token", ("POST /b2api/v3/b2_list_buckets", BODY), ("GET /b2api/v3/b2_authorize_account", {})),
    ("b2:expired_auth_token", ("GET /file/b/k", {}), ("GET /b2api/v3/b2_authorize_account", {})),
    ("b2:request_timeout", ("POST /b2api/v3/b2_upload_file/u", BODY), ("GET /file/b/k", {})),
    ("gcs:uploadBrokenConnection", ("POST /upload/storage/v1/b/b/o?name=k", BODY), ("GET /storage/v1/b/b/o/k", {})),
    ("gcs-xml:RequestTimeout", (S3, BODY), ("GET /b/k", {})),
    ("minio:SlowDownWrite", (S3, BODY), ("GET /b/k", {})),
    ("obs:RequestTimeout", (S3, BODY), (S3, {"content_length": 0})),
    ("oss:BadRequest", ("OPTIONS /b/k", {}), (S3, BODY)),
    ("oss:CpuLimitExceeded", ("GET /b/k?x-oss-process=image/resize", {}), ("GET /b/k", {})),
    ("oss:DownloadTrafficRateLimitExceeded", ("GET /b/k", {}), (S3, BODY)),
    ("oss:MetaOperationQpsLimitExceeded", ("GET /b?lifecycle", {}), (S3, BODY)),
    ("oss:MetaOperationQpsLimitExceeded", ("PUT /b/k?live", BODY), ("GET /b/k", {})),
    ("oss:UploadTrafficRateLimitExceeded", (S3, BODY), ("GET /b/k", {})),
    ("qingstor:fetch_throttled", (S3, {"headers": {"x-qs-fetch-source": "http://x/y"}}), (S3, BODY)),
    ("qingstor:upstream_failed", ("GET /b/k", {}), (S3, BODY)),
    ("r2:BadDigest", (S3, BODY), ("POST /b/k?uploads", {})),
    ("r2:ClientDisconnect", (S3, BODY), ("GET /b/k", {})),
    ("rgw:RequestTimeout", (S3, BODY), ("GET /b/k", {})),
    ("rgw:Rate_Limited", ("PUT /swift/v1/c/o", BODY), (S3, BODY)),
    ("s3:ConditionalRequestConflict", (S3, {**BODY, "headers": {"If-None-Match": "*"}}), (S3, BODY)),
    ("s3:ConditionalRequestConflict", (S3, {**BODY, "headers": {"If-None-Match": "*"}}),
     ("GET /b/k", {"headers": {"If-None-Match": "x"}})),
    ("s3:ConditionalRequestConflict", ("POST /b/k?uploadId=u", {**BODY, "headers": {"If-Match": '"x"'}}),
     ("POST /b/k?uploads", {"headers": {"If-Match": '"x"'}})),
    ("s3:RequestTimeout", (S3, BODY), (S3, {"content_length": 0})),
    *((f"swift:{code}", (S3, BODY), ("PUT /v1/AUTH_a/c/o", BODY)) for code in RETRYABLE["swift"][10:] if code != "OperationAborted"),
    ("swift:498", ("PUT /v1/AUTH_a/c/o", BODY), ("GET /v1/AUTH_a/c/o", {})),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "there", "elsewhere"), PLACED)
def test_where_the_document_has_it(fault, there, elsewhere):
    """A row of a set comes at the requests of its document; a named one comes anywhere."""

    def comes(request, *given):
        (method, target), keys = request[0].split(), request[1]
        exploration = passing(lambda: call(method, target, **keys), *given)
        return any(each.text.startswith(f"{fault},") for each in exploration.runs)

    vendor = fault.partition(":")[0]
    assert (comes(there, vendor), comes(elsewhere, vendor)) == (True, False)
    assert [comes(elsewhere, *each) for each in ([fault], [vendor, fault], [fault, vendor])] == [True] * 3


def test_every_place_is_tried():
    """Every place of the tables is tried above, except for errors that no set has."""
    those = {fault.partition(":")[0] for fault, _, _ in PLACED}
    rows = [row for each in those for row in faultinject.vendors.get(each).errors]
    sets = {rule.fault for each in those for rule in (choice.rule for choice in choices_of([each]))}
    assert {
        row.address for row in rows if row.where and row.address in sets
    } - WITH_CARE - OF_ANOTHER_WRITER == {fault for fault, _, _ in PLACED}


def test_who_says_nothing_of_retries(monkeypatch):
    """Without words on retries, throttle and server errors are the set."""
    for row in faultinject.vendors.get("rgw").errors:
        monkeypatch.setattr(row, "retryable", "unstated")
    assert own("rgw") == [
        f"rgw:{each}"
        for each in (
            "InsufficientCapacity",
            "InternalError",
            "Rate_Limited",
            "ServiceUnavailable",
            "SlowDown",
            "UnknownError",
        )
    ]


@each_row(
    ("fault", "invisible"),
    [
        ("s3:NoSuchKey", True),
        ("s3:SlowDown", False),
        ("cos:RequestTimeout", True),
        ("r2:TooManyRequests", False),
        ("minio:NoSuchKey", False),
        ("azure-blob:BlobNotFound", False),
        ("oss:NoSuchKey", False),
        ("obs:NoSuchKey", True),
        ("swift:404", False),
        ("kodo:612", False),
    ],
)
def test_what_head_does_not_tell(fault, invisible):
    """On HEAD a 4xx shows its status alone, unless a header or the status is the code."""
    [choice] = choices_of([fault])
    assert (choice.invisible_on("HEAD"), choice.invisible_on("GET")) == (invisible, False)


def test_errors_in_200():
    """Operations that are documented to answer 200 with an error get one; others do not."""
    rule, hidden = "cos:InternalError,method=POST,path=/b", "times=1,status=200"
    asked = ["POST /b/k?uploadId=x", "POST /b?delete", "PUT /b/k"]
    assert [each for each in scenarios(asked, "cos") if "status=200" in each] == [
        f"{rule}/k,query.uploadId=,{hidden}",
        f"{rule},query.delete=,{hidden}",
    ]


@each_row(
    ("vendor", "operations"),
    [
        ("bos", ["CopyObject"]),
        ("cos", ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy"]),
        ("jdcloud", ["CompleteMultipartUpload", "CopyObject"]),
        ("obs", ["CopyObject", "UploadPartCopy"]),
        ("s3", ["CompleteMultipartUpload", "CopyObject", "UploadPartCopy"]),
        ("tos", ["CopyObject", "FetchObject", "UploadPartCopy"]),
        *((each, []) for each in ("minio", "oss", "rgw", "r2", "kodo-s3", "gcs-xml", "swift", "b2")),
    ],
)
def test_whose_service_sends_an_error_in_a_200(vendor, operations):
    """An error in a 200 is in a set if the vendor's document, SDK or source has one.

    Otherwise a set has none, and a rule still may.
    """
    hidden = [each.rule for each in choices_of([vendor]) if each.rule.value("status") == 200]
    named = {name for rule in hidden for name in rule.conditions["operation"]}
    assert sorted(named - {"DeleteObjects"}) == operations


@each_row("vendor", [each for each in faultinject.vendors.names() if each != "gateway"])
def test_every_key_of_a_delete(vendor):
    """If a delete's answer has an error for each key, each key gets one."""
    deletes = faultinject.vendors.get(vendor).deletes
    named = [
        each.rule
        for each in choices_of([vendor])
        if "DeleteObjects" in each.rule.conditions.get("operation", ())
    ]
    assert len(named) == (deletes is not None)
    for rule in named:
        assert (rule.value("status"), rule.value("share")) == (200, 1)


@each_row(
    ("faults", "expected"),
    [
        (["cos:SlowDown"], ["cos:SlowDown,times=1"]),
        (["cos:SlowDown,times=2,delay=1ms"], ["cos:SlowDown,times=2,delay=1ms"]),
        (
            [Rule("http:503", set={"x-a": "b"}, retry_after="1s")],
            ["http:503,times=1,retry_after=1s,set.x-a=b"],
        ),
        (["reset", "reset", "reset,when=after"], ["reset,times=1,when=after", "reset,times=1"]),
        (["http:500 http:502"], ["http:500,times=1", "http:502,times=1"]),
        (["http:500,name=mine"], ["http:500,times=1"]),
    ],
)
def test_rules(faults, expected):
    """Effects and `times` stay, names go, equal faults count once; texts may hold several rules."""
    assert faults_of(*faults) == expected


def placed(found):
    """The scenarios that are the same wherever a set comes.

    Without the hang of each method, and faults of several requests.
    """
    return [each for each in found if "hang" not in each and "from=" not in each]


def test_conditions_say_where_a_standard_set_comes():
    """Beside those that members of the set have themselves, and not in their place."""
    requests = ["PUT /b/k", "GET /b/k", "PUT /other/k", "PUT /b/k?partNumber=1&uploadId=x"]
    everywhere = placed(scenarios(requests, "cos"))
    for narrowed, holds in [
        ("cos,bucket=b", lambda text: "path=/b/k" in text),
        ("cos,unless.bucket=b", lambda text: "path=/other/k" in text),
        (" cos, operation=UploadPart ", lambda text: "query.partNumber=1" in text),
        ("cos,method=PUT", lambda text: "method=PUT" in text),
        (
            "cos,bucket=other reset,method=GET",
            lambda text: "/other/k" in text or text == "reset,method=GET,path=/b/k,times=1",
        ),
        ("cos,bucket=b,method=GET", lambda text: "path=/b/k" in text and "method=GET" in text),
    ]:
        expected = [each for each in everywhere if holds(each)]
        assert 0 < len(expected) < len(everywhere)
        assert sorted(placed(scenarios(requests, narrowed))) == sorted(expected), narrowed


@each_row(
    "faults", [("cos", "cos,bucket=b"), ("cos,bucket=b", "cos,method=PUT"), ("cos,bucket=b", "cos:SlowDown")]
)
def test_a_fault_of_two_sets_comes_once(faults):
    """Wherever they overlap."""
    assert sorted(placed(scenarios(["PUT /b/k"], *faults))) == sorted(placed(scenarios(["PUT /b/k"], "cos")))


def test_a_set_that_no_request_gets():
    """The nearest request is that by the conditions of the set."""

    _, error = exploring(
        lambda: [call(method, "/other/k") for method in ("PUT", "GET")], "cos,bucket=b,method=GET"
    )
    assert "cos,method=GET,bucket=b was injected in no run (nearest: GET /other/k)" in str(error)


def test_a_group_is_each_of_its_members():
    """A group is no draw; a member comes where the document has it."""
    failed = [each.address for each in faultinject.vendors.get("qingstor").group("@server")]
    assert faults_of("qingstor:@server", request="GET /b/k") == [f"{each},times=1" for each in failed]
    elsewhere = [f"{each},times=1" for each in failed if each != "qingstor:upstream_failed"]
    assert faults_of("qingstor:@server") == elsewhere


def test_conditions_say_where():
    """A fault comes only at the requests that its conditions mean."""
    faults = "reset,method=DELETE", "http:500,unless.method=DELETE,path=/b/*", "http:503,key=other"
    assert scenarios(["PUT /b/k", "GET /b/k", "DELETE /b/other"], *faults) == [
        "reset,method=DELETE,path=/b/other,times=1",
        "http:500,method=PUT,path=/b/k,times=1",
        "http:500,method=GET,path=/b/k,times=1",
        "http:503,method=DELETE,path=/b/other,times=1",
    ]


@each_row(
    ("faults", "message"),
    [
        ([], "explore needs a fault, such as 'cos' or 'cos:SlowDown'"),
        ([""], "explore needs a fault, such as 'cos' or 'cos:SlowDown'"),
        (["reset,skip=2"], "reset,skip=2: explore decides where a fault comes: no skip"),
        (
            ["reset,every=2,probability=0.5,above=1/s,per=key,begin=1s,end=2s"],
            "explore decides where a fault comes: no probability, every, per, above, begin or end",
        ),
        (["reset,times=0"], "times=0 never injects"),
        (["reset,header.x=1"], "explore cannot compare requests by header.x; it can by method, path, host, query, operation, bucket and key"),
        (["reset,unless.client=::1,size=1.."], "explore cannot compare requests by size or client"),
        (["coss:SlowDown"], "did you mean cos"),
        ([3], "not a rule|not rules"),
        (["reset,skip=1", "reset,times=0"], "no skip\nreset,times=0: times=0 never injects"),
        # A standard set takes conditions alone: effects are those of one fault.
        (["cos,times=2"], "cos,times=2: cos stands for a set of faults, which takes conditions alone: no times; name a fault"),
        (["cos,bucket=b,delay=1s"], "no delay"),
        (["quick,delay=1s"], "quick stands for a set of faults, which takes conditions alone: no delay"),
        (["cos,skip=1"], "cos,skip=1: explore decides where a fault comes: no skip"),
        (["cos,header.x=1"], "explore cannot compare requests by header.x"),
        (["cos,sample=client:0.5"], "explore cannot compare requests by sample"),
        (["cos,bukket=b"], r"bukket is not a key; did you mean bucket\?"),
        (["s3,from=2"], "s3 stands for a set of faults, which takes conditions alone: no from"),
    ],
)  # fmt: skip
def test_refused(faults, message):
    """All mistakes are reported at once: own placements, unknown faults, wrong types."""
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        faultinject.explore(*faults)


@each_row(
    ("keys", "message"),
    [
        ({"depth": 3}, "depth is 1 or 2, not 3"),
        ({"depth": True}, "depth is 1 or 2, not True"),
        ({"max_runs": 0}, "max_runs is a whole number from 1 on, not 0"),
        ({"max_runs": "5"}, "max_runs is a whole number from 1 on, not '5'"),
        ({"exhaustive": "yes"}, "exhaustive is True or False, not 'yes'"),
        ({"max_runs": True}, "max_runs is a whole number from 1 on, not True"),
        ({"within": 0}, "within is a number of seconds above 0, not 0"),
        ({"allow": "StorageError"}, "allow takes types of exceptions, not 'StorageError'"),
        ({"allow": (OSError, int)}, "allow takes types of exceptions, not <class 'int'>"),
    ],
)
def test_bounds(keys, message):
    """A number or type that cannot be meant is refused."""
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        faultinject.explore("cos", **keys)


@each_row(
    ("variables", "error", "message"),
    [
        ({"FAULTINJECT_ENABLED": "0"}, ConfigurationError, "FAULTINJECT_ENABLED=0"),
        ({"APP_ENV": "production"}, ProductionRefusedError, "APP_ENV=production looks like production"),
        ({"APP_ENV": "test", "FAULTINJECT_ONLY_WHERE": "APP_ENV=staging"}, ProductionRefusedError, "only where APP_ENV=staging"),
    ],
)  # fmt: skip
def test_switched_off(monkeypatch, variables, error, message):
    """Without injection there is no exploration."""
    with monkeypatch.context() as patch, pytest.raises(error, match=message):
        for name, value in variables.items():
            patch.setenv(name, value)
        faultinject.explore("cos")


def test_conditions_of_the_small_set():
    """They hold for each of its faults, whose own conditions stay."""
    plain, within = choices_of(["quick"]), choices_of(["quick,bucket=photos"])
    assert [choice.rule for choice in within] == [choice.rule for choice in plain]
    assert {(choice.source, str(choice.within)) for choice in within} == {
        ("quick,bucket=photos", "http:503,bucket=photos")
    }
