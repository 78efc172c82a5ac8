"""MIX has no SDK: a JSON client checks the four fields of every row. A gateway's pages go to the same client."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
import requests

from faultinject import vendors

from .told import with_calls

ROWS = vendors.get("qiniu-mix").errors
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.label)


@pytest.fixture(scope="module")
def client():
    with requests.Session() as session:
        yield session


def expected(row, resource, request_id):
    return [("code", row.code), ("message", row.message), ("resource", resource), ("request_id", request_id)]


PLACES = {"/mybucket?uploads": "mybucket", "/mybucket/a%20b/%E7%8C%AB%26": "/mybucket/a b/猫&"}


def test_rows(for_all, server, client):
    """Status, type and the four fields in order; the id is the header's; redirects name no other place."""

    def check(case):
        row, (method, path) = case
        server.use(row.address)
        got = client.request(method, server.url + path, data=b"" if method == "GET" else b"x" * 100)
        request_id = got.headers["X-Request-Id"]
        assert (got.status_code, got.history, got.headers["Content-Type"]) == (
            row.status,
            [],
            "application/json",
        )
        assert got.json(object_pairs_hook=list) == expected(row, PLACES[path], request_id)
        assert (server.last.request_id, "Location" in got.headers) == (request_id, False)

    for_all(with_calls(ROWS, product(["GET", "PUT", "POST", "DELETE"], PLACES)), check)


@pytest.mark.slow
def test_heads(for_all, server):
    """HEAD: GET's status and headers without the body."""

    def check(row):
        server.use(row.address)
        got, head = (server.raw(method, "/mybucket/key") for method in ("GET", "HEAD"))
        assert json.loads(got.body, object_pairs_hook=list) == expected(
            row, "/mybucket/key", got.headers["x-request-id"]
        )
        assert head.body == b""
        variable = {"date": "", "x-request-id": ""}
        assert (head.status, head.headers | variable) == (got.status, got.headers | variable)
        assert head.headers["x-request-id"] == server.outcomes[1].request_id != got.headers["x-request-id"]

    for_all(ROWS, check)


@pytest.mark.parametrize("row", vendors.get("gateway").errors, ids=lambda row: row.label)
def test_gateway_row(row, server, client):
    """nginx's page with nginx's words, and no id of any vendor."""
    server.use(row.address)
    got = client.get(f"{server.url}/mybucket/key")
    assert (got.status_code, got.headers["Content-Type"]) == (row.status, "text/html")
    assert re.findall("<(title|h1)>(.*?)</", got.text) == [
        ("title", f"{row.status} {row.message}"),
        ("h1", f"{row.status} {row.message}"),
    ]
    assert not any("request-id" in name.lower() or "trace-id" in name.lower() for name in got.headers)
    assert server.last.request_id is None
