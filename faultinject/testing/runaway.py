"""A client that makes requests without end is stopped."""

from __future__ import annotations

from collections.abc import Callable

from faultinject.injector.injector import Injector
from faultinject.rules.scenario import Scenario


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


def is_of_the_code(error: BaseException) -> bool:
    """Whether an error says something of the code under test, and not that all is to end, as Ctrl-C does."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_of_the_code, error.exceptions))
    # pytest.fail() and the like raise what is no Exception, and pytest.exit() one that is.
    of_pytest = [each.__name__ for each in type(error).__mro__ if each.__module__ == "_pytest.outcomes"]
    if of_pytest:
        return "Exit" not in of_pytest
    return isinstance(error, Exception | RunAway)
