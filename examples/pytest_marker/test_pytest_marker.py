"""Markers on functions, classes and parameters reach an app that was never wrapped."""

import asyncio

import httpx
import pytest
from pytest_marker.app import Send, app, make_thumbnail

import faultinject

CAT = b"12345678 and the rest of a cat"


@pytest.fixture
def send() -> Send:
    async def ask(method: str, path: str, data: bytes) -> tuple[int, bytes]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            answer = await client.request(method, path, content=data)
            return answer.status_code, answer.content

    return lambda method, path, data: asyncio.run(ask(method, path, data))


@pytest.mark.faultinject("qiniu-mix:SlowDown", times=2, path="thumbnails/")
def test_a_thumbnail_survives_two_slowdowns(send: Send, faults: faultinject.Faults) -> None:
    """The everyday test: fail twice, then succeed."""
    assert make_thumbnail(send, "cat.jpg", CAT) == b"12345678"
    assert faults.injected == 2


@pytest.mark.faultinject("qiniu-mix:SlowDown", path="thumbnails/")
def test_three_slowdowns_are_too_many(send: Send, faults: faultinject.Faults) -> None:
    """The client stops after three attempts and says so."""
    with pytest.raises(RuntimeError, match=r"no thumbnail of cat\.jpg after 3 attempts, last 503"):
        make_thumbnail(send, "cat.jpg", CAT)
    assert faults.attempts == 3


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(503, marks=pytest.mark.faultinject("qiniu-mix:ServiceUnavailable", times=1)),
        pytest.param(500, marks=pytest.mark.faultinject("qiniu-mix:InternalError", times=1)),
        pytest.param(504, marks=pytest.mark.faultinject("gateway:GatewayTimeout", times=1)),
    ],
)
def test_one_error_of_each_kind(send: Send, faults: faultinject.Faults, status: int) -> None:
    """A parameter brings its own fault."""
    assert make_thumbnail(send, "cat.jpg", CAT) == b"12345678"
    assert [each.status for each in faults.outcomes] == [status, 200]


@pytest.mark.faultinject("http:503", times=1)
class TestMarkedClass:
    """The class's rule holds in each of its tests, and counts anew in each."""

    def test_alone(self, send: Send, faults: faultinject.Faults) -> None:
        make_thumbnail(send, "cat.jpg", CAT)
        assert faults.injected == 1

    @pytest.mark.faultinject("gateway:BadGateway", times=1)
    def test_together_with_the_functions_own(self, send: Send, faults: faultinject.Faults) -> None:
        make_thumbnail(send, "cat.jpg", CAT)
        assert [each.status for each in faults.outcomes] == [503, 502, 200]


def test_without_the_marker_nothing_fails(send: Send) -> None:
    """The test next door is not touched."""
    assert make_thumbnail(send, "cat.jpg", CAT, attempts=1) == b"12345678"


def test_rules_may_come_and_go_in_a_test(send: Send, faults: faultinject.Faults) -> None:
    """The fixture without a marker begins without a rule."""
    assert send("POST", "/thumbnails/a", CAT)[0] == 200
    faults.add("http:503", times=1, method="POST")
    assert send("POST", "/thumbnails/a", CAT)[0] == 503
    assert send("POST", "/thumbnails/a", CAT)[0] == 200
    faults.assert_all_fired()
