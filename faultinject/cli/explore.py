"""`faultinject explore`: a command of any language, once for every request that it makes and every fault."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from faultinject.cli.commands import Command
    from faultinject.rules.rule import Rule
    from faultinject.testing.inject import Exploration

EVERY = 0.2
"""Seconds between two lines of progress on a terminal."""


@click.command(
    context_settings={**CONTEXT, "allow_interspersed_args": False},
    short_help="Run a command once for every request it makes × every fault.",
)
@click.option(
    "-r",
    "--rule",
    "rules",
    multiple=True,
    required=True,
    metavar="RULE",
    help="A fault and where it may come; a vendor stands for its standard set. May be given again.",
)
@click.option(
    "--depth",
    default=1,
    show_default=True,
    type=click.IntRange(1, 2),
    help="2: also a second fault in what the command does because of the first.",
)
@click.option(
    "--max-runs",
    default=500,
    show_default=True,
    type=click.IntRange(1),
    help="Runs with faults at most; more needed is an error.",
)
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="Whose dialect the store speaks.  [default: the first rule's, else cos]",
)
@click.option("--reset", metavar="COMMAND", help="Shell command that prepares each run, without faults.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="CHECK",
    help='What the second judge is not to look at, such as "non-idempotent retry". May be given again.',
)
@click.option(
    "--exhaustive", is_flag=True, help="Also try what is left out by default, and named in the report."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def explore(
    *,
    rules: tuple[str, ...],
    depth: int,
    max_runs: int,
    vendor: str | None,
    reset: str | None,
    ignore: tuple[str, ...],
    exhaustive: bool,
    as_json: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND twice without faults, and then once for every request that it makes and every fault.

    It finds an object store, which is emptied before each run, at the address in the variable ENDPOINT. Its exit code
    is the judge: 0 is well. A second judge looks at its requests: other bytes the second time fail, whatever the exit
    code. Exit code 1 here: a fault broke it, or one came in no run; 2: nothing could be explored.
    """
    from faultinject.cli import listening
    from faultinject.cli import rules as reading
    from faultinject.cli.commands import Command
    from faultinject.exceptions import ConfigurationError, ExplorationFailed
    from faultinject.testing.exploration.bounds import Bounds
    from faultinject.testing.exploration.wording import Wording
    from faultinject.testing.inject import Exploration

    if not command:
        raise click.UsageError("a command is missing, as in: faultinject explore -r cos -- ./upload.sh")
    settings = reading.services()
    reading.refuse_switched_off(settings)
    reading.refuse_production(settings)
    if shutil.which(command[0]) is None:
        raise ConfigurationError(f"{command[0]}: command not found")
    vendor = vendor or _vendor_of(rules)
    listening.heed_interrupts()
    running = Command(command, reset, vendor, settings.endpoints)
    exploration = Exploration(
        rules,
        Bounds(depth, max_runs, ignore=ignore, exhaustive=exhaustive),
        end=running.end,
        wording=Wording(lambda found: _replay(found, vendor, command), "--exhaustive"),
    )
    with running:
        try:
            _explore(exploration, running)
        except ExplorationFailed as error:
            if not exploration.over:
                click.echo(f"faultinject: {error}", err=True)
                return 2
            code = 1
        else:
            code = 0
    click.echo(exploration.to_json() if as_json else exploration.report())
    return code


def _explore(exploration: Exploration, running: Command) -> None:
    from faultinject.cli.commands import CommandFailed
    from faultinject.exceptions import ExplorationFailed

    shows = sys.stderr is not None and sys.stderr.isatty()
    shown = 0.0
    try:
        for run in exploration:
            if shows and time.monotonic() - shown >= EVERY:
                shown = time.monotonic()
                click.echo(
                    f"\rrun {len(exploration.runs)} of {exploration.sweep.planned} ", nl=False, err=True
                )
            running.prepare()
            with run:
                running.run()
    except CommandFailed as error:
        raise ExplorationFailed(
            f"without faults the command fails: {error}\n{error.output}".rstrip()
        ) from None
    finally:
        if shows:
            click.echo(f"\r{'':40}\r", nl=False, err=True)


def _vendor_of(rules: Sequence[str]) -> str:
    """The first vendor named that the embedded store speaks."""
    from faultinject.store.error_codes import ERROR_CODES

    named = (each.strip().partition(",")[0].partition(":")[0] for each in rules)
    return next((each for each in named if each in ERROR_CODES), "cos")


def _replay(rules: Sequence[Rule], vendor: str, command: Sequence[str]) -> str:
    """The two commands that show a failure again."""
    serve = ["faultinject", "serve", "--vendor", vendor]
    for each in rules:
        serve += ["-r", str(each)]
    return f"{shlex.join(serve)}\n          ENDPOINT=http://127.0.0.1:8000 {shlex.join(command)}"
