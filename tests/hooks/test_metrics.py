"""Metrics of an app with several workers: each event once, whichever worker is asked."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from .launch import GUNICORN, Way

pytest.importorskip("prometheus_client")
WAYS = {
    "gunicorn": Way(f"{GUNICORN} -w 4 served_measured:wsgi", "gunicorn"),
    "gunicorn --preload": Way(f"{GUNICORN} -w 4 --preload served_measured:wsgi", "gunicorn"),
}
ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503,times=100,path=photos/"}


def metrics(server):
    text = server.get("/metrics")[1].decode()
    return {
        name: float(value) for name, value in re.findall(r"^(faultinject_\S+) (\S+)$", text, re.MULTILINE)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_the_sum_over_all_workers(name, start, tmp_path):
    """With the directory that prometheus_client wants."""
    server = start(WAYS[name], PROMETHEUS_MULTIPROC_DIR=str(tmp_path), **ON)
    with ThreadPoolExecutor(8) as threads:
        statuses = [each[0] for each in threads.map(server.get, ["/photos/cat"] * 400)]
    assert statuses.count(503) == 100
    assert len({each["pid"] for each in server.lines("/photos/cat")}) > 1
    for _ in range(8):
        found = metrics(server)
        assert found["faultinject_requests_total"] == 400
        assert found['faultinject_injections_total{fault="http:503",rule="rule-1"}'] == 100
        assert found["faultinject_active"] == found["faultinject_overflow_total"] == 0
    assert "PROMETHEUS_MULTIPROC_DIR" not in server.log


@pytest.mark.slow
def test_each_worker_for_itself(start):
    """Without it a scrape meets one of them, and the log says what is missing."""
    server = start(WAYS["gunicorn"], **ON)
    assert server.get("/photos/cat")[0] == 503
    assert "a scrape shows the metrics of one worker of several: set PROMETHEUS_MULTIPROC_DIR" in server.log
    assert "faultinject_requests_total" in metrics(server)
