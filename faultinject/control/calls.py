"""The calls of the control API, and the server's state, which is the answer of most calls."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import gmtime, strftime
from typing import Any

from msgspec import Struct

from faultinject import vendors as catalogue
from faultinject.control.call import RETRY_SECONDS, ControlAnswer, ControlCall, Refusal
from faultinject.exceptions import ConfigurationError, ConflictError, StoreUnavailableError
from faultinject.injector.injector import Injector
from faultinject.injector.state import RuleCounts, State
from faultinject.journal import log
from faultinject.journal.changes import NOTED, ControlChange
from faultinject.rules import values
from faultinject.rules.descriptions import count
from faultinject.rules.foreign import check_sent_rules
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import Mistake, shown
from faultinject.rules.vocabulary import KEYS

VERSION = 1
NO_COUNTS = RuleCounts(0, 0)
"""The counts of a rule that was added after the counts were read."""


class Totals(Struct):
    """Requests since counts began at zero; one that matched several rules counts once.

    Attributes:
        matched: The number of requests that met the conditions of a rule.
        injected: The number of requests that got a fault.
        failed: The number of requests that could not be decided.
    """

    matched: int
    injected: int
    failed: int


class RuleState(Struct):
    """A rule with its counts.

    Attributes:
        name: The rule's name, or its place where it has no name of its own.
        given: The rule's own name; null where it has none.
        text: Its text.
        rule: Its keys, as in a file of rules.
        fault: Its fault.
        vendor: The vendor of a documented error, or null.
        says: The fault in words.
        enabled: Whether requests can match it.
        matched: The number of requests that met the conditions.
        injected: The number of requests that got the fault.
        failed: The number of requests that could not be decided.
        times: The most faults that it gives; null: no limit.
        spent: Whether it has given all of them.
    """

    name: str
    given: str | None
    text: str
    rule: dict[str, Any]
    fault: str
    vendor: str | None
    says: str
    enabled: bool
    matched: int
    injected: int
    failed: int
    times: int | None
    spent: bool


class MadeChange(Struct):
    """A change by the control API.

    Attributes:
        time: The time of the change, unix seconds.
        by: The name of the token that was used, else the client's address.
        what: The change in words.
    """

    time: float
    by: str
    what: str


class ServerState(Struct):
    """The state of a server.

    Attributes:
        v: The version of the format.
        generation: The number of changes that came before.
        on: Whether faults are switched on.
        enabled: Whether the process that answers may inject.
        until: The time at which faults are switched off again, unix seconds; null: never.
        expires: The time of FAULTINJECT_EXPIRES, unix seconds, or null.
        now: The server's time, unix seconds.
        seed: The seed of the draws.
        production: The variable that says that this is production, or null.
        store: The place of the counts.
        max_active: The most faults at the same time in one process.
        active: The number of faults under way in the process that answers.
        refused: The number of faults not given because of `max_active`, in all processes since counts began at zero.
        undecided: The number of requests that passed because the store did not answer, in all processes since counts
            began at zero.
        failures: The number of errors in faultinject itself, in all processes since counts began at zero.
        disarmed: The reason why faultinject switched faults off by itself, or empty.
        abort: The limit of the app's own failures; all faults end when it is exceeded.
        rules: The rules in order.
        totals: The requests of all rules.
        shared: Whether counts are those of all processes of the store; else of the process that answers.
        elsewhere: The reason why FAULTINJECT_ONLY_WHERE forbids faults here, or empty.
        changes: The last 20 changes by the control API, the oldest first.
    """

    v: int
    generation: int
    on: bool
    enabled: bool
    until: float | None
    expires: float | None
    now: float
    seed: str
    production: str | None
    store: str
    max_active: int
    active: int
    refused: int
    undecided: int
    failures: int
    disarmed: str
    abort: str | None
    rules: list[RuleState]
    totals: Totals
    shared: bool
    elsewhere: str = ""
    changes: list[MadeChange] = []


class ScenarioInForce(Struct, omit_defaults=True):
    """The scenario in force, as a file of rules in JSON has it.

    Attributes:
        seed: The seed of the draws.
        rules: The rules in order.
        abort: The bound of the app's own failures.
    """

    seed: str
    rules: list[dict[str, Any]]
    abort: str | None = None


def state(injector: Injector) -> ServerState:
    """All that a client shows: switch, rules, counts and limits."""
    counts = injector.counts()
    in_force = injector.state
    now = injector.clock()
    services, watch = injector.own_plan.services, injector.own_plan.watch
    refused, undecided, failures = injector.passed()
    matched, injected = injector.requests()
    names = in_force.scenario.display_names
    rules = [
        rule_state(name, rule, enabled=name not in in_force.disabled, counts=counts.get(name, NO_COUNTS))
        for name, rule in zip(names, in_force.scenario.rules, strict=True)
    ]
    return ServerState(
        v=VERSION,
        generation=in_force.generation,
        on=in_force.on and (in_force.until is None or now < in_force.until),
        enabled=injector.enabled,
        until=in_force.until,
        expires=injector.expires,
        now=now,
        seed=in_force.seed,
        production=injector.production,
        elsewhere=injector.elsewhere,
        store=injector.store,
        max_active=services.most_active,
        active=services.active,
        refused=refused,
        undecided=undecided,
        failures=failures,
        disarmed=in_force.why_off,
        abort=None if watch is None else watch.text,
        rules=rules,
        totals=Totals(matched, injected, undecided + failures),
        shared=injector.shares,
        changes=[MadeChange(*change) for change in in_force.changes],
    )


def rule_state(name: str, rule: Rule, *, enabled: bool, counts: RuleCounts) -> RuleState:
    """A rule with its counts."""
    vendor = rule.resolved.vendor
    times = rule.value("times")
    return RuleState(
        name=name,
        given=rule.name,
        text=str(rule),
        rule=rule.to_dict(),
        fault=rule.fault,
        vendor=None if vendor is None else vendor.id,
        says=rule.resolved.in_words(rule),
        enabled=enabled,
        matched=counts.matched,
        injected=counts.injected,
        failed=counts.failed,
        times=times,
        spent=times is not None and rule.value("per") == "rule" and counts.injected >= times,
    )


Prepared = tuple[str, Callable[..., State]]
"""A prepared change: its text for the log, and a function that makes it.

