"""`faultinject serve`: an app, or the embedded object store, with faults in front."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from socket import socket

    import uvicorn

    from faultinject.engine.journal_entry import Outcome
    from faultinject.injector.injector import Injector
    from faultinject.rules.environment import Environment
    from faultinject.rules.scenario import Scenario
    from faultinject.server.certificates import Certificate

JOURNAL = "FAULTINJECT_JOURNAL"
CONTROL = "FAULTINJECT_CONTROL"
RETRY_TESTS, TEST_MODES = "gcs", "b2"
"""Whose store has `/retry_test`, and whose has `X-Bz-Test-Mode`."""
_SAID_BELOW = "faultinject is on", "faultinject: FAULTINJECT_ON_REQUEST"


@click.command(
    context_settings=CONTEXT, short_help="Serve an app, or the embedded object store, with faults in front."
)
@click.argument("app", required=False, metavar="[MODULE:APP]")
@click.option("--vendor", metavar="VENDOR", help="Whose dialect the embedded store speaks.  [default: cos]")
@click.option("-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again.")
@click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r.")
@click.option("--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--journal", metavar="FILE", help="Append every request to this file.  [default: $FAULTINJECT_JOURNAL]"
)
@click.option(
    "--control",
    metavar="PLACE",
    help="Offer the control API and its page at this path (/_faultinject) or address (127.0.0.1:8765).  [default: $FAULTINJECT_CONTROL]",
)
@click.option(
    "--tls", is_flag=True, help="Speak TLS, with a certificate of its own making; its path is printed."
)
def serve(
    *,
    app: str | None,
    vendor: str | None,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    host: str,
    port: int,
    journal: str | None,
    control: str | None,
    tls: bool,
) -> int:
    """Serve a WSGI or ASGI app, or without one the embedded object store, with faults in front.

    Rules come from -r and --file, else from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Ctrl-C,
    SIGTERM and SIGHUP end it with a summary, and its journal says that it has ended. With --control rules can be changed
    while it runs: by HTTP, on a page, and with `faultinject control`. With --tls clients have to trust the
    authority of its certificate: most read one of the variables that are printed. The files are gone when it ends.
    """
    if app is not None and vendor is not None:
        raise click.UsageError("--vendor is for the embedded store; an app is served as it is")
    with _named_to_apps(CONTROL, control):
        return _serve_what_is_asked_for(
            app=app,
            vendor=vendor,
            rules=rules,
            file=file,
            seed=seed,
            host=host,
            port=port,
            journal=journal,
            tls=tls,
        )


def _serve_what_is_asked_for(
    *,
    app: str | None,
    vendor: str | None,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    host: str,
    port: int,
    journal: str | None,
    tls: bool,
) -> int:
    from faultinject.cli import listening
    from faultinject.cli import rules as reading
    from faultinject.rules.scenario import Scenario

    settings = reading.services()
    reading.refuse_production(settings)
    scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
    if scenario.rules or journal is not None:
        reading.refuse_switched_off(settings)
    path = reading.journal(journal, settings)
    with _named_to_apps(JOURNAL, path), _certificate(host) if tls else nullcontext() as certificate:
        if app is None:
            served, kind, title = _store(vendor or "cos", settings)
        else:
            served, kind, title = _app(app)
        own = vendor in (RETRY_TESTS, TEST_MODES)
        records = path is not None or own or settings.control is not None or settings.on_request
        served = _with_faults(served, scenario, seed, records=records)
        if vendor is not None and own:
            served = _with_own_faults(served, vendor, settings)
        server = listening.uvicorn_server(served, certificate) if kind == "asgi" else None
        sock = listening.listen(host, port)
        return _serve(served, server, sock, title, vendor or "cos", certificate)


@contextmanager
def _certificate(host: str) -> Iterator[Certificate]:
    from faultinject.server.certificates import certificate

    with certificate(host) as made:
        yield made


def _serve(
    served: Any,
    server: uvicorn.Server | None,
    sock: socket,
    title: str,
    vendor: str,
    certificate: Certificate | None,
) -> int:
    """Serve until somebody ends it, and sum up."""
    from faultinject import get_injector
    from faultinject.cli import listening

    injector = get_injector(served)
    listening.heed_interrupts()
    listening.heed_endings()
    interrupted = False
    try:
        _announce(title, listening.url_of(sock, "http" if certificate is None else "https"), injector, vendor)
        if certificate is not None:
            _tell_trust(certificate)
        click.echo("Ctrl-C ends it.")
        if injector is not None:
            injector.journal.follow(_tell)
        if server is None:
            listening.wsgi_server(served, sock, certificate).serve_forever()
        else:
            server.run(sockets=[sock])
    except KeyboardInterrupt:
        interrupted = True
    except SystemExit:  # uvicorn's way to say that the app did not start
        pass
    finally:
        sock.close()
    if server is not None and not server.started and not interrupted:
        click.echo("faultinject: the app did not start", err=True)
        return 2
    _sum_up(injector)
    return 0


@contextmanager
def _named_to_apps(variable: str, value: str | None) -> Iterator[None]:
    """For its block, the environment names the journal, or where control is: an app that makes an injector of its own finds it there."""
    before = os.environ.get(variable)
    if value is not None:
        os.environ[variable] = value
    try:
        yield
    finally:
        if before is not None:
            os.environ[variable] = before
        else:
            os.environ.pop(variable, None)


def _with_faults(served: Any, scenario: Scenario, seed: str | None, *, records: bool) -> Any:
    """The app with its faults; without any, with what records its requests, unless it has an injector of its own."""
    from faultinject import get_injector, install
    from faultinject.exceptions import StoreUnavailable

    if not scenario.rules and not (records and get_injector(served) is None):
        return served
    with _announced_below():
        found = install(served, scenario, seed=seed, enabled=True)
    injector = get_injector(found)
    if injector is not None and injector.missing_store:
        raise StoreUnavailable(injector.missing_store)
    return found


def _with_own_faults(served: Any, vendor: str, settings: Environment) -> Any:
    """The store with the service's own faults for tests in front, unless the environment switches faults off."""
    from faultinject import get_injector
    from faultinject.retry_tests.b2_modes import B2ModesFace
    from faultinject.retry_tests.face import RetryTestFace

    injector = get_injector(served)
    if injector is None:
        return served
    if vendor == TEST_MODES:
        return B2ModesFace(served, injector)
    return RetryTestFace(served, injector, settings.endpoints)


