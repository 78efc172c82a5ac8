"""What says where counts live: one reading for `FAULTINJECT_STORE` and for `Injector(store=…)`.

A scheme of another package has an entry point in the group `faultinject.stores`.
"""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError, NotBuiltYet
from faultinject.registry import Registry
from faultinject.rules.values import Mistake, most_like, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MEMORY, FILE = "memory:", "file:"
_RESERVED = ("redis:", "rediss:")
_ALLOWED = "memory: or file:DIRECTORY"
REPLACE = "?replace"
"""Behind a directory: these rules take the place of those by which another server counts there."""


def read_store(text: str) -> str:
    """The store as it was given, when it is one.

    Raises:
        Mistake: it is none, or not built yet.

    >>> read_store("file:/run/faults")
    'file:/run/faults'
    """
    path, mark, option = text.rpartition("?")
    if text.startswith(FILE) and mark and option.isalpha() and mark + option != REPLACE:
        raise Mistake(
            f"{shown(text)}: the only option of a directory is {REPLACE}; did you mean {shown(path + REPLACE)}?"
        )
    if text == FILE + REPLACE:
        text = FILE
    if text == MEMORY or (text.startswith(FILE) and text != FILE):
        return text
    if text.startswith(_RESERVED):
        raise Mistake(f"{shown(_without_password(text))} is not built yet; use {_ALLOWED}", error=NotBuiltYet)
    if text in (FILE, FILE[:-1]):
        raise Mistake(f"{shown(text)} needs a directory, such as file:/tmp/faults")
    try:
        if opener(text) is not None:
            return text
    except ConfigurationError as error:
        raise Mistake.of(error) from None
    added = "".join(f" or {each}:" for each in plugins.names())
    raise Mistake(f"{shown(_without_password(text))} is not a store; use {_ALLOWED}{added}{_nearest(text)}")


def opener(store: str) -> Callable[[str], Any] | None:
    """What opens a store of another package's scheme, from all of its text; None where no package has the scheme.

    Raises:
        ConfigurationError: its package is broken.
    """
    scheme, colon, _ = store.partition(":")
    found: Callable[[str], Any] | None = plugins.find(scheme) if colon else None
    return found


def _taken() -> list[str]:
    return [each[:-1] for each in (MEMORY, FILE, *_RESERVED)]


def _accept(scheme: str, given: Any) -> Callable[[str], Any]:
    """What opens stores of a scheme."""
    if not (scheme.isascii() and scheme == scheme.lower() and scheme.replace("-", "").isalnum()):
        raise ConfigurationError("a scheme is of lower-case letters, digits and hyphens")
    if not callable(given):
        raise ConfigurationError(f"its entry point names {type(given).__name__}, and not what opens one")
    opens: Callable[[str], Any] = given
    return opens


plugins = Registry("faultinject.stores", "store", _taken, _accept)
"""The schemes of other packages."""


def read_directory(store: str) -> tuple[str, bool]:
    """The directory of a store `file:`, and whether its rules are to replace others.

    >>> read_directory("file:/run/faults?replace")
    ('/run/faults', True)
    """
    path = store.removeprefix(FILE)
    return path.removesuffix(REPLACE), path.endswith(REPLACE)


def _without_password(text: str) -> str:
    """A URL as a log may have it."""
    scheme, slashes, rest = text.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{slashes}{'…' if user else ''}{at}{place}"


def _nearest(text: str) -> str:
    scheme, _, rest = text.partition(":")
    near = most_like(scheme, (MEMORY[:-1], FILE[:-1]))
    if near is None and "/" in scheme:
        near, rest = FILE[:-1], text
    if near is None or (near == FILE[:-1] and not rest):
        return ""
    return f"; did you mean {MEMORY if near == MEMORY[:-1] else FILE + shown(rest)}?"
