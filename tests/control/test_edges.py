"""Rare cases: another injector, a missing package, a store in use, another app's token."""

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import util
from unittest.mock import Mock

import pytest
from anyio import fail_after, to_thread

from faultinject import Scenario, install
from faultinject.exceptions import (
    ConfigurationError,
    ConflictError,
    FaultInjectError,
    MissingExtraError,
    StoreInUseError,
    StoreUnavailableError,
)
from tests.locked import locked

from .conftest import (
    MOUNT,
    TOKEN,
    Api,
    ask_asgi,
    call_wsgi,
    fastapi_app,
    flask_app,
    make_injector,
    wsgi_environ,
)

HEADS = [(b"host", b"localhost"), (b"authorization", f"Bearer {TOKEN}".encode())]


@pytest.mark.parametrize("make", [flask_app, fastapi_app])
def test_an_app_that_gets_another_injector(make):
    """The API is of that one from then on."""
    other = make_injector("http:504,name=two")
    app = install(make(), injector=make_injector("http:503,name=one"), enabled=True)
    place = app.wsgi_app if make is flask_app else app.build_middleware_stack()

    def names():
        if make is flask_app:
            body = b"".join(place(wsgi_environ(f"{MOUNT}/state"), lambda *_: None))
        else:
            body = ask_asgi(place, f"{MOUNT}/state", HEADS).body
        return [each["name"] for each in json.loads(body)["rules"]]

    assert names() == ["one"]
    place.use_injector(other)
    assert place.injector is other
    assert names() == ["two"]


def test_the_journal_of_another_injector(tmp_path):
    """It has the requests of all processes of its store from then on."""
    store = f"file:{tmp_path}/store"
    api, other = Api(make_injector()), Api(make_injector("http:503", FAULTINJECT_STORE=store))
    api.app.use_injector(make_injector("http:503", FAULTINJECT_STORE=store, FAULTINJECT_CONTROL=""))
    assert other.ask_app("/seen") == 503
    assert [each["path"] for each in api.get("/journal").data["outcomes"]] == ["/seen"]


def test_off_works_while_all_threads_of_the_app_are_at_work():
    """`off` works while all 40 threads of anyio run FastAPI's plain endpoints."""
    api = Api(make_injector("http:503"))
    mounted = api.app

    async def busy(scope, receive, send):
        threads = to_thread.current_default_thread_limiter()
        for each in range(int(threads.total_tokens)):
            await threads.acquire_on_behalf_of(each)
        with fail_after(60):
            await mounted(scope, receive, send)

    api.app = busy
    assert api.call("POST", "/off").status == 200
    assert not api.injector.enabled


def test_nothing_of_an_app_stays():
    """A test run that makes hundreds of apps keeps neither them nor a thread for each."""

    def use():
        made = install(flask_app(), injector=make_injector(), enabled=True)
        assert made.test_client().get(f"{MOUNT}/state", headers={"Authorization": f"Bearer {TOKEN}"}).json
        return weakref.ref(made)

    before = threading.active_count()
    left = [use() for _ in range(3)]
    gc.collect()
    assert [each() for each in left] == [None] * 3
    assert threading.active_count() <= before


BEGIN = """
import json, os, subprocess, sys, time
from urllib.request import Request, urlopen
from flask import Flask
import faultinject

def names(where):
    while True:
        try:
            request = Request(where + "/state", headers={"Authorization": "Bearer TOKEN"})
            with urlopen(request, timeout=300) as answer:
                return [each["name"] for each in json.load(answer)["rules"]]
        except OSError:
            time.sleep(0.02)

def installed(rules):
    return faultinject.install(Flask("app"), rules)

place = os.environ["FAULTINJECT_CONTROL"]
""".replace("TOKEN", TOKEN)


def run(folder, port, script):
    """Run a process with its control API at that port, and return its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    environ = {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_CONTROL": f"127.0.0.1:{port}",
        "FAULTINJECT_TOKEN": TOKEN,
    }
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_a_process_that_only_looks_at_files(tmp_path, free_port):
    """It lets go of the address, though it had it first: what it has started serves."""
    script = """
url = "http://" + place
if os.environ.get("WERKZEUG_RUN_MAIN") == "true":
    installed("http:503,name=child")
    while (found := names(url)) != ["child"]:
        time.sleep(0.02)
    print(*names(url), flush=True)
    sys.exit(0)
