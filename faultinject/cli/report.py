"""`faultinject report`: what clients did about the faults, and whether that was right."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import cast

import click

from faultinject.audit.conclusion import know
from faultinject.audit.reports import FORMATS, format_of, render
from faultinject.cli import verdict
from faultinject.cli.layout import CONTEXT
from faultinject.cli.waiting import Journals, judge_when_over
from faultinject.journal.sources import MOST_WITHOUT, may_be_journal
from faultinject.rules.files import open_to_write

STANDARD = "-"
"""What stands for standard input, and behind -o for standard output."""
PIECE = 1 << 20
"""Bytes of the standard input that are copied at a time."""


@click.command(context_settings=CONTEXT)
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
    help="Leave this check out (jitter, 'retry-after: date'). May be given again.",
)
@click.option(
    "--require",
    multiple=True,
    metavar="CHECK",
    help="Exit with 3 if this check is not decided; all: every check. May be given again.",
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
def report(
    *,
    journals: tuple[str, ...],
    profile: str | None,
    format_: str | None,
    output: str | None,
    ignore: tuple[str, ...],
    require: tuple[str, ...],
    strict: bool,
    finished: bool,
    verbose: bool,
) -> int:
    """Group the requests in journals into calls, and judge how their client retried.

    A JOURNAL is the file of FAULTINJECT_JOURNAL, also gzipped, or - for standard input; the files of several workers
    are read as one. Right after the last requests it waits until their calls must be over, at most about ten seconds,
    unless the server has ended or --finished says that the client is done. Exits with 1 when a check says FAIL (with
    --strict also WARN), with 3 when nothing could be judged or a check of --require was not decided, with 2 when there
    is no journal to read.
    """
    know(ignore, require)
    # Of a million requests hardly one is part of a circle: looking for these would take a sixth of the time.
    click.get_current_context().call_on_close(partial(gc.set_threshold, *gc.get_threshold()))
    gc.set_threshold(200_000, 20, 20)
    chosen = format_ or format_of(output or "")
    if output is not None and output != STANDARD:
        refuse_to_overwrite(output, journals)
    with kept_input(journals) as standard:
        read = Journals(journals, profile, ignore, require, standard=standard)
        judgement = read.judge(finished=True) if finished else judge_when_over(read)
    judgement = replace(judgement, strict=strict)
    if output in (None, STANDARD) and chosen == "text":
        verdict.show(judgement, verbose=verbose)
    elif output is None or output == STANDARD:
        with click.open_file(STANDARD, "w", encoding="utf-8") as file:
            file.write(render(judgement, chosen))
    else:
        written = render(judgement, chosen)
        with open_to_write(output) as file:
            file.write(written)
    return judgement.conclusion.exit_code


@contextmanager
def kept_input(journals: Iterable[str]) -> Iterator[BufferedReader | None]:
    """For its block, all of the standard input as a file, where it is one of the journals: it may be read again."""
    if STANDARD not in journals or sys.stdin is None:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        good = False
        while piece := sys.stdin.buffer.read(PIECE):
            good = good or may_be_journal(piece)
            file.write(piece)
            if not good and file.tell() > MOST_WITHOUT:
                break  # it may have no end, and none of this will be read
        yield cast("BufferedReader", file)


def refuse_to_overwrite(output: str, journals: Iterable[str]) -> None:
    """Raise an error if the report would be written over a journal that it is made from."""
    target = Path(output)
    sources = [Path(each) for each in journals if each != STANDARD]
    if target.exists() and any(each.exists() and each.samefile(target) for each in sources):
        raise click.UsageError(f"--output: {output} is one of the journals, which the report would replace")
