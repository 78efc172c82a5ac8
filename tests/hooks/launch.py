"""The ways in which people start a server, and a server that was started so."""

import json
import os
import shutil
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.started import Started, executable
from tests.until import STARTS_WITHIN

HERE = Path(__file__).parent
HEALTHCHECK = 30
"""Seconds that a worker has to answer uvicorn's health check.

By default 5, which a busy machine may exceed, and the worker would be killed. A worker that is killed between
question and answer is missed only after them, as its supervisor keeps both ends of the pipe.
"""
SERVED = (
    "served",
    "served_eventlet",
    "served_flask",
    "served_starlette",
    "served_django",
    "served_installed",
    "served_counted",
    "served_measured",
    "served_failing",
    "served_frameworks",
    "serving",
)
TOKEN = "open-sesame"
CONTROL = {"FAULTINJECT_CONTROL": "/_faultinject", "FAULTINJECT_TOKEN": TOKEN}
"""A server whose control API `Server.control` asks."""
FOREIGN = ("FAULTINJECT_", "FLASK_", "GRANIAN_", "GUNICORN_", "UVICORN_", "WEB_CONCURRENCY", "DJANGO_")


class Way:
    """A way to start a server.

    Args:
        line: the command line, in which `{port}` is the port.
        needs: what must be installed; `uwsgi` is the program.
    """

    def __init__(self, line, *needs):
        self.line = line
        self.needs = needs

    @property
    def missing(self):
        """The reason why a server cannot be started so here; empty if it can."""
        for each in self.needs:
            if executable("uwsgi") is None if each == "uwsgi" else find_spec(each) is None:
                return f"{each} is not installed"
        return ""

    def command(self, port):
        """The command line, as the system takes it."""
        name, *arguments = self.line.format(port=port).split()
        return [sys.executable if name == "python" else executable(name) or name, *arguments]


GUNICORN = "gunicorn -b 127.0.0.1:{port} --no-control-socket --graceful-timeout 2 "
UVICORN = f"uvicorn --port {{port}} --timeout-graceful-shutdown 2 --timeout-worker-healthcheck {HEALTHCHECK} "
GRANIAN = "granian --port {port} --workers-kill-timeout 3 "
HYPERCORN = "hypercorn -b 127.0.0.1:{port} "
UWSGI = f"uwsgi --http-socket 127.0.0.1:{{port}} --die-on-term --virtualenv {sys.prefix} --enable-threads "

WAYS = {
    "flask run": Way("flask --app served_flask run -p {port}", "flask"),
    "flask run, factory": Way("flask --app served_flask:make_app run -p {port}", "flask"),
    "flask run --reload": Way("flask --app served_flask run --reload -p {port}", "flask"),
    "app.run()": Way("python served_flask.py {port}", "flask"),
    "gunicorn -w 2": Way(GUNICORN + "-w 2 served:wsgi", "gunicorn"),
    "gunicorn -w 2, Flask": Way(GUNICORN + "-w 2 served_flask:app", "gunicorn", "flask"),
    "gunicorn --preload -w 2": Way(GUNICORN + "--preload -w 2 served:wsgi_object", "gunicorn"),
    "gunicorn -k gthread": Way(GUNICORN + "-k gthread --threads 4 served:wsgi_partial", "gunicorn"),
    "gunicorn -k asgi -w 2": Way(GUNICORN + "-k asgi -w 2 served:asgi", "gunicorn"),
    "gunicorn -k uvicorn_worker.UvicornWorker": Way(
        GUNICORN + "-k uvicorn_worker.UvicornWorker -w 2 served_starlette:fastapi",
        "gunicorn", "uvicorn_worker", "fastapi",
    ),
    "uvicorn": Way(UVICORN + "served:asgi_object", "uvicorn"),
    "uvicorn, FastAPI": Way(UVICORN + "served_starlette:fastapi", "uvicorn", "fastapi"),
    "uvicorn, ASGI 2": Way(UVICORN + "served:OldASGI", "uvicorn"),
    "uvicorn --factory": Way(UVICORN + "--factory served:make_asgi", "uvicorn"),
    "uvicorn --workers 2": Way(UVICORN + "--workers 2 served:asgi", "uvicorn"),
    "uvicorn --reload": Way(UVICORN + "--reload served:asgi", "uvicorn"),
    "uvicorn --interface wsgi, Flask": Way(
        UVICORN + "--interface wsgi served_flask:app", "uvicorn", "flask"
    ),
    "uvicorn.run()": Way("python served_starlette.py {port}", "uvicorn", "fastapi"),
    "granian asgi": Way(GRANIAN + "--interface asgi served:asgi_partial", "granian"),
    "granian asgi -w 2": Way(
        GRANIAN + "--interface asgi --workers 2 served_starlette:fastapi", "granian", "fastapi"
    ),
    "granian wsgi": Way(GRANIAN + "--interface wsgi served:wsgi", "granian"),
    "granian wsgi -w 2": Way(GRANIAN + "--interface wsgi --workers 2 served:wsgi", "granian"),
    "hypercorn": Way(HYPERCORN + "served:asgi", "hypercorn"),
    "hypercorn -w 2": Way(HYPERCORN + "-w 2 served_starlette:starlette", "hypercorn", "starlette"),
    "hypercorn, Flask": Way(HYPERCORN + "served_flask:app", "hypercorn", "flask"),
    "waitress": Way("waitress-serve --listen=127.0.0.1:{port} served:wsgi", "waitress"),
    "waitress.serve()": Way("python serving.py waitress {port} served_flask:fixed", "waitress", "flask"),
    "cheroot": Way("cheroot --bind 127.0.0.1:{port} served:wsgi", "cheroot"),
    "daphne": Way("daphne -p {port} served:asgi", "daphne"),
    "daphne, Starlette": Way("daphne -p {port} served_starlette:starlette", "daphne", "starlette"),
    "uWSGI, Flask": Way(UWSGI + "--module served_flask:app", "uwsgi", "flask"),
    "uWSGI --processes 2, Flask": Way(
        UWSGI + "--master --processes 2 --module served_flask:app", "uwsgi", "flask"
    ),
    "wsgiref": Way("python serving.py wsgiref {port} served:wsgi"),
    "werkzeug": Way("python serving.py werkzeug {port} served:wsgi", "werkzeug"),
    "Django, gunicorn": Way(GUNICORN + "served_django:application", "gunicorn", "django"),
    "Django, uWSGI": Way(UWSGI + "--module served_django:application", "uwsgi", "django"),
    "Django, daphne": Way("daphne -p {port} served_django:asgi", "daphne", "django"),
    "Django, uvicorn": Way(UVICORN + "served_django:asgi", "uvicorn", "django"),
    "Django, runserver": Way("python served_django.py {port}", "django"),
}  # fmt: skip
"""Every way, by the name that the tests give it."""


