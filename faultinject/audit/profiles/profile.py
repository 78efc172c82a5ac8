"""The promises of a client: attempts, waits, budgets.

A TOML file may hold what these types hold.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

ANY = "any"
"""Stands for every kind of failure that has no promise of its own."""
Kind = Annotated[str, Meta(pattern="^(throttle|server|transport|timeout|any)$")]
Number = Annotated[int, Meta(ge=1)]
_VERSION = re.compile(r"[0-9]{1,9}(?![0-9])(\.[0-9]{1,9}(?![0-9]))*")


class Seconds(float):
    """A time; in a file a duration such as `1s`."""


SeveralSeconds = Annotated[tuple[Seconds, ...], Meta(min_length=1)]


class Waits(Struct, frozen=True, forbid_unknown_fields=True):
    """The length of the waits after one kind of failure, in seconds.

    Attributes:
        base: the longest wait before the first retry.
        factor: each further wait may be longer by this factor.
        cap: the longest wait, however many retries there were; None: no limit.
        longest: the longest wait before each retry, instead of `base`, `factor` and `cap`; the last value is for all
            further retries.
        shortest: the shortest wait before each retry, in the same form; empty: no minimum.
    """

    base: Seconds = Seconds()
    factor: Annotated[float, Meta(ge=1, le=1000)] = 2.0
    cap: Seconds | None = None
    longest: SeveralSeconds = ()
    shortest: SeveralSeconds = ()

    def __post_init__(self) -> None:
        if not self.base and not self.longest:
            raise ValueError('it needs base = "1s", or longest = ["1s", "2s"]')

    def bounds(self, retry: int) -> tuple[float, float]:
        """The shortest and the longest wait before a retry, the first being 1."""
        low = self.shortest[min(retry, len(self.shortest)) - 1] if self.shortest else 0.0
        if self.longest:
            return low, self.longest[min(retry, len(self.longest)) - 1]
        grown = self.base * self.factor ** min(retry - 1, 64)
        return low, grown if self.cap is None else min(grown, self.cap)


class Mark(Struct, frozen=True, forbid_unknown_fields=True):
    """The user agent by which a client with this promise is known.

    Attributes:
        text: the text in the user agent right before the version.
        since: the first version with this promise, or empty.
        below: the first version without it again, or empty.
        beside: a further text in the user agent, or empty.
        begins: whether the user agent must begin with `text`, as `curl/` is also in `libcurl/`.
    """

    text: Annotated[str, Meta(min_length=1)] = field(name="user-agent")
    since: str = ""
    below: str = ""
    beside: str = ""
    begins: bool = False

    def fits(self, user_agent: str) -> bool:
        """Whether this is the client's user agent."""
        before, text, rest = user_agent.partition(self.text)
        if not text or self.beside not in user_agent or (self.begins and before):
            return False
        version = _numbers(rest)
        return not (
            (self.since and (not version or version < _numbers(self.since)))
            or (self.below and (not version or version >= _numbers(self.below)))
        )


class Profile(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A client's promises about its retries.

    Attributes:
        name: the name for `--profile`.
        title: its name for people.
        reference: the document that promises it.
        attempts: the exact number of attempts of a call that never succeeds; None: no promise.
        most_attempts: the most attempts of any call; None: no promise.
        waits: by kind of failure (`throttle`, `server`, `transport`, `timeout`, or `any`).
        distribution: `uniform` if waits are drawn evenly between the bounds; None: no promise.
        budget: whether retries become fewer when everything fails.
        quota: how many retries all calls of one client make together when everything fails, by kind of failure;
            several numbers if the user agent does not show which of them applies: each is right.
        hints: the longest wait that is honoured, in seconds, by form of the hint; any wait for a form that is not
            here.
        marks: the user agents to which it applies.
    """

    name: str
    title: str
    reference: str = ""
    attempts: Number | None = None
    most_attempts: Number | None = None
    waits: dict[Kind, Waits] = {}
    distribution: Literal["uniform"] | None = None
    budget: bool = False
    quota: dict[Kind, Annotated[tuple[Number, ...], Meta(min_length=1)]] = {}
    hints: dict[str, Seconds] = {}
    marks: tuple[Mark, ...] = field(name="clients", default=())

    def bounds(self, kind: str, retry: int) -> tuple[float, float] | None:
        """The shortest and the longest wait before a retry, from 1, in seconds; None: no promise."""
        waits = self.waits.get(kind) or self.waits.get(ANY)
        return None if waits is None else waits.bounds(retry)

    def outage_retries(self, kind: str) -> tuple[int, ...]:
        """The retries of all calls together if every request fails in this way.

        They are ascending; empty: no promise.
        """
        return tuple(sorted(self.quota.get(kind, self.quota.get(ANY, ()))))

    @property
    def most(self) -> int | None:
        """The most attempts of one call; None: no promise."""
        return self.attempts if self.most_attempts is None else self.most_attempts


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version: (1, 44, 5).

    >>> _numbers("1.44.5 md/x"), _numbers("x")
    ((1, 44, 5), ())
    """
    match = _VERSION.match(version)
    return () if match is None else tuple(map(int, match[0].split(".")))
