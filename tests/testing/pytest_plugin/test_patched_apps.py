"""In-process apps that are not wrapped, whose `install()` was off, or wrapped besides."""

import subprocess
import sys

import flask
import pytest

from .conftest import WITHOUT

APPS = {
    "flask": "conftest.app",
    "flask subclass": "Subclass('sub')",
    "flask, installed while off": "faultinject.install(make())",
    "flask, installed": "faultinject.install(make(), 'http:418', enabled=True)",
    "flask, installed, wrapped by hand": "by_hand(faultinject.install(make(), 'http:418', enabled=True))",
    "flask, mounted": "DispatcherMiddleware(conftest.app, {'/mount': make()})",
    "wsgi callable, wrapped": "faultinject.WSGIFaultMiddleware(Plain(), 'http:418')",
}


def test_wsgi(passes):
    """One decision and one record a request, however often it passes us."""
    passes(
        f"""
        import conftest
        import faultinject
        import flask
        import httpx
        import pytest
        from werkzeug.middleware.dispatcher import DispatcherMiddleware
        from werkzeug.test import Client

        def everything(path):
            return "app"

        def make(kind=flask.Flask, name="other"):
            app = kind(name)
            app.add_url_rule("/<path:path>", view_func=everything)
            return app

        class Subclass(flask.Flask):
            def __init__(self, name):
                super().__init__(name)
                self.add_url_rule("/<path:path>", view_func=everything)

            def __call__(self, environ, start_response):
                environ["outer"] = True
                return super().__call__(environ, start_response)

        class Plain:
            def __call__(self, environ, start_response):
                start_response("200 OK", [("Content-Length", "3")])
                return [b"app"]

        def by_hand(app):
            app.wsgi_app = faultinject.WSGIFaultMiddleware(app.wsgi_app, "http:418")
            return app

        each_app = pytest.mark.parametrize("app", [{", ".join(APPS.values())}], ids={[*APPS]})

        @each_app
        @pytest.mark.faultinject("cos:SlowDown", times=1, path="mount/")
        def test_werkzeug(faults, app):
            client = Client(app)
            assert [client.get("/mount/a").status_code for _ in range(2)] == [503, 200]
            assert [each.did for each in faults.outcomes] == ["answered", "passed"]

        @each_app
        @pytest.mark.faultinject("cos:SlowDown", method="PUT", times=1)
        def test_httpx(faults, app):
            with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://storage.test") as client:
                assert client.get("/mount/a").status_code == 200
                assert client.put("/mount/a").status_code == 503
            assert [each.did for each in faults.outcomes] == ["passed", "answered"]

        # `Flask.__call__(app, ...)` and arguments by name pass the patch as well.

        @pytest.mark.faultinject("http:503")
        def test_called_by_its_class():
            app = conftest.app
            assert Client(lambda environ, start: flask.Flask.__call__(app, environ, start)).get("/a").status_code == 503
            named = lambda environ, start: app(environ=environ, start_response=start)
            assert Client(named).get("/a").status_code == 503
    """,
        2 * len(APPS) + 1,
    )


ASGI_APPS = {
    "starlette": "make()",
    "fastapi": "make(FastAPI)",
    "subclass": "make(Subclass)",
    "installed while off": "faultinject.install(make())",
    "installed": "faultinject.install(make(), 'http:418', enabled=True)",
    "with our middleware": "by_hand(make())",
    "mounted": "Starlette(routes=[Mount('/mount', make())])",
    "holds Flask": "Starlette(routes=[Mount('/mount', a2wsgi.WSGIMiddleware(make_flask()))])",
}


def test_asgi(passes):
    """The same for ASGI, with Starlette's test client; WebSockets pass the patch unchanged."""
    passes(
        f"""
        import a2wsgi
        import faultinject
        import flask
        import pytest
        from fastapi import FastAPI
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Mount, WebSocketRoute
        from starlette.testclient import TestClient

        async def everything(request):
            return PlainTextResponse("app")

        def make(kind=Starlette):
            app = kind()
            app.router.add_route("/{{path:path}}", everything, methods=["GET", "PUT"])
            return app

        def make_flask():
            app = flask.Flask("inner")
            app.add_url_rule("/<path:path>", view_func=lambda path: "app", methods=["GET", "PUT"])
            return app

        class Subclass(Starlette):
            async def __call__(self, scope, receive, send):
                await super().__call__(scope, receive, send)

        def by_hand(app):
            app.add_middleware(faultinject.ASGIFaultMiddleware, rules="http:418")
            return app

        @pytest.mark.parametrize("app", [{", ".join(ASGI_APPS.values())}], ids={[*ASGI_APPS]})
        @pytest.mark.faultinject("cos:SlowDown", times=1, path="mount/")
        def test_one(faults, app):
            with TestClient(app) as client:
                assert [client.get("/mount/a").status_code for _ in range(2)] == [503, 200]
                assert client.put("/mount/b").text == "app"
            assert [each.did for each in faults.outcomes] == ["answered", "passed", "passed"]

        async def echo(socket):
            await socket.accept()
            await socket.send_text(await socket.receive_text())
            await socket.close()

        def test_websockets(faults):
            faults.add("http:503")
            app = Starlette(routes=[WebSocketRoute("/ws", echo)])
            with TestClient(app).websocket_connect("/ws") as socket:
                socket.send_text("hello")
                assert socket.receive_text() == "hello"
            assert faults.attempts == 0
    """,
        len(ASGI_APPS) + 1,
    )


