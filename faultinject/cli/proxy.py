"""`faultinject proxy`: puts faults in front of any HTTP server."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address
from socket import SOCK_STREAM, getaddrinfo
from typing import Any

from faultinject.cli.rules import dialect_of
from faultinject.cli.serve import Served, serve_with_faults
from faultinject.exceptions import ConfigurationError
from faultinject.proxy.app import Proxy
from faultinject.proxy.client import proxy_server
from faultinject.proxy.target import Target
from faultinject.rules.control import is_loopback
from faultinject.rules.environment import Environment
from faultinject.rules.vocabulary import reading_as


def proxy(*, url: str, vendor: str | None, rewrite_host: bool, host: str, port: int, **given: Any) -> int:
    """Serve the proxy, and return the exit code."""
    target = Target(url)
    if target.port == port:
        _refuse_itself(target, host)
    dialect = dialect_of(vendor, target.host)

    def load(_: Environment) -> Served:
        served = Proxy(target, rewrite_host=rewrite_host)
        return served, f"in front of {target.url}", partial(proxy_server, target=target)

    with reading_as(dialect):
        return serve_with_faults(load, dialect or "s3", host=host, port=port, instead=target.url, **given)


def _refuse_itself(target: Target, host: str) -> None:
    """Refuse a target that is an address of this proxy.

    Raises:
        ConfigurationError: the target is this proxy.
    """
    try:
        ours, theirs = (
            {str(address[4][0]) for address in getaddrinfo(name, target.port, type=SOCK_STREAM)}
            for name in (host, target.host)
        )
    except (OSError, UnicodeError):  # a wrong name is reported later, when the proxy listens or connects
        return
    everywhere = any(ip_address(address).is_unspecified for address in ours)
    if ours & theirs or (everywhere and any(map(is_loopback, theirs))):
        raise ConfigurationError(
            f"--to {target.url} is this proxy itself; choose another port for it with --port, or 0 for any"
            " free one"
        )
