"""The server behind the proxy, as `--to` names it."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import urlsplit

from faultinject.exceptions import ConfigurationError
from faultinject.rules.values import shown

PORTS = {"http": 80, "https": 443}
EXAMPLE = "http://127.0.0.1:9000"
_NAME = re.compile(r"[\w~-]+(\.[\w~-]+)*\.?")
_ADDRESS = re.compile(r"(\[[\da-fA-F:.]+\]|[\w.~-]+):\d+")
_BLANKS = re.compile(r"[\x00-\x20\x7f]")


class Target:
    """The server to which the proxy forwards all requests.

    Args:
        url: `http://HOST[:PORT]` or `https://HOST[:PORT]`, without a path, since a changed path would break
            signatures.

    Attributes:
        host: the server's name or address.
        port: the server's port.
        tls: whether to speak TLS, with a verified certificate.

    Raises:
        ConfigurationError: the URL names no such server.
    """

    def __init__(self, url: str) -> None:
        option = f"--to {shown(_without_secrets(url))}"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        host_is_valid = ":" in host or _NAME.fullmatch(host)
        if parts.scheme not in PORTS or port == 0 or not host_is_valid or _BLANKS.search(url):
            raise ConfigurationError(
                f"{option}: no host and port can be read from this URL; a valid one looks like {EXAMPLE}"
                if url.partition("://")[0].lower() in PORTS
                else f"{option} is not the URL of a server, such as {EXAMPLE}{_nearest(url)}"
            )
        if parts.username is not None or parts.password is not None:
            raise ConfigurationError(
                f"{option}: leave out the part before the @; requests keep their own credentials"
            )
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ConfigurationError(
                f"{option}: leave out the part after the host; requests keep their own path, which is signed"
            )
        self.scheme = parts.scheme
        self.host = host
        self.port = PORTS[parts.scheme] if port is None else port
        self.tls = parts.scheme == "https"

    @property
    def authority(self) -> str:
        """The server's own Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The server's URL, without a slash at the end."""
        return f"{self.scheme}://{self.authority}"

    def serves(self, authority: str) -> bool:
        """Whether this host is the server's, or a subdomain of it, such as a bucket's."""
        host, bracket, _ = authority.rpartition("@")[2].lower().partition("]")
        host = host.removeprefix("[") if bracket else host.partition(":")[0]
        return host == self.host or host.endswith(f".{self.host}")


def _without_secrets(url: str) -> str:
    """Shorten a URL for messages: without password and query, which may hold a signature."""
    bare = url.rpartition("@")[2]
    start = re.split(r"[?#]", bare, maxsplit=1)[0]
    return start if start == bare else f"{start}{bare[len(start)]}..."


def _nearest(url: str) -> str:
    """Suggest a URL for an address without a scheme; empty if it is not a valid address."""
    address = _without_secrets(url).partition("/")[0]
    if _ADDRESS.fullmatch(address):
        with suppress(ConfigurationError):
            return f"; did you mean {Target(f'http://{address}').url}?"
    return ""
