"""How far an exploration goes, what it leaves out, and what the code under test may give up with."""

from __future__ import annotations

import math

from faultinject.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from faultinject.testing.exploration.wording import Wording
    from faultinject.vendors.vendor import Vendor

    Allowed = type[BaseException] | tuple[type[BaseException], ...]


MAX_RUNS = 500
"""Runs with faults that are made at most, where nobody says otherwise."""


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

    Raises:
        ConfigurationError: one of them cannot be meant.
    """

    def __init__(
        self,
        depth: int = 1,
        max_runs: int = MAX_RUNS,
        allow: Allowed = (),
        ignore: str | Collection[str] = (),
        exhaustive: bool = False,
        without: str | Collection[str] = (),
        again: bool = False,
    ) -> None:
        if depth not in (1, 2) or isinstance(depth, bool):
            raise ConfigurationError(f"depth is 1 or 2, not {depth!r}")
        self.depth = depth
        self.max_runs = whole(max_runs, "max_runs")
        self.ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        self.without = (without,) if isinstance(without, str) else tuple(without)
        if not isinstance(exhaustive, bool):
            raise ConfigurationError(f"exhaustive is True or False, not {exhaustive!r}")
        self.exhaustive = exhaustive
        if not isinstance(again, bool):
            raise ConfigurationError(f"again is True or False, not {again!r}")
        self.again = again
        self.allow = allow if isinstance(allow, tuple) else (allow,)
        for each in self.allow:
            if not isinstance(each, type) or not issubclass(each, BaseException):
                raise ConfigurationError(f"allow takes types of exceptions, not {each!r}")

    def allows(self, error: BaseException) -> bool:
        """Whether the code may give up with it; with a group, when it may do so with all that is in it."""
        if isinstance(error, BaseExceptionGroup) and not isinstance(error, self.allow):
            return all(map(self.allows, error.exceptions))
        return isinstance(error, self.allow)


class Crashing:
    """How a program is killed and run again.

    Args:
        vendor: whose way of reading requests is taken where no fault says it; None: plain HTTP.
        only: the text of the only scenario to run; empty: all of them.
        within: seconds that a run may take; None: many times what one without a crash takes.

    Raises:
        ConfigurationError: a run cannot take so long.
    """

    def __init__(self, vendor: Vendor | None = None, *, only: str = "", within: float | None = None) -> None:
        self.vendor = vendor
        self.only = only
        self.within = seconds_above_0(within)


def crashing_of(crash: object = False, replay: object = "", within: float | None = None) -> Crashing | None:
    """What the keywords of a marker or of `explore` say of crashes; None: there are none.

    Raises:
        ConfigurationError: one of them cannot be meant.
    """
    if not isinstance(crash, bool):
        raise ConfigurationError(f"crash is True or False, not {crash!r}")
    if not isinstance(replay, str):
        raise ConfigurationError(f"replay is the text of a scenario, not {replay!r}")
    if not crash and (replay or within is not None):
        raise ConfigurationError(f"{'replay' if replay else 'within'} needs crash=True")
    return Crashing(only=replay, within=within) if crash else None


def seconds_above_0(within: float | None) -> float | None:
    """How long a run of a program may take, or None.

    Raises:
        ConfigurationError: no run can take so long.
    """
    if within is not None and (
        isinstance(within, bool) or not isinstance(within, int | float) or not 0 < within < math.inf
    ):
        raise ConfigurationError(f"within is a number of seconds above 0, not {within!r}")
    return within


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


class LeftOut:
    """Something that is not tried.

    Args:
        what: a fault, a request, or both.
        why: the reason.
        back: what the argument `exhaustive` does about it; empty where no argument brings it back.
        head: what a line about it begins with.
    """

    def __init__(self, what: str, why: str, back: str = "", *, head: str = "left out") -> None:
        self.what = what
        self.why = why
        self.back = back
        self.head = head

    def reason(self, wording: Wording) -> str:
        """Why, and what brings it back."""
        return f"{self.why}; {wording.exhaustive} {self.back}" if self.back else self.why

    def said(self, wording: Wording) -> str:
        """All of it."""
        return f"{self.what} ({self.reason(wording)})"


def in_one_line(all_of_it: Iterable[LeftOut], wording: Wording) -> str:
    """All of it, with each reason once."""
    return "; ".join(_parts(all_of_it, wording))


def _parts(all_of_it: Iterable[LeftOut], wording: Wording) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for each in all_of_it:
        alike.setdefault(each.reason(wording), []).append(each.what)
    for reason, things in alike.items():
        more = f" and {len(things) - NAMED} more" if things[NAMED:] else ""
        yield f"{', '.join(things[:NAMED])}{more} ({reason})"
