"""The OpenAPI document, made from the table of calls, so that it says what is routed and nothing else."""

from __future__ import annotations

from faultinject.control.calls import CALLS, OPENAPI
from faultinject.control.schemas import schemas_of
from faultinject.control.state import RuleState, ServerState
from faultinject.rules.vocabulary import KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.control.calls import Entry

    Schema = dict[str, Any]

STATUSES = {
    400: "The body is wrong; each mistake has its place.",
    401: "The token is missing or wrong.",
    403: "Not allowed: another Origin, or a client on another machine; or faults must stay off: production, expired.",
    404: "There is no such name; the message has the nearest name.",
    409: "Another server uses the same store with other rules.",
    411: "The body has chunks, and this WSGI server does not mark their end.",
    412: "The rules have changed since the generation that If-Match names.",
    413: "More than 1 MiB, or more than 10,000 rules.",
    415: "The Content-Type is not application/json.",
    421: "The Host is not one of this control API.",
    500: "An error of faultinject itself.",
    503: "The shared store is unavailable.",
}
EVERY = (400, 403, 421, 500)
"""Statuses of all calls."""

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_YES: Schema = {"type": "boolean"}


def _object(properties: Schema, *, required: tuple[str, ...] | None = None, more: bool = False) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": more,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _keys(*, removable: bool) -> Schema:
    """A rule's keys; `faultinject schema` has all that their values may be."""
    value: Schema = {
        "type": ["string", "number", "boolean", "array", "object", *(["null"] if removable else [])]
    }
    keys = {word: {**value, "description": each.meaning} for word, each in KEYS.items()}
    found = _object(
        {"fault": _TEXT, **keys, "unless": {"type": "object"}}, required=() if removable else ("fault",)
    )
    found["description"] = "A rule as JSON has it; durations and sizes are texts with their unit."
    return found


def schemas() -> dict[str, Schema]:
    """The shapes of bodies and answers, by name."""
    [state, rule], parts = schemas_of([ServerState, RuleState], "#/components/schemas/{name}")
    problem = _object({"message": _TEXT, "where": _TEXT, "excerpt": _TEXT, "caret": _TEXT}, more=True)
    text = _object({"text": {"type": "string", "description": "Rules as text, `cos:SlowDown,times=2`."}})
    seed: Schema = {"type": ["string", "integer", "null"]}
    abort: Schema = {
        "type": ["string", "null"],
        "description": "Such as `5xx>5%/1m`. Left out, the one in force stays; null removes it.",
    }
    asked = {"method": _TEXT, "path": _TEXT, "host": _TEXT}
    answered: Schema = {
        "text": _TEXT,
        "rule": _ref("keys"),
        "says": _TEXT,
        "notes": _list(_TEXT),
        "status": _maybe("integer"),
        "headers": _list({**_list(_TEXT), "minItems": 2, "maxItems": 2}),
        "body": {"type": ["string", "null"], "contentEncoding": "base64"},
        "raw": {"type": ["string", "null"], "contentEncoding": "base64"},
    }
    return {
        **parts,
        "error": _object({"error": _object({"message": _TEXT, "problems": _list(problem)}, more=True)}),
        "health": _object({"ok": _YES}),
        "state": state,
        "rule": rule,
        "keys": _keys(removable=True),
        "patch": {"anyOf": [_keys(removable=True), text]},
        "on": _object({"for": {"type": ["string", "null"], "description": "Such as `10m`."}}, required=()),
        "nothing": {"type": "object", "maxProperties": 0},
        "scenario": _object(
            {"seed": _TEXT, "abort": _TEXT, "rules": _list(_ref("keys"))}, required=("seed", "rules")
        ),
        "rules": {
            "anyOf": [
                _object(
                    {"rules": _list(_keys(removable=False)), "seed": seed, "abort": abort},
                    required=("rules",),
                ),
                _object({**text["properties"], "seed": seed, "abort": abort}, required=("text",)),
            ]
        },
        "one": {"anyOf": [_keys(removable=False), text]},
        "journal": _object(
            {"outcomes": _list({"type": "object"}), "cursor": _TEXT, "dropped": _WHOLE}, more=True
        ),
        "preview": {
            "anyOf": [
                _object({"text": _TEXT, **asked}, required=("text",)),
                _object({"rule": {"anyOf": [_TEXT, _keys(removable=False)]}, **asked}, required=("rule",)),
            ]
        },
        "previewed": _object({**answered, "matches": _YES}, more=True),
    }


PARAMETERS: dict[str, Schema] = {
    "after": {
        "schema": _TEXT,
        "description": "A cursor of an earlier answer; nothing: from the oldest line kept.",
    },
    "format": {"schema": {"enum": ["json", "toml"]}, "description": "Of the answer."},
    "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": 5000}, "description": "Lines at most."},
}
VERSION = "1"
"""Of the API: what it has may become more."""


def document(mount: str = "") -> Schema:
    """The OpenAPI document.

    Args:
        mount: the path below which the API is.
    """
    paths: dict[str, Schema] = {}
    for entry in CALLS:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry)
    paths[OPENAPI] = {
        "get": {
            "summary": "Show this document.",
            "operationId": "get_openapi",
            "responses": {"200": _json("The document.", {"type": "object"}), **_errors(401)},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "faultinject control", "version": VERSION},
        "servers": [{"url": mount or "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(entry: Entry) -> Schema:
    found: Schema = {"summary": entry.summary, "operationId": entry.does.__name__}
    parameters = [
        {"name": name, "in": "query", "required": False, **PARAMETERS[name]} for name in entry.query
    ]
    if "{name}" in entry.path:
        parameters.append(
            {"name": "name", "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}
        )
    if entry.changes:
        tag = {"schema": _TEXT, "description": 'The ETag of the state that was changed, such as "3".'}
        parameters.append({"name": "If-Match", "in": "header", "required": False, **tag})
    if parameters:
        found["parameters"] = parameters
    if entry.takes:
        content = {"application/json": {"schema": _ref(entry.takes)}}
        needed = entry.takes not in ("nothing", "on")
        found["requestBody"] = {"required": needed, "content": content}
    good: Schema = {str(entry.status): _json(entry.summary, _ref(entry.gives))}
    if "format" in entry.query:
        good["200"]["content"]["application/toml"] = {"schema": _TEXT}
    statuses = (401, *entry.also, *((409, 412) if entry.changes else ()))
    found["responses"] = {**good, **_errors(*statuses)}
    return found


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> Schema:
    return {str(each): _json(STATUSES[each], _ref("error")) for each in sorted({*statuses, *EVERY})}
