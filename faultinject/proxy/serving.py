"""What serves the proxy."""

from __future__ import annotations

from functools import partial

from uvicorn import Config, Server

from faultinject.proxy.front import Front

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.proxy.target import Target
    from faultinject.server.certificates import Certificate


def proxy_server(
    app: Any, target: Target, certificate: Certificate | None = None, *, within: int = 2
) -> Server:
    """A server of the proxy, which adds nothing of its own to an answer, and says nothing but warnings.

    Args:
        app: the proxy, with or without faults around it.
        target: the server behind.
        certificate: what its clients' connections are encrypted with, or None.
        within: seconds that requests under way may take when it ends.
    """
    app.never_faulted = True  # by `run`: its faults are its own
    return Server(
        Config(
            app,
            http=partial(Front, target),  # type: ignore[arg-type]  # what makes a protocol
            # uvloop cannot end encrypted connections that their client keeps: https://github.com/MagicStack/uvloop/issues/471
            loop="auto" if certificate is None else "asyncio",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            log_level="warning",
            timeout_graceful_shutdown=within,
            ssl_certfile=None if certificate is None else certificate.chain,
            ssl_keyfile=None if certificate is None else certificate.key,
        )
    )
