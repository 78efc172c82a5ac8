"""`faultinject learn`: a scenario with the errors of an access log."""

from __future__ import annotations

import click

from faultinject.audit.reports.sentences import counted
from faultinject.cli.layout import CONTEXT, printed_json, write_out
from faultinject.exceptions import ConfigurationError
from faultinject.learning import tallies, writing
from faultinject.learning.formats import FORMATS


@click.command(context_settings=CONTEXT)
@click.argument("logs", nargs=-1, required=True, metavar="ACCESSLOG…")
@click.option(
    "--format",
    "name",
    type=click.Choice([*FORMATS]),
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
def learn(
    *,
    logs: tuple[str, ...],
    name: str | None,
    vendor: str | None,
    everything: bool,
    output: str | None,
    as_json: bool,
) -> int:
    """Write a scenario with the same errors as access logs.

    The logs are those of S3, CloudFront, COS, OSS or nginx, plain or gzipped.

    There is one rule for each operation and error, with the share of requests that failed. If the share changed, as
    in an outage, the rules have windows (`begin`, `end`) that count from the moment when the scenario takes effect.
    Errors that a client should not retry are left out and named. A comment above each rule has its number of
    requests.
    """
    tally = tallies.read_logs(logs, name, vendor)
    learned, left_out = writing.learn(tally, vendor or tally.vendor, everything=everything)
    if not learned and not as_json:
        more = "; --all takes those that were left out" if left_out else ""
        total = sum(sum(by_operation.values()) for by_operation in tally.requests.values())
        raise ConfigurationError(f"no error to learn from in {counted(total, 'request')}{more}")
    if as_json:
        text = f"{printed_json(writing.with_numbers(learned, left_out, tally, sources=logs))}\n"
    else:
        text = writing.as_toml(learned, left_out, tally, sources=logs)
    write_out(text, output)
    return 0
