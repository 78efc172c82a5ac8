"""An app on a real socket, and an embedded store, for clients that inject faults themselves."""

import pytest

from faultinject.store import ObjectStore
from tests.on_loopback import on_loopback


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


@pytest.fixture
def app():
    """The app that the server serves."""
    return App()


@pytest.fixture
def url(app):
    """The address of the server."""
    with on_loopback(app) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def store():
    """The address of a store with a bucket."""
    with on_loopback(ObjectStore("cos")) as port:
        yield f"http://127.0.0.1:{port}"
