"""What `faultinject conformance` shows and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
from msgspec import to_builtins

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS
from faultinject.cli import writing_out
from faultinject.rules.printed_json import json_text

if TYPE_CHECKING:
    from faultinject.conformance.cases import Specification
    from faultinject.conformance.playing import ClientCases
    from faultinject.conformance.results import Measured, Results
    from faultinject.conformance.sdks import Sdk

    Write = Callable[[Sequence[Measured], Results], None]

MOST_SIDE_BY_SIDE = 6
"""Clients that have a column each on a terminal."""


def sdks() -> None:
    """The SDKs that there is a driver for."""
    from faultinject.cli import layout
    from faultinject.conformance.sdks import SDKS

    rows = [
        (
            each.name,
            f"{each.title} {each.note and f'({each.note})'}",
            each.version or f"not installed: {each.install}",
        )
        for each in SDKS.values()
    ]
    layout.show(("client", "what it is", "version"), rows)


def several(results: Sequence[Measured], document: Results) -> None:
    """What it comes to, a table of verdicts, check by client, and below what is wrong with each.

    More clients than a screen has room for have a row each, with the number of their verdicts.
    """
    from faultinject.cli import layout
    from faultinject.conformance.league.columns import tally
    from faultinject.conformance.results import conclusion, verdicts
    from faultinject.engine.journal_entry import quoted

    click.echo(f"{quoted(conclusion(results).sentence)}\n")
    clients = document.clients
    if len(clients) > MOST_SIDE_BY_SIDE:
        counted = [(each.client, each.version or "", tally(each)) for each in clients]
        layout.show(("client", "version", "verdicts"), counted)
    else:
        rows = [(check, *(SIGNS.get(each or "", "") for each in said)) for check, said in verdicts(clients)]
        layout.show(("check", *(each.client for each in clients)), rows)
    for client in clients:
        named = f"{client.client} {client.version or ''}".rstrip()
        click.echo(f"\n{quoted(named)}")
        for each in client.report.findings:
            if each.wrong:
                click.echo(f"  {SIGNS[each.verdict]} {each.name}: {quoted(each.measured)}")
                click.echo(f"      → {quoted(each.action)}")


def cases(name: str, cases: Specification, clients: Sequence[ClientCases], *, as_json: bool) -> None:
    """What came of the cases of a specification: the result, the cases that failed, all others, and what to do."""
    from faultinject.cli.layout import print_json
    from faultinject.conformance.playing import CasesResult, Played
    from faultinject.engine.journal_entry import quoted

    if as_json:
        print_json(CasesResult(name, cases.source, list(clients)))
        return

    def last_if_good(played: Played) -> int:
        return (FAIL, INCONCLUSIVE, PASS).index(played.verdict)

    for each in clients:
        decided = each.failed + each.passed
        result = (
            f"{each.failed} of {decided} cases fail" if each.failed else f"{decided} of {decided} cases pass"
        )
        left = len(each.cases) - decided
        more = f", {left} cannot be decided" if left else ""
        click.echo(quoted(f"{each.client} {each.version or ''}".rstrip()) + f", {name}: {result}{more}")
        for played in sorted(each.cases, key=last_if_good):
            click.echo(f"  {SIGNS[played.verdict]} {played.case}: {quoted(played.message)}")
        if each.failed:
            click.echo(f"  → compare the client's retry settings with {cases.source}")


def skipped(sdks: Sequence[Sdk]) -> None:
    """Which clients are not measured since they are not installed, and what installs them, to standard error."""
    for each in sdks:
        click.echo(f"{each.name}: skipped, {each.title} is not installed: {each.install}", err=True)


def failures(results: Sequence[Measured]) -> None:
    """What clients that failed have written, to standard error."""
    from faultinject.engine.journal_entry import quoted

    for each in results:
        if each.run.failure:
            click.echo(f"{each.result.client}: {quoted(each.run.failure)}", err=True)
            for line in each.run.said.splitlines():
                click.echo(f"  {quoted(line)}", err=True)


def warn_about_busy_machine(results: Sequence[Measured]) -> None:
    """A word to standard error where the machine was too busy for waits to be measured well."""
    from faultinject.audit.checks.words import seconds
    from faultinject.conformance.results import BUSY

    for each in results:
        if each.run.late > BUSY:
            late = seconds(each.run.late)
            click.echo(
                f"{each.result.client}: the machine was busy (calls began up to {late} late): waits may look longer",
                err=True,
            )


def warn_about_silent_clients(results: Sequence[Measured], *, tls: bool) -> None:
    """A word to standard error on clients whose calls all failed before a request of theirs arrived."""
    from faultinject.engine.journal_entry import quoted

    for each in results:
        said = [window.error for window in each.run.windows if window.error is not None]
        if said and not each.run.outcomes:
            trust = "; with --tls a client has to trust the certificate" if tls else ""
            click.echo(f"{each.result.client}: no request arrived: {quoted(said[0])}{trust}", err=True)


def changes(old: Results, new: Results, *, quiet: bool, strict: bool) -> bool:
    """Say what changed; true if something is worse."""
    from faultinject.conformance.results import changes

    found = list(changes(old, new))
    if not quiet:
        click.echo(f"\nSince {old.made}:")
        for each in found:
            more = f"  ({each.message})" if each.message else ""
            click.echo(f"  {each.client}: {each.what}: {each.before or '–'} → {each.after or '–'}{more}")
        if not found:
            click.echo("  nothing changed")
    return any(each.worse and (strict or each.after == FAIL) for each in found)


def writer(path: str) -> Write:
    """What writes a report into a file, by the end of its name.

    Raises:
        ConfigurationError: the name ends otherwise.
        MissingExtra: HTML without jinja2.
        OSError: there is no such folder.
    """
    from faultinject.conformance.page import markdown

    if path.lower().endswith(".html"):
        from faultinject.audit.reports.html import require_jinja

        require_jinja()  # now, not when all is done
    formats: dict[str, Callable[[Sequence[Measured], Results], str]] = {
        ".html": _html,
        ".md": lambda _results, document: markdown(document),
        ".json": lambda _results, document: json_text(to_builtins(document), 1) + "\n",
        ".xml": _junit,
    }
    return writing_out.writer(path, formats)


def _html(results: Sequence[Measured], document: Results) -> str:
    from faultinject.audit.reports.html import html as whole
    from faultinject.conformance import page

    if len(results) != 1 or document.all:
        from faultinject.conformance.league import page as league

        return league(document)
    [one] = results
    made = f"{page.made(document)} The client made its calls against {page.against(document)}."
    return whole(one.run.judgement, title=page.heading(document), made=made)


def _junit(results: Sequence[Measured], document: Results) -> str:
    """A suite for each client, also for those that could not be started: each of these is an error."""
    from faultinject.audit.reports import junit
    from faultinject.conformance import page
    from faultinject.engine.journal_entry import quoted

    made = page.made(document)
    suites = [junit.suite(each.run.judgement, each.result.client) for each in results]
    suites = [each._replace(said=f"{each.said} {quoted(made)}") for each in suites]
    for each in document.failed:
        case = junit.Case(junit.RESULT, each.client, junit.ERROR, each.reason, "not started")
        suites.append(junit.Suite(each.client, [case], 0.0, {}, quoted(made)))
    return junit.document(suites)
