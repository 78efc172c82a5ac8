"""The place of counts, as `FAULTINJECT_STORE` and `Injector(store=…)` give it.

A scheme of another package has an entry point in the group `faultinject.stores`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faultinject.exceptions import ConfigurationError
from faultinject.registry import Registry
from faultinject.rules.redis_url import SCHEMES, is_redis, read_redis, without_password
from faultinject.rules.values import Mistake, most_like, shown

MEMORY, FILE = "memory:", "file:"
_ALLOWED = "memory: or file:DIRECTORY or redis://HOST"
REPLACE = "?replace"
"""The option of a directory that lets these rules replace those of another server."""


def read_store(text: str) -> str:
    """Check the text of a store.

    Raises:
        Mistake: it is not the text of a store.

    >>> read_store("file:/run/faults")
    'file:/run/faults'
    """
    path, mark, option = text.rpartition("?")
    if text.startswith(FILE) and mark and option.isalpha() and mark + option != REPLACE:
        raise Mistake(
            f"{shown(text)}: the only option of a directory is {REPLACE};"
            f" did you mean {shown(path + REPLACE)}?"
        )
    if text == FILE + REPLACE:
        text = FILE
    if text == MEMORY or (text.startswith(FILE) and text != FILE):
        return text
    if is_redis(text):
        read_redis(text)
        return text
    if text in (FILE, FILE[:-1]):
        raise Mistake(f"{shown(text)} needs a directory, such as file:/tmp/faults")
    try:
        if find_opener(text) is not None:
            return text
    except ConfigurationError as error:
        raise Mistake.of(error) from None
    added = "".join(f" or {name}:" for name in plugins.names())
    raise Mistake(f"{shown(without_password(text))} is not a store; use {_ALLOWED}{added}{_nearest(text)}")


def store_for_log(store: str) -> str:
    """Prepare the text of a store for a log: no password.

    >>> store_for_log("redis://:secret@cache"), store_for_log("file:/run/a@b")
    ('redis://…@cache', 'file:/run/a@b')
    >>> store_for_log("another://:secret@cache")
    'another:…'
    """
    if store == MEMORY or store.startswith(FILE):
        return store
    # In another package's store only the scheme surely holds no password.
    return without_password(store) if is_redis(store) else f"{store.partition(':')[0]}:…"


def find_opener(store: str) -> Callable[[str], Any] | None:
    """The function that opens a store of another package's scheme; None if no package has it.

    The function takes the whole text of the store.

    Raises:
        ConfigurationError: the package is broken.
    """
    scheme, colon, _ = store.partition(":")
    opens: Callable[[str], Any] | None = plugins.find(scheme) if colon else None
    return opens


def _own_schemes() -> list[str]:
    return [MEMORY[:-1], FILE[:-1], *SCHEMES]


def _accept(scheme: str, loaded: Any) -> Callable[[str], Any]:
    """The function that opens stores of a scheme."""
    if not (scheme.isascii() and scheme == scheme.lower() and scheme.replace("-", "").isalnum()):
        raise ConfigurationError("a scheme is of lower-case letters, digits and hyphens")
    if not callable(loaded):
        raise ConfigurationError(f"its entry point names {type(loaded).__name__}, and not what opens one")
    opens: Callable[[str], Any] = loaded
    return opens


plugins = Registry("faultinject.stores", "store", _own_schemes, _accept)
"""The schemes of other packages."""


def read_directory(store: str) -> tuple[str, bool]:
    """The directory of a store `file:`, and whether its rules may replace others.

    >>> read_directory("file:/run/faults?replace")
    ('/run/faults', True)
    """
    path = store.removeprefix(FILE)
    return path.removesuffix(REPLACE), path.endswith(REPLACE)


def _nearest(text: str) -> str:
    scheme, _, rest = text.partition(":")
    near = most_like(scheme, (MEMORY[:-1], FILE[:-1], *SCHEMES))
    if near is None and "/" in scheme:
        near, rest = FILE[:-1], text
    if near is None or (near == FILE[:-1] and (not rest or "@" in rest or "?" in rest.removesuffix(REPLACE))):
        return ""
    if near in SCHEMES:
        return f"; did you mean {near}://?"
    return f"; did you mean {MEMORY if near == MEMORY[:-1] else FILE + shown(rest)}?"
