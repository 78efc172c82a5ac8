"""`faultinject conformance`: drives storage SDKs through a plan of faults, and judges them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
from msgspec import to_builtins

from faultinject import __version__
from faultinject.audit import profiles
from faultinject.audit.checks.words import seconds
from faultinject.audit.conclusion import check_names
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS
from faultinject.audit.reports import junit, render
from faultinject.audit.reports.html import html as html_report
from faultinject.audit.reports.html import require_jinja
from faultinject.cli import layout, listening, rules, verdict
from faultinject.cli.progress import Progress
from faultinject.conformance import league, plan, sdks
from faultinject.conformance.badge import badge
from faultinject.conformance.cases import (
    CASE_DEADLINE,
    CasesResult,
    ClientCases,
    Specification,
    play,
    specification,
)
from faultinject.conformance.driving import PROBE, REAL_TIME, SPREAD, check_reach, first_waits, run
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.results import (
    BUSY,
    FailedClient,
    MeasuredRun,
    ResultChange,
    Results,
    SkippedClient,
    changes,
    conclusion,
    measure_client,
    pairs,
    results_of,
    verdicts,
)
from faultinject.conformance.results import read as read_results
from faultinject.conformance.sdks import SDKS, Sdk
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, FaultInjectError, MissingExtraError
from faultinject.processes import faster
from faultinject.rules.printed_json import json_text
from faultinject.server.certificates import Certificate, certificate

Write = Callable[[Sequence[MeasuredRun], Results], None]


MOST_SIDE_BY_SIDE = 6
"""The maximum number of clients with a column each."""


def show_sdks() -> None:
    """Print the SDKs that have a driver."""
    rows = [
        (
            sdk.name,
            f"{sdk.title} {sdk.note and f'({sdk.note})'}",
            sdk.version or f"not installed: {sdk.install}",
        )
        for sdk in SDKS.values()
    ]
    layout.show(("client", "what it is", "version"), rows)


def show_several(results: Sequence[MeasuredRun], document: Results) -> None:
    """Print the conclusion, all verdicts by check and client, and the defects of each client.

    Many clients have a row each instead, with the number of their verdicts.
    """
    click.echo(f"{quoted(conclusion(results).sentence)}\n")
    clients = document.clients
    if len(clients) > MOST_SIDE_BY_SIDE:
        counted = [(client.client, client.version or "", league.tally(client)) for client in clients]
        layout.show(("client", "version", "verdicts"), counted)
    else:
        rows = [
            (check, *(SIGNS.get(worst or "", "") for worst in by_client))
            for check, by_client in verdicts(clients)
        ]
        layout.show(("check", *(client.client for client in clients)), rows)
    for client in clients:
        named = f"{client.client} {client.version or ''}".rstrip()
        click.echo(f"\n{quoted(named)}")
        for finding in client.report.findings:
            if finding.wrong:
                click.echo(f"  {SIGNS[finding.verdict]} {finding.name}: {quoted(finding.measured)}")
                click.echo(f"      → {quoted(finding.action)}")


def show_cases(name: str, cases: Specification, clients: Sequence[ClientCases], *, as_json: bool) -> None:
    """Print the result of each client, its cases, the failed ones first, and the advice."""
    if as_json:
        layout.print_json(CasesResult(name, cases.source, list(clients)))
        return

    worst_first = (FAIL, INCONCLUSIVE, PASS)
    for client in clients:
        decided = client.failed + client.passed
        result = (
            f"{client.failed} of {decided} cases fail"
            if client.failed
            else f"{decided} of {decided} cases pass"
        )
        undecided = len(client.cases) - decided
        more = f", {undecided} cannot be decided" if undecided else ""
        click.echo(quoted(f"{client.client} {client.version or ''}".rstrip()) + f", {name}: {result}{more}")
        for played in sorted(client.cases, key=lambda played: worst_first.index(played.verdict)):
            click.echo(f"  {SIGNS[played.verdict]} {played.case}: {quoted(played.message)}")
        if client.failed:
            click.echo(f"  → compare the client's retry settings with {cases.source}")


def show_warnings(results: Sequence[MeasuredRun], *, tls: bool) -> None:
    """Warn of clients that failed, of calls without a request, and of a busy machine.

    The warning about a failed client has the end of its output.
    """
    for client in results:
        run, warnings = client.run, []
        if run.failure:
            warnings.append("\n  ".join(map(quoted, [run.failure, *run.stderr.splitlines()])))
        errors = [window.error for window in run.windows if window.error is not None]
        if errors and not run.outcomes:
            trust = "; with --tls a client has to trust the certificate" if tls else ""
            warnings.append(f"no request arrived: {quoted(errors[0])}{trust}")
        if run.late > BUSY:
            late = seconds(run.late)
            warnings.append(f"the machine was busy (calls began up to {late} late): waits may look longer")
        for warning in warnings:
            click.echo(f"{client.result.client}: {warning}", err=True)


def show_changes(since: Sequence[ResultChange], made: str) -> None:
    """Print what has changed since results were made."""
    lines = [f"\nSince {made}:{'' if since else ' nothing changed'}"]
    for change in since:
        more = f"  ({change.message})" if change.message else ""
        lines.append(
            f"  {change.client}: {change.subject}: {change.before or '–'} → {change.after or '–'}{more}"
        )
    with layout.readers_may_leave():
        click.echo("\n".join(lines))


def writer(path: str) -> Write:
    """A function that writes a report into a file; the suffix of the name chooses the format.

    Raises:
        ConfigurationError: there is no format with this suffix.
        MissingExtraError: HTML needs jinja2.
        OSError: there is no such folder.
    """
    if path.lower().endswith(".html"):
        require_jinja()  # at once, before the long work
    formats: dict[str, Callable[[Sequence[MeasuredRun], Results], str]] = {
        ".html": _html,
        ".md": lambda _results, document: league.markdown(document),
        ".json": lambda _results, document: json_text(to_builtins(document), 1) + "\n",
        ".xml": _junit,
        ".sarif": _sarif,
        ".svg": lambda results, _document: badge(conclusion(results)),
        ".txt": partial(_one_by_one, form="text"),
        ".github": partial(_one_by_one, form="github"),
    }
    return layout.writer(path, formats)


def _html(results: Sequence[MeasuredRun], document: Results) -> str:
    if len(results) != 1 or document.all:
        return league.page(document)
    [client] = results
    made = f"{league.made_line(document)} The client made its calls against {league.against(document)}."
    return html_report(client.run.judgement, title=league.heading(document), made=made)


def _junit(results: Sequence[MeasuredRun], document: Results) -> str:
    """A suite for each client; a client that could not be started is an error of its own suite."""
    made = league.made_line(document)
    suites = [junit.suite(client.run.judgement, client.result.client) for client in results]
    suites = [suite._replace(said=f"{suite.said} {quoted(made)}") for suite in suites]
    for client in document.failed:
        case = junit.Case(junit.RESULT, client.client, junit.ERROR, client.reason, "not started")
        suites.append(junit.Suite(client.client, [case], 0.0, {}, quoted(made)))
    return junit.document(suites)


def _sarif(results: Sequence[MeasuredRun], _document: Results) -> str:
    """A SARIF log with a run for each client; code scanning needs the run's id."""
    log, runs = {}, []
    for client in results:
        log = json.loads(render(client.run.judgement, "sarif"))
        named = {"automationDetails": {"id": f"conformance/{client.result.client}/"}}
        runs += [run | named for run in log["runs"]]
    return json_text(log | {"runs": runs}, 2) + "\n"


