"""Kodo's statuses above 599, which HTTP does not know, come over every server."""

import json

import pytest

from faultinject import vendors

from .launch import KINDS, SERVERS, Server

pytestmark = pytest.mark.slow

CODES = ("298", "573", "599", "608", "612", "614", "630", "631", "640", "701")
RULES = " ".join(
    f"kodo:{code},path=/{when}/{code}/**,when={when}" for code in CODES for when in ("before", "after")
)


@pytest.mark.parametrize("name", [*SERVERS, "uvicorn h11, TLS"])
def test_odd_statuses(name, tmp_path):
    """Each status comes with its body, before and after the app; the next request is served."""
    if KINDS[name].missing:
        pytest.skip(KINDS[name].missing)
    server = Server(name, tmp_path, RULES)
    wrong = []
    try:
        for code in CODES:
            row = vendors.find(f"kodo:{code}")
            for when in ("before", "after"):
                path = f"/{when}/{code}/photos/1"
                answer = server.ask(path)
                said = json.loads(answer.body or b"null")
                said = said[1]["data"] if code == "298" else said
                found = (answer.status, said, answer.one("X-Reqid") == server.outcome(path)["request_id"])
                if found != (row.status, {"error": row.message}, True):
                    wrong.append((path, answer, found))
        assert server.ask("/photos/1").status == 200
    finally:
        server.stop()
    assert wrong == []
