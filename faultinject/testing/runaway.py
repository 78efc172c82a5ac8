"""A client that makes requests without end is stopped."""

from __future__ import annotations

from faultinject.rules.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.injector.injector import Injector


class RunAway(BaseException):
    """The code under test makes requests without end; no `except Exception` of a client may hide it."""


class Watch:
    """Ends a run that makes requests without end: first with answers that nobody retries, then for good."""

    def __init__(self, injector: Injector, limit: int, end: Callable[[str], None] | None) -> None:
        self._injector = injector
        self._limit = limit
        self._end = end or _raise
        self._over = False

    def __call__(self, number: int) -> None:
        """Look at how many requests there are."""
        if number > 2 * self._limit:
            self._end(f"more than {2 * self._limit} requests in one run")
        elif number > self._limit and not self._over:
            self._over = True
            self._injector.use(Scenario('http:410,message="too many requests in one run",name=run-away'))


def _raise(why: str) -> None:
    raise RunAway(why)
