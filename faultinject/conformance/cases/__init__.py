"""Cases of a specification of retries: what a server answers, and what a client that follows it does then."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from math import inf
from typing import Any

import msgspec

from faultinject.exceptions import ConfigurationError
from faultinject.rules.values import nearest

ENDING = ".toml"
STANDARD_ATTEMPTS = 3
"""How many attempts the mode `standard` of AWS's SDKs makes unless it is told otherwise."""


class CaseAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of the server.

    Attributes:
        status: 200 is the store's own answer; 0 is none: the connection is reset.
        code: the code of the error; empty: `InternalError`.
        asked: the value of the header that asks the client to wait; empty: the answer has none.
        header: the name of that header.
        least: the client waits at least so long before its next attempt, seconds.
        wait: and at most so long; `inf`: that is not looked at.
    """

    status: int
    code: str = "InternalError"
    asked: str = ""
    header: str = "x-amz-retry-after"
    least: float = 0.0
    wait: float = inf


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case: calls that one client makes one after the other.

    Attributes:
        name: what it is about, in words.
        do: what the calls are: `get` reads an object, `put` writes one.
        calls: by call, the answers in order; the client makes as many attempts. It reports success exactly if the last
            status is 200.
        attempts: the attempts that the client is told to make at most (`AWS_MAX_ATTEMPTS`).
        tokens: how many retry tokens the client has at the beginning; None: all that it ever has.
        left: how many it has at the end; None: that is not looked at.
        skipped: why the case cannot be played; empty: it can.
    """

    name: str
    do: str = "get"
    calls: tuple[tuple[CaseAnswer, ...], ...] = ()
    attempts: int = STANDARD_ATTEMPTS
    tokens: int | None = None
    left: int | None = None
    skipped: str = ""


class Specification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases that belong together.

    Attributes:
        title: whose they are.
        source: where their facts are from, an address.
        case: the cases.
        vendor: whose clients they are for.
        client: who plays them if nobody is named.
        capacity: the retry tokens of a new client; 0: it has none.
        cost: what a retry after a 5xx costs.
    """

    title: str
    source: str
    case: tuple[Case, ...]
    vendor: str = "s3"
    client: str = "boto3"
    capacity: int = 0
    cost: int = 1


def specifications() -> list[str]:
    """The names of all specifications."""
    found = (each.name for each in files(__name__).iterdir())
    return sorted(each.removesuffix(ENDING) for each in found if each.endswith(ENDING))


@cache
def specification(name: str) -> Specification:
    """The specification of that name.

    Raises:
        ConfigurationError: there is none; the message names the nearest.
    """
    known = specifications()
    if name not in known:
        hint = nearest(name, known) or f"; there are {', '.join(known)}"
        raise ConfigurationError(f"--cases: there is no {name!r}{hint}")
    text: Any = files(__name__).joinpath(name + ENDING).read_bytes()
    return msgspec.toml.decode(text, type=Specification)
