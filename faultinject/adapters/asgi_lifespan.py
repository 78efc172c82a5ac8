"""ASGI: the server says that it ends. Some are killed by a signal right behind that, so that nothing else tells."""

from __future__ import annotations

from faultinject.journal import endings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.types import Message, Send


def heeding(send: Send) -> Send:
    """`send` of a lifespan; before the app says that it has shut down, this process's journals say that it ends."""

    async def heed(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            endings.end(wait=False)
        await send(message)

    return heed
