"""What `faultinject conformance` shows and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click
from msgspec import to_builtins

from faultinject.audit.checks.words import seconds
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS
from faultinject.audit.reports import junit
from faultinject.audit.reports.html import html as whole
from faultinject.audit.reports.html import require_jinja
from faultinject.cli import layout, writing_out
from faultinject.conformance import page
from faultinject.conformance.cases import Specification
from faultinject.conformance.league import page as league
from faultinject.conformance.league.columns import tally
from faultinject.conformance.playing import CasesResult, ClientCases, Played
from faultinject.conformance.results import BUSY, Measured, Results, changes, conclusion, verdicts
from faultinject.conformance.sdks import SDKS, Sdk
from faultinject.engine.shown import quoted
from faultinject.rules.printed_json import json_text

Write = Callable[[Sequence[Measured], Results], None]


MOST_SIDE_BY_SIDE = 6
"""Clients that have a column each on a terminal."""


def sdks() -> None:
    """The SDKs that there is a driver for."""
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
    if as_json:
        layout.print_json(CasesResult(name, cases.source, list(clients)))
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


def warn(results: Sequence[Measured], *, tls: bool) -> None:
    """To standard error: what clients that failed have written, whose calls all failed before a request arrived, and where waits may be wrong."""
    for each in results:
        run, warnings = each.run, []
        if run.failure:
            warnings.append("\n  ".join(map(quoted, [run.failure, *run.said.splitlines()])))
        errors = [window.error for window in run.windows if window.error is not None]
        if errors and not run.outcomes:
            trust = "; with --tls a client has to trust the certificate" if tls else ""
            warnings.append(f"no request arrived: {quoted(errors[0])}{trust}")
        if run.late > BUSY:
            late = seconds(run.late)
            warnings.append(f"the machine was busy (calls began up to {late} late): waits may look longer")
        for warning in warnings:
            click.echo(f"{each.result.client}: {warning}", err=True)


def tell_changes(old: Results, new: Results, *, quiet: bool, strict: bool) -> bool:
    """Say what changed; true if something is worse."""
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
    if path.lower().endswith(".html"):
        require_jinja()  # now, not when all is done
    formats: dict[str, Callable[[Sequence[Measured], Results], str]] = {
        ".html": _html,
        ".md": lambda _results, document: page.markdown(document),
        ".json": lambda _results, document: json_text(to_builtins(document), 1) + "\n",
        ".xml": _junit,
    }
    return writing_out.writer(path, formats)


def _html(results: Sequence[Measured], document: Results) -> str:
    if len(results) != 1 or document.all:
        return league(document)
    [one] = results
    made = f"{page.made(document)} The client made its calls against {page.against(document)}."
    return whole(one.run.judgement, title=page.heading(document), made=made)


def _junit(results: Sequence[Measured], document: Results) -> str:
    """A suite for each client, also for those that could not be started: each of these is an error."""
    made = page.made(document)
    suites = [junit.suite(each.run.judgement, each.result.client) for each in results]
    suites = [each._replace(said=f"{each.said} {quoted(made)}") for each in suites]
    for each in document.failed:
        case = junit.Case(junit.RESULT, each.client, junit.ERROR, each.reason, "not started")
        suites.append(junit.Suite(each.client, [case], 0.0, {}, quoted(made)))
    return junit.document(suites)
