"""What a failing test shows: a line for each request, and the command that runs it again with the same faults."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from faultinject.engine.shown import quoted
from faultinject.journal.outcome import Outcome
from faultinject.testing.inject import Faults

SHOWN = 20
"""Requests shown at the beginning, and again at the end."""
LONGEST = 100
"""Characters of a request that are shown."""
Row = tuple[str, str, str, str, str]


def record(faults: Faults) -> str:
    """The rules, the seed and a table of the requests seen; text from requests is escaped."""
    outcomes = faults.outcomes
    head = [f"seed {quoted(faults.seed)}"]
    head += [
        f"{name}: {quoted(str(rule))}"
        for name, rule in zip(faults.injector.counts(), faults.rules, strict=True)
    ]
    head.append(
        f"{faults.injected} of {len(outcomes)} requests got a fault" if outcomes else "no request was seen"
    )
    head += [f"error inside faultinject: {quoted(repr(each))}" for each in faults.injector.errors]
    return "\n".join([*head, *_table(list(_rows(outcomes)))])


def replay(item: pytest.Item, session_seed: str) -> str:
    """The command line that runs this test with the same faults."""
    config = item.config
    here = config.invocation_params.dir
    path, _, rest = item.nodeid.partition("::")
    node = f"{_relative(config.rootpath / path, here)}::{rest}"
    node = node.replace("'", "'\"'\"'")  # in quotes in any case: it may be edited
    command = f"pytest '{node}' --faultinject-seed={shlex.quote(session_seed)}"
    if config.inipath is None or config.getoption("rootdir"):
        # Without an ini file the node id, which the seed is made of, depends on what is asked for.
        command += f" --rootdir={shlex.quote(_relative(config.rootpath, here))}"
    return f"replay: {command}"


def _relative(path: Path, to: Path) -> str:
    return os.path.relpath(path, to).replace(os.sep, "/")


def _rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for number, each in enumerate(outcomes, 1):
        if len(outcomes) > 2 * SHOWN and SHOWN < number <= len(outcomes) - SHOWN:
            if number == SHOWN + 1:
                yield "", "", f"… {len(outcomes) - 2 * SHOWN} more …", "", ""
            continue
        yield (
            str(number),
            f"+{each.arrived - outcomes[0].arrived:.3f}s",
            request_line(each),
            "-" if each.status is None else str(each.status),
            f"{each.rule}: {each.fault}{_besides(each, 'answered')}"
            if each.injected
            else f"app{_besides(each, 'passed')}",
        )


def _besides(outcome: Outcome, usual: str) -> str:
    return "" if outcome.did == usual else f" ({outcome.did})"


def request_line(outcome: Outcome) -> str:
    """Method and target of a request, escaped, cut in the middle where it is long."""
    line = quoted(f"{outcome.method} {outcome.path}{'?' if outcome.query else ''}{outcome.query}")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 20]}…{line[-19:]}"


def _table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    rows = [("", "arrived", "request", "status", "answered by"), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at == 0 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
