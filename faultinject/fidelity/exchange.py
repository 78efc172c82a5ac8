"""One request and its answer, with bounds on everything: time, headers, bytes of the body."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from faultinject.exceptions import ConfigurationError

LARGEST = 256 << 10
"""Bytes of an answer's body that are read; an error has less."""
AGENT = "faultinject-fidelity"

Pairs = Sequence[tuple[str, str]]


class NoAnswer(Exception):
    """A request that got none; the text says why, in words of its own and not the service's.

    Attributes:
        sent: whether the service may have got the request.
    """

    def __init__(self, why: str, *, sent: bool = True) -> None:
        super().__init__(why)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service listens.

    Attributes:
        scheme: http or https.
        host: its name or address.
        port: its port.
        path: what stands before every path: `/devstoreaccount1`, or nothing.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """As a URL."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def is_private(self) -> bool:
        """Whether nobody else can read what is sent there: TLS, or this machine."""
        return self.scheme == "https" or self.host in ("localhost", "::1") or self.host.startswith("127.")


def endpoint_of(url: str) -> Endpoint:
    """The endpoint of a URL.

    Raises:
        ConfigurationError: it is no URL of HTTP, or has more than host, port and path.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            "--endpoint: a URL with a name or a password; give credentials by the environment"
        )
    plain = url.isascii() and url.isprintable() and " " not in url
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
        or not plain
    ):
        raise ConfigurationError(f"--endpoint: {url!r} is not a URL such as http://127.0.0.1:9000")
    return Endpoint(
        parts.scheme,
        parts.hostname,
        port or {"http": 80, "https": 443}[parts.scheme],
        parts.path.rstrip("/"),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status.
        headers: in order, as they came.
        body: the first bytes of the body, at most `LARGEST`.
    """

    status: int
    headers: Pairs
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), None)

    @property
    def good(self) -> bool:
        """Whether the request was accepted."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, as it was sent, and its answer.

    Attributes:
        method: the method.
        target: path and query as they were sent.
        headers: the request's.
        length: bytes of its body.
        answer: what came back.
    """

    method: str
    target: str
    headers: Pairs
    length: int
    answer: Answer


def send(
    endpoint: Endpoint, method: str, target: str, headers: Pairs, body: bytes, *, timeout: float
) -> Exchange:
    """Send one request over a connection of its own.

    Args:
        endpoint: where.
        method: the method.
        target: path and query as they go over the wire.
        headers: all of them, Host and Content-Length too: nothing is added.
        body: its bytes.
        timeout: seconds in which all of it must be over.

    Raises:
        NoAnswer: there was none in that time, or it was no HTTP.
    """
    connection = _connection(endpoint, timeout)
    # A time-out of the socket bounds a single read; an answer that drips needs the end of all of them.
    late = threading.Event()
    alarm = threading.Timer(timeout, _cut, [connection, late])
    alarm.daemon = True
    alarm.start()
    sent = False
    try:
        connection.connect()
        if late.is_set():  # before there was a connection to cut: its name was long looked for
            raise TimeoutError
        sent = True
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode("latin-1", "replace"))
        # A service may answer before it has read everything, and close.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(body or None)
        response = connection.getresponse()
        data = b"" if method == "HEAD" else response.read(LARGEST)
        answer = Answer(response.status, tuple(response.getheaders()), data)
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise NoAnswer(_why(error, timeout, late=late.is_set()), sent=sent) from None
    finally:
        alarm.cancel()
        connection.close()
    if late.is_set():  # what came is not all of it
        raise NoAnswer(_why(TimeoutError(), timeout, late=True))
    return Exchange(method, target, tuple(headers), len(body), answer)


def _why(error: Exception, timeout: float, *, late: bool) -> str:
    if late or isinstance(error, TimeoutError):
        return f"no answer within {timeout:.3g} s"
    if isinstance(error, OSError):  # RemoteDisconnected, too, and it has no such text
        return f"no answer: {error.strerror or type(error).__name__}"
    return f"the answer is no HTTP ({type(error).__name__})"


def _connection(endpoint: Endpoint, timeout: float) -> http.client.HTTPConnection:
    if endpoint.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    with suppress(OSError, AttributeError):  # there is no socket yet
        connection.sock.shutdown(socket.SHUT_RDWR)
