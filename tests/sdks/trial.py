"""Every fault against every client on one server at once, as clients mostly wait."""

import hashlib
import importlib.metadata
import socket
import time
import zlib
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import crcmod  # the COS SDK's
import uvicorn
from werkzeug.wsgi import get_input_stream

from faultinject import ASGIFaultMiddleware, Injector, Scenario, WSGIFaultMiddleware
from tests.on_loopback import Keeping, in_thread, on_loopback

from .client import Returned
from .http_clients import Aiohttp, Httpx, Requests, RequestsRetry, Urllib
from .vendor_clients import Boto3, Cos, JssUpload, QingStorSdk

CLIENTS = {
    "boto3": Boto3,
    "cos-python-sdk-v5": Cos,
    "qingstor-sdk": QingStorSdk,
    "jss-upload": JssUpload,
    "requests": Requests,
    "requests-retry": RequestsRetry,
    "httpx": Httpx,
    "aiohttp": Aiohttp,
    "urllib": Urllib,
}
"""By a name that a rule may have."""

CRC64 = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=0xFFFFFFFFFFFFFFFF)
CONTENT = bytes(range(256)) * 16
CHECKSUMS = {
    "x-amz-checksum-crc32": b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode(),
    "x-cos-hash-crc64ecma": str(CRC64(CONTENT)),
}
SHORT, LONG = 1.0, 30.0
PAUSE = 5.0  # between two bytes, which a busy machine may need
HANG = 7  # longer than any client keeps a connection that it has given up: qingstor-sdk for 5 s, till it tries again


class Row:
    """One row of the table.

    Args:
        rule: the fault and its effects; `{error}` and `{throttled}` are the vendor's own.
        did: what the journal says of the attempts, each word once.
        call: what the client is asked to do.
        seconds: how long the client may wait.
        checked: the app's answer has the checksums that S3 and COS send.
    """

    def __init__(self, rule, did, call="get", *, seconds=LONG, checked=False):
        self.rule = rule
        self.did = did.split()
        self.call = call
        self.seconds = seconds
        self.checked = checked


ROWS = {
    "hang": Row(f"hang,duration={HANG}s", "closed", seconds=SHORT),
    "reset": Row("reset", "reset"),
    "reset-post": Row("reset", "reset", "post"),
    "reset-after": Row("reset,when=after", "reset", "put"),
    "reset-after-once": Row("reset,when=after,times=1", "passed reset", "put"),
    "reset-upload": Row("reset,after_bytes=50", "reset", "put"),
    "reset-answer": Row("reset,when=after,after_bytes=1000", "reset"),
    "reset-download": Row("reset,when=after,after_bytes=1000,method=GET", "reset", "download"),
    "error-upload": Row("{error},after_bytes=50", "answered", "put"),
    "stall": Row("stall,duration=1s", "delayed"),
    "stall-long": Row(f"stall,duration={HANG}s", "delayed", seconds=SHORT),
    "stall-upload": Row("stall,duration=1s,after_bytes=50", "stalled", "put"),
    "stall-answer": Row("stall,when=after,duration=1s,after_bytes=1000", "stalled"),
    "stall-answer-long": Row(
        f"stall,when=after,duration={3 * PAUSE}s,after_bytes=1000", "stalled", seconds=PAUSE
    ),
    "close": Row("close", "closed"),
    "truncate": Row("truncate", "truncated"),
    "truncate-download": Row("truncate,method=GET", "truncated", "download"),
    "truncate-error": Row("truncate,of={error}", "truncated"),
    "drip": Row("drip,rate=16KiB", "dripped"),
    "drip-long": Row("drip,rate=600", "dripped", seconds=PAUSE),
    "corrupt": Row("corrupt", "corrupted"),
    "corrupt-checked": Row("corrupt", "corrupted", checked=True),
    "corrupt-download": Row("corrupt,method=GET", "corrupted", "download", checked=True),
    "gateway": Row("gateway:BadGateway", "answered"),
    "late-copy": Row("cos:InternalError,status=200,delay=300ms", "answered", "copy"),
    "late-complete": Row("cos:InternalError,status=200,delay=300ms", "answered", "complete"),
}
CELLS = [
    (row, client)
    for row, what in ROWS.items()
    for client, made in CLIENTS.items()
    if hasattr(made, what.call)
]


