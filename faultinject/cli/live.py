"""A report that follows growing journals until Ctrl-C: a table in place on a terminal, else a line a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from faultinject.audit.findings import INCONCLUSIVE, SIGNS
from faultinject.cli import verdict
from faultinject.exceptions import ReportError

if TYPE_CHECKING:
    from faultinject.audit.judge import Judgement

EVERY = 0.5
"""Seconds between two looks at least."""
SHARE = 4
"""How many times as long as a look took it rests, because each reads the whole journal again."""


def follow(
    journals: Sequence[str],
    look: Callable[[], Judgement],
    *,
    verbose: bool = False,
    rest: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Look at journals again and again; at Ctrl-C the whole report is written, and the interrupt goes on.

    Args:
        journals: the files; they need not be there yet.
        look: judges them as they are now.
        verbose: whether the whole report says of each check that is not decided what it needs.
        rest: waits so many seconds.
    """
    from faultinject.cli import listening

    listening.heed_interrupts()
    judgement = None
    seen: object = None
    screen, update = _screen() if verdict.draws() else (nullcontext(), Lines().tell)
    try:
        with screen:
            while True:
                began = time.monotonic()
                now = _sizes(journals)
                if now != seen or (judgement is not None and judgement.left_out):
                    seen = now
                    try:
                        judgement = look()
                    except ReportError as error:
                        update(str(error))
                    else:
                        update(judgement)
                rest(max(EVERY, SHARE * (time.monotonic() - began)))
    except KeyboardInterrupt:
        if judgement is not None:
            verdict.show(judgement, verbose=verbose)
        raise


class Lines:
    """What changes from one judgement to the next, a line each."""

    def __init__(self) -> None:
        self._said = ""
        self._verdicts: dict[str, str] = {}

    def tell(self, news: Judgement | str) -> None:
        """Write what is new: a verdict that was another before, or why there is none yet."""
        from faultinject.audit.reports import sentences

        if isinstance(news, str):
            if news != self._said:
                click.echo(f"waiting: {news}")
            self._said = news
            return
        for each in news.findings:
            subject = sentences.subject_of(each)
            if self._verdicts.get(subject, INCONCLUSIVE) != each.verdict:
                click.echo(f"{SIGNS[each.verdict]} {each.verdict}  {subject}: {sentences.measured(each)}")
            self._verdicts[subject] = each.verdict


def _screen() -> tuple[AbstractContextManager[Any], Callable[[Judgement | str], None]]:
    """The live table, and what puts a judgement on it."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    live = Live(auto_refresh=False, transient=True)

    def update(news: Judgement | str) -> None:
        shown = Text(f"waiting: {news}") if isinstance(news, str) else Group(*verdict.picture(news))
        live.update(shown, refresh=True)

    return live, update


def _sizes(journals: Sequence[str]) -> list[int | None]:
    return [path.stat().st_size if path.exists() else None for path in map(Path, journals)]
