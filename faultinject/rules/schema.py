"""The JSON Schema of rule files, made from the vocabulary, for editors.

With the schema an editor completes and explains keys, and marks mistakes. Its dialect is 2020-12, but all its keywords
mean the same in draft 4, as some editors know no later one (https://github.com/tamasfe/taplo). It accepts wrong values
that only arithmetic finds, such as `2s..1s`; `faultinject check` reports everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from faultinject import vendors
from faultinject.http.patterns import STARS
from faultinject.rules import faults
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.effects import EFFECTS, EXCLUDING, FORBIDDEN
from faultinject.rules.key import Condition, Key
from faultinject.rules.triggers import FOR_GOOD, NOT_FOR_GOOD
from faultinject.rules.values import BYTES, NO, SECONDS, YES
from faultinject.rules.vocabulary import KEYS
from faultinject.vendors.operations import operations_of

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DECIMAL = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_DURATION = f"{_DECIMAL}(?:{'|'.join(SECONDS)})"
_SIZE = f"[0-9]{{1,18}}(?:{'|'.join(BYTES)})?"
# A token of HTTP, https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105
_PATTERN = rf"=[\s\S]*|[^*]*(?:\*[^*]*){{0,{STARS}}}"


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _number(least: float, most: float, pattern: str, *, whole: bool = True) -> Schema:
    number = {"type": "integer" if whole else "number", "minimum": least, "maximum": most}
    return {"anyOf": [number, _text(pattern)]}


def _any_case(words: Iterable[str]) -> str:
    """A pattern for any of the words in any case, with `_` for `-`.

    It has no flags, as not all editors know them.
    """
    signs = {"-": "[-_]"}
    patterns = (
        "".join(f"[{a.lower()}{a.upper()}]" if a.isalpha() else signs.get(a, a) for a in word)
        for word in words
    )
    return "|".join(patterns)


_SHARE = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+\."
_COUNT = _number(0, 10**18, "[0-9]+")
_LINE = _text("[ -~]*")
_UP_TO_ONE = r"0+\.?[0-9]*|\.[0-9]+|0*1\.?0*|[0-9]*\.?[0-9]+[eE]-[0-9]+"
_SAMPLE = rf"(?:client|bucket|key|principal|header\.{_TOKEN}|query\.[\s\S]+):(?:{_UP_TO_ONE})"
_ABORT = (
    rf"5xx>[0-9]{{1,2}}(?:\.[0-9]*)?%/(?:{_DURATION}|{'|'.join(SECONDS)})"
    r"(?:,\s*(?:min=0*[1-9][0-9]{0,6}|injected=[A-Za-z01]+)){0,2}"
)
FORMS: Mapping[str, Schema] = {
    "name": {"anyOf": [{"type": "integer", "minimum": 0}, _text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")]},
    "method": _text(f"=?{_TOKEN}"),
    "host": _text(r"(?![^:]*:[0-9]+$)(?!.*\]:[0-9]+$)(?!.*\.$).+"),
    "size": {
        "anyOf": [{"type": "integer", "minimum": 0}, _text(rf"{_SIZE}(?:\.\.(?:{_SIZE})?)?|\.\.{_SIZE}")]
    },
    "sample": _text(_SAMPLE),
    "probability": _number(0, 1, _SHARE, whole=False),
    "share": _number(0, 1, _SHARE, whole=False),
    "skip": _COUNT,
    "times": _COUNT,
    "from": _number(1, 10**18, "0*[1-9][0-9]*"),
    "every": _number(1, 10**18, "0*[1-9][0-9]*"),
    "above": _text(f"0*[1-9][0-9]*/(?:{_DURATION}|{'|'.join(SECONDS)})"),
    "delay": _text(
        rf"{_DURATION}(?:\.\.{_DURATION})?|[lL][oO][gG][nN][oO][rR][mM][aA][lL]:{_DURATION}:[0-9.]+"
    ),
    "status": _number(200, 599, "[2-5][0-9][0-9]"),
    "content_type": _text("[ -~]+"),
    "keep": {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1, "not": {"enum": [1]}},
            _text(r"0+\.?[0-9]*|\.[0-9]+"),
        ]
    },
    "keep_bytes": _number(0, 10**18 - 1, _SIZE),
    "after_bytes": _number(0, 10**18 - 1, _SIZE),
    "rate": _number(1, 10**18 - 1, f"(?!0+[A-Z]?){_SIZE}"),
    "flips": _number(1, 1000, "0*[1-9][0-9]{0,3}"),
}
"""The values of keys that need a schema of their own; the others get one from their `Key`."""


def rules_schema() -> Schema:
    """The schema of a file of rules, with the vendors and faults of other installed packages."""
    return {
        "$schema": DIALECT,
        "$id": "urn:faultinject:schema:rules:1",
        "title": "faultinject rules",
        "description": (
            "A scenario: a seed, a bound and rules, each a fault with its conditions, triggers and effects."
        ),
        "type": "object",
        "properties": {
            "seed": {
                "description": "The seed of all draws: the same seed gives the same faults.",
                "type": ["string", "integer"],
            },
            "abort": {
                "description": (
                    "The bound of the app's own failures, `5xx>5%/1m`: when it is passed, all faults end."
                ),
                **_text(_ABORT),
            },
            "rules": {
                "description": "The rules. The first that matches a request and passes its triggers fires.",
                "type": "array",
                "items": {"$ref": "#/$defs/rule"},
            },
        },
        "additionalProperties": False,
        "$defs": {
            "rule": _rule(),
            "documented": {"enum": _addresses()},
            "operation": {"enum": _operations()},
        },
    }


def _rule() -> Schema:
    keys = {word: _describe(key, _form(key)) for word, key in KEYS.items()}
    conditions = {word: keys[word] for word in CONDITIONS}
    unless: Schema = {
        "description": "Negated conditions: if one of them holds, the rule does not match.",
        "type": "object",
        "properties": conditions,
        "patternProperties": _behind_a_dot(conditions),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["fault"],
        "properties": {"fault": _fault(), **keys, "unless": unless},
        "patternProperties": {
            **_behind_a_dot(keys),
            # A key in quotes may have dots, as in a rule's text, and any key may have hyphens for underscores.
            **{f"^unless\\.{word}$": form for word, form in conditions.items() if not KEYS[word].named},
            **{f"^unless\\.{word}\\..": {} for word in conditions if KEYS[word].named},
            **{f"^{word.replace('_', '-')}$": form for word, form in keys.items() if "_" in word},
        },
        "additionalProperties": False,
        "allOf": [*_effects_of_faults(), *_required_keys(), *_exclusive_keys()],
    }


def _behind_a_dot(keys: Iterable[str]) -> Schema:
    """Names in one key in quotes, as `"header.x-test"`."""
    return {f"^{word}\\..": {} for word in keys if KEYS[word].named}


def _form(key: Key) -> Schema:
    """The values that a key takes."""
    if key.key == "set":
        return _table(_LINE, f"(?!(?:{_any_case(sorted(FORBIDDEN))})$){_TOKEN}")
    if key.key == "drop":
        return _table({"enum": [""]}, f"(?!(?:{_any_case(sorted({*FORBIDDEN, 'connection'}))})$){_TOKEN}")
    if key.key == "of":
        error = {"allOf": [{"$ref": "#/$defs/documented"}, {"not": {"enum": _without_status()}}]}
        return {"anyOf": [error, {"type": "array", "minItems": 1, "items": error}]}
    if key.key == "vendor":
        return {"enum": vendors.services()}
    form = FORMS.get(key.key) or _plain(key)
    if not isinstance(key, Condition):
        return form
    several = {"anyOf": [form, {"type": "array", "minItems": 1, "items": form}]}
    return _table(several, _TOKEN if key.header else ".+") if key.named else several


def _plain(key: Key) -> Schema:
    if key.choices:
        hyphened = [choice for choice in key.choices if "-" in choice]
        listed: Schema = {"enum": list(key.choices)}
        return {"anyOf": [listed, _text(_any_case(hyphened).replace("[-_]", "-"))]} if hyphened else listed
    if key.flag:
        words = _text(_any_case(sorted(YES | NO)))
        return {"anyOf": [{"type": "boolean"}, words, {"enum": [0, 1]}]}
    if key.seconds:
        return _text(_DURATION)
    if isinstance(key, Condition):
        if key.key == "operation":
            return {"anyOf": [{"$ref": "#/$defs/operation"}, {"type": "string", "pattern": r"^=.|\*"}]}
        least = 0 if key.named else 1
        return {"anyOf": [{"minLength": least, **_text(_PATTERN)}, {"type": "number"}]}
    return {"type": ["string", "number"]}


def _table(form: Schema, names: str) -> Schema:
    return {"type": "object", "patternProperties": {f"^{names}$": form}, "additionalProperties": False}


def _describe(key: Key, form: Schema) -> Schema:
    meaning = " ".join(key.doc.partition(">>> ")[0].split())
    default = f" Default: {key.default_text}." if key.default_text else ""
    return {"description": f"{meaning}{default}", **form}


def _fault() -> Schema:
    titles = [fault.title for fault in faults.all_faults() if ":" not in fault.title]
    return {
        "description": "The fault: a documented error, `http:NNN` or a broken exchange.",
        "anyOf": [{"enum": titles}, _text("http:[45][0-9][0-9]"), {"$ref": "#/$defs/documented"}],
    }


def _addresses() -> list[str]:
    """All documented errors, and the groups that are not empty."""
    addresses = []
    for name in vendors.names():
        vendor = vendors.get(name)
        addresses += [error.address for error in vendor.errors]
        several = {error.code for error in vendor.errors if error.variant > 1}
        # The error that the bare code stands for can also be named with its number.
        addresses += [
            f"{name}:{error.numbered}" for error in vendor.errors if error.usual and error.code in several
        ]
        addresses += [f"{name}:{group}" for group in vendor.groups]
    return addresses


def _operations() -> list[str]:
    return sorted(set().union(*(operations_of(vendors.get(name)).names for name in vendors.services())))


def _effects_of_faults() -> list[Schema]:
    """For each effect, the faults that take it."""
    return [
        _unless_absent(word, [fault for fault in faults.all_faults() if word in fault.takes])
        for word in EFFECTS
    ]


def _unless_absent(word: str, takers: Iterable[type[faults.Fault]]) -> Schema:
    names = "|".join(map(_name_pattern, takers))
    fits = {"properties": {"fault": {"pattern": f"^(?:{names})$"}}}
    return {"anyOf": [{"not": {"required": [word]}}, fits]}


def _name_pattern(fault: type[faults.Fault]) -> str:
    """A pattern for the texts that name this fault."""
    return {"vendor:Code": "(?!http:).+:.+", "http:NNN": "http:.+"}.get(fault.title, fault.title)


def _required_keys() -> list[Schema]:
    """The keys that a fault needs, as its own `check` reports them.

    For example latency needs `delay`, and an error without a documented status needs `status`.
    """
    needs: dict[str, list[str]] = {}
    for text in [
        *(fault.title for fault in faults.all_faults() if ":" not in fault.title),
        *_without_status(),
    ]:
        for [word] in [
            mistake.missing for mistake in faults.get(text).check({}) if len(mistake.missing) == 1
        ]:
            needs.setdefault(word, []).append(text)
    return [
        {"anyOf": [{"required": [word]}, {"not": {"properties": {"fault": {"enum": texts}}}}]}
        for word, texts in needs.items()
    ]


def _exclusive_keys() -> list[Schema]:
    """The keys that exclude each other.

    Rules with a documented error of a storage vendor take no `vendor`: they read requests as that vendor does.
    """
    storage = {"pattern": f"^(?:{'|'.join(vendors.services())}):"}
    return [
        *({"not": {"required": [FOR_GOOD, key]}} for key in NOT_FOR_GOOD),
        *({"not": {"required": list(pair)}} for pair in EXCLUDING),
        {"not": {"required": ["after_bytes", "share"]}},
        {
            "not": {
                "required": ["after_bytes", "when"],
                "properties": {"fault": {"pattern": ".+:.+|^oneof$"}, "when": {"const": "after"}},
            }
        },
        {"not": {"required": ["fault", "vendor"], "properties": {"fault": storage}}},
        {"not": {"required": ["of", "vendor"], "properties": {"of": {"type": "string", **storage}}}},
        {
            "not": {
                "required": ["of"],
                "properties": {
                    "of": {"type": "array", "minItems": 2},
                    # The faults that take several `of`.
                    "fault": {
                        "not": {
                            "enum": [fault.title for fault in faults.all_faults() if "of" in fault.several]
                        }
                    },
                },
            }
        },
    ]


def _without_status() -> list[str]:
    rows = (error for name in vendors.names() for error in vendors.get(name).errors)
    return [row.address for row in rows if row.status is None]
