"""The bounds of an exploration: its size, its omissions, and the allowed errors."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta, ValidationError, convert

from faultinject.exceptions import ConfigurationError

Allowed = type[BaseException] | tuple[type[BaseException], ...]


MAX_RUNS = 500
"""The default of the maximum number of runs with faults."""


@dataclass
class Bounds:
    """The bounds of an exploration.

    Args:
        depth: with 2, a second fault also comes in the code's reaction to the first one.
        max_runs: the maximum number of runs with faults.
        allow: exceptions with which the code may give up.
        ignore: checks that do not count, such as `non-idempotent retry`, and objects of a store that are not
            compared, such as `/bucket/*.log`.
        exhaustive: whether the cases that are left out by default are tried, too.
        without: faults of a standard set or a group that are not injected, such as `s3:SlowDown`.
        again: whether a test that has raised an error is run again in the same run, without faults, as a scheduler
            does.
        crash: whether a program is killed at each request and run again; faults come in its second run.
        replay: the text of the only scenario to run; empty: all scenarios.
        within: seconds that a run of a program may take; None: many times the time without faults.

    Raises:
        ConfigurationError: one of them is wrong.
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
        for name, (kind, meaning) in ARGUMENTS.items():
            convert_argument(name, getattr(self, name), kind, meaning)
        self.ignore = (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
        self.without = (self.without,) if isinstance(self.without, str) else tuple(self.without)
        self.allow = self.allow if isinstance(self.allow, tuple) else (self.allow,)
        for kind in self.allow:
            if not isinstance(kind, type) or not issubclass(kind, BaseException):
                raise ConfigurationError(f"allow takes types of exceptions, not {kind!r}")

    def allows(self, error: BaseException) -> bool:
        """Whether the code may give up with an error; of a group, every error in it must be allowed."""
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
"""The type for msgspec, and the meaning, of each argument."""


def convert_argument(name: str, value: object, kind: Any, meaning: str) -> Any:
    """Convert an argument.

    Raises:
        ConfigurationError: it has another type.
    """
    try:
        return convert(value, kind)
    except ValidationError:
        raise ConfigurationError(f"{name} is {meaning}, not {value!r}") from None


NAMED = 3
"""The maximum number of omissions for one reason that a line names."""


@dataclass(frozen=True)
class LeftOut:
    """An omission: something that is not tried, or not judged.

    Args:
        subject: a fault, a request, or both.
        why: the reason.
        if_exhaustive: the effect of the argument `exhaustive` on the omission, such as `tries it`; empty: no effect.
        head: the first words of a line about the omission.
    """

    subject: str
    why: str
    if_exhaustive: str = ""
    head: str = "left out"

    def reason(self, exhaustive: str) -> str:
        """The reason, and the effect of `exhaustive`, which is the name of that argument."""
        return f"{self.why}; {exhaustive} {self.if_exhaustive}" if self.if_exhaustive else self.why

    def text(self, exhaustive: str) -> str:
        """The subject and the reason."""
        return f"{self.subject} ({self.reason(exhaustive)})"


def in_one_line(omissions: Iterable[LeftOut], exhaustive: str) -> str:
    """All omissions, with each reason once."""
    by_reason: dict[str, list[str]] = {}
    for left_out in omissions:
        by_reason.setdefault(left_out.reason(exhaustive), []).append(left_out.subject)
    return "; ".join(
        f"{', '.join(subjects[:NAMED])}"
        f"{f' and {len(subjects) - NAMED} more' if subjects[NAMED:] else ''} ({reason})"
        for reason, subjects in by_reason.items()
    )
