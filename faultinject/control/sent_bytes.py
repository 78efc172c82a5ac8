"""The bytes that a request got, made again from its line of the journal, which keeps none."""

from __future__ import annotations

from base64 import b64decode, b64encode

from faultinject.control.answers import Answer, Refusal
from faultinject.control.reading import NO_BYTES, answer_data
from faultinject.engine.actions import Disconnect, Respond
from faultinject.engine.journal_entry import INJECTED
from faultinject.http.target import encode
from faultinject.injector import trials
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule
from faultinject.rules.values import nearest, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from faultinject.control.call import Call

_LATEST = 253_402_300_799.0
"""The last second of the year 9999, in unix seconds."""
_LONGEST = 366 * 86_400.0
"""Seconds that a request takes at most."""


def show_sent(call: Call) -> Answer:
    """Show the bytes that a request got, rendered again from its line of the journal.

    A draw depends on the seed, the rule, the request and its number alone, so the answer is the same to the byte, ids
    included, as long as the rule is the same. `differs` names the fields of the line that say something else.
    """
    line = call.keys(("outcome",)).get("outcome")
    if not isinstance(line, dict):
        raise Refusal(400, "outcome: give a line of the journal, as GET /journal has it")
    name, did, method = (_text(line, key) for key in ("rule", "did", "method"))
    time = _number(line, "time", most=_LATEST)
    ended = min(_LATEST, time + _number(line, "elapsed", missing=0.0))
    request, seq, n = _environ(line, method), _whole(line, "seq") or 0, _whole(line, "n")
    if did not in INJECTED:
        raise Refusal(400, "did: the app answered this request itself, and faultinject keeps nothing of that")
    names = call.injector.state.scenario.display_names
    plan = call.injector.own_plan
    if name not in plan.names:
        there = nearest(name, names) if names else "; there is none"
        raise Refusal(404, f"{shown(name)} is not the name of a rule in force{there}")
    number = plan.names.index(name)
    rule = plan.rules[number]
    assert isinstance(rule, Rule)
    action = trials.decided_again(plan, number, request, seq=seq, n=n, time=time)
    if isinstance(action, Disconnect) and did == "answered":
        action = action.instead  # its server gave no way to end the connection
    says = rule.resolved.in_words(rule)
    found: dict[str, Any] = {"text": str(rule), "rule": rule.to_dict(), "says": says, "notes": [says]}
    if not isinstance(action, Respond):
        return Answer.of_data({**found, **NO_BYTES, "differs": []})
    found |= answer_data(action, method, rule, ended)
    request_id = action.entry.request_id
    if n is None and request_id:
        request_id = _put_id(found, request_id, line.get("request_id"))
    made = {
        "fault": action.entry.fault,
        "status": action.answer.status,
        "response_bytes": len(b64decode(found["body"])),
        "request_id": request_id,
    }
    found["differs"] = [key for key, value in made.items() if line.get(key, value) != value]
    return Answer.of_data(found)


def _put_id(found: dict[str, Any], made: str, sent: object) -> str:
    """Put the request id of the journal in the place of the one that was made; returns which of the two is there now.

    A Redis server is not asked for the number of a request where no decision depends on it, but ids do.
    """
    if not isinstance(sent, str) or len(sent) != len(made) or not sent.isascii():
        return made
    for key in ("body", "raw"):
        found[key] = b64encode(b64decode(found[key]).replace(made.encode(), sent.encode())).decode()
    found["headers"] = [[name, text.replace(made, sent)] for name, text in found["headers"]]
    found["notes"] = [
        *found["notes"],
        "other ids than the request id differ: the journal has no number from which to derive them",
    ]
    return sent


def _environ(line: Mapping[str, Any], method: str) -> dict[str, Any]:
    path, query, host = (_text(line, key, missing="") for key in ("path", "query", "host"))
    # The journal has the path decoded, but for a slash that is part of a name.
    target = encode(path).replace("%252F", "%2F")
    made = trials.environ(method, f"{target}?{query}" if query else target, host)
    agent = line.get("user_agent")
    return made if agent is None else {**made, "HTTP_USER_AGENT": _text(line, "user_agent")}


def _text(line: Mapping[str, Any], key: str, *, missing: str | None = None) -> str:
    value = line.get(key, missing)
    # Half a surrogate pair is in no request, and has no UTF-8.
    if not isinstance(value, str) or value.encode("utf-8", "ignore").decode() != value:
        raise Refusal(400, f"{key}: {shown(json_text(value))} is not a text of the journal")
    return value


def _number(
    line: Mapping[str, Any], key: str, *, missing: float | None = None, most: float = _LONGEST
) -> float:
    value = line.get(key)
    value = missing if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Refusal(400, f"{key}: {shown(json_text(value))} is not a time of the journal, in seconds")
    return float(value)


def _whole(line: Mapping[str, Any], key: str) -> int | None:
    value = line.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise Refusal(400, f"{key}: {shown(json_text(value))} is not a number of the journal")
