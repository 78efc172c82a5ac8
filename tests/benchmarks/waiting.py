"""The cost of 100 exchanges that wait, as a share of one processor, beyond an idle server."""

import socket
import time
from contextlib import ExitStack
from importlib.util import find_spec

from loopback import Server, serving
from measure import Goal, Row, spread

MANY = 100
SECONDS = 2.0
SETTLES = 3.0
ROUNDS = 5
_REQUEST = b"GET /bucket/photos/2024/a.jpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_SETTINGS = {"FAULTINJECT_MAX_ACTIVE": 1000, "FAULTINJECT_STORE": "memory:", "THREADS": MANY + 4}
_APPS = {"raw": "ASGI on uvicorn", "wsgi": "WSGI on gunicorn's threads"}
_RULES = {"hang": "hanging", "delay": "delayed"}


def run() -> list[Row]:
    apps = [app for app in _APPS if app != "wsgi" or find_spec("gunicorn")]
    return [_share(app, rule) for app in apps for rule in _RULES]


def _share(app: str, rule: str) -> Row:
    with ExitStack() as stack:
        server = stack.enter_context(serving(app, rule, **_SETTINGS))
        time.sleep(SETTLES)
        idle = _busy(server)
        for _ in range(MANY):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(_REQUEST)
        time.sleep(SETTLES)
        found = [100 * (_busy(server) - idle) for _ in range(ROUNDS)]
    return Row(f"{MANY} {_RULES[rule]} exchanges, {_APPS[app]}", "idle", Goal("≤", 1, "%"), *spread(found))


def _busy(server: Server) -> float:
    """Seconds of processor time a second."""
    before = server.spent()
    time.sleep(SECONDS)
    return (server.spent() - before) / 1e9 / SECONDS
