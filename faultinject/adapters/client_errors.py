"""Errors for clients without a socket, which their own `except` clauses catch."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from faultinject.engine.steps import Cut


def cut_of(step: Cut, rule: str) -> Exception:
    """Make the error that a client in this process gets instead of a broken connection.

    Args:
        step: how the connection ends; if it hangs, the client's own time-out has ended its wait.
        rule: the rule's name, for the message.
    """
    injected = f" (injected by faultinject, rule {rule})" if rule else " (injected by faultinject)"
    if step.hangs:
        return _class(InjectedTimeout)("Read timed out" + injected)
    if step.resets:
        return _class(InjectedReset)(errno.ECONNRESET, "Connection reset by peer" + injected)
    if step.sent is None:
        return _class(InjectedClose)("Remote end closed connection without response" + injected)
    of_length, missing = (
        ("", None) if step.length is None else (f" of {step.length}", step.length - step.sent)
    )
    text = f"Connection closed after {step.sent}{of_length} bytes of the body{injected}"
    return _class(InjectedCut)(text, partial=step.sent, expected=missing)


class Injected(OSError):
    """An injected error, with the attributes that users of a library read from its errors.

    The libraries' constructors are never called: each wants other arguments.
    """

    libraries: tuple[tuple[str, str], ...]
    request: Any = None
    response: Any = None
    _request: Any = None

    def __init__(self, *args: Any, **attributes: Any) -> None:
        OSError.__init__(self, *args)
        vars(self).update(attributes)

    __str__ = OSError.__str__
    __repr__ = OSError.__repr__

    def __reduce__(self) -> tuple[Any, ...]:
        # The class combines the errors of the libraries loaded here; a process that unpickles it makes its own class.
        kind = next(base for base in type(self).__mro__ if "libraries" in vars(base))
        return _remade, (kind, self.args), vars(self)


class InjectedReset(Injected, ConnectionResetError):
    """The connection was reset."""

    libraries = (
        ("httpx", "ReadError"),
        ("httpx2", "ReadError"),
        ("requests.exceptions", "ConnectionError"),
        ("urllib3.exceptions", "ProtocolError"),
        ("aiohttp.client_exceptions", "ClientOSError"),
    )


class InjectedClose(Injected, ConnectionResetError):
    """The connection was closed before an answer.

    As in the standard library this is a reset, without `errno`.
    """

    libraries = (
        ("httpx", "RemoteProtocolError"),
        ("httpx2", "RemoteProtocolError"),
        ("requests.exceptions", "ConnectionError"),
        ("urllib3.exceptions", "ProtocolError"),
        ("aiohttp.client_exceptions", "ServerDisconnectedError"),
        ("http.client", "RemoteDisconnected"),
    )
    # `RemoteDisconnected` of the standard library has this attribute.
    line = ""

    @property
    def message(self) -> str:
        """The text, as aiohttp's error has it."""
        return str(self)


class InjectedTimeout(Injected, TimeoutError):
    """Nothing came for as long as the client would wait."""

    libraries = (
        ("httpx", "ReadTimeout"),
        ("httpx2", "ReadTimeout"),
        ("requests.exceptions", "ReadTimeout"),
        ("urllib3.exceptions", "ReadTimeoutError"),
        ("aiohttp.client_exceptions", "SocketTimeoutError"),
        ("aiohttp.client_exceptions", "ServerTimeoutError"),
    )
    pool: Any = None
    url: Any = None


class InjectedCut(Injected, ConnectionError):
    """The connection was closed in the middle of a body.

    Attributes:
        partial: bytes that have come.
        expected: bytes that were still to come; None if not known.
    """

    libraries = (
        ("httpx", "RemoteProtocolError"),
        ("httpx2", "RemoteProtocolError"),
        ("requests.exceptions", "ChunkedEncodingError"),
        ("urllib3.exceptions", "IncompleteRead"),
        ("urllib3.exceptions", "ProtocolError"),
        ("aiohttp.client_exceptions", "ClientPayloadError"),
        ("http.client", "IncompleteRead"),
    )
    partial: int
    expected: int | None


def _remade(kind: type[Injected], args: tuple[Any, ...]) -> Injected:
    return _class(kind)(*args)


def _class(kind: type[Injected]) -> type[Injected]:
    """Combine `kind` with the errors of every library that this process has loaded."""
    return _combined((kind, *_loaded(kind)))


@cache
def _combined(classes: tuple[Any, ...]) -> type[Injected]:
    kind, *errors = classes
    made: type[Injected] = kind
    bases: tuple[type, ...] = (kind,)
    for error in errors:
        try:
            made = type(kind.__name__, (*bases, error), {"__doc__": kind.__doc__})
            bases = (*bases, error)
        except Exception:  # noqa: S110 - it cannot be combined with those before it
            pass
    return made


def _loaded(kind: type[Injected]) -> Iterator[type]:
    """Find the errors of the libraries that are loaded; none is imported for it."""
    for module, name in kind.libraries:
        error = getattr(sys.modules.get(module), name, None)
        if isinstance(error, type) and issubclass(error, Exception):
            yield error
