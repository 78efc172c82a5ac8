"""`faultinject report`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import CHOICES


@click.command(context_settings=CONTEXT)
@click.argument("journals", nargs=-1, required=True, metavar="JOURNAL...")
@click.option(
    "--profile",
    metavar="PROFILE",
    help="The client's promises: the name of a profile, or a TOML file.  [default: by its user agent,"
    " else rfc]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(CHOICES["report --format"]),
    help="The format of the report.  [default: by the ending of the file's name; without one text]",
)
@click.option("-o", "--output", metavar="FILE", help="Write the report to this file.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="CHECK",
    help="Leave this check out (jitter, 'retry-after: date'). May be given again.",
)
@click.option(
    "--require",
    multiple=True,
    metavar="CHECK",
    help="Exit with 3 if this check is not decided; all: every check. May be given again.",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="TEXT",
    help="Judge only clients whose User-Agent contains this (boto3). May be given again.",
)
@click.option("--strict", is_flag=True, help="A warning is a failure.")
@click.option(
    "--finished", is_flag=True, help="The client is done: do not wait for calls that may still be running."
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="Say what each undecided check needs, and how calls, waits and faults were measured.",
)
def report(**given: Any) -> int:
    """Group the requests in journals into calls, and judge how their client retried.

    A JOURNAL is the file of FAULTINJECT_JOURNAL, also gzipped, or - for standard input; the files of several workers
    are read as one. Right after the last requests it waits until their calls must be over, at most about ten seconds,
    unless the server has ended or --finished says that the client is done. Exits with 1 when a check says FAIL (with
    --strict also WARN), with 3 when nothing could be judged or a check of --require was not decided, with 2 when
    there is no journal to read.

    Every client of the journals is judged, by its User-Agent; --client chooses. If the faults are on the storage
    behind an app, a test's own requests to that app are not judged.
    """
    from faultinject.cli.report import report as body

    return body(**given)
