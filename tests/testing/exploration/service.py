"""A service that accepts everything, a client that retries, and its exploration."""

from werkzeug.test import Client
from werkzeug.wsgi import get_input_stream

import faultinject
from faultinject import WSGIFaultMiddleware
from faultinject.exceptions import ExplorationFailedError
from tests.on_loopback import on_loopback


def service(environ, start_response):
    get_input_stream(environ).read()
    start_response("200 OK", [("Content-Length", "2"), ("Content-Type", "text/plain")])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"ok"]


client = Client(WSGIFaultMiddleware(service, []))


def send(method, target, **keys):
    """One attempt: the status, None for a broken connection."""
    try:
        return client.open(target, method=method, **keys).status_code
    except OSError:
        return None


def call(method, target, attempts=3, **keys):
    """Several attempts: whether one of them came through."""
    return any(send(method, target, **keys) == 200 for _ in range(attempts))


def exploring(code, *faults, **keys):
    """Explore a function: the exploration, and the error that it ended with or None."""
    return exploring_runs(lambda _: code(), *faults, **keys)


def passing(code, *faults, **keys):
    """Explore a function in which nothing is wrong: the exploration."""
    exploration, error = exploring(code, *faults, **keys)
    assert error is None, error
    return exploration


def exploring_runs(code, *faults, **keys):
    """The same of a function that is given what a run gives."""
    exploration = faultinject.explore(*faults, **keys)
    try:
        for run in exploration:
            with run as given:
                code(given)
    except ExplorationFailedError as error:
        return exploration, error
    return exploration, None


def texts(exploration):
    """The scenarios of its runs."""
    return [each.text for each in exploration.runs]


def left_out(exploration):
    """The lines that say what is not tried."""
    return [each for each in exploration.report().splitlines() if each.startswith("left out: ")]


def warnings(exploration):
    """The lines that say what is suspicious."""
    return [each for each in exploration.report().splitlines() if each.startswith("warning: ")]


def scenarios(requests, *faults, **keys):
    """The scenarios of an exploration in which each request, `METHOD target`, is retried."""

    def code():
        for each in requests:
            assert call(*each.split(" ", 1))

    return texts(passing(code, *faults, **keys))


def served(app=service):
    """The port of a server in front of an app."""
    return on_loopback(WSGIFaultMiddleware(app, []))
