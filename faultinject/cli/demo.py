"""`faultinject demo`: a real SDK against the embedded store, a third of whose answers are documented errors."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Collection, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from faultinject.audit.judging import Judgement
    from faultinject.audit.reports.text import Paragraph
    from faultinject.cli.scoreboard import Attempt, Scoreboard
    from faultinject.cli.workload import Workload
    from faultinject.injector.injector import Injector

# Server errors, which the SDK retries, and two client errors, which COS documents as retryable and the SDK does not
# retry. COS documents OperationAborted for writes alone.
WRITES, READS = ("PUT", "POST", "DELETE"), ("GET", "HEAD")
SHARES: tuple[tuple[tuple[str, ...], tuple[tuple[str, float], ...]], ...] = (
    (WRITES, (("cos:@server", 0.7), ("cos:OperationAborted", 0.15), ("cos:RequestTimeout", 0.15))),
    (READS, (("cos:@server", 0.7), ("cos:RequestTimeout", 0.3))),
)


# What a row of the live table needs, in characters, and the rows that are shown without --verbose.
NARROWEST = 80
ROWS = 10

# Calls that no retry can save, spread over the operations: what needs failed calls always has enough of them.
LOST = range(11, 100, 21)

# Checks for which this workload has no calls; the command that is told next has them.
ELSEWHERE = (
    "retry-after",
    "malformed retry-after",
    "non-idempotent retry",
    "error in 200",
    "retry budget",
    "overlap",
)
NEXT = "conformance --client cos"


@click.command(context_settings=CONTEXT)
@click.option("--seed", help="Replays a run; by default one is chosen and shown.")
@click.option(
    "--probability",
    default=0.3,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="The share of attempts that get an error.",
)
@click.option("--calls", default=240, show_default=True, type=click.IntRange(1, 999), help="How many calls.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="The server's port.  [default: any free one]"
)
@click.option(
    "-v", "--verbose", is_flag=True, help="Show every attempt, and the whole report with its calls."
)
@click.pass_context
def demo(
    context: click.Context, *, seed: str | None, probability: float, calls: int, port: int, verbose: bool
) -> int:
    """Watch a real SDK handle documented errors: the COS SDK against the embedded object store.

    Everything is on loopback and in memory. The demo ends within about 20 seconds. FAULTINJECT_ENABLED=0 stops it; it
    ignores all other variables, and also runs in a production environment, because only its own store gets faults.
    """
    import os
    from importlib.metadata import version

    from faultinject.adapters.wsgi import wrap
    from faultinject.cli import layout, listening, verdict
    from faultinject.cli import rules as reading
    from faultinject.cli.scoreboard import COLUMNS, Scoreboard, silent
    from faultinject.cli.workload import Workload, load_sdk
    from faultinject.injector.own import OwnInjector
    from faultinject.installation import own_command
    from faultinject.rules.environment import read_environment
    from faultinject.store import ObjectStore

    sdk = load_sdk()
    switch = {"FAULTINJECT_ENABLED": os.environ.get("FAULTINJECT_ENABLED", "")}
    reading.refuse_switched_off(read_environment(switch, now=time.time(), rules_given=True))
    injector = OwnInjector(
        [*lost_calls(probability), *demo_rules(probability)], seed=seed, environ={}, record_all=True
    )
    sock = listening.listen("127.0.0.1", port)
    url = listening.url_of(sock)
    listening.heed_interrupts()
    live = _is_wide_terminal()
    lines = Lines(None if verbose else ROWS)
    board = Scoreboard(silent if live else lines.show)
    injector.journal.follow(board.saw)
    server = listening.wsgi_server(wrap(ObjectStore("cos"), injector), sock)
    server.start()
    workload = Workload(sdk, server.port, calls, board)
    injector.disable()
    workload.prepare()
    injector.enable()

    click.echo(f"cos-python-sdk-v5 {version('cos-python-sdk-v5')} against the embedded object store on {url}")
    click.echo(
        f"{calls} calls, {100 * probability:.0f} % documented errors of Tencent COS, seed {injector.seed}\n"
    )
    try:
        if not live:
            click.echo(_line(COLUMNS))
        workload.start()
        if live:
            _watch(workload, board, None if verbose else ROWS)
        while not workload.over and lines.error is None:
            time.sleep(0.05)
    finally:
        board.close()
        server.stop()
    if lines.error is not None:
        raise lines.error  # pragma: no cover - a closed pipe, in a process of its own
    if not verbose and board.rows > ROWS:
        click.echo(f"({board.rows - ROWS} more attempts: -v shows all)")
    click.echo()
    judgement = _judgement(injector, board, ignore=() if verbose else ELSEWHERE)
    if verbose:
        for line in layout.aligned(board.summary()):
            click.echo(line)
        click.echo()
    verdict.write(_headline(judgement, board), judgement)
    if verbose:
        verdict.show(judgement, verbose=True)
    else:
        verdict.write(_problems(judgement), judgement)
    program = own_command()
    click.echo(f"\nNext, every check:  {program} {NEXT}")
    click.echo(f"The same again:     {program} {arguments_of(context, injector.seed)}")
    return 0


def lost_calls(probability: float) -> list[Any]:
    """The rule under which a few calls fail on every attempt; none where no errors are wanted."""
    from faultinject.cli.workload import key_of
    from faultinject.rules.rule import Rule

    return [Rule("cos:ServiceUnavailable", key=[*map(key_of, LOST)])] if probability else []


def _headline(judgement: Judgement, board: Scoreboard) -> Iterator[Paragraph]:
    """The result in one sentence, and whose fault it is."""
    from faultinject.audit.findings import FAIL, INCONCLUSIVE
    from faultinject.audit.reports.content import merged
    from faultinject.audit.reports.sentences import counted
    from faultinject.audit.reports.text import EMPTY, QUIET, RESULT, Paragraph

    findings = merged(judgement.findings)
    failed = [each.check for each in findings if each.verdict == FAIL]
    unknown = sum(each.verdict == INCONCLUSIVE for each in findings)
    undecided = f", {counted(unknown, 'check')} not decided" if unknown else ""
    problems = f"{counted(len(failed), 'problem') if failed else 'no problem'} found{undecided}"
    if judgement.conclusion.result == "undecided":
        problems = "nothing could be judged"
    yield Paragraph(f"{board.headline(jitter='jitter' not in failed)}: {problems}", RESULT)
    if any(each.wrong for each in findings):
        whose = "The errors were injected on purpose: each ✕ is a problem of the SDK, not of the store or of your machine."
        yield Paragraph(whose, QUIET)
    yield EMPTY


def _problems(judgement: Judgement) -> Iterator[Paragraph]:
    """What is wrong with the SDK, and what passed, without the calls that show it."""
    from faultinject.audit.findings import INCONCLUSIVE, PASS, SIGNS
    from faultinject.audit.reports import sentences
    from faultinject.audit.reports.content import content
    from faultinject.audit.reports.text import INDENT, Paragraph, problem

    for each in content(judgement).wrong:
        yield from problem(each, calls=False)
    for verdict, word in ((PASS, "passed"), (INCONCLUSIVE, "not decided")):
        if names := sentences.names(judgement.findings, verdict):
            yield Paragraph(f"{SIGNS[verdict]} {word}: {names}", verdict, "", INDENT)


def _judgement(injector: Injector, board: Scoreboard, *, ignore: Collection[str]) -> Judgement:
    """What the audit says of the SDK."""
    from faultinject.audit.judging import judge
    from faultinject.journal.reading import of_outcomes

    return judge(
        of_outcomes(injector.journal.outcomes),
        driven=True,
        told=board.windows(),
        until=time.monotonic(),
        ignore=ignore,
    )


def arguments_of(context: click.Context, seed: str) -> str:
    """The arguments that give the same run again: the seed, and every option that is not its default."""
    words = ["demo", "--seed", seed]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if isinstance(value, bool):
            words += [option.opts[-1]] if value else []
        elif option.name != "seed" and value != option.default:
            words += [option.opts[0], str(value)]
    return shlex.join(words)


def demo_rules(probability: float) -> list[Any]:
    """Rules that together answer that share of all attempts, of those that write and of those that read."""
    from faultinject.rules.rule import Rule

    rules = []
    for methods, shares in SHARES:
        left = 1.0
        for fault, share in shares:
            chance = min(1.0, probability * share / left) if left > 0 else 0.0
            left -= probability * share
            rules.append(Rule(fault, method=methods, probability=round(chance, 6)))
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

    Args:
        most: how many are written; None: all.

    Attributes:
        error: why standard output took no more lines, for the program's own thread to raise; else None.
    """

    def __init__(self, most: int | None = None) -> None:
        self.error: OSError | None = None
        self._left = most
        self._lock = Lock()

    def show(self, attempt: Attempt) -> None:
        """Write an attempt."""
        with self._lock:
            if self.error is not None or self._left == 0:
                return
            if self._left is not None:
                self._left -= 1
            try:
                click.echo(_line(attempt.cells()))
            except (
                OSError
            ) as error:  # pragma: no cover - a closed pipe, in a process of its own, if its reader is quick
                self.error = error


def _line(cells: tuple[str, ...]) -> str:
    widths = (7, 12, 7, 22, 0)
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _watch(workload: Workload, board: Scoreboard, most: int | None) -> None:
    """Show the newest attempts and the numbers until the calls are done."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, refresh_per_second=10, screen=False) as live:
        while not workload.over:
            live.update(_picture(board, console.height, most))
            time.sleep(0.1)
        live.update(_picture(board, console.height, most))


def _picture(board: Scoreboard, height: int, most: int | None) -> Any:
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
    for attempt in board.latest(min(max(4, height - 12), most or height)):
        style = {"gave": "red", "reco": "green"}.get(attempt.verdict[:4], "")
        *cells, verdict = attempt.cells()
        table.add_row(*map(Text, cells), Text(verdict, style=style))
    return table
