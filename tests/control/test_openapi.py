"""The OpenAPI document says what is routed, and what is routed does what the document says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from faultinject.control import document

from .conftest import TOKEN, control

SCHEMATHESIS = os.environ.get("SCHEMATHESIS")
CALLS_BY_SCHEMATHESIS = Path(__file__).with_name("calls_by_schemathesis.py")


def test_the_document_is_of_what_is_routed(client):
    """Each call, wherever the API is; its schemas are schemas. That a path has no other method is told with the calls."""
    found = client.get("/openapi.json").data
    assert found == document(client.mount)
    assert found["servers"] == [{"url": client.mount or "/"}]
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_answers_are_as_the_document_says(api):
    """Of every call that looks, and of every change."""
    api.ask_app()
    found = api.get("/openapi.json").data
    schemas = found["components"]["schemas"]
    given = {
        "on": {"for": "10m"},
        "rules": {"text": "http:503,name=slow"},
        "one": {"fault": "http:504"},
        "patch": {"times": 3},
        "preview": {"text": "cos:SlowDown"},
    }
    calls = [
        (method, path, each) for path, methods in found["paths"].items() for method, each in methods.items()
    ]
    for method, path, says in sorted(calls, key=lambda each: each[0] == "delete"):
        takes = kind_of(says["requestBody"]) if "requestBody" in says else ""
        answer = api.call(method.upper(), path.replace("{name}", "slow"), given.get(takes))
        good = says["responses"].get(str(answer.status))
        assert answer.status < 300, (method, path, answer.body)
        if kind := kind_of(good):
            validate(answer.data, kind, schemas)
    validate(api.get("/rules/none").data, "error", schemas)


def kind_of(said):
    """The name of the schema of a body."""
    return said["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]


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