installed("http:503,name=parent")
print(*names(url), flush=True)
from werkzeug._reloader import StatReloaderLoop
StatReloaderLoop().restart_with_reloader()
"""
    told = run(tmp_path, free_port(), script)
    assert [each for each in told if each in ("parent", "child")] == ["parent", "child"]


def test_a_child_of_a_process(tmp_path, free_port):
    """A forked child lacks its parent's threads, and gets the address when the parent has ended.

    It lets go of the parent's address first. One address is of the first injector, whatever other apps the process
    serves.
    """
    script = """
environ = {**os.environ, "FAULTINJECT_CONTROL": "/below"}
injector = faultinject.Injector("http:503,name=below", environ=environ)
below = faultinject.install(Flask("other"), injector=injector).test_client()

def asked():
    answer = below.get("/below/state", headers={"Authorization": "Bearer open-sesame"})
    return answer.json["rules"][0]["name"]

installed("http:503,name=own")
installed("http:504,name=two")
print(*names("http://" + place), asked(), flush=True)
if os.fork():
    sys.exit(0)
parent = os.getppid()
while os.getppid() == parent:
    time.sleep(0.02)
print(*names("http://" + place), asked(), flush=True)
"""
    assert run(tmp_path, free_port(), script) == ["own", "below"] * 2


@pytest.mark.parametrize("make", [flask_app, fastapi_app])
def test_what_is_not_installed_stops_the_start(monkeypatch, make):
    """A missing package stops the start with its install command.

    Only an address of its own needs a server; a path of the app needs nothing.
    """
    found = util.find_spec
    monkeypatch.setattr(
        util, "find_spec", lambda name, *more: None if name == "uvicorn" else found(name, *more)
    )
    app = make()
    with pytest.raises(
        MissingExtraError, match=r"an address of its own needs uvicorn: .*install.*\[control\]"
    ):
        install(app, injector=make_injector(FAULTINJECT_CONTROL="127.0.0.1:0"), enabled=True)
    install(app, injector=make_injector(), enabled=True)


@pytest.mark.parametrize(
    ("error", "status", "seconds"),
    [
        (ConflictError("changed"), 412, None),
        (StoreUnavailableError("gone"), 503, "1"),
        (StoreInUseError("in use"), 409, None),
        (ConfigurationError("wrong"), 400, None),
        (FaultInjectError("else"), 500, None),
    ],
)
def test_each_error_has_its_status(api, monkeypatch, error, status, seconds):
    """And its own words; a client may repeat soon what only the store refused."""
    monkeypatch.setattr(api.injector, "reset", Mock(side_effect=error))
    answer = api.call("POST", "/reset")
    assert (answer.status, str(error) in answer.message) == (status, True)
    assert answer.headers.get("retry-after") == seconds


@pytest.fixture
def overtaken(monkeypatch):
    """Makes another change before each of the first calls; gives the generations expected."""

    def arrange(injector, name, another, *, times=1):
        change, told = getattr(injector, name), []

        def late(*given, expected=None):
            told.append(expected)
            assert len(told) < 50, "it is tried without end"
            if len(told) <= times:
                another()
            return change(*given, expected=expected)

        monkeypatch.setattr(injector, name, late)
        return told

    return arrange


@pytest.mark.parametrize(
    ("name", "method", "path"), [("reset", "POST", "/reset"), ("replace", "PATCH", "/rules/slow")]
)
def test_a_change_that_is_overtaken(api, overtaken, name, method, path):
    """A change that another one overtakes is refused like any late change.

    The other change comes between the look at the generation and the change.
    """
    told = overtaken(api.injector, name, lambda: api.injector.add("http:504"))
    answer = api.call(method, path, headers={"If-Match": '"0"'})
    assert (answer.status, told) == (412, [0])
    assert "read the rules again and repeat the change" in answer.message


@pytest.mark.parametrize("times", [1, 99])
def test_two_changes_at_the_same_moment(overtaken, times):
    """Neither of two simultaneous changes is lost: the later is repeated, with a limit.

    It is made from the result of the first.
    """
    api = Api(make_injector("http:503,name=one"))
    replace = api.injector.replace
    told = overtaken(
        api.injector, "replace", lambda: replace("one", "http:503,name=one,times=7"), times=times
    )
    [rule] = api.change("PATCH", "/rules/one", {"probability": 0.5})["rules"]
    assert rule["text"] == "http:503,probability=0.5,times=7,name=one"
    assert len(told) == min(times, 20) + 1


def test_other_rules_while_another_one_changes_abort(overtaken, caplog):
    """The bound that has just been set is the one that stays."""
    api = Api(make_injector(Scenario("http:503", abort="5xx>5%/1m")))
    use = api.injector.use
    overtaken(api.injector, "use", lambda: use(Scenario("http:504", abort="5xx>1%/1m")))
    assert api.change("PUT", "/rules", {"text": "http:505"})["abort"] == "5xx>1%/1m"
    assert "127.0.0.1 put 1 rule in force: http:505" in caplog.text


def test_the_last_rule_that_there_is_room_for(overtaken):
    """Of two that are added at the same moment, one is too many."""
    api = Api(make_injector("reset,times=0 " * 9_999))
    add = api.injector.add
    overtaken(api.injector, "add", lambda: add("http:504"))
    answer = api.call("POST", "/rules", {"text": "http:505"})
    assert (answer.status, answer.message) == (413, "10001 rules are too many: the control API takes 10000")
    assert api.injector.state.scenario.rules[-1].fault == "http:504"


def test_a_rule_whose_place_another_one_takes(overtaken, caplog):
    """The log names the removed rule by its text, as positions change when a rule goes."""
    api = Api(make_injector("http:503 http:504 http:505"))
    remove = api.injector.remove
    overtaken(api.injector, "remove", lambda: remove("rule-1"))
    assert [each["text"] for each in api.change("DELETE", "/rules/rule-2")["rules"]] == ["http:504"]
    assert "127.0.0.1 removed the rule rule-2, http:505" in caplog.text


def test_a_change_by_what_could_not_be_read_for_a_moment(tmp_path, overtaken):
    """It is not tried without end while the process leaves the store alone."""
    one, other = (
        Api(make_injector("http:503,path=b/,name=one", FAULTINJECT_STORE=f"file:{tmp_path}/store"))
        for _ in range(2)
    )
    assert one.ask_app("/b/1") == 503
    other.change("PATCH", "/rules/one", {"times": 7})
    (scenario,) = tmp_path.glob("store/scenario-*")
    away = scenario.rename(tmp_path / "away")
    one.ask_app("/b/1")
    away.rename(scenario)
    told = overtaken(one.injector, "replace", lambda: None)
    [rule] = one.change("PATCH", "/rules/one", {"probability": 0.5})["rules"]
    assert (rule["rule"]["probability"], len(told) <= 21) == (0.5, True)


def test_a_store_that_has_gone(tmp_path, caplog):
    """Requests that got no decision are in the totals; `off` is for one process.

    The log and the answer say that it is the only one.
    """
    api = Api(make_injector(FAULTINJECT_STORE=f"file:{tmp_path}/store"))
    shutil.rmtree(tmp_path / "store")
    assert api.ask_app() == 200
    state = api.state()
    assert (state["undecided"], state["failures"], state["totals"]["failed"]) == (1, 0, 1)
    answer = api.call("POST", "/off")
    told = "faults are off in the process that answers; the others do not know of it, so repeat the call: "
    assert (answer.status, answer.message[: len(told)], answer.headers["retry-after"]) == (503, told, "1")
    assert "faultinject: 127.0.0.1 switched faults off in one process by the control API" in caplog.text
    assert not api.injector.enabled


def test_a_change_in_code_is_nobody_s(api):
    """A call of the control API before it, in the same thread, is not taken for its author."""
    environ = wsgi_environ(f"{MOUNT}/off", REQUEST_METHOD="POST")
    assert call_wsgi(api.injector, environ)[0] == "200 OK"
    api.injector.enable()
    assert [each.text for each in api.injector.state.changes] == ["switched faults off"]


def test_workers_agree_on_a_token(monkeypatch, tmp_path, caplog):
    """In a file that only this user can read; a link in its place is not followed."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

    def token(place=MOUNT):
        caplog.clear()
        made = make_injector(FAULTINJECT_TOKEN="", FAULTINJECT_CONTROL=place)
        install(flask_app(), injector=made, enabled=True)
        return [each.rpartition(" ")[2] for each in caplog.messages if "its token is" in each]

    assert token() != token()
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", object())
    ((first,), second, (other,)) = token(), token(), token("/y")
    assert second == []
    assert other != first
    assert Api(make_injector(FAULTINJECT_TOKEN="")).get("/state", token=first).status == 200
    files = [each for each in tmp_path.rglob("*") if each.is_file() and first in each.read_text()]
    assert [each.stat().st_mode & 0o777 for each in files] == [0o600]
    files[0].write_text("")
    with ThreadPoolExecutor(1) as pool:
        with locked(files[0]):
            late = pool.submit(token)
            assert wait([late], 0.1).not_done
            files[0].write_text("of one that was faster")
        assert late.result() == []
    files[0].unlink()
    files[0].symlink_to(tmp_path / "somebody's")
    wrong = rf"^FAULTINJECT_CONTROL={MOUNT}: the workers of this server cannot .*: set FAULTINJECT_TOKEN$"
    with pytest.raises(ConfigurationError, match=wrong):
        token()
