"""`install()`: one line around any app."""

import asyncio
import functools
import inspect
import io
import logging
import os
import re
import subprocess
import sys
from contextlib import suppress
from unittest.mock import Mock

import fastapi
import flask
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

import faultinject
from faultinject import ASGIFaultMiddleware, Injector, RuleCounts, WSGIFaultMiddleware, get_injector, install
from faultinject.adapters import forget
from faultinject.exceptions import ConfigurationError

from .conftest import asgi_app, make_scope, wsgi_app
from .transport import hearing, recorder


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No variable of faultinject, and no injector of the environment from another test."""
    for name in [each for each in os.environ if each.startswith("FAULTINJECT_")]:
        monkeypatch.delenv(name)
    forget()
    yield monkeypatch
    forget()


@pytest.fixture
def on(environment):
    environment.setenv("FAULTINJECT_ENABLED", "1")
    environment.setenv("FAULTINJECT_RULES", "http:503,times=5,name=five")
    environment.setenv("FAULTINJECT_SEED", "install")


def flask_app():
    app = flask.Flask("tested")
    app.add_url_rule("/", "home", lambda: "app")
    app.add_url_rule("/fails", "fails", lambda: 1 / 0)
    return app


def starlette_app(kind=Starlette):
    def home(request):
        return PlainTextResponse("app")

    def fails(request):
        raise LookupError

    return kind(routes=[Route("/", home), Route("/fails", fails)])


def get(app, path="/"):
    """The status of one GET, by the client that fits the app."""
    if isinstance(app, flask.Flask):
        return app.test_client().get(path).status_code
    if awaits(app):
        return asyncio.run(get_asgi(app, path))
    return Client(app).get(path).status_code


def awaits(app):
    """Whether servers take it for ASGI."""
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(app.__call__)


async def get_asgi(app, path):
    sent, send = recorder()
    with suppress(LookupError):  # ServerErrorMiddleware raises again what it has answered
        await app(make_scope(target=path), hearing({"type": "http.request"}), send)
    return sent[0]["status"]


APPS = {
    "flask": flask_app,
    "starlette": starlette_app,
    "fastapi": lambda: starlette_app(fastapi.FastAPI),
    "wsgi": lambda: wsgi_app,
    "asgi": lambda: asgi_app,
}


@pytest.mark.parametrize("kind", APPS)
def test_off_is_the_very_object_untouched(kind, caplog):
    """Not switched on: nothing is wrapped, nothing is changed, nothing is said."""
    app = APPS[kind]()
    before = dict(vars(app))
    found = install(app), dict(vars(app)), get(app), get_injector(app), caplog.records
    assert found == (app, before, 200, None, [])


@pytest.mark.parametrize("app", [object(), None, flask.Flask, dict])
def test_off_looks_at_nothing(app):
    """Off, even what is no app comes back: a start in production cannot fail here."""
    assert install(app) is app


@pytest.mark.parametrize("kind", APPS)
def test_on_from_the_environment(on, kind, caplog):
    """The environment's rules; scenario and seed are logged once, at WARNING."""
    app = APPS[kind]()
    installed = install(app)
    assert (installed is app) == (kind in ("flask", "starlette", "fastapi"))
    assert ([get(installed) for _ in range(7)], get_injector(installed) is get_injector()) == (
        [503] * 5 + [200] * 2,
        True,
    )
    assert [(each.levelno, each.getMessage()) for each in caplog.records if each.name == "faultinject"] == [
        (logging.WARNING, "faultinject is on: seed install, rules http:503,times=5,name=five")
    ]


@pytest.mark.parametrize("kind", APPS)
def test_twice_does_not_inject_twice(on, kind, caplog):
    """A second install() changes nothing; its rules replace the first's, and are logged."""
    app = install(APPS[kind]())
    assert (install(app) is app, [get(app) for _ in range(6)], install(app, "http:500,times=1") is app) == (
        True,
        [503] * 5 + [200],
        True,
    )
    assert (caplog.messages[-1], [get(app) for _ in range(3)]) == (
        "faultinject is on: seed install, rules http:500,times=1",
        [500, 200, 200],
    )


