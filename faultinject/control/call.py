"""A call of the control API, and its answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import to_builtins

from faultinject.exceptions import (
    ConfigurationError,
    ConflictError,
    FaultInjectError,
    Problem,
    StoreInUseError,
    StoreUnavailableError,
    plain,
)
from faultinject.injector.injector import Injector
from faultinject.rules.files import parse_json
from faultinject.rules.printed_json import json_text
from faultinject.rules.values import nearest, shown, visible

if TYPE_CHECKING:
    from faultinject.control.access import Access


JSON = "application/json"
RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """An answer to the client.

    Attributes:
        body: the bytes of the body.
        status: the HTTP status.
        content_type: the Content-Type.
        headers: more headers.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_data(
        cls, data: object, *, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
    ) -> ControlAnswer:
        """An answer with structs or plain data as JSON; unprintable characters are escaped."""
        # "replace", as half of a surrogate pair cannot be encoded.
        return cls(json_text(to_builtins(data)).encode("utf-8", "replace"), status=status, headers=headers)


class Refusal(FaultInjectError):
    """The control API refuses a call.

    Args:
        status: the HTTP status.
        message: the mistake, and the right form.
        problems: all mistakes of a rule, with their places.
        headers: more headers of the answer.
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
    def answer(self) -> ControlAnswer:
        """The answer with its message and problems."""
        error = {"message": str(self), "problems": [problem_data(problem) for problem in self.problems]}
        return ControlAnswer.of_data({"error": error}, status=self.status, headers=self.headers)


def problem_data(problem: Problem) -> dict[str, str]:
    """One mistake as JSON data: its place, the text there, and carets below it."""
    excerpt, _, caret = problem.excerpt.partition("\n")
    return {"message": problem.message, "where": problem.where, "excerpt": excerpt, "caret": caret}


def refusal_of(error: FaultInjectError) -> Refusal:
    """The refusal for an error of faultinject."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ConflictError):
        return Refusal(412, f"{error}; read the rules again and repeat the change")
    if isinstance(error, StoreUnavailableError):
        return Refusal(
            503, f"the store is unavailable now: {error}", headers={"Retry-After": str(RETRY_SECONDS)}
        )
    if isinstance(error, ConfigurationError):
        first, *more = error.problems
        message = f"{first.where}: {first.message}" if first.where else first.message
        if more:
            message = f"{message} (and {len(more)} more)"
        return Refusal(409 if isinstance(error, StoreInUseError) else 400, message, problems=error.problems)
    return Refusal(500, str(error))


@dataclass(frozen=True, slots=True)
class ControlCall:
    """A client's request, parsed for the function that answers it.

    Attributes:
        injector: the injector.
        access: decides on the access.
        client: the client's address, as the server reports it.
        token_name: the name of the client's token, or empty.
        name: the name of the rule in the path, or empty.
        query: the parameters.
        headers: the headers, by lower-case names.
        body: the bytes of the body.
        mount: the path below which the API is.
    """

    injector: Injector
    access: Access
    client: str
    token_name: str
    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    mount: str

    def data(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one without a body.

        Raises:
            Refusal: the body is not UTF-8, or not a JSON object.
        """
        try:
            text = self.body.decode()
            data = parse_json(text, _refuse) if text.strip() else {}
        except UnicodeDecodeError as error:
            raise Refusal(400, f"the body is not UTF-8: byte 0x{self.body[error.start]:02x}") from None
        except ValueError as error:
            raise Refusal(400, f"the body is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise Refusal(400, f"the body is a JSON object, not {shown(text)}")
        return data

    def keys(self, known: Collection[str]) -> dict[str, Any]:
        """The body as a JSON object that has only known keys.

        Raises:
            Refusal: it is not a JSON object, or has other keys.
        """
        data = self.data()
        for key in data:
            if key not in known:
                hint = nearest(key, tuple(known)) if known else "; this call takes none"
                raise Refusal(400, f"{shown(key)} is not a key of this call{hint}")
        return data

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        """A number from the parameters.

        Raises:
            Refusal: it is not a number, or out of bounds.
        """
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise Refusal(400, f"{name}: {visible(text)[:100]} is not a whole number from {least} to {most}")
        return int(text)

    @property
    def expected(self) -> int | None:
        """The generation that the client names in If-Match, or None.

        Raises:
            Refusal: another generation is in force.
        """
        text = self.headers.get("if-match", "").strip()
        if text in ("", "*"):
            return None
        generation = self.injector.state.generation
        # A weak tag never matches: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
        if f'"{generation}"' in (tag.strip() for tag in text.split(",")):
            return int(generation)
        raise Refusal(
            412, f"generation {generation} is in force by now; look at the rules again and repeat the change",
            headers={"ETag": f'"{generation}"'},
        )  # fmt: skip


def _refuse(twice: str) -> NoReturn:
    """Refuse a key that is given twice: either value may be the intended one."""
    raise Refusal(400, twice)
