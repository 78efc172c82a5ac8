"""Sockets and servers."""

from __future__ import annotations

import errno
import signal
import socket
from typing import TYPE_CHECKING, Any

from faultinject.exceptions import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

    from faultinject.server.certificates import Certificate
    from faultinject.server.connections import Server


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
    # asyncio sends small answers at once on connections of a socket that is said to be of TCP.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def wsgi_server(app: Any, sock: socket.socket) -> Server:
    """A server on the socket, which it takes over, on a thread of its own."""
    from faultinject.server.connections import Server

    return Server(app, sock=sock)


def uvicorn_server(app: Any, interface: str, certificate: Certificate | None = None) -> uvicorn.Server:
    """A server that says nothing but warnings.

    Args:
        app: what answers.
        interface: `wsgi` or `asgi`.
        certificate: what its connections are encrypted with, or None.

    Raises:
        MissingExtra: uvicorn or httptools is not installed.
    """
    from faultinject.server.connections import uvicorn_for

    context = None if certificate is None else certificate.context()
    return uvicorn_for(app, interface, context, log_level="warning")


def heed_interrupts() -> None:
    """Let Ctrl-C and `kill -INT` end the program also where a shell script started it in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def install_sigterm_handler() -> None:
    """Let the ways in which a service is told to end, SIGTERM and SIGHUP, be as Ctrl-C."""

    def end(_number: int, _frame: object) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    hangup = getattr(signal, "SIGHUP", None)
    if (
        hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    ):  # pragma: no branch - nohup ignores it
        signal.signal(hangup, end)