The function has an argument `expected`: the generation that it must find in force.
"""

MOST_RULES = 10_000
"""The most rules that the API puts in force."""
TRIES = 20
"""The most attempts at a change while other clients make changes."""


def switch_on(call: ControlCall) -> ControlAnswer:
    """Switch faults on, in all processes, for good or for a time."""
    keys = call.keys(("for",))
    until = None
    text = keys.get("for")
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
    change_text = "switched faults on" if text is None else f"switched faults on for {text}"
    with _note_author(call, change_text):
        new_state = call.injector.enable(until=until, expected=call.expected)
    return _log_and_answer(call, change_text, new_state)


def switch_off(call: ControlCall) -> ControlAnswer:
    """Switch faults off, in all processes; waits end, counts stay."""
    call.keys(())
    change_text = "switched faults off"
    try:
        with _note_author(call, change_text):
            new_state = call.injector.disable(expected=call.expected)
    except StoreUnavailableError as error:
        _log_change(call, "switched faults off in one process", call.injector.state)
        raise Refusal(
            503,
            f"faults are off in the process that answers; the others do not know of it, so repeat the call: {error}",
            headers={"Retry-After": str(RETRY_SECONDS)},
        ) from error
    return _log_and_answer(call, change_text, new_state)


def reset(call: ControlCall) -> ControlAnswer:
    """Set all counts to zero."""
    call.keys(())
    _check_armable(call)
    change_text = "set all counts to zero"
    with _note_author(call, change_text):
        new_state = call.injector.reset(expected=call.expected)
    return _log_and_answer(call, change_text, new_state)


def put_rules(call: ControlCall) -> ControlAnswer:
    """Put a whole scenario in force; counts begin at zero.

    Without `seed` or `abort` the current ones stay.
    """
    new, names_abort = _scenario(call), "abort" in call.data()
    _check_armable(call)

    def change(in_force: State) -> Prepared:
        check_sent_rules(new, known=in_force.scenario.rules)
        before, scenario = in_force.scenario.abort, new
        if not names_abort:
            scenario = Scenario(new.rules, seed=new.seed, abort=before)
        change_text = f"put {count(len(scenario.rules), 'rule')} in force: {scenario}"
        if scenario.abort != before:
            bound = f"set abort to {scenario.abort}" if scenario.abort else "removed abort"
            change_text = f"{bound} and {change_text}"
        return change_text, partial(call.injector.use, scenario)

    return _log_and_answer(call, *_carry_out(call, change))


def add_rule(call: ControlCall) -> ControlAnswer:
    """Add one rule after those in force."""
    data = call.data()
    rule = one_rule(data if "text" in data else {"rule": data})
    check_sent_rules(Scenario([rule]))
    _check_armable(call)

    def change(in_force: State) -> Prepared:
        _check_number(len(in_force.scenario.rules) + 1)
        return f"added the rule {rule}", partial(call.injector.add, [rule])

    return _log_and_answer(call, *_carry_out(call, change), status=201)


def patch_rule(call: ControlCall) -> ControlAnswer:
    """Change keys of one rule; null removes a key.

    Its counts begin at zero, the others keep theirs.
    """
    keys = call.keys(("text", "fault", "unless", *KEYS))

    def change(in_force: State) -> Prepared:
        old = in_force.scenario.rules[place_of(call, in_force)]
        rule = one_rule(keys) if "text" in keys else _rule(_merge_keys(old.to_dict(), keys))
        check_sent_rules(Scenario([rule]), known=[old])
        _check_armable(call)
        return f"changed the rule {call.name} to {rule}", partial(call.injector.replace, call.name, rule)

    return _log_and_answer(call, *_carry_out(call, change))


def delete_rule(call: ControlCall) -> ControlAnswer:
    """Remove one rule; the others keep their counts."""
    return _change_one(call, call.injector.remove, "removed")


def enable_rule(call: ControlCall) -> ControlAnswer:
    """Switch one rule on again; its counts stay."""
    return _change_one(call, call.injector.enable_rule, "enabled")


def disable_rule(call: ControlCall) -> ControlAnswer:
    """Switch one rule off; its counts stay."""
    return _change_one(call, call.injector.disable_rule, "disabled", arms=False)


def place_of(call: ControlCall, in_force: State) -> int:
    """The index of the rule that the path names.

    Raises:
        Refusal: no rule has that name.
    """
    try:
        return in_force.find(call.name)
    except ConfigurationError as error:
        raise Refusal(404, str(error)) from None


def one_rule(data: Mapping[str, Any]) -> Rule:
    """Parse one rule, from a text or from a table of keys.

    Raises:
        ConfigurationError: it is wrong.
    """
    if len(data) != 1:
        raise Refusal(
            400, 'give one rule: {"text": "cos:SlowDown,times=2"} or {"fault": "cos:SlowDown", "times": 2}'
        )
    if "rule" in data and not isinstance(data["rule"], str):
        if not isinstance(data["rule"], dict):
            raise Refusal(400, f"{shown(json_text(data['rule']))} is not a rule: give text or an object")
        return _rule(data["rule"])
    scenario = _parse(data.get("text", data.get("rule")))
    if len(scenario.rules) != 1:
        raise ConfigurationError([f"one rule is asked for, and {len(scenario.rules) or 'none'} were given"])
    return scenario.rules[0]


def _scenario(call: ControlCall) -> Scenario:
    data = call.data()
    if "text" in data:
        data = call.keys(("text", "seed", "abort"))
        data["rules"] = [rule.to_dict() for rule in _parse(data.pop("text")).rules]
    elif data.get("rules") is None:
        raise Refusal(400, 'rules are missing: give {"rules": [...]} or {"text": "cos:SlowDown,times=2"}')
    if isinstance(data["rules"], list):
        _check_number(len(data["rules"]))
    return Scenario.from_json(json_text(data))


def _parse(text: object) -> Scenario:
    if not isinstance(text, str):
        raise Refusal(400, f"text: {shown(json_text(text))} is not a text")
    return Scenario.parse(text)


def _rule(data: Mapping[str, object]) -> Rule:
    # Parsed as a file with one rule, so that all checks and messages are those of a file.
    return Scenario.from_json(json_text({"rules": [data]})).rules[0]


def _check_number(number: int) -> None:
    if number > MOST_RULES:
        raise Refusal(413, f"{number} rules are too many: the control API takes {MOST_RULES}")


def _merge_keys(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the keys of a `PATCH` into a rule's data; empty tables are removed.

    https://www.rfc-editor.org/rfc/rfc7396
    """
    merged = dict(data)
    for key, value in changes.items():
        old_value = merged.pop(key, None)
        if isinstance(value, dict):
            if key in KEYS and KEYS[key].header:  # their names are spelled as in the rule
                value = {name.lower().replace("_", "-"): text for name, text in value.items()}  # noqa: PLW2901
            # A table without keys is removed, like a key with null.
            value = _merge_keys(old_value if isinstance(old_value, dict) else {}, value) or None  # noqa: PLW2901
        if value is not None:
            merged[key] = value
    return merged


