"""Metrics in a registry of prometheus_client, as the app's own."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from faultinject import Injector, get_injector
from faultinject.exceptions import MissingExtraError
from faultinject.telemetry.prometheus import collect
from tests.until import until

from .conftest import get


@pytest.fixture
def registry():
    return CollectorRegistry()


def told(registry):
    """The samples but for the moments at which they were made."""
    found = {}
    for family in registry.collect():
        for each in family.samples:
            if not each.name.endswith("_created"):
                labels = ",".join(each.labels.values())
                found[f"{each.name}{{{labels}}}" if labels else each.name] = each.value
    return {name.removeprefix("faultinject_"): value for name, value in found.items()}


def make(rules, registry=None, **environ):
    """An injector whose metrics a registry has, if one is given."""
    injector = Injector(rules, seed=1, environ=environ)
    if registry is not None:
        collect(injector, registry)
    return injector


def test_what_is_counted(registry):
    """Requests that a rule's conditions met, and each fault by rule and by what was drawn."""
    injector = make("cos:SlowDown,path=photos/,times=2,name=slow http:503,path=dogs/", registry)
    for path in ("/photos/a", "/dogs/a", "/photos/b", "/photos/c", "/cats"):
        get(injector, path)
    assert told(registry) == {
        "requests_total": 4,
        "injections_total{slow,cos:SlowDown}": 2,
        "injections_total{rule-2,http:503}": 1,
        "overflow_total": 0,
        "errors_total": 0,
        "active": 0,
        "max_active": 100,
    }
    assert {name: each.injected for name, each in injector.counts().items()} == {"slow": 2, "rule-2": 1}
    assert b'faultinject_injections_total{fault="cos:SlowDown",rule="slow"} 2.0' in generate_latest(registry)


def test_a_request_of_two_rules_counts_once(registry):
    """As the control API says it; and whose numbers these are is said."""
    injector = make("http:503,probability=0 http:502,times=1", registry)
    assert [get(injector), get(injector)] == [502, 200]
    found = told(registry)
    assert (
        (found["requests_total"], found["injections_total{rule-2,http:502}"]) == injector.requests() == (2, 1)
    )
    assert b"Requests that met the conditions of a rule, in this process." in generate_latest(registry)


def test_a_fault_that_was_not_carried_out(registry):
    """It is none; the counts say the same."""
    injector = make("http:503,when=after", registry)
    assert [get(injector, path) for path in ("/broken", "/good")] == [500, 503]
    found = told(registry)
    assert (found["requests_total"], found["injections_total{rule-1,http:503}"]) == (2, 1)
    assert injector.counts()["rule-1"].injected == 1


def test_under_way_and_too_many(registry):
    """The gauge counts the faults of all injectors, and is back at zero when they are over."""
    injector = make("http:503,delay=30s", registry, FAULTINJECT_MAX_ACTIVE="1")
    other = make("http:502", registry)
    first = Thread(target=get, args=(injector,))
    first.start()
    until(lambda: told(registry)["active"] == 1)
    assert (get(injector), get(other), told(registry)["active"]) == (200, 502, 1)
    injector.disable()
    first.join()
    assert told(registry) == {
        "requests_total": 3,
        "injections_total{rule-1,http:503}": 1,
        "injections_total{rule-1,http:502}": 1,
        "overflow_total": 1,
        "errors_total": 0,
        "active": 0,
        "max_active": 101,
    }


def test_what_is_refused_for_another_reason(registry):
    """A whole connection of HTTP/2 is not broken unasked; that is no lack of room."""
    injector = make("reset", registry)
    assert get(injector, SERVER_PROTOCOL="HTTP/2") == 200
    assert [each.did for each in injector.journal.outcomes] == ["refused"]
    assert told(registry)["overflow_total"] == 0


def test_what_was_refused_before_anybody_asked(registry):
    """It is not counted, as nothing from before is."""
    injector = make("http:503", FAULTINJECT_MAX_ACTIVE="0")
    assert get(injector) == 200
    collect(injector, registry)
    found = [told(registry)["overflow_total"], get(injector), told(registry)["overflow_total"]]
    assert found == [0, 200, 1]


