"""What `faultinject control` shows: the state, the rules and the journal, in words and tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from faultinject.cli import layout
from faultinject.engine.shown import quoted
from faultinject.exceptions import plain

JOURNAL = ("time", "method", "path", "did", "status", "fault", "rule")
_WIDTHS = (12, 6, 0, 10, 6)


def show_state(state: Mapping[str, Any], url: str) -> None:
    """Whether faults are on, what is in force, and what came of it."""
    click.echo(f"{url}: {_switch(state)}")
    totals = state["totals"]
    said = [
        f"generation {state['generation']}",
        f"seed {quoted(str(state['seed']))}",
        f"store {quoted(str(state['store']))}",
        f"{state['active']} of at most {state['max_active']} faults under way",
        f"{totals['injected']} injected of {totals['matched']} requests that matched a rule",
    ]
    for key, what in (
        ("refused", "not given because too many were under way"),
        ("undecided", "passed because of the store"),
        ("failures", "errors in faultinject"),
    ):
        if state[key]:
            said.append(f"{state[key]} {what}")
    click.echo(f"  {', '.join(said)}")
    show_rules(state["rules"])


def show_rules(rules: Sequence[Mapping[str, Any]]) -> None:
    """A row for each rule."""
    if not rules:
        click.echo("  no rules, so no faults")
        return
    rows = [
        (
            quoted(each["name"]),
            _of_rule(each),
            str(each["injected"]),
            str(each["matched"]),
            plain(quoted(each["text"])),
        )
        for each in rules
    ]
    layout.show(("name", "state", "injected", "matched", "rule"), rows)


def journal_row(outcome: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of one request."""
    moment = time.strftime("%H:%M:%S", time.localtime(outcome["time"]))
    return (
        f"{moment}.{int(outcome['time'] % 1 * 1000):03}",
        *(plain(quoted("-" if outcome[name] is None else str(outcome[name])), 200) for name in JOURNAL[1:]),
    )


def show_journal(outcomes: Sequence[Mapping[str, Any]], dropped: int) -> None:
    """A row for each request."""
    if dropped:
        click.echo(f"{dropped} older ones are no longer kept")
    if outcomes:
        layout.show(JOURNAL, [journal_row(each) for each in outcomes])
    else:
        click.echo("no request has matched a rule so far")


def journal_line(outcome: Mapping[str, Any]) -> str:
    """One request as a line, whose columns stand below those of the lines before."""
    cells = journal_row(outcome)
    first = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    return "  ".join([*first, *cells[len(first) :]]).rstrip()


def _switch(state: Mapping[str, Any]) -> str:
    if state["production"]:
        return f"off, {quoted(state['production'])} looks like production"
    if not state["on"]:
        why = f": {quoted(state['disarmed'])}" if state["disarmed"] else ""
        return f"off{why}"
    ends = [each for each in (state["until"], state["expires"]) if each is not None]
    if not state["enabled"]:
        over = bool(ends) and min(ends) <= state["now"]
        return f"off, {'its time is over' if over else 'the environment of the app switches it off'}"
    if not ends:
        return "on"
    left = max(0, round(min(ends) - state["now"]))
    now, end = time.localtime(state["now"]), time.localtime(min(ends))
    # Whoever reads the time alone takes it for today's.
    form = "%H:%M:%S" if end[:3] == now[:3] else "%Y-%m-%d %H:%M:%S"
    return f"on for another {_duration(left)}, until {time.strftime(form, end)}"


def _duration(seconds: int) -> str:
    """Seconds in words.

    >>> _duration(59), _duration(600), _duration(3725)
    ('59 s', '10 min 0 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _of_rule(rule: Mapping[str, Any]) -> str:
    if not rule["enabled"]:
        return "disabled"
    return "used up" if rule["spent"] else "on"
