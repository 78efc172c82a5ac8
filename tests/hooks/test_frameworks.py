"""Each framework with `install()`, middleware, own client and command: faults, and no harm."""

import os
import subprocess
import sys
from ast import literal_eval

import pytest

import faultinject

from . import served_frameworks
from .frameworks import FRAMEWORKS
from .launch import FOREIGN, GUNICORN, HERE, HYPERCORN, UVICORN, Way

RULE = "http:503,times=2,path=photos/"
PROBE = """
import asyncio, sys
import faultinject, served_frameworks
from faultinject import ASGIFaultMiddleware, WSGIFaultMiddleware
{imports}
rules, path = {rule!r}, "/photos/cat"
app = served_frameworks.{kind}()
kind, methods = type(app), {{each for each in dir(type(app)) if not each.startswith("_")}}

async def awaited(app):
    return {asks}

def status(app):
    return asyncio.run(awaited(app)) if {awaits} else {blocking}

def statuses(app):
    first = status(app)
    return first if isinstance(first, list) else [first, status(app), status(app)]
"""
INSTALLS = """
got = faultinject.install(app, rules, enabled=True)
kept = got is app, isinstance(got, kind), not methods - set(dir(got)), faultinject.install(got) is got
print([kept, statuses(got), faultinject.get_injector(got).counts()["rule-1"].injected])
"""
BY_HAND = """
served = app
{line}
print(statuses(served))
"""


def probe(framework, end):
    """Run a Python of its own, and return what it prints.

    Frameworks set up logging, keep apps by name, and warn as they are imported.
    """
    if framework.missing:
        pytest.skip(framework.missing)
    awaits = "await " in framework.asks
    text = PROBE.format(
        imports=framework.imports,
        rule=RULE,
        kind=framework.kind,
        asks=framework.asks,
        awaits=awaits,
        blocking=None if awaits else framework.asks,
    )
    found = subprocess.run(
        [sys.executable, "-c", text + end],
        cwd=HERE,
        env={name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert found.returncode == 0, found.stderr
    return literal_eval(found.stdout.splitlines()[-1])


EVERY = pytest.mark.parametrize(
    "framework", [pytest.param(each, id=each.kind, marks=pytest.mark.slow) for each in FRAMEWORKS]
)


@EVERY
def test_install(framework):
    """`install` keeps object, class and methods, gives its own client faults, and works once.

    Also when it is called twice.
    """
    kept, statuses, injected = probe(framework, INSTALLS)
    in_place = framework.kind != "plain_function"
    assert kept == (in_place, in_place, True, True)
    assert (statuses, injected) == ([503, 503, 200], 2)


@EVERY
def test_by_hand(framework):
    """The line that the page names puts the middleware around it."""
    assert probe(framework, BY_HAND.format(line=framework.by_hand)) == [503, 503, 200]


ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": RULE}
SANIC = (
    "nothing is injected: Sanic's own server does not call the app by ASGI; serve it by uvicorn or "
    "hypercorn, or put"
)
COMMANDS = {
    "quart run": Way("quart --app served_frameworks:quart_app run -p {port}", "quart"),
    "quart, app.run()": Way("python served_frameworks.py quart_app {port}", "quart"),
    "litestar run": Way("litestar --app served_frameworks:litestar_app run -p {port}", "litestar"),
    "connexion, app.run()": Way("python served_frameworks.py connexion_app {port}", "connexion"),
    "bottle, app.run()": Way("python served_frameworks.py bottle_app {port}", "bottle"),
    "uvicorn, BlackSheep": Way(UVICORN + "served_frameworks:blacksheep_app", "blacksheep"),
    "uvicorn, Sanic": Way(UVICORN + "served_frameworks:sanic_app", "sanic"),
    "hypercorn, Falcon": Way(
        HYPERCORN + "served_frameworks:__getattr__('falcon_asgi_app')", "hypercorn", "falcon"
    ),
    "gunicorn, Falcon": Way(GUNICORN + "served_frameworks:falcon_app", "gunicorn", "falcon"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name, start):
    """The framework's command starts the installed app, and its clients get the faults."""
    server = start(COMMANDS[name], **ON)
    server.wait_until_ready()
    assert server.statuses("/photos/cat", 3) == [503, 503, 200], server.log


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", " --single-process"])
def test_sanic_s_own_server(start, options):
    """Sanic's own server gives no faults, and says so, and what would give them.

    It calls no app by ASGI. It starts.
    """
    way = Way("sanic served_frameworks:sanic_app -p {port}" + options, "sanic")
    server = start(way, **ON)
    server.wait_until_ready()
    assert server.statuses("/photos/cat", 3) == [200] * 3
    server.until(lambda: SANIC in server.log)


def test_aiohttp_is_neither():
    """Its apps are told from app factories, and the message names the way that works."""
    pytest.importorskip("aiohttp")
    told = (
        r"^aiohttp\.web_app\.Application is neither WSGI nor ASGI: put `faultinject proxy --to URL` in "
        r"front of its server$"
    )
    with pytest.raises(TypeError, match=told):
        faultinject.install(served_frameworks.aiohttp(), RULE, enabled=True)
