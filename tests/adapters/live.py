"""Real servers on threads of this process, and a client that sees every byte and the end."""

import socket
from contextlib import AbstractContextManager, contextmanager, suppress

import uvicorn
from waitress.server import create_server

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware
from tests.on_loopback import Keeping, in_thread, on_loopback

from .transport import PATIENCE, Seen, read


def werkzeug_server(app):
    """The development server: its port."""
    return on_loopback(app, Keeping)


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

    with in_thread(run, stop):
        yield server.effective_port
    server.task_dispatcher.shutdown()


@contextmanager
def uvicorn_server(app, **options):
    """One event loop: its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, **{"log_config": None, "lifespan": "off", "http": "h11"} | options)
    server = uvicorn.Server(config)
    with in_thread(lambda: server.run(sockets=[listening]), lambda: setattr(server, "should_exit", True)):
        yield listening.getsockname()[1]
    listening.close()


SERVERS = {"werkzeug": werkzeug_server, "waitress": waitress_server, "uvicorn": uvicorn_server}


def serve(name, app, injector, **options):
    """A server of that name with an `App` behind the injector: its port."""
    if name == "uvicorn":
        return uvicorn_server(ASGIFaultMiddleware(app.asgi, injector=injector), **options)
    return SERVERS[name](WSGIFaultMiddleware(app.wsgi, injector=injector))


class Client(AbstractContextManager):
    """One connection that asks once."""

    def __init__(self, port, target="/", method="GET", body=b"", more=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{length}{more}\r\n"
        self.socket.sendall(head.encode() + body)

    def __exit__(self, *_):
        self.socket.close()

    def read(self):
        """All that comes, until the connection ends."""
        return Seen(*read(self.socket), None)


def ask(port, *request, **more):
    """One request on a connection of its own: what was seen."""
    with Client(port, *request, **more) as client:
        return client.read()
