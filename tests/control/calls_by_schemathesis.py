"""Asks a control API for whatever its OpenAPI document lets one ask: `calls_by_schemathesis.py URL TOKEN <document`.

Prints how many operations were tried. It ends with a traceback where an answer is not one that the document has.
"""

from __future__ import annotations

import json
import sys

import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis import checks as known
from schemathesis.specs.openapi import checks

WANTED = [
    known.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.ignored_auth,
]


def ask_all(url, token, document):
    """Try every operation; how many there are."""
    document["servers"] = [{"url": url}]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=url)
    operations = [each.ok() for each in schema.get_all_operations()]
    for each in operations:
        ask(each, token)
    return len(operations)


def ask(operation, token):
    """Try one with data that is right and with data that is wrong."""
    kinds = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategies.one_of(*(operation.as_strategy(generation_mode=kind) for kind in kinds)))
    def one(case):
        case.call_and_validate(checks=WANTED, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    one()


if __name__ == "__main__":
    print(ask_all(sys.argv[1], sys.argv[2], json.load(sys.stdin)))
