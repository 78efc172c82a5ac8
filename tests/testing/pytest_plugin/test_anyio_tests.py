"""Marked coroutines under anyio's own plugin."""

import pytest


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_marked_coroutine(passes, backend):
    """Faults act on asyncio and on trio, and not in async fixtures."""
    passes(
        """
        import httpx
        import pytest
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def everything(request):
            return PlainTextResponse("app")

        app = Starlette(routes=[Route("/{path:path}", everything)])

        @pytest.fixture
        def anyio_backend():
            return "BACKEND"

        @pytest.fixture
        async def client():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://storage.test") as client:
                assert (await client.get("/seed")).status_code == 200
                yield client
                assert (await client.get("/seed")).status_code == 200

        @pytest.mark.anyio
        @pytest.mark.faultinject("cos:SlowDown", times=1)
        async def test_one(client, faults):
            assert [(await client.get("/a")).status_code for _ in range(2)] == [503, 200]
            assert [each.did for each in faults.outcomes] == ["answered", "passed"]
    """.replace("BACKEND", backend)
    )