def _one_by_one(results: Sequence[MeasuredRun], _document: Results, *, form: str) -> str:
    """The reports of the clients, one after another."""
    return "\n".join(render(result.run.judgement, form) for result in results)


STALLED = 10.0
"""The seconds that a probe at `--speed` may take beyond twice the time of one in real time.

It may take no longer than the deadline.
"""
UNFIT = re.compile(r"[^\w.-]+")
"""The characters of a client's name that the file name of its journal does not keep."""
HIDING = re.compile(r"^\.[.-]*")
"""The first characters of a file name that would hide the file, as in `./client.sh`."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as in shells."""
T = TypeVar("T")


def conformance(
    *,
    clients: tuple[str, ...],
    whole: bool,
    lists: bool,
    contract: bool,
    vendor: str | None,
    profile: str | None,
    deadline: str | None,
    phases: tuple[str, ...],
    cases: str | None,
    outputs: tuple[str, ...],
    as_json: bool,
    compare: str | None,
    journal: str | None,
    require: tuple[str, ...],
    tls: bool,
    speed: float | None,
    strict: bool,
    verbose: bool,
) -> int:
    """Drive the clients, and return the exit code."""
    if contract:
        click.echo(CONTRACT)
        return 0
    if lists:
        show_sdks()
        return 0
    of_plan = {
        "--all": whole, "--profile": profile, "--phase": phases, "-o": outputs, "--compare": compare,
        "--journal": journal, "--require": require, "--tls": tls, "--speed": speed, "--strict": strict,
        "-v": verbose,
    }  # fmt: skip
    layout.refuse(
        {
            "--all is every SDK; leave out --client": whole and clients,
            **{
                f"--cases plays no plan, so {name} has no meaning beside it": cases is not None and value
                for name, value in of_plan.items()
            },
            **{
                f"--phase: {phase} needs real time; leave out --speed": speed is not None and phase in phases
                for phase in sorted(REAL_TIME)
            },
        }
    )
    rules.refuse_switched_off()
    seconds = layout.seconds_of("--deadline", deadline)
    layout.refuse(
        {"--deadline: less than a second is too short for any client": seconds is not None and seconds < 1}
    )
    listening.handle_signals()  # a signal ends the clients, too
    if cases is not None:
        return _play(cases, clients, vendor, seconds, quiet=as_json)
    check_names((), require)
    promised = None if profile is None else profiles.get(profile)
    old = None if compare is None else read_results(compare)
    writers = [writer(output) for output in outputs]
    if journal is not None:
        Path(journal).mkdir(parents=True, exist_ok=True)
    sdks_to_drive = _chosen(clients, vendor, "cos")
    if old is not None:
        own = any(sdk.words for sdk in sdks_to_drive) and any(result.is_own for result in old.clients)
        names = [sdk.name for sdk in sdks_to_drive]
        if not own and {*names}.isdisjoint(result.client for result in old.clients):
            raise _not_compared(names, old, str(compare))
    _refuse_idle(sdks_to_drive, phases)
    missing = [sdk for sdk in SDKS.values() if whole and sdk.version is None]
    for sdk in missing:
        click.echo(f"{sdk.name}: skipped, {sdk.title} is not installed: {sdk.install}", err=True)
    with certificate() if tls else nullcontext() as trusted:
        if trusted is not None:
            click.echo(f"certificate to trust: {trusted.authority}", err=True)
        drive = partial(
            _run,
            names=phases,
            profile=promised,
            deadline=seconds,
            journal=journal,
            require=require,
            quiet=as_json,
            strict=strict,
            certificate=trusted,
            speed=speed,
        )
        results, failed, complete = _run_all(sdks_to_drive, drive, whole=whole)
    if not results:
        reason = (
            f"no client could be started: {failed[0].reason}"
            if failed
            else "interrupted before anything was measured"
        )
        click.echo(f"faultinject: {reason}", err=True)
        return 2 if failed else INTERRUPTED
    new = results_of(
        results,
        day=datetime.now(UTC).date().isoformat(),
        version=__version__,
        deadline=plan.DEADLINE if seconds is None else seconds,
        complete=complete,
        whole=whole or not clients,
        skipped=[SkippedClient(sdk.name, sdk.title, sdk.install) for sdk in missing],
        failed=failed,
        command=f"faultinject {layout.command_again(click.get_current_context())}",
    )
    compared = [] if old is None else pairs(old, new)
    since = [] if old is None else list(changes(old, new))
    unchanged = bool(compared) and complete and not since and not failed
    # The files come before the output: its reader may leave, as `head` does.
    for write in writers:
        write(results, new)
    with layout.readers_may_leave():
        if as_json:
            layout.print_json(new)
        elif old is not None and unchanged and not verbose:
            click.echo(f"Since {old.made} nothing changed: {quoted(conclusion(results).sentence)}")
        elif len(results) == 1:
            verdict.show(results[0].run.judgement, verbose=verbose)
        else:
            show_several(results, new)
        show_warnings(results, tls=tls)
    if not complete:
        click.echo(
            f"faultinject: interrupted; {len(results)} of {len(sdks_to_drive)} clients were measured",
            err=True,
        )
        return INTERRUPTED
    if failed:
        return 1 if whole else 2
    if old is None:
        return conclusion(results).exit_code
    if not compared:
        raise _not_compared([result.client for result in new.clients], old, str(compare))
    if not as_json and (verbose or not unchanged):
        show_changes(since, old.made)
    if any(change.worse and (strict or change.after == FAIL) for change in since):
        return 1
    codes = [client.run.judgement.conclusion.exit_code for client in results]
    return max((code for code in codes if code != 1), default=0)


