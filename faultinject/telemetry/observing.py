"""Reports an injector's actions to an observer, on the request's own thread or task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from faultinject.engine.entry import NOT_INJECTED, Entry
from faultinject.engine.services import Services
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import get_injector

_observed: WeakKeyDictionary[Injector, list[object]] = WeakKeyDictionary()


def no_concern(*_: Any) -> None:
    """Do nothing about an action that an observer need not know."""


def observe(
    injector: Injector | None,
    kind: object,
    noted: Callable[[Entry], None],
    failed: Callable[[], None] = no_concern,
    under_way: Callable[[Services], None] = no_concern,
) -> Services | None:
    """Report an injector's actions to an observer from now on.

    An error of the observer concerns no request. Until somebody asks, nothing of this is on a request's path.

    Args:
        injector: the injector; None: the one that apps with the environment's rules share, if faults are switched on.
        kind: of which one injector has one observer.
        noted: called when a line goes into the journal.
        failed: called when a request passed because of an error inside faultinject, or of the store.
        under_way: called when another number of faults is under way in this process, or there was no place for one
            more.

    Returns:
        The services of the injector's plans; None where there is no injector, or one of that kind observes already.
    """
    observed = get_injector() if injector is None else injector
    if observed is None or kind in _observed.setdefault(observed, []):
        return None
    _observed[observed].append(kind)
    services = observed.own_plan.services
    journal, fail, finish = services.journal, services.failed, services.finish

    def with_line(line: Entry) -> None:
        try:
            noted(line)
            if line.fault is not None:
                under_way(services)
        except Exception as error:
            fail(error, "")
        journal(line)

    def with_failure(error: Exception, rule: str) -> None:
        fail(error, rule)
        failed()

    def with_end() -> None:
        finish()
        try:
            under_way(services)
        except Exception as error:
            fail(error, "")

    services.journal, services.failed, services.finish = with_line, with_failure, with_end
    return services


def is_injected(line: Entry) -> bool:
    """Whether a fault was given, and is over."""
    return line.fault is not None and line.last and line.did not in NOT_INJECTED
