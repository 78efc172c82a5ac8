"""`faultinject report`: what clients did about the faults, and whether that was right."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faultinject.audit.reports import FORMATS
from faultinject.cli.context import CONTEXT

if TYPE_CHECKING:
    from faultinject.audit.attempts import Attempt
    from faultinject.audit.judge import Judgement

STANDARD = "-"
"""What stands for standard input, and behind -o for standard output."""


@click.command(context_settings=CONTEXT, short_help="Judge what clients did about the faults in a journal.")
@click.argument("journals", nargs=-1, required=True, metavar="JOURNAL...")
@click.option(
    "--profile",
    metavar="PROFILE",
    help="What the client promises: the name of a profile, or a TOML file.  [default: by its user agent, else rfc]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([*FORMATS]),
    help="How the report is written.  [default: as the file's name says, else text]",
)
@click.option("-o", "--output", metavar="FILE", help="Write the report to this file.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="CHECK",
    help="Leave this check out (random, 'hint: date'). May be given again.",
)
@click.option("--strict", is_flag=True, help="A warning is a failure.")
@click.option("--follow", is_flag=True, help="Show a live table while the journals grow, until Ctrl-C.")
def report(
    *,
    journals: tuple[str, ...],
    profile: str | None,
    format_: str | None,
    output: str | None,
    ignore: tuple[str, ...],
    strict: bool,
    follow: bool,
) -> int:
    """Join the requests in journals to calls, and judge how their client retried.

    A JOURNAL is the file of FAULTINJECT_JOURNAL, also gzipped, or - for standard input; the files of several workers
    are read as one. Exits with 1 when a check says FAIL (with --strict also WARN), with 2 when there is no journal to
    read.
    """
    from faultinject.audit.reports import format_of, render
    from faultinject.cli import live, verdict

    def look() -> Judgement:
        return judged(journals, profile, ignore)

    if follow:
        if output is not None or format_ is not None:
            raise click.UsageError("--follow shows a table: it goes with neither --format nor --output")
        if STANDARD in journals:
            raise click.UsageError("--follow reads its journals again and again: give it files")
        live.follow(journals, look)
    chosen = format_ or format_of(output or "")
    if output is not None and output != STANDARD:
        refuse_to_overwrite(output, journals)
    judgement = look()
    if output is None and chosen == "text":
        verdict.show(judgement)
    else:
        written = render(judgement, chosen, strict=strict)
        with click.open_file(output or STANDARD, "w", encoding="utf-8") as file:
            file.write(written)
    return 1 if judgement.failed or (strict and judgement.warned) else 0


def judged(journals: Sequence[str], profile: str | None, ignore: Sequence[str]) -> Judgement:
    """The verdict on what stands in the journals now.

    Raises:
        ReportError: there is nothing to read, or it is no journal.
        ConfigurationError: there is no such profile or check.
    """
    from faultinject.audit.judge import judge
    from faultinject.audit.reading import read

    skipped: dict[str, int] = {}
    attempts, until = timed(read(journals, skipped=skipped), time.time())
    return judge(attempts, profile=profile, until=until, ignore=ignore, skipped=skipped)


def timed(attempts: Iterable[Attempt], now: float) -> tuple[Iterator[Attempt], float]:
    """The same attempts (there is one), and the unix time `now` on the monotonic clock of their journal.

    The end of a journal is the moment at which it is read: what has not been tried again by then was given up.
    """
    coming = iter(attempts)
    first = next(coming)
    return chain([first], coming), now - (first.time - first.arrived)


def refuse_to_overwrite(output: str, journals: Iterable[str]) -> None:
    """Raise an error if the report would be written over a journal that it is made from."""
    target = Path(output)
    sources = [Path(each) for each in journals if each != STANDARD]
    if target.exists() and any(each.exists() and each.samefile(target) for each in sources):
        raise click.UsageError(f"--output: {output} is one of the journals, which the report would replace")