def test_requests_that_no_rule_matched(registry):
    """They are not counted, also where the journal has them."""
    injector = Injector("http:503,path=photos/", seed=1, environ={}, record_all=True)
    collect(injector, registry)
    assert [get(injector, path) for path in ("/photos/a", "/dogs")] == [503, 200]
    assert told(registry)["requests_total"] == 1


def test_errors(registry):
    """Of ours: the request passes."""
    moments = iter(range(1000, 1009))
    injector = Injector("http:503,probability=1", seed=1, environ={}, clock=lambda: float(next(moments)))
    collect(injector, registry)
    assert get(injector) == 503
    assert [*moments]  # until there are none
    assert (get(injector), told(registry)["errors_total"]) == (200, 1)


def test_an_error_of_the_metrics_concerns_no_request(registry, monkeypatch):
    """It is noted as any error of ours."""
    injector = make("http:503", registry)
    for broken in ((Counter, "inc"), (Gauge, "set")):
        with monkeypatch.context() as patch:
            patch.setattr(*broken, lambda *_: 1 / 0)
            before = injector.failures
            assert get(injector) == 503
            assert injector.failures > before
    assert [each.status for each in injector.journal.outcomes] == [503, 503]


def test_twice_and_several(registry):
    """Each injector counts once in a registry; the rules of all have names, which may be equal."""
    one, other = make("http:503", registry), make("http:500", registry)
    another = CollectorRegistry()
    for each in (registry, another):
        collect(one, each)
    assert [get(one), get(other)] == [503, 500]
    names = ("requests_total", "max_active", "injections_total{rule-1,http:503}")
    assert [[told(each)[name] for name in names] for each in (registry, another)] == [
        [2, 200, 1],
        [1, 100, 1],
    ]


def test_the_number_of_series_is_bounded(registry):
    """Rules come and go while a server runs."""
    injector = make(" ".join(f"http:503,path=a{each}/,name=r{each}" for each in range(502)), registry)
    for each in (*range(502), 0):
        get(injector, f"/a{each}/")
    found = {name: value for name, value in told(registry).items() if "injections" in name}
    assert len(found) == 501
    assert found["injections_total{r0,http:503}"] == found["injections_total{other,other}"] == 2


def test_the_gauge_shows_the_later_number(registry):
    """Of faults that end at once on many threads the last one leaves zero."""
    injector = make("http:503,delay=1ms", registry)
    with ThreadPoolExecutor(8) as threads:
        assert {*threads.map(lambda _: get(injector), range(160))} == {503}
    assert told(registry)["active"] == 0


def test_off(registry):
    """The call may stay in an app whose faults are not switched on: nothing is registered."""
    assert get_injector() is None
    collect(registry=registry)
    assert told(registry) == {}


def test_workers_without_a_place_in_common(registry, monkeypatch, caplog):
    """The log says that a scrape meets one of them."""
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", object())
    make("http:503", registry)
    assert caplog.messages == [
        "faultinject: a scrape shows the metrics of one worker of several: set PROMETHEUS_MULTIPROC_DIR"
    ]
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/tmp")
    make("http:503", registry)
    assert len(caplog.messages) == 1


WORKER = """
import faultinject
from fastapi import FastAPI
from fastapi.testclient import TestClient
from faultinject.telemetry import prometheus
from prometheus_client import CollectorRegistry, make_asgi_app
from prometheus_client.multiprocess import MultiProcessCollector

app = FastAPI()
faultinject.install(app)
prometheus.collect()
registry = CollectorRegistry()
MultiProcessCollector(registry)
app.mount("/metrics", make_asgi_app(registry))
client = TestClient(app)
assert client.get("/photos/cat.jpg").status_code == 503
print(client.get("/metrics/").text)
"""


@pytest.mark.slow
def test_workers_of_fastapi_add_up(tmp_path):
    """One registry reads the numbers of all workers at each scrape."""
    environ = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503,path=photos/"}
    environ |= {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for number in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", WORKER],
            env=os.environ | environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert f'faultinject_injections_total{{fault="http:503",rule="rule-1"}} {number}.0' in done.stdout


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("prometheus", "prometheus_client", "prometheus"), ("opentelemetry", "opentelemetry.trace", "otel")],
)
def test_without_the_extra(module, package, extra, monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"faultinject.telemetry.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"\[{extra}\]"):
        import_module(f"faultinject.telemetry.{module}")
    assert issubclass(MissingExtraError, ImportError)
