"""The URL of a store on a Redis or Valkey server: where it is, how to log in, and below which prefix its keys are."""

from __future__ import annotations

from faultinject.rules.values import Mistake, most_like, shown

TCP, TLS, UNIX = ("redis", "valkey"), ("rediss", "valkeys"), ("unix",)
SCHEMES = (*TCP, *TLS, *UNIX)
PORT = 6379
PREFIX = "faultinject"
LONGEST = 64
"""Characters of a prefix."""
_OPTIONS = ("prefix", "replace", "ca", "db")
_EXAMPLE = "redis://localhost:6379/0"


class RedisURL:
    """What such a URL says.

    Attributes:
        host: a name or address; empty for a socket.
        port: of the server.
        path: of a Unix socket; empty for a host.
        db: the number of the database.
        username: empty where none was given.
        password: empty where none was given.
        tls: whether the connection is encrypted.
        ca: the file of the certificates that the server's is checked by; empty for the system's.
        prefix: what each key begins with.
        replace: whether these rules take the place of others below that prefix.
        shown: the store as a log may have it: no password, no options.
    """

    __slots__ = (
        "ca",
        "db",
        "host",
        "password",
        "path",
        "port",
        "prefix",
        "replace",
        "shown",
        "tls",
        "username",
    )

    def __init__(self) -> None:
        self.host = self.path = self.username = self.password = self.ca = self.shown = ""
        self.port = PORT
        self.db = 0
        self.prefix = PREFIX
        self.tls = self.replace = False


def is_redis(store: str) -> bool:
    """Whether a store is on such a server, by its scheme."""
    return store.partition(":")[0] in SCHEMES and ":" in store


def read_redis(text: str) -> RedisURL:
    """What the URL of a store says.

    Raises:
        Mistake: what is wrong with it; the message holds no password.

    >>> url = read_redis("redis://:secret@cache:6380/2?prefix=staging")
    >>> url.host, url.port, url.db, url.prefix, url.shown
    ('cache', 6380, 2, 'staging', 'redis://cache:6380/2')
    """
    from urllib.parse import parse_qsl, unquote, urlsplit

    told = shown(without_password(text))
    scheme, slashes, _ = text.partition("://")
    if not slashes:
        raise Mistake(f"{told}: behind {scheme.partition(':')[0]}: comes //, such as {_EXAMPLE}")
    found = RedisURL()
    try:
        parts = urlsplit(text)
        found.port = parts.port or PORT
    except ValueError:
        raise Mistake(f"{told}: no host and port can be read from it; it looks like {_EXAMPLE}") from None
    found.username, found.password = unquote(parts.username or ""), unquote(parts.password or "")
    found.tls = scheme in TLS
    db = "" if scheme in UNIX else parts.path.strip("/")
    if scheme in UNIX:
        found.path = unquote(parts.path)
        if parts.hostname or found.path in ("", "/"):
            raise Mistake(
                f"{told} needs the path of a socket behind three slashes, such as unix:///run/redis.sock"
            )
        found.shown = f"unix://{found.path}"
    else:
        found.host = unquote(parts.hostname or "")
        if "@" in db:
            raise Mistake(_signs(told))
        if not found.host:
            raise Mistake(f"{told} names no host; it looks like {_EXAMPLE}")
        if not _is_host(found.host):
            raise Mistake(f"{told}: {shown(found.host)} cannot be the name of a host")
        host = f"[{found.host}]" if ":" in found.host else found.host
        found.shown = f"{scheme}://{host}:{found.port}"
    if parts.fragment:
        raise Mistake(f"{told}: nothing stands behind #; write %23 for one in a password")
    if "@" in parts.query:
        raise Mistake(_signs(told))
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "db" and scheme in UNIX:
            db = value
        elif name == "prefix":
            found.prefix = value
        elif name == "replace" and not value:
            found.replace = True
        elif name == "ca" and found.tls and value:
            found.ca = value
        else:
            raise Mistake(_option(told, scheme, name))
    if db:
        if not (db.isascii() and db.isdecimal() and len(db) < 6):
            raise Mistake(f"{told}: a database is a number, not {shown(db)}")
        found.db = int(db)
    if not _is_prefix(found.prefix):
        raise Mistake(
            f"{told}: a prefix is of 1 to {LONGEST} letters, digits and the signs . _ : -, not {shown(found.prefix)}"
        )
    found.shown = shown(found.shown if scheme in UNIX else f"{found.shown}/{found.db}")
    return found


def without_password(text: str) -> str:
    """A store as a log may have it: whatever may be a password is left out, also where the text is no URL.

    >>> without_password("redis://user:secret@cache:6380/2?prefix=staging&pass=secret")
    'redis://…@cache:6380/2?prefix=staging&pass=…'
    """
    before, at, place = text.rpartition("@")
    scheme, colon, rest = (before or place).partition(":")
    if not colon:
        scheme, rest = "", scheme
    start = f"{scheme}{colon}{'//' if rest.startswith('//') else ''}"
    if at:
        if "?" in before:  # is it a password of which a part stands behind the @, or an option?
            return f"{start}…"
        start += "…@" if f"{scheme}{colon}{rest}" != start else at
    else:
        place = rest.removeprefix("//")
    place, mark, options = place.partition("?")
    place, sharp, _ = place.partition("#")
    options, other_sharp, _ = options.partition("#")
    host, slash, path = place.partition("/")
    name, colon, port = host.rpartition(":")
    if colon and not at and (not name or not port.isdecimal()):
        host = f"{name}:…"
    kept = "&".join(map(_without_secret, options.split("&")))
    return f"{start}{host}{slash}{path}{mark}{kept}{'#…' if sharp or other_sharp else ''}"


def _without_secret(option: str) -> str:
    name, equals, _ = option.partition("=")
    return option if name in _OPTIONS or not equals else f"{name}=…"


def _option(told: str, scheme: str, name: str) -> str:
    """What is wrong with an option."""
    if name == "replace":
        return f"{told}: replace has no value: ?replace"
    if name == "ca":
        wrong = "needs a file: ?ca=ca.pem" if scheme in TLS else "is for rediss:, the encrypted one"
        return f"{told}: ca {wrong}"
    if name == "db":
        return f"{told}: the database is the path: {_EXAMPLE}"
    if name in ("password", "username"):
        return f"the {name} of a store stands before its host: {scheme}://USERNAME:PASSWORD@…"
    near = most_like(name, _OPTIONS)
    return f"{told}: no option is called {shown(name)}" + (
        f"; did you mean {near}?" if near else "; the options are prefix, replace and, with rediss:, ca"
    )


def _signs(told: str) -> str:
    return f"{told}: the signs / ? # @ in a password are written %2F %3F %23 %40"


def _is_host(name: str) -> bool:
    """Whether a name can be looked up: the parts between its dots have 1 to 63 signs."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return name.isprintable() and " " not in name


def _is_prefix(text: str) -> bool:
    signs = text.translate(str.maketrans("", "", "._:-"))
    return text.isascii() and len(text) <= LONGEST and signs.isalnum()
