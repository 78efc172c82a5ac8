"""`faultinject proxy`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import serving_options


@click.command(context_settings=CONTEXT)
@click.option(
    "--to", "url", required=True, metavar="URL", help="The server: http://HOST:PORT or https://HOST."
)
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="Read bucket, key and operation as this vendor, for rules without one.  [default: by the host of --to,"
    " else as an S3 request]",
)
@click.option(
    "--rewrite-host",
    is_flag=True,
    help="Send the server its own Host, instead of the client's, which may be signed.",
)
@serving_options
def proxy(**given: Any) -> int:
    """Put faults in front of a server that is not a Python app.

    It may be a real service, MinIO, Azurite, a program in Go.

    The proxy forwards requests and answers byte for byte, so that signatures stay valid. Requests that match a rule
    get its fault. Each connection of a client has its own connection to the server. Rules and the journal are those of
    `serve`, and Ctrl-C ends it in the same way.

    The server sees the Host that the client sent. A service that checks the Host needs --rewrite-host; a client that
    signs its requests must then sign the service's Host.
    """
    from faultinject.cli.proxy import proxy as body

    return body(**given)
