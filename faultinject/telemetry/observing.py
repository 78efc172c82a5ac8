"""Reports an injector's actions to an observer, on the request's own thread or task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from faultinject.engine.entry import NOT_INJECTED, Entry
from faultinject.engine.plan import Services
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import get_injector

_observed: WeakKeyDictionary[Injector, list[object]] = WeakKeyDictionary()


def ignore(*_: Any) -> None:
    """Ignore an action that the observer does not count."""


def observe(
    injector: Injector | None,
    kind: object,
    on_line: Callable[[Entry], None],
    on_failure: Callable[[], None] = ignore,
    on_active: Callable[[Services], None] = ignore,
) -> Services | None:
    """Report an injector's actions to an observer from now on.

    An error of the observer does not reach a request. A request of an injector without an observer costs nothing more.

    Args:
        injector: the injector; None: the one shared by all apps whose rules come from the environment, if faults are
            on.
        kind: the kind of the observer; an injector has at most one of each kind.
        on_line: called when a line goes into the journal.
        on_failure: called when a request passed because of an error inside faultinject, or of the store.
        on_active: called when the number of faults under way in this process has changed, or was at its limit.

    Returns:
        The services of the injector's plans; None if there is no injector, or if it already has an observer of that
        kind.
    """
    observed = get_injector() if injector is None else injector
    if observed is None or kind in _observed.setdefault(observed, []):
        return None
    _observed[observed].append(kind)
    services = observed.own_plan.services
    journal, fail, finish = services.journal, services.failed, services.finish

    def with_line(line: Entry) -> None:
        try:
            on_line(line)
            if line.fault is not None:
                on_active(services)
        except Exception as error:
            fail(error, "")
        journal(line)

    def with_failure(error: Exception, rule: str) -> None:
        fail(error, rule)
        on_failure()

    def with_end() -> None:
        finish()
        try:
            on_active(services)
        except Exception as error:
            fail(error, "")

    services.journal, services.failed, services.finish = with_line, with_failure, with_end
    return services


def is_injected(line: Entry) -> bool:
    """Whether a fault was injected, and has ended."""
    return line.fault is not None and line.last and line.did not in NOT_INJECTED
