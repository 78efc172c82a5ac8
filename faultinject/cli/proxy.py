"""`faultinject proxy`: faults in front of a server of any language, wherever it is."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.serving import JOURNAL, control_at, named_to_apps, serve_until_ended, with_faults
from faultinject.exceptions import ConfigurationError

if TYPE_CHECKING:
    from faultinject.proxy.target import Target


@click.command(context_settings=CONTEXT)
@click.option(
    "--to", "url", required=True, metavar="URL", help="The server: http://HOST:PORT or https://HOST."
)
@click.option("-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again.")
@click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r.")
@click.option("--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]")
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="How rules without a storage vendor read bucket, key and operation.  [default: by the host of --to, else as an S3 request]",
)
@click.option(
    "--rewrite-host",
    is_flag=True,
    help="Send the server its own Host, instead of the client's, which may be signed.",
)
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
@click.option("--tls", is_flag=True, help="Speak TLS, with a self-signed certificate; its path is printed.")
def proxy(
    *,
    url: str,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    vendor: str | None,
    rewrite_host: bool,
    host: str,
    port: int,
    journal: str | None,
    control: str | None,
    tls: bool,
) -> int:
    """Put faults in front of a server that is not a Python app: a real service, MinIO, Azurite, a program in Go.

    The proxy forwards requests and answers byte for byte, so that signatures stay valid. Requests that match a rule get
    its fault. Each connection of a client has its own connection to the server. Rules, the journal and the end are as
    in `serve`.

    The server sees the Host that the client sent. A service that checks the Host needs --rewrite-host; a client that
    signs its requests must then sign the service's Host.
    """
    from faultinject.cli import listening
    from faultinject.cli import rules as reading
    from faultinject.cli.services import dialect_of
    from faultinject.proxy.app import Proxy
    from faultinject.proxy.serving import proxy_server
    from faultinject.proxy.target import Target
    from faultinject.rules.scenario import Scenario
    from faultinject.rules.vocabulary import reading_as
    from faultinject.server.certificates import certificate

    target = Target(url)
    settings = reading.services()
    reading.refuse_production(settings)
    dialect = dialect_of(vendor, target)
    with reading_as(dialect):
        scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
        reading.refuse_faults_of_store(scenario.rules, target.url)
        if scenario.rules or journal is not None:
            reading.refuse_switched_off()
        path = reading.journal(journal, settings)
        with (
            control_at(control),
            named_to_apps(JOURNAL, path),
            certificate(host) if tls else nullcontext() as trusted,
        ):
            records = (
                path is not None or control is not None or settings.control is not None or settings.on_request
            )
            served = with_faults(Proxy(target, rewrite_host=rewrite_host), scenario, seed, records=records)
            server = proxy_server(served, target, trusted)
            sock = listening.listen(host, port)
            with sock:
                _refuse_itself(target, sock.getsockname()[:2])
                return serve_until_ended(
                    served, server, sock, f"in front of {target.url}", dialect or "s3", trusted
                )


def _refuse_itself(target: Target, address: tuple[str, int]) -> None:
    """What would only ask itself.

    Raises:
        ConfigurationError: the server is the proxy.
    """
    from ipaddress import ip_address
    from socket import SOCK_STREAM, getaddrinfo

    host, port = address
    if target.port != port:
        return
    try:
        found = {str(each[4][0]) for each in getaddrinfo(target.host, target.port, type=SOCK_STREAM)}
    except OSError:  # told of by the answers
        return
    everywhere = ip_address(host).is_unspecified
    if host in found or (everywhere and found & {"127.0.0.1", "::1"}):
        raise ConfigurationError(
            f"--to {target.url} is this proxy itself; choose another port for it with --port, or 0 for any free one"
        )
