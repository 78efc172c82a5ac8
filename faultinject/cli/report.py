"""`faultinject report`: a verdict on the clients' reactions to faults."""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedReader
from itertools import chain
from math import ceil
from pathlib import Path
from typing import cast

import click

from faultinject.audit.conclusion import check_names
from faultinject.audit.judging import Judgement, judge, judge_run
from faultinject.audit.matching import client_of, title_of
from faultinject.audit.reports import format_of, render
from faultinject.cli import verdict
from faultinject.cli.layout import readers_may_leave
from faultinject.cli.progress import Progress
from faultinject.counts.processes import has_ended
from faultinject.exceptions import ConfigurationError
from faultinject.journal.attempts import Attempt
from faultinject.journal.driven_run import run_of
from faultinject.journal.named_calls import read_named_calls
from faultinject.journal.reading import Writers, read
from faultinject.journal.sources import MOST_BEFORE_FIRST, may_be_journal, noted_lines
from faultinject.rules.files import open_to_write

LONGEST = 10.0
"""The longest wait in seconds, in all and after the last line of a journal."""
MARGIN = 0.02
"""Seconds to wait after the latest end of a call, when it is certainly over."""
EVERY = 0.25
"""The shortest time between two readings of the files, in seconds."""
SHARE = 4
"""The pause between two readings, as a multiple of the duration of a reading."""
FOR_EVER = float("inf")


