"""Servers on threads of this process."""

import socket
import threading
from contextlib import contextmanager, suppress

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


class Listener:
    """Runs `serve(connection)` for each connection on a thread of its own.

    Attributes:
        port: where it listens.
    """

    def __init__(self, serve):
        self._serve = serve
        self._threads = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listening.getsockname()[1]
        self._begin(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._threads:
            each.join(PATIENCE)

    def _begin(self, work, *arguments):
        """Run this on a thread, whose end the listener waits for at its own."""
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                self._begin(self._serve, self._listening.accept()[0])


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
