"""Under gevent: a client that leaves is noticed, and its loop goes on while a greenlet waits, patched or not."""

import subprocess
import sys
import threading

import pytest

from faultinject.adapters import of_environ

from .transport import loopback

pytestmark = pytest.mark.live

SCRIPT = """
import sys
import gevent
from gevent import monkey
if sys.argv[1] == "patched":
    monkey.patch_all()
import socket, time
from faultinject.adapters import of_environ

listening = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listening.getsockname())
server, _ = listening.accept()
client.send(b"unread")
connection = of_environ({"werkzeug.socket": server})
assert not connection.left(0.02)
turns = []
def leave():
    turns.append(1)
    client.close()
gevent.spawn_later(0.05, leave)
assert connection.left(30), "not noticed"
assert turns == [1]
print("noticed")
"""


@pytest.mark.parametrize("way", ["patched", "as it is"])
def test_a_client_that_leaves(way):
    """At once, although gevent's own `poll` does not tell."""
    pytest.importorskip("gevent")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, way], capture_output=True, text=True, check=False, timeout=300
    )
    assert (found.stdout, found.stderr) == ("noticed\n", "")


def test_its_greenlets_and_other_threads(servers):
    """A greenlet leaves the others their turn; a thread of the system's waits by the system's poll."""
    gevent = pytest.importorskip("gevent")
    pytest.importorskip("gevent.monkey")
    seen = []

    def in_greenlets(connection, client):
        gevent.spawn_later(0.02, client.close)
        seen.append(gevent.spawn(connection.left, 30).get())
        seen.append(gevent.spawn(connection.wait_writable, 0).get())
        gevent.get_hub().destroy()

    with loopback() as (client, server):
        environ = servers.environ(**{"werkzeug.socket": server})
        with of_environ(environ) as connection:
            assert not connection.left(0)
            # A hub belongs to its thread.
            thread = threading.Thread(target=in_greenlets, args=(connection, client))
            thread.start()
            thread.join()
    assert seen == [True, True]
