"""A FAIL needs a document that binds the client, or damage that was told or stored."""

import json
import re

import pytest

from faultinject.audit.checks import CHECKS
from faultinject.audit.documents import reference
from faultinject.audit.profiles import get
from faultinject.audit.reports import render
from tests.journals import FINE, LOST, call, calls, fault, finding, judged

from .rows import FAIL, WARN

HTTP = fault("http:503", 503)
AGENTS = {
    "acme/1.0": WARN,
    "cos-nodejs-sdk-v5-2.15.4": WARN,
    "Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#standard": FAIL,
    "azsdk-python-storage-blob/12.27.0 Python/3.11": FAIL,
    "gcloud-python/3.17.1 gccl/3.17.1": FAIL,
}


@pytest.mark.parametrize(("agent", "expected"), AGENTS.items())
@pytest.mark.parametrize(("check", "wait"), [("jitter", 1.0), ("backoff", 0.001)])
def test_a_page_binds_the_clients_of_its_vendor(check, wait, agent, expected):
    """Missing jitter or backoff breaks rules of three vendors, and no rule of the others."""
    said = finding(check, calls(12, wait, wait, kind=HTTP, user_agent=agent), profile=None)
    assert (said.verdict, [*said.evidence]) == (expected, ["wire", "document"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("azure-blob:ServerBusy", FAIL),
        ("gcs:backendError", FAIL),
        ("cos:SlowDown", WARN),
        ("s3:SlowDown", WARN),
    ],
)
def test_a_page_binds_whoever_gets_its_vendors_errors(code, expected):
    """A user's own client counts as its service's client; AWS's page is only for the SDKs."""
    assert finding("jitter", calls(12, 1.0, kind=fault(code, 503))).verdict == expected


def test_a_profile_that_is_chosen_says_whose_client_it_is():
    """As does the user agent, which somebody may have replaced."""
    assert finding("jitter", calls(12, 1.0, kind=HTTP), profile="azure").verdict == FAIL


def test_a_client_that_never_retries_breaks_its_vendors_table():
    """Or harms its caller; of other failures no document says so."""
    known = finding("retries", calls(3, apart=50.0), calls(3, kind=HTTP, apart=50.0))
    unknown = finding("retries", calls(3, kind=HTTP))
    assert (known.verdict, known.documents[0].vendor, unknown.verdict) == (FAIL, "cos", WARN)
    heard = finding("retries", calls(3, kind=HTTP, name="upload", returned=False))
    assert (heard.verdict, [*heard.evidence]) == (FAIL, ["wire", "told", "document"])


def test_a_repeat_that_is_told_as_an_effect_has_one():
    """The same bytes under the same name are what is there already; another upload is one more."""
    post = {"kind": LOST, "last": FINE, "method": "POST", "operation": "PutObject"}
    same = finding("non-idempotent retry", calls(3, 0.5, **post))
    more = finding("non-idempotent retry", calls(3, 0.5, **post, query="uploads"))
    assert [each.message for each in (same, more)] == [
        "3 of 3 lost POSTs were retried without a precondition",
        "3 of 3 lost POSTs were retried, 3 took effect twice",
    ]
    assert ([*more.evidence], "do not retry" in more.action) == (["wire", "store", "document"], False)


def test_who_is_bound_stands_beside_each_document():
    """An RFC binds everybody, and a book nobody."""
    said = finding("nested retries", [call()])
    assert {each.name: each.binds for each in said.documents} == {
        "RFC 9110 9.2.2": "everybody",
        "Google SRE book: Handling Overload": "nobody",
        "Azure: transient fault handling": "vendor",
    }
    assert said.reference == reference(CHECKS["nested retries"].documents)


def test_a_promise_binds_the_client():
    """Its document is that of the profile."""
    said = finding("attempts", calls(3, 0.5), profile="aws-2026")
    [promise] = said.documents
    profiles = get("aws-2026").reference
    assert (said.verdict, promise.binds, promise.name) == (FAIL, "client", profiles)
    assert said.reference.startswith(profiles)


def test_reports_show_the_evidence_and_whom_each_document_binds():
    """Beside the finding, in a page and in code scanning."""
    found = judged(calls(12, 1.0, kind=HTTP))
    [result] = [
        each
        for each in json.loads(render(found, "sarif"))["runs"][0]["results"]
        if each["ruleId"] == "jitter"
    ]
    properties = result["properties"]
    assert (properties["evidence"], properties["documents"][2]) == (
        ["wire", "document"],
        properties["documents"][2] | {"name": "AWS SDKs: retry behavior", "binds": "vendor", "vendor": "aws"},
    )
    said = "Evidence: wire; document; Google SRE book: Handling Overload binds nobody; "
    more = "AWS SDKs: retry behavior binds the clients of aws; "
    assert re.search(f"{re.escape(said)}.*{re.escape(more)}", render(found, "html"), re.DOTALL)
