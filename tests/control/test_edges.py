"""What a client hardly ever sees: another injector, a missing package, a store that is in use, a place for a token that is not ours."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import threading
import weakref
from importlib import util

import pytest

from faultinject import Injector, install
from faultinject.control import events, mount, server, tokens
from faultinject.control.access import Access
from faultinject.control.answers import Refusal, refusal_of
from faultinject.control.app import make_app
from faultinject.exceptions import (
    ConfigurationError,
    Conflict,
    FaultInjectError,
    MissingExtra,
    StoreInUse,
    StoreUnavailable,
)
from faultinject.rules.faults.breaking import Reset

from .conftest import PATIENCE, TOKEN, Client, control, fastapi_app, flask_app, until
from .test_attacks import call_wsgi, wsgi_environ

ENVIRON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": "/_faultinject", "FAULTINJECT_TOKEN": TOKEN}


def ask(app, path, headers=(), kind="http", method="GET", body=b""):
    """One call of an ASGI app without a server: status and body."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    head = [(b"host", b"localhost"), (b"authorization", b"Bearer " + TOKEN.encode()), *headers]
    scope = {
        "type": kind, "method": method, "path": path, "root_path": "", "query_string": b"", "headers": head,
        "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http", "server": ("localhost", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


@pytest.mark.parametrize(("version", "looked"), [("1.1", 1), ("2", 0)])
def test_a_connection_of_http2_is_not_reset(injector, monkeypatch, version, looked):
    """A stream ends with its server; on a connection of its own that is seen to end, on one of many that is left alone."""
    found = []
    monkeypatch.setattr(events, "of_scope", lambda *_: found.append(version))
    app = install(fastapi_app(), injector=injector, enabled=True)

    class Exchange:
        keep_alive = True

        async def receive(self):
            await asyncio.Event().wait()

        async def send(self, message):
            if message["type"] == "http.response.body":
                self.keep_alive = False  # as uvicorn says that it ends

    scope = {
        "type": "http", "method": "GET", "path": "/_faultinject/journal/stream", "root_path": "", "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer " + TOKEN.encode())], "client": ("127.0.0.1", 1),
        "http_version": version, "scheme": "http", "server": ("localhost", 80),
    }  # fmt: skip
    exchange = Exchange()
    asyncio.run(asyncio.wait_for(app(scope, exchange.receive, exchange.send), 20))
    assert len(found) == looked


@pytest.fixture
def injector():
    return Injector("http:503,name=one", seed=1, environ=ENVIRON)


@pytest.mark.parametrize("make", [flask_app, fastapi_app])
def test_an_app_that_gets_another_injector(injector, make):
    """The API is of that one from then on."""
    other = Injector("http:504,name=two", seed=2, environ=ENVIRON)
    app = install(make(), injector=injector, enabled=True)
    if make is flask_app:
        place = app.wsgi_app

        def state():
            *_, body = run_wsgi(place, wsgi_environ("/_faultinject/state"))
            return json.loads(body)
    else:
        place = app.middleware_stack = app.build_middleware_stack()

        def state():
            return json.loads(ask(place, "/_faultinject/state")[1])

    assert [each["name"] for each in state()["rules"]] == ["one"]
    place.use_injector(other)
    assert place.injector is other
    assert [each["name"] for each in state()["rules"]] == ["two"]


def run_wsgi(app, environ):
    seen = []
    result = app(environ, lambda status, headers, *_: seen.append((status, headers)))
    body = b"".join(result)
    result.close()
    return (*seen[0], body)


def test_a_child_makes_its_own(injector):
    """Threads of its parent are not there, nor is the address its own."""
    door = mount.Door(injector)
    before = door.wsgi()
    loops = [each for each in threading.enumerate() if each.name == "faultinject control"]
    assert door.wsgi() is before
    mount._after_fork()
    assert door.wsgi().loop is not before.loop
    before.loop.call_soon_threadsafe(before.loop.stop)
    until(lambda: not before.loop.is_running())
    before.loop.close()
    for each in loops:
        each.join(PATIENCE)
    with control("own") as client:
        assert client.state()["on"]