def test_rules_in_code_are_the_apps_own(on):
    """With rules, an app has its own injector, which reads all variables except the rules."""
    one, two = install(flask_app(), "http:500,times=1"), install(flask_app(), "http:500,times=1")
    assert [get(each) for each in (one, two, one)] == [500, 500, 200]
    injector = get_injector(one)
    assert (injector.seed, injector is get_injector(two)) == ("install", False)
    assert [get_injector(each) for each in (None, object(), io.StringIO())] == [None] * 3
    # A crash in a view is the app's own 500.
    found = install(one, "http:503,when=after"), get_injector(one), get(one), get(one, "/fails")
    assert found == (one, injector, 503, 500)


@pytest.mark.parametrize("kind", APPS)
def test_kill_switch(environment, kind):
    """`FAULTINJECT_ENABLED=0` overrides enabled=True, and middleware that is added by hand."""
    environment.setenv("FAULTINJECT_ENABLED", "0")
    app, injector = APPS[kind](), Injector("http:503")
    assert install(app, "http:503", enabled=True) is app
    assert install(app, injector=injector, enabled=True) is app
    for _ in range(2):
        assert not injector.enabled
        injector.enable()
    assert get(WSGIFaultMiddleware(wsgi_app, "http:503")) == 200


@pytest.mark.parametrize("make", [flask_app, starlette_app])
def test_enabled_in_code(environment, make):
    """`enabled=True` reads the environment's rules, also after the app has served; False is off."""
    environment.setenv("FAULTINJECT_RULES", "http:503")
    app = make()
    assert [get(install(app, enabled=each)) for each in (False, True)] == [200, 503]


GIVEN = "faultinject: rules were given to install(), but it is off: set FAULTINJECT_ENABLED=1"


NEAR = [
    "FAULTINJECT_ENABLE", "FAULTINJECT_ENABELD", "FAULTINJECT_ENABLED_", "FAULT_INJECT_ENABLED", "FAULTINJECTION_ENABLED",
    "FAULTINJECT_ON", "FAULTINJECT", "FAULTINJECTOR_ENABLED", "FAULTINJECT_ACTIVE", "FALTINJECT_ENABLED",
    "FAULTINJCT_ENABLED", "FAULTINJECT__ENABLED", "MY_FAULTINJECT_ENABLED", "faultinject_enabled",
]  # fmt: skip
SLIP = "faultinject is off: did you mean FAULTINJECT_ENABLED? {} is set and means nothing"
WAITS = (
    "faultinject is off: {} is set, FAULTINJECT_ENABLED is not; set it to 1, or to 0 to silence this message"
)
KUBERNETES = {
    "FAULTINJECT_SERVICE_HOST": "10.0.0.1", "FAULTINJECT_SERVICE_PORT": "80", "FAULTINJECT_PORT": "tcp://10.0.0.1:80",
    "FAULTINJECT_PORT_80_TCP_PROTO": "tcp", "FAULTINJECT_ON_SERVICE_HOST": "10.0.0.1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        # Near the switch: set while the switch is not, it does nothing, whatever it says.
        *(({name: "0"}, [SLIP.format(name)]) for name in NEAR),
        # Rules wait for the switch; what they say is not read.
        *(
            ({name: "x!"}, [WAITS.format(name)])
            for name in ("FAULTINJECT_RULES", "FAULTINJECT_FILE", "FAULTINJECT_RULE_PHOTOS")
        ),
        # Switched off outright, empty, made by Kubernetes, or something else.
        ({}, []),
        ({"FAULTINJECT_ENABLED": "0", "FAULTINJECT_ENABLE": "1", "FAULTINJECT_RULES": "http:503"}, []),
        ({"FAULTINJECT_ENABLE": "", "FAULTINJECT_RULES": ""}, []),
        (KUBERNETES, []),
        (
            {
                "FAULTINJECT_DISABLED": "1",
                "FAULTINJECT_SEED": "1",
                "FAULTINJECT_TOKEN": "x",
                "DEFAULT_REGION": "eu",
            },
            [],
        ),
    ],
)
def test_what_is_said_while_it_is_off(environment, caplog, variables, said):
    """Once; rules in code override the variables, and off in code is off without a word."""
    for name, value in variables.items():
        environment.setenv(name, value)
    for _ in range(2):
        install(flask_app())
    found = [(each.levelno, each.getMessage()) for each in caplog.records]
    assert found == [(logging.WARNING, each) for each in said]
    caplog.clear()
    forget()
    for enabled in (False, None):
        install(flask_app(), "http:503", enabled=enabled)
    assert caplog.messages == [GIVEN] * (variables.get("FAULTINJECT_ENABLED") != "0") + said