def _check_armable(call: ControlCall) -> None:
    """Refuse a call that leads to faults, if no fault may be injected here.

    Raises:
        Refusal: this is production, or FAULTINJECT_ONLY_WHERE permits no faults here.
    """
    production = call.injector.production
    if production is not None:
        raise Refusal(
            403,
            f"{production} looks like production: to inject there, start with FAULTINJECT_PRODUCTION=allow"
            " and FAULTINJECT_EXPIRES of at most 24h",
        )
    if call.injector.elsewhere:
        raise Refusal(403, call.injector.elsewhere)


def _check_time(call: ControlCall) -> None:
    """Refuse to switch faults on after FAULTINJECT_EXPIRES, as they would stay off.

    Raises:
        Refusal: FAULTINJECT_EXPIRES has passed.
    """
    expires = call.injector.expires
    if expires is not None and call.injector.clock() >= expires:
        moment = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(expires))
        raise Refusal(
            403, f"FAULTINJECT_EXPIRES has ended all faults of this server at {moment}: start it again first"
        )


def _change_one(
    call: ControlCall, change_rule: Callable[..., State], verb: str, *, arms: bool = True
) -> ControlAnswer:
    call.keys(())

    def change(in_force: State) -> Prepared:
        rule = in_force.scenario.rules[place_of(call, in_force)]
        if arms:
            _check_armable(call)
        # The log gets the rule's text, as a name by position may mean another rule later.
        return f"{verb} the rule {call.name}, {rule}", partial(change_rule, call.name)

    return _log_and_answer(call, *_carry_out(call, change))


