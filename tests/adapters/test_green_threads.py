"""gevent's loop goes on while a greenlet waits; under eventlet nothing is injected."""

import re
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware, install
from faultinject.adapters.import_hooks import SERVERS
from faultinject.exceptions import UnsupportedServerError

from .transport import App

pytestmark = pytest.mark.live

SENTENCE = "eventlet is not supported"
SCRIPT = """
import logging, sys, warnings
warnings.simplefilter("ignore")
from urllib.request import urlopen
from faultinject import FaultInjectError, WSGIFaultMiddleware, install
from faultinject.exceptions import UnsupportedServerError

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

rules, way = "cos:SlowDown", sys.argv[1]
early = WSGIFaultMiddleware(app, rules)
import eventlet
from eventlet import wsgi
if way != "as it is":
    eventlet.monkey_patch()
    for put_on in (WSGIFaultMiddleware, lambda *given: install(*given, enabled=True)):
        try:
            put_on(app, rules)
        except UnsupportedServerError as error:
            assert isinstance(error, FaultInjectError)
            print(error)
injector, listening = early.injector, eventlet.listen(("127.0.0.1", 0))
eventlet.spawn(wsgi.server, listening, early, log_output=False)
from eventlet.green.urllib.request import urlopen
for _ in range(2):
    print(urlopen(f"http://127.0.0.1:{listening.getsockname()[1]}/").read().decode())
print(*(each.did for each in injector.journal.outcomes))
"""
TWICE = ["ok", "ok", "failed failed"]


@pytest.fixture
def run():
    """Run the script; eventlet is not imported here, where it would warn of each fork."""
    if find_spec("eventlet") is None:
        pytest.skip("eventlet is not installed")

    def run(way):
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT, way], capture_output=True, text=True, check=False, timeout=100
        )
        assert "Traceback" not in found.stderr
        assert found.returncode == 0, found.stderr
        return found.stdout.splitlines(), found.stderr.count(SENTENCE)

    return run


@pytest.mark.slow
def test_a_process_that_it_patches_later(run):
    """Under eventlet's worker an app that was loaded before passes requests, with one log line.

    Another app is refused by a typed error, which says what to use instead.
    """
    (line, again, *lines), logged = run("later")
    assert re.match(f"{SENTENCE}.*gevent", line)
    assert (again, lines, logged) == (line, TWICE, 1)


def test_its_server_alone(run):
    """Nothing is patched, but it serves."""
    assert run("as it is") == (TWICE, 1)


def test_every_way_in(monkeypatch):
    """Both middlewares and `install()`."""
    monkeypatch.setitem(sys.modules, "eventlet.patcher", SimpleNamespace(already_patched={}))
    assert WSGIFaultMiddleware(App().wsgi, "http:503").injector
    sys.modules["eventlet.patcher"].already_patched["socket"] = True
    for put_on in WSGIFaultMiddleware, partial(install, enabled=True):
        with pytest.raises(UnsupportedServerError, match=SENTENCE):
            put_on(App().wsgi, "http:503")
    assert not ASGIFaultMiddleware(App().asgi, "http:503").injector.scenario.rules
    for name, value in (("FAULTINJECT_ENABLED", "0"), ("FLASK_ENV", "production")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            assert WSGIFaultMiddleware(App().wsgi, "http:503").injector, "off is off"


def test_a_server_that_is_hooked(monkeypatch, make_injector, caplog):
    """An app that is loaded after eventlet's patch is returned unchanged; the log says why."""
    monkeypatch.setitem(sys.modules, "eventlet.patcher", SimpleNamespace(already_patched={"socket": True}))
    _, make = SERVERS["gunicorn.app.base"]
    app = App().wsgi
    assert make(make_injector("http:503"))(lambda: app, None, (), {}) is app
    assert caplog.text.count(SENTENCE) == 1


GEVENT = """
import sys
import gevent
from gevent import monkey
if sys.argv[1] == "patched":
    monkey.patch_all()
import socket
from faultinject import Injector, WSGIFaultMiddleware

listening = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listening.getsockname())
server, _ = listening.accept()
client.send(b"unread")
for rule, leaves in (("latency,delay=20ms", 30), ("http:503,delay=1h", 0.05)):
    injector = Injector(rule, environ={})
    leaving = gevent.spawn_later(leaves, client.close)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": None, "werkzeug.socket": server}
    WSGIFaultMiddleware(lambda *_: [], injector=injector)(environ, lambda *_: None)
    print(injector.journal.outcomes[0].did, leaving.ready())
"""


@pytest.mark.parametrize("way", ["patched", "as it is"])
def test_a_client_that_leaves(way):
    """At once, although gevent's own `poll` does not tell; one that only sends is waited with."""
    pytest.importorskip("gevent")
    found = subprocess.run(
        [sys.executable, "-c", GEVENT, way], capture_output=True, text=True, check=False, timeout=100
    )
    assert found.stdout == "delayed False\nfailed True\n", found.stderr
