"""The URL of counts on a Redis or Valkey server: place, login, and the prefix of the keys."""

from __future__ import annotations

from faultinject.rules.values import Mistake, most_like, shown

TCP, TLS, UNIX = ("redis", "valkey"), ("rediss", "valkeys"), ("unix",)
SCHEMES = (*TCP, *TLS, *UNIX)
PORT = 6379
PREFIX = "faultinject"
LONGEST = 64
"""The most characters of a prefix."""
_OPTIONS = ("prefix", "replace", "ca", "db")
_EXAMPLE = "redis://localhost:6379/0"


class RedisURL:
    """The parts of the URL.

    Attributes:
        host: a name or address; empty for a socket.
        port: the server's port.
        path: the path of a Unix socket; empty for a host.
        db: the number of the database.
        username: the user; empty if none was given.
        password: the password; empty if none was given.
        tls: whether the connection is encrypted.
        ca: the file of certificates that verify the server's; empty for the system's.
        prefix: the beginning of each key.
        replace: whether these rules replace others below that prefix.
        shown: the store for logs: no password, no options.
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
    """Whether a store is on a Redis or Valkey server, by its scheme."""
    return store.partition(":")[0] in SCHEMES and ":" in store


def read_redis(text: str) -> RedisURL:
    """Read the URL of a store.

    Raises:
        Mistake: the URL is wrong; the message holds no password.

    >>> url = read_redis("rediss://ann:secret@cache:6380/2?prefix=staging&ca=ca.pem&replace")
    >>> url.host, url.port, url.db, url.prefix, url.ca, url.tls, url.replace
    ('cache', 6380, 2, 'staging', 'ca.pem', True, True)
    >>> url.username, url.password, url.shown
    ('ann', 'secret', 'rediss://cache:6380/2')
    """
    from urllib.parse import parse_qsl, unquote, urlsplit

    store_shown = shown(without_password(text))
    scheme, slashes, _ = text.partition("://")
    if not slashes:
        raise Mistake(f"{store_shown}: behind {scheme.partition(':')[0]}: comes //, such as {_EXAMPLE}")
    url = RedisURL()
    try:
        parts = urlsplit(text)
        url.port = parts.port or PORT
    except ValueError:
        raise Mistake(
            f"{store_shown}: no host and port can be read from it; it looks like {_EXAMPLE}"
        ) from None
    url.username, url.password = unquote(parts.username or ""), unquote(parts.password or "")
    url.tls = scheme in TLS
    db = "" if scheme in UNIX else parts.path.strip("/")
    if scheme in UNIX:
        url.path = unquote(parts.path)
        if parts.hostname or url.path in ("", "/"):
            raise Mistake(
                f"{store_shown} needs the path of a socket behind three slashes, such as unix:///run/redis.sock"
            )
        url.shown = f"unix://{url.path}"
    else:
        url.host = unquote(parts.hostname or "")
        if "@" in db:
            raise Mistake(_signs(store_shown))
        if not url.host:
            raise Mistake(f"{store_shown} names no host; it looks like {_EXAMPLE}")
        if not _is_host(url.host):
            raise Mistake(f"{store_shown}: {shown(url.host)} cannot be the name of a host")
        host = f"[{url.host}]" if ":" in url.host else url.host
        url.shown = f"{scheme}://{host}:{url.port}"
    if parts.fragment:
        raise Mistake(f"{store_shown}: nothing stands behind #; write %23 for one in a password")
    if "@" in parts.query:
        raise Mistake(_signs(store_shown))
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "db" and scheme in UNIX:
            db = value
        elif name == "prefix":
            url.prefix = value
        elif name == "replace" and not value:
            url.replace = True
        elif name == "ca" and url.tls and value:
            url.ca = value
        else:
            raise Mistake(_option(store_shown, scheme, name))
    if db:
        if not (db.isascii() and db.isdecimal() and len(db) < 6):
            raise Mistake(f"{store_shown}: a database is a number, not {shown(db)}")
        url.db = int(db)
    if not _is_prefix(url.prefix):
        raise Mistake(
            f"{store_shown}: a prefix is of 1 to {LONGEST} letters, digits and the signs . _ : -,"
            f" not {shown(url.prefix)}"
        )
    url.shown = shown(url.shown if scheme in UNIX else f"{url.shown}/{url.db}")
    return url


def without_password(text: str) -> str:
    """Prepare a store for a log: leave out everything that may be a password.

    The text need not be a valid URL.
    >>> without_password("redis://user:secret@cache:6380/2?prefix=staging&pass=secret")
    'redis://…@cache:6380/2?prefix=staging&pass=…'
    """
    left_of_at, at, right_of_at = text.rpartition("@")
    scheme, colon, rest = (left_of_at or right_of_at).partition(":")
    if not colon:
        scheme, rest = "", scheme
    start = f"{scheme}{colon}{'//' if rest.startswith('//') else ''}"
    if at:
        if "?" in left_of_at:  # it may begin options or belong to a password with an @: show neither
            return f"{start}…"
        start += "…@" if f"{scheme}{colon}{rest}" != start else at
    else:
        right_of_at = rest.removeprefix("//")
    right_of_at, mark, options = right_of_at.partition("?")
    right_of_at, sharp, _ = right_of_at.partition("#")
    options, other_sharp, _ = options.partition("#")
    host, slash, path = right_of_at.partition("/")
    name, colon, port = host.rpartition(":")
    if colon and not at and (not name or not port.isdecimal()):
        host = f"{name}:…"
    shown_options = "&".join(map(_without_secret, options.split("&")))
    return f"{start}{host}{slash}{path}{mark}{shown_options}{'#…' if sharp or other_sharp else ''}"


def _without_secret(option: str) -> str:
    name, equals, _ = option.partition("=")
    return option if name in _OPTIONS or not equals else f"{name}=…"


def _option(store_shown: str, scheme: str, name: str) -> str:
    """The message about an option that does not exist or has a wrong value."""
    if name == "replace":
        return f"{store_shown}: replace has no value: ?replace"
    if name == "ca":
        problem = "needs a file: ?ca=ca.pem" if scheme in TLS else "is for rediss:, the encrypted one"
        return f"{store_shown}: ca {problem}"
    if name == "db":
        return f"{store_shown}: the database is the path: {_EXAMPLE}"
    if name in ("password", "username"):
        return f"the {name} of a store stands before its host: {scheme}://USERNAME:PASSWORD@…"
    near = most_like(name, _OPTIONS)
    return f"{store_shown}: no option is called {shown(name)}" + (
        f"; did you mean {near}?" if near else "; the options are prefix, replace and, with rediss:, ca"
    )


def _signs(store: str) -> str:
    return f"{store}: the signs / ? # @ in a password are written %2F %3F %23 %40"


def _is_host(name: str) -> bool:
    """Whether a name can be looked up: between its dots it has 1 to 63 characters."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return name.isprintable() and " " not in name


def _is_prefix(text: str) -> bool:
    signs = text.translate(str.maketrans("", "", "._:-"))
    return text.isascii() and len(text) <= LONGEST and signs.isalnum()