class Journals:
    """The journals of a report; each call of `judge` reads and judges them again.

    Args:
        paths: files, or `-` for the standard input.
        profile: the promises of the client.
        ignore: checks that do not count.
        require: checks that must be decided.
        clients: parts of the user agents of the clients that are judged, in any case; empty: all clients.
        standard: a copy of the standard input, if it is a journal.
        clock: returns unix seconds.
        monotonic: returns seconds of a monotonic clock.

    Attributes:
        awaited: the number of calls that may still have been running at the last judgement.
        over: the time by which all of these must be over, in seconds of `monotonic`; at most `LONGEST` after the last
            line.
    """

    def __init__(
        self,
        paths: Sequence[str],
        profile: str | None = None,
        ignore: Collection[str] = (),
        require: Collection[str] = (),
        *,
        clients: Collection[str] = (),
        standard: BufferedReader | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.awaited = 0
        self.over = -FOR_EVER
        self._paths = paths
        self._profile = profile
        self._ignore = ignore
        self._require = require
        self._clients = [client.lower() for client in clients]
        self._standard = standard
        self._clock = clock
        self._monotonic = monotonic
        self._writers: Writers | None = None
        # The time of the last line in unix seconds, and the time of its first reading by `monotonic`.
        self._latest = self._since = FOR_EVER

    def judge(self, *, finished: bool = False) -> Judgement:
        """Judge the present content of the journals.

        Args:
            finished: whether the client is done, so that every call is over.

        Raises:
            ReportError: there is nothing to read, or it is no journal.
            ConfigurationError: there is no such profile or check.
        """
        skipped: dict[str, int] = {}
        self._writers = Writers()
        noted = noted_lines(self._paths, self._standard)
        run = run_of(noted) if len(self._paths) == 1 else None
        if run is not None:
            # A run of `conformance` was made on one machine, and all of its calls are over.
            self.awaited = 0
            return judge_run(
                self._chosen(read(self._paths, skipped=skipped, one_machine=True, standard=self._standard)),
                run,
                profile=self._profile,
                ignore=self._ignore,
                require=self._require,
                skipped=skipped,
            )
        named_calls = read_named_calls(noted)
        attempts_read = read(
            self._paths,
            skipped=skipped,
            # A test run was made on one machine, even if its tests have set the clock.
            one_machine=bool(named_calls),
            writers=self._writers,
            standard=self._standard,
        )
        attempts, base = with_clock_offset(self._chosen(attempts_read))
        now, last = self._clock() - base, self._latest - base
        if last < FOR_EVER:
            # If another machine's clock is ahead, only the monotonic clock shows how old the last line is.
            now = max(now, last + self._monotonic() - self._since)
        judgement = judge(
            attempts,
            profile=self._profile,
            until=FOR_EVER if finished else now,
            ignore=self._ignore,
            require=self._require,
            windows=named_calls,
            skipped=skipped,
        )
        self._look_ahead([end - now for end in judgement.awaited if end > now], now + base)
        return judgement

    def _chosen(self, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
        """The requests of the clients of `--client`.

        Raises:
            ConfigurationError: there are requests, but none of such a client.
        """
        seen: set[str] = set()
        any_chosen = False
        for attempt in attempts:
            agent = (attempt.user_agent or "").lower()
            if not self._clients or any(part in agent for part in self._clients):
                any_chosen = True
                yield attempt
            else:
                seen.add(title_of(client_of(attempt.user_agent)))
        if seen and not any_chosen:
            raise ConfigurationError(
                f"--client: no request is of {' or '.join(self._clients)}; there are"
                f" {', '.join(sorted(seen))}"
            )

    @property
    def ended(self) -> bool:
        """Whether all writers have ended, and their parents, which might start others."""
        return (
            self._writers is not None and self._writers.over and not any(map(_lives, self._writers.parents))
        )

    def sizes(self) -> list[int | None]:
        """The sizes of the files, which show whether there are new lines."""
        files = (Path(path) for path in self._paths if path != "-")
        return [file.stat().st_size if file.exists() else None for file in files]

    def _look_ahead(self, seconds_left: Sequence[float], now: float) -> None:
        """Set `awaited` and `over`.

        Args:
            seconds_left: seconds until each call that may still be running must be over.
            now: unix seconds, by the clock of the journal.
        """
        assert self._writers is not None
        if self._latest != self._writers.latest:
            self._latest, self._since = self._writers.latest, self._monotonic()
        quiet = max(0.0, now - self._latest)
        self.awaited = len(seconds_left)
        self.over = self._monotonic() + min(max(seconds_left, default=0.0), LONGEST - quiet) + MARGIN


def judge_when_over(
    journals: Journals,
    *,
    rest: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Judgement:
    """Wait until every call in the journals must be over, and judge them.

    New lines are read during the wait. A call must be over if its client has been quiet for longer than its longest
    wait, if all writers have ended, or if `LONGEST` has passed. Standard error shows the number of calls.

    Args:
        journals: the journals.
        rest: waits for a number of seconds.
        monotonic: the clock of `journals`.

    Raises:
        ReportError: there is nothing to read, or it is no journal.
        ConfigurationError: there is no such profile or check.
    """
    last, due = monotonic() + LONGEST + MARGIN, -FOR_EVER
    sizes: list[int | None] | None = None
    message = ""
    with Progress(lambda: message, clock=monotonic) as progress:
        while True:
            sizes_now = journals.sizes()
            if sizes_now != sizes or monotonic() >= due:
                sizes, judged = sizes_now, monotonic()
                judgement = journals.judge()
                took, due = monotonic() - judged, min(journals.over, last)
            if not journals.awaited or journals.ended or judged >= due:
                break
            seconds_left = due - monotonic()
            if seconds_left > 0:
                first, message = not message, _waiting_message(seconds_left - MARGIN, journals.awaited)
                progress.show()
                if first and not progress.terminal:
                    click.echo(message, err=True)
                rest(min(seconds_left, max(EVERY, SHARE * took)))
    return journals.judge(finished=True) if journals.awaited and journals.ended else judgement


def _waiting_message(seconds: float, calls: int) -> str:
    which = "1 call that may still be running" if calls == 1 else f"{calls:,} calls that may still be running"
    return f"waiting {max(1, ceil(round(seconds, 2)))} s for {which} (--finished does not wait)"


def with_clock_offset(attempts: Iterable[Attempt]) -> tuple[Iterator[Attempt], float]:
    """The attempts, and the unix time of the zero of their monotonic clock; 0 without attempts."""
    coming = iter(attempts)
    first = next(coming, None)
    if first is None:
        return coming, 0.0
    return chain([first], coming), first.time - first.arrived


def _lives(parent: str) -> bool:
    """Whether a process of this machine, or of one of its containers, may start another writer."""
    try:
        return not has_ended(parent)
    except ValueError:
        return False


STANDARD = "-"
"""The name of standard input, and of standard output for -o."""
PIECE = 1 << 20
"""Bytes of the standard input that are copied at a time."""


def report(
    *,
    journals: tuple[str, ...],
    profile: str | None,
    format_: str | None,
    output: str | None,
    ignore: tuple[str, ...],
    require: tuple[str, ...],
    clients: tuple[str, ...],
    strict: bool,
    finished: bool,
    verbose: bool,
) -> int:
    """Judge the journals, and return the exit code."""
    check_names(ignore, require)
    # Almost no object of a report is in a reference cycle, and the search for cycles would take a sixth of the time.
    click.get_current_context().call_on_close(gc.enable if gc.isenabled() else gc.disable)
    gc.disable()
    if output is not None and output != STANDARD:
        refuse_to_overwrite(output, journals)
    chosen = format_ or format_of(output or "")
    with copy_input(journals) as standard:
        read = Journals(journals, profile, ignore, require, clients=clients, standard=standard)
        judgement = read.judge(finished=True) if finished else judge_when_over(read)
    judgement = replace(judgement, strict=strict)
    if output is not None and output != STANDARD:
        written = render(judgement, chosen)
        with open_to_write(output) as file:
            file.write(written)
    else:
        with readers_may_leave():
            if chosen == "text":
                verdict.show(judgement, verbose=verbose)
            else:
                click.echo(render(judgement, chosen).encode(), nl=False)  # UTF-8, whatever the terminal's
    return judgement.conclusion.exit_code


@contextmanager
def copy_input(journals: Iterable[str]) -> Iterator[BufferedReader | None]:
    """Copy the standard input to a file, if it is one of the journals: it is read many times."""
    if STANDARD not in journals or sys.stdin is None:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        has_journal_line = False
        while piece := sys.stdin.buffer.read(PIECE):
            has_journal_line = has_journal_line or may_be_journal(piece)
            file.write(piece)
            if not has_journal_line and file.tell() > MOST_BEFORE_FIRST:
                break  # it is no journal, and may have no end
        yield cast("BufferedReader", file)


def refuse_to_overwrite(output: str, journals: Iterable[str]) -> None:
    """Raise an error if the report would replace one of its journals."""
    target = Path(output)
    sources = [Path(journal) for journal in journals if journal != STANDARD]
    if target.exists() and any(source.exists() and source.samefile(target) for source in sources):
        raise click.UsageError(f"--output: {output} is one of the journals, which the report would replace")
