"""Leases of Azure's blobs and containers, by the tables of their documents.

https://learn.microsoft.com/rest/api/storageservices/lease-blob
https://learn.microsoft.com/rest/api/storageservices/lease-container
"""

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore

A, B, C = (f"{number}f812371-a41d-49e6-b123-f4b542e851c5" for number in (1, 2, 3))
CONTAINER, BLOB = "/account/photos?restype=container", "/account/photos/k"
STATES = ("available", "leased", "breaking", "broken", "expired")


DOES = {
    "put": ("PUT", "", {"blob_type": "BlockBlob"}),
    "get": ("GET", "", {}),
    "describe": ("PUT", "?comp=metadata", {}),
    "delete": ("DELETE", "", {}),
}
"""Method, query and headers of each request."""


class Visitor:
    """A client of a store with one blob, and the store's clock.

    Args:
        target: the blob or its container: the thing that is leased.
    """

    def __init__(self, target=BLOB):
        self.now, self.target = 1_800_000_000.0, target
        self._client = Client(ObjectStore("azure-blob", clock=lambda: self.now))
        assert self._client.put(CONTAINER).status_code == 201
        assert self._client.put(BLOB, headers={"x-ms-blob-type": "BlockBlob"}, data=b"x").status_code == 201

    def ask(self, method, query="", **headers):
        """An answer; `lease_id="x"` is the header `x-ms-lease-id`."""
        named = {f"x-ms-{name.replace('_', '-')}": value for name, value in headers.items() if value}
        if "?" in self.target:
            query = query.replace("?", "&")
        return self._client.open(f"{self.target}{query}", method=method, headers=named, data=b"x")

    def lease(self, action, lease_id=None, **headers):
        """Change the lease: the answer."""
        return self.ask("PUT", "?comp=lease", lease_action=action, lease_id=lease_id, **headers)

    def do(self, what, lease_id=None):
        """Do one of `DOES` with the id of a lease: what the answer says."""
        method, query, headers = DOES[what]
        return said(self.ask(method, query, lease_id=lease_id, **headers))

    def state(self):
        """The state that the target shows, and the status."""
        headers = self.ask("HEAD").headers
        return headers["x-ms-lease-state"], headers["x-ms-lease-status"]

    def bring(self, state):
        """Bring the target's lease into that state, by the id A."""
        if state == "available":
            return
        assert self.lease("acquire", lease_duration="30", proposed_lease_id=A).status_code == 201
        if state == "expired":
            self.now += 31
        if state in ("breaking", "broken"):
            period = "10" if state == "breaking" else "0"
            assert self.lease("break", lease_break_period=period).status_code == 202


def said(answer):
    """Its status, and the code of an error."""
    code = answer.headers.get("x-ms-error-code")
    return f"{answer.status_code} {code}" if code else f"{answer.status_code}"


@pytest.fixture
def visitor():
    return Visitor()


def brought(state, target=BLOB):
    """A visitor of a blob or container whose lease is in that state."""
    made = Visitor(target)
    made.bring(state)
    assert made.state()[0] == state
    return made


MISSING, LOST = "412 LeaseIdMissing", "412 LeaseLost"
OTHER, NONE = "412 LeaseIdMismatchWithBlobOperation", "412 LeaseNotPresentWithBlobOperation"
USES = {
    ("put", A): (NONE, "201", "201", LOST, LOST),
    ("put", B): (NONE, OTHER, OTHER, NONE, NONE),
    ("put", None): ("201", MISSING, MISSING, "201", "201"),
    ("get", A): (NONE, "200", "200", LOST, LOST),
    ("get", B): (NONE, OTHER, OTHER, NONE, NONE),
    ("get", None): ("200", "200", "200", "200", "200"),
}


OTHER_THERE = "412 LeaseIdMismatchWithContainerOperation"
NONE_THERE = "412 LeaseNotPresentWithContainerOperation"
USES_OF_CONTAINERS = {
    ("delete", A): (NONE_THERE, "202", "202", LOST, LOST),
    ("delete", B): (NONE_THERE, OTHER_THERE, OTHER_THERE, NONE_THERE, NONE_THERE),
    ("delete", None): ("202", MISSING, MISSING, "202", "202"),
    **{
        (name, given): outcomes
        for name in ("get", "describe")
        for given, outcomes in {
            A: (NONE_THERE, "200", "200", LOST, LOST),
            B: (NONE_THERE, OTHER_THERE, OTHER_THERE, NONE_THERE, NONE_THERE),
            None: ("200",) * 5,
        }.items()
    },
}


@pytest.mark.parametrize(
    ("target", "uses"), [(BLOB, USES), (CONTAINER, USES_OF_CONTAINERS)], ids=["blob", "container"]
)
def test_use(target, uses):
    """A write needs the id of an active lease; a read that gives an id must give that.

    Of a container only the deletion needs the id; a wrong id is always refused.
    """
    assert {each: tuple(brought(state, target).do(*each) for state in STATES) for each in uses} == uses


NAMES = ("ETag", "Last-Modified")


def leased(visitor):
    """The head of a blob or container after its lease, which changes neither ETag nor time."""
    before = visitor.ask("HEAD").headers
    visitor.bring("leased")
    after = visitor.ask("HEAD").headers
    assert [after[name] for name in NAMES] == [before[name] for name in NAMES]
    return after


