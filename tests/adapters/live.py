"""Real servers on threads of this process, and a client that sees every byte and how the connection ends."""

import socket
import threading
from contextlib import contextmanager, suppress

import uvicorn
from waitress.server import create_server
from werkzeug.serving import WSGIRequestHandler, make_server

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware

from .transport import PATIENCE, Seen, read


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


@contextmanager
def thread(run, stop):
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
def werkzeug_server(app):
    """The development server, a thread for each connection: its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    with thread(lambda: server.serve_forever(0.01), server.shutdown):
        yield server.server_port
    server.server_close()


@contextmanager
def waitress_server(app):
    """Two threads for all connections: its port."""
    server = create_server(app, host="127.0.0.1", port=0, threads=2)

    def run():
        with suppress(OSError):  # its loop's own descriptor was closed
            server.run()

    def stop():
        with suppress(OSError):  # its loop was awake, and has closed before the trigger was pulled
            server.trigger.pull_trigger(server.close)

    with thread(run, stop):
        yield server.effective_port
    server.task_dispatcher.shutdown()


@contextmanager
def uvicorn_server(app, **options):
    """One event loop: its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, **{"log_config": None, "lifespan": "off", "http": "h11"} | options)
    server = uvicorn.Server(config)
    with thread(lambda: server.run(sockets=[listening]), lambda: setattr(server, "should_exit", True)):
        yield listening.getsockname()[1]
    listening.close()


SERVERS = {"werkzeug": werkzeug_server, "waitress": waitress_server, "uvicorn": uvicorn_server}


def serve(name, app, injector, **options):
    """A server of that name with an `App` behind the injector: its port."""
    if name == "uvicorn":
        return uvicorn_server(ASGIFaultMiddleware(app.asgi, injector=injector), **options)
    return SERVERS[name](WSGIFaultMiddleware(app.wsgi, injector=injector))


class Client:
    """One connection that asks once."""

    def __init__(self, port, target="/", method="GET", body=b"", more=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{length}{more}\r\n"
        self.socket.sendall(head.encode() + body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self):
        """All that comes, until the connection ends."""
        return Seen(*read(self.socket), None)


def ask(port, *request, **more):
    """One request on a connection of its own: what was seen."""
    with Client(port, *request, **more) as client:
        return client.read()
