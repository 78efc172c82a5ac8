"""Under gevent, a leaving client is noticed, and the loop goes on while a greenlet waits."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.live

SCRIPT = """
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
        [sys.executable, "-c", SCRIPT, way], capture_output=True, text=True, check=False, timeout=100
    )
    assert found.stdout == "delayed False\nfailed True\n", found.stderr
