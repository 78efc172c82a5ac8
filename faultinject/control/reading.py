"""Calls that change nothing."""

from __future__ import annotations

from base64 import b64encode

from faultinject.control.answers import Answer, Refusal
from faultinject.control.changes import one_rule, place_of
from faultinject.control.state import rule_data, state
from faultinject.engine.journal_entry import Outcome
from faultinject.exceptions import UnknownVendor
from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from faultinject.control.call import Call
    from faultinject.rules.key import Key

MOST_OUTCOMES, USUAL_OUTCOMES = 5_000, 500
_WORDS = 2_048


def get_health(_: Call) -> Answer:
    """Say that it answers, and nothing else."""
    return Answer.of_data({"ok": True})


def get_state(call: Call) -> Answer:
    """Show the switch, the rules with their counts, and the limits."""
    found = state(call.desk)
    return Answer.of_data(found, headers={"ETag": f'"{found["generation"]}"'})


def get_rules(call: Call) -> Answer:
    """Show the scenario, as `PUT /rules` takes it; `format=toml` for a file of rules."""
    standing = call.desk.standing
    tag = {"ETag": f'"{standing.generation}"'}
    form = call.query.get("format", "json")
    if form == "toml":
        text = standing.scenario.to_toml().encode("utf-8", "replace")
        return Answer(text, content_type="application/toml; charset=utf-8", headers=tag)
    if form != "json":
        raise Refusal(400, f"format: {shown(form)} is neither json nor toml")
    rules = [rule.to_dict() for rule in standing.scenario.rules]
    return Answer.of_data({"seed": standing.seed, "rules": rules}, headers=tag)


def get_rule(call: Call) -> Answer:
    """Show one rule with its counts."""
    standing = call.desk.standing
    index = place_of(call, standing.scenario)
    counts = call.desk.counts().get(call.name, {})
    found = rule_data(
        call.name, standing.scenario.rules[index], enabled=call.name not in standing.disabled, counts=counts
    )
    return Answer.of_data(found, headers={"ETag": f'"{standing.generation}"'})


def get_journal(call: Call) -> Answer:
    """Show what happened to requests, from a cursor on."""
    limit = call.number("limit", default=USUAL_OUTCOMES, least=1, most=MOST_OUTCOMES)
    outcomes, cursor, dropped = call.desk.events(call.query.get("after", ""), limit)
    return Answer.of_data(
        {"outcomes": [outcome_data(each) for each in outcomes], "cursor": cursor, "dropped": dropped}
    )


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """The fields of a journal line, and whether there was a fault."""
    return {**outcome.to_dict(), "injected": outcome.injected}


def get_vendors(_: Call) -> Answer:
    """List the vendors."""
    from faultinject import vendors

    found = [vendors.get(name) for name in vendors.names()]
    return Answer.of_data(
        {
            "vendors": [
                {
                    "id": each.id,
                    "title": each.title,
                    "errors": len(each.errors),
                    "content_type": each.content_type,
                    "storage": each.addressing is not None,
                }
                for each in found
            ]
        }
    )


def get_vendor(call: Call) -> Answer:
    """Show all documented errors of a vendor, as `faultinject vendors --json` does."""
    from faultinject import vendors

    try:
        vendor = vendors.get(call.name)
    except UnknownVendor as error:
        raise Refusal(404, str(error), problems=error.problems) from None
    rows = [{**each.to_dict(), "address": each.address} for each in vendor.errors]
    return Answer.of_data({"id": vendor.id, "title": vendor.title, "errors": rows})


def get_vocabulary(_: Call) -> Answer:
    """Show all that a rule may say: faults, conditions, triggers, effects."""
    from faultinject.rules import faults
    from faultinject.rules.conditions import CONDITIONS
    from faultinject.rules.effects import EFFECTS
    from faultinject.rules.triggers import TRIGGERS
    from faultinject.rules.vocabulary import KEYS

    known = [
        {"title": each.title, "meaning": _meaning(each.__doc__), "takes": list(each.takes)}
        for each in faults.every()
    ]
    return Answer.of_data(
        {
            "faults": known,
            "conditions": _keys(CONDITIONS),
            "triggers": _keys(TRIGGERS),
            "effects": _keys(EFFECTS),
            "others": _keys({name: KEYS[name] for name in ("name", "vendor")}),
        }
    )


def _keys(keys: Mapping[str, Key]) -> list[dict[str, Any]]:
    return [
        {
            "key": each.key,
            "title": each.title,
            "meaning": _meaning(each.__doc__),
            "default": each.default_text,
            "choices": list(each.choices),
            "named": each.named,
            "yes_no": each.flag,
            "duration": each.seconds,
            "number": each.number,
        }
        for each in keys.values()
    ]


def _meaning(docstring: str | None) -> str:
    return " ".join((docstring or "").partition(">>> ")[0].split())


def preview(call: Call) -> Answer:
    """Show the answer that a rule would give to a request, byte for byte; nothing is carried out."""
    from faultinject.engine.actions import Respond
    from faultinject.injector import trials
    from faultinject.rules.triggers import TRIGGERS

    given = call.keys(("text", "rule", "method", "path", "host"))
    asked = {key: _word(given, key) for key in ("method", "path", "host")}
    rule = one_rule(call, {key: given[key] for key in ("text", "rule") if key in given})
    path = asked["path"] or "/bucket/key"
    method = asked["method"] or _method_of(rule.conditions.get("method", ()))
    request = trials.environ(method, path if path[:1] == "/" else f"/{path}", asked["host"] or "127.0.0.1")
    always = trials.replace_options(rule, **dict.fromkeys(TRIGGERS))
    trial = trials.Trial([always], call.desk.standing.seed)
    action = trial.ask(request)
    matches = action is not None
    if action is None:
        trial = trials.Trial([trials.unconditional(always)], call.desk.standing.seed)
        action = trial.ask(request)
    found: dict[str, Any] = {"matches": matches, "says": rule.resolved.in_words(rule), "notes": []}
    if not isinstance(action, Respond):
        return Answer.of_data({**found, "status": None, "headers": [], "body": None, "raw": None})
    action.answer_keys()
    body, found["notes"] = trials.sent(action, method, rule)
    head = trials.head_of(action, trial.injector.clock())
    return Answer.of_data(
        {
            **found,
            "status": action.answer.status,
            "headers": [list(each) for each in trials.headers_of(action, trial.injector.clock())],
            "body": b64encode(body).decode(),
            "raw": b64encode(head + body).decode(),
        }
    )


def _method_of(named: Iterable[str]) -> str:
    return next((each.upper() for each in named if each.isalpha()), "GET")


def _word(given: Mapping[str, object], key: str) -> str:
    """A short text of the request that is made up."""
    value = given.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _WORDS:
        raise Refusal(400, f"{key}: give a text of at most {_WORDS} characters")
    if key == "path":
        return value.encode("utf-8", "replace").decode()
    if not (value.isascii() and value.isprintable()) or (key == "method" and " " in value):
        raise Refusal(400, f"{key}: {shown(value)} can stand in no request")
    return value
