"""One call of the control API: what it asks for, read and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass

from faultinject.control.answers import Refusal
from faultinject.rules.values import nearest, shown, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any, NoReturn

    from faultinject.control.access import Access
    from faultinject.injector.injector import Injector


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for.

    Attributes:
        injector: the injector.
        access: who may ask.
        client: the client's address, as the server says it.
        name: of the rule in the path, or empty.
        query: the parameters.
        headers: lower-case names.
        body: its bytes.
        mount: the path below which the API is.
    """

    injector: Injector
    access: Access
    client: str
    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    mount: str

    @property
    def text(self) -> str:
        """The body as text.

        Raises:
            Refusal: it is not UTF-8.
        """
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise Refusal(400, f"the body is not UTF-8: byte 0x{self.body[error.start]:02x}") from None

    def data(self) -> dict[str, Any]:
        """The body as a JSON object; nothing is an empty one.

        Raises:
            Refusal: it is none.
        """
        text = self.text
        if not text.strip():
            return {}
        try:
            found = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_table)
        except ValueError as error:
            raise Refusal(400, f"the body is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise Refusal(400, f"the body is a JSON object, not {shown(text)}")
        return found

    def keys(self, known: Collection[str]) -> dict[str, Any]:
        """The body as a JSON object with no other keys than these.

        Raises:
            Refusal: it is none, or has others.
        """
        found = self.data()
        for key in found:
            if key not in known:
                hint = nearest(key, tuple(known)) if known else "; this call takes none"
                raise Refusal(400, f"{shown(key)} is not a key of this call{hint}")
        return found

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        """A number among the parameters.

        Raises:
            Refusal: it is none, or out of its bounds.
        """
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise Refusal(400, f"{name}: {visible(text)[:100]} is not a whole number from {least} to {most}")
        return int(text)

    @property
    def expected(self) -> int | None:
        """The generation that the client has seen, by If-Match; None where any will do.

        Raises:
            Refusal: it names another than the one in force.
        """
        text = self.headers.get("if-match", "").strip()
        if text in ("", "*"):
            return None
        now = self.injector.state.generation
        # A weak tag is never the same: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
        if f'"{now}"' in (each.strip() for each in text.split(",")):
            return int(now)
        raise Refusal(
            412, f"the rules have changed: they are of generation {now} by now; read them again and repeat the change",
            headers={"ETag": f'"{now}"'},
        )  # fmt: skip


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON.

    Raises:
        Refusal: a key stands in it twice, and of two values nobody knows which is meant.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Refusal(400, f"{shown(twice)} is given twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
