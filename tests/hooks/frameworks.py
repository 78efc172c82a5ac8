"""The frameworks of the page: the change of their apps, and a test's way to ask them."""

from importlib.util import find_spec
from typing import NamedTuple


class Framework(NamedTuple):
    """One row.

    Attributes:
        title: its name.
        kind: the function of `served_frameworks` that makes its app.
        needs: the modules that must be installed.
        interface: WSGI or ASGI.
        place: what `install()` changes in an app of it.
        by_hand: the line that puts the middleware around it.
        client: its own client, which needs no server.
        asks: an expression that asks that client for `path`, and gives the status; or those of three requests.
        imports: for that expression and that line.
        reached: whether `run` and the marker reach its class, whatever serves it.
        note: what else is to be known.
    """

    title: str
    kind: str
    needs: tuple[str, ...]
    interface: str
    place: str
    by_hand: str
    client: str
    asks: str
    imports: str = ""
    reached: bool = False
    note: str = ""

    @property
    def missing(self) -> str:
        """The reason why it cannot be tried here; empty if it can."""
        return next((f"{each} is not installed" for each in self.needs if find_spec(each) is None), "")


def outside(interface: str) -> str:
    return f"served = {interface}FaultMiddleware(app, rules)"


ADDED = "app.add_middleware(ASGIFaultMiddleware, rules=rules)"
CALL = "`__call__`, by a subclass of its class"
HTTPX = "await httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url='http://test').get(path)"
ASKING = """
from starlette.testclient import TestClient

def ask(app):
    with TestClient(app) as client:
        return [client.get(path).status_code for _ in range(3)]  # it begins once only
"""

FRAMEWORKS = [
    Framework(
        "Flask", "flask", ("flask",), "WSGI", "`app.wsgi_app`",
        "app.wsgi_app = WSGIFaultMiddleware(app.wsgi_app, rules)",
        "`app.test_client()`", "app.test_client().get(path).status_code", reached=True,
    ),
    Framework(
        "Django, WSGI", "django", ("django",), "WSGI", CALL, outside("WSGI"),
        "`django.test.Client`, by the marker and `run`", "Client(app).get(path).status_code",
        "from werkzeug.test import Client", reached=True,
    ),
    Framework(
        "Django, ASGI", "django_asgi", ("django",), "ASGI", CALL, outside("ASGI"),
        "`django.test.AsyncClient`, by the marker and `run`", f"({HTTPX}).status_code", "import httpx", reached=True,
    ),
    Framework(
        "FastAPI", "fastapi", ("fastapi",), "ASGI", "`app.build_middleware_stack`", ADDED,
        "`fastapi.testclient.TestClient`", "TestClient(app).get(path).status_code",
        "from fastapi.testclient import TestClient", reached=True,
    ),
    Framework(
        "Starlette", "starlette", ("starlette",), "ASGI", "`app.build_middleware_stack`", ADDED,
        "`starlette.testclient.TestClient`", "TestClient(app).get(path).status_code",
        "from starlette.testclient import TestClient", reached=True,
    ),
    Framework(
        "Quart", "quart", ("quart",), "ASGI", "`app.asgi_app`",
        "app.asgi_app = ASGIFaultMiddleware(app.asgi_app, rules)",
        "`app.test_client()`", "(await app.test_client().get(path)).status_code",
    ),
    Framework(
        "Litestar", "litestar", ("litestar",), "ASGI", CALL, outside("ASGI"),
        "`litestar.testing.TestClient`", "TestClient(app).get(path).status_code",
        "from litestar.testing import TestClient",
    ),
    Framework(
        "Sanic", "sanic", ("sanic", "starlette"), "ASGI", CALL, outside("ASGI"),
        "`with starlette.testclient.TestClient(app)`", "ask(app)", ASKING,
        note="its own server (`sanic`, `app.run()`, `app.test_client`) does not call the app: it starts, says so, and gives"
        " no faults; `app.asgi_client` puts another `__call__` into the app's class: no faults",
    ),
    Framework(
        "Connexion, `AsyncApp`", "connexion", ("connexion",), "ASGI", f"`app.middleware`: {CALL}",
        "app.add_middleware(ASGIFaultMiddleware, position=MiddlewarePosition.BEFORE_EXCEPTION, rules=rules)",
        "`app.test_client()`", "app.test_client().get(path).status_code",
        "from connexion.middleware import MiddlewarePosition",
    ),
    Framework(
        "Connexion, `FlaskApp`", "connexion_flask", ("connexion", "flask"), "ASGI", f"`app.middleware`: {CALL}",
        "app.add_middleware(ASGIFaultMiddleware, position=MiddlewarePosition.BEFORE_EXCEPTION, rules=rules)",
        "`app.test_client()`", "app.test_client().get(path).status_code",
        "from connexion.middleware import MiddlewarePosition",
        note="`run` and the marker reach the Flask app inside",
    ),
    Framework(
        "BlackSheep", "blacksheep", ("blacksheep",), "ASGI", CALL, outside("ASGI"),
        "`httpx.ASGITransport`", f"({HTTPX}).status_code", "import httpx",
        note="`blacksheep.testing.TestClient` asks the handlers, not the app: no faults",
    ),
    Framework(
        "Falcon, WSGI", "falcon", ("falcon",), "WSGI", CALL, outside("WSGI"),
        "`falcon.testing.TestClient`", "TestClient(app).simulate_get(path).status_code",
        "from falcon.testing import TestClient",
    ),
    Framework(
        "Falcon, ASGI", "falcon_asgi", ("falcon",), "ASGI", CALL, outside("ASGI"),
        "`falcon.testing.TestClient`", "TestClient(app).simulate_get(path).status_code",
        "from falcon.testing import TestClient",
    ),
    Framework(
        "Bottle", "bottle", ("bottle",), "WSGI", CALL, outside("WSGI"),
        "`werkzeug.test.Client`", "Client(app).get(path).status_code", "from werkzeug.test import Client",
    ),
    Framework(
        "Pyramid", "pyramid", ("pyramid",), "WSGI", CALL, outside("WSGI"),
        "`werkzeug.test.Client`", "Client(app).get(path).status_code", "from werkzeug.test import Client",
    ),
    Framework(
        "a function", "plain_function", (), "WSGI", "nothing: what it returns has the faults", outside("WSGI"),
        "`werkzeug.test.Client`", "Client(app).get(path).status_code", "from werkzeug.test import Client",
    ),
]  # fmt: skip
