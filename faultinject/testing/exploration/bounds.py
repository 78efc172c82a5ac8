"""How far an exploration goes, and what the code under test may give up with."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    Allowed = type[BaseException] | tuple[type[BaseException], ...]


class Bounds:
    """The numbers of an exploration.

    Args:
        depth: 2: also a second fault in what the code does because of the first.
        max_runs: runs with faults at most.
        allow: exceptions with which the code may give up.
        ignore: what the second judge is not to look at, such as `non-idempotent retry`.
        exhaustive: whether what is left out by default is tried as well, as far as it can be.

    Raises:
        ConfigurationError: one of them cannot be meant.
    """

    def __init__(
        self,
        depth: int = 1,
        max_runs: int = 500,
        allow: Allowed = (),
        ignore: str | Collection[str] = (),
        exhaustive: bool = False,
    ) -> None:
        if depth not in (1, 2) or isinstance(depth, bool):
            raise ConfigurationError(f"depth is 1 or 2, not {depth!r}")
        self.depth = depth
        self.max_runs = whole(max_runs, "max_runs")
        self.ignore = ignore
        if not isinstance(exhaustive, bool):
            raise ConfigurationError(f"exhaustive is True or False, not {exhaustive!r}")
        self.exhaustive = exhaustive
        self.allow = allow if isinstance(allow, tuple) else (allow,)
        for each in self.allow:
            if not isinstance(each, type) or not issubclass(each, BaseException):
                raise ConfigurationError(f"allow takes types of exceptions, not {each!r}")

    def allows(self, error: BaseException) -> bool:
        """Whether the code may give up with it; with a group, when it may do so with all that is in it."""
        if isinstance(error, BaseExceptionGroup) and not isinstance(error, self.allow):
            return all(map(self.allows, error.exceptions))
        return isinstance(error, self.allow)


def whole(number: object, name: str) -> int:
    """A whole number from 1 on.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ConfigurationError(f"{name} is a whole number from 1 on, not {number!r}")
    return number