@pytest.mark.slow
def test_session_without_faults_patches_nothing(project):
    """Without tests that need faults the frameworks are not patched."""
    project.makepyfile("""
        import flask
        import types

        def test_one():
            assert type(flask.Flask.__call__) is types.FunctionType
    """)
    # A process of its own: this one's session may have patched them for its own tests.
    project.runpytest_subprocess(*WITHOUT).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "block"),
    [
        ('@pytest.mark.faultinject("http:503")', "contextlib.nullcontext()"),
        ("", 'faultinject.inject("http:503")'),
    ],
    ids=["a marker's", "a block's"],
)
def test_frameworks_are_put_back(passes, mark, block):
    """After the session `Flask.__call__` and `Starlette.__call__` are the objects of before."""
    import starlette.applications

    classes = flask.Flask, starlette.applications.Starlette
    before = [vars(each)["__call__"] for each in classes]
    passes(f"""
        import contextlib
        import faultinject
        import flask
        import pytest
        import wrapt

        {mark}
        def test_one(client):
            with {block}:
                assert isinstance(vars(flask.Flask)["__call__"], wrapt.FunctionWrapper)
                assert client.get("/a").status_code == 503
    """)
    assert [vars(each)["__call__"] for each in classes] == before


@pytest.mark.slow
def test_patch_over_ours_stays():
    """A later patch of somebody else is kept, and ours does nothing any more."""
    script = """if True:
        import sys

        import flask
        from faultinject import inject
        from faultinject.adapters.patch import Patch
        from faultinject.exceptions import RuleNotMatchedError

        patch = Patch()
        ours = flask.Flask.__call__

        def theirs(self, environ, start_response):
            return ours(self, environ, start_response)

        flask.Flask.__call__ = theirs
        app = flask.Flask("app")
        with inject("http:503"):
            assert app.test_client().get("/").status_code == 503
        patch.undo()
        assert vars(flask.Flask)["__call__"] is theirs
        try:
            with inject("http:503"):
                assert app.test_client().get("/").status_code == 404
        except RuleNotMatchedError:
            sys.exit(0)
        sys.exit("nobody noticed")
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


@pytest.mark.slow
def test_frameworks_imported_later():
    """A framework imported after the patch is covered; one imported after `undo` is not."""
    script = """if True:
        import sys
        from faultinject import inject
        from faultinject.adapters.patch import Patch

        assert "flask" not in sys.modules and "starlette" not in sys.modules
        patch = Patch()
        import flask
        with inject("http:503"):
            assert flask.Flask("app").test_client().get("/").status_code == 503
        patch.undo()
        assert flask.Flask("app").test_client().get("/").status_code == 404
        from starlette.applications import Starlette
        assert type(vars(Starlette)["__call__"]).__name__ == "function"
    """
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


DJANGO = """
    import django
    import pytest
    from django.conf import settings
    from django.http import HttpResponse, StreamingHttpResponse
    from django.test import Client
    from django.urls import re_path

    def view(request):
        if request.path == "/stream":
            return StreamingHttpResponse([b"a", b"b"])
        answer = HttpResponse(b"app", headers={"X-App": "1"})
        answer.set_cookie("who", "me")
        return answer

    urlpatterns = [re_path("", view)]
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="s", DATABASES={})
    django.setup()
