"""`faultinject conformance`: what a storage SDK does about every kind of fault, by a fixed plan."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faultinject.audit.profiles import Profile
    from faultinject.conformance.plan import Phase
    from faultinject.conformance.results import Result
    from faultinject.conformance.sdks import Sdk
    from faultinject.conformance.serving import Service
    from faultinject.injector.injector import Injector
    from faultinject.server.certificates import Certificate

ENDS = 3
"""Connections that a service may end in a run instead of an answer: it does so with one that was idle as a request comes."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


@click.command(
    context_settings=CONTEXT, short_help="Drive storage SDKs through a plan of faults, and judge them."
)
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
    help="Every SDK that is installed; say which are not, and how to install them.",
)
@click.option(
    "--list",
    "lists",
    is_flag=True,
    help="List the SDKs that have a driver, and what installs those that are not here.",
)
@click.option("--contract", is_flag=True, help="Show the protocol that a command of your own follows.")
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="The vendor that is played for a client of your own, with its documented errors.  [default: cos]",
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
    "  [default: 30s; longer for clients that are known to be patient]",
)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    metavar="PHASE",
    help="Run only this phase of the plan. May be given again.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write a report to FILE.html, FILE.md or FILE.json. May be given again.",
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
    help="Speak TLS, with a certificate of its own making that the client is told to trust.",
)
@click.option(
    "--to",
    "url",
    metavar="URL",
    help="Put the faults in front of this server, instead of a store; needs --client and --bucket.",
)
@click.option(
    "--bucket",
    metavar="NAME",
    help="With --to: a bucket of that server for nothing else. The client writes objects such as cal-001 there, and they stay.",
)
@click.option("--rewrite-host", is_flag=True, help="With --to: send the server its own Host.")
@click.option("--strict", is_flag=True, help="A warning is a failure.")
@click.option("-v", "--verbose", is_flag=True, help="Say of each check that is not decided what it needs.")
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
    outputs: tuple[str, ...],
    as_json: bool,
    compare: str | None,
    journal: str | None,
    require: tuple[str, ...],
    tls: bool,
    url: str | None,
    bucket: str | None,
    rewrite_host: bool,
    strict: bool,
    verbose: bool,
) -> int:
    """Let a client make about 200 calls that meet every kind of fault, and judge its retries.

    Everything is on loopback and in memory, unless --to names a server; SDKs run in processes of their own, one after the other, and need about
    20 seconds each. Exits with 1 when a check says FAIL (with --strict also WARN), or a client dies, stops answering or
    breaks the contract; with 3 when nothing could be judged of one, or a check of --require was not decided; with 2
    when the server of --to does not answer as it should. Ctrl-C ends the client that is running, writes what was
    measured of those before it, and exits with 130.
    """
    from faultinject.audit import profiles
    from faultinject.audit.conclusion import know
    from faultinject.cli import conformance_output as show
    from faultinject.cli import listening
    from faultinject.conformance import plan, results, sdks
    from faultinject.exceptions import FaultInjectError

    if contract:
        from faultinject.conformance.process import CONTRACT

        click.echo(CONTRACT)
        return 0
    if lists:
        show.sdks()
        return 0
    if whole and clients:
        raise click.UsageError("--all is every SDK; leave out --client")
    _refuse_unfit(url, bucket, clients, rewrite_host=rewrite_host)
    _refuse_switched_off()
    seconds = None if deadline is None else _seconds(deadline)
    _check_phases(phases)
    know((), require)
    promised = None if profile is None else profiles.get(profile)
    old = None if compare is None else results.read(compare)
    writers = [show.writer(each) for each in outputs]
    if journal is not None:
        from pathlib import Path

        Path(journal).mkdir(parents=True, exist_ok=True)
    listening.heed_interrupts()
    listening.heed_endings()  # else the clients would go on
    asked = _chosen(clients, vendor or "cos", plays=url is None)
    _refuse_idle(asked, phases, plays=url is None)
    service = None if url is None or bucket is None else _service(url, bucket, rewrite_host=rewrite_host)
    missing = sdks.missing() if whole else []
    show.skipped(missing)

    with _certificate() if tls else nullcontext() as certificate:

        def one(sdk: Sdk) -> Result:
            return _run(
                sdk,
                phases,
                promised,
                sdk.deadline if seconds is None else seconds,
                journal,
                require,
                quiet=as_json,
                strict=strict,
                certificate=certificate,
                service=service,
            )

        try:
            found, failed, complete = _run_all(asked, one, whole=whole)
        except FaultInjectError:
            show.left(_about(service, rewrite_host=rewrite_host))
            raise
    to = _about(service, rewrite_host=rewrite_host)
    if not found:
        show.left(to)
        why = (
            f"no client could be started: {failed[0]['reason']}"
            if failed
            else "interrupted before anything was measured"
        )
        click.echo(f"faultinject: {why}", err=True)
        return 2 if failed else INTERRUPTED
    new = results.document(
        found,
        day=_today(),
        version=_version(),
        deadline=plan.DEADLINE if seconds is None else seconds,
        complete=complete,
        whole=whole or not clients,
        skipped=[{"client": each.name, "title": each.title, "install": each.install} for each in missing],
        failed=failed,
        to=to,
    )
    # Before anything is shown: who reads only the first lines of that has the files all the same.
    for write in writers:
        write(found, new)
    if as_json:
        show.json(new)
    elif len(found) == 1:
        show.one(found[0], verbose=verbose)
    else:
        show.several(found, new)
    show.failures(found)
    show.unheard(found, tls=tls)
    show.busy(found)
    show.errors_of_the_service(found, to)
    show.left(to)
    if not complete:
        click.echo(f"faultinject: interrupted; {len(found)} of {len(asked)} clients were measured", err=True)
        return INTERRUPTED
    if failed:
        return 1 if whole else 2
    if old is None:
        return results.conclusion(found).exit_code
    if show.changes(old, new, quiet=as_json, strict=strict):
        return 1
    codes = [each.run.judgement.conclusion.exit_code for each in found]
    return max((each for each in codes if each != 1), default=0)


