"""One request on a real connection, through an adapter and a small server, byte by byte."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import anyio
import pytest

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware
from tests.until import until

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
TESTCLIENT = {"client": ("testclient", 50000), "extensions": {"http.response.debug": {}}}
PATIENCE = 60.0


class Broken(Exception):
    """An app's own failure."""


def saying(*said):
    """An ASGI app that sends messages, raises errors, and waits for functions in between."""

    async def app(scope, receive, send):
        for each in said:
            if isinstance(each, BaseException):
                raise each
            await (each() if callable(each) else send(each))

    return app


def hearing(*told):
    """The `receive` of a client that says this, and then nothing."""
    left = list(told)

    async def receive():
        if not left:
            await anyio.sleep_forever()
        message = left.pop(0)
        if isinstance(message, BaseException):
            raise message
        return message

    return receive


def recorder():
    """The server's messages, and the `send` that notes them."""
    sent = []

    async def send(message):
        sent.append(message)

    return sent, send


LEFT = {"type": "http.disconnect"}


async def cancel(function, *args):
    """Have this cancelled, as servers do, when it waits; it does not go on."""
    ended = []

    async def run():
        await function(*args)
        ended.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert not ended


@contextmanager
def loopback(host="127.0.0.1"):
    """Both ends of a TCP connection: the client's, the server's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        client = socket.create_connection(listening.getsockname()[:2], timeout=PATIENCE)
        server, _ = listening.accept()
    with client, server:
        yield client, server


def leave(client):
    """As a client that is killed: with an RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def read(client):
    """Read up to the connection's end; returns the bytes and `FIN`, `RST` or `open`."""
    raw = b""
    while True:
        try:
            data = client.recv(65_536)
        except ConnectionResetError:
            return raw, "RST"
        except TimeoutError:
            return raw, "open"
        if not data:
            return raw, "FIN"
        raw += data


def read_and_leave(client):
    """The same, and then the client ends its side."""
    found = read(client)
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
    return found


def settle():
    """Wait for faults to be over that go on, in threads, when the adapter has returned."""
    # Not joined: one that is about to start cannot be.
    until(lambda: not any(each.name.startswith("faultinject") for each in threading.enumerate()))


def last(injector):
    """The outcome of the last request."""
    return injector.journal.outcomes[-1]


def only(injector):
    """The outcome of the only request."""
    [outcome] = injector.journal.outcomes
    return outcome


def values(outcome, *names):
    """An outcome's values of these names."""
    return tuple(getattr(outcome, name) for name in names)


def ended(injector):
    """The last outcome: the action, whether the app ran, and the status."""
    return values(last(injector), "did", "applied", "status")


class Seen:
    """The observations of client and server.

    Attributes:
        status: the number in the status line; 0 when nothing came.
        fields: the headers in order, as sent.
        headers: by lower-case name.
        body: the bytes behind the head, the marks of chunks among them.
        end: how the connection ended.
        error: what the adapter raised, or None.
    """

    def __init__(self, raw, end, error):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(line.split()[1]) if line else 0
        self.fields = [(name, value.strip()) for name, _, value in (each.partition(":") for each in lines)]
        self.headers = {name.lower(): value for name, value in self.fields}
        self.end = end
        self.error = error

    @property
    def saw(self):
        """Status, body and end."""
        return self.status, self.body, self.end


class App:
    """An app over WSGI and ASGI that says the same, and how far it came.

    Args:
        pieces: of the body.
        status: of the answer.
        length: whether a Content-Length is told.
        fails: `before` its answer starts, or `between` the pieces, behind the first.
        error: what it raises then.

    Attributes:
        ran: how often it was called.
        given: how many pieces it was asked for.
        closed: how often its answer was closed; under ASGI, how often it came to its end.
    """

    def __init__(self, *pieces, status=200, length=True, fails="", error=Broken):
        self.pieces = pieces or (b"01234", b"56789")
        self.status = status
        self.fails = fails
        self.error = error
        size = sum(map(len, self.pieces))
        self.headers = [("Content-Type", "text/plain"), *([("Content-Length", str(size))] if length else [])]
        self.ran = self.given = self.closed = 0

    def __iter__(self):
        for number, piece in enumerate(self.pieces):
            if number and self.fails == "between":
                raise self.error
            self.given += 1
            yield piece

    def close(self):
        self.closed += 1

    def begin(self):
        """The actions of the app before its answer."""
        self.ran += 1
        if self.fails == "before":
            raise self.error

    def wsgi(self, environ, start_response):
        self.begin()
        start_response(f"{self.status} Status", list(self.headers))
        return self

    async def asgi(self, scope, receive, send):
        self.begin()
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for piece in self:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
        self.close()


class Taking(App):
    """An app that reads what it is sent, and notes each piece with its time.

    Args:
        how: how a WSGI app reads; nothing: by no means.
    """

    def __init__(self, *pieces, how=lambda body: [body.read()], **more):
        super().__init__(*pieces, **more)
        self.how = how
        self.taken = []

    def take(self, piece):
        self.taken.append((time.monotonic(), piece))
        return piece

    @property
    def body(self):
        return b"".join(piece for _, piece in self.taken)

    def wsgi(self, environ, start_response):
        if self.how is not None:
            for piece in self.how(environ["wsgi.input"]):
                self.take(piece)
        return super().wsgi(environ, start_response)

    async def asgi(self, scope, receive, send):
        more = self.how is not None
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Broken
            self.take(message.get("body", b""))
            more = message.get("more_body", False)
        await super().asgi(scope, receive, send)


def to_the_end(read):
    """Read until nothing more comes."""
    return iter(read, b"")


