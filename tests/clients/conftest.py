"""An app on a real socket, and an embedded store, for clients that inject faults themselves."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager

import pytest
from werkzeug.serving import make_server

from faultinject.store import ObjectStore


class App:
    """Answers with what it was asked, and remembers it."""

    def __init__(self):
        self.asked = []

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = environ.get("HTTP_TRANSFER_ENCODING") == "chunked"
        body = environ["wsgi.input"].read() if chunked else environ["wsgi.input"].read(length)
        self.asked.append((environ["REQUEST_METHOD"], environ["RAW_URI"], body))
        answer = b"0123456789" * 100
        headers = [("Content-Length", str(len(answer))), ("X-App-Said", "\xfc"), ("X-App-Said", "again")]
        start_response("200 Fine", headers)
        return [answer]


@contextmanager
def serving(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def app():
    """The app that the server serves."""
    return App()


@pytest.fixture
def url(app):
    """The address of the server."""
    with serving(app) as found:
        yield found


@pytest.fixture
def store():
    """The address of a store with a bucket."""
    with ExitStack() as stack:
        yield stack.enter_context(serving(ObjectStore("cos")))
