"""Servers on threads of this process."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server

PATIENCE = 60.0


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *_):
        pass


class Keeping(Quiet):
    """Keeps its connections."""

    protocol_version = "HTTP/1.1"


@contextmanager
def in_thread(run, stop):
    """`run` on a thread until `stop` makes it return."""
    runner = threading.Thread(target=run, daemon=True)
    runner.start()
    try:
        yield
    finally:
        stop()
        runner.join(PATIENCE)
        assert not runner.is_alive()


@contextmanager
def on_loopback(app, handler=Quiet, **options):
    """The app on werkzeug's server, a thread for each connection: its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=handler, **options)
    server.daemon_threads = True
    try:
        with in_thread(lambda: server.serve_forever(0.01), server.shutdown):
            yield server.server_port
    finally:
        server.server_close()
