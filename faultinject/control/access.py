"""Access to the control API: the token, and the names and addresses that are let in.

It reads heads alone, and answers nothing.
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
    """A token, and whether this process has made it up.

    Where several processes serve the app it is in a file that only this user can read, beside the directories in
    which they count; a later start removes it when the server has ended.

    Args:
        place: of the control API.

    Raises:
        ConfigurationError: they have no place for that file.
    """
    token = token_urlsafe(LENGTH)
    if not several_processes():
        return token, True
    try:
        if not hasattr(os, "geteuid"):  # pragma: no cover - Windows
            raise ConfigurationError("this system has no files for one user alone")
        path = private_path(f"control\n{place}", owner=common_process())
        return _agreed(path, token)
    except (OSError, ConfigurationError) as error:
        # If each worker made up a token, a client's would be wrong at every worker but one.
        why = f"the workers of this server cannot agree on a random token ({error}): set {TOKEN}"
        raise ConfigurationError(f"FAULTINJECT_CONTROL={place}: {why}") from error


def _agreed(path: str, token: str) -> tuple[str, bool]:
    """The token of a file in a directory of this user alone; the first process writes it."""
    from fcntl import LOCK_EX, flock  # Windows has none

    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as file:
        flock(file, LOCK_EX)
        agreed = file.read()
        if not agreed:
            file.write(token)
    return agreed or token, not agreed


ADDED_WORDS = frozenset(
    """
    addr address arr cf edge fly gateway hop hops https incap ip ips nf original originating peer proto real remote
    rewrite scheme ssl tls url via
    """.split()
)
"""Words of the names of headers that proxies add, about a request's source, form and way."""
ADDED_PARTS = (
    "akamai", "amzn", "appengine", "azure", "balancer", "cdn", "clientip", "cloudflare", "cloudfront",
    "envoy", "fastly", "forward", "haproxy", "ingress", "nginx", "proxied", "proxy", "realip", "sucuri",
    "traefik", "varnish", "vercel",
)  # fmt: skip
"""Parts of such names: words for handing on, and the names of proxies."""
_PORTS = {"http": "80", "https": "443"}
_HOST = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[\w.-]*\w)\.?)(?::(?P<port>[0-9]+))?")


class Access:
    """Decides on the access to the control API.

    Args:
        settings: of the environment.

    Attributes:
        tokens: of which each call must bring one, by the names of those who have them: the environment's, else a
            random one without a name, on which the workers of a server agree.
        own: whether this process has made it up.
        place: of the API, for messages.

    Raises:
        ConfigurationError: the workers cannot agree on a random token.
    """

    def __init__(self, settings: ControlSettings) -> None:
        self.tokens, self.own = settings.tokens, False
        if not self.tokens:
            token, self.own = random_token(settings.place)
            self.tokens = {"": token}
        self.place = settings.place
        self._remote = settings.remote
        self._digests = {name: _digest(token) for name, token in self.tokens.items()}
        # The address that it listens on by its settings cannot be another host's name.
        own = () if settings.host in ("", "0.0.0.0", "::") else (settings.host,)  # noqa: S104 - compared, not bound
        self._hosts = {*settings.hosts, *own}

    def check_host(self, host: str | None) -> None:
        """Refuse a request for a name that is not ours.

        A page of another site may have a name that was made to mean this machine.

        Raises:
            Refusal: with 421.
        """
        name = None if host is None else split_host(host)[0]
        if not name or not (is_loopback(name) or name in self._hosts):
            shown = visible(host or "")[:200] or "none"
            raise Refusal(421, f"the Host {shown} is not one of this control API; {HOSTS} names further ones")

    def check_client(self, client: str | None, headers: Mapping[str, str]) -> None:
        """Refuse a client that is not on this machine, unless such are allowed.

        A proxy's word about its clients is not believed; it only shows that there is a proxy.

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
            if is_added(name):
                raise Refusal(
                    403, f"the request came through a proxy ({name}); {REMOTE}=allow lets others in"
                )

    def check_site(self, site: str | None) -> None:
        """Refuse a request that a browser marks as one of a page of another origin.

        It counts where the browser sends no Origin, as for an image or a script.
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
        name, given = split_host(authority)
        ours, asked = split_host(host)
        if port is None or (name, given or port) != (ours, asked or port):
            raise Refusal(403, f"the Origin {visible(origin)[:200]} is not that of this control API")

    def check_token(self, authorization: str | None) -> str:
        """Refuse a call without a token, in a time that does not depend on the wrong token.

        Returns:
            The name of the token that it has; empty where tokens have none.

        Raises:
            Refusal: with 401.
        """
        scheme, _, token = (authorization or "").partition(" ")
        given = _digest(token.strip())
        right = [name for name, digest in self._digests.items() if hmac.compare_digest(given, digest)]
        if right and scheme.lower() == "bearer":
            return right[0]
        what = "the token is wrong" if authorization else "a token is missing"
        raise Refusal(
            401,
            f"{what}: send Authorization: Bearer TOKEN, with the token of {TOKEN} or of the server's log",
            headers={"WWW-Authenticate": 'Bearer realm="faultinject"'},
        )


def is_added(name: str) -> bool:
    """Whether a proxy adds headers of that name, which is in lower case.

    Then the connection is the proxy's, not the client's. Headers of browsers, which begin with `sec-`, are never set
    by anybody else.

    >>> names = ("via", "x-real-ip", "x_forwarded_for", "cf-ray", "postman-token", "origin", "zip")
    >>> [name for name in names if is_added(name)]
    ['via', 'x-real-ip', 'x_forwarded_for', 'cf-ray']
    """
    words = name.replace("_", "-").split("-")
    if words[0] == "sec":
        return False
    return not ADDED_WORDS.isdisjoint(words) or any(part in name for part in ADDED_PARTS)


def split_host(host: str) -> tuple[str, str]:
    """Name, in lower case, and port of a Host header; an invalid one has an empty name.

    >>> split_host("LocalHost.:8000"), split_host("[::1]:8"), split_host("::1"), split_host("user@localhost")
    (('localhost', '8000'), ('::1', '8'), ('', ''), ('', ''))
    """
    match = _HOST.fullmatch(host.strip().lower())
    return (match["address"] or match["name"], match["port"] or "") if match else ("", "")


def _digest(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "surrogateescape"), digest_size=32).digest()
