"""What an injector does, told while it does it, on the request's own thread or task."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from faultinject.engine.journal_entry import INJECTED
from faultinject.injector.lookup import get_injector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Services
    from faultinject.injector.injector import Injector

    class Observer(Protocol):
        """What is told."""

        def noted(self, line: Entry) -> None:
            """A line goes into the journal."""

        def failed(self) -> None:
            """A request passed because of an error inside faultinject, or of the store."""

        def under_way(self, services: Services) -> None:
            """Another number of faults is under way in this process, or there was no place for one more."""


_observed: WeakKeyDictionary[Injector, list[object]] = WeakKeyDictionary()


def observe(injector: Injector | None, observer: Observer, kind: object) -> Services | None:
    """Tell an observer what an injector does from now on.

    Until somebody asks, nothing of this is on a request's path.

    Args:
        injector: the injector; None: the one that apps with the environment's rules share, if faults are switched on.
        observer: what is told; an error of it concerns no request.
        kind: of which one injector has one observer.

    Returns:
        What the injector's plans are given; None where there is no injector, or one of that kind is told already.
    """
    found = get_injector() if injector is None else injector
    if found is None or kind in _observed.setdefault(found, []):
        return None
    _observed[found].append(kind)
    services = found.own_plan.services
    _tell(services, observer)
    return services


def is_injected(line: Entry) -> bool:
    """Whether a fault was given, and is over."""
    return line.fault is not None and line.last and line.did in INJECTED


def _tell(services: Services, observer: Observer) -> None:
    journal, failed, finish = services.journal, services.failed, services.finish

    def noted(line: Entry) -> None:
        try:
            observer.noted(line)
            if line.fault is not None:
                observer.under_way(services)
        except Exception as error:
            failed(error, "")
        journal(line)

    def told(error: Exception, rule: str) -> None:
        failed(error, rule)
        observer.failed()

    def finished() -> None:
        finish()
        try:
            observer.under_way(services)
        except Exception as error:
            failed(error, "")

    services.journal, services.failed, services.finish = noted, told, finished