def _app(address: str) -> tuple[Any, str, str]:
    from faultinject.cli import loading

    with _announced_below():
        return *loading.load(address), address


def _store(vendor: str, settings: Environment) -> tuple[Any, str, str]:
    from faultinject import vendors
    from faultinject.store import ObjectStore
    from faultinject.store.b2 import B2Store

    store = B2Store() if vendor == TEST_MODES else ObjectStore(vendor, endpoints=settings.endpoints)
    return store, "wsgi", f"the embedded object store ({vendors.get(vendor).title})"


@contextmanager
def _announced_below() -> Iterator[None]:
    """For its block, what is said at the start is not logged: it stands in what is printed below.

    Nor that the switch is off, which this command does not need.
    """
    import logging

    def is_other(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        off = message.startswith("faultinject is off") and "FAULTINJECT_ENABLED" in message
        return not off and not message.startswith(_SAID_BELOW)

    log = logging.getLogger("faultinject")
    log.addFilter(is_other)
    try:
        yield
    finally:
        log.removeFilter(is_other)


def _announce(title: str, url: str, injector: Injector | None, vendor: str) -> None:
    from faultinject.cli.descriptions import bound, sentence
    from faultinject.rules.values import visible

    click.echo(f"{title} on {url}")
    if injector is None or not injector.scenario.rules:
        example = f"{_example(vendor)},probability=0.3"
        click.echo(f"  no rules, so no faults; give some with -r, such as -r {example}")
    else:
        scenario = injector.scenario
        for name, rule in zip(scenario.display_names, scenario.rules, strict=True):
            click.echo(f"  {name}: {visible(str(rule))}")
            click.echo(f"    {sentence(rule)}")
        click.echo(f"  seed: {visible(injector.seed)}")
    if injector is not None and (watch := injector.own_plan.watch) is not None:
        click.echo(f"  {bound(watch.text)}")
    if injector is not None and vendor == RETRY_TESTS:
        click.echo("  POST /retry_test: faults for one test alone, as Google's storage-testbench takes them")
    if injector is not None and injector.control is not None:
        place = injector.control.place
        click.echo(f"  control: {url}{place}/" if place[0] == "/" else f"  control: http://{place}/")
    if injector is not None and vendor == TEST_MODES:
        click.echo(
            "  X-Bz-Test-Mode: the failures that Backblaze has for tests, for requests with this header"
        )
    if injector is not None and injector.own_plan.asked is not None:
        click.echo("  x-faultinject-rules: a request may ask for faults of its own by this header")
    if injector is not None and injector.journal.path is not None:
        click.echo(f"  journal: {visible(injector.journal.path)}")


def _tell_trust(certificate: Certificate) -> None:
    click.echo(f"  certificate to trust: {certificate.authority}")
    for variable in certificate.trust:
        click.echo(f"    export {variable}={certificate.authority}")


def _example(vendor: str) -> str:
    """An error by which the vendor asks clients to slow down."""
    from faultinject import vendors

    addresses = [each.address for each in vendors.get(vendor).group("@throttle")]
    slow = f"{vendor}:SlowDown"
    return slow if slow in addresses else addresses[0]


def _tell(outcome: Outcome) -> None:
    """One line for an injected fault, when it is decided, and one more when it was not carried out after all."""
    if outcome.injected == bool(outcome.final):
        return
    from faultinject.engine.journal_entry import quoted

    what = outcome.fault or ""
    if outcome.status is not None and not what.startswith("http:"):
        what = f"{what} ({outcome.status})"
    line = f"{quoted(outcome.method)} {quoted(outcome.path)} -> {what} by {outcome.rule}"
    if outcome.final:
        line = f"{line} was not carried out: {outcome.did}"
    try:
        click.echo(line)
    except OSError:
        # Nobody reads any more; the server goes on.
        sys.stdout = sys.stderr


def _sum_up(injector: Injector | None) -> None:
    if injector is None or not injector.scenario.rules:
        click.echo("\nended")
        return
    click.echo("\nended; injected:")
    for name, count in injector.counts().items():
        line = f"  {name}: {count['injected']} of {count['matched']} requests that met its conditions"
        if failed := count.get("failed"):
            line += f"; {failed} could not be decided and passed, see the log"
        click.echo(line)
