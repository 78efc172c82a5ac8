"""ASGI: the end of the connection behind an answer."""

from __future__ import annotations

from contextlib import suppress

from faultinject.adapters.asgi_body import BodyReader
from faultinject.adapters.asgi_wait import in_tasks
from faultinject.adapters.connection import of_send
from faultinject.adapters.lingering import linger
from faultinject.adapters.servers import Told, asgi_server, in_process_scope, in_sync_asgi, tell_asgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from faultinject.adapters.connection import Connection
    from faultinject.adapters.types import Message, Receive, Scope, Send
    from faultinject.engine.request import ASGIRequest

_CONNECTION = b"connection"


class Ending:
    """An answer behind which the connection ends, where the server would not stay in step or the rule asks for it.

    Args:
        scope: of the request.
        receive: the server's.
        send: the server's.
        request: the view of the request.
        unread: whether something of the request's body is left.
        broken: whether reading it was given up in the middle.
        closes: whether the rule asks for the end.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: ASGIRequest,
        *,
        unread: bool,
        broken: bool,
        closes: bool,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connection: Connection | None = None
        self._over = False
        self._in_process = in_process_scope(scope)
        self._ends = not (self._in_process or request.http2) and (
            closes or (unread and not in_sync_asgi(scope, send, broken=broken))
        )
        server, _ = asgi_server(send)
        self._wants_receive = unread and server is not None and server.wants_receive

    def close(self) -> None:
        """The answer has gone out, or nothing more of it will."""
        connection, self._connection = self._connection, None
        if connection is not None and self._over:
            linger(connection)
        elif connection is not None:
            connection.release()

    async def send(self, message: Message) -> None:
        """Stands in for the server's `send`."""
        if message["type"] == "http.response.start" and not self._in_process:
            headers = [each for each in message["headers"] if each[0] != _CONNECTION]
            if self._ends:
                # Ours before the server lets go of it.
                self._connection = of_send(self._send)
                if tell_asgi(self._send) is Told.HEADER:
                    headers.append((_CONNECTION, b"close"))
            message = {**message, "headers": headers}
        last = message["type"] == "http.response.body" and not message.get("more_body")
        if last and self._wants_receive:

            async def send(tasks: TaskGroup) -> None:
                tasks.start_soon(self._hear)
                await self._send(message)

            await in_tasks(send)
        else:
            await self._send(message)
        self._over = last

    async def _hear(self) -> None:
        """Receive what is left, and drop it."""
        with suppress(Exception):
            await BodyReader(self._receive).until_gone()