def test_nothing_of_an_app_stays():
    """A test run that makes hundreds of apps keeps neither them nor a thread and a loop for each."""
    doors = [mount.Door(Injector(seed=1, environ=ENVIRON)) for _ in range(3)]
    assert len({door.wsgi().loop for door in doors}) == 1
    left = [weakref.ref(door) for door in doors]
    del doors
    gc.collect()
    assert [each() for each in left] == [None] * 3
    assert sum(each.name == "faultinject control" for each in threading.enumerate()) == 1


def test_a_child_lets_go_of_the_address(monkeypatch):
    """Else nobody could have it when the parent has ended."""
    made = server.Server(Injector(environ={**ENVIRON, "FAULTINJECT_CONTROL": "127.0.0.1:0"}))
    listening = made._bind()
    started = []
    monkeypatch.setattr(made, "start", lambda: started.append(1))
    monkeypatch.setattr(server, "_server", made)
    server._after_fork()
    assert (listening.fileno(), started) == (-1, [1])
    made.let_go()
    monkeypatch.setattr(server, "_server", None)
    server._after_fork()
    assert started == [1]


@pytest.fixture
def hooks(monkeypatch):
    """The audit hooks that it adds, which nobody could take away again."""
    added = []
    monkeypatch.setattr("sys.addaudithook", added.append)
    return added


@pytest.fixture
def on_an_address(monkeypatch, hooks):
    """A function that installs an injector with the API on an address of its own, and gives the server of this process."""
    monkeypatch.setattr(server, "_server", None)
    monkeypatch.setattr(server, "_supervises", False)
    monkeypatch.setattr("os.register_at_fork", lambda **_: None)
    environ = {**ENVIRON, "FAULTINJECT_CONTROL": "127.0.0.1:0"}

    def begin(rules):
        install(flask_app(), injector=Injector(rules, seed=1, environ=environ), enabled=True)
        return server._server

    yield begin
    server._server.stop()
    until(lambda: not server._server.url, "the control API has ended")


def test_the_first_injector_of_a_process_has_the_address(on_an_address):
    """One address is of one injector, whatever other apps the process serves."""
    made = on_an_address("http:503,name=one")
    assert on_an_address("http:504,name=two") is made
    port = int(until(lambda: made.url).rpartition(":")[2])
    assert [each["name"] for each in Client(None, (port, ""), port).state()["rules"]] == ["one"]


@pytest.mark.parametrize("reloader", ["werkzeug._reloader", "django.utils.autoreload"])
def test_a_process_that_only_looks_at_files(reloader, on_an_address, hooks, monkeypatch):
    """It lets go of the address, though it had it first, and leaves it alone; what else it starts is nothing to it."""
    module, binds, looks = pytest.importorskip(reloader), [], []
    monkeypatch.setattr(server, "AGAIN", 0.02)
    made = on_an_address("http:503")
    until(lambda: made.url)
    wait = made._ended.wait
    monkeypatch.setattr(made, "_bind", lambda: binds.append(1))
    monkeypatch.setattr(made._ended, "wait", lambda seconds: looks.append(1) or wait(seconds))
    (hook,) = hooks
    for environ in (None, {}, dict(os.environ), {"RUN_MAIN": "false"}):
        hook("subprocess.Popen", ("python", ["python"], None, environ))
    hook("import", ("json", None, None, None, None))
    assert not server._supervises

    def serve_until_a_file_changes(args, env, **_):
        hook("subprocess.Popen", (args[0], args, None, env))
        until(lambda: not made.url, "it has let go of the address")
        looks.clear()
        until(lambda: len(looks) > 2, "it has looked again")
        assert (binds, made.url) == ([], "")
        return subprocess.CompletedProcess(args, 0)

    if reloader == "django.utils.autoreload":
        monkeypatch.setattr(module.subprocess, "run", serve_until_a_file_changes)
        monkeypatch.setattr(module, "get_child_arguments", lambda: ["python"])
        assert module.restart_with_reloader() == 0
    else:
        monkeypatch.setattr(module, "_log", lambda *_: None)
        monkeypatch.setattr(
            module.subprocess,
            "call",
            lambda *args, **keys: serve_until_a_file_changes(*args, **keys).returncode,
        )
        assert module.StatReloaderLoop().restart_with_reloader() == 0