def _carry_out(call: ControlCall, change: Callable[[State], Prepared]) -> tuple[str, State]:
    """Make a change of the state in force, without losing a concurrent change.

    Args:
        call: the client's request.
        change: prepares the change of a state in force; it checks all but If-Match.

    Returns:
        The change's text for the log, and the new state in force.

    Raises:
        ConflictError: If-Match names another generation than the one in force.
    """
    for _ in range(TRIES):
        in_force = call.injector.state
        change_text, apply = change(in_force)
        expected = call.expected
        try:
            generation = in_force.generation if expected is None else expected
            with _note_author(call, change_text):
                return change_text, apply(expected=generation)
        except ConflictError:
            if expected is not None:
                raise
    # The state in force cannot be read, or others change it all the time: now it is replaced unconditionally.
    change_text, apply = change(call.injector.state)
    with _note_author(call, change_text):
        return change_text, apply(expected=None)


@contextmanager
def _note_author(call: ControlCall, change_text: str) -> Iterator[None]:
    """Note the author and the text of the change that the block makes."""
    token = NOTED.set(
        ControlChange(call.injector.clock(), call.token_name or call.client, log.shorten(change_text))
    )
    try:
        yield
    finally:
        NOTED.reset(token)


def _log_and_answer(
    call: ControlCall, change_text: str, new_state: State, *, status: int = 200
) -> ControlAnswer:
    """Log a change, and answer with the new state."""
    _log_change(call, change_text, new_state)
    shown_state = state(call.injector)
    return ControlAnswer.of_data(shown_state, status=status, headers={"ETag": f'"{shown_state.generation}"'})


