"""Access to the control API: the token, and the permitted host names and client addresses.

All checks need only the head of a request.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from hashlib import blake2b
from secrets import token_urlsafe

from faultinject.control.call import Refusal
from faultinject.counts.private import private_path
from faultinject.counts.processes import common_process, several_processes
from faultinject.exceptions import ConfigurationError
from faultinject.rules.control import HOSTS, REMOTE, TOKEN, ControlSettings, is_loopback
from faultinject.rules.values import visible

LENGTH = 32
"""Random bytes of a token."""


def random_token(place: str) -> tuple[str, bool]:
    """Make a random token, or read another worker's; return also whether this process made it.

    If several processes serve the app, the token is in a file that only this user can read. A later start of a server
    removes the file.

    Args:
        place: the place of the control API.

    Raises:
        ConfigurationError: the file cannot be made.
    """
    token = token_urlsafe(LENGTH)
    if not several_processes():
        return token, True
    try:
        if not hasattr(os, "geteuid"):  # pragma: no cover - Windows
            raise ConfigurationError("this system has no files for one user alone")
        path = private_path(f"control\n{place}", owner=common_process())
        return _agree_on_token(path, token)
    except (OSError, ConfigurationError) as error:
        # If each worker made its own token, a client's token would be right at one worker only.
        reason = f"the workers of this server cannot agree on a random token ({error}): set {TOKEN}"
        raise ConfigurationError(f"FAULTINJECT_CONTROL={place}: {reason}") from error


def _agree_on_token(path: str, token: str) -> tuple[str, bool]:
    """The token in a file that the workers share; the first of them writes it."""
    from fcntl import LOCK_EX, flock  # Windows has none

    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as file:
        flock(file, LOCK_EX)
        token_in_file = file.read()
        if not token_in_file:
            file.write(token)
    return token_in_file or token, not token_in_file


PROXY_HEADER_WORDS = frozenset(
    """
    addr address arr cf edge fly gateway hop hops https incap ip ips nf original originating peer proto real remote
    rewrite scheme ssl tls url via
    """.split()
)
"""Words in the names of headers that proxies add, such as `real` and `ip` in `x-real-ip`."""
PROXY_HEADER_PARTS = (
    "akamai", "amzn", "appengine", "azure", "balancer", "cdn", "clientip", "cloudflare", "cloudfront",
    "envoy", "fastly", "forward", "haproxy", "ingress", "nginx", "proxied", "proxy", "realip", "sucuri",
    "traefik", "varnish", "vercel",
)  # fmt: skip
"""Parts of the names of headers that proxies add, such as `forward`, and names of proxies."""
_PORTS = {"http": "80", "https": "443"}
_HOST = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[\w.-]*\w)\.?)(?::(?P<port>[0-9]+))?")


class Access:
    """Decides on the access to the control API.

    Args:
        settings: the settings of the environment.

    Attributes:
        tokens: the accepted tokens, by the names of their owners. The environment gives them; otherwise the workers of
            a server agree on a random one, whose name is empty.
        made_token: whether this process made the random token.
        place: the place of the API, for messages.

    Raises:
        ConfigurationError: the workers cannot agree on a random token.
    """

    def __init__(self, settings: ControlSettings) -> None:
        self.tokens, self.made_token = settings.tokens, False
        if not self.tokens:
            token, self.made_token = random_token(settings.place)
            self.tokens = {"": token}
        self.place = settings.place
        self._remote = settings.remote
        self._digests = {name: _digest(token) for name, token in self.tokens.items()}
        # The configured address to listen on is a name of the API, too.
        named = () if settings.host in ("", "0.0.0.0", "::") else (settings.host,)  # noqa: S104 - compared, not bound
        self._hosts = {*settings.hosts, *named}

    def check_host(self, host: str | None) -> None:
        """Refuse a request for another host name.

        The owner of another site may have pointed its name to this machine (DNS rebinding).

        Raises:
            Refusal: with 421.
        """
        name = None if host is None else split_host(host)[0]
        if not name or not (is_loopback(name) or name in self._hosts):
            shown = visible(host or "")[:200] or "none"
            raise Refusal(421, f"the Host {shown} is not one of this control API; {HOSTS} names further ones")

    def check_client(self, client: str | None, headers: Mapping[str, str]) -> None:
        """Refuse a client that is not on this machine, unless remote clients are allowed.

        Headers of a proxy only show that there is a proxy; the client's address in them is not trusted.

        Raises:
            Refusal: with 403.
        """
        if self._remote:
            return
        if client is None:
            raise Refusal(
                403, f"the server does not tell the client's address; {REMOTE}=allow lets anybody in"
            )
        if not is_loopback(client):
            raise Refusal(403, f"{visible(client)} is not on this machine; {REMOTE}=allow lets others in")
        for name in headers:
            if is_proxy_header(name):
                raise Refusal(
                    403, f"the request came through a proxy ({name}); {REMOTE}=allow lets others in"
                )

    def check_site(self, site: str | None) -> None:
        """Refuse a request that a browser marks as sent by a page of another origin.

        This covers requests without an Origin, such as for an image or a script.
        https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header

        Raises:
            Refusal: with 403.
        """
        if site is not None and site not in ("same-origin", "none"):
            raise Refusal(403, f"a page of another origin asks (Sec-Fetch-Site: {visible(site)[:200]})")

    def check_origin(self, origin: str | None, host: str) -> None:
        """Refuse a request of a page of another origin.

        Raises:
            Refusal: with 403.
        """
        if origin is None:
            return
        scheme, _, authority = origin.partition("://")
        port = _PORTS.get(scheme)
        name, port_given = split_host(authority)
        name_asked, port_asked = split_host(host)
        if port is None or (name, port_given or port) != (name_asked, port_asked or port):
            raise Refusal(403, f"the Origin {visible(origin)[:200]} is not that of this control API")

    def check_token(self, authorization: str | None) -> str:
        """Refuse a call without a valid token; the comparison takes the same time for any token.

        Returns:
            The name of the token; empty if tokens have no names.

        Raises:
            Refusal: with 401.
        """
        scheme, _, token = (authorization or "").partition(" ")
        digest_given = _digest(token.strip())
        owners = [name for name, digest in self._digests.items() if hmac.compare_digest(digest_given, digest)]
        if owners and scheme.lower() == "bearer":
            return owners[0]
        problem = "the token is wrong" if authorization else "a token is missing"
        raise Refusal(
            401,
            f"{problem}: send Authorization: Bearer TOKEN, with the token of {TOKEN} or of the server's log",
            headers={"WWW-Authenticate": 'Bearer realm="faultinject"'},
        )


def is_proxy_header(name: str) -> bool:
    """Whether proxies add a header of this name, which is in lower case.

    A request with such a header comes on a connection of the proxy, not of the client. Only browsers set headers that
    begin with `sec-`.

    >>> names = ("via", "x-real-ip", "x_forwarded_for", "cf-ray", "postman-token", "origin", "zip")
    >>> [name for name in names if is_proxy_header(name)]
    ['via', 'x-real-ip', 'x_forwarded_for', 'cf-ray']
    """
    words = name.replace("_", "-").split("-")
    if words[0] == "sec":
        return False
    return not PROXY_HEADER_WORDS.isdisjoint(words) or any(part in name for part in PROXY_HEADER_PARTS)


def split_host(host: str) -> tuple[str, str | None]:
    """Split a Host header into its name, in lower case, and its port; no name if it is invalid.

    >>> split_host("LocalHost.:8000"), split_host("[::1]:8"), split_host("::1"), split_host("user@localhost")
    (('localhost', '8000'), ('::1', '8'), ('', None), ('', None))
    """
    match = _HOST.fullmatch(host.strip().lower())
    return (match["address"] or match["name"], match["port"]) if match else ("", None)


def _digest(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "surrogateescape"), digest_size=32).digest()
