"""Clients without a socket: the errors that their own `except` clauses catch."""

from __future__ import annotations

import errno
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from faultinject.engine.steps import Cut

_made: dict[tuple[type, ...], type[Injected]] = {}


def reset_error(*, rule: str = "") -> Exception:
    """A new error as of a connection that was reset, `errno` ECONNRESET."""
    return _class(InjectedReset)(errno.ECONNRESET, "Connection reset by peer" + _injected(rule))


def closed_error(*, rule: str = "") -> Exception:
    """A new error as of a connection that was closed before an answer."""
    return _class(InjectedClose)("Remote end closed connection without response" + _injected(rule))


def timeout_error(*, rule: str = "") -> Exception:
    """A new error as of a client that has waited for an answer as long as it would."""
    return _class(InjectedTimeout)("Read timed out" + _injected(rule))


def cut_error(received: int, expected: int | None, *, rule: str = "") -> Exception:
    """A new error as of a connection that was closed in the middle of a body.

    Args:
        received: bytes of the body that have come.
        expected: bytes of the whole body; None if its length was not announced.
        rule: the rule's name, for the message.
    """
    of, missing = ("", None) if expected is None else (f" of {expected}", expected - received)
    text = f"Connection closed after {received}{of} bytes of the body" + _injected(rule)
    return _class(InjectedCut)(text, partial=received, expected=missing)


def cut_of(step: Cut, rule: str) -> Exception:
    """What a client in this process meets where its connection would end."""
    if step.hangs:
        return timeout_error(rule=rule)
    if step.resets:
        return reset_error(rule=rule)
    if step.sent is None:
        return closed_error(rule=rule)
    return cut_error(step.sent, step.length, rule=rule)


def _injected(rule: str) -> str:
    return f" (injected by faultinject, rule {rule})" if rule else " (injected by faultinject)"


class Injected(OSError):
    """What all injected errors have in common: what users of a library read of its own errors is there.

    The libraries' constructors are never called: each wants something else.
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
        # The class was made for the libraries of this process; another one makes its own.
        kind = next(each for each in type(self).__mro__ if "libraries" in vars(each))
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
    """The connection was closed before an answer; as in the standard library this is a reset, without `errno`."""

    libraries = (
        ("httpx", "RemoteProtocolError"),
        ("httpx2", "RemoteProtocolError"),
        ("requests.exceptions", "ConnectionError"),
        ("urllib3.exceptions", "ProtocolError"),
        ("aiohttp.client_exceptions", "ServerDisconnectedError"),
        ("http.client", "RemoteDisconnected"),
    )
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
    """`kind` together with the errors of every library that this process has loaded."""
    key = (kind, *_loaded(kind))
    made = _made.get(key)
    if made is None:
        made = kind
        bases: tuple[type, ...] = (kind,)
        for each in key[1:]:
            try:
                made = type(kind.__name__, (*bases, each), {"__doc__": kind.__doc__})
                bases = (*bases, each)
            except Exception:  # noqa: S110 - it cannot be combined with those before it
                pass
        _made[key] = made
    return made


def _loaded(kind: type[Injected]) -> Iterator[type]:
    """The libraries' errors, as far as they are there: nothing is imported, also not by a lazy module."""
    for module, name in kind.libraries:
        loaded = sys.modules.get(module)
        if isinstance(loaded, ModuleType):
            found = object.__getattribute__(loaded, "__dict__").get(name)
            if isinstance(found, type) and issubclass(found, Exception):
                yield found
