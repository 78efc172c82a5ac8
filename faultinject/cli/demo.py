"""`faultinject demo`: a real SDK against the embedded store, a third of whose answers are documented errors."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from faultinject.cli.scoreboard import Attempt, Scoreboard
    from faultinject.cli.workload import Workload

# Errors that the SDK retries, and two that COS documents as passing and that the SDK does not retry.
SHARES = (("cos:@server", 0.7), ("cos:OperationAborted", 0.15), ("cos:RequestTimeout", 0.15))


@click.command(short_help="Watch a real SDK fight 30 % of documented errors.")
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
def demo(seed: str | None, probability: float, calls: int, port: int) -> int:
    """Watch a real SDK fight documented errors: the COS SDK against the embedded object store.

    Everything is on loopback and in memory. It ends by itself within about 20 seconds.
    """
    from importlib.metadata import version

    from faultinject.adapters.wsgi import wrap
    from faultinject.cli import listening, table
    from faultinject.cli import rules as reading
    from faultinject.cli.scoreboard import COLUMNS, Scoreboard, silent
    from faultinject.cli.workload import Workload, load_sdk
    from faultinject.injector import Injector
    from faultinject.objectstore import ObjectStore

    sdk = load_sdk()
    settings = reading.surroundings()
    reading.refuse_production(settings)
    reading.refuse_switched_off(settings)
    injector = Injector(rules_for(probability), seed=seed, everything=True)
    sock = listening.listen("127.0.0.1", port)
    url = listening.url_of(sock)
    listening.heed_interrupts()
    live = sys.stdout.isatty() and _has_rich()
    board = Scoreboard(silent if live else _print_attempt)
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
        while not workload.over:
            time.sleep(0.05)
    finally:
        board.close()
        server.shutdown()
    click.echo()
    for line in table.aligned(board.summary()):
        click.echo(line)
    click.echo(f"\nThe same again: faultinject demo --seed {injector.seed}")
    return 0


def rules_for(probability: float) -> list[Any]:
    """Rules that together answer that share of all attempts."""
    from faultinject.core.rule import Rule

    rules = []
    left = 1.0
    for fault, share in SHARES:
        chance = min(1.0, probability * share / left) if left > 0 else 0.0
        left -= probability * share
        rules.append(Rule(fault, probability=round(chance, 6)))
    return rules


def _has_rich() -> bool:
    from importlib.util import find_spec

    return find_spec("rich") is not None


def _print_attempt(attempt: Attempt) -> None:
    click.echo(_line(attempt.cells()))


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
