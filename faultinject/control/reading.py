"""Calls that change nothing."""

from __future__ import annotations

from base64 import b64encode

from faultinject.control.answers import Answer, Refusal
from faultinject.control.changes import one_rule, place_of
from faultinject.control.state import rule_state, state
from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from faultinject.control.call import Call

MOST_OUTCOMES, USUAL_OUTCOMES = 5_000, 500
_LONGEST = 2_048


def get_health(_: Call) -> Answer:
    """Say that it answers."""
    return Answer.of_data({"ok": True})


def get_state(call: Call) -> Answer:
    """Show the switch, the rules with their counts, and the limits."""
    found = state(call.injector)
    return Answer.of_data(found, headers={"ETag": f'"{found.generation}"'})


def get_rules(call: Call) -> Answer:
    """Show the scenario, as `PUT /rules` takes it; `format=toml` for a file of rules."""
    in_force = call.injector.state
    tag = {"ETag": f'"{in_force.generation}"'}
    form = call.query.get("format", "json")
    if form == "toml":
        text = in_force.scenario.to_toml().encode("utf-8", "replace")
        return Answer(text, content_type="application/toml; charset=utf-8", headers=tag)
    if form != "json":
        raise Refusal(400, f"format: {shown(form)} is neither json nor toml")
    abort = in_force.scenario.abort
    found: dict[str, Any] = (
        {"seed": in_force.seed} if abort is None else {"seed": in_force.seed, "abort": abort}
    )
    found["rules"] = [rule.to_dict() for rule in in_force.scenario.rules]
    return Answer.of_data(found, headers=tag)


def get_rule(call: Call) -> Answer:
    """Show one rule with its counts."""
    in_force = call.injector.state
    index = place_of(call, in_force)
    counts = call.injector.counts().get(call.name, {})
    found = rule_state(
        call.name, in_force.scenario.rules[index], enabled=call.name not in in_force.disabled, counts=counts
    )
    return Answer.of_data(found, headers={"ETag": f'"{in_force.generation}"'})


def get_journal(call: Call) -> Answer:
    """Show the outcomes of requests after a cursor."""
    limit = call.number("limit", default=USUAL_OUTCOMES, least=1, most=MOST_OUTCOMES)
    after = call.query.get("after", "")
    if len(after) > 200 or not (after.isascii() and after.isprintable()):
        raise Refusal(400, f"after: {shown(after)} is not the cursor of an earlier answer")
    found, cursor, dropped = call.injector.events(after, limit)
    outcomes = [{**each.to_dict(), "injected": each.injected} for each in found]
    return Answer.of_data({"outcomes": outcomes, "cursor": cursor, "dropped": dropped})


def preview(call: Call) -> Answer:
    """Show the answer that a rule would give to a request, byte for byte; nothing is carried out."""
    from faultinject.engine.actions import Respond
    from faultinject.engine.answers import answer_keys
    from faultinject.injector import trials

    given = call.keys(("text", "rule", "method", "path", "host"))
    asked = {key: _word(given, key) for key in ("method", "path", "host")}
    rule = one_rule({key: given[key] for key in ("text", "rule") if key in given})
    path = asked["path"] or "/bucket/key"
    method = asked["method"] or trials.default_method(rule)
    request = trials.environ(method, path if path[:1] == "/" else f"/{path}", asked["host"] or "127.0.0.1")
    trial, action, matches = trials.previewed(rule, request, call.injector.state.seed, guarded=True)
    says = rule.resolved.in_words(rule)
    found: dict[str, Any] = {"text": str(rule), "rule": rule.to_dict(), "matches": matches, "says": says}
    if not isinstance(action, Respond):
        return Answer.of_data(
            {**found, "notes": [says], "status": None, "headers": [], "body": None, "raw": None}
        )
    answer_keys(action)
    body, notes = trials.sent(action, method, rule)
    now = trial.injector.clock()
    found |= {
        "notes": notes,
        "status": action.answer.status,
        "headers": [list(each) for each in trials.headers_of(action, now)],
        "body": b64encode(body).decode(),
        "raw": b64encode(trials.head_of(action, now) + body).decode(),
    }
    return Answer.of_data(found)


def _word(given: Mapping[str, object], key: str) -> str:
    """A short text of the request that is made up."""
    value = given.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise Refusal(400, f"{key}: give a text of at most {_LONGEST} characters")
    if key == "path":
        return value.encode("utf-8", "replace").decode()
    if not (value.isascii() and value.isprintable()) or (key == "method" and " " in value):
        raise Refusal(400, f"{key}: {shown(value)} can stand in no request")
    return value
