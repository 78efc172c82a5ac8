"""The OpenAPI document says what is routed, and what is routed does what the document says."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from faultinject import control as control_room
from faultinject.control.calls import CALLS
from faultinject.control.openapi import STATUSES, document

from .conftest import TOKEN, control

SCHEMATHESIS = os.environ.get("SCHEMATHESIS")
CALLS_BY_SCHEMATHESIS = Path(__file__).with_name("calls_by_schemathesis.py")


def test_the_document_is_of_what_is_routed(client):
    """Each call, with its method; its schemas are schemas."""
    found = client.get("/openapi.json").data
    assert found == document(client.mount)
    assert found["servers"] == [{"url": client.mount or "/"}]
    routed = {(each.path, each.method.lower()) for each in CALLS}
    routed |= {("/journal/stream", "get"), ("/openapi.json", "get")}
    assert {(path, method) for path, item in found["paths"].items() for method in item} == routed
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_answers_are_as_the_document_says(client):
    """Of every call that looks, and of every change."""
    client.ask_app()
    schemas = client.get("/openapi.json").data["components"]["schemas"]
    given = {
        "on": {"for": "10m"},
        "rules": {"text": "http:503,name=slow"},
        "one": {"fault": "http:504"},
        "patch": {"times": 3},
        "preview": {"text": "cos:SlowDown"},
        "line": {"outcome": {"rule": "slow", "did": "answered", "method": "GET", "path": "/a", "time": 1}},
    }
    for entry in sorted(CALLS, key=lambda each: each.method == "DELETE"):
        name = "cos" if "vendors" in entry.path else "slow"
        answer = client.call(entry.method, entry.path.replace("{name}", name), given.get(entry.takes))
        assert answer.status == entry.status, (entry, answer.body)
        validate(answer.data, entry.gives, schemas)
    validate(client.get("/rules/none").data, "error", schemas)


def test_the_document_names_every_status():
    """All that the code refuses with, and no other but 405, which no operation has."""
    refused = {
        each.value for path in Path(control_room.__file__).parent.glob("*.py") for each in refusals(path)
    }
    assert refused == {*STATUSES, 405}
    named = {
        status
        for item in document()["paths"].values()
        for operation in item.values()
        for status in operation["responses"]
    }
    assert named == {*map(str, STATUSES), "200", "201"}


def refusals(path):
    """The statuses in `Refusal(…)` and its like."""
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Refusal":
            yield from (
                each for each in ast.walk(call.args[0]) if isinstance(getattr(each, "value", None), int)
            )


def validate(data, name, schemas):
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    jsonschema.Draft202012Validator(schema).validate(data)


@pytest.mark.slow
@pytest.mark.skipif(
    SCHEMATHESIS is None, reason="schemathesis changes other tests, so it is in the folder of SCHEMATHESIS"
)
@pytest.mark.parametrize("kind", ["wsgi", "asgi", "own"])
def test_schemathesis(kind):
    """Thousands of calls made from the document: none breaks the API, and each answer is one that the document has.

    In a process of its own: its plugin for pytest changes what Hypothesis prints for all that runs beside it.
    """
    with control(kind, "cos:SlowDown,name=slow,path=photos/") as client:
        url = f"http://127.0.0.1:{client.port}{client.mount}"
        told = json.loads(client.get("/openapi.json").body)
        done = subprocess.run(
            [sys.executable, str(CALLS_BY_SCHEMATHESIS), url, TOKEN],
            input=json.dumps(told), capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": SCHEMATHESIS},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert int(done.stdout) > 10
        assert client.state()["v"] == 1
