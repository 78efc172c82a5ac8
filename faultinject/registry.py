"""Vendors, stores and faults that other installed packages add through entry points.

Entry points are read only for an unknown name, or for a list, as reading the metadata of all installed packages takes
milliseconds (https://packaging.python.org/en/latest/specifications/entry-points/).
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
"""The most characters of an error in another package that are shown."""


class Registry:
    """The members of one vocabulary that other packages add.

    A mistake in one member affects only that member, and is reported in one sentence that names its package.

    Args:
        group: the group of their entry points.
        kind: the word for a member in messages, such as `vendor`.
        reserved: the names that other packages cannot use.
        accept: makes the member from a name and the object of its entry point; an error names the mistake.
    """

    def __init__(
        self,
        group: str,
        kind: str,
        reserved: Callable[[], Collection[str]],
        accept: Callable[[str, Any], Any],
    ) -> None:
        self.group = group
        self.kind = kind
        self._reserved = reserved
        self._accept = accept
        self._entry_points: dict[str, list[EntryPoint]] | None = None
        self._members: dict[str, Any] = {}
        self._broken: dict[str, str] = {}
        # The names that a thread is loading. A package may use the registry while it is being imported: it does
        # not find its own member yet.
        self._loading: set[tuple[int, str]] = set()

    def find(self, name: str) -> Any:
        """The member with that name; None if no package has one.

        Raises:
            ConfigurationError: its package is broken, or several packages have one.
        """
        member = self._members.get(name)
        if member is not None:
            return member
        offers = self._offers().get(name, ())
        loading = (_thread.get_ident(), name)
        if not offers or loading in self._loading:
            return None
        if name not in self._broken:
            self._loading.add(loading)
            try:
                self._members[name] = member = self._load(name, offers)
            except (Exception, SystemExit) as error:
                self._broken[name] = str(error)
            else:
                return member
            finally:
                self._loading.discard(loading)
        raise ConfigurationError(self._broken[name])

    def names(self) -> tuple[str, ...]:
        """The names of the members that can be used, sorted."""
        return tuple(sorted(offer for offer in self._offers() if self._is_usable(offer)))

    def problems(self) -> list[str]:
        """The mistakes of the members that cannot be used, sorted by name."""
        self.names()
        reserved = self._reserved()
        clashes = {
            name: (
                f"the {self.kind} {name} of {_packages(offers)} is left out: faultinject has one of that name"
            )
            for name, offers in self._offers().items()
            if name in reserved
        }
        return [sentence for _, sentence in sorted({**self._broken, **clashes}.items())]

    def _is_usable(self, name: str) -> bool:
        if name in self._reserved():
            return False
        try:
            return self.find(name) is not None
        except ConfigurationError:
            return False

    def _load(self, name: str, offers: list[EntryPoint]) -> Any:
        packages = _packages(offers)
        if len(offers) > 1:
            raise ConfigurationError(
                f"there are {len(offers)} {self.kind}s {name}, of {packages}: uninstall all but one"
            )
        try:
            return self._accept(name, offers[0].load())
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split())
            reason = text if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {text}"
            raise ConfigurationError(
                f"the {self.kind} {name} of {packages} cannot be used: {plain(reason, LONGEST)}"
            ) from error

    def _offers(self) -> dict[str, list[EntryPoint]]:
        if self._entry_points is None:
            from importlib.metadata import entry_points

            by_name: dict[str, list[EntryPoint]] = {}
            for point in entry_points(group=self.group):
                by_name.setdefault(point.name, []).append(point)
            self._entry_points = by_name
        return self._entry_points


def _packages(offers: list[EntryPoint]) -> str:
    """Name the packages, as in `the package acme 1.0`."""
    names = sorted(f"{offer.dist.name} {offer.dist.version}" for offer in offers if offer.dist is not None)
    return f"the package{'s' if len(names) > 1 else ''} {' and '.join(names)}"
