"""Anything taken for an app is hooked, or not changed; it is never broken.

By a framework's or a server's hook.
"""

import os
import subprocess
import sys

import pytest

from .launch import Way

RULE = "cos:SlowDown,times=3,path=photos/"
WSGI = [
    "served:wsgi",
    "served:wsgi_object",
    "served:wsgi_partial",
    "served_flask:app",
    "served_flask:outer",
    "served_flask:own",
    "served_flask:fixed",
    "served_flask:mounted",
    "served_django:application",
    "served_installed:wsgi",
    "served_installed:flask",
]
ASGI = [
    "served:asgi",
    "served:asgi_object",
    "served:OldASGI",
    "served_starlette:starlette",
    "served_starlette:outer",
    "served_starlette:fastapi",
    "served_starlette:mounted",
    "served_starlette:in_fastapi",
    "served_starlette:bridged",
    "served_starlette:bridged_by_asgiref",
    "served_django:asgi",
    "served_installed:asgi",
    "served_installed:starlette",
    "served_installed:mounted",
]
LATE = [
    ("werkzeug", "served:wsgi"),
    ("waitress", "served:wsgi"),
    ("cheroot", "served:wsgi"),
    ("uvicorn", "served:asgi"),
    ("hypercorn", "served:asgi"),
    ("wsgiref", "served_flask:app"),
    ("uvicorn", "served_starlette:fastapi"),
]


def way(server, app):
    return Way(f"python serving.py {server} {{port}} {app}")


def proved(server, *, last=(None, None)):
    """Three faults, and one line a request, whether or not a rule met it.

    Where processes share counts, nobody asks for the number of a request that a rule has no fault left for.
    """
    assert server.statuses("/photos/cat", 5) == [503] * 3 + [200] * 2, server.log
    assert server.statuses("/other", 2) == [200] * 2
    lines = server.lines("/photos/cat")
    assert ([each["did"] for each in lines], [each["n"] for each in lines], len(server.lines("/other"))) == (
        ["answered"] * 3 + ["passed"] * 2,
        [0, 1, 2, *last],
        2,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "app"),
    [
        *[("waitress", each) for each in WSGI],
        *[("uvicorn", each) for each in ASGI],
        ("hypercorn", "served:asgi_partial"),  # uvicorn alone takes it for ASGI 2
    ],
)
def test_every_kind_of_app(server, app, start):
    """However an app was built, and however often a request passes us."""
    proved(start(way(server, app), RULE))


@pytest.mark.slow
@pytest.mark.parametrize(("server", "app"), LATE)
def test_hooks_that_come_late(server, app, start):
    """Servers, frameworks and apps that are there before the hooks."""
    proved(
        start(
            way(f"late-{server}", app), FAULTINJECT_ENABLED="1", FAULTINJECT_RULES=RULE, FAULTINJECT_SEED="1"
        ),
        last=(3, 4),
    )


def python(text):
    """Run a Python with hooks, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    environ = kept | {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": RULE}
    found = subprocess.run(
        [sys.executable, "-c", text], env=environ, capture_output=True, text=True, check=True, timeout=100
    )
    return found.stdout.split()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        pytest.param("granian.server.common", "load_target", marks=pytest.mark.slow),
        pytest.param("hypercorn.asyncio", "wrap_app", marks=pytest.mark.slow),
        pytest.param("hypercorn.trio", "wrap_app", marks=pytest.mark.slow),
        ("waitress", "create_server"),
    ],
)
def test_what_was_imported_by_name(module, name):
    """A server that imported the function before the hook gets ours, and so do its workers."""
    pytest.importorskip(module)
    found = python(
        f"""
import pickle, {module}
before = {module}.{name}
from faultinject.adapters.import_hooks import hook
hook()
hook()
after = {module}.{name}
print(after is before, after.__wrapped__ is before, pickle.loads(pickle.dumps(after)) is after)
"""
    )
    assert found == ["False", "True", "True"]


def test_what_is_left_as_it_is():
    """An app of unknown kind is left to the server, and code sees its own objects unchanged."""
    found = python(
        """
from faultinject.adapters.import_hooks import hook
hook()
import flask, granian._internal as g, inspect, starlette.applications, sys, types
async def rsgi(scope, protocol): ...
def factory(): ...
class Own:
    injector = "of somebody else"
    def __call__(self, environ, start_response): ...
sys.modules["m"] = m = types.ModuleType("m")
m.rsgi, m.factory, m.own = rsgi, factory, Own()
print(*[getattr(g.load_target(f"m:{n}"), "app", None) is getattr(m, n) for n in ("rsgi", "factory", "own")])
app = flask.Flask("app")
other = starlette.applications.Starlette()
app_is_plain = app.wsgi_app.__func__ is flask.Flask.wsgi_app
print(app_is_plain, "__call__" in vars(app), inspect.iscoroutinefunction(other.__call__))
print(other.middleware_stack, isinstance(flask.Flask.__call__, type(lambda: 0)), app.__call__.__name__)
"""
    )
    assert found == ["False", "False", "True", "True", "False", "True", "None", "True", "__call__"]