def test_what_a_reloader_has_started(on_an_address, hooks, monkeypatch):
    """Serves: what it starts has its environment, and nobody serves in its place."""
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    made = on_an_address("http:503")
    until(lambda: made.url)
    assert hooks == []


def test_a_server_that_breaks(monkeypatch, caplog):
    """Is told in the log; the app goes on."""
    made = server.Server(Injector(environ={**ENVIRON, "FAULTINJECT_CONTROL": "127.0.0.1:0"}))

    def broken(listening):
        raise OSError("no loop")

    monkeypatch.setattr(made, "_serve", broken)
    made.start()
    made.start()
    until(lambda: "faultinject: no loop" in caplog.text)


@pytest.mark.parametrize(
    ("variables", "make", "missing"),
    [
        ({}, flask_app, "a2wsgi"),
        ({}, fastapi_app, "starlette"),
        ({"FAULTINJECT_CONTROL": "127.0.0.1:0"}, flask_app, "uvicorn"),
    ],
)
def test_what_is_not_installed_stops_the_start(monkeypatch, variables, make, missing):
    """With the command that installs it."""
    found = util.find_spec
    monkeypatch.setattr(
        util, "find_spec", lambda name, *more: None if name == missing else found(name, *more)
    )
    app = make()
    with pytest.raises(MissingExtra, match=rf"the control API needs {missing}: .*install.*\[control\]"):
        install(app, injector=Injector(environ={**ENVIRON, **variables}), enabled=True)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refusal(405, "x"), 405),
        (Conflict("changed"), 412),
        (StoreUnavailable("gone"), 503),
        (StoreInUse("in use"), 409),
        (ConfigurationError("wrong"), 400),
        (FaultInjectError("else"), 500),
    ],
)
def test_each_error_has_its_status(error, status):
    """And its own words."""
    refusal = refusal_of(error)
    assert (refusal.status, str(error) in str(refusal)) == (status, True)


@pytest.mark.parametrize(
    ("name", "method", "path"), [("reset", "POST", "/reset"), ("replace", "PATCH", "/rules/one")]
)
def test_a_change_that_is_overtaken(injector, monkeypatch, name, method, path):
    """Between the look at the generation and the change: refused like any other that comes too late."""
    app = make_app(injector, Access(injector.control))
    seen = []

    def late(*_, expected):
        seen.append(expected)
        raise Conflict("generation 1 is in force, not 0: it was changed since")

    monkeypatch.setattr(injector, name, late)
    headers = [(b"content-type", b"application/json"), (b"if-match", b'"0"')]
    status, body = ask(app, path, headers, method=method)
    assert (status, seen) == (412, [0])
    assert b"read the rules again and repeat the change" in body


@pytest.mark.parametrize("moments", [1, 99])
def test_two_changes_at_the_same_moment(injector, monkeypatch, moments):
    """Neither is lost: the one that comes late is made from what the other one has put in force, whatever else happens."""
    app = make_app(injector, Access(injector.control))
    replace, others = injector.replace, iter(range(moments))

    def late(name, rule, *, expected=None):
        if expected is not None and next(others, None) is not None:
            replace("one", "http:503,name=one,times=7")
        return replace(name, rule, expected=expected)

    monkeypatch.setattr(injector, "replace", late)
    kind = [(b"content-type", b"application/json")]
    status, body = ask(app, "/rules/one", kind, method="PATCH", body=b'{"probability": 0.5}')
    assert (status, json.loads(body)["rules"][0]["text"]) == (
        200,
        "http:503,probability=0.5,times=7,name=one",
    )