def test_a_leased_container():
    """Errors name the container, listings show its lease, its blobs can be written."""
    tenant = Visitor(CONTAINER)
    assert leased(tenant)["x-ms-lease-duration"] == "fixed"
    assert "There is currently a lease on the container and no" in tenant.ask("DELETE").text
    tenant.target = "/account?comp=list"
    assert "<LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState>" in tenant.ask("GET").text
    tenant.target = BLOB
    assert (tenant.do("put"), *tenant.state()) == ("201", "available", "unlocked")
    tenant.target = CONTAINER
    assert tenant.do("delete", A) == "202"


PRESENT, WRONG = "409 LeaseAlreadyPresent", "409 LeaseIdMismatchWithLeaseOperation"
ABSENT, CANNOT = "409 LeaseNotPresentWithLeaseOperation", "409 LeaseIsBrokenAndCannotBeRenewed"
BREAKING = "409 LeaseIsBreakingAndCannotBeAcquired"
UNCHANGED = "409 LeaseIsBreakingAndCannotBeChanged"
ACTIONS = {
    ("acquire", None, None): ("201", PRESENT, PRESENT, "201", "201"),
    ("acquire", None, A): ("201", "201", BREAKING, "201", "201"),
    ("acquire", None, B): ("201", PRESENT, PRESENT, "201", "201"),
    ("break", None, None): (ABSENT, "202", "202", "202", "202"),
    ("change", A, B): (ABSENT, "200", UNCHANGED, ABSENT, ABSENT),
    ("change", B, A): (ABSENT, "200", UNCHANGED, ABSENT, ABSENT),
    ("change", B, C): (ABSENT, WRONG, WRONG, ABSENT, ABSENT),
    ("renew", A, None): (WRONG, "200", CANNOT, CANNOT, "200"),
    ("renew", B, None): (WRONG, WRONG, WRONG, WRONG, WRONG),
    ("release", A, None): (WRONG, "200", "200", "200", "200"),
    ("release", B, None): (WRONG, WRONG, WRONG, WRONG, WRONG),
}


@pytest.mark.parametrize("target", [BLOB, CONTAINER])
def test_actions(target):
    """Each action in each state, with the codes that the table of errors has for them."""
    found = {}
    for name, given, proposed in ACTIONS:
        more = {"proposed_lease_id": proposed, "lease_duration": "15" if name == "acquire" else None}
        answers = (said(brought(state, target).lease(name, given, **more)) for state in STATES)
        found[name, given, proposed] = tuple(answers)
    assert found == ACTIONS


def test_the_time_of_a_lease(visitor):
    """A lease ends by itself, and can be renewed until the next write."""
    visitor.bring("leased")
    visitor.now += 29
    assert visitor.state() == ("leased", "locked")
    visitor.now += 1
    assert visitor.state() == ("expired", "unlocked")
    assert visitor.lease("renew", A).headers["x-ms-lease-id"] == A
    assert visitor.state() == ("leased", "locked")
    visitor.now += 30
    assert (visitor.do("put"), said(visitor.lease("renew", A))) == ("201", WRONG)
    acquired = visitor.lease("acquire", lease_duration="-1").headers["x-ms-lease-id"]
    visitor.now += 1e9
    assert visitor.do("put", acquired) == "201"
    assert visitor.ask("HEAD").headers["x-ms-lease-duration"] == "infinite"


def test_a_break(visitor):
    """A break lasts as long as it says, and at most as long as the lease."""
    visitor.bring("leased")
    visitor.now += 10
    broken = [visitor.lease("break", lease_break_period=each).headers for each in ("60", "5", "9")]
    assert [each["x-ms-lease-time"] for each in broken] == ["20", "5", "5"]
    visitor.now += 5
    assert visitor.state() == ("broken", "unlocked")
    visitor.lease("acquire", lease_duration="-1")
    assert visitor.lease("break").headers["x-ms-lease-time"] == "0"


def test_blocks_lists_and_removals(visitor):
    """They need the lease too, and a lease changes neither ETag nor time."""
    leased(visitor)
    queries = ("?comp=block&blockid=YQ==", "?comp=metadata", "?comp=properties")
    refused = [said(visitor.ask("PUT", query)) for query in queries]
    assert [*refused, visitor.do("delete")] == [MISSING] * 4
    assert [visitor.do("delete", A), visitor.do("put")] == ["202", "201"]
    assert visitor.state() == ("available", "unlocked")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "MissingRequiredHeader"),
        ({"lease_action": "keep"}, "InvalidHeaderValue"),
        ({"lease_action": "acquire"}, "MissingRequiredHeader"),
        ({"lease_action": "acquire", "lease_duration": "14"}, "InvalidHeaderValue"),
        ({"lease_action": "acquire", "lease_duration": "61"}, "InvalidHeaderValue"),
        ({"lease_action": "acquire", "lease_duration": "15", "proposed_lease_id": "x"}, "InvalidHeaderValue"),
        ({"lease_action": "renew"}, "MissingRequiredHeader"),
        ({"lease_action": "change", "lease_id": A}, "MissingRequiredHeader"),
        ({"lease_action": "break", "lease_break_period": "61"}, "InvalidHeaderValue"),
    ],
)
def test_wrong_headers(visitor, headers, code):
    """A missing header, or a value out of its bounds, is a 400."""
    assert said(visitor.ask("PUT", "?comp=lease", **headers)) == f"400 {code}"
