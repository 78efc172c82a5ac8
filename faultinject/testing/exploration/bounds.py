"""How far an exploration goes, what it leaves out, and what the code under test may give up with."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from faultinject.exceptions import ConfigurationError

Allowed = type[BaseException] | tuple[type[BaseException], ...]


MAX_RUNS = 500
"""Runs with faults that are made at most, where nobody says otherwise."""


@dataclass
class Bounds:
    """The numbers of an exploration.

    Args:
        depth: 2: also a second fault in the code's reaction to the first.
        max_runs: runs with faults at most.
        allow: exceptions with which the code may give up.
        ignore: what is not judged: checks, such as `non-idempotent retry`, and objects of a store, such as `/bucket/*.log`.
        exhaustive: whether what is left out by default is tried as well, as far as it can be.
        without: faults that are not injected, though a standard set or a group has them, such as `s3:SlowDown`.
        again: whether a test that has raised an error is run again in its run, without faults, as a scheduler does.
        crash: whether a program is killed at each request and run again; faults come in its second run.
        replay: the text of the only scenario to run; empty: all of them.
        within: seconds that a run of a program may take; None: many times what one without faults takes.

    Raises:
        ConfigurationError: one of them cannot be meant.
    """

    depth: int = 1
    max_runs: int = MAX_RUNS
    allow: Allowed = ()
    ignore: str | Collection[str] = ()
    exhaustive: bool = False
    without: str | Collection[str] = ()
    again: bool = False
    crash: bool = False
    replay: str = ""
    within: float | None = None

    def __post_init__(self) -> None:
        if self.depth not in (1, 2) or isinstance(self.depth, bool):
            raise ConfigurationError(f"depth is 1 or 2, not {self.depth!r}")
        whole(self.max_runs, "max_runs")
        for name in ("exhaustive", "again", "crash"):
            if not isinstance(given := getattr(self, name), bool):
                raise ConfigurationError(f"{name} is True or False, not {given!r}")
        if not isinstance(self.replay, str):
            raise ConfigurationError(f"replay is the text of a scenario, not {self.replay!r}")
        if self.within is not None and (
            isinstance(self.within, bool)
            or not isinstance(self.within, int | float)
            or not 0 < self.within < math.inf
        ):
            raise ConfigurationError(f"within is a number of seconds above 0, not {self.within!r}")
        self.ignore = (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
        self.without = (self.without,) if isinstance(self.without, str) else tuple(self.without)
        self.allow = self.allow if isinstance(self.allow, tuple) else (self.allow,)
        for each in self.allow:
            if not isinstance(each, type) or not issubclass(each, BaseException):
                raise ConfigurationError(f"allow takes types of exceptions, not {each!r}")

    def allows(self, error: BaseException) -> bool:
        """Whether the code may give up with it; with a group, when it may do so with all that is in it."""
        if isinstance(error, BaseExceptionGroup) and not isinstance(error, self.allow):
            return all(map(self.allows, error.exceptions))
        return isinstance(error, self.allow)


def whole(number: object, name: str) -> int:
    """A whole number from 1 on.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigurationError(f"{name} is a whole number from 1 on, not {number!r}")
    return number


NAMED = 3
"""How many things that are left out for one reason a single line names."""


@dataclass(frozen=True)
class LeftOut:
    """Something that is not tried.

    Args:
        what: a fault, a request, or both.
        why: the reason.
        back: what the argument `exhaustive` does about it; empty where no argument brings it back.
        head: what a line about it begins with.
    """

    what: str
    why: str
    back: str = ""
    head: str = "left out"

    def reason(self, exhaustive: str) -> str:
        """Why, and what brings it back: the argument, as the reader writes it."""
        return f"{self.why}; {exhaustive} {self.back}" if self.back else self.why

    def said(self, exhaustive: str) -> str:
        """All of it."""
        return f"{self.what} ({self.reason(exhaustive)})"


def in_one_line(all_of_it: Iterable[LeftOut], exhaustive: str) -> str:
    """All of it, with each reason once."""
    alike: dict[str, list[str]] = {}
    for each in all_of_it:
        alike.setdefault(each.reason(exhaustive), []).append(each.what)
    return "; ".join(
        f"{', '.join(things[:NAMED])}{f' and {len(things) - NAMED} more' if things[NAMED:] else ''} ({reason})"
        for reason, things in alike.items()
    )