def test_off_while_the_others_cannot_be_told(injector, monkeypatch, caplog):
    """This process is off, the log and the answer say that it is the only one."""
    app = make_app(injector, Access(injector.control))

    def away(*_, **__):
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(injector._count_storage, "newest", away)
    status, body = ask(app, "/off", [(b"content-type", b"application/json")], method="POST")
    assert (status, json.loads(body)["error"]["message"]) == (
        503,
        "faults are off in the process that answers; the others cannot be told, so repeat it: no space left",
    )
    assert "faultinject: 127.0.0.1 switched faults off in one process by the control API" in caplog.text
    assert not injector.enabled


def test_rules_take_the_place_of_what_cannot_be_read(tmp_path):
    """A damaged store is not what keeps anybody from a right one."""
    made = Injector("http:503", environ={**ENVIRON, "FAULTINJECT_STORE": f"file:{tmp_path}/store"})
    app = make_app(made, Access(made.control))
    made.add("http:504")
    (scenario,) = tmp_path.glob("store/scenario-*")
    scenario.write_text("{")
    other = Injector("http:503", environ={**ENVIRON, "FAULTINJECT_STORE": f"file:{tmp_path}/store"})
    kind = [(b"content-type", b"application/json")]
    status, body = ask(app, "/rules", kind, method="PUT", body=b'{"text": "http:505"}')
    assert (status, [each["text"] for each in json.loads(body)["rules"]]) == (200, ["http:505"])
    assert [str(each) for each in other.standing.scenario.rules] == ["http:505"]


def test_heads_that_come_twice(injector):
    """Of two tokens, hosts or origins none counts: what is in front may have looked at the other one."""
    app = make_app(injector, Access(injector.control))
    assert ask(app, "/state")[0] == 200
    assert ask(app, "/state", [(b"authorization", b"Bearer x")])[0] == 401
    assert ask(app, "/state", [(b"host", b"evil.example")])[0] == 421
    assert ask(app, "/state", [(b"origin", b"http://localhost"), (b"origin", b"http://localhost")])[0] == 403
    kind = (b"content-type", b"application/json")
    assert ask(app, "/off", [kind, (b"content-type", b"text/plain")], method="POST")[0] == 415


def test_it_speaks_http_alone(injector):
    """A WebSocket is no call."""
    with pytest.raises(FaultInjectError, match="the control API speaks HTTP alone"):
        ask(make_app(injector, Access(injector.control)), "/state", kind="websocket")


def test_a_fault_whose_example_is_none(injector, monkeypatch):
    """Another package's docstring may say anything."""
    monkeypatch.setattr(Reset, "__doc__", "Odd.\n\n>>> Rule(\n")
    words = json.loads(ask(make_app(injector, Access(injector.control)), "/vocabulary")[1])
    assert next(each for each in words["faults"] if each["title"] == "reset")["example"] == ""


def test_workers_agree_on_a_token(monkeypatch, tmp_path):
    """In a file that only this user can read; what is not so is not believed."""
    monkeypatch.setattr(tokens, "several_processes", lambda: False)
    assert tokens.random_token("/x") != tokens.random_token("/x")
    monkeypatch.setattr(tokens, "several_processes", lambda: True)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    first, own = tokens.random_token("/x")
    assert own
    assert tokens.random_token("/x") == (first, False)
    assert tokens.random_token("/y")[0] != first
    (folder,) = tmp_path.iterdir()
    files = sorted(folder.iterdir())
    assert [each.stat().st_mode & 0o777 for each in files] == [0o600, 0o600]
    for each in files:
        each.chmod(0o644)
    with pytest.raises(
        ConfigurationError,
        match=r"^FAULTINJECT_CONTROL=/x: .* is not this user's own\): set FAULTINJECT_TOKEN$",
    ):
        tokens.random_token("/x")


def test_a_state_of_a_directory(tmp_path):
    """It is told where counts are."""
    made = Injector("http:503", environ={**ENVIRON, "FAULTINJECT_STORE": f"file:{tmp_path}/store"})
    status, _, body = call_wsgi(made, wsgi_environ("/_faultinject/state"))
    assert (status, json.loads(body)["store"]) == ("200 OK", f"file:{tmp_path}/store")