def _play(
    name: str, clients: Sequence[str], vendor: str | None, deadline: float | None, *, quiet: bool
) -> int:
    """Let the clients play the cases of a specification.

    Returns:
        The exit code: 1 if a case says FAIL, 3 if no case of a client could be decided.
    """
    cases = specification(name)
    sdks_to_drive = _chosen(clients or (cases.client,), vendor, cases.vendor)
    if others := [sdk.name for sdk in sdks_to_drive if sdk.vendor != cases.vendor]:
        raise ConfigurationError(f"--cases {name} is for clients of {cases.vendor}, which {others[0]} is not")

    def drive(sdk: Sdk) -> ClientCases:
        progress = Progress(lambda: f"{sdk.name}: {progress.done} of {len(cases.case)} cases", quiet=quiet)
        with progress:
            played = play(
                sdk.command,
                cases,
                vendor=sdk.vendor,
                keeps_tokens=sdk.home != "program",
                deadline=deadline or CASE_DEADLINE,
                watch=progress.at,
            )
        return ClientCases(sdk.name, sdk.version, played)

    done, failed, complete = _run_all(sdks_to_drive, drive, whole=False)
    if done:
        with layout.readers_may_leave():
            show_cases(name, cases, done, as_json=quiet)
    if not complete:
        click.echo(
            f"faultinject: interrupted; {len(done)} of {len(sdks_to_drive)} clients were measured", err=True
        )
        return INTERRUPTED
    if failed:
        return 2
    if any(client.failed for client in done):
        return 1
    return 0 if all(client.passed for client in done) else 3