def filling(body):
    """Into a buffer."""
    buffer = bytearray(7)
    while size := body.readinto(buffer):
        yield bytes(buffer[:size])


READERS = {
    "read": lambda body: [body.read()],
    "read None": lambda body: [body.read(None)],
    "read 5, then the rest": lambda body: [body.read(5), body.read(5), body.read(0), body.read(-1)],
    "pieces": lambda body: to_the_end(lambda: body.read(3)),
    "read1": lambda body: to_the_end(lambda: body.read1(77)),
    "readinto": filling,
    "readline": lambda body: to_the_end(body.readline),
    "readlines": lambda body: body.readlines(),
    "readlines of 3": lambda body: [*body.readlines(3), *body.readlines(None)],
    "lines": lambda body: body,
    "a line, then the rest": lambda body: [body.readline(2), body.readline(), *body],
}
"""The ways in which a WSGI app may read its body, each with its pieces."""


def head_of(status, headers):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1")


class Wire:
    """A small server with the makers of requests."""

    def __init__(self, makers):
        self._makers = makers


class WsgiWire(Wire):
    """A small server that sends nothing before the first piece of a body, as WSGI demands."""

    kind = "wsgi"

    def __call__(self, injector, app=None, method="GET", target="/", *, inside=False, **more):
        call = (app or App()).wsgi if isinstance(app, App | None) else app
        with loopback() as (client, server):
            body, sized = b"".join(more.pop("upload", ())), more.pop("sized", True)
            environ = self._makers.environ(method, target, body=body, **more)
            if body and not sized:
                environ |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
                environ["wsgi.input_terminated"] = True
            environ["REMOTE_ADDR"], port = client.getsockname()
            environ |= {"REMOTE_PORT": str(port), "SERVER_PORT": str(server.getsockname()[1])}
            environ["werkzeug.socket"] = server
            if inside:
                del environ["REMOTE_PORT"], environ["werkzeug.socket"]
            error = self._serve(WSGIFaultMiddleware(call, injector=injector), environ, server)
            server.close()
            seen = Seen(*read(client), error)
        settle()
        return seen

    def _serve(self, wrapped, environ, server):
        heads = []

        def write(piece):
            with suppress(OSError):
                server.sendall((heads.pop() if heads else b"") + piece)

        def start_response(status, headers, exc_info=None):
            heads[:] = [head_of(status, headers)]
            return write

        result = ()
        try:
            result = wrapped(environ, start_response)
            for piece in result:
                if piece:
                    write(piece)
            if heads:
                write(b"")
        except Exception as error:
            return error
        finally:
            getattr(result, "close", lambda: None)()


class AsgiWire(Wire):
    """A small server whose `send` belongs to an object with the connection, as uvicorn's does."""

    kind = "asgi"

    def __call__(self, injector, app=None, method="GET", target="/", *, inside=False, **more):
        call = (app or App()).asgi if isinstance(app, App | None) else app
        with loopback() as (client, server):
            pieces = more.pop("upload", ())
            sized = more.pop("sized", True)
            scope = self._makers.scope(method, target, body=b"".join(pieces) if sized else b"", **more)
            if pieces and not sized:
                scope["headers"].append((b"transfer-encoding", b"chunked"))
            scope |= {"client": client.getsockname(), "server": server.getsockname()}
            if inside:
                scope |= TESTCLIENT
            wrapped = ASGIFaultMiddleware(call, injector=injector)
            own = Exchange(server, method, pieces)
            if inside:
                del own.transport
            # What it has not sent yet is waited for, until it has read the answer and leaves.
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(read_and_leave, client)
                error = asyncio.run(own.run(wrapped, scope))
                server.close()
                return Seen(*answer.result(), error)


class Exchange:
    """A server's objects of one request."""

    def __init__(self, server, method, pieces=()):
        self._pieces = [*pieces]
        shown = {"socket": server}
        self.transport = SimpleNamespace(get_extra_info=shown.get, get_write_buffer_size=lambda: 0)
        self._server = server
        self._asked = method == "GET"

    async def run(self, wrapped, scope):
        try:
            await wrapped(scope, self.receive, self.send)
        except (Exception, asyncio.CancelledError) as error:
            return error

    async def receive(self):
        """The request, then nothing until the connection ends."""
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}
        if self._asked:
            self._asked = False
            return {"type": "http.request", "body": b"", "more_body": False}
        with suppress(OSError):
            await anyio.wait_readable(self._server)
        return {"type": "http.disconnect"}

    async def send(self, message):
        data = message.get("body", b"")
        if message["type"] == "http.response.start":
            headers = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
            ]
            data = head_of(message["status"], headers)
        with suppress(OSError):
            self._server.sendall(data)


def by_wsgi(servers, injector, server, app=None, method="GET", **more):
    """The server's view of one request on that connection."""
    environ = servers.environ(method, "/a", **{"werkzeug.socket": server, **more})
    return WSGIFaultMiddleware((app or App()).wsgi, injector=injector)(environ, lambda *_: None)


def by_asgi(servers, injector, server, app=None, method="GET", *, run=anyio.run, backend="asyncio", **scope):
    """The same, also by an `Exchange` that was made before."""
    call = (app or App()).asgi if isinstance(app, App | None) else app
    exchange = server if isinstance(server, Exchange) else Exchange(server, method)
    wrapped = ASGIFaultMiddleware(call, injector=injector)
    error = run(exchange.run, wrapped, servers.scope(method, "/a", **scope), backend=backend)
    if error is not None:
        raise error


WIRES = {"wsgi": WsgiWire, "asgi": AsgiWire}