def _refuse_unfit(url: str | None, bucket: str | None, clients: Sequence[str], *, rewrite_host: bool) -> None:
    """Options that belong to --to, or that it needs; and production.

    Raises:
        UsageError: one is missing, or is there without --to.
        ConfigurationError: the environment is a production's.
    """
    from faultinject.cli import rules

    if url is None:
        for name, given in (("--bucket", bucket is not None), ("--rewrite-host", rewrite_host)):
            if given:
                raise click.UsageError(f"{name} is for --to")
        return
    if not clients:
        raise click.UsageError("--to needs --client: the client that the server is for")
    if not bucket:
        raise click.UsageError(
            "--to needs --bucket: a bucket of that server in which nothing else is, since objects such as cal-001 are written there"
        )
    rules.refuse_production(rules.services())


def _service(url: str, bucket: str, *, rewrite_host: bool) -> Service:
    """The server, when it is known to be there.

    Raises:
        ConfigurationError: the URL is none of a server, or nobody answers there.
    """
    from faultinject.cli.services import Proxied, reach
    from faultinject.conformance.serving import Front, Service
    from faultinject.proxy.target import Target

    target = Target(url)
    reach(target)

    @contextmanager
    def in_front(injector: Injector, certificate: Certificate | None) -> Iterator[Front]:
        proxied = Proxied(target, rewrite_host=rewrite_host, injector=injector, certificate=certificate)
        at = proxied.start()
        try:
            yield Front(at, lambda: proxied.owed, partial(proxied.broken, ends=ENDS))
        finally:
            proxied.stop()

    return Service(target.url, bucket, in_front)


def _about(service: Service | None, *, rewrite_host: bool) -> dict[str, object] | None:
    if service is None:
        return None
    return {
        "url": service.url,
        "bucket": service.bucket,
        "rewrite_host": rewrite_host,
        "left": sorted(service.left),
    }


def _refuse_switched_off() -> None:
    import os
    import time

    from faultinject.cli import rules
    from faultinject.rules.environment import read_environment

    switch = {"FAULTINJECT_ENABLED": os.environ.get("FAULTINJECT_ENABLED", "")}
    rules.refuse_switched_off(read_environment(switch, now=time.time(), rules_given=True))


def _seconds(text: str) -> float:
    from faultinject.conformance.sdks import time_limit
    from faultinject.exceptions import ConfigurationError

    try:
        return time_limit(text, "--deadline")
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None


def _check_phases(names: Sequence[str]) -> None:
    from faultinject.conformance.plan import PHASES

    known = [each.name for each in PHASES]
    unknown = [each for each in names if each not in known]
    if unknown:
        raise click.UsageError(f"--phase: {unknown[0]!r} is none of {', '.join(known)}")


def _phases(sdk: Sdk, names: Sequence[str], *, plays: bool) -> list[Phase]:
    """Those of these names that the SDK makes calls of."""
    from faultinject.conformance.plan import CODES, chosen, for_service

    phases = chosen(CODES[sdk.vendor], aws=sdk.aws, names=names)
    return phases if plays else for_service(phases)


