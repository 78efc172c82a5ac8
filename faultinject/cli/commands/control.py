"""`faultinject control`: the options and the help of its commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import MORE_RULES

F = TypeVar("F", bound=Callable[..., int])


def _common(function: F) -> F:
    """The options that every command has."""
    function = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)
    return click.option(
        "--url",
        metavar="URL",
        help="The control API's URL: http://127.0.0.1:8765, or http://HOST:PORT/PATH of an app. By default"
        " FAULTINJECT_CONTROL, if that is an address.",
    )(function)


def _changing(function: F) -> F:
    """The options of a command that changes something."""
    return click.option(
        "--generation",
        type=click.IntRange(min=0),
        metavar="N",
        help="Change nothing, and exit with 1, unless this generation is in force (status shows it).",
    )(_common(function))


@click.group(
    context_settings=CONTEXT,
)
def control() -> None:
    """Show and change a running server's faults.

    A server that starts with FAULTINJECT_CONTROL has a control API. FAULTINJECT_TOKEN has the token; there is no
    option for it, because others see the options of a process. A change applies to all processes that share the
    server's store.
    """


@control.command(
    context_settings=CONTEXT, short_help="Show whether faults are on, the rules and their counts."
)
@_common
def status(**given: Any) -> int:
    """Show whether faults are on and until when, the rules in force, and their counts."""
    from faultinject.cli.control import show_status

    return show_status(**given)


@control.command(context_settings=CONTEXT, short_help="Show the rules in force.")
@_common
def rules(**given: Any) -> int:
    """Show the rules in force with their counts; with --json as `set --file` takes them."""
    from faultinject.cli.control import show_rules_in_force

    return show_rules_in_force(**given)


@control.command(
    "set", context_settings=CONTEXT, short_help="Put other rules in force; counts begin at zero."
)
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@MORE_RULES
@click.option("--file", metavar="FILE", help="Rules of a TOML file (or JSON, when it is named .json).")
@click.option("--seed", help="The seed; by default the file's, else the one in force.")
@_changing
def set_rules(rules: tuple[str, ...], more: tuple[str, ...], **given: Any) -> int:
    """Replace all rules with these; counts begin at zero.

    Rules with a mistake change nothing. The current `abort` stays unless a file has its own.
    """
    from faultinject.cli.control import replace_rules

    return replace_rules(rules + more, **given)


@control.command(context_settings=CONTEXT, short_help="Add one rule after those in force.")
@click.argument("rules", nargs=-1, metavar="RULE")
@MORE_RULES
@_changing
def add(rules: tuple[str, ...], more: tuple[str, ...], **options: Any) -> int:
    """Add one rule after those in force; these keep their counts."""
    return _change("POST", "/rules", {"text": "\n".join(rules + more)}, **options)


@control.command(context_settings=CONTEXT, short_help="Take one rule away.")
@click.argument("name")
@_changing
def remove(name: str, **options: Any) -> int:
    """Remove one rule; the others keep their counts."""
    return _change("DELETE", "/rules/NAME", rule=name, **options)


@control.command(context_settings=CONTEXT, short_help="Switch one rule on again.")
@click.argument("name")
@_changing
def enable(name: str, **options: Any) -> int:
    """Switch one rule on again; it keeps its counts."""
    return _change("POST", "/rules/NAME/enable", rule=name, **options)


@control.command(context_settings=CONTEXT, short_help="Switch one rule off.")
@click.argument("name")
@_changing
def disable(name: str, **options: Any) -> int:
    """Switch one rule off; its counts stay."""
    return _change("POST", "/rules/NAME/disable", rule=name, **options)


@control.command(context_settings=CONTEXT, short_help="Switch faults on, permanently or for a time.")
@click.option("--for", "duration", metavar="10m", help="Switch off again after this time.")
@_changing
def on(*, duration: str | None, **options: Any) -> int:
    """Switch faults on, in all processes of the store."""
    return _change("POST", "/on", {} if duration is None else {"for": duration}, **options)


@control.command(context_settings=CONTEXT, short_help="Switch faults off.")
@_changing
def off(**options: Any) -> int:
    """Switch faults off, in all processes of the store; waits end, rules and counts stay."""
    return _change("POST", "/off", **options)


@control.command(context_settings=CONTEXT, short_help="Set all counts to zero.")
@_changing
def reset(**options: Any) -> int:
    """Set the counts of all rules to zero."""
    return _change("POST", "/reset", **options)


@control.command(context_settings=CONTEXT, short_help="Show what happened to requests.")
@click.option("--follow", "follows", is_flag=True, help="Print each new request, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(min=0, max=10_000),
    default=50,
    show_default=True,
    metavar="N",
    help="The number of past requests to show.",
)
@_common
def journal(**given: Any) -> int:
    """Show the latest requests that matched a rule, and their outcomes.

    If the server has FAULTINJECT_JOURNAL, it shows the latest of all. With --follow --json, each is one line.
    """
    from faultinject.cli.control import show_outcomes

    return show_outcomes(**given)


def _change(*request: Any, **given: Any) -> int:
    """Send a change to the server."""
    from faultinject.cli.control import change as send

    return send(*request, **given)