"""


@pytest.mark.slow
def test_django_s_test_client(passes):
    """Django's test client gets errors, broken connections and changed bodies, like Flask's.

    A request that no rule matches is untouched.
    """
    passes(
        DJANGO
        + """
    @pytest.mark.faultinject("cos:SlowDown,set.set-cookie=a=b", times=1, path="photos/", name="slow")
    @pytest.mark.faultinject("reset", path="reset")
    @pytest.mark.faultinject("corrupt", path="corrupt")
    @pytest.mark.faultinject("truncate", path="cut")
    @pytest.mark.faultinject("cos:SlowDown", when="after", path="after")
    def test(faults):
        client = Client()
        answer = client.get("/photos/1")
        assert (answer.status_code, answer.wsgi_request.path) == (503, "/photos/1")
        assert b"<Code>SlowDown</Code>" in answer.content
        assert answer["Content-Type"] == "application/xml"
        assert client.cookies["a"].value == "b"
        answer = client.put("/photos/1", b"body")
        assert (answer.status_code, answer.content, answer["X-App"]) == (200, b"app", "1")
        assert client.cookies["who"].value == "me"
        with pytest.raises(ConnectionResetError):
            client.get("/reset")
        answer = client.get("/corrupt")
        assert (answer.status_code, len(answer.content), answer["X-App"]) == (200, 3, "1")
        assert answer.content != b"app"
        assert answer.cookies["who"].value == "me"
        with pytest.raises(OSError, match="closed after"):
            client.get("/cut")
        assert client.get("/after").status_code == 503
        streamed = client.get("/stream")
        assert streamed.streaming
        assert b"".join(streamed) == b"ab"
        faults.assert_all_fired()

    def test_without():
        assert Client().get("/photos/1").content == b"app"
    """,
        2,
    )


ENDS = """
    import asyncio
    from django.core.signals import request_finished
    from django.test import AsyncClient

    seen = []

    def stream(request):
        def pieces():
            try:
                yield from (b"0", b"1", b"2", b"3", b"4")
            finally:
                seen.append("stream ended")
        answer = StreamingHttpResponse(pieces())
        answer.set_cookie("who", "me")
        return answer

    async def streamed(request):
        async def pieces():
            try:
                for each in (b"0", b"1", b"2", b"3", b"4"):
                    yield each
            finally:
                seen.append("stream ended")
        return StreamingHttpResponse(pieces())

    def ended(**_):
        seen.append("request_finished")

    request_finished.connect(ended)
    urlpatterns[:] = [re_path("^sync", stream), re_path("^async", streamed)]

    async def ask(path):
        response = await AsyncClient().get(path)
        return [each async for each in response] if response.streaming else list(response)

    ASKS = {"/sync": lambda: list(Client().get("/sync")), "/sync?": lambda: asyncio.run(ask("/sync")),
            "/async": lambda: asyncio.run(ask("/async")), "/async?": lambda: list(Client().get("/async"))}
    RULES = ["latency,delay=1ms", "reset,when=after", "http:503,when=after", "corrupt", "drip,rate=100KB",
             "truncate,keep_bytes=3", "truncate,keep_bytes=0", "close,when=after,after_bytes=3",
             "reset,when=after,after_bytes=3", "http:503,path=no"]

    @pytest.mark.parametrize("asked", ASKS)
    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
    def test_ends(rule, asked):
        seen.clear()
        with faultinject.inject(rule):
            try:
                ASKS[asked]()
            except OSError:
                pass
        assert sorted(seen) == ["request_finished", "stream ended"]

    @pytest.mark.faultinject("latency,delay=1ms", name="late")
    def test_a_late_answer_says_so():
        client = Client()
        assert client.get("/sync")["x-faultinject"] == "late"
        assert client.cookies["who"].value == "me"
"""


@pytest.mark.slow
def test_django_s_responses_end(passes):
    """If a fault cuts the answer, `request_finished` is sent and `finally` runs, once.

    As under a server.
    """
    passes(DJANGO + "    import faultinject\n" + ENDS, 41)


BLOCKS = """
    import faultinject
    import flask
    import pytest

    def test_inject(client):
        with faultinject.inject("http:503", times=1) as faults:
            assert [client.get("/a").status_code for _ in range(2)] == [503, 200]
        assert (faults.injected, faults.attempts) == (1, 2)

    def test_explore(client):
        exploration = faultinject.explore("http:503")
        for run in exploration:
            with run:
                assert client.get("/a").status_code in (200, 503)
        assert len(exploration.runs) == 1

    def test_record(client):
        assert [each.path for each in faultinject.record(lambda: client.get("/a"))] == ["/a"]

    def test_later():
        assert flask.Flask("later").test_client().get("/").status_code == 404

    @pytest.mark.faultinject("http:500")
    def test_marked(client):
        assert client.get("/a").status_code == 500
