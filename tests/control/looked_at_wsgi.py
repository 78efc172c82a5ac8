"""An app that the page's tests look at, for WSGI servers: it says hello to every request."""

import os

import faultinject
from faultinject.control import LIMITS

LIMITS.lasts_in_a_thread = float(os.environ.get("STREAMS_LAST", 25))


def hello(environ, start_response):
    """Answer 200."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


app = faultinject.install(hello)
