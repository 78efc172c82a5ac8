"""`abort` with several workers: the first beyond the bound ends the faults of all.

The bound is of the apps' own failures. Only a hand arms again.
"""

import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.pairs import in_turn

from .launch import CONTROL, GRANIAN, GUNICORN, UVICORN, Way

WSGI, ASGI = "served_failing:wsgi", "served_failing:asgi"
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn"),
    "uvicorn": Way(f"{UVICORN} --workers 4 {ASGI}", "uvicorn"),
    "granian": Way(f"{GRANIAN} --interface wsgi --workers 4 --respawn-failed-workers {WSGI}", "granian"),
}
ON = {
    "FAULTINJECT_ENABLED": "1",
    "FAULTINJECT_RULES": "http:418,path=process",
    "FAULTINJECT_SEED": "s",
    "FAULTINJECT_ABORT": "5xx>50%/1h,min=20",
    **CONTROL,
}
OFF_BY = r"faultinject is off: 5xx>50%/1h,min=20: (\d+) of (\d+) requests \(\S+ %\) failed by themselves within 1 h;"

TOLD = "faultinject is off: it was switched off for all processes of its store: 5xx>50%/1h,min=20: "


def who(server):
    """The processes whose own answers come now; an injected one says nothing of its process."""
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(server.get, ["/process"] * 40)]
    return {int(body.split()[-1]) for status, body in found if status == 200}


def untouched(server, workers):
    """Whether every worker has been met, and none of them injects any more."""
    server.until(lambda: server.asked("/process", 16) == {200: 16})
    met = set()
    server.until(lambda: met.update(who(server)) or met >= workers)
    return server.asked("/process", 100) == {200: 100}


def wait_until_armed(server, workers):
    """Ask until every worker has injected since; the system chooses who answers."""
    before = len(server.lines("/process"))

    def armed():
        server.asked("/process", 16)
        return {
            each["pid"] for each in server.lines("/process")[before:] if each["did"] == "answered"
        } >= workers

    server.until(armed)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["private", "memory"], indirect=True)
@pytest.mark.parametrize(
    ("change", "status"), [({}, 200), ({"abort": None}, 418), ({"abort": "5xx>50%/1h,min=9999"}, 418)]
)
def test_a_hand_changes_the_bound_of_a_file(store, change, status, start, tmp_path):
    """The control API shows, removes and replaces a scenario's `abort`, below `run` too."""
    path = tmp_path / "rules.toml"
    path.write_text('abort = "5xx>50%/1h,min=20"\n[[rules]]\nfault = "http:418"\npath = "process"\n')
    way = Way("python serving.py wsgiref {port} served_failing:app")
    server = start(
        lambda port: [sys.executable, "-m", "faultinject", "run", "--file", path, "--", *way.command(port)],
        **CONTROL,
        **store,
    )
    assert server.control("GET", "/rules")["abort"] == "5xx>50%/1h,min=20"
    if change:
        server.control("PUT", "/rules", {"text": "http:418,path=process", **change})
        assert server.control("GET", "/rules").get("abort") == change["abort"]
    assert server.statuses("/process", 1) == [418]
    assert server.statuses("/broken", 40) == [500] * 40
    assert server.statuses("/process", 1) == [status]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "store"), in_turn(WAYS, ["private", "file", "redis"]), indirect=["store"])
def test_one_worker_disarms_all(name, store, start):
    """One worker disarms all, and a replacement does not arm again; the control API does.

    Those that have seen no failure are disarmed too.
    """
    server = start(WAYS[name], **ON, **store)
    server.until(lambda: len(server.workers()) == 4)
    assert server.asked("/process", 100) == {418: 100}
    assert server.asked("/good", 40) == {200: 40}
    assert "faultinject is off" not in server.log
    server.asked("/broken", 400)
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

    assert server.control("POST", "/on")["on"] is True
    wait_until_armed(server, server.workers())
    ended = len(re.findall(OFF_BY, server.log))
    server.asked("/good", 200)
    assert server.asked("/broken", 10) == {500: 10}, "the windows of all begin anew: ten failures say nothing"
    assert server.asked("/process", 100) == {418: 100}
    assert len(re.findall(OFF_BY, server.log)) == ended
