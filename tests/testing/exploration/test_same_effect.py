"""Right programs with requests that look like bugs are not blamed, and wrong twins are.

A repeat with the same effect does no harm.
"""

import itertools
import json

import pytest
from werkzeug.test import Client
from werkzeug.wsgi import get_input_stream

from faultinject import WSGIFaultMiddleware

from .service import exploring, warnings

SLOW_DOWN = "cos:SlowDown"
LOST = "reset,when=after"
ID = {"amz-sdk-invocation-id": "7"}


class Shop:
    """An app with objects, a search and orders; `known` is its answer to a known order."""

    def __init__(self, known=200, created=201):
        self.known = known
        self.created = created
        self.orders = []
        self.numbers = itertools.count()
        self.client = Client(WSGIFaultMiddleware(self, []))

    def __call__(self, environ, start_response):
        body = get_input_stream(environ).read()
        status, answer = 200, b""
        if environ["PATH_INFO"] == "/orders":
            order = json.loads(body)
            order.setdefault("id", next(self.numbers))
            if order["id"] in [each["id"] for each in self.orders]:
                status = self.known
            else:
                self.orders.append(order)
                status = self.created
            answer = json.dumps(order).encode()
        start_response(f"{status} x", [("Content-Length", str(len(answer)))])
        return [answer]

    def send(self, method, path, body, headers=None):
        """One attempt: whether it got through."""
        try:
            answer = self.client.open(
                path, method=method, data=body, content_length=len(body), headers=headers
            )
        except OSError:
            return False
        return answer.status_code < 400

    def explored(self, code, *faults, **keys):
        """The failure and the warnings of an exploration."""

        def run():
            self.orders.clear()
            code()

        exploration, error = exploring(run, *faults, **keys)
        return "" if error is None else str(error).splitlines()[2], warnings(exploration)


@pytest.mark.parametrize(("fault", "warns"), [("s3:ExpiredToken,from=1", [True]), (SLOW_DOWN, [])])
def test_an_object_is_cleared_and_written_anew(fault, warns):
    """In the end the object is as it was to be, unless the fault stays.

    Then an allowed error is no break-down that shows that the second request was a retry.
    """
    shop = Shop()

    def clearing():
        if not shop.send("PUT", "/b/state", b"cats: 1"):
            shop.send("PUT", "/b/state", b"")
            if not shop.send("PUT", "/b/state", b"cats: 1"):
                raise OSError("not written")

    failed, warned = shop.explored(clearing, fault)
    assert (failed, ["same bytes" in each for each in warned]) == ("", warns)


@pytest.mark.parametrize("known", [200, 409])
def test_an_order_that_carries_its_own_id(known):
    """The app says that it had the order, or refuses it: that is one effect."""
    shop = Shop(known)

    def ordering():
        order = b'{"id": 7}'
        assert shop.send("POST", "/orders", order) or shop.send("POST", "/orders", order) or known == 409
        assert len(shop.orders) == 1

    assert shop.explored(ordering, LOST) == ("", [])


def test_an_order_without_an_id():
    """The wrong twin: two orders."""
    shop = Shop()
    failed, warned = shop.explored(
        lambda: any(shop.send("POST", "/orders", b'{"what": "cat"}', ID) for _ in range(3)), LOST
    )
    said = "non-idempotent retry: request 1 (POST) was carried out and its answer lost; request 2 "
    assert (failed.startswith(said), warned) == (True, [])


def test_an_order_that_was_refused_and_then_came_through():
    """Its answer was lost, and was a refusal: it took effect once."""
    shop = Shop()

    def ordering():
        for shop.created in (503, 201, 201):
            if shop.send("POST", "/orders", b'{"id": 7}', ID):
                return
            if shop.created == 503:
                shop.orders.clear()

    assert shop.explored(ordering, LOST) == ("", [])
