"""`faultinject check`: explains rules, their chances, and their mistakes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote_to_bytes

import click
from click.core import ParameterSource
from msgspec import Struct

from faultinject.cli import chances, layout
from faultinject.cli import rules as reading
from faultinject.cli.descriptions import bound, percent, sentence
from faultinject.engine.request import WSGIRequest, environ_key
from faultinject.engine.shown import quoted, shown_path, shown_target, without_userinfo
from faultinject.exceptions import ConfigurationError
from faultinject.injector import trials
from faultinject.rules.control import TOKEN
from faultinject.rules.environment import Environment, is_switched_on, read_environment
from faultinject.rules.names import PREFIX
from faultinject.rules.production import production_reason
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.store import store_for_log
from faultinject.rules.values import is_token, visible
from faultinject.rules.variables import value_of
from faultinject.vendors.addressing import Addressing


class Settings(Struct):
    """The settings of a server with the environment.

    Attributes:
        enabled: Whether a server would put faults around its app.
        switch: The value of FAULTINJECT_ENABLED; null if it is not set.
        variables: The variables that are set.
        seed: The seed; null: one is chosen.
        production: The variable that says that this is production.
        production_allowed: Whether faults are allowed there.
        elsewhere: The reason why FAULTINJECT_ONLY_WHERE forbids faults here, or empty.
        expires: The time at which faults end, unix seconds.
        abort: The bound of the app's own failures, which ends all faults.
        header: Whether injected answers are marked.
        endpoints: Further hosts of the storage.
        store: The place of the counts.
        journal: The journal's file.
        max_active: The most faults at the same time.
        on_request: Whether requests may ask for faults of their own.
    """

    enabled: bool
    switch: bool | None
    variables: dict[str, str]
    seed: str | None
    production: str | None
    production_allowed: bool
    elsewhere: str
    expires: float | None
    abort: str | None
    header: bool
    endpoints: list[str]
    store: str | None
    journal: str | None
    max_active: int | None
    on_request: bool


def server_settings(environ: Mapping[str, str], now: float) -> tuple[Settings, Environment]:
    """The settings of a server that is started now, as they are printed and as they are read.

    Raises:
        ConfigurationError: a server would refuse to start, now or with FAULTINJECT_ENABLED=1.
    """
    switch = is_switched_on(environ)
    variables = {
        name: _without_secrets(name, environ[name], text)
        for name in sorted(environ)
        if name.startswith(PREFIX) and (text := value_of(environ, name)) is not None
    }
    # Without FAULTINJECT_ENABLED the rules are read as if it were 1, so that mistakes are found before that is set.
    not_yet_on = switch is None and any(not name.endswith("_ENABLED") for name in variables)
    environment = read_environment(environ, now=now, forced=True if not_yet_on else None)
    printed = Settings(
        enabled=bool(switch),
        switch=switch,
        variables=variables,
        seed=environment.seed,
        production=production_reason(environ),
        production_allowed=environment.production_allowed,
        elsewhere=environment.elsewhere,
        expires=environment.expires,
        abort=environment.abort or (None if environment.scenario is None else environment.scenario.abort),
        header=environment.header,
        endpoints=list(environment.endpoints),
        store=None if environment.store is None else store_for_log(environment.store),
        journal=environment.journal,
        max_active=environment.max_active,
        on_request=environment.on_request,
    )
    return printed, environment


def show_settings(settings: Settings, now: float) -> None:
    """Print the settings of a server with the environment."""
    over = _is_over(settings, now)
    why_off = _why_off(settings, over=over)
    lines = [("faults", f"off: {why_off}" if why_off else "on")]
    lines += [(name, visible(text)) for name, text in settings.variables.items()]
    if settings.production is not None:
        allowed = settings.production_allowed and not settings.elsewhere
        verdict = "faults are allowed" if allowed else "nothing is injected"
        lines.append(("production", f"{settings.production} looks like production: {verdict}"))
    if settings.enabled:
        lines.append(("seed", settings.seed or "chosen and logged at start"))
        if settings.expires is not None:
            moment = datetime.fromtimestamp(settings.expires, UTC).isoformat(" ", "seconds")
            effect = " has passed: nothing will be injected" if over else ", if it is started now"
            lines.append(("expires", f"{moment}{effect}"))
        if settings.journal is not None and not _writable(settings.journal):
            lines.append(("journal", "cannot be written here, so a server would refuse to start here"))
        if not settings.header:
            lines.append(("marks", "none: no x-faultinject and no Cache-Control in injected answers"))
    click.echo("\n".join(layout.aligned(lines)))


def _writable(path: str) -> bool:
    """Whether this user can append to a file, or make it."""
    file = Path(path)
    return os.access(file if file.exists() else file.parent, os.W_OK)


def _is_over(settings: Settings, now: float) -> bool:
    return settings.expires is not None and settings.expires <= now


def _why_off(settings: Settings, *, over: bool) -> str:
    """The reason why nothing is injected, or empty."""
    if settings.enabled and settings.production is not None and not settings.production_allowed:
        return f"{settings.production} looks like production"
    if settings.elsewhere:
        return settings.elsewhere
    if settings.enabled:
        return "FAULTINJECT_EXPIRES has passed" if over else ""
    if settings.switch is False:
        return "FAULTINJECT_ENABLED switches all faults off, and overrides everything else"
    if settings.variables:
        return "FAULTINJECT_ENABLED is not set, so install() does nothing; with 1 the following would apply"
    return "FAULTINJECT_ENABLED is not set, so install() does nothing"


def _without_secrets(name: str, text: str, value: str) -> str:
    """The value of a variable without secrets, as users copy the output into bug reports."""
    if name == TOKEN:
        return "…"
    return store_for_log(value) if name == "FAULTINJECT_STORE" else text


def parse_request(text: str, host: str, mount: str = "/", headers: Sequence[str] = ()) -> dict[str, Any]:
    """The WSGI environ of `PUT /a/b?x=1`; a path alone is a GET.

    Raises:
        UsageError: the text is no request, its path does not begin with the mount point, or a header is wrong.
    """
    method, blank, target = text.strip().partition(" ")
    if not blank:
        method, target = "GET", method
    target = target.strip()
    if not (method.isascii() and method.replace("-", "").isalnum() and target.startswith("/")):
        shown = shown_target(" ".join(map(without_userinfo, text.split(" "))))
        raise click.UsageError(
            f"--request: {shown!r} is not a method and a path, such as 'PUT /photos/cat.jpg'"
        )
    mount_point = _mount_of(mount, target)
    if mount_point is None:
        raise click.UsageError(
            f"--mount: the path {quoted(shown_target(target))} does not begin with the mount point"
            f" {quoted(mount)}; give the whole path, as the client sends it"
        )
    environ = trials.environ_of(method, target, host, mount=mount_point)
    for header in headers:
        name, colon, value = header.partition(":")
        layout.refuse(
            {f"--header: {header!r} is not a header, such as 'X-User: 42'": not (colon and is_token(name))}
        )
        environ[environ_key(name.lower())] = (
            value.strip().encode("utf-8", "surrogateescape").decode("latin-1")
        )
    return environ


def _mount_of(mount_text: str, target: str) -> str | None:
    """The mount point as SCRIPT_NAME has it; None if the path does not begin with it."""
    mount, path = (
        unquote_to_bytes(quote(text.encode("utf-8", "surrogateescape"), safe=trials.SAFE)).decode("latin-1")
        for text in (mount_text.rstrip("/"), target.partition("?")[0])
    )
    begins = path.startswith(mount) and path[len(mount) : len(mount) + 1] in ("", "/")
    return mount if begins and mount_text[:1] == "/" else None


class RuleMeaning(Struct):
    """The meaning of a rule.

    Attributes:
        name: The rule's name.
        rule: Its text.
        words: Its meaning in words.
        rate: The share of attempts that it answers, of those that meet all conditions.
        sampled: The share of users, tenants or keys that its sample chooses; 1 without one.
        dead: The reason why it never fires; null where it can.
        warnings: The doubts about it.
    """

    name: str
    rule: str
    words: str
    rate: float
    sampled: float
    dead: str | None
    warnings: list[str]


class AskedRequest(Struct):
    """The reading of a request.

    Attributes:
        method: Its method.
        target: Its path and query.
        host: Its Host.
        read: The vendor's reading of it: identity, bucket, key and operation.
        matches: The rules whose conditions it meets.
        attempts: The faults of its first attempts, null for the app's answer; null without a seed.
    """

    method: str
    target: str
    host: str
    read: list[dict[str, str | None]]
    matches: list[str]
    attempts: list[str | None] | None


class Meaning(Struct, kw_only=True, omit_defaults=True):
    """The meaning and the chances of rules.

    Attributes:
        ok: Whether every rule can fire, and one of them for the request.
        rules: Each rule.
        untouched: The share of attempts that no rule answers.
        all_fail: The chance that the first 1, 2, … attempts of a call all fail.
        seed: The seed.
        abort: The bound of the app's own failures, which ends all faults.
        request: With --request: the reading of that request.
        environment: With rules of the environment: its settings.
    """

    ok: bool
    rules: list[RuleMeaning]
    untouched: float
    all_fail: list[float]
    seed: str | None
    abort: str | None
    request: AskedRequest | None = None
    environment: Settings | None = None


class ShownProblem(Struct):
    """A mistake in rules.

    Attributes:
        where: The place: a file and line, a variable, an argument.
        message: The mistake, and what would be right.
        excerpt: The text there, with a caret below; may be empty.
    """

    where: str
    message: str
    excerpt: str


class Mistakes(Struct):
    """The mistakes in rules.

    Attributes:
        ok: False, as there is a mistake.
        problems: Every mistake.
    """

    ok: Literal[False]
    problems: list[ShownProblem]


def explain(
    scenario: Scenario, environ: dict[str, Any] | None, seed: str | None, settings: Settings | None
) -> Meaning:
    """Explain rules, their chances, and how they take one request.

    Args:
        scenario: the rules.
        environ: the request, or None.
        seed: the seed of the draws for that request's attempts; None: the attempts are not shown.
        settings: the settings of the environment, if the rules are from there, or None.
    """
    rules, names = scenario.rules, scenario.display_names
    dead = chances.dead_rules(rules, names)
    matching: Sequence[int] = range(len(rules))
    asked_request = None
    if environ is not None:
        matching, asked_request = _ask(scenario, environ, seed)
    chosen = [rules[number] for number in matching]
    *shares, untouched = chances.rates(chosen)
    rates = dict(zip(matching, shares, strict=True))
    return Meaning(
        ok=not dead and (asked_request is None or bool(asked_request.matches)),
        rules=[
            RuleMeaning(
                name,
                str(rule),
                sentence(rule),
                rates.get(number, 0.0),
                chances.sampled(rule),
                dead.get(number),
                rule.doubts(),
            )
            for number, (name, rule) in enumerate(zip(names, rules, strict=True))
        ],
        untouched=untouched,
        all_fail=chances.all_fail(chosen),
        seed=seed,
        abort=scenario.abort,
        request=asked_request,
        environment=settings,
    )


def _ask(scenario: Scenario, environ: dict[str, Any], seed: str | None) -> tuple[Sequence[int], AskedRequest]:
    """The numbers of the rules whose conditions a request meets, and the reading of the request."""
    rules, view = scenario.rules, WSGIRequest(environ)
    # Without a seed it is unknown whom a sample chooses: it may choose anybody.
    considered = rules if seed is not None else tuple(map(_with_whole_samples, rules))
    plan = trials.Trial(considered, seed or "0").injector.own_plan
    ready = [plan.ready(number) for number in range(len(rules))]
    preflight, upgrades = view.is_preflight, view.upgrades
    matching = [
        rule.number
        for rule in ready
        if not upgrades and (rule.takes_preflights or not preflight) and rule.matches(view)
    ]
    seen = (_reading_of(view, reading) for reading in [rule.reading for rule in ready] or [Addressing()])
    attempts = None
    if seed is not None:
        trial = trials.Trial(rules, seed or "0")
        actions = [trial.ask(environ) for _ in range(chances.MOST_ATTEMPTS)]
        attempts = [None if action is None else action.entry.fault for action in actions]
    return matching, AskedRequest(
        environ["REQUEST_METHOD"],
        shown_target(environ["RAW_URI"]),
        environ["HTTP_HOST"],
        list({str(read): read for read in seen}.values()),
        [scenario.display_names[number] for number in matching],
        attempts,
    )


def _with_whole_samples(rule: Rule) -> Rule:
    """The same rule with samples that choose everybody."""
    conditions = dict(rule.conditions)
    if "sample" in conditions:
        conditions["sample"] = tuple(f"{text.rpartition(':')[0]}:1" for text in conditions["sample"])
    # It is also unknown whom an `unless.sample` excludes.
    unless = {key: texts for key, texts in rule.unless.items() if key != "sample"}
    return Rule.of_parts(rule.fault, (rule.name, conditions, unless, dict(rule.options)))


def show(meaning: Meaning, scenario: Scenario, *, on: bool) -> None:
    """Print the meaning of rules.

    Args:
        meaning: their meaning and chances.
        scenario: the rules.
        on: whether a server with the environment injects faults; True if the rules are not from there.
    """
    for rule in meaning.rules:
        click.echo(f"{rule.name}  {visible(rule.rule)}")
        click.echo(f"    {rule.words}")
        if rule.dead is not None:
            click.echo(f"    It never fires: {rule.dead}.")
        for doubt in rule.warnings:
            click.echo(f"    Warning: {doubt}")
    if meaning.abort is not None:
        click.echo(f"\n{bound(meaning.abort)}")
    matches = scenario.display_names if meaning.request is None else meaning.request.matches
    if meaning.request is not None:
        _show_request(meaning.request, meaning.seed)
    if matches:
        counted = any(
            chances.counts(rule)
            for name, rule in zip(scenario.display_names, scenario.rules, strict=True)
            if name in matches
        )
        chosen = [rule for rule in meaning.rules if rule.name in matches]
        _show_rates(meaning, chosen, counted=counted, on=on)


def _show_request(request: AskedRequest, seed: str | None) -> None:
    click.echo(f"\n{request.method} {quoted(request.target)}")
    lines = [(key, quoted(value or "none")) for fields in request.read for key, value in fields.items()]
    lines.append(("matches", ", ".join(request.matches) or "no rule"))
    if request.attempts is not None:
        lines.append(
            (f"seed {visible(seed or '')}", ", ".join(attempt or "the app" for attempt in request.attempts))
        )
    click.echo("\n".join(layout.aligned([(f"  {key}", value) for key, value in lines])))


def _show_rates(meaning: Meaning, chosen: Sequence[RuleMeaning], *, counted: bool, on: bool) -> None:
    several = len(chosen) > 1
    any_request = f"a request that {'every' if several else 'the'} rule matches"
    request = any_request if meaning.request is None else "this request"
    request += " (the first rule that passes its triggers fires)" if several else ""
    click.echo(f"\n{'Every' if on else 'If faults were on, every'} attempt of {request}:")
    rows = [(rule.name, percent(rule.rate)) for rule in chosen]
    layout.show(("rule", "fires"), [*rows, ("none of them", percent(meaning.untouched))])
    for rule in chosen:
        if rule.sampled < 1:
            of_all = percent(rule.rate * rule.sampled)
            click.echo(f"({rule.name}: {of_all} of all requests, if everyone sends equally many)")
    if counted:
        click.echo(
            "(while times is not used up, between begin and end; skip, every and above as for a single call)"
        )
    click.echo("\nAll n attempts of one call fail:")
    layout.show(("n", "chance"), [(str(n), percent(chance)) for n, chance in enumerate(meaning.all_fail, 1)])


def mistakes(error: ConfigurationError) -> Mistakes:
    """The mistakes of an error as they are printed in JSON."""
    return Mistakes(
        False, [ShownProblem(problem.where, problem.message, problem.excerpt) for problem in error.problems]
    )


def _reading_of(view: Any, reading: Addressing) -> dict[str, str | None]:
    bucket, key = reading.read_address(view)
    return {
        "identity": shown_target(reading.identify(view)[1]),
        "bucket": bucket,
        "key": None if key is None else shown_path(key),
        "operation": reading.operation(view),
    }


def check(
    *,
    rules: tuple[str, ...],
    more: tuple[str, ...],
    file: str | None,
    request: str | None,
    host: str,
    headers: tuple[str, ...],
    mount: str,
    seed: str | None,
    as_json: bool,
) -> int:
    """Print the meaning of the rules, and return the exit code."""
    context = click.get_current_context()
    layout.refuse(
        {
            f"--{name.removesuffix('s')} needs a request: add --request 'PUT /photos/cat.jpg'": (
                request is None and context.get_parameter_source(name) is not ParameterSource.DEFAULT
            )
            for name in ("host", "headers", "mount", "seed")
        }
    )
    environ = None if request is None else parse_request(request, host, mount, headers)
    settings, now, environment = None, time.time(), None
    try:
        scenario = reading.read_rules_of(rules + more, file)
        if scenario is None:
            settings, environment = server_settings(os.environ, now)
            scenario = environment.scenario or Scenario()
    except ConfigurationError as error:
        if as_json:
            with layout.readers_may_leave():
                layout.print_json(mistakes(error))
        raise
    meaning = explain(scenario, environ, seed if seed is not None else scenario.seed, settings)
    with layout.readers_may_leave():
        if as_json:
            layout.print_json(meaning)
        else:
            if settings is not None:
                show_settings(settings, now)
            on = settings is None or not _why_off(settings, over=_is_over(settings, now))
            show(meaning, scenario, on=on)
    if settings is None or settings.enabled:
        reading.refuse_production(environment or reading.services())
    return 0 if meaning.ok else 1
