"""Calls that change what is in force. Each is carried out whole or not at all, and told to the log once."""

from __future__ import annotations

from functools import partial
from time import gmtime, strftime

from faultinject.control.answers import RETRY_SECONDS, Answer, Refusal
from faultinject.control.state import state
from faultinject.exceptions import ConfigurationError, Conflict, StoreUnavailable
from faultinject.journal import log
from faultinject.rules import values
from faultinject.rules.foreign import check_foreign
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import Mistake, shown
from faultinject.rules.vocabulary import KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from faultinject.control.call import Call
    from faultinject.injector.state import State

    Prepared = tuple[str, Callable[..., State]]
    """What the log says of a change, and what makes it when it is told the generation that it is `expected` to change."""

MOST_RULES = 10_000
"""In force by the API."""
TRIES = 20
"""How often a change is made anew from what another one has put in force meanwhile."""


def switch_on(call: Call) -> Answer:
    """Switch faults on, in all processes, for good or for a time."""
    given = call.keys(("for",))
    until = None
    text = given.get("for")
    if text is not None:
        try:
            if not isinstance(text, str):
                raise Mistake(f"{shown(json_text(text))} is not a duration such as 10m")
            seconds = values.duration(text)
            if not seconds:
                raise Mistake(f"{shown(text)} is no time; POST /off switches faults off")
        except Mistake as mistake:
            raise mistake.error([mistake.message]) from None
        until = call.injector.clock() + seconds
    _check_armable(call)
    _check_time(call)
    made = call.injector.enable(until=until, expected=call.expected)
    return _changed(call, "switched faults on" if text is None else f"switched faults on for {text}", made)


def switch_off(call: Call) -> Answer:
    """Switch faults off, in all processes; waits end, counts stay."""
    call.keys(())
    try:
        made = call.injector.disable(expected=call.expected)
    except StoreUnavailable as error:
        _tell(call, "switched faults off in one process", call.injector.state)
        raise Refusal(
            503,
            f"faults are off in the process that answers; the others cannot be told, so repeat it: {error}",
            headers={"Retry-After": str(RETRY_SECONDS)},
        ) from error
    return _changed(call, "switched faults off", made)


def reset(call: Call) -> Answer:
    """Set all counts to zero."""
    call.keys(())
    _check_armable(call)
    made = call.injector.reset(expected=call.expected)
    return _changed(call, "set all counts to zero", made)


def put_rules(call: Call) -> Answer:
    """Put a whole scenario in force; counts begin at zero. Without `seed` or `abort` the current ones stay."""
    given, names_abort = _scenario(call), "abort" in call.data()
    _check_armable(call)

    def change(in_force: State) -> Prepared:
        check_foreign(given, known=in_force.scenario.rules)
        before, scenario = in_force.scenario.abort, given
        if not names_abort:
            scenario = Scenario(given.rules, seed=given.seed, abort=before)
        what = f"put {_number(len(scenario.rules))} in force: {scenario}"
        if scenario.abort != before:
            bound = f"set abort to {scenario.abort}" if scenario.abort else "removed abort"
            what = f"{bound} and {what}"
        return what, partial(call.injector.use, scenario)

    return _changed(call, *_carry_out(call, change))


def add_rule(call: Call) -> Answer:
    """Add one rule after those in force."""
    given = call.data()
    rule = one_rule(given if "text" in given else {"rule": given})
    check_foreign(Scenario([rule]))
    _check_armable(call)

    def change(in_force: State) -> Prepared:
        _check_number(len(in_force.scenario.rules) + 1)
        return f"added the rule {rule}", partial(call.injector.add, [rule])

    return _changed(call, *_carry_out(call, change), status=201)


def patch_rule(call: Call) -> Answer:
    """Change keys of one rule; null removes a key. Its counts begin at zero, the others keep theirs."""
    given = call.keys(("text", "fault", "unless", *KEYS))

    def change(in_force: State) -> Prepared:
        old = in_force.scenario.rules[place_of(call, in_force)]
        rule = one_rule(given) if "text" in given else _rule(_merged(old.to_dict(), given))
        check_foreign(Scenario([rule]), known=[old])
        _check_armable(call)
        return f"changed the rule {call.name} to {rule}", partial(call.injector.replace, call.name, rule)

    return _changed(call, *_carry_out(call, change))


def delete_rule(call: Call) -> Answer:
    """Remove one rule; the others keep their counts."""
    return _change_one(call, call.injector.remove, "removed")


def enable_rule(call: Call) -> Answer:
    """Switch one rule on again; its counts stay."""
    return _change_one(call, call.injector.enable_rule, "enabled")


def disable_rule(call: Call) -> Answer:
    """Switch one rule off; its counts stay."""
    return _change_one(call, call.injector.disable_rule, "disabled", arms=False)


def place_of(call: Call, in_force: State) -> int:
    """Where the rule stands that the path names.

    Raises:
        Refusal: there is none of that name.
    """
    try:
        return in_force.find(call.name)
    except ConfigurationError as error:
        raise Refusal(404, str(error)) from None


