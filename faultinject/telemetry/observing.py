"""What an injector does, told while it does it, on the request's own thread or task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from faultinject.engine.plan import Services
from faultinject.engine.request import NOT_INJECTED, Entry
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import get_injector

_observed: WeakKeyDictionary[Injector, list[object]] = WeakKeyDictionary()


def no_concern(*_: Any) -> None:
    """What an observer does about that which it need not know."""


def observe(
    injector: Injector | None,
    kind: object,
    noted: Callable[[Entry], None],
    failed: Callable[[], None] = no_concern,
    under_way: Callable[[Services], None] = no_concern,
) -> Services | None:
    """Tell an observer what an injector does from now on; an error of it concerns no request.

    Until somebody asks, nothing of this is on a request's path.

    Args:
        injector: the injector; None: the one that apps with the environment's rules share, if faults are switched on.
        kind: of which one injector has one observer.
        noted: a line goes into the journal.
        failed: a request passed because of an error inside faultinject, or of the store.
        under_way: another number of faults is under way in this process, or there was no place for one more.

    Returns:
        What the injector's plans are given; None where there is no injector, or one of that kind is told already.
    """
    found = get_injector() if injector is None else injector
    if found is None or kind in _observed.setdefault(found, []):
        return None
    _observed[found].append(kind)
    services = found.own_plan.services
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
