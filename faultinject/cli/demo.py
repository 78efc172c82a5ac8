"""`faultinject demo`: a real SDK against the embedded store, a third of whose answers are documented errors."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from faultinject.audit.judge import Judgement
    from faultinject.cli.scoreboard import Attempt, Scoreboard
    from faultinject.cli.workload import Workload
    from faultinject.injector.injector import Injector

# Errors that the SDK retries, and two that COS documents as passing and that the SDK does not retry.
SHARES = (("cos:@server", 0.7), ("cos:OperationAborted", 0.15), ("cos:RequestTimeout", 0.15))


# What a row of the live table needs, in characters.
NARROWEST = 80


@click.command(context_settings=CONTEXT, short_help="Watch a real SDK fight 30 % of documented errors.")
@click.option("--seed", help="Replays a run; by default one is chosen and shown.")
@click.option(
    "--probability",
    default=0.3,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of attempts that get an error.",
)
@click.option("--calls", default=150, show_default=True, type=click.IntRange(1, 999), help="How many calls.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="The server's port.  [default: any free one]"
)
@click.pass_context
def demo(context: click.Context, seed: str | None, probability: float, calls: int, port: int) -> int:
    """Watch a real SDK fight documented errors: the COS SDK against the embedded object store.

    Everything is on loopback and in memory. It ends by itself within about 20 seconds. Of the environment only
    FAULTINJECT_ENABLED=0 is heeded, which stops it; it also runs where the environment says production, because
    nothing but its own store gets faults.
    """
    import os
    from importlib.metadata import version

    from faultinject.adapters.wsgi import wrap
    from faultinject.cli import layout, listening, verdict
    from faultinject.cli import rules as reading
    from faultinject.cli.scoreboard import COLUMNS, Scoreboard, silent
    from faultinject.cli.workload import Workload, load_sdk
    from faultinject.injector.injector import Injector
    from faultinject.rules.environment import read_environment
    from faultinject.store import ObjectStore

    sdk = load_sdk()
    switch = {"FAULTINJECT_ENABLED": os.environ.get("FAULTINJECT_ENABLED", "")}
    reading.refuse_switched_off(read_environment(switch, now=time.time(), rules_given=True))
    injector = Injector(rules_for(probability), seed=seed, environ={}, record_all=True)
    sock = listening.listen("127.0.0.1", port)
    url = listening.url_of(sock)
    listening.heed_interrupts()
    live = _is_wide_terminal()
    lines = Lines()
    board = Scoreboard(silent if live else lines.show)
    injector.journal.follow(board.saw)
    server = listening.wsgi_server(wrap(ObjectStore("cos"), injector), sock)
    listening.in_thread(server)
    workload = Workload(sdk, server.port, calls, board)
    injector.disable()
    workload.prepare()
    injector.enable()

    click.echo(f"cos-python-sdk-v5 {version('cos-python-sdk-v5')} against the embedded object store on {url}")
    click.echo(f"{calls} calls, {probability:.0%} documented errors of Tencent COS, seed {injector.seed}\n")
    try:
        if not live:
            click.echo(_line(COLUMNS))
        workload.start()
        if live:
            _watch(workload, board)
        while not workload.over and lines.error is None:
            time.sleep(0.05)
    finally:
        board.close()
        server.shutdown()
    if lines.error is not None:
        raise lines.error  # pragma: no cover - a closed pipe, in a process of its own
    click.echo()
    for line in layout.aligned(board.summary()):
        click.echo(line)
    click.echo()
    verdict.show(_judgement(injector, board))
    click.echo(f"\nThe same again: {command_of(context, injector.seed)}")
    return 0


def _judgement(injector: Injector, board: Scoreboard) -> Judgement:
    """What the audit says of the SDK."""
    from faultinject.audit.judge import judge
    from faultinject.journal.reading import of_outcomes

    return judge(
        of_outcomes(injector.journal.outcomes), driven=True, told=board.windows(), until=time.monotonic()
    )


def command_of(context: click.Context, seed: str) -> str:
    """The command line that gives the same run again: the seed, and every option that is not its default."""
    words = ["faultinject", "demo", "--seed", seed]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name != "seed" and value != option.default:
            words += [option.opts[0], str(value)]
    return shlex.join(words)


def rules_for(probability: float) -> list[Any]:
    """Rules that together answer that share of all attempts."""
    from faultinject.rules.rule import Rule

    rules = []
    left = 1.0
    for fault, share in SHARES:
        chance = min(1.0, probability * share / left) if left > 0 else 0.0
        left -= probability * share
        rules.append(Rule(fault, probability=round(chance, 6)))
    return rules


def _is_wide_terminal() -> bool:
    """Whether a live table can be drawn and has room; else there are plain lines."""
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    try:
        from rich.console import Console
    except ImportError:
        return False
    console = Console()
    return not console.is_dumb_terminal and console.width >= NARROWEST


class Lines:
    """One line an attempt, written by many threads.

    Attributes:
        error: why standard output took no more lines, for the program's own thread to raise; else None.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None

    def show(self, attempt: Attempt) -> None:
        """Write an attempt."""
        if self.error is not None:
            return
        try:
            click.echo(_line(attempt.cells()))
        except OSError as error:
            self.error = error


def _line(cells: tuple[str, ...]) -> str:
    widths = (7, 12, 7, 22, 0)
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _watch(workload: Workload, board: Scoreboard) -> None:
    """Show the newest attempts and the numbers until the calls are done."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, refresh_per_second=10, screen=False) as live:
        while not workload.over:
            live.update(_picture(board, console.height))
            time.sleep(0.1)
        live.update(_picture(board, console.height))


def _picture(board: Scoreboard, height: int) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from faultinject.cli.scoreboard import COLUMNS

    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        caption=board.progress(),
        caption_justify="left",
    )
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    for attempt in board.latest(max(4, height - 12)):
        style = {"gave": "red", "reco": "green"}.get(attempt.verdict[:4], "")
        *cells, verdict = attempt.cells()
        table.add_row(*map(Text, cells), Text(verdict, style=style))
    return table
