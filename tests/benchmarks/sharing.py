"""Counts that processes share: a take of `file:` against one of `memory:`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from measure import Block, Goal, Row, side_by_side

from faultinject.counts.directory import StoreDirectory
from faultinject.counts.guarded import Guarded
from faultinject.counts.memory import MemoryCounts
from faultinject.engine.counting import Take

if TYPE_CHECKING:
    from faultinject.engine.counting import Counts

_SCOPES = {"": "a rule's", "PUT /bucket/key": "a scope's"}


def run() -> list[Row]:
    with TemporaryDirectory() as place:
        store = StoreDirectory(str(Path(place, "store")))
        store.publish({}, rules=2)
        shared = store.join()[2]
        assert shared is not None
        return [
            row
            for scope, told in _SCOPES.items()
            for row in _compared(MemoryCounts(), Guarded(shared), scope, told)
        ]


def _compared(memory: Counts, file: Counts, scope: str, told: str) -> list[Row]:
    free, spent = Take(0, scope, 1 << 60), Take(1, scope, 0)
    for counts in (memory, file):
        counts.match([(rule, scope, "PUT /bucket/key", None) for rule in (0, 1)], 0.0)
        counts.take(spent)
    sample = side_by_side({"memory": _takes(memory, free), "file": _takes(file, free)})
    again = side_by_side({"memory": _takes(memory, spent), "file": _takes(file, spent)})
    return [
        sample.ratio("file", f"shared take, {told}", "`memory:`", Goal("≤", 12)),
        again.ratio("file", f"shared take, {told} that is spent", "`memory:`", Goal("≤", 1.5)),
    ]


def _takes(counts: Counts, ask: Take) -> Block:
    def run(count: int) -> None:
        take = counts.take
        for _ in range(count):
            take(ask)

    return run
