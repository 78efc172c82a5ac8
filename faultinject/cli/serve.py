"""`faultinject serve`: serves an app, or the embedded object store, with faults.

`serve_with_faults` is also the body of `proxy`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from socket import socket
from typing import TYPE_CHECKING, Any

import click

from faultinject import get_injector, install, vendors
from faultinject.adapters.install import interface_of
from faultinject.cli import listening
from faultinject.cli import rules as reading
from faultinject.cli.descriptions import bound, sentence
from faultinject.cli.layout import readers_may_leave, refuse
from faultinject.control.server import require_address
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, StoreUnavailableError
from faultinject.injector.injector import Injector
from faultinject.journal.outcome import Outcome
from faultinject.rules.environment import Environment
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import visible
from faultinject.server import user_code
from faultinject.server.bounds import Limits
from faultinject.server.certificates import Certificate, certificate
from faultinject.server.connections import OURS, url_of

if TYPE_CHECKING:
    import uvicorn

Served = tuple[Any, str, Callable[..., Any]]
"""An app, its name for people, and a function that makes a server of the app."""

JOURNAL = "FAULTINJECT_JOURNAL"
CONTROL = "FAULTINJECT_CONTROL"
_PRINTED_HERE = "faultinject is on", "faultinject: FAULTINJECT_ON_REQUEST"


def serve_with_faults(
    load: Callable[[Environment], Served],
    vendor: str,
    *,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    host: str,
    port: int,
    journal: str | None,
    control: str | None,
    tls: bool,
    max_connections: int,
    instead: str | None = None,
) -> int:
    """Serve with the faults of the options or the environment, until a signal ends it.

    Args:
        load: makes the app from the settings of the environment.
        vendor: the vendor of the example that is shown if there are no rules.
        rules: the rules of -r.
        file: the file of --file.
        seed: the seed of --seed.
        host: the address to listen on.
        port: the port to listen on; 0: any free one.
        journal: the file of --journal.
        control: the path or address of --control.
        tls: whether it speaks TLS.
        max_connections: the maximum number of open connections.
        instead: the name of the app or server that is served instead of the embedded store, and cannot carry out that
            store's faults; None: the embedded store is served.

    Returns:
        The exit code.
    """
    # An app with its own injector reads the address of control, and the journal, from the environment.
    with (
        set_variable(CONTROL, control),
        require_address(partial(listening.listen, port_option="--control", host_option="--control")),
    ):
        settings = reading.services()
        reading.refuse_production(settings)
        scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
        if instead is not None:
            reading.refuse_faults_of_store(scenario.rules, instead)
        if scenario.rules or journal is not None:
            reading.refuse_switched_off()
        path = reading.journal(journal, settings)
        with set_variable(JOURNAL, path), certificate(host) if tls else nullcontext() as trusted:
            app, title, server_of = load(settings)
            records = path is not None or settings.control is not None or settings.on_request
            served = with_faults(app, scenario, seed, records=records)
            server = server_of(served, certificate=trusted, limits=Limits(connections=max_connections))
            sock = listening.listen(host, port)
            return serve_until_ended(served, server, sock, title, vendor, trusted)


def serve_until_ended(
    served: Any,
    server: uvicorn.Server,
    sock: socket,
    title: str,
    vendor: str,
    certificate: Certificate | None,
) -> int:
    """Serve until a signal ends it, and print the counts."""
    injector = get_injector(served)
    interrupted = False

    def end(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = server.should_exit = True

    listening.handle_signals()
    # Ctrl-C sets a flag. Python would drop a KeyboardInterrupt that it raises in the callback of a weak reference, and
    # such callbacks run during imports.
    signal.signal(signal.SIGINT, end)
    try:
        with readers_may_leave():
            _announce(title, url_of(sock.getsockname(), "https" if certificate else "http"), injector, vendor)
            if certificate is not None:
                click.echo(f"  certificate to trust: {certificate.authority}")
                for variable in certificate.trust:
                    click.echo(f"    export {variable}={certificate.authority}")
            click.echo("Ctrl-C ends it.")
        if injector is not None:
            injector.journal.follow(_print_fault)
        server.run(sockets=[sock])
    except SystemExit:  # uvicorn raises it if the app did not start
        pass
    finally:
        sock.close()
        listening.handle_signals()
    if not server.started and not interrupted:
        click.echo("faultinject: the app did not start", err=True)
        return 2
    _sum_up(injector)
    return 0


@contextmanager
def set_variable(variable: str, value: str | None) -> Iterator[None]:
    """Set a variable of the environment for the block, unless the value is None.

    An app with its own injector reads the journal, or the address of control, there.
    """
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


def with_faults(served: Any, scenario: Scenario, seed: str | None, *, records: bool) -> Any:
    """The app with its faults; without rules, with a recorder of its requests.

    An app with its own injector needs no recorder.
    """
    if not scenario.rules and not (records and get_injector(served) is None):
        return served
    with drop_announcements():
        app_with_faults = install(served, scenario, seed=seed, enabled=True)
    injector = get_injector(app_with_faults)
    if injector is not None and injector.missing_store:
        raise StoreUnavailableError(injector.missing_store)
    return app_with_faults


@contextmanager
def drop_announcements() -> Iterator[None]:
    """Drop the log messages that this command prints itself.

    It also drops the message that faults are switched off, which is not true for this command.
    """

    def is_other(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        off = message.startswith("faultinject is off") and "FAULTINJECT_ENABLED" in message
        return not off and not message.startswith(_PRINTED_HERE)

    log = logging.getLogger("faultinject")
    log.addFilter(is_other)
    try:
        yield
    finally:
        log.removeFilter(is_other)


def _announce(title: str, url: str, injector: Injector | None, vendor: str) -> None:
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
    if injector is not None and injector.control is not None:
        place = injector.control.place
        click.echo(f"  control: {url}{place}/" if place[0] == "/" else f"  control: http://{place}/")
    if injector is not None and injector.own_plan.requested_rules is not None:
        click.echo("  x-faultinject-rules: a request may ask for faults of its own by this header")
    if injector is not None and injector.journal.path is not None:
        click.echo(f"  journal: {visible(injector.journal.path)}")


def _example(vendor: str) -> str:
    """An error of the vendor that throttles clients."""
    addresses = [error.address for error in vendors.get(vendor).group("@throttle")]
    slow = f"{vendor}:SlowDown"
    return slow if slow in addresses else addresses[0]


def _print_fault(outcome: Outcome) -> None:
    """Print a line for an injected fault when it is decided, and one if it was not carried out."""
    # The journal may also have a line between the first and the last one of a request: it is not printed.
    decided, over = outcome.final is None, outcome.final is True
    if not (decided if outcome.injected else over):
        return
    fault = outcome.fault or ""
    if outcome.status is not None and not fault.startswith("http:"):
        fault = f"{fault} ({outcome.status})"
    line = f"{quoted(outcome.method)} {quoted(outcome.path)} -> {fault} by {outcome.rule}"
    if over:
        line = f"{line} was not carried out: {outcome.did}"
    try:
        click.echo(line)
    except OSError:
        # The reader has left; the server goes on.
        sys.stdout = sys.stderr


def _sum_up(injector: Injector | None) -> None:
    if injector is None or not injector.scenario.rules:
        click.echo("\nended")
        return
    click.echo("\nended; injected:")
    for name, count in injector.counts().items():
        line = f"  {name}: {count.injected} of {count.matched} requests that met its conditions"
        if count.failed:
            line += f"; {count.failed} could not be decided and passed, see the log"
        click.echo(line)


def load_app(address: str) -> tuple[Any, str]:
    """The app, and its interface, `wsgi` or `asgi`; the current directory comes first.

    Args:
        address: `shop.web:app` or `shop.web:site.app`.

    Raises:
        ConfigurationError: there is no such module or attribute, the module fails, or the object is no app.
    """
    module, _, path = address.partition(":")
    if not all(word.isidentifier() for word in (*module.split("."), *path.split("."))):
        raise ConfigurationError(f"{address!r} is not MODULE:APP, such as shop.web:app")
    app = user_code.load(address)
    if not callable(app):
        raise ConfigurationError(f"{address} is no app: it is of type {type(app).__name__}")
    try:
        return app, interface_of(app, address, advice="name the app that it makes")
    except TypeError as error:
        raise ConfigurationError(str(error)) from None


def serve(*, app: str | None, vendor: str | None, **options: Any) -> int:
    """Serve an app or the store, and return the exit code."""
    refuse({"--vendor is for the embedded store; an app is served as it is": app and vendor})
    speaks = vendor or "cos"

    def load(settings: Environment) -> Served:
        if app is None:
            from faultinject.store import ObjectStore
            from faultinject.store.asgi import asgi, beneath

            store = ObjectStore(speaks, endpoints=settings.endpoints)

            def server_of(served: Any, **options: Any) -> Any:
                return listening.uvicorn_server(beneath(served, store), **OURS, **options)

            return asgi(store), f"the embedded object store ({vendors.get(speaks).title})", server_of
        with drop_announcements():
            served, interface = load_app(app)
        return served, app, listening.uvicorn_server if interface == "asgi" else listening.wsgi_server

    return serve_with_faults(load, speaks, instead=app, **options)
