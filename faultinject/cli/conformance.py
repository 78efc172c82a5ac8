"""`faultinject conformance`: what a storage SDK does about every kind of fault, by a fixed plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from faultinject import __version__
from faultinject.audit import profiles
from faultinject.audit.conclusion import know
from faultinject.cli import conformance_output as show
from faultinject.cli import layout, listening, rules, verdict
from faultinject.cli.progress import Progress
from faultinject.conformance import plan, results, sdks
from faultinject.conformance.cases import specification
from faultinject.conformance.driving import run
from faultinject.conformance.playing import CASE_DEADLINE, ClientCases, play
from faultinject.conformance.process import CONTRACT
from faultinject.conformance.speed import PROBE, REAL_TIME, SPREAD, check_reach, first_waits
from faultinject.exceptions import ConfigurationError, FaultInjectError, MissingExtra
from faultinject.installation import install_extra
from faultinject.processes import faster
from faultinject.rules.values import Mistake, duration
from faultinject.server.certificates import Certificate, certificate

STALLED = 10.0
"""Seconds more than twice the time in which a client has retried, after which it is waited for no longer at a speed."""
UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
"""What of a client's name does not stand in the name of its journal."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
T = TypeVar("T")


@click.command(context_settings=layout.CONTEXT)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="CLIENT",
    help="An SDK (see --list), a factory MODULE:NAME, or a command.  [default: every SDK that is installed]",
)
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Every installed SDK; name the missing ones, and how to install them.",
)
@click.option(
    "--list",
    "lists",
    is_flag=True,
    help="List the SDKs that have a driver, and how to install the missing ones.",
)
@click.option("--contract", is_flag=True, help="Show the protocol that a command of your own follows.")
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="The vendor whose store and documented errors a client of your own gets.  [default: cos]",
)
@click.option(
    "--profile",
    metavar="PROFILE",
    help="The profile to judge the client by.  [default: by its user agent, else rfc]",
)
@click.option(
    "--deadline",
    metavar="DURATION",
    help="The time limit of each client. Calls that have not ended then are not decided; a silent client fails."
    "  [default: 30s; longer for clients that are known to wait longer]",
)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice([each.name for each in plan.PHASES]),
    metavar="PHASE",
    help="Run only this phase of the plan. May be given again.",
)
@click.option(
    "--cases",
    metavar="NAME",
    help="Play the cases of a specification instead of the plan: aws-standard-2.0, aws-standard-2.1,"
    " azure-core or google-storage.  [without --client: the service's SDK for Python]",
)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write a report to FILE.html, FILE.md, FILE.json or FILE.xml (JUnit). May be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--compare", metavar="OLD.json", help="Show what changed since these results. Only a worse result fails."
)
@click.option(
    "--journal", metavar="DIRECTORY", help="Keep each client's journal there, for `faultinject report`."
)
@click.option(
    "--require",
    multiple=True,
    metavar="CHECK",
    help="Exit with 3 if this check is not decided; all: every check. May be given again.",
)
@click.option(
    "--tls",
    is_flag=True,
    help="Speak TLS, with a self-signed certificate that the client's environment trusts.",
)
@click.option(
    "--speed",
    type=click.FloatRange(layout.SLOWEST, layout.FASTEST),
    metavar="N",
    help="Let the client's clocks and waits run N times as fast, by libfaketime, and judge it by its own clock. Leaves out the"
    " phases retry-after-date and slow, which need real time.",
)
@click.option("--strict", is_flag=True, help="A warning is a failure.")
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Say what each undecided check needs, and how calls, waits and faults were measured.",
)
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
    """Let a client make about 200 calls with every kind of fault, and judge its retries.

    With --cases the client plays the cases of a specification instead, and a case that it does not keep to fails.

    Everything is on loopback and in memory; each SDK runs in its own process, one after the
    other, for about 20 seconds. Exits with 1 when a check says FAIL (with --strict also WARN), or a client dies, stops
    answering or breaks the contract; with 3 when nothing could be judged for a client, or a check of --require was not
    decided. Ctrl-C ends the running client, writes the
    results of the clients before it, and exits with 130.

    \b
    Examples:
      faultinject conformance --client boto3
      faultinject conformance --client 'node driver.js' --vendor s3 -o results.xml
      faultinject conformance --client boto3 --cases aws-standard-2.1
    """  # noqa: D301 - click reads this mark
    if contract:
        click.echo(CONTRACT)
        return 0
    if lists:
        show.sdks()
        return 0
    of_plan = {
        "--all": whole, "--profile": profile, "--phase": phases, "-o": outputs, "--compare": compare,
        "--journal": journal, "--require": require, "--tls": tls, "--speed": speed, "--strict": strict, "-v": verbose,
    }  # fmt: skip
    layout.refuse(
        {
            "--all is every SDK; leave out --client": whole and clients,
            **{
                f"--cases plays no plan, so {name} has no meaning beside it": cases is not None and value
                for name, value in of_plan.items()
            },
            **{
                f"--phase: {each} needs real time; leave out --speed": speed is not None and each in phases
                for each in sorted(REAL_TIME)
            },
        }
    )
    rules.refuse_switched_off()
    seconds = None if deadline is None else _seconds(deadline)
    listening.handle_signals()  # else the clients would go on
    if cases is not None:
        return _play(cases, clients, vendor, seconds, quiet=as_json)
    know((), require)
    promised = None if profile is None else profiles.get(profile)
    old = None if compare is None else results.read(compare)
    writers = [show.writer(each) for each in outputs]
    if journal is not None:
        Path(journal).mkdir(parents=True, exist_ok=True)
    asked = _chosen(clients, vendor or "cos")
    _refuse_idle(asked, phases)
    missing = [each for each in sdks.SDKS.values() if whole and each.version is None]
    show.skipped(missing)

    with certificate() if tls else nullcontext() as trusted:
        if trusted is not None:
            click.echo(f"certificate to trust: {trusted.authority}", err=True)
        one = partial(
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
        found, failed, complete = _run_all(asked, one, whole=whole)
    if not found:
        why = (
            f"no client could be started: {failed[0].reason}"
            if failed
            else "interrupted before anything was measured"
        )
        click.echo(f"faultinject: {why}", err=True)
        return 2 if failed else INTERRUPTED
    new = results.results_of(
        found,
        day=datetime.now(UTC).date().isoformat(),
        version=__version__,
        deadline=plan.DEADLINE if seconds is None else seconds,
        complete=complete,
        whole=whole or not clients,
        skipped=[results.SkippedClient(each.name, each.title, each.install) for each in missing],
        failed=failed,
        command=f"faultinject {layout.again(click.get_current_context())}",
    )
    # Before anything is shown: who reads only the first lines of that has the files all the same.
    for write in writers:
        write(found, new)
    if as_json:
        layout.print_json(new)
    elif len(found) == 1:
        verdict.show(found[0].run.judgement, verbose=verbose)
    else:
        show.several(found, new)
    show.warn(found, tls=tls)
    if not complete:
        click.echo(f"faultinject: interrupted; {len(found)} of {len(asked)} clients were measured", err=True)
        return INTERRUPTED
    if failed:
        return 1 if whole else 2
    if old is None:
        return results.conclusion(found).exit_code
    if show.tell_changes(old, new, quiet=as_json, strict=strict):
        return 1
    codes = [each.run.judgement.conclusion.exit_code for each in found]
    return max((each for each in codes if each != 1), default=0)


def _play(
    name: str, clients: Sequence[str], vendor: str | None, deadline: float | None, *, quiet: bool
) -> int:
    """Let the clients play the cases of a specification.

    Returns:
        The exit code: 1 where a case says FAIL, 3 where no case could be decided for a client.
    """
    cases = specification(name)
    asked = _chosen(clients or (cases.client,), vendor or cases.vendor)
    if others := [each.name for each in asked if each.vendor != cases.vendor]:
        raise ConfigurationError(f"--cases {name} is for clients of {cases.vendor}, which {others[0]} is not")

    def one(sdk: sdks.Sdk) -> ClientCases:
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

    done, failed, complete = _run_all(asked, one, whole=False)
    if done:
        show.cases(name, cases, done, as_json=quiet)
    if not complete:
        click.echo(f"faultinject: interrupted; {len(done)} of {len(asked)} clients were measured", err=True)
        return INTERRUPTED
    if failed:
        return 2
    if any(each.failed for each in done):
        return 1
    return 0 if all(each.passed for each in done) else 3


def _seconds(text: str) -> float:
    try:
        seconds = duration(text)
    except Mistake as mistake:
        raise click.UsageError(f"--deadline: {mistake}") from None
    if seconds < 1:
        raise click.UsageError("--deadline: less than a second is too short for any client")
    return seconds


def _phases(sdk: sdks.Sdk, names: Sequence[str], spread: float = 1.0) -> list[plan.Phase]:
    """Those of these names that the SDK makes calls of, so many times as far apart."""
    return plan.chosen(plan.codes_of(sdk.vendor), aws=sdk.aws, names=names, spread=spread)


def _refuse_idle(clients: Sequence[sdks.Sdk], names: Sequence[str]) -> None:
    """Look whether there is a call to make; say of which client there is none.

    Raises:
        ConfigurationError: there is none at all.
    """
    idle = {each.name: each for each in clients if not _phases(each, names)}
    for name, sdk in idle.items():
        told = f"--phase {', '.join(names)}: {name} makes no call of it: {sdk.vendor} has no such fault"
        if len(idle) == len(clients):
            raise ConfigurationError(f"{told}; name another phase as well")
        click.echo(f"faultinject: {told}", err=True)


def _chosen(clients: Sequence[str], vendor: str) -> list[sdks.Sdk]:
    """The clients that were asked for.

    Args:
        clients: as `--client` took them; none: all that are installed.
        vendor: whose errors a client of the user's own gets.

    Raises:
        MissingExtra: none is installed, or one that is named is not.
        ConfigurationError: there is no such vendor.
    """
    try:
        plan.codes_of(vendor)
    except ConfigurationError as error:
        raise ConfigurationError(f"--vendor: {error}") from None
    installed = (name for name, each in sdks.SDKS.items() if each.version is not None)
    if not clients and not (clients := tuple(installed)):
        raise MissingExtra(f"no SDK is installed: {install_extra('conformance')}")
    return [sdks.of(each, vendor) for each in clients]


def _run_all(
    asked: Sequence[sdks.Sdk], run: Callable[[sdks.Sdk], T], *, whole: bool
) -> tuple[list[T], list[results.FailedClient], bool]:
    """The results, the clients that could not be started or judged, and whether nobody interrupted it.

    Of all clients one that cannot be started is only noted: it must not cost the others. Where clients are named the first is
    an error.
    """
    found: list[T] = []
    failed: list[results.FailedClient] = []
    for number, each in enumerate(asked, 1):
        if whole:
            click.echo(f"{number} of {len(asked)}: {each.name} {each.version or ''}".rstrip(), err=True)
        try:
            found.append(run(each))
        except KeyboardInterrupt:
            return found, failed, False
        except FaultInjectError as error:
            if not (whole or found):
                raise
            failed.append(results.FailedClient(each.name, str(error)))
            click.echo(f"{each.name}: {error}", err=True)
    return found, failed, True


def _run(
    sdk: sdks.Sdk,
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
) -> results.Measured:
    deadline = deadline or sdk.deadline
    phases = _phases(sdk, names)
    if speed is not None:
        _check_reach(sdk, speed, deadline, certificate, quiet=quiet)
        phases = [each for each in _phases(sdk, names, SPREAD) if each.name not in REAL_TIME]
    number = sum(1 for each in phases for _ in each.asked())
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
            journal=None if journal is None else str(Path(journal, f"{UNFIT.sub('-', sdk.name)}.jsonl")),
            watch=progress.at,
            certificate=certificate,
            speed=speed or 1.0,
        )
    return results.measured(sdk, replace(done, judgement=replace(done.judgement, strict=strict)))


def _check_reach(
    sdk: sdks.Sdk, speed: float, deadline: float, certificate: Certificate | None, *, quiet: bool
) -> None:
    """Look whether the client can be judged at that speed.

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
        # What never ends is not waited for as long as it may be.
        limit = min(deadline, 2 * done.seconds + STALLED)
        return first_waits(done)

    with Progress(lambda: f"{sdk.name}: a wait at 1 and {speed:g} times the speed", quiet=quiet):
        check_reach(measure, speed)
