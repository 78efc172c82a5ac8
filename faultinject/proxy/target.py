"""The server behind the proxy, as `--to` names it."""

from __future__ import annotations

import re

from faultinject.exceptions import ConfigurationError

PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[\da-f:.]+\]|[\w~-]+(\.[\w~-]+)*\.?)(:(?P<port>\d{1,5}))?/?",
    re.IGNORECASE,
)


class Target:
    """Where requests go on to; one for the life of the proxy.

    Args:
        url: `http://HOST[:PORT]` or `https://HOST[:PORT]`, without a path: signatures hold for the path that was signed.

    Attributes:
        host: a name or address.
        port: of the server.
        tls: whether TLS is spoken to it, and its certificate verified.

    Raises:
        ConfigurationError: it names no such server.
    """

    def __init__(self, url: str) -> None:
        found = _URL.fullmatch(url)
        scheme = found["scheme"].lower() if found else "http"
        port = int(found["port"] or PORTS[scheme]) if found else 0
        if found is None or not 0 < port < 65536:
            # It is not shown: a password or a signature may be in it.
            raise ConfigurationError(
                "--to: this is not the URL of a server, such as http://127.0.0.1:9000. Give its scheme, host and port, and nothing"
                " else: requests keep their own path, which is signed, and their own credentials"
            )
        self.scheme = scheme
        self.host = found["host"].strip("[]").lower()
        self.port = port
        self.tls = scheme == "https"

    @property
    def authority(self) -> str:
        """The Host of requests that are made for it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The server, without a slash at the end."""
        return f"{self.scheme}://{self.authority}"

    def serves(self, authority: str) -> bool:
        """Whether a client that asks for this host and port means the server: the host, or one below it, as buckets are."""
        host, bracket, _ = authority.rpartition("@")[2].lower().partition("]")
        host = host.removeprefix("[") if bracket else host.partition(":")[0]
        return host == self.host or host.endswith(f".{self.host}")
