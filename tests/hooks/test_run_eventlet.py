"""`faultinject run` in front of eventlet: its server runs untouched, and one line says why."""

import pytest

from .launch import Way

SENTENCE = "faultinject: eventlet is not supported"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["", "patched", "flask", "patched flask"])
def test_its_server(start, how):
    """Also an app of a framework's, which other hooks reach; and no traceback."""
    way = Way(f"python served_eventlet.py {{port}} {how}", "eventlet", "flask")
    server = start(way, "cos:SlowDown,path=photos/")
    assert SENTENCE in server.log
    assert server.statuses("/photos/cat", 3) == [200] * 3, server.log
    assert "Traceback" not in server.log
    # At its start, and for a framework's app at the first request that a rule matches.
    assert server.log.count(SENTENCE) == 1 + ("flask" in how)
