"""Two retry loops meet broken connections, over a real socket."""

from collections.abc import Iterator
from threading import Thread

import httpx
import pytest
from broken_connection.app import create_app
from broken_connection.client import Shop
from werkzeug.serving import make_server

import faultinject


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = make_server("127.0.0.1", 0, create_app(), threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    shop = Shop(f"http://127.0.0.1:{server.server_port}")
    yield shop
    shop.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.faultinject("http:503", times=2, method="POST")
def test_errors_with_a_status_are_repeated(shop: Shop, faults: faultinject.Faults) -> None:
    """The test that everybody has: two errors, and the third attempt places the one order."""
    shop.order("cat food")
    assert faults.injected == 2
    assert shop.orders() == ["cat food"]


@pytest.mark.faultinject("reset", when="after", times=1, method="POST")
def test_a_reset_gets_past_a_loop_over_statuses(shop: Shop, faults: faultinject.Faults) -> None:
    """The app places the order, the client sees a failure, its caller calls again: two orders."""
    with pytest.raises(httpx.TransportError):
        shop.order("cat food")
    assert [each.did for each in faults.outcomes] == ["reset"]
    shop.order("cat food")
    assert shop.orders() == ["cat food", "cat food"]


@pytest.mark.faultinject("reset", when="after", times=1, method="POST")
def test_a_key_makes_a_repeat_safe(shop: Shop, faults: faultinject.Faults) -> None:
    """The app ran in both attempts, and knew the order the second time."""
    shop.order_once("cat food")
    assert [(each.did, each.applied) for each in faults.outcomes] == [("reset", True), ("passed", True)]
    assert shop.orders() == ["cat food"]


@pytest.mark.faultinject("hang", duration="50ms", times=1, method="POST")
@pytest.mark.faultinject("close", times=1, method="POST")
def test_every_broken_connection_is_met(shop: Shop, faults: faultinject.Faults) -> None:
    """Two connections close, at once and after a while, and the third attempt places the order."""
    shop.order_once("cat food")
    assert [each.did for each in faults.outcomes] == ["closed", "closed", "passed"]
    assert shop.orders() == ["cat food"]


@pytest.mark.faultinject("reset", method="POST")
def test_the_client_gives_up_at_last(shop: Shop, faults: faultinject.Faults) -> None:
    """Three attempts, then the caller learns of it."""
    with pytest.raises(httpx.TransportError):
        shop.order_once("cat food")
    assert faults.attempts == 3
