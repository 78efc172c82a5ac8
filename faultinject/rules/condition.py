"""What a condition is. The conditions themselves stand in `conditions`."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.http import patterns
from faultinject.rules.key import Key
from faultinject.rules.values import Mistake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from faultinject.engine.request import Request
    from faultinject.vendors.operations import Operations

    Test = Callable[[str], bool]
    Check = Callable[[Request], bool]

    class Context(Protocol):
        """How the rule's vendor reads a request."""

        @property
        def operations(self) -> Operations:
            """The operations that the vendor has."""
            ...

        def read_address(self, request: Request) -> tuple[str | None, str | None]:
            """Bucket and key."""
            ...

        def operation(self, request: Request) -> str | None:
            """The storage operation."""
            ...


class Condition(Key):
    """A key whose values are matched against a request."""

    def parse(self, text: str) -> str:
        """The pattern; raises `Mistake` when it is empty or too big."""
        if not text:
            raise Mistake("needs a value")
        if (problem := patterns.check_pattern(text)) is not None:
            raise Mistake(problem)
        return text

    def doubt(self, text: str) -> str:  # noqa: ARG002
        """Why hardly any request can have a valid value, and what may be meant; empty where nothing is to be said."""
        return ""

    def doubt_name(self, name: str) -> str:  # noqa: ARG002
        """The same of the NAME of `header.NAME` and `query.NAME`."""
        return ""

    @abstractmethod
    def compile(self, values: tuple[str, ...], name: str, context: Context) -> Check:
        """The test of a request; any of the values will do.

        Args:
            values: the texts as the rule gives them, valid.
            name: the NAME of `header.NAME` and `query.NAME`, else empty.
            context: how the rule's vendor reads bucket, key and operation.
        """


def any_of(tests: Iterable[Test]) -> Test:
    """One test for several."""
    each, *others = tests
    if not others:
        return each
    return lambda value: each(value) or any(test(value) for test in others)


def folded(text: str) -> Test:
    """The test for a pattern in which case does not matter; what is tested must be in lower case."""
    return patterns.compile_plain(text.lower())


def plain(values: tuple[str, ...]) -> Test:
    """The test for any of several patterns, or for any text where a pattern is empty."""
    return any_of(patterns.compile_plain(each) if each else _always for each in values)


def _always(_: str) -> bool:
    return True
