"""How the proxy is served: uvicorn, which adds nothing of its own to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultinject.exceptions import MissingExtra

if TYPE_CHECKING:
    from uvicorn import Config

    from faultinject.adapters.types import ASGIApp
    from faultinject.server.certificates import Certificate

IDLE = 600
"""Seconds of a connection without a request: it lasts as long as the server behind keeps its own."""


def config(app: ASGIApp, certificate: Certificate | None = None) -> Config:
    """The settings of uvicorn.

    Args:
        app: the proxy, with or without faults around it.
        certificate: what clients' connections are encrypted with, or None.

    Raises:
        MissingExtra: uvicorn or httptools is not installed.
    """
    try:
        from uvicorn import Config

        from faultinject.proxy.front import Front
    except ImportError:
        from faultinject.installation import install_extra

        raise MissingExtra(f"the proxy is served by uvicorn with httptools: {install_extra('proxy')}") from None
    return Config(
        app,
        # uvloop cannot end encrypted connections that their client keeps: https://github.com/MagicStack/uvloop/issues/471
        loop="auto" if certificate is None else "asyncio",
        http=Front,
        ws="none",
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=IDLE,
        ssl_certfile=None if certificate is None else certificate.chain,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
