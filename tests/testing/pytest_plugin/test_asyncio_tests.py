"""Marked coroutines under pytest-asyncio."""

APP = """
    import faultinject
    import httpx
    import pytest
    import pytest_asyncio
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def everything(request):
        return PlainTextResponse("app")

    app = Starlette(routes=[Route("/{path:path}", everything, methods=["GET", "PUT"])])

    def connect():
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://storage.test")
"""


def test_marked_coroutine(shows):
    """Faults act while the coroutine runs, not in the async fixtures around it.

    A coroutine that passed fails when no request met its rule.
    """
    shows(
        APP
        + """
    @pytest_asyncio.fixture
    async def client():
        async with connect() as client:
            assert (await client.put("/photos/seed")).status_code == 200
            yield client
            assert (await client.put("/photos/seed")).status_code == 200

    @pytest.mark.asyncio
    @pytest.mark.faultinject("cos:SlowDown", times=1)
    async def test_one(client, faults):
        assert [(await client.get("/a")).status_code for _ in range(2)] == [503, 200]
        assert (faults.injected, faults.attempts) == (1, 2)

    @pytest.mark.asyncio
    async def test_two(client):
        assert (await client.get("/a")).status_code == 200

    @pytest.mark.asyncio
    @pytest.mark.faultinject("http:503")
    async def test_a_block_stands_in_the_place_of_the_marker_s_rules(client):
        assert (await client.get("/a")).status_code == 503
        async with faultinject.inject("http:500") as faults:
            assert (await client.get("/a")).status_code == 500
        assert faults.injected == 1
        assert (await client.get("/a")).status_code == 503

    @pytest.mark.asyncio
    @pytest.mark.faultinject("cos:SlowDown", method="PUT")
    async def test_unmatched():
        async with connect() as client:
            await client.get("/photos/cat.jpg")
        """,
        ["*_ test_unmatched _*", "    nearest: GET /photos/cat.jpg (method=PUT did not hold)"],
        passed=3,
        failed=1,
    )