def _refuse_idle(clients: Sequence[Sdk], names: Sequence[str], *, plays: bool) -> None:
    """Look whether there is a call to make; say of which client there is none.

    Raises:
        ConfigurationError: there is none at all.
    """
    from faultinject.exceptions import ConfigurationError

    idle = {each.name: each for each in clients if not _phases(each, names, plays=plays)}
    for name, sdk in idle.items():
        if plays or not _phases(sdk, names, plays=True):
            why = f"{sdk.vendor} has no such fault"
        else:
            why = "with --to no call ends an upload, whose id is the server's own"
        told = f"--phase {', '.join(names)}: {name} makes no call of it: {why}"
        if len(idle) == len(clients):
            raise ConfigurationError(f"{told}; name another phase as well")
        click.echo(f"faultinject: {told}", err=True)


def _chosen(clients: Sequence[str], vendor: str, *, plays: bool) -> list[Sdk]:
    """The clients that were asked for.

    Args:
        clients: as `--client` took them; none: all that are installed.
        vendor: whose errors a client of the user's own gets.
        plays: whether there has to be a store for it.

    Raises:
        MissingExtra: none is installed, or one that is named is not.
        ConfigurationError: there is no such vendor, or no store for it.
    """
    from faultinject.conformance import sdks
    from faultinject.exceptions import MissingExtra

    _check_vendor(vendor, plays=plays)
    if not clients and not (clients := tuple(each.name for each in sdks.installed())):
        from faultinject.installation import install_extra

        raise MissingExtra(f"no SDK is installed: {install_extra('conformance')}")
    return [sdks.of(each, vendor) for each in clients]


def _check_vendor(id: str, *, plays: bool) -> None:  # noqa: A002
    """Look whether there is such a service, and a store for it.

    Raises:
        ConfigurationError: there is not; the message names the nearest vendor, or those that are played.
    """
    from faultinject.conformance.plan import CODES
    from faultinject.conformance.serving import played
    from faultinject.exceptions import ConfigurationError

    try:
        codes = CODES[id]
    except ConfigurationError as error:
        raise ConfigurationError(f"--vendor: {error}") from None
    if plays and codes.vendor not in played():
        there = ", ".join(played())
        raise ConfigurationError(
            f"--vendor: no store plays {id}, so no client can be pointed at it; there are {there}"
        )


@contextmanager
def _certificate() -> Iterator[Certificate]:
    from faultinject.server.certificates import certificate

    with certificate() as made:
        click.echo(f"certificate to trust: {made.authority}", err=True)
        yield made


def _run_all(
    asked: Sequence[Sdk], run: Callable[[Sdk], Result], *, whole: bool
) -> tuple[list[Result], list[dict[str, str]], bool]:
    """The results, the clients that could not be started or judged, and whether nobody interrupted it.

    Of all clients one that cannot be started is only noted: it must not cost the others. Where clients are named the first is
    an error.
    """
    from faultinject.exceptions import FaultInjectError

    found: list[Result] = []
    failed: list[dict[str, str]] = []
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
            failed.append({"client": each.name, "reason": str(error)})
            click.echo(f"{each.name}: {error}", err=True)
    return found, failed, True


def _run(
    sdk: Sdk,
    names: Sequence[str],
    profile: Profile | None,
    deadline: float,
    journal: str | None,
    require: Sequence[str] = (),
    *,
    quiet: bool,
    strict: bool = False,
    certificate: Certificate | None = None,
    service: Service | None = None,
) -> Result:
    from dataclasses import replace
    from pathlib import Path

    from faultinject.conformance.driving import run
    from faultinject.conformance.results import Result

    phases = _phases(sdk, names, plays=service is None)
    number = sum(1 for each in phases for _ in each.asked())
    shows = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def watch(ended: int) -> None:
        click.echo(f"\r{sdk.name}: {ended} of {number} calls ", nl=False, err=True)

    try:
        done = run(
            sdk.command,
            name=sdk.name,
            vendor=sdk.vendor,
            deadline=deadline,
            profile=profile or sdk.profile or None,
            require=require,
            phases=phases,
            journal=None if journal is None else str(Path(journal, f"{_plain(sdk.name)}.jsonl")),
            watch=watch if shows else None,
            certificate=certificate,
            service=service,
        )
    finally:
        if shows:
            click.echo(f"\r{'':60}\r", nl=False, err=True)
    done = replace(done, judgement=replace(done.judgement, strict=strict))
    return Result(sdk.name, sdk.title, sdk.note, sdk.version or done.title, done, sdk.language, sdk.vendor)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()


def _version() -> str:
    from faultinject import __version__

    return __version__
