"""The client waits as told, retries by the code, and reports what the storage said."""

import httpx
import pytest
from fastapi_upload.app import create_app
from fastapi_upload.client import Documents, StorageError

import faultinject

TEXT = b"a contract"


def documents(waits: list[float]) -> Documents:
    """A client of a fresh service; its waits are noted, not waited."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    transport = httpx.ASGITransport(create_app())
    return Documents(httpx.AsyncClient(transport=transport, base_url="http://service"), sleep=sleep)


@pytest.mark.asyncio
@pytest.mark.faultinject("jss:SlowDown", times=2, method="PUT", retry_after="3s")
async def test_a_slowdown_that_is_a_400_is_retried_when_told(faults: faultinject.Faults) -> None:
    """JSS says SlowDown with status 400: a client that looks at the status alone would give up."""
    waits: list[float] = []
    client = documents(waits)
    assert await client.put("contract", TEXT) == len(TEXT)
    assert [each.status for each in faults.outcomes] == [400, 400, 201]
    assert waits == [3, 3]


@pytest.mark.asyncio
@pytest.mark.faultinject("jss:InternalError", times=3, per="call")
async def test_every_call_may_fail_three_times(faults: faultinject.Faults) -> None:
    """With `per=call` each document fails by itself: four attempts are enough for each of five."""
    waits: list[float] = []
    client = documents(waits)
    for number in range(5):
        await client.put(f"{number}", TEXT)
    assert (faults.injected, faults.attempts) == (15, 20)
    assert waits == [0.2, 0.4, 0.8] * 5


@pytest.mark.asyncio
@pytest.mark.faultinject("jss:AccessDenied", method="PUT")
async def test_a_refusal_reaches_the_caller_with_its_request_id(faults: faultinject.Faults) -> None:
    """One attempt, no wait, and the id that support asks for."""
    waits: list[float] = []
    client = documents(waits)
    with pytest.raises(StorageError, match="AccessDenied: Access Denied") as caught:
        await client.put("contract", TEXT)
    [outcome] = faults.outcomes
    assert (caught.value.code, caught.value.request_id) == ("AccessDenied", outcome.request_id)
    assert waits == []


@pytest.mark.asyncio
@pytest.mark.faultinject("gateway:BadGateway", times=1)
async def test_a_page_of_the_gateway_is_no_storage_error(faults: faultinject.Faults) -> None:
    """HTML from a load balancer does not break the client's reading of errors."""
    client = documents([])
    with pytest.raises(StorageError, match="502"):
        await client.get("contract")
    assert faults.injected == 1


@pytest.mark.asyncio
@pytest.mark.faultinject("jss:@retryable", probability=0.3, seed=7)
async def test_forty_documents_get_through_at_thirty_percent(faults: faultinject.Faults) -> None:
    """With this seed every document arrives, and every fault cost exactly one retry."""
    client = documents([])
    for number in range(40):
        await client.put(f"document-{number}", TEXT)
    assert faults.injected > 0
    assert faults.attempts == 40 + faults.injected
