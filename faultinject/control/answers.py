"""What a call of the control API answers with, and why one is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import to_builtins

from faultinject.exceptions import (
    ConfigurationError,
    Conflict,
    FaultInjectError,
    StoreInUse,
    StoreUnavailable,
    plain,
)
from faultinject.rules.printed_json import json_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faultinject.exceptions import Problem

JSON = "application/json"
RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client.

    Attributes:
        body: its bytes.
        status: of HTTP.
        content_type: of these.
        headers: further ones.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_data(
        cls, data: object, *, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Answer:
        """Structs or plain data as JSON; what others wrote into it is escaped where it does not print."""
        # Half a surrogate pair has no UTF-8.
        return cls(json_text(to_builtins(data)).encode("utf-8", "replace"), status=status, headers=headers)


class Refusal(FaultInjectError):
    """A call that the control API does not carry out.

    Args:
        status: of HTTP.
        message: what is wrong, and what would be right.
        problems: each mistake of a rule, with its place.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        problems: Iterable[Problem] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(plain(message))
        self.status = status
        self.problems = tuple(problems)
        self.headers = headers

    @property
    def answer(self) -> Answer:
        """What tells the client of it."""
        error = {"message": str(self), "problems": [problem_data(each) for each in self.problems]}
        return Answer.of_data({"error": error}, status=self.status, headers=self.headers)


def problem_data(problem: Problem) -> dict[str, str]:
    """One mistake as the parser tells it: what, where, the text at that place and carets below it."""
    excerpt, _, caret = problem.excerpt.partition("\n")
    return {"message": problem.message, "where": problem.where, "excerpt": excerpt, "caret": caret}


def refusal_of(error: FaultInjectError) -> Refusal:
    """The refusal that an error of faultinject comes to."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Conflict):
        return Refusal(412, f"{error}; read the rules again and repeat the change")
    if isinstance(error, StoreUnavailable):
        return Refusal(
            503, f"the store is unavailable now: {error}", headers={"Retry-After": str(RETRY_SECONDS)}
        )
    if isinstance(error, ConfigurationError):
        first, *more = error.problems
        message = f"{first.where}: {first.message}" if first.where else first.message
        if more:
            message = f"{message} (and {len(more)} more)"
        return Refusal(409 if isinstance(error, StoreInUse) else 400, message, problems=error.problems)
    return Refusal(500, str(error))
