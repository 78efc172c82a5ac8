"""Counts that processes share: a take of `file:` against one of `memory:`."""

from tempfile import TemporaryDirectory
from typing import Any

from measure import Block, Goal, Row, side_by_side

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.store import Take, open_store

_SCOPES = {"": "a rule's", "PUT /bucket/key": "a scope's"}


def run() -> list[Row]:
    with TemporaryDirectory() as place:
        store = open_store(f"file:{place}/store")
        store.begin({"scenario": "{}", "seed": "1", "next_place": 2}, chosen=False)
        return [
            row
            for scope, told in _SCOPES.items()
            for row in _compared(MemoryCounts(), store.counts()[2], scope, told)
        ]


def _compared(memory: Any, file: Any, scope: str, told: str) -> list[Row]:
    free, spent = Take(0, scope, 1 << 60), Take(1, scope, 0)
    for counts in (memory, file):
        counts.match([(rule, scope, "PUT /bucket/key", None) for rule in (0, 1)], 0.0)
        counts.take(spent)
    sample = side_by_side({"memory": _takes(memory, free), "file": _takes(file, free)})
    again = side_by_side({"memory": _takes(memory, spent), "file": _takes(file, spent)})
    return [
        sample.added_row("file", f"shared take, {told}", "`memory:`", Goal("≤", 15.0, "µs")),
        again.added_row("file", f"shared take, {told} that is spent", "`memory:`", Goal("≤", 1.0, "µs")),
    ]


def _takes(counts: Any, ask: Any) -> Block:
    def run(count: int) -> None:
        take = counts.take
        for _ in range(count):
            take(ask)

    return run