LONGEST_AGENT = 100
"""The most characters of a User-Agent in the log."""


def _log_change(call: ControlCall, change_text: str, new_state: State) -> None:
    agent = call.headers.get("user-agent", "")
    client = call.client or "somebody"
    # Somebody has changed the rules or the switch with the control API.
    log.warning(
        "faultinject: %s%s %s by the control API (%s), generation %s",
        f"{call.token_name} at {client}" if call.token_name else client,
        f" ({agent[:LONGEST_AGENT]})" if agent else "",
        log.shorten(change_text),
        call.access.place,
        new_state.generation,
    )


MOST_OUTCOMES, USUAL_OUTCOMES = 5_000, 500
"""The maximum and the default of `limit` in a call of `/journal`."""
_LONGEST = 2_048
"""The most characters of the method, path or host of a preview."""


def get_health(_: ControlCall) -> ControlAnswer:
    """Answer that the API is there."""
    return ControlAnswer.of_data({"ok": True})


def get_state(call: ControlCall) -> ControlAnswer:
    """Show the switch, the rules with their counts, and the limits."""
    current = state(call.injector)
    return ControlAnswer.of_data(current, headers={"ETag": f'"{current.generation}"'})


def get_rules(call: ControlCall) -> ControlAnswer:
    """Show the scenario, as `PUT /rules` takes it."""
    in_force = call.injector.state
    rules = [rule.to_dict() for rule in in_force.scenario.rules]
    scenario = ScenarioInForce(in_force.seed, rules, in_force.scenario.abort)
    return ControlAnswer.of_data(scenario, headers={"ETag": f'"{in_force.generation}"'})


def get_rule(call: ControlCall) -> ControlAnswer:
    """Show one rule with its counts."""
    in_force = call.injector.state
    index = place_of(call, in_force)
    counts = call.injector.counts().get(call.name, NO_COUNTS)
    rule = rule_state(
        call.name, in_force.scenario.rules[index], enabled=call.name not in in_force.disabled, counts=counts
    )
    return ControlAnswer.of_data(rule, headers={"ETag": f'"{in_force.generation}"'})


def get_journal(call: ControlCall) -> ControlAnswer:
    """Show the outcomes of requests after a cursor."""
    limit = call.number("limit", default=USUAL_OUTCOMES, least=1, most=MOST_OUTCOMES)
    after = call.query.get("after", "")
    if len(after) > 200 or not (after.isascii() and after.isprintable()):
        raise Refusal(400, f"after: {shown(after)} is not the cursor of an earlier answer")
    events, cursor, dropped = call.injector.events(after, limit)
    outcomes = [{**outcome.to_dict(), "injected": outcome.injected} for outcome in events]
    return ControlAnswer.of_data({"outcomes": outcomes, "cursor": cursor, "dropped": dropped})


