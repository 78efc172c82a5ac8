"""The real servers, each a process of its own with the apps of `apps.py` in it."""

import json
import os
import ssl
import sys
from contextlib import suppress
from functools import cached_property
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tests.started import Started, executable
from tests.until import STARTS_WITHIN
from tests.until import until as wait_until

from .probe import Client

HERE = Path(__file__).parent
SEED = "7"
# States in /proc/net/tcp of a connection that the server has not closed: established, and left by its client.
HELD = ("01", "08")


def python(module, *arguments):
    """A server that is started as a module of this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def serving(name, place):
    """A server that `serving.py` starts."""
    certificate = [place.certificate] if place.certificate else []
    return [sys.executable, "serving.py", name, place.path or str(place.port), *certificate]


def gunicorn(place, *arguments, app="wsgi"):
    """One worker of gunicorn."""
    where = f"unix:{place.path}" if place.path else f"127.0.0.1:{place.port}"
    tls = ["--certfile", place.certificate] if place.certificate else []
    common = [
        "--no-control-socket",
        "--graceful-timeout",
        "2",
        "--keep-alive",
        "10",
        "--log-level",
        "warning",
    ]
    return python("gunicorn", "-b", where, "-w", "1", *common, *tls, *arguments, f"apps:{app}")


def uvicorn(place, *arguments):
    """One process of uvicorn."""
    where = ["--uds", place.path] if place.path else ["--port", str(place.port)]
    tls = ["--ssl-certfile", place.certificate] if place.certificate else []
    return python("uvicorn", *where, "--log-level", "warning", *tls, *arguments, "apps:asgi")


def granian(place, interface):
    """One worker of granian."""
    tls = (
        ["--ssl-certificate", place.certificate, "--ssl-keyfile", place.certificate]
        if place.certificate
        else []
    )
    common = ["--log-level", "warning", "--workers-kill-timeout", "3"]
    return python(
        "granian", "--interface", interface, "--port", str(place.port), *common, *tls, f"apps:{interface}"
    )


def uwsgi(place, *arguments):
    """One process of uWSGI; the router is one more."""
    common = ["--enable-threads", "--die-on-term", "--need-app", "--disable-logging"]
    where = ["--virtualenv", sys.prefix, "--pythonpath", str(HERE), "--module", "apps:wsgi"]
    return [executable("uwsgi"), *arguments, *common, *where]


class Kind:
    """A server as it is started.

    Args:
        interface: `wsgi` or `asgi`.
        command: from a `Place` to the command line.
        module: what must be installed; of uWSGI the program.
        tls: over TLS, with a certificate for 127.0.0.1.
        unix: on a unix socket.
    """

    def __init__(self, interface, command, module, *, tls=False, unix=False):
        self.interface = interface
        self.command = command
        self.module = module
        self.tls = tls
        self.unix = unix

    @cached_property
    def missing(self):
        """The reason why the server cannot be started here, or empty."""
        if self.module == "uwsgi":
            return "" if executable("uwsgi") else "uWSGI is not built"
        absent = [each for each in (self.module, *["trustme"] * self.tls) if find_spec(each) is None]
        return f"{absent[0]} is not installed" if absent else ""


SERVERS = {
    "faultinject serve": Kind("wsgi", lambda at: serving("faultinject", at), "faultinject"),
    "werkzeug": Kind("wsgi", lambda at: serving("werkzeug", at), "werkzeug"),
    "gunicorn sync": Kind("wsgi", gunicorn, "gunicorn"),
    "gunicorn gthread": Kind("wsgi", lambda at: gunicorn(at, "-k", "gthread", "--threads", "4"), "gunicorn"),
    "gunicorn gevent": Kind("wsgi", lambda at: gunicorn(at, "-k", "gevent"), "gevent"),
    "gevent": Kind("wsgi", lambda at: serving("gevent", at), "gevent"),
    "waitress": Kind("wsgi", lambda at: serving("waitress", at), "waitress"),
    "cheroot": Kind("wsgi", lambda at: serving("cheroot", at), "cheroot"),
    "wsgiref": Kind("wsgi", lambda at: serving("wsgiref", at), "wsgiref"),
    "uWSGI": Kind("wsgi", lambda at: uwsgi(at, "--http-socket", f"127.0.0.1:{at.port}"), "uwsgi"),
    "granian WSGI": Kind("wsgi", lambda at: granian(at, "wsgi"), "granian"),
    "granian ASGI": Kind("asgi", lambda at: granian(at, "asgi"), "granian"),
    "uvicorn h11": Kind("asgi", lambda at: uvicorn(at, "--http", "h11", "--loop", "asyncio"), "uvicorn"),
    "uvicorn httptools": Kind(
        "asgi", lambda at: uvicorn(at, "--http", "httptools", "--loop", "uvloop"), "uvloop"
    ),
    "hypercorn": Kind(
        "asgi",
        # It lets go of a client that has left without a word only after this many seconds.
        lambda at: python("hypercorn", "-b", f"127.0.0.1:{at.port}", "--keep-alive", "2", "apps:asgi"),
        "hypercorn",
    ),
    "daphne": Kind("asgi", lambda at: python("daphne", "-p", str(at.port), "-v", "0", "apps:asgi"), "daphne"),
    "gunicorn asgi": Kind("asgi", lambda at: gunicorn(at, "-k", "asgi", app="asgi"), "gunicorn"),
}
"""Every server over TCP, by the name that the tables give it."""

VARIANTS = {
    **{
        f"{name}, TLS": Kind(SERVERS[name].interface, SERVERS[name].command, SERVERS[name].module, tls=True)
        for name in (
            "faultinject serve",
            "werkzeug",
            "gunicorn sync",
            "gunicorn gthread",
            "cheroot",
            "uvicorn h11",
            "granian ASGI",
        )
    },
    **{
        f"{name}, unix socket": Kind(
            SERVERS[name].interface, SERVERS[name].command, SERVERS[name].module, unix=True
        )
        for name in ("werkzeug", "gunicorn sync", "uvicorn h11")
    },
    "uWSGI, router": Kind(
        "wsgi", lambda at: uwsgi(at, "--master", "--http", f"127.0.0.1:{at.port}"), "uwsgi"
    ),
}
"""The same over TLS, on unix sockets and behind a router."""

KINDS = SERVERS | VARIANTS
UNREACHABLE = ("granian WSGI", "granian ASGI", "granian ASGI, TLS")
"""granian shows no app the socket of its client: nothing is done to a connection there."""
SENT_AWAY = ("granian ASGI", "granian ASGI, TLS")
"""Servers that close a connection while its client is sending, and so reset it."""


class Place(NamedTuple):
    """The place where a server listens, a port or a path, and its certificate."""

    port: int
    path: str
    certificate: str


class Server(Started):
    """A running server.

    Args:
        name: one of `KINDS`.
        folder: where its files go.
        rules: its rules.
        variables: more of its environment.

    Attributes:
        address: where it is reached.
        numbers: of paths that nobody else asks it for.
    """

    def __init__(self, name, folder, rules, **variables):
        super().__init__(folder)
        kind = KINDS[name]
        self.name = name
        self.interface = kind.interface
        self.tls = None
        self.numbers = count()
        self._read = 0
        self._lines = {}
        port = self._reserved.number
        path = str(folder / "socket") if kind.unix else ""
        self.address = path or ("127.0.0.1", port)
        certificate = self._certify(folder) if kind.tls else ""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FAULTINJECT_", "GUNICORN_", "GRANIAN_", "UVICORN_", "WEB_CONCURRENCY"))
        }
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        environment |= {
            "FAULTINJECT_RULES": rules,
            "FAULTINJECT_SEED": SEED,
            "FAULTINJECT_JOURNAL": str(self._journal),
        }
        self.begin(kind.command(Place(port, path, certificate)), HERE, environment | variables)

    def _certify(self, folder):
        import trustme
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            load_pem_private_key,
        )

        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        self.tls = ssl.create_default_context()
        authority.configure_trust(self.tls)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        file = folder / "certificate.pem"
        # granian reads keys in this form only.
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + b"".join(each.bytes() for each in issued.cert_chain_pems)
        )
        return str(file)

    def wait_until_ready(self):
        def answers():
            assert self.process.poll() is None, f"{self.name} ended: {self.log}"
            with suppress(ConnectionError, FileNotFoundError):
                return self.ask("/ready/photos/1").status == 200

        wait_until(answers, f"{self.name} does not answer", patience=STARTS_WITHIN)

    def connect(self, **options):
        """A connection to it."""
        return Client(self.address, self.tls, **options)

    def ask(self, path):
        """The answer to a GET on a connection of its own."""
        with self.connect() as client:
            return client.ask("GET", path, more="Connection: close\r\n")

    def outcomes(self):
        """The journal's line of each request, by path and in the order of arrival."""
        with self._journal.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                entry = json.loads(line)
                self._lines.setdefault(entry["path"], {})[entry["pid"], entry["seq"]] = entry
        return {path: list(entries.values()) for path, entries in self._lines.items()}

    def outcome(self, path, *, until=lambda outcome: True, patience=60.0):
        """The journal's outcome of the one request for that path, as soon as it is as wanted."""

        def found():
            lines = self.outcomes().get(path, [])
            return lines if lines and until(lines[0]) else []

        [outcome] = wait_until(found, patience=patience)
        return outcome

    def outcomes_of(self, path, number):
        """Wait until the journal has so many requests for a path, and return their lines."""
        wait_until(lambda: len(self.outcomes().get(path, [])) >= number)
        return self.outcomes()[path]

    def ran(self, path):
        """Count the requests for a path that reached the app."""
        return int(self.ask(f"/ran?{path}").body)

    def pids(self):
        """The processes of the server."""
        found = []
        for place in Path("/proc").iterdir():
            if place.name.isdecimal():
                with suppress(OSError):
                    fields = (place / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[2]) == self.process.pid and fields[0] != "Z":
                        found.append(int(place.name))
        return found

    def clients(self):
        """The ports of the clients that the server still holds a connection to; only over TCP."""
        ours = f":{self.address[1]:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return {int(row[2].partition(":")[2], 16) for row in rows if row[1].endswith(ours) and row[3] in HELD}
