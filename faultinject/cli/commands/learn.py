"""`faultinject learn`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import CHOICES


@click.command(context_settings=CONTEXT)
@click.argument("logs", nargs=-1, required=True, metavar="ACCESSLOG…")
@click.option(
    "--format",
    "name",
    type=click.Choice(CHOICES["learn --format"]),
    help="The format of the log.  [default: detected from its lines]",
)
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="The vendor of its operations and error codes.  [default: the vendor of the format; nginx: as an S3"
    " request]",
)
@click.option("--all", "everything", is_flag=True, help="Also errors that a client should not retry.")
@click.option("-o", "--output", metavar="FILE", help="Write the scenario there.  [default: standard output]")
@click.option("--json", "as_json", is_flag=True, help="Print rules and numbers as JSON.")
def learn(**given: Any) -> int:
    """Write a scenario with the same errors as access logs.

    The logs are those of S3, CloudFront, COS, OSS or nginx, plain or gzipped.

    There is one rule for each operation and error, with the share of requests that failed. If the share changed, as
    in an outage, the rules have windows (`begin`, `end`) that count from the moment when the scenario takes effect.
    Errors that a client should not retry are left out and named. A comment above each rule has its number of
    requests.
    """
    from faultinject.cli.learn import learn as body

    return body(**given)
