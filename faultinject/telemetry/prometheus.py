"""Metrics for Prometheus, in the app's own registry; extra `prometheus`."""

from __future__ import annotations

import os
from threading import Lock
from weakref import WeakKeyDictionary

from faultinject.counts.processes import several_processes
from faultinject.exceptions import MissingExtraError
from faultinject.journal import log
from faultinject.telemetry.observing import is_injected, observe

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
except ImportError:
    raise MissingExtraError('metrics need prometheus-client: pip install "faultinject[prometheus]"') from None

from faultinject.engine.entry import Entry
from faultinject.engine.plan import Services
from faultinject.injector.injector import Injector

MOST_SERIES = 500
"""The most pairs of rule and fault that a process counts; any more count as `other`."""
OTHER = "other"
SHARED_BY = "PROMETHEUS_MULTIPROC_DIR"

_of_registry: WeakKeyDictionary[CollectorRegistry, Metrics] = WeakKeyDictionary()


def collect(injector: Injector | None = None, registry: CollectorRegistry = REGISTRY) -> None:
    """Count an injector's actions in a registry of `prometheus_client`.

    - `faultinject_requests_total` counts requests that met the conditions of a rule.
    - `faultinject_injections_total{rule,fault}` counts injected faults, when they end.
    - `faultinject_overflow_total` counts faults that were not injected because of FAULTINJECT_MAX_ACTIVE.
    - `faultinject_errors_total` counts requests that passed because of an error in faultinject or in the store.
    - `faultinject_active` is the number of faults under way.
    - `faultinject_max_active` is the most faults that may be under way in one process.

    Each process counts its own events, whatever store the injector has. With several workers set
    PROMETHEUS_MULTIPROC_DIR, as for every other metric of the app: then a scrape shows the sum over all workers, each
    event once.

    If faults are not switched on, this does nothing: the call may stay in the app.

    Args:
        injector: the injector; by default the one shared by all apps whose rules come from the environment. Call this
            after `install()`.
        registry: the registry of the metrics, by default that of `prometheus_client`.
    """
    metrics = _of_registry.get(registry) or Metrics()
    services = observe(injector, metrics, metrics.count_line, metrics.count_error, metrics.show_active)
    if services is None:
        return
    if registry not in _of_registry:
        _of_registry[registry] = metrics
        metrics.register(registry)
    metrics.begin(services)
    if several_processes() and not os.environ.get(SHARED_BY):
        # Each worker counts metrics for itself, and nothing adds them up.
        log.warning("faultinject: a scrape shows the metrics of one worker of several: set %s", SHARED_BY)


class Metrics:
    """The metrics of one registry."""

    def __init__(self) -> None:
        self._series: set[tuple[str, str]] = set()
        # For each injector, the faults under way and those refused so far, as last written to the metrics.
        self._under_way: WeakKeyDictionary[Services, int] = WeakKeyDictionary()
        self._refused: WeakKeyDictionary[Services, int] = WeakKeyDictionary()
        self._lock = Lock()  # no thread waits while it holds the lock: `faultinject.locks`

    def register(self, registry: CollectorRegistry) -> None:
        """Make the metrics in a registry."""
        self._requests = Counter(
            "faultinject_requests",
            "Requests that met the conditions of a rule, in this process.",
            registry=registry,
        )
        self._injections = Counter(
            "faultinject_injections",
            "Faults that were injected, in this process.",
            ["rule", "fault"],
            registry=registry,
        )
        self._overflow = Counter(
            "faultinject_overflow",
            "Faults not injected because of FAULTINJECT_MAX_ACTIVE, in this process.",
            registry=registry,
        )
        self._errors = Counter(
            "faultinject_errors",
            "Requests that passed because of an error in faultinject or in the store, in this process.",
            registry=registry,
        )
        self._active = Gauge(
            "faultinject_active",
            "Faults under way, in this process.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        # Not a sum: a master process that loads the app without serving it would count as one more worker.
        self._most_active = Gauge(
            "faultinject_max_active",
            "FAULTINJECT_MAX_ACTIVE: faults that may be under way in a process.",
            registry=registry,
            multiprocess_mode="livemax",
        )

    def begin(self, services: Services) -> None:
        """Count the actions of one more injector from now on."""
        self._refused.setdefault(services, services.refused)
        self._most_active.inc(services.most_active)

    def count_line(self, line: Entry) -> None:
        """Count a request when it is decided, and its fault when it ends."""
        if line.rule is None:
            return
        if line.final is None:
            self._requests.inc()
        if is_injected(line):
            self._injections.labels(*self._labels(line.rule, line.fault or "")).inc()

    def count_error(self) -> None:
        """Count a request that passed because of an error."""
        self._errors.inc()

    def show_active(self, services: Services) -> None:
        """Show the number of faults under way, and count those that FAULTINJECT_MAX_ACTIVE refused."""
        # Under the lock, so that of two threads the later one shows the later number.
        with self._lock:
            self._under_way[services] = services.active
            self._active.set(sum(self._under_way.values()))
            refused = services.refused
            self._overflow.inc(refused - self._refused.setdefault(services, refused))
            self._refused[services] = refused

    def _labels(self, rule: str, fault: str) -> tuple[str, str]:
        pair = rule, fault
        if pair not in self._series:
            if len(self._series) >= MOST_SERIES:
                return OTHER, OTHER
            self._series.add(pair)
        return pair
