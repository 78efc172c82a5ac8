"""The little of Kodo's API that there is, through Qiniu's SDK and by hand."""

from __future__ import annotations

import io

import pytest
from werkzeug.test import Client

from faultinject.store.plan_stores import KodoStore
from tests.on_loopback import on_loopback


def test_an_upload_by_the_sdk():
    """The SDK takes the answer for the service's, and the hash is that of the content."""
    qiniu = pytest.importorskip("qiniu")
    from qiniu.http.endpoint import Endpoint
    from qiniu.http.region import Region, ServiceName

    with on_loopback(KodoStore()) as port:
        regions = [Region("z0", services={ServiceName.UP: [Endpoint(f"127.0.0.1:{port}/any", "http")]})]
        token = qiniu.Auth("id", "key").upload_token("photos", "a b.jpg")
        result, info = qiniu.put_data(token, "a b.jpg", b"meow", regions=regions)
    assert (result, info.ok()) == (
        {"hash": qiniu.utils.etag_stream(io.BytesIO(b"meow")), "key": "a b.jpg"},
        True,
    )
    assert info.req_id


@pytest.mark.parametrize("form", [{}, {"key": "k"}, {"file": (io.BytesIO(b"meow"), "name")}])
def test_a_form_that_lacks_something(form):
    """It is refused in Qiniu's form."""
    answer = Client(KodoStore()).post("/", data=form)
    assert (answer.status_code, answer.json) == (400, {"error": "file or key is not specified in the form"})


def test_nothing_else_is_there():
    """Reading is refused, also from a store that was filled."""
    store = KodoStore()
    store.fill("photos", objects=["k"], uploads=[], content=b"meow")
    answer = Client(store).get("/stat/k")
    assert (answer.status_code, answer.json) == (405, {"error": "method not allowed"})
