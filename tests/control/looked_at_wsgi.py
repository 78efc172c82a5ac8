"""An app that the page's tests look at, for WSGI servers: it says hello to every request."""

import faultinject


def hello(environ, start_response):
    """Answer 200."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


app = faultinject.install(hello)
