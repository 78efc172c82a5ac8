"""Real servers and raw sockets: waits at a server's end, and middleware outside."""

import subprocess
import sys
import threading

import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from faultinject import ASGIFaultMiddleware, Injector
from tests.until import until

from . import live
from .transport import PATIENCE, App

pytestmark = pytest.mark.live

WAITS = {
    "http:503,delay=1h": 503,
    "latency,delay=1h": 200,
    "http:503,delay=1h,when=after": 503,
    "latency,delay=1h,when=after": 200,
    "drip,rate=1": 200,
    "hang": 0,
    "cos:InternalError,status=200,delay=1h": 200,
}


@pytest.mark.parametrize("rule", WAITS)
def test_a_wait_does_not_keep_uvicorn_from_its_end(rule):
    """The wait ends, and the fault is given, as soon as uvicorn is told to stop."""
    injector = Injector(rule, seed=1, environ={})
    statuses = []

    def ask(port):
        statuses.append(live.ask(port, "/a").status)

    with live.serve("uvicorn", App(bytes(3600)), injector) as port:
        client = threading.Thread(target=ask, args=(port,))
        client.start()
        until(lambda: injector.journal.outcomes)
    client.join(PATIENCE)
    assert statuses == [WAITS[rule]]


async def go_on(request, call_next):
    """A middleware that does nothing, and runs the app in a task of its own."""
    return await call_next(request)


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(
    ("rule", "body", "end", "did"),
    [
        ("reset,when=after,after_bytes=7", b"0123456", "RST", "reset"),
        ("close,when=after,after_bytes=7", b"0123456", "FIN", "closed"),
        ("truncate,keep_bytes=3", b"012", "FIN", "truncated"),
        ("reset", b"", "RST", "reset"),
        ("reset,when=after", b"", "RST", "reset"),
        ("close", b"", "FIN", "closed"),
    ],
)
def test_a_middleware_outside_ends_no_cut_answer_well(rule, body, end, did, length):
    """An answer that the journal calls cut is cut, beneath the middleware that hides the server."""
    injector = Injector(rule, seed=1, environ={})
    app = BaseHTTPMiddleware(ASGIFaultMiddleware(App(length=length).asgi, injector=injector), dispatch=go_on)
    with live.uvicorn_server(app) as port:
        seen = [live.ask(port) for _ in range(2)]
    assert [each.end for each in seen] == [end, end]
    if length:
        assert [each.body for each in seen] == [body, body]
    assert not any(each.body.endswith(b"0\r\n\r\n") for each in seen)
    assert [each.did for each in injector.journal.outcomes] == [did, did]


def test_the_log_names_the_order_once():
    """In a process of its own, as it says so once a process."""
    script = """
from starlette.middleware.base import BaseHTTPMiddleware
from faultinject import ASGIFaultMiddleware, Injector
from tests.adapters import live
from tests.adapters.test_live_exchanges import go_on
from tests.adapters.transport import App
inner = ASGIFaultMiddleware(App().asgi, injector=Injector("reset", seed=1, environ={}))
with live.uvicorn_server(BaseHTTPMiddleware(inner, dispatch=go_on)) as port:
    print([live.ask(port).end for _ in range(2)])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "['RST', 'RST']\n"
    assert ran.stderr.count("put faultinject outermost") == 1
