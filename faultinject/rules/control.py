"""The environment's settings of the control API: its place, and its permitted clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from faultinject.rules.diagnosis import Diagnosis
from faultinject.rules.values import Mistake, shown
from faultinject.rules.variables import value_of

CONTROL = "FAULTINJECT_CONTROL"
TOKEN = "FAULTINJECT_TOKEN"  # noqa: S105 - a variable's name
HOSTS = "FAULTINJECT_CONTROL_HOSTS"
REMOTE = "FAULTINJECT_CONTROL_REMOTE"
_EXAMPLES = "a path such as /_faultinject or an address such as 127.0.0.1:8765"
LEAST, LEAST_REMOTE = 8, 16
"""The fewest characters of a token, and the fewest if other machines can reach the API."""
_NAMED = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}=[^=]")
_SEGMENT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


@dataclass(slots=True, kw_only=True)
class ControlSettings:
    """The place of the control API, and its permitted clients.

    Attributes:
        path: the path below the wrapped app, such as `/_faultinject`; empty if the API has an address of its own.
        host: the name or IP address to listen on; empty if the API is below a path.
        port: the port to listen on; 0 takes a free one.
        tokens: the accepted tokens by the names of their owners; one without a name has the empty name. Without tokens
            a random one is made.
        hosts: more host names of the API, in lower case.
        remote: whether clients that are not on loopback may use it.
    """

    path: str
    host: str
    port: int
    tokens: dict[str, str] = field(repr=False)
    hosts: tuple[str, ...]
    remote: bool

    @property
    def place(self) -> str:
        """The path, or `HOST:PORT`; it never has the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


def read_control(place: str, environ: Mapping[str, str], diagnosis: Diagnosis) -> ControlSettings:
    """The settings of the control API; mistakes go into `diagnosis`.

    Args:
        place: the value of FAULTINJECT_CONTROL.
        environ: the other variables.
        diagnosis: gets the mistakes.
    """
    path, host, port = "", "", 0
    try:
        if place[0] == "/":
            path = read_path(place)
        else:
            host, port = read_address(place)
    except Mistake as mistake:
        diagnosis.note(mistake, CONTROL)
    hosts = _hosts(value_of(environ, HOSTS) or "", diagnosis)
    remote = value_of(environ, REMOTE)
    if remote is not None and remote.lower() != "allow":
        diagnosis.add(f"{shown(remote)} is not allow", REMOTE)
    named_tokens = read_tokens(value_of(environ, TOKEN) or "")
    settings = ControlSettings(
        path=path, host=host, port=port, tokens=dict(named_tokens), hosts=hosts, remote=remote is not None
    )
    if not all(_NAMED.match(f"{name or 'a'}={token}") for name, token in named_tokens):
        diagnosis.add(
            "each name has a token, as in alice=…,bob=…, and a token in such a list has no comma", TOKEN
        )
        named_tokens = []
    for name, token in named_tokens:
        _check_token(token, diagnosis, f"{TOKEN}: {name}" if name else TOKEN, remote=settings.remote)
    if len(settings.tokens) < len(named_tokens) or len({*settings.tokens.values()}) < len(named_tokens):
        diagnosis.add("a name or a token is there twice", TOKEN)
    if host and not settings.remote and not is_loopback(host):
        diagnosis.add(
            f"{shown(host)} is not loopback, so others could reach it:"
            f" use 127.0.0.1:{port}, or set {REMOTE}=allow",
            CONTROL,
        )
    return settings


def read_path(text: str) -> str:
    """The path below which the API is.

    Raises:
        Mistake: it is not such a path.

    >>> read_path("/_faultinject/")
    '/_faultinject'
    """
    path = text.rstrip("/")
    if not path:
        raise Mistake("/ would be the whole app; use a path such as /_faultinject")
    segments = path[1:].split("/")
    if not all(segments) or not _SEGMENT.issuperset(path.replace("/", "")) or {".", ".."} & {*segments}:
        raise Mistake(
            f"{shown(text)}: a path has letters, digits and the signs - . _ ~ between its slashes,"
            " such as /_faultinject"
        )
    return path


