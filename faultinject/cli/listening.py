"""Sockets and servers."""

from __future__ import annotations

import errno
import signal
import socket
from typing import TYPE_CHECKING, Any

from faultinject.exceptions import ConfigurationError
from faultinject.server.bounds import LIMITS, Limits
from faultinject.server.certificates import Certificate
from faultinject.server.connections import OURS, listening_socket, uvicorn_for

if TYPE_CHECKING:
    import uvicorn


def listen(host: str, port: int, port_option: str = "--port", host_option: str = "--host") -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Args:
        host: a name or an address.
        port: the port.
        port_option: the user's option for the port.
        host_option: the user's option for the host.

    Raises:
        ConfigurationError: the address cannot be used; the message says why.
    """
    try:
        return listening_socket(host, port)
    except (socket.gaierror, UnicodeError):
        raise ConfigurationError(f"the host {host!r} cannot be resolved") from None
    except OSError as error:
        raise ConfigurationError(_refusal(host, port, error, port_option, host_option)) from None


def _refusal(host: str, port: int, error: OSError, port_option: str, host_option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; choose another with {port_option}, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this user has; choose one from 1024 on with {port_option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; choose another with {host_option}"
    return f"{host} port {port} cannot be listened on: {error.strerror}"


def uvicorn_server(
    app: Any, certificate: Certificate | None = None, limits: Limits = LIMITS, **options: Any
) -> uvicorn.Server:
    """A uvicorn server of an ASGI app that logs only warnings.

    Args:
        app: the app.
        certificate: the certificate for TLS; None: the server does not speak TLS.
        limits: the limits of its connections.
        options: further options of uvicorn.

    Raises:
        MissingExtraError: uvicorn is not installed.
    """
    context = None if certificate is None else certificate.context
    return uvicorn_for(app, context, limits, log_level="warning", access_log=False, **options)


def wsgi_server(app: Any, **given: Any) -> uvicorn.Server:
    """As `uvicorn_server`, for a WSGI app."""
    from faultinject.server.bridge import Bridge

    return uvicorn_server(Bridge(app), **OURS, **given)


def handle_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP interrupt the program as Ctrl-C does.

    A shell script ignores SIGINT for a program in the background: that is undone, too.
    """

    def end(_number: int, _frame: object) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, end)
    hangup = getattr(signal, "SIGHUP", None)
    if (
        hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    ):  # pragma: no branch - nohup ignores it
        signal.signal(hangup, end)