class Server(Started):
    """A running server.

    Args:
        command: from a port to the command line.
        folder: where its files go; the apps are copied there.
        rules: with these, `faultinject run` starts it.
        variables: more of its environment.
    """

    def __init__(self, command, folder, *rules, **variables):
        super().__init__(folder)
        self.folder = folder
        for each in SERVED:
            shutil.copy(HERE / f"{each}.py", folder)
        self.port = self._reserved.number
        environ = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        environ |= {
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(folder),
        }
        arguments = command(self.port)
        if rules or variables:
            environ["FAULTINJECT_JOURNAL"] = str(self._journal)
        if rules:
            given = [word for each in rules for word in ("-r", each)]
            arguments = [sys.executable, "-m", "faultinject", "run", *given, "--", *arguments]
        self.begin(arguments, folder, environ | variables)

    def wait_until_ready(self):
        self.until(lambda: self.get("/ready") is not None)

    def until(self, true):
        """Ask until it is so."""
        end = time.monotonic() + STARTS_WITHIN
        while not true():
            assert self.process.poll() is None, f"it ended: {self.log}"
            assert time.monotonic() < end, f"it never came: {self.log}"
            time.sleep(0.02)

    def raw(self, path):
        """All bytes of an answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            found = b""
            while piece := client.recv(65536):
                found += piece
        return found

    def get(self, path):
        """The status and the body; None when there is no answer."""
        with suppress(OSError):
            head, _, body = self.raw(path).partition(b"\r\n\r\n")
            if head:
                return int(head.split()[1]), body
        return None

    def statuses(self, path, number):
        """The statuses of so many requests, one after another."""
        return [self.get(path)[0] for _ in range(number)]

    def asked(self, path, number):
        """Count the statuses of requests of eight threads; None where a worker was killed."""
        with ThreadPoolExecutor(8) as threads:
            return Counter(found and found[0] for found in threads.map(self.get, [path] * number))

    def control(self, method, path, data=None, *, place=None):
        """The control API's answer, here or at a place; None if its worker is about to end."""
        address = f"{place or f'http://127.0.0.1:{self.port}/_faultinject'}{path}"
        head = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "If-Match": "*"}
        body = None if method == "GET" else json.dumps(data or {}).encode()
        with (
            suppress(URLError, ConnectionError, HTTPException),
            urlopen(Request(address, body, head, method=method), timeout=60) as answer,
        ):
            return json.load(answer)
        return None

    def lines(self, *paths):
        """The journal's lines of requests for these paths, without final ones."""
        lines = [json.loads(each) for each in self._journal.read_text().splitlines()]
        return [each for each in lines if each["path"] in paths and not each.get("final")]

    def process_number(self):
        """The process that answers."""
        found = self.get("/process")
        return None if found is None else int(found[1].split()[-1])

    def answering_process(self):
        """The number of the process that answers, repeated until one does.

        A request that was waiting for a process which is killed gets no answer.
        """
        found = [self.process_number()]
        self.until(lambda: found[-1] is not None or found.append(self.process_number()))
        return found[-1]

    def until_answered_by(self, number, ask):
        """Send requests until so many processes of the server have answered.

        At least once. The system chooses the process, and may choose one for long.
        """

        def asked():
            ask()
            return len({each["pid"] for each in self.lines("/photos/cat")}) >= number

        self.until(asked)

    def workers(self):
        """The processes that a server of several has started to serve."""
        found = set()
        for each in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with suppress(OSError):  # the thread has gone meanwhile
                found.update(each.read_text().split())
        return {int(each) for each in found if serves(Path("/proc", each))}


def serves(process):
    """Whether this folder of /proc is of a live process that serves.

    One that only clears up behind its parent serves nothing.
    """
    with suppress(OSError):  # it has gone meanwhile
        state = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        return state != "Z" and b"resource_tracker" not in (process / "cmdline").read_bytes()
    return False