def read_address(text: str) -> tuple[str, int]:
    """Host and port to listen on.

    Raises:
        Mistake: the host or the port is wrong.

    >>> read_address("127.0.0.1:8765"), read_address("[::1]:8765")
    (('127.0.0.1', 8765), ('::1', 8765))
    """
    if "://" in text:
        rest = text.partition("://")[2].rstrip("/")
        raise Mistake(f"{shown(text)} is a URL; did you mean {shown(rest)}?")
    host, colon, port = text.rpartition(":")
    if not colon:
        if text.isascii() and text.isdecimal():
            raise Mistake(
                f"{shown(text)} is neither a path nor an address; did you mean 127.0.0.1:{shown(text)}?"
            )
        if is_loopback(text):
            raise Mistake(f"{shown(text)} has no port; did you mean {shown(text)}:8765?")
        near = f"did you mean /{text}?" if _SEGMENT.issuperset(text) else f"give {_EXAMPLES}"
        raise Mistake(f"{shown(text)} is neither a path nor an address; {near}")
    if not host:
        raise Mistake(f"{shown(text)} has no host; did you mean 127.0.0.1{shown(text)}?")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65536):
        raise Mistake(f"{shown(port)} is not a port, 0 to 65535")
    if host[0] == "[" and host[-1] == "]":
        host = host[1:-1]
    elif ":" in host:
        raise Mistake(f"{shown(text)}: an IPv6 address stands in brackets, such as [::1]:8765")
    if not _is_host(host):
        raise Mistake(f"{shown(host)} is neither a name nor an IP address; give {_EXAMPLES}")
    return host.lower(), int(port)


def is_loopback(host: str) -> bool:
    """Whether a name or an IP address means this machine alone.

    >>> names = ("127.0.0.2", "::1", "localhost", "::ffff:127.0.0.1", "0.0.0.0", "example.com")
    >>> [is_loopback(name) for name in names]
    [True, True, True, True, False, False]
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return bool(ip_address(host))
        except ValueError:
            return False
    labels = host.rstrip(".").split(".")
    return host.isascii() and all(label.replace("-", "").replace("_", "").isalnum() for label in labels)


def read_tokens(text: str) -> list[tuple[str, str]]:
    """Split `NAME=TOKEN,NAME=TOKEN` into names and tokens; a single token may have no name.

    >>> read_tokens("open-sesame"), read_tokens("alice=open-sesame,bob=shut-sesame")
    ([('', 'open-sesame')], [('alice', 'open-sesame'), ('bob', 'shut-sesame')])

    A token in base64 may end with equals signs:

    >>> read_tokens("b3Blbg==")
    [('', 'b3Blbg==')]
    """
    if _NAMED.match(text):
        parts = [part.partition("=") for part in text.split(",")]
        return [(name.strip(), token) for name, _, token in parts]
    return [("", text)] if text else []


def _check_token(text: str, diagnosis: Diagnosis, where: str, *, remote: bool) -> None:
    # A message about a wrong token must not hold the token: it ends up in logs.
    if not (text.isascii() and text.isprintable()) or " " in text:
        diagnosis.add("a token has only visible ASCII characters, and no blank", where)
    elif len(text) > 1024:
        diagnosis.add("a token has at most 1024 characters", where)
    elif len(text) < (LEAST_REMOTE if remote else LEAST):
        diagnosis.add(
            f"a token has at least {LEAST} characters, with {REMOTE}=allow {LEAST_REMOTE}: leave it out,"
            " and the log says a random one, or make one by"
            ' python -c "import secrets; print(secrets.token_urlsafe())"',
            where,
        )


def _hosts(text: str, diagnosis: Diagnosis) -> tuple[str, ...]:
    hosts = []
    for word in text.replace(",", " ").split():
        host = word.lower().removesuffix(".")
        if host[:1] == "[" and host[-1:] == "]":
            host = host[1:-1]
        if not _is_host(host):
            name = host.partition("://")[2].partition("/")[0] or host
            name = name.partition(":")[0]
            hint = f"; did you mean {name}?" if name != host and _is_host(name) else ""
            diagnosis.add(
                f"{shown(word)} is not a host such as staging.example.com, without scheme, port and *{hint}",
                HOSTS,
            )
        hosts.append(host)
    return tuple(hosts)
