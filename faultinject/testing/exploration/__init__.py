"""A fault at every request that the code under test makes, one run each, instead of a percentage.

The engine has no I/O: `choices` says what is injected, `points` where, `sweep` in which order, `strategies` what came of
a run, `report` says it. `faultinject.testing.runs` (`Exploration`) drives it in one process; the pytest plugin and the command line do so in their own way.
"""

from __future__ import annotations

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    Program="programs",
    ProgramFailed="programs",
    RunAway="causes",
    RunResult="causes",
    StoreComparison="store_comparison",
    Sweep="sweep",
    choices_of="choices",
    ended_by="programs",
    groups="report",
    rows="report",
)
