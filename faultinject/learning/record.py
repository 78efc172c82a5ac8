"""One request, as an access log has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a log.

    Attributes:
        time: when, seconds since 1970.
        method: of the request.
        operation: by the vendor's name; None where the log does not tell.
        status: of the answer.
        code: the vendor's error code; empty where there is none, or the log has none.
    """

    time: float
    method: str
    operation: str | None
    status: int
    code: str
