"""`abort` with several workers: the first beyond the bound ends the faults of all.

The bound is of the apps' own failures. Only a hand arms again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

import pytest

from tests.pairs import in_turn

from .launch import GRANIAN, GUNICORN, UVICORN, Way

WSGI, ASGI = "served_failing:wsgi", "served_failing:asgi"
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn"),
    "uvicorn": Way(f"{UVICORN} --workers 4 {ASGI}", "uvicorn"),
    "granian": Way(f"{GRANIAN} --interface wsgi --workers 4 --respawn-failed-workers {WSGI}", "granian"),
}
TOKEN = "open-sesame"
ON = {
    "FAULTINJECT_ENABLED": "1",
    "FAULTINJECT_RULES": "http:418,path=process",
    "FAULTINJECT_SEED": "s",
    "FAULTINJECT_ABORT": "5xx>50%/1h,min=20",
    "FAULTINJECT_CONTROL": "/_faultinject",
    "FAULTINJECT_TOKEN": TOKEN,
}
OFF_BY = r"faultinject is off: 5xx>50%/1h,min=20: (\d+) of (\d+) requests \(\S+ %\) failed by themselves within 1 h;"

TOLD = "faultinject is off: it was switched off for all processes of its store: 5xx>50%/1h,min=20: "


def call(server, method, path):
    """The status of a call of the control API."""
    head = (
        f"{method} /_faultinject{path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(head.encode())
        return int(client.makefile("rb").readline().split()[1])


def ask(server, path, number):
    """The statuses of so many requests of eight threads."""
    with ThreadPoolExecutor(8) as threads:
        return Counter(found and found[0] for found in threads.map(server.get, [path] * number))


def who(server):
    """The processes whose own answers come now; an injected one says nothing of its process."""
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(server.get, ["/process"] * 40)]
    return {int(body.split()[-1]) for status, body in found if status == 200}


def untouched(server, workers):
    """Whether every worker has been met, and none of them injects any more."""
    server.until(lambda: ask(server, "/process", 16) == {200: 16})
    met = set()
    server.until(lambda: met.update(who(server)) or met >= workers)
    return ask(server, "/process", 100) == {200: 100}


def wait_until_armed(server, workers):
    """Ask until every worker has injected since; the system chooses who answers."""
    before = len(server.lines("/process"))

    def armed():
        ask(server, "/process", 16)
        return {
            each["pid"] for each in server.lines("/process")[before:] if each["did"] == "answered"
        } >= workers

    server.until(armed)


@pytest.mark.slow
@pytest.mark.parametrize("store", [{}, {"FAULTINJECT_STORE": "memory:"}])
@pytest.mark.parametrize(
    ("change", "status"), [({}, 200), ({"abort": None}, 418), ({"abort": "5xx>50%/1h,min=9999"}, 418)]
)
def test_a_hand_changes_the_bound_of_a_file(store, change, status, start, tmp_path):
    """The control API shows, removes and replaces a scenario's `abort`, below `run` too."""
    rules = {name: ON[name] for name in ("FAULTINJECT_CONTROL", "FAULTINJECT_TOKEN")}
    path = tmp_path / "rules.toml"
    path.write_text('abort = "5xx>50%/1h,min=20"\n[[rules]]\nfault = "http:418"\npath = "process"\n')
    way = Way("python serving.py wsgiref {port} served_failing:app")
    server = start(
        lambda port: [sys.executable, "-m", "faultinject", "run", "--file", path, "--", *way.command(port)],
        **rules,
        **store,
    )
    address = f"http://127.0.0.1:{server.port}/_faultinject/rules"
    head = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "If-Match": "*"}
    with urlopen(Request(address, headers=head), timeout=60) as answer:
        assert json.load(answer)["abort"] == "5xx>50%/1h,min=20"
    if change:
        body = json.dumps({"text": "http:418,path=process", **change}).encode()
        urlopen(Request(address, body, head, method="PUT"), timeout=60).close()
        with urlopen(Request(address, headers=head), timeout=60) as answer:
            assert json.load(answer).get("abort") == change["abort"]
    assert server.statuses("/process", 1) == [418]
    assert server.statuses("/broken", 40) == [500] * 40
    assert server.statuses("/process", 1) == [status]


@pytest.fixture
def store(request, tmp_path):
    """None is named, a directory, and a server."""
    if request.param == "private":
        return {}
    if request.param == "file":
        return {"FAULTINJECT_STORE": f"file:{tmp_path / 'store'}"}
    url = request.getfixturevalue("redis_server").url
    return {"FAULTINJECT_STORE": f"{url}?prefix={request.getfixturevalue('redis_prefix')}"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "store"), in_turn(WAYS, ["private", "file", "redis"]), indirect=["store"])
def test_one_worker_disarms_all(name, store, start):
    """One worker disarms all, and a replacement does not arm again; the control API does.

    Those that have seen no failure are disarmed too.
    """
    way = WAYS[name]
    server = start(way, **ON, **store)
    server.until(lambda: len(server.workers()) == 4)
    assert ask(server, "/process", 100) == {418: 100}
    assert ask(server, "/good", 40) == {200: 40}
    assert "faultinject is off" not in server.log
    ask(server, "/broken", 400)
    server.until(lambda: re.search(OFF_BY, server.log))
    assert untouched(server, server.workers())
    # Each says so once, whether it has found out by itself or was told.
    server.until(lambda: len(re.findall(f"{OFF_BY}|{TOLD}", server.log)) >= 4)
    assert len(re.findall(f"{OFF_BY}|{TOLD}", server.log)) == 4
    for wrong, all_ in re.findall(OFF_BY, server.log):
        assert (int(wrong) > int(all_) / 2, int(all_) >= 20) == (True, True)

    before = server.workers()
    victim = server.answering_process()
    os.kill(victim, signal.SIGKILL)
    server.until(lambda: len(now := server.workers()) == 4 and victim not in now and now != before)
    assert untouched(server, server.workers())

    assert call(server, "POST", "/on") == 200
    wait_until_armed(server, server.workers())
    ended = len(re.findall(OFF_BY, server.log))
    ask(server, "/good", 200)
    assert ask(server, "/broken", 10) == {500: 10}, "the windows of all begin anew: ten failures say nothing"
    assert ask(server, "/process", 100) == {418: 100}
    assert len(re.findall(OFF_BY, server.log)) == ended
