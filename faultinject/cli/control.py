"""`faultinject control`: a running server's faults, looked at and changed from the terminal by its control API."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import click
from msgspec import Struct

from faultinject.cli import control_output as output
from faultinject.cli import listening
from faultinject.cli.control_client import ControlClient
from faultinject.cli.layout import CONTEXT, print_json
from faultinject.cli.rules import read_rules_of
from faultinject.exceptions import ConfigurationError

F = TypeVar("F", bound=Callable[..., int])


PAGE = 5_000
"""Outcomes of one call."""
PAUSE, GIVES_UP = 1.0, 30.0
"""Seconds between two calls for the journal, and after which a server that does not answer is given up."""


class LatestOutcomes(Struct):
    """The latest requests.

    Attributes:
        v: The version of the format.
        outcomes: The requests in order, as lines of a journal with `injected`: whether it got a fault.
        cursor: Where a later call goes on.
        dropped: How many older ones are no longer kept.
    """

    v: int
    outcomes: list[dict[str, Any]]
    cursor: str
    dropped: int


def _common(function: F) -> F:
    """The options that every command has."""
    function = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)
    return click.option(
        "--url",
        metavar="URL",
        help="Where the control API is: http://127.0.0.1:8765, or http://HOST:PORT/PATH of an app. By default FAULTINJECT_CONTROL, if that"
        " is an address.",
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

    A server that starts with FAULTINJECT_CONTROL has a control API. FAULTINJECT_TOKEN has the token; there is no option
    for it, because others see the options of a process. A change applies to all processes that share the server's
    store.
    """


@control.command(
    context_settings=CONTEXT, short_help="Show whether faults are on, the rules and their counts."
)
@_common
def status(*, url: str | None, as_json: bool) -> int:
    """Show whether faults are on and until when, the rules in force, and their counts."""
    client = ControlClient(url)
    return _show(client, client.state(), as_json=as_json)


@control.command(context_settings=CONTEXT, short_help="Show the rules in force.")
@click.option("--toml", "as_toml", is_flag=True, help="Print them as a file of rules in TOML.")
@_common
def rules(*, url: str | None, as_json: bool, as_toml: bool) -> int:
    """Show the rules in force with their counts; with --json or --toml as `set --file` takes them."""
    client = ControlClient(url)
    if as_toml:
        click.echo(client.text("/rules", format="toml"), nl=False)
    elif as_json:
        print_json(client.scenario())
    else:
        output.show_rules(client.state()["rules"])
    return 0


@control.command(
    "set", context_settings=CONTEXT, short_help="Put other rules in force; counts begin at zero."
)
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option("--file", metavar="FILE", help="Rules of a TOML file (or JSON, when it is named .json).")
@click.option("--seed", help="The seed; by default the file's, else the one in force.")
@_changing
def set_rules(
    rules: tuple[str, ...],
    *,
    file: str | None,
    seed: str | None,
    **asked: Any,
) -> int:
    """Replace all rules with these; counts begin at zero.

    Rules with a mistake change nothing. The current `abort` stays unless a file has its own.
    """
    body: dict[str, Any]
    if file is None:
        if not rules:
            raise click.UsageError("there is no rule: give one, such as cos:SlowDown,times=2, or --file FILE")
        # The server reads them: it may have vendors and faults that are not installed here.
        body = {"text": "\n".join(rules)}
    else:
        found = read_rules_of(rules, file)
        assert found is not None
        body = json.loads(found.to_json())
    if seed is not None:
        body["seed"] = seed
    return _change("PUT", "/rules", body, **asked)


@control.command(context_settings=CONTEXT, short_help="Add one rule after those in force.")
@click.argument("rule")
@_changing
def add(rule: str, **asked: Any) -> int:
    """Add one rule after those in force; these keep their counts."""
    return _change("POST", "/rules", {"text": rule}, **asked)


@control.command(context_settings=CONTEXT, short_help="Take one rule away.")
@click.argument("name")
@_changing
def remove(name: str, **asked: Any) -> int:
    """Remove one rule; the others keep their counts."""
    return _change("DELETE", _rule(name), **asked)


