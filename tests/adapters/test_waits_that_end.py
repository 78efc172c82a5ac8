"""Waits end with their scenario, their client, their server and their program.

A child of the process ends its own alone.
"""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from faultinject import Injector, WSGIFaultMiddleware
from tests.virtual_time import RealTime

from .transport import PATIENCE, App, by_wsgi, leave, loopback, only, settle

BACKENDS = ["asyncio", "trio"]
HOUR = "http:503,delay=1h"

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def real():
    """Time as it passes."""
    return RealTime()


@pytest.fixture
def injector(real):
    return Injector(HOUR, store="memory:", environ={}, waits=real)


@contextmanager
def waiting(servers, injector, real, **more):
    """Let a request wait an hour on a thread of its own; give its answers.

    The block ends the wait.
    """
    found = []
    wrapped = WSGIFaultMiddleware(None, injector=injector)
    thread = threading.Thread(
        target=lambda: found.append(servers.wsgi(wrapped, servers.environ(**more)).status), daemon=True
    )
    thread.start()
    real.until_one_waits()
    yield found
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_end_of_the_scenario_ends_the_waits_of_all_threads(servers, injector, real):
    """With and without a connection, however often it is switched off and on."""
    with loopback() as (_, server):
        for _ in range(2):
            shown = {"werkzeug.socket": server}
            with (
                waiting(servers, injector, real) as one,
                waiting(servers, injector, real, **shown) as other,
            ):
                injector.disable()
                injector.enable()
            assert (one, other) == ([503], [503])


@pytest.mark.parametrize(
    ("rule", "did"), [(HOUR, "failed"), ("latency,delay=1h", "delayed"), ("drip,rate=1", "dripped")]
)
def test_a_client_that_leaves_ends_the_wait(servers, real, rule, did):
    """Also one that has read a part; the app is closed."""
    injector, app = Injector(rule, store="memory:", environ={}, waits=real), App(bytes(10_000))

    def serve(server):
        answer = by_wsgi(servers, injector, server, app)
        list(answer)
        getattr(answer, "close", bool)()

    with loopback() as (near, server):
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        real.until_one_waits()
        leave(near)
        thread.join(PATIENCE)
        assert not thread.is_alive()
    settle()
    assert (only(injector).did, app.closed) == (did, did != "failed")


PROGRAM = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from faultinject import Injector, WSGIFaultMiddleware

injector = Injector("http:503,delay=1h", environ={})
def ask():
    WSGIFaultMiddleware(None, injector=injector)({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
if sys.argv[1] == "late":
    threading.Thread(target=lambda: (threading.main_thread().join(), ask())).start()
elif sys.argv[1] == "pool":
    ThreadPoolExecutor(1).submit(ask)
else:
    threading.Thread(target=ask).start()
while sys.argv[1] != "late" and not injector.journal.outcomes:
    pass
"""


@pytest.mark.live
@pytest.mark.parametrize("threads", ["pool", "thread", "late"])
def test_the_end_of_the_program_ends_all_waits(threads):
    """Threads that wait keep no program from ending, nor do those of a pool.

    It waits for a pool first; a late wait is none.
    """
    subprocess.run([sys.executable, "-c", PROGRAM, threads], check=True, timeout=100)


@pytest.mark.live
def test_a_fork_ends_no_wait(servers, injector, real):
    """A rule that a child switches off goes on in its parent; a child ends its own waits."""
    with waiting(servers, injector, real) as found:
        pid = os.fork()
        if not pid:
            failed = 1
            try:
                injector.disable()
                injector.enable()
                with waiting(servers, injector, real) as own:
                    injector.disable()
                failed = own != [503]
            finally:
                os._exit(failed)
        assert os.waitpid(pid, 0)[1] == 0
        assert found == []
        injector.disable()
    assert found == [503]
