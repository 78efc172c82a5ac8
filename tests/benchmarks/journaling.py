"""The cost of a journal file for a request with a fault, and for one that no rule matches."""

import os
import tempfile
from pathlib import Path
from typing import Any

from apps import INTERFACES, PATH, around, rules
from measure import Goal, Row, side_by_side

VARIABLE = "FAULTINJECT_JOURNAL"


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return [row for interface in INTERFACES for row in _compared(interface, Path(folder))]


def _compared(interface: str, folder: Path) -> list[Row]:
    app, _, request, call = INTERFACES[interface]

    def noting(given: Any, name: str) -> Any:
        os.environ[VARIABLE] = str(folder / f"{interface}-{name}.jsonl")
        try:
            return around(app, given)
        finally:
            del os.environ[VARIABLE]

    sample = side_by_side(
        {
            "injected": call(around(app, "cos:SlowDown"), request()),
            "injected, noted": call(noting("cos:SlowDown", "injected"), request()),
            "unmatched": call(around(app, rules(10)), request(path=PATH)),
            "unmatched, noted": call(noting(rules(10), "unmatched"), request(path=PATH)),
        }
    )
    return [
        sample.added_row(
            f"{what}, noted",
            f"{interface}, {what}, journal file",
            "the same without",
            Goal("≤", 15, "µs"),
            what,
        )
        for what in ("injected", "unmatched")
    ]
