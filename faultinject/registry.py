"""Additions of other installed packages: vendors, stores and faults, by their entry points.

Nothing is looked for until somebody asks for an unknown name, or for a list: the metadata of all installed packages
takes milliseconds to read (https://packaging.python.org/en/latest/specifications/entry-points/).
"""

from __future__ import annotations

import _thread  # `threading` is not loaded where rules are only read

from faultinject.exceptions import ConfigurationError, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from importlib.metadata import EntryPoint
    from typing import Any

LONGEST = 300
"""Characters of an error in another package that are shown."""


class Registry:
    """The members of one vocabulary that other packages add.

    What is wrong with one is told of that one alone, in one sentence that names its package.

    Args:
        group: the group of their entry points.
        kind: what one is called in messages: `vendor`.
        taken: the names that other packages cannot have.
        accept: from a name and what its entry point names to the member; any error says what is wrong with it.
    """

    def __init__(
        self,
        group: str,
        kind: str,
        taken: Callable[[], Collection[str]],
        accept: Callable[[str, Any], Any],
    ) -> None:
        self.group = group
        self.kind = kind
        self._taken = taken
        self._accept = accept
        self._found: dict[str, list[EntryPoint]] | None = None
        self._members: dict[str, Any] = {}
        self._broken: dict[str, str] = {}
        # A package that asks for the list while it is imported is not on it yet.
        self._loading: set[tuple[int, str]] = set()

    def find(self, name: str) -> Any:
        """The member of that name; None if no package has one.

        Raises:
            ConfigurationError: its package is broken, or several have one.
        """
        found = self._members.get(name)
        if found is not None:
            return found
        offers = self._offers().get(name, ())
        this = (_thread.get_ident(), name)
        if not offers or this in self._loading:
            return None
        if name not in self._broken:
            self._loading.add(this)
            try:
                self._members[name] = found = self._load(name, offers)
            except (Exception, SystemExit) as error:
                self._broken[name] = str(error)
            else:
                return found
            finally:
                self._loading.discard(this)
        raise ConfigurationError(self._broken[name])

    def names(self) -> tuple[str, ...]:
        """The names of the members that can be used, sorted."""
        return tuple(sorted(offer for offer in self._offers() if self._is_usable(offer)))

    def problems(self) -> list[str]:
        """The mistakes of the others, by name."""
        self.names()
        taken = self._taken()
        twice = {
            name: (
                f"the {self.kind} {name} of {_packages(offers)} is left out: faultinject has one of that name"
            )
            for name, offers in self._offers().items()
            if name in taken
        }
        return [sentence for _, sentence in sorted({**self._broken, **twice}.items())]

    def _is_usable(self, name: str) -> bool:
        if name in self._taken():
            return False
        try:
            return self.find(name) is not None
        except ConfigurationError:
            return False

    def _load(self, name: str, offers: list[EntryPoint]) -> Any:
        whose = _packages(offers)
        if len(offers) > 1:
            raise ConfigurationError(
                f"there are {len(offers)} {self.kind}s {name}, of {whose}: uninstall all but one"
            )
        try:
            return self._accept(name, offers[0].load())
        except (Exception, SystemExit) as error:
            said = " ".join(str(error).split())
            why = said if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {said}"
            raise ConfigurationError(
                f"the {self.kind} {name} of {whose} cannot be used: {plain(why, LONGEST)}"
            ) from error

    def _offers(self) -> dict[str, list[EntryPoint]]:
        if self._found is None:
            from importlib.metadata import entry_points

            found: dict[str, list[EntryPoint]] = {}
            for point in entry_points(group=self.group):
                found.setdefault(point.name, []).append(point)
            self._found = found
        return self._found


def _packages(offers: list[EntryPoint]) -> str:
    """`the package acme 1.0`; of several packages each."""
    names = sorted(f"{offer.dist.name} {offer.dist.version}" for offer in offers if offer.dist is not None)
    return f"the package{'s' if len(names) > 1 else ''} {' and '.join(names)}"
