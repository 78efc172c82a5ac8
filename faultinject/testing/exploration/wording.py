"""How a report spells what its reader is to write: an argument, or what shows a failure again."""

from __future__ import annotations

from faultinject.engine.journal_entry import quoted
from faultinject.testing import unwrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultinject.rules.rule import Rule
    from faultinject.testing.exploration.causes import FinishedRun


def marker(rules: Sequence[Rule]) -> str:
    """A scenario as a marker to paste."""
    import json

    # What JSON escapes, and what is escaped of the rest, is the same in Python.
    texts = (quoted(json.dumps(str(each), ensure_ascii=False)) for each in rules)
    return f"@pytest.mark.faultinject({', '.join(texts)})"


class Wording:
    """The spelling of one way to explore.

    Args:
        replay: from a run to what shows it again; None: a marker.
        exhaustive: the argument by which nothing is left out that can be tried.
        unseen: what to do where no request was seen.
    """

    def __init__(
        self,
        replay: Callable[[FinishedRun], str] | None = None,
        exhaustive: str = "exhaustive=True",
        unseen: Callable[[], str] = unwrapped.advice,
    ) -> None:
        self.replay = replay
        self.exhaustive = exhaustive
        self.unseen = unseen


PYTHON = Wording()
"""Of the marker, the loop and the fixture."""
