"""The client gets its photos through, over a real socket, whatever the storage answers."""

from collections.abc import Iterator
from threading import Thread

import pytest
import requests
from flask_upload.app import create_app
from flask_upload.client import Album
from werkzeug.serving import make_server

import faultinject

CAT = b"\xff\xd8 a cat"


@pytest.fixture
def album() -> Iterator[Album]:
    server = make_server("127.0.0.1", 0, create_app(), threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    album = Album(f"http://127.0.0.1:{server.server_port}", backoff=0.001)
    yield album
    album.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.faultinject("cos:SlowDown", times=2, method="PUT", path="photos/")
def test_an_upload_survives_two_slowdowns(album: Album, faults: faultinject.Faults) -> None:
    """Two errors are two retries, each with the same bytes, and the photo arrives."""
    album.put("cat.jpg", CAT)
    assert [each.status for each in faults.outcomes] == [503, 503, 201]
    assert len({each.request_digest for each in faults.outcomes if each.injected}) == 1
    with faults.pause():
        assert album.get("cat.jpg") == CAT


@pytest.mark.faultinject("cos:InternalError", times=1, when="after", method="PUT")
def test_an_upload_whose_answer_is_lost_is_repeated(album: Album, faults: faultinject.Faults) -> None:
    """The photo was stored and the answer lost: PUT may be repeated, so no harm is done."""
    album.put("cat.jpg", CAT)
    assert [each.applied for each in faults.outcomes] == [True, True]
    assert album.get("cat.jpg") == CAT


@pytest.mark.faultinject("cos:AccessDenied", method="PUT")
def test_a_refusal_is_not_repeated(album: Album, faults: faultinject.Faults) -> None:
    """403 stays 403 however often one asks: one attempt."""
    with pytest.raises(requests.HTTPError, match="403"):
        album.put("cat.jpg", CAT)
    assert faults.attempts == 1


@pytest.mark.faultinject("cos:SlowDown", method="PUT")
def test_the_client_gives_up_at_last(album: Album, faults: faultinject.Faults) -> None:
    """One attempt and four retries, then the caller learns of it."""
    with pytest.raises(requests.HTTPError, match="503"):
        album.put("cat.jpg", CAT)
    assert faults.attempts == 5


@pytest.mark.faultinject("cos:@throttle", probability=0.3, seed=42)
def test_fifty_photos_get_through_at_thirty_percent(album: Album, faults: faultinject.Faults) -> None:
    """With this seed every photo arrives, and every fault cost exactly one retry."""
    for number in range(50):
        album.put(f"{number}.jpg", CAT)
    assert faults.injected > 0
    assert faults.attempts == 50 + faults.injected
