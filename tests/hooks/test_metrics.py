"""Metrics of an app with several workers: each event once, whichever worker is asked."""

import os
import re
import signal
from collections import Counter
from threading import Thread

import pytest

from .launch import GRANIAN, GUNICORN, UVICORN, Way

pytest.importorskip("prometheus_client")
WSGI, ASGI = "served_measured:wsgi", "served_measured:asgi"
# What `child_exit` is for: https://prometheus.github.io/client_python/multiprocess/
FORGETS = """
from prometheus_client.multiprocess import mark_process_dead

def child_exit(server, worker):
    mark_process_dead(worker.pid)
"""
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 {WSGI}", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload {WSGI}", "gunicorn"),
    "uvicorn": Way(f"{UVICORN} --workers 4 {ASGI}", "uvicorn"),
    "granian": Way(f"{GRANIAN} --interface wsgi --workers 4 {WSGI}", "granian"),
}
ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503,times=100,path=photos/"}


def metrics(server):
    status, body = server.get("/metrics")
    assert status == 200, server.log
    return {
        name: float(value)
        for name, value in re.findall(r"^(faultinject_\S+) (\S+)$", body.decode(), re.MULTILINE)
    }


def until_have_files(server, places, number):
    """Wait until so many processes have written their files of metrics.

    prometheus_client fails to read one that is made and not yet written in. With `--preload` these are the master at
    first, and then each worker that has counted something.
    """

    def have():
        # The one that each process makes last.
        files = [*places.glob("gauge_livemax_*.db")]
        return len(files) == number and all(each.stat().st_size for each in files)

    server.until(have)


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_the_sum_over_all_workers(name, start, tmp_path):
    """With the directory that prometheus_client wants."""
    server = start(WAYS[name], PROMETHEUS_MULTIPROC_DIR=str(tmp_path), **ON)
    until_have_files(server, tmp_path, 1 if "--preload" in name else 4)
    statuses = Counter()
    server.until_answered_by(2, lambda: statuses.update(server.asked("/photos/cat", 400)))
    assert statuses[503] == 100
    # A client may have its answer before the worker says that the fault is over.
    server.until(lambda: metrics(server)["faultinject_active"] == 0)
    for _ in range(8):
        found = metrics(server)
        assert found["faultinject_requests_total"] == statuses.total()
        assert found['faultinject_injections_total{fault="http:503",rule="rule-1"}'] == 100
        assert found["faultinject_active"] == found["faultinject_overflow_total"] == 0
        assert found["faultinject_max_active"] == 100
    assert "PROMETHEUS_MULTIPROC_DIR" not in server.log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gunicorn", "gunicorn --preload"])
def test_a_worker_is_killed(name, start, tmp_path):
    """A killed worker's running faults go, its counts stay, and the limit holds in each worker."""
    (tmp_path / "conf.py").write_text(FORGETS)
    places = tmp_path / "metrics"
    places.mkdir()
    way = Way(f"{WAYS[name].line} -c {tmp_path}/conf.py --timeout 300")
    preload = "--preload" in name
    rule = "http:503,delay=1h,path=photos/"
    server = start(
        way,
        PROMETHEUS_MULTIPROC_DIR=str(places),
        FAULTINJECT_MAX_ACTIVE="1",
        **ON | {"FAULTINJECT_RULES": rule},
    )
    until_have_files(server, places, 1 if preload else 4)
    waiting = Thread(target=server.get, args=("/photos/slow",))
    waiting.start()
    until_have_files(server, places, 2 if preload else 4)
    server.until(lambda: metrics(server)["faultinject_active"] == 1)
    assert metrics(server)["faultinject_max_active"] == 1
    server.until(lambda: server.lines("/photos/slow"))
    [line] = server.lines("/photos/slow")
    os.kill(line["pid"], signal.SIGKILL)
    waiting.join()
    server.until(lambda: not (places / f"gauge_livemax_{line['pid']}.db").exists())
    until_have_files(server, places, 1 if preload else 4)
    server.until(lambda: metrics(server)["faultinject_active"] == 0)
    found = metrics(server)
    assert (found["faultinject_requests_total"], found["faultinject_max_active"]) == (1, 1)


@pytest.mark.slow
def test_each_worker_for_itself(start):
    """Without it a scrape meets one of them, and the log says what is missing."""
    server = start(WAYS["gunicorn"], **ON)
    assert server.get("/photos/cat")[0] == 503
    assert "a scrape shows the metrics of one worker of several: set PROMETHEUS_MULTIPROC_DIR" in server.log
    assert "faultinject_requests_total" in metrics(server)
