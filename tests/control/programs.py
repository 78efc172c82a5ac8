"""A program with an app and the control API in a process of its own, and a client of both."""

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import dataclass

from tests.hooks.launch import HEALTHCHECK
from tests.started import executable
from tests.until import STARTS_WITHIN, until

TOKEN = "open-sesame"
MOUNT = "/_faultinject"


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self):
        assert self.headers["content-type"] == "application/json", self.body
        return json.loads(self.body)

    @property
    def message(self):
        return self.data["error"]["message"]


class Client:
    """Asks the API, and the app that it is about."""

    address = "127.0.0.1"
    token = TOKEN

    def __init__(self, injector, control, app):
        self.injector = injector
        self.port, self.mount = control
        self.app_port = app

    def call(self, method, path, body=None, *, headers=None, token="", host=None, raw=None):
        """A call; of `headers`, None takes a usual one away, and so does a token of None."""
        given = {"Host": f"127.0.0.1:{self.port}" if host is None else host}
        if token is not None:
            given["Authorization"] = f"Bearer {token or self.token}"
        data = raw
        if method not in ("GET", "HEAD") and raw is None:
            given["Content-Type"] = "application/json"
            data = json.dumps({} if body is None else body).encode()
        given = {name: value for name, value in (given | (headers or {})).items() if value is not None}
        return self._sent(method, path, given, data)

    def _sent(self, method, path, given, data):
        # A worker may be loading still behind a socket that listens already.
        with closing(
            http.client.HTTPConnection(self.address, self.port, timeout=STARTS_WITHIN)
        ) as connection:
            connection.putrequest(method, self.mount + path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if data is not None and "Transfer-Encoding" not in given and "Content-Length" not in given:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def state(self):
        answer = self.get("/state")
        assert answer.status == 200, answer.body
        return answer.data

    def change(self, method, path, body=None, **options):
        """A change that is carried out; the new state."""
        answer = self.call(method, path, body, **options)
        assert answer.status in (200, 201), answer.body
        return answer.data

    def ask_app(self, path="/photos/cat.jpg", method="GET", body=None, headers=None):
        """The status of what the app, or a fault, answers."""
        with closing(
            http.client.HTTPConnection("127.0.0.1", self.app_port, timeout=STARTS_WITHIN)
        ) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer.status


FLASK = """
import os
import faultinject
from flask import Flask
app = Flask(__name__)
@app.route("/<path:path>")
def answer(path):
    return str(os.getpid())
app = faultinject.install(app)
"""
FASTAPI = """
import os
import faultinject
from fastapi import FastAPI
app = FastAPI()
@app.get("/{path:path}")
def answer(path: str):
    return os.getpid()
app = faultinject.install(app)
"""


class Program:
    def __init__(self, folder, *command, **variables):
        self.log = folder / "log"
        (folder / "wsgi.py").write_text(FLASK)
        (folder / "asgi.py").write_text(FASTAPI)
        environ = {name: each for name, each in os.environ.items() if not name.startswith("FAULTINJECT_")}
        environ |= {
            "FAULTINJECT_ENABLED": "1",
            "FAULTINJECT_TOKEN": TOKEN,
            "PYTHONUNBUFFERED": "1",
            "UVICORN_TIMEOUT_WORKER_HEALTHCHECK": str(HEALTHCHECK),
            **variables,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                # uWSGI has a Python of its own.
                [executable(command[0]), *command[1:]]
                if command[0] == "uwsgi"
                else [sys.executable, "-m", *command],
                cwd=folder,
                env=environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def text(self):
        return self.log.read_text()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(STARTS_WITHIN)
        finally:
            with suppress(ProcessLookupError):  # what a reloader has started, too
                os.killpg(self.process.pid, signal.SIGKILL)


def answers(client):
    try:
        return client.get("/", token=None).status == 200
    except OSError:
        return False


def wait_for(program, client, *said):
    """The client, once the API answers and the program has printed this.

    It may answer before it prints.
    """

    def is_ready():
        assert program.process.poll() is None, program.text
        return answers(client) and all(each in program.text for each in said)

    until(is_ready, "it serves", STARTS_WITHIN)
    return client