def rules():
    """One rule a cell, told apart by the key."""
    return "\n".join(
        ROWS[row].rule.format(error=CLIENTS[client].error, throttled=CLIENTS[client].throttled)
        + f",path=**/{client}.{row},name={client}.{row}"
        for row, client in CELLS
    )


class App:
    """Gives everybody the same object, and counts what is put below each key; WSGI and ASGI."""

    def __init__(self):
        self.puts = Counter()

    def answer(self, method, path):
        if method not in ("GET", "HEAD"):
            self.puts[path.rpartition("/")[2]] += method == "PUT"
            return [("Content-Length", "0"), ("ETag", '"1"')], b""
        headers = {"Content-Length": str(len(CONTENT)), "Content-Type": "application/octet-stream"}
        headers["ETag"] = f'"{hashlib.md5(CONTENT).hexdigest()}"'
        if ROWS[path.rpartition(".")[2]].checked:
            headers |= CHECKSUMS
        return [*headers.items()], CONTENT if method == "GET" else b""

    def wsgi(self, environ, start_response):
        get_input_stream(environ).read()
        headers, body = self.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        start_response("200 OK", headers)
        return [body]

    async def asgi(self, scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        headers, body = self.answer(scope["method"], scope["path"])
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": body})


def on_werkzeug(app, injector):
    """The app on werkzeug, in a thread; gives the port."""
    return on_loopback(WSGIFaultMiddleware(app.wsgi, injector=injector), Keeping)


@contextmanager
def on_uvicorn(app, injector):
    """The app on uvicorn, in a thread; gives the port."""
    wrapped = ASGIFaultMiddleware(app.asgi, injector=injector)
    config = uvicorn.Config(wrapped, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=256) as listening,
        in_thread(partial(server.run, [listening]), partial(setattr, server, "should_exit", True)),
    ):
        yield listening.getsockname()[1]


SERVERS = {"werkzeug": on_werkzeug, "uvicorn": on_uvicorn}


def measure(server):
    """Each client's result of each fault on a server, and the journal's words, by row."""
    app, injector = App(), Injector(Scenario.parse(rules()), seed="sdks", environ={})
    with SERVERS[server](app, injector) as port:
        url = f"http://127.0.0.1:{port}"
        clients = {(row, client): CLIENTS[client](url, ROWS[row].seconds) for row, client in CELLS}
        try:
            with ThreadPoolExecutor(48) as pool:
                cells = dict(zip(CELLS, pool.map(lambda cell: ask(clients[cell], *cell), CELLS), strict=True))
        finally:
            for each in clients.values():
                each.close()
    assert injector.errors == []
    done = {(row, client): [] for row, client in CELLS}
    for each in injector.journal.outcomes:
        client, _, row = each.path.rpartition("/")[2].rpartition(".")
        done[row, client].append(each.did)
    saw, did = {}, {}
    for (row, client), (cell, seconds) in cells.items():
        cell["attempts"] = len(done[row, client])
        if ROWS[row].call == "put":
            cell["stored"] = app.puts[f"{client}.{row}"]
        if row == "hang" and cell["attempts"] == 1 and seconds >= HANG:
            cell["waited"] = True
        saw.setdefault(row, {})[client] = cell
        did[row] = sorted({*done[row, client], *did.get(row, ())})
    return saw, did


def ask(client, row, name):
    """Make one call: the exception's class, `ok` or the data's defect, and the seconds."""
    begun = time.monotonic()
    try:
        data = getattr(client, ROWS[row].call)(f"{name}.{row}")
    except Returned as error:
        cell = {"saw": f"returned {error.status}", **said(error.code)}
    except Exception as error:
        kind = type(error)
        cell = {"saw": f"{kind.__module__}.{kind.__qualname__}", **said(client.code(error))}
    else:
        right = data is None or data == CONTENT
        cell = {"saw": "ok" if right else "wrong data" if len(data) == len(CONTENT) else "short data"}
    return cell, time.monotonic() - begun


def said(code):
    """The client's code of the error, if any."""
    return {} if code is None else {"code": str(code)}


def versions():
    """Of the clients' packages."""
    return {
        name: importlib.metadata.version(made.package)
        for name, made in CLIENTS.items()
        if made.package is not None
    }