def get_vendors(call: ControlCall) -> ControlAnswer:
    """List the vendors, or the errors of one, as a rule names them."""
    vendor = call.query.get("vendor")
    if vendor is None:
        listed = [catalogue.get(name) for name in catalogue.names()]
        return ControlAnswer.of_data(
            {"vendors": [{"id": listed_vendor.id, "title": listed_vendor.title} for listed_vendor in listed]}
        )
    errors = [
        {"fault": error.address, "status": error.status, "message": error.message, "category": error.category}
        for error in catalogue.get(vendor).errors
    ]
    return ControlAnswer.of_data({"errors": errors})


def preview(call: ControlCall) -> ControlAnswer:
    """Show the answer of a rule to a request, byte for byte; nothing is carried out."""
    from faultinject.engine.answers import Respond, answer_keys, at_its_start
    from faultinject.injector import trials

    keys = call.keys(("text", "rule", "method", "path", "host"))
    words = {key: _read_word(keys, key) for key in ("method", "path", "host")}
    rule = one_rule({key: keys[key] for key in ("text", "rule") if key in keys})
    path = words["path"] or "/bucket/key"
    method = words["method"] or trials.default_method(rule)
    request = trials.environ_of(method, path if path[:1] == "/" else f"/{path}", words["host"] or "127.0.0.1")
    trial, action, matches = trials.preview_rule(rule, request, call.injector.state.seed, guarded=True)
    says = rule.resolved.in_words(rule)
    shown_answer: dict[str, Any] = {
        "text": str(rule),
        "rule": rule.to_dict(),
        "matches": matches,
        "says": says,
    }
    if not isinstance(action, Respond):
        return ControlAnswer.of_data(
            {**shown_answer, "notes": [says], "status": None, "headers": [], "body": None, "raw": None}
        )
    answer_keys(action)
    body, notes = trials.sent_body(action, method, rule)
    now = trial.injector.clock()
    shown_answer |= {
        "notes": notes,
        "status": action.answer.status,
        "headers": [list(header) for header in at_its_start(action, now)],
        "body": b64encode(body).decode(),
        "raw": b64encode(trials.head_of(action, now) + body).decode(),
    }
    return ControlAnswer.of_data(shown_answer)


def _read_word(keys: Mapping[str, object], key: str) -> str:
    """Read the method, path or host of the made-up request."""
    value = keys.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise Refusal(400, f"{key}: give a text of at most {_LONGEST} characters")
    if key == "path":
        return value.encode("utf-8", "replace").decode()
    if not (value.isascii() and value.isprintable()) or (key == "method" and " " in value):
        raise Refusal(400, f"{key}: {shown(value)} cannot be part of a request")
    return value


CallFunction = Callable[[ControlCall], ControlAnswer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the API: where it is, and the function that answers it.

    Attributes:
        method: the HTTP method; an endpoint of GET also answers HEAD.
        path: the path below the mount point; `{name}` is a rule.
        run: answers the call.
        query: the names of its parameters.
    """

    method: str
    path: str
    run: CallFunction
    query: tuple[str, ...] = ()


CALLS = (
    Endpoint("GET", "/health", get_health),
    Endpoint("GET", "/state", get_state),
    Endpoint("POST", "/on", switch_on),
    Endpoint("POST", "/off", switch_off),
    Endpoint("POST", "/reset", reset),
    Endpoint("GET", "/rules", get_rules),
    Endpoint("PUT", "/rules", put_rules),
    Endpoint("POST", "/rules", add_rule),
    Endpoint("GET", "/rules/{name}", get_rule),
    Endpoint("PATCH", "/rules/{name}", patch_rule),
    Endpoint("DELETE", "/rules/{name}", delete_rule),
    Endpoint("POST", "/rules/{name}/enable", enable_rule),
    Endpoint("POST", "/rules/{name}/disable", disable_rule),
    Endpoint("GET", "/journal", get_journal, query=("after", "limit")),
    Endpoint("GET", "/vendors", get_vendors, query=("vendor",)),
    Endpoint("POST", "/preview", preview),
)