def _phases(sdk: Sdk, names: Sequence[str], spread: float = 1.0) -> list[plan.Phase]:
    """The phases with these names that have calls for the SDK; `spread` moves calls apart."""
    return plan.choose_phases(plan.codes_of(sdk.vendor), aws=sdk.aws, names=names, spread=spread)


def _refuse_idle(clients: Sequence[Sdk], names: Sequence[str]) -> None:
    """Warn of clients that have no call in the chosen phases.

    Raises:
        ConfigurationError: no client has a call.
    """
    idle = {sdk.name: sdk for sdk in clients if not _phases(sdk, names)}
    for name, sdk in idle.items():
        no_call = f"--phase {', '.join(names)}: {name} makes no call of it: {sdk.vendor} has no such fault"
        if len(idle) == len(clients):
            raise ConfigurationError(f"{no_call}; name another phase as well")
        click.echo(f"faultinject: {no_call}", err=True)


def _not_compared(names: Sequence[str], old: Results, path: str) -> ConfigurationError:
    known = ", ".join(result.client for result in old.clients)
    reason = f"{path} has results of {known}, and none of {', '.join(names)}"
    return ConfigurationError(f"--compare: nothing was compared: {reason}")


def _chosen(clients: Sequence[str], vendor: str | None, usual: str) -> list[Sdk]:
    """The clients to drive.

    Args:
        clients: the names of `--client`; empty: all SDKs that are installed.
        vendor: the vendor of a client of the user's own; None: the usual one.
        usual: the usual vendor.

    Raises:
        MissingExtraError: no SDK is installed, or one with a given name is not.
        ConfigurationError: there is no such vendor, or no client gets its errors.
    """
    own_vendor = vendor or usual
    try:
        plan.codes_of(own_vendor)
    except ConfigurationError as error:
        raise ConfigurationError(f"--vendor: {error}") from None
    installed = (name for name, sdk in SDKS.items() if sdk.version is not None)
    if not clients and not (clients := tuple(installed)):
        raise MissingExtraError('no SDK is installed: pip install "faultinject[conformance]"')
    sdks_to_drive = [sdks.find(client, own_vendor) for client in clients]
    if vendor is not None and vendor not in (sdk.vendor for sdk in sdks_to_drive):
        raise ConfigurationError(
            f"--vendor {vendor} is for a client of your own; {sdks_to_drive[0].name} gets the errors of"
            f" {sdks_to_drive[0].vendor}"
        )
    return sdks_to_drive


