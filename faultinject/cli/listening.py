"""Sockets and servers: a WSGI app behind our own threads, an ASGI app behind uvicorn."""

from __future__ import annotations

import errno
import signal
import socket
from typing import TYPE_CHECKING, Any

from faultinject.exceptions import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    import uvicorn

    from faultinject.proxy.target import Target
    from faultinject.server.certificates import Certificate
    from faultinject.server.connections import Server

PROXY_IDLE = 600
"""Seconds of a connection without a request: it lasts as long as the server behind keeps its own."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        ConfigurationError: the address cannot be used; the message says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][4]
    except (socket.gaierror, UnicodeError):
        raise ConfigurationError(f"the host {host!r} cannot be resolved") from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise ConfigurationError(_refusal(host, port, error)) from None
    return sock


def control_refusal(host: str, port: int, error: OSError) -> ConfigurationError:
    """Why the control API cannot have its address."""
    if isinstance(error, socket.gaierror):
        return ConfigurationError(f"the host {host!r} cannot be resolved")
    return ConfigurationError(_refusal(host, port, error, "--control", "--control"))


def _refusal(
    host: str, port: int, error: OSError, port_option: str = "--port", host_option: str = "--host"
) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; choose another with {port_option}, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has; choose one from 1024 on with {port_option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; choose another with {host_option}"
    return f"{host} port {port} cannot be listened on: {error.strerror}"


def url_of(sock: socket.socket, scheme: str = "http") -> str:
    """The URL that a client on this machine uses."""
    host, port = sock.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def wsgi_server(app: Any, sock: socket.socket, certificate: Certificate | None = None) -> Server:
    """A threaded server on the socket, which it takes over; it keeps connections alive."""
    from faultinject.server.connections import Server

    return Server(app, sock=sock, context=None if certificate is None else certificate.context())


def uvicorn_server(app: Any, certificate: Certificate | None = None) -> uvicorn.Server:
    """An ASGI server that says nothing but warnings.

    Args:
        app: an ASGI app.
        certificate: what its connections are encrypted with, or None.

    Raises:
        MissingExtra: uvicorn is not installed.
    """
    try:
        from uvicorn import Config, Server
    except ImportError:
        from faultinject.installation import install_extra

        raise MissingExtra(f"an ASGI app is served by uvicorn: {install_extra('serve')}") from None
    from faultinject.server.connections import IDLE

    return Server(
        Config(
            app,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=int(IDLE),
            **_quiet(certificate),
        )
    )


def proxy_server(app: Any, target: Target, certificate: Certificate | None = None) -> uvicorn.Server:
    """A server of the proxy, which adds nothing of its own to an answer.

    Args:
        app: the proxy, with or without faults around it.
        target: the server behind.
        certificate: what its clients' connections are encrypted with, or None.

    Raises:
        MissingExtra: uvicorn, httptools or h11 is not installed.
    """
    try:
        from uvicorn import Config, Server

        from faultinject.proxy.front import front_of
    except ImportError:
        from faultinject.installation import install_extra

        raise MissingExtra(f"the proxy needs uvicorn and httptools: {install_extra('proxy')}") from None
    return Server(
        Config(
            app,
            http=front_of(target),
            ws="none",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=PROXY_IDLE,
            **_quiet(certificate),
        )
    )


def _quiet(certificate: Certificate | None) -> dict[str, Any]:
    """Nothing but warnings, and TLS where there is a certificate."""
    return {
        # uvloop cannot end encrypted connections that their client keeps: https://github.com/MagicStack/uvloop/issues/471
        "loop": "auto" if certificate is None else "asyncio",
        "log_level": "warning",
        "ssl_certfile": None if certificate is None else certificate.chain,
        "ssl_keyfile": None if certificate is None else certificate.key,
    }


def heed_interrupts() -> None:
    """Let Ctrl-C and `kill -INT` end the program also where a shell script started it in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def heed_endings() -> None:
    """Let the ways in which a service is told to end, SIGTERM and SIGHUP, be as Ctrl-C."""

    def end(_number: int, _frame: object) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    hangup = getattr(signal, "SIGHUP", None)
    if (
        hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    ):  # pragma: no branch - nohup ignores it
        signal.signal(hangup, end)


def in_thread(server: Server) -> None:
    """Run a server beside the program, until it is shut down or the program ends."""
    server.start()
