"""The bounds of an exploration: its size, its omissions, and the code's permitted errors."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta, ValidationError, convert

from faultinject.exceptions import ConfigurationError

Allowed = type[BaseException] | tuple[type[BaseException], ...]


MAX_RUNS = 500
"""The most runs with faults, unless somebody gives another number."""


@dataclass
class Bounds:
    """The numbers of an exploration.

    Args:
        depth: 2: also a second fault in the code's reaction to the first.
        max_runs: runs with faults at most.
        allow: exceptions with which the code may give up.
        ignore: what is not judged: checks, such as `non-idempotent retry`, and objects of a store, such as
            `/bucket/*.log`.
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
        for name, (kind, said) in ARGUMENTS.items():
            checked(name, getattr(self, name), kind, said)
        self.ignore = (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
        self.without = (self.without,) if isinstance(self.without, str) else tuple(self.without)
        self.allow = self.allow if isinstance(self.allow, tuple) else (self.allow,)
        for each in self.allow:
            if not isinstance(each, type) or not issubclass(each, BaseException):
                raise ConfigurationError(f"allow takes types of exceptions, not {each!r}")

    def allows(self, error: BaseException) -> bool:
        """Whether the code may give up with it; with a group, if it may with all its exceptions."""
        if isinstance(error, BaseExceptionGroup) and not isinstance(error, self.allow):
            return all(map(self.allows, error.exceptions))
        return isinstance(error, self.allow)


WHOLE = Annotated[int, Meta(ge=1)], "a whole number from 1 on"
YES_OR_NO = bool, "True or False"
ARGUMENTS: dict[str, tuple[Any, str]] = {
    "depth": (Literal[1, 2], "1 or 2"),
    "max_runs": WHOLE,
    "exhaustive": YES_OR_NO,
    "again": YES_OR_NO,
    "crash": YES_OR_NO,
    "replay": (str, "the text of a scenario"),
    "within": (
        Annotated[float, Meta(gt=0, le=sys.float_info.max)] | None,
        "a number of seconds above 0",
    ),
}
"""By name of an argument its type for msgspec, and its meaning."""


def checked(name: str, given: object, kind: Any, said: str) -> Any:
    """Convert an argument.

    Raises:
        ConfigurationError: it is of another kind.
    """
    try:
        return convert(given, kind)
    except ValidationError:
        raise ConfigurationError(f"{name} is {said}, not {given!r}") from None


NAMED = 3
"""The most things left out for one reason that a single line names."""


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
        """The reason, and the argument that brings it back, as the reader writes it."""
        return f"{self.why}; {exhaustive} {self.back}" if self.back else self.why

    def said(self, exhaustive: str) -> str:
        """All of it, in words."""
        return f"{self.what} ({self.reason(exhaustive)})"


def in_one_line(all_of_it: Iterable[LeftOut], exhaustive: str) -> str:
    """All that was left out, with each reason once."""
    alike: dict[str, list[str]] = {}
    for left_out in all_of_it:
        alike.setdefault(left_out.reason(exhaustive), []).append(left_out.what)
    return "; ".join(
        f"{', '.join(things[:NAMED])}"
        f"{f' and {len(things) - NAMED} more' if things[NAMED:] else ''} ({reason})"
        for reason, things in alike.items()
    )