def _run_all(
    sdks_to_drive: Sequence[Sdk], run: Callable[[Sdk], T], *, whole: bool
) -> tuple[list[T], list[FailedClient], bool]:
    """Run the clients; return results, failed clients, and whether all clients were run.

    A client that cannot be started or judged has failed. With `--all` the others are run nevertheless; if the user
    has named the clients, and the first fails, that is an error. Ctrl-C ends the loop early.
    """
    results: list[T] = []
    failed: list[FailedClient] = []
    for number, sdk in enumerate(sdks_to_drive, 1):
        if whole:
            click.echo(f"{number} of {len(sdks_to_drive)}: {sdk.name} {sdk.version or ''}".rstrip(), err=True)
        try:
            results.append(run(sdk))
        except KeyboardInterrupt:
            return results, failed, False
        except FaultInjectError as error:
            if not (whole or results):
                raise
            failed.append(FailedClient(sdk.name, str(error)))
            click.echo(f"{sdk.name}: {error}", err=True)
    return results, failed, True


def _journal_of(client: str) -> str:
    """The file name of a client's journal.

    >>> [_journal_of(client) for client in ("./client.sh", "/opt/client.sh", "../客户端", "./⚡")]
    ['client.sh.jsonl', '-opt-client.sh.jsonl', '客户端.jsonl', 'client.jsonl']
    """
    return f"{HIDING.sub('', UNFIT.sub('-', client)) or 'client'}.jsonl"


def _run(
    sdk: Sdk,
    *,
    names: Sequence[str],
    profile: profiles.Profile | None,
    deadline: float | None,
    journal: str | None,
    require: Sequence[str],
    quiet: bool,
    strict: bool,
    certificate: Certificate | None,
    speed: float | None,
) -> MeasuredRun:
    deadline = deadline or sdk.deadline
    phases = _phases(sdk, names)
    if speed is not None:
        _check_reach(sdk, speed, deadline, certificate, quiet=quiet)
        phases = [phase for phase in _phases(sdk, names, SPREAD) if phase.name not in REAL_TIME]
    number = sum(1 for phase in phases for _ in phase.planned())
    progress = Progress(lambda: f"{sdk.name}: {progress.done} of {number} calls", quiet=quiet)
    with progress:
        done = run(
            sdk.command,
            name=sdk.name,
            vendor=sdk.vendor,
            deadline=deadline,
            profile=profile or sdk.profile or None,
            configured=not sdk.home or bool(sdk.note),
            require=require,
            phases=phases,
            journal=None if journal is None else str(Path(journal, _journal_of(sdk.name))),
            watch=progress.at,
            certificate=certificate,
            speed=speed or 1.0,
        )
    return measure_client(sdk, replace(done, judgement=replace(done.judgement, strict=strict)))


def _check_reach(
    sdk: Sdk, speed: float, deadline: float, certificate: Certificate | None, *, quiet: bool
) -> None:
    """Check that the client can be judged at a speed.

    Raises:
        ConfigurationError: it cannot, or libfaketime is not installed.
    """
    faster(speed)
    limit = deadline

    def measure(at: float) -> dict[str, list[float]]:
        nonlocal limit
        phases = _phases(sdk, PROBE)
        done = run(
            sdk.command,
            name=sdk.name,
            vendor=sdk.vendor,
            deadline=limit,
            phases=phases,
            certificate=certificate,
            speed=at,
        )
        if at == 1 and done.failure:
            raise ConfigurationError(f"--speed {speed:g}: the client fails in real time, too: {done.failure}")
        # A client that hangs at the speed need not use up its whole deadline.
        limit = min(deadline, 2 * done.seconds + STALLED)
        return first_waits(done)

    with Progress(lambda: f"{sdk.name}: a wait at 1 and {speed:g} times the speed", quiet=quiet):
        check_reach(measure, speed)
