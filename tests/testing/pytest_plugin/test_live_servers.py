"""Marked tests whose app runs on a real server, in a thread of the same process."""

import pytest


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_uvicorn(passes, framework):
    """uvicorn still takes patched Starlette and FastAPI apps for ASGI 3, with lifespan."""
    app = {
        "starlette": """
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def everything(request):
            return PlainTextResponse("app")

        app = Starlette(routes=[Route("/{path:path}", everything, methods=["GET", "PUT"])], lifespan=lifespan)
        """,
        "fastapi": """
        from fastapi import FastAPI

        app = FastAPI(lifespan=lifespan)

        @app.api_route("/{path:path}", methods=["GET", "PUT"])
        async def everything(path: str):
            return "app"
        """,
    }[framework]
    passes(
        """
        import contextlib
        import socket
        import threading
        import pytest
        import requests
        import uvicorn

        events = []

        @contextlib.asynccontextmanager
        async def lifespan(app):
            events.append("up")
            yield
            events.append("down")
        """
        + app
        + """
        @pytest.fixture
        def address():
            with socket.create_server(("127.0.0.1", 0)) as listener:
                server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="error"))
                thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
                thread.start()
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
                server.should_exit = True
                thread.join()
            assert events == ["up", "down"]

        @pytest.mark.faultinject("cos:SlowDown", times=2)
        def test_upload(address, faults):
            with requests.Session() as session:
                session.trust_env = False
                answers = [session.put(f"{address}/photos/cat.jpg", data=b"x" * 100_000) for _ in range(3)]
            assert [each.status_code for each in answers] == [503, 503, 200]
            assert (faults.injected, faults.attempts) == (2, 3)
        """
    )
