"""Small pictures that are compared down a column: all clients have the same axes."""

from __future__ import annotations

from typing import NamedTuple

from faultinject.audit.reports.html.scales import Scale, powers
from faultinject.conformance.league.columns import SHOWN, name, waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Client = dict[str, Any]

WIDTH, EDGE, ROW = 190.0, 6.0, 9.0
"""Pixels: of a picture, beside its axis, and of one retry."""
SHORTEST = 0.01
"""Seconds at the left end of the axis; shorter waits stand there."""
TALL = 44.0
"""Pixels of the highest bar of an outage."""
LONGEST = 15.0
"""Seconds of an outage that are drawn."""


class Bar(NamedTuple):
    """A rectangle, pixels, and its look."""

    x: float
    y: float
    width: float
    height: float
    look: str


class Curve(NamedTuple):
    """The waits of one client.

    Attributes:
        height: pixels.
        tip: the same in words.
        rows: of each retry the place, from where to where all, half and the middle of the waits are.
    """

    height: float
    tip: str
    rows: list[tuple[float, tuple[float, float], tuple[float, float], float]]


class Outage(NamedTuple):
    """The requests of one client.

    Attributes:
        tip: the same in words.
        bars: of first attempts and of later ones.
    """

    tip: str
    bars: list[Bar]


class Pictures:
    """Pictures of several clients on common axes.

    Args:
        clients: as results have them.

    Attributes:
        width: pixels across.
        tall: pixels of an outage.
        ticks: where the axis of the waits has a line, pixels, and its name.
        most: requests of the highest bar, of all clients.
        seconds: how long an outage is drawn.
    """

    width, tall = WIDTH, TALL

    def __init__(self, clients: Sequence[Client]) -> None:
        curves = [curve for each in clients for curve in each["numbers"]["backoff"].values()]
        longest = max((each["waits"][-1] for curve in curves for each in curve), default=1.0)
        self._axis = Scale(SHORTEST, max(longest, 1.0) * 1.1, EDGE, WIDTH - EDGE, log=True)
        self.ticks = [(self._axis(each), f"{each:g}") for each in powers(SHORTEST, self._axis.high)]
        budgets = [each["numbers"]["budget"] for each in clients]
        step = max((each["step"] for each in budgets), default=0.1)
        columns = max((len(each["first_attempts"]) for each in budgets), default=0)
        self._columns = max(1, min(columns, int(LONGEST / step)))
        self.seconds = self._columns * step
        self.most = max((max(map(sum, self._pairs(each)), default=0) for each in budgets), default=0)

    def curve(self, client: Client, kind: str) -> Curve:
        """The waits after one kind of failure."""
        axis = self._axis
        rows = []
        for number, each in enumerate(client["numbers"]["backoff"][kind][:SHOWN]):
            all_of_them = axis(each["waits"][0]), axis(each["waits"][-1])
            rows.append(
                (
                    ROW * (number + 0.5),
                    all_of_them,
                    (axis(each["low"]), axis(each["high"])),
                    axis(each["median"]),
                )
            )
        told = waits(client, kind) or "no retry"
        return Curve(ROW * max(1, len(rows)), f"{name(client)}: {told}", rows)  # fmt: skip

    def outage(self, client: Client) -> Outage:
        """First attempts, and above them later ones, in each tenth of a second."""
        budget = client["numbers"]["budget"]
        wide = WIDTH / self._columns
        bars = []
        for column, (first, later) in enumerate(self._pairs(budget)):
            bottom = TALL
            for many, look in ((first, "first"), (later, "again")):
                if many:
                    height = TALL * many / self.most
                    bottom -= height
                    bars.append(Bar(column * wide, bottom, max(wide - 0.4, 0.4), height, look))
        told = f"{budget['requests']} requests of {budget['calls']} calls"
        return Outage(f"{name(client)}: {told}, {budget['retries']} of them retries", bars)

    def _pairs(self, budget: dict[str, Any]) -> list[tuple[int, int]]:
        return list(zip(budget["first_attempts"], budget["later_attempts"], strict=True))[: self._columns]