"""


@pytest.mark.parametrize(
    ("selected", "number"), [("test", 5), ("test_inject", 1), ("test_explore", 1), ("test_record", 1)]
)
def test_blocks_reach_unwrapped_apps_whichever_tests_are_selected(passes, selected, number):
    """`-k` changes what is run and nothing else; a marked test elsewhere makes no difference."""
    passes(BLOCKS, number, "-k", selected).assert_outcomes(passed=number, deselected=5 - number)


@pytest.mark.slow
def test_django_s_async_client(passes):
    """Django's async client gets the faults of its sync client.

    An error, a broken connection, a changed body, a query, a body, a stream; else untouched.
    """
    passes(
        DJANGO
        + """
    import asyncio
    from django.test import AsyncClient

    async def streamed(request):
        async def pieces():
            for each in range(10_000 if request.path == "/endless" else 2):
                yield b"ab"[each % 2:][:1]

        return StreamingHttpResponse(pieces())

    async def echo(request):
        answer = HttpResponse(request.body, headers={"X-App": request.GET.get("x", "1")})
        answer.set_cookie("who", "me")
        return answer

    urlpatterns[:] = [re_path("^stream|^endless", streamed), re_path("^plain", view), re_path("", echo)]

    @pytest.mark.faultinject("cos:SlowDown,set.set-cookie=a=b", times=1, path="photos/", query={"x": "2"})
    @pytest.mark.faultinject("reset", path="reset")
    @pytest.mark.faultinject("hang", path="hang")
    @pytest.mark.faultinject("corrupt", path=["corrupt", "stream/corrupt"])
    @pytest.mark.faultinject("truncate", path="cut")
    @pytest.mark.faultinject("latency,delay=1ms", path=["late", "plain/late"])
    @pytest.mark.faultinject("cos:SlowDown", when="after", path="after")
    def test(faults):
        async def ask():
            client = AsyncClient()
            answer = await client.put("/photos/1?x=2", b"body")
            assert (answer.status_code, answer.asgi_request.path) == (503, "/photos/1")
            assert b"<Code>SlowDown</Code>" in answer.content
            assert answer["Content-Type"] == "application/xml"
            assert client.cookies["a"].value == "b"
            answer = await client.put("/photos/1?x=2", b"body")
            assert (answer.status_code, answer.content, answer["X-App"]) == (200, b"body", "2")
            assert client.cookies["who"].value == "me"
            with pytest.raises(ConnectionResetError):
                await client.get("/reset")
            with pytest.raises(TimeoutError):
                await client.get("/hang")
            answer = await client.put("/corrupt", b"body")
            assert (answer.status_code, len(answer.content), answer["X-App"]) == (200, 4, "1")
            assert answer.content != b"body"
            assert (answer.cookies["who"].value, answer.asgi_request.path) == ("me", "/corrupt")
            with pytest.raises(OSError, match="closed after"):
                await client.put("/cut", b"body")
            assert (await client.put("/late", b"body")).content == b"body"
            assert (await client.get("/plain/late")).content == b"app"
            assert (await client.put("/after", b"body")).status_code == 503
            answer = await client.get("/stream/corrupt")
            assert (len(answer.content), answer.content != b"ab") == (2, True)
            answer = await client.get("/stream")
            assert [each async for each in answer.streaming_content] == [b"a", b"b"]
            answer = await client.get("/endless")
            assert await anext(aiter(answer.streaming_content)) == b"a"
            assert (await client.get("/plain")).content == b"app"

        asyncio.run(ask())
        faults.assert_all_fired()
        first, second, *_ = faults.outcomes
        assert [(each.request_bytes, each.connection, each.client) for each in (first, second)] == [
            (4, None, "127.0.0.1")
        ] * 2
        assert first.request_digest == second.request_digest is not None

    def test_without():
        async def ask():
            client = AsyncClient()
            assert (await client.get("/photos/1")).status_code == 200
            assert (await client.put("/reset", b"body")).content == b"body"

        asyncio.run(ask())
""",
        2,
    )


def test_a_traceback_ends_at_the_client(shows):
    """An injected error of a test client has no frame of this package above it."""
    result = shows(
        """
        import pytest
        from flask import Flask

        @pytest.mark.faultinject("reset")
        def test_reset():
            Flask(__name__).test_client().get("/photos/cat.jpg")
        """,
        ["*test_client().get*", "E *InjectedReset: *"],
    )
    result.stdout.no_fnmatch_line("*adapters/wsgi.py*")
    result.stdout.no_fnmatch_line("*adapters/patch.py*")