def test_an_injector_of_your_own(on):
    """An injector may be given instead of rules, not beside them."""
    injector = Injector("http:500")
    app = install(flask_app(), injector=injector)
    assert (get_injector(app), get(app)) == (injector, 500)
    with pytest.raises(
        ConfigurationError,
        match="rules and a seed belong to the injector: give an injector, or rules and a seed",
    ):
        install(flask_app(), "http:503", injector=injector)
    with pytest.raises(ConfigurationError):
        WSGIFaultMiddleware(wsgi_app, seed=1, injector=injector)


@pytest.mark.parametrize("kind", ["starlette", "fastapi"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_outside_all_middleware(on, kind, when):
    """The middleware is outside of add_middleware's, and outside of ServerErrorMiddleware."""
    seen = []

    class Seeing(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            seen.append(request.url.path)
            return await call_next(request)

    app = APPS[kind]()
    if when == "before":
        app.add_middleware(Seeing)
    install(app, "http:503,when=after,times=2,unless.path=/other;http:599,path=/other")
    if when == "after":
        app.add_middleware(Seeing)
    # A crash is ServerErrorMiddleware's 500: seen from outside it is an app that failed, and passes.
    paths = ("/", "/other", "/fails", "/", "/")
    assert [get(app, path) for path in paths] == [503, 599, 500, 503, 200]
    found = [each.did for each in get_injector(app).journal.outcomes]
    assert (found, seen) == (
        ["answered", "answered", "app_failed", "answered", "passed"],
        ["/", "/fails", "/", "/"],
    )


def test_add_middleware(on):
    """The middleware can be added like any other, and its injector is found later."""
    added, listed = starlette_app(), Starlette(middleware=[Middleware(ASGIFaultMiddleware, rules="http:599")])
    added.add_middleware(ASGIFaultMiddleware, rules="http:599")
    for app in (added, listed):
        assert (get_injector(app), get(app), get_injector(app).counts()) == (
            None,
            599,
            {"rule-1": RuleCounts(1, 1)},
        )


def test_mounted_apps(on):
    """An installed app within an installed app: decided once, with the mount point in the path."""
    inner = install(starlette_app(fastapi.FastAPI), "http:500,path=/sub/")
    outer = install(
        Starlette(routes=[Mount("/sub", inner), Route("/", lambda _: PlainTextResponse("x"))]),
        "http:599,path==/",
    )
    assert ([get(outer, "/sub/"), get(outer, "/")], get_injector(inner).counts()["rule-1"]) == (
        [500, 599],
        RuleCounts(1, 1),
    )


def test_flask_in_middleware_of_its_own(on):
    """Middleware that wraps `app.wsgi_app` later does not hide the injector."""
    app = install(flask_app())
    app.wsgi_app = ProxyFix(app.wsgi_app)
    assert get_injector(app) is get_injector()
    install(app, "http:500,times=1")
    assert [get(app) for _ in range(2)] == [500, 200]


NESTED = pytest.mark.parametrize(
    ("app", "around"),
    [(wsgi_app, WSGIFaultMiddleware), (asgi_app, ASGIFaultMiddleware)],
    ids=["wsgi", "asgi"],
)


@NESTED
def test_nested_the_outermost_with_a_matching_rule_decides(on, app, around):
    """One decision a request, by the outermost that has a rule for it."""
    inner, outer = Injector("http:500"), Injector("http:599,path=/outer,probability=0;http:598,path=/both")
    app = around(around(app, injector=inner), injector=outer)
    assert ([get(app, path) for path in ("/inner", "/outer", "/both")], inner.counts()) == (
        [500, 200, 598],
        {"rule-1": RuleCounts(1, 1)},
    )


@NESTED
def test_nested_around_one_injector_counts_once(on, app, around):
    """The environment's injector around and inside: counts and journal see one request."""
    app = around(around(app))
    assert ([get(app) for _ in range(6)], get_injector().counts()) == (
        [503] * 5 + [200],
        {"five": RuleCounts(6, 5)},
    )
    with faultinject.inject("http:500,path=elsewhere") as faults:
        get(app)
    assert faults.attempts == 1


NEITHER = "put `faultinject proxy --to URL` in front of its server"


class Instance:
    __slots__ = ()

    def __call__(self, environ, start_response):
        return wsgi_app(environ, start_response)

    @classmethod
    def of_class(cls, environ, start_response):
        return wsgi_app(environ, start_response)

    def three(self, more, environ, start_response):
        return wsgi_app(environ, start_response)


class AsgiInstance:
    """With an attribute of its own, as Django's handlers have them."""

    config = None

    def __init__(self):
        self.config = "mine"

    async def __call__(self, scope, receive, send):
        await asgi_app(scope, receive, send)

    def method(self, scope, receive, send):
        return asgi_app(scope, receive, send)


def sync_asgi(scope, receive, send):
    return asgi_app(scope, receive, send)


def with_defaults(environ, start_response, more=None):
    return wsgi_app(environ, start_response)


def any_arguments(*args):
    return wsgi_app(*args)


def decorated(function):
    @functools.wraps(function)
    def around(*args, **keys):
        return function(*args, **keys)

    return around


CALLABLES = {
    "instance": Instance,
    "bound method": lambda: Instance().__call__,
    "class method": lambda: Instance.of_class,
    "partial": lambda: functools.partial(Instance().three, "more"),
    "partial by name": lambda: functools.partial(with_defaults, more=1),
    "lambda": lambda: lambda environ, start_response: wsgi_app(environ, start_response),  # noqa: PLW0108
    "with defaults": lambda: with_defaults,
    "any arguments": lambda: any_arguments,
    "decorated": lambda: decorated(wsgi_app),
    "asgi instance": AsgiInstance,
    "asgi method": lambda: AsgiInstance().method,
    "asgi partial": lambda: functools.partial(asgi_app),
    "sync asgi": lambda: sync_asgi,
}


@pytest.mark.parametrize("name", CALLABLES)
def test_any_callable(on, name):
    """WSGI or ASGI is recognised by the callable's arguments, or is given by `interface`."""
    app = install(CALLABLES[name]())
    assert (awaits(app), get_injector(app), [get(app) for _ in range(6)]) == (
        "asgi" in name,
        get_injector(),
        [503] * 5 + [200],
    )
    assert awaits(install(decorated(asgi_app), interface="asgi"))


@pytest.mark.parametrize("name", ["instance", "asgi instance"])
def test_objects_stay_what_they_are(on, name):
    """The object and its class stay the same, and later patches of the class work."""
    app = CALLABLES[name]()
    kind = type(app)
    assert install(app) is install(app) is app
    assert (isinstance(app, kind), type(app).__qualname__, type(app).__module__) == (
        True,
        kind.__qualname__,
        kind.__module__,
    )
    assert inspect.signature(app) == inspect.signature(kind.__call__.__get__(app))
    assert inspect.getfullargspec(app).args == inspect.getfullargspec(kind()).args
    assert (get(kind()), install(app, "http:500,times=1"), [get(app) for _ in range(2)]) == (
        200,
        app,
        [500, 200],
    )


class Final:
    def __init_subclass__(cls):
        raise RuntimeError("no subclass of mine")

    def __call__(self, environ, start_response):
        return wsgi_app(environ, start_response)


def test_what_can_have_no_subclass_is_wrapped(on):
    """A class may refuse one by any error; the app is served as a function then."""
    app = Final()
    assert (install(app).app, get(install(app)), get(app)) == (app, 503, 200)


def test_factories_and_classes_are_refused(on):
    """The message says what it takes it for, and what to do."""
    looks = "it looks like an app factory: call install() inside it"
    refused = {
        flask_app: f"{flask_app!r} takes neither two arguments (WSGI) nor three (ASGI): {looks}",
        Instance: f"{Instance!r} is a class: {looks}",
        **dict.fromkeys(
            (lambda one: one, lambda a, b, c, d: a, functools.partial(wsgi_app, {}), len, max), looks
        ),
        None: f"builtins.NoneType is neither WSGI nor ASGI: {NEITHER}",
        "app": f"builtins.str is neither WSGI nor ASGI: {NEITHER}",
        io.StringIO(): f"_io.StringIO is neither WSGI nor ASGI: {NEITHER}",
    }
    for wrong, message in refused.items():
        with pytest.raises(TypeError, match=f"{re.escape(message)}$"):
            install(wrong)
    with pytest.raises(ConfigurationError, match="interface 'http' is neither wsgi nor asgi"):
        install(wsgi_app, interface="http")


def test_a_text_is_no_switch(monkeypatch):
    """`enabled` refuses a text, since `"0"` would be true."""
    for text in ("0", "no", "false", "1"):
        with pytest.raises(ConfigurationError, match=f"enabled: '{text}' is a text; use True, False or None"):
            install(wsgi_app, "http:503", enabled=text)
    # An unset variable switches it off, and then nothing else is examined.
    assert [install(wsgi_app, "http:503", enabled=each) for each in (False, "")] == [wsgi_app] * 2
    monkeypatch.setenv("FAULTINJECT_ENABLED", "0")
    assert install(wsgi_app, "http:503", enabled="yes") is wsgi_app


@pytest.mark.parametrize(
    ("rules", "enabled", "given", "said"),
    [
        ("cos:Slowdown", "1", None, "did you mean cos:SlowDown"),
        ("cos:Slowdown", "1", "cos:SlowDown,probability=30%", "probability"),
        ("cos:SlowDown", "perhaps", None, "FAULTINJECT_ENABLED"),
        ("", "1", None, "has no rule: set FAULTINJECT_RULES"),
    ],
)
def test_wrong_configuration_stops_the_start(environment, rules, enabled, given, said):
    """Every mistake, before anything is changed; also enabled and nothing to inject."""
    environment.setenv("FAULTINJECT_ENABLED", enabled)
    environment.setenv("FAULTINJECT_RULES", rules)
    app = starlette_app()
    with pytest.raises(ConfigurationError, match=said):
        install(app, given)
    environment.setenv("FAULTINJECT_ENABLED", "0")
    assert get(app) == 200


def test_a_seed_belongs_to_all_apps_of_the_environment(on, monkeypatch):
    """`times=5` is five in all, also with a seed; another seed is refused, not dropped."""
    monkeypatch.delenv("FAULTINJECT_SEED")
    first, second = install(flask_app(), seed=1), install(starlette_app(), seed=1)
    assert get_injector(first) is get_injector(second) is get_injector()
    assert ([get(each) for each in (first, second) * 4], get_injector().seed) == ([503] * 5 + [200] * 3, "1")
    install(first, seed="1")
    with pytest.raises(
        ConfigurationError, match=r"share one injector, whose seed is 1: seed 99 needs rules of its own$"
    ):
        install(second, seed=99)


SWITCHED_OFF = """
import sys
before = set(sys.modules)
import faultinject
app = object()
assert faultinject.install(app) is app
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.live
def test_switched_off_it_loads_next_to_nothing():
    """Neither the engine nor a module of the standard library that is slow to load."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    command = [sys.executable, "-c", SWITCHED_OFF]
    found = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    loaded = ["__future__", "faultinject", "faultinject.adapters", "faultinject.adapters.install"]
    assert {*found.stdout.split()} <= {*loaded, "faultinject.faces"}


@pytest.mark.parametrize("kind", ["flask", "starlette", "fastapi"])
@pytest.mark.parametrize("served", [True, False])
def test_rules_of_its_own_leave_the_others_apps_alone(on, monkeypatch, kind, served):
    """A second `install` with rules takes only this app out of the shared injector."""
    monkeypatch.setenv("FAULTINJECT_RULES", "http:503")
    first, second = (install(APPS[kind]()) for _ in range(2))
    assert not served or get(first) == 503
    install(first, "http:418")
    assert [get(each) for each in (first, second)] == [418, 503]
    assert get_injector(second) is get_injector() is not get_injector(first)


@pytest.mark.parametrize("served_by_asgi", [True, False])
def test_sanic_served_by_its_own_server(caplog, served_by_asgi):
    """If the server never calls the app by ASGI, the log says that nothing is injected."""

    class Sanic(AsgiInstance):
        asgi = served_by_asgi
        before_server_start = Mock()

    Sanic.__module__ = "sanic.app"
    app = Sanic()
    assert install(app, "http:503", enabled=True) is app
    app.before_server_start.call_args.args[0](app, None)
    assert ("nothing is injected: Sanic's own server" in caplog.text) is not served_by_asgi


def test_a_process_whose_frameworks_get_faults_is_known_to_run(tmp_path):
    """Else `run` would say of a server that is slow to load its app that it gets none."""
    environ = os.environ | {"FAULTINJECT_RULES": "http:503", "FAULTINJECT_RUN": f"1:{tmp_path}/note"}
    code = "from faultinject.adapters.import_hooks import hook; hook()"
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["note.known"]