@control.command(context_settings=CONTEXT, short_help="Switch one rule on again.")
@click.argument("name")
@_changing
def enable(name: str, **asked: Any) -> int:
    """Switch one rule on again; it keeps its counts."""
    return _change("POST", f"{_rule(name)}/enable", **asked)


@control.command(context_settings=CONTEXT, short_help="Switch one rule off.")
@click.argument("name")
@_changing
def disable(name: str, **asked: Any) -> int:
    """Switch one rule off; its counts stay."""
    return _change("POST", f"{_rule(name)}/disable", **asked)


@control.command(context_settings=CONTEXT, short_help="Switch faults on, permanently or for a time.")
@click.option("--for", "duration", metavar="10m", help="Switch off again after this time.")
@_changing
def on(*, duration: str | None, **asked: Any) -> int:
    """Switch faults on, in all processes of the store."""
    return _change("POST", "/on", {} if duration is None else {"for": duration}, **asked)


@control.command(context_settings=CONTEXT, short_help="Switch faults off.")
@_changing
def off(**asked: Any) -> int:
    """Switch faults off, in all processes of the store; waits end, rules and counts stay."""
    return _change("POST", "/off", **asked)


@control.command(context_settings=CONTEXT, short_help="Set all counts to zero.")
@_changing
def reset(**asked: Any) -> int:
    """Set the counts of all rules to zero."""
    return _change("POST", "/reset", **asked)


@control.command(context_settings=CONTEXT, short_help="Show what happened to requests.")
@click.option("--follow", "follows", is_flag=True, help="Print each new request, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(min=0, max=10_000),
    default=50,
    show_default=True,
    metavar="N",
    help="How many of the requests so far.",
)
@_common
def journal(*, follows: bool, limit: int, url: str | None, as_json: bool) -> int:
    """Show the latest requests that matched a rule, and their outcomes.

    With --follow --json, each is one line.
    """
    client = ControlClient(url)
    outcomes, cursor, dropped = _latest(client, limit)
    if follows:
        _follow(client, outcomes, cursor, as_json=as_json)
    elif as_json:
        print_json(LatestOutcomes(1, outcomes, cursor, dropped))
    else:
        output.show_journal(outcomes, dropped)
    return 0


def _rule(name: str) -> str:
    """The path of a rule."""
    return f"/rules/{quote(name, safe='')}"


def _change(
    method: str, path: str, body: object = None, *, url: str | None, as_json: bool, generation: int | None
) -> int:
    """Change something, and show the new state."""
    client = ControlClient(url)
    return _show(client, client.change(method, path, body, generation), as_json=as_json)


def _show(client: ControlClient, state: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print_json(state)
    else:
        output.show_state(state, client.url)
    return 0


def _latest(client: ControlClient, limit: int) -> tuple[list[dict[str, Any]], str, int]:
    """The last so many outcomes, the cursor behind them, and how many are no longer kept."""
    kept: deque[dict[str, Any]] = deque(maxlen=limit)
    cursor, dropped = "", 0
    while True:
        found = client.journal(cursor, PAGE)
        kept += found["outcomes"]
        cursor = found["cursor"]
        dropped += found["dropped"]
        if len(found["outcomes"]) < PAGE:
            return [*kept], cursor, dropped


def _follow(client: ControlClient, outcomes: list[dict[str, Any]], cursor: str, *, as_json: bool) -> None:
    """Write each outcome as a line, and ask for further ones each second, until Ctrl-C.

    Raises:
        ConfigurationError: the server has not answered for half a minute.
    """
    listening.handle_signals()
    alive, lost = time.monotonic(), False
    while True:
        for each in outcomes:
            click.echo(json.dumps(each) if as_json else output.journal_line(each))
        time.sleep(PAUSE)
        outcomes = []
        try:
            found = client.journal(cursor, PAGE)
        except ConfigurationError:
            if time.monotonic() - alive > GIVES_UP:
                raise
            if not lost:
                lost = True
                click.echo(f"faultinject: the connection to {client.url} is lost; trying again", err=True)
            continue
        alive, lost = time.monotonic(), False
        outcomes, cursor = found["outcomes"], found["cursor"]
        if found["dropped"]:
            click.echo(f"faultinject: {found['dropped']} requests are missing here", err=True)