def one_rule(given: Mapping[str, Any]) -> Rule:
    """The one rule of a text or of a table of keys.

    Raises:
        ConfigurationError: it is wrong.
    """
    if len(given) != 1:
        raise Refusal(
            400, 'give one rule: {"text": "cos:SlowDown,times=2"} or {"fault": "cos:SlowDown", "times": 2}'
        )
    if "rule" in given and not isinstance(given["rule"], str):
        if not isinstance(given["rule"], dict):
            raise Refusal(400, f"{shown(json_text(given['rule']))} is not a rule: give text or an object")
        return _rule(given["rule"])
    scenario = _parsed(given.get("text", given.get("rule")), None)
    if len(scenario.rules) != 1:
        raise ConfigurationError([f"one rule is asked for, and {len(scenario.rules) or 'none'} were given"])
    return scenario.rules[0]


def _scenario(call: Call) -> Scenario:
    given = call.data()
    if "text" in given:
        call.keys(("text", "seed", "abort"))
        scenario = _parsed(given["text"], given.get("seed"))
        if "abort" in given:
            # Read by the very reader of files, which says what is wrong with it.
            abort = Scenario.from_json(json_text({"rules": [], "abort": given["abort"]})).abort
            scenario = Scenario(scenario.rules, seed=scenario.seed, abort=abort)
    else:
        rules = given.get("rules")
        if rules is None:
            raise Refusal(400, 'rules are missing: give {"rules": [...]} or {"text": "cos:SlowDown,times=2"}')
        if isinstance(rules, list):
            _check_number(len(rules))
        scenario = Scenario.from_json(call.text)
    _check_number(len(scenario.rules))
    return scenario


def _parsed(text: object, seed: object) -> Scenario:
    if not isinstance(text, str):
        raise Refusal(400, f"text: {shown(json_text(text))} is not a text")
    if seed is not None and (not isinstance(seed, str | int) or isinstance(seed, bool)):
        raise Refusal(400, f"seed: {shown(json_text(seed))} is neither a text nor a whole number")
    return Scenario.parse(text, seed=seed)


def _rule(data: Mapping[str, object]) -> Rule:
    # As a scenario of one it is read by the very reader of files.
    return Scenario.from_json(json_text({"rules": [data]})).rules[0]


def _check_number(number: int) -> None:
    if number > MOST_RULES:
        raise Refusal(413, f"{number} rules are too many: the control API takes {MOST_RULES}")


def _merged(data: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's data with the keys of a `PATCH`: https://www.rfc-editor.org/rfc/rfc7396. Of tables no empty one is left."""
    merged = dict(data)
    for key, value in given.items():
        before = merged.pop(key, None)
        if isinstance(value, dict):
            if key in KEYS and KEYS[key].header:  # their names are spelled as in the rule
                value = {name.lower().replace("_", "-"): each for name, each in value.items()}  # noqa: PLW2901
            value = _merged(before if isinstance(before, dict) else {}, value) or None  # noqa: PLW2901 - as it is put
        if value is not None:
            merged[key] = value
    return merged


def _check_armable(call: Call) -> None:
    """Nothing is armed where nothing may be injected.

    Raises:
        Refusal: this is production.
    """
    production = call.injector.production
    if production is not None:
        raise Refusal(
            403,
            f"{production} looks like production: to inject there, start with FAULTINJECT_PRODUCTION=allow"
            " and FAULTINJECT_EXPIRES of at most 24h",
        )


def _check_time(call: Call) -> None:
    """Faults are not switched on where they would stay off.

    Raises:
        Refusal: FAULTINJECT_EXPIRES has passed.
    """
    expires = call.injector.expires
    if expires is not None and call.injector.clock() >= expires:
        moment = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(expires))
        raise Refusal(
            403, f"FAULTINJECT_EXPIRES has ended all faults of this server at {moment}: start it again first"
        )


def _number(number: int) -> str:
    return "1 rule" if number == 1 else f"{number} rules"


def _change_one(call: Call, does: Callable[..., State], said: str, *, arms: bool = True) -> Answer:
    call.keys(())

    def change(in_force: State) -> Prepared:
        rule = in_force.scenario.rules[place_of(call, in_force)]
        if arms:
            _check_armable(call)
        # A name by position says little when the rules have changed again.
        return f"{said} the rule {call.name}, {rule}", partial(does, call.name)

    return _changed(call, *_carry_out(call, change))


def _carry_out(call: Call, change: Callable[[State], Prepared]) -> tuple[str, State]:
    """Make a change from what is in force; nothing of what another one puts in force meanwhile is lost.

    Args:
        call: what is asked for.
        change: from what is in force to the change of it, which is right but for If-Match.

    Returns:
        What the log says of it, and what is in force by it.

    Raises:
        Conflict: If-Match names another generation than the one in force.
    """
    for _ in range(TRIES):
        in_force = call.injector.state
        what, do = change(in_force)
        expected = call.expected
        try:
            return what, do(expected=in_force.generation if expected is None else expected)
        except Conflict:
            if expected is not None:
                raise
    # What is in force cannot be read, and is replaced whatever it is; or there is no end of others.
    what, do = change(call.injector.state)
    return what, do(expected=None)


def _changed(call: Call, what: str, made: State, *, status: int = 200) -> Answer:
    """The new state; the log says who has changed what."""
    _tell(call, what, made)
    found = state(call.injector)
    return Answer.of_data(found, status=status, headers={"ETag": f'"{found.generation}"'})


def _tell(call: Call, what: str, made: State) -> None:
    log.changed(what, call.client, call.headers.get("user-agent", ""), call.access.place, made.generation)
