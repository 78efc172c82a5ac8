"""What the interfaces WSGI and ASGI hand over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from faultinject.injector.injector import Injector

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, Start], Iterable[bytes]]


class WrappedWSGIApp(Protocol):
    """A WSGI app with faults around it; for type checkers it fits where a framework keeps its own app.

    Attributes:
        app: the app.
        injector: the injector around it.
    """

    app: WSGIApp
    injector: Injector

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request."""
        ...


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
