"""Faults never hit faultinject's own servers, so they can be switched off.

Whatever the rules are, and no count is used up.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from werkzeug.test import Client

import faultinject
from faultinject.control.server import ControlServer
from tests.control.conftest import until
from tests.ports import ReservedPort

from .launch import TOKEN, WAYS, Way

pytestmark = pytest.mark.live
BEARER = {"Authorization": f"Bearer {TOKEN}"}
RULE = "http:503,times=3,name=all"
INSTALLED = "uWSGI, installed Flask"
BY_PATH = {
    **{name: WAYS[name] for name in ("gunicorn -w 2, Flask", "uvicorn, FastAPI", "Django, runserver")},
    # No server of these is wrapped: the app's own `install()` has the API inside of what `run` has patched.
    INSTALLED: Way(WAYS["uWSGI, Flask"].line.replace("served_flask:app", "served_installed:flask"), "uwsgi", "flask"),
}  # fmt: skip


def proved(server, place):
    """Check that status calls use no count, and that `off` works; then the app answers."""
    for _ in range(4):
        (rule,) = server.control("GET", "/state", place=place)["rules"]
    assert (rule["matched"], rule["injected"]) == (1, 1), "the one that has waited for the server"
    assert server.statuses("/a", 1) == [503]
    assert server.control("POST", "/off", place=place)["on"] is False
    assert server.statuses("/a", 1) == [200]
    assert not [each for path in ("/state", "/off", "/_f/state", "/_f/off") for each in server.lines(path)]


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_PATH)
def test_run_leaves_the_control_api_below_a_path(name, start):
    """Behind frameworks' and servers' hooks alike."""
    server = start(BY_PATH[name], RULE, FAULTINJECT_CONTROL="/_f", FAULTINJECT_TOKEN=TOKEN)
    proved(server, f"http://127.0.0.1:{server.port}/_f")


@pytest.mark.slow
@pytest.mark.parametrize("name", ("gunicorn -w 2, Flask", "flask run"))
def test_run_leaves_the_control_api_on_its_address(name, start):
    """Its server is one that `run` hooks."""
    with ReservedPort() as port:
        place = f"127.0.0.1:{port}"
        server = start(WAYS[name], RULE, FAULTINJECT_CONTROL=place, FAULTINJECT_TOKEN=TOKEN)
        server.until(lambda: server.control("GET", "/state", place=f"http://{place}"))
        proved(server, f"http://{place}")


@pytest.mark.slow
def test_run_leaves_the_store_the_proxy_and_metrics():
    """A program that `run` started serves store, proxy and metrics without faults."""
    command = [sys.executable, "-m", "faultinject", "run", "-r", "http:503", "--", sys.executable]
    found = subprocess.run(
        [*command, Path(__file__).with_name("served_own.py")],
        env={name: each for name, each in os.environ.items() if not name.startswith("FAULTINJECT_")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    statuses = dict(each.split() for each in found.stdout.splitlines())
    assert statuses == {"app": "503", "store": "200", "metrics": "200", "proxy": "200"}, found.stderr


def injector(place):
    environ = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": place, "FAULTINJECT_TOKEN": TOKEN}
    return faultinject.Injector("http:418,path=nowhere", seed="1", environ=environ)


def test_a_block_leaves_the_control_api_of_a_flask_app():
    """`inject()` and the marker patch the framework, whose apps have it inside."""
    app = faultinject.install(Flask("app"), injector=injector("/_f"), enabled=True)
    client = Client(app)
    with faultinject.inject("http:503") as faults:
        assert client.get("/a").status_code == 503
        answer = client.get("/_f/state", headers=BEARER, environ_overrides={"REMOTE_ADDR": "127.0.0.1"})
        assert answer.status_code == 200, answer.data
        assert client.get("/_fault").status_code == 503
        assert faults.injected == faults.attempts == 2


def test_a_block_leaves_the_control_api_of_a_fastapi_app():
    """Also when its first request is a call: the app builds its middleware then."""
    app = faultinject.install(FastAPI(), injector=injector("/_g"), enabled=True)

    async def statuses():
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [(await client.get(path, headers=BEARER)).status_code for path in ("/_g/state", "/a")]

    with faultinject.inject("http:503") as faults:
        assert asyncio.run(statuses()) == [200, 503]
        assert faults.injected == faults.attempts == 1


def test_a_block_leaves_the_control_api_on_its_address():
    """It runs in a thread of the same process."""
    server = ControlServer(injector("127.0.0.1:0"))
    server.start()
    try:
        until(lambda: server.url, "it listens")
        with faultinject.inject("http:503") as faults:
            assert Client(Flask("app")).get("/a").status_code == 503
            assert httpx.get(f"{server.url}/state", headers=BEARER, timeout=60).status_code == 200
            assert faults.injected == faults.attempts == 1
    finally:
        server.stop()
        until(lambda: not server.url, "it has ended")


def test_a_block_reaches_the_store_once():
    """The store gets the faults of the block, and no others."""
    store = faultinject.Storage("s3")
    try:
        with faultinject.inject("s3:SlowDown,times=1") as faults:
            assert [httpx.get(store.url, timeout=60).status_code for _ in range(2)] == [503, 200]
            assert (faults.injected, faults.attempts) == (1, 2)
    finally:
        store.close()
