"""`faultinject preview`: the answer that a rule sends, byte for byte."""

from __future__ import annotations

import os
import sys

import click

from faultinject.cli.context import CONTEXT
from faultinject.core.rule import Rule
from faultinject.core.triggers import TRIGGERS


@click.command(context_settings=CONTEXT, short_help="Show the exact bytes of a rule's answer.")
@click.argument("rule")
@click.option("--method", metavar="METHOD", help="The request's method.  [default: the rule's, else GET]")
@click.option("--path", default="/bucket/key", show_default=True, help="Its path, and query if any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Its Host.")
@click.option(
    "--seed",
    help="What ids and the choice from a group are drawn from.  [default: $FAULTINJECT_SEED, else 0]",
)
def preview(rule: str, method: str | None, path: str, host: str, seed: str | None) -> int:
    """Show the answer of RULE: status line, headers and body, the exact bytes, on standard output.

    The rule's probability and other triggers are left aside: the fault is always shown. A server adds its own
    Date, Server and Connection.
    """
    from faultinject.cli import exchange
    from faultinject.cli.words import seconds_in_words
    from faultinject.exceptions import ConfigurationError
    from faultinject.settings.variables import value_of

    shown = one_rule(rule)
    always = exchange.changed(shown, **dict.fromkeys(TRIGGERS))
    method = method or default_method(shown)
    request = exchange.environ(method, path if path[:1] == "/" else f"/{path}", host)
    seed = seed if seed is not None else value_of(os.environ, "FAULTINJECT_SEED") or "0"
    answer, outcome = exchange.Trial([always], seed).ask(request)
    if not outcome.injected:
        note = f"{method} {path} does not meet the rule's conditions; its fault is shown all the same"
        click.echo(f"faultinject: {note}", err=True)
        answer, outcome = exchange.Trial([exchange.unconditional(always)], seed).ask(request)
    if not outcome.injected:
        raise ConfigurationError(f"no fault is ever given to a {method} request")
    low, high = shown.value("delay")
    late = seconds_in_words(low) if low == high else f"{seconds_in_words(low)} to {seconds_in_words(high)}"
    if outcome.did == "delayed":
        when = "before its answer goes out" if outcome.when == "after" else "before the app runs"
        click.echo(f"faultinject: the app's own answer, {late} late (the wait is {when})", err=True)
        return 0
    if high:
        click.echo(f"faultinject: sent after {late}", err=True)
    if sys.stdout is not None:  # it is None behind `>&-`
        sys.stdout.buffer.write(answer.to_bytes())
        sys.stdout.buffer.flush()
    return 0


def one_rule(text: str) -> Rule:
    """The only rule of a text.

    Raises:
        ConfigurationError: the rule is wrong.
        UsageError: there are none or several.
    """
    from faultinject.settings.scenario import Scenario

    rules = Scenario.parse(text).rules
    if len(rules) != 1:
        raise click.UsageError(f"preview shows one rule, and {len(rules) or 'none'} were given")
    return rules[0]


def default_method(rule: Rule) -> str:
    """The first method that the rule names outright, else GET."""
    named = (each.upper() for each in rule.conditions.get("method", ()))
    return next((each for each in named if each.isalpha()), "GET")
