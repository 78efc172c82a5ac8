"""Azure's SDK gets photos through a busy service, and where that is not the whole truth."""

from collections.abc import Iterator
from threading import Thread

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

import faultinject

azure = pytest.importorskip("azure.core.exceptions", reason="azure-storage-blob is not installed")

from azure_retries.app import create_app  # noqa: E402
from azure_retries.client import BLOCK, Album  # noqa: E402

CAT = b"\xff\xd8 a cat"
FILM = bytes(range(256)) * (3 * BLOCK // 256)


class Quiet(WSGIRequestHandler):
    """Writes no access log."""

    def log_request(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def album(faults: faultinject.Faults) -> Iterator[Album]:
    server = make_server("127.0.0.1", 0, create_app(), threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        album = Album(f"http://127.0.0.1:{server.server_port}/account", wait=0.001)
        with faults.pause():
            album.open()
        yield album
        album.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.faultinject("azure-blob:ServerBusy", times=2, method="PUT")
def test_a_busy_service_costs_two_retries(album: Album, faults: faultinject.Faults) -> None:
    """The photo arrives with the same bytes."""
    album.put("cat.jpg", CAT)
    assert [each.status for each in faults.outcomes] == [503, 503, 201]
    assert len({each.request_digest for each in faults.outcomes if each.injected}) == 1
    with faults.pause():
        assert album.get("cat.jpg") == CAT


@pytest.mark.faultinject("azure-blob:ServerBusy", method="PUT")
def test_the_sdk_gives_up_at_last(album: Album, faults: faultinject.Faults) -> None:
    """One attempt and three retries; then the caller gets Azure's own code."""
    with pytest.raises(azure.HttpResponseError) as caught:
        album.put("cat.jpg", CAT)
    assert (caught.value.error_code, faults.attempts) == ("ServerBusy", 4)


@pytest.mark.faultinject("azure-blob:OperationTimedOut", times=1, operation="block_blob.stage_block")
def test_only_the_block_that_failed_is_sent_again(album: Album, faults: faultinject.Faults) -> None:
    """Three blocks and their list are four requests; a fifth is the retry."""
    album.put("film", FILM)
    with faults.pause():
        assert album.get("film") == FILM
    assert (faults.injected, len(faults.outcomes)) == (1, 5)


@pytest.mark.faultinject("azure-blob:ServerBusy", when="after", times=1, method="PUT")
def test_a_photo_that_was_stored_is_said_to_be_in_the_way(album: Album, faults: faultinject.Faults) -> None:
    """The answer was lost, so the SDK retries, and its own photo is reported as existing."""
    with pytest.raises(azure.ResourceExistsError):
        album.add("cat.jpg", CAT)
    with faults.pause():
        assert album.get("cat.jpg") == CAT


@pytest.mark.faultinject("azure-blob:ServerBusy", when="after", times=1, method="PUT")
def test_a_photo_that_may_be_replaced_may_be_sent_twice(album: Album, faults: faultinject.Faults) -> None:
    """The same answer lost, and nobody notices."""
    album.put("cat.jpg", CAT)
    assert [each.applied for each in faults.outcomes] == [True, True]


@pytest.mark.faultinject("azure-blob:AuthenticationFailed", method="PUT")
def test_a_refusal_is_not_repeated(album: Album, faults: faultinject.Faults) -> None:
    """One attempt."""
    with pytest.raises(azure.ClientAuthenticationError):
        album.put("cat.jpg", CAT)
    assert faults.attempts == 1
