"""The loop form: `for run in explore(...): with run: ...`, in one process, under pytest or anywhere."""

from __future__ import annotations

from faultinject.rules.scenario import Scenario
from faultinject.testing.exploration.bounds import Bounds
from faultinject.testing.inject import Faults
from faultinject.testing.runs import Exploration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from faultinject.journal.outcome import Outcome
    from faultinject.rules.rule import Rule
    from faultinject.testing.exploration.bounds import Allowed


def explore(
    *faults: str | Rule,
    depth: int = 1,
    max_runs: int = 500,
    allow: Allowed = (),
    ignore: str | Collection[str] = (),
    exhaustive: bool = False,
    without: str | Collection[str] = (),
    crash: bool = False,
    replay: str = "",
    within: float | None = None,
) -> Exploration:
    """Run code twice without faults, and then once for every request that it makes and every fault.

    Args:
        faults: rules, whose conditions say where; a vendor id stands for its standard set, a group for each member.
        depth: 2: also a second fault in the code's reaction to the first.
        max_runs: the maximum number of runs with faults; needing more is an error.
        allow: exceptions with which the code may give up; such a run has not failed.
        ignore: what is not judged: checks of the requests (`same bytes`, `error in 200`, `non-idempotent retry`,
            `lost answer`, `uploads left open`, `mixed versions`) and of the store (`object lost`, `half written` and so on); and patterns of
            objects, such as `/bucket/*.log`.
        exhaustive: whether to try also the cases that are left out by default, which the report names.
        without: faults of a standard set or a group that are not injected, such as `s3:SlowDown` or `hang`.
        crash: the program that `faults.run()` runs is killed at each request and run again, where the faults come.
        replay: the text of the only scenario to run, as a report prints it.
        within: seconds that a run of the program of `faults.run()` may take; by default ten times the time without
            faults, and 5 min, with `crash` 30 s.

    Raises:
        ConfigurationError: a rule is wrong, or has a trigger that says when it fires.

    >>> for run in explore("cos:SlowDown", "reset,when=after"):  # doctest: +SKIP
    ...     with run:
    ...         upload(client)
    """
    bounds = Bounds(
        depth, max_runs, allow, ignore, exhaustive, without, crash=crash, replay=replay, within=within
    )
    return Exploration(faults, bounds)


def record(code: Callable[[], object]) -> list[Outcome]:
    """The requests of one run without faults, for `strategies.scenarios`."""
    with Faults(Scenario([])) as faults:
        code()
    return faults.outcomes
