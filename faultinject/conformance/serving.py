"""What a plan is run against, on loopback, with the faults in front: a store, or a proxy to a service."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module

from faultinject.adapters.wsgi import wrap
from faultinject.conformance import plan
from faultinject.exceptions import ConfigurationError
from faultinject.injector.injector import Injector
from faultinject.server.connections import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from faultinject.conformance.plan import Codes, Phase
    from faultinject.engine.journal_entry import Outcome
    from faultinject.server.certificates import Certificate

SEED = "conformance"
"""What every draw of a run is made with."""


def _nothing_owed() -> int:
    return 0


@dataclass(frozen=True)
class Front:
    """What clients ask.

    Attributes:
        url: its URL.
        owes: how many requests a service behind it has not answered now.
        broken: why one since the last call got no whole answer of that service; empty where all got one.
    """

    url: str
    owes: Callable[[], int] = _nothing_owed
    broken: Callable[[], str] = str


@dataclass(frozen=True)
class Service:
    """A real service that a plan is run against, instead of the store.

    Attributes:
        url: its URL.
        bucket: where the plan's keys are; it has to be there.
        in_front: serves a proxy to it with these faults, encrypted with that certificate if there is one.
        left: keys of what clients may have left there: objects, and uploads that were begun.
    """

    url: str
    bucket: str
    in_front: Callable[[Injector, Certificate | None], AbstractContextManager[Front]]
    left: set[str] = field(default_factory=set)


class ServedPlan:
    """The faults in force and what came of them.

    Attributes:
        url: the server's.
        front: likewise, with what is known of a service behind it.
        injector: counts, and can be switched off.
    """

    def __init__(self, front: Front, injector: Injector) -> None:
        self.url = front.url
        self.front = front
        self.injector = injector
        self._outcomes: dict[int, Outcome] = {}
        injector.journal.follow(self._note)

    @property
    def outcomes(self) -> list[Outcome]:
        """One a request, in order of decision."""
        return list(self._outcomes.values())

    def _note(self, outcome: Outcome) -> None:
        self._outcomes[outcome.seq] = outcome


@contextmanager
def serving(
    codes: Codes,
    phases: Sequence[Phase],
    *,
    seed: str = SEED,
    journal: str | None = None,
    certificate: Certificate | None = None,
    service: Service | None = None,
) -> Iterator[ServedPlan]:
    """Serve a filled store, or a proxy to a service, with the faults of the phases.

    Args:
        codes: the service's faults.
        phases: of the plan.
        seed: of the scenario.
        journal: a file that gets every outcome as well, or None.
        certificate: what encrypts its connections, or None.
        service: what to put the faults in front of; None: the store.
    """
    injector = Injector(plan.rules(phases, codes), seed=seed, environ={}, record_all=True, journal=journal)
    in_front = _store(codes, phases) if service is None else service.in_front
    with in_front(injector, certificate) as front:
        try:
            yield ServedPlan(front, injector)
        finally:
            injector.disable()
    injector.journal.end()


def _store(
    codes: Codes, phases: Sequence[Phase]
) -> Callable[[Injector, Certificate | None], AbstractContextManager[Front]]:
    @contextmanager
    def in_front(injector: Injector, certificate: Certificate | None) -> Iterator[Front]:
        app = wrap(store(codes.vendor, phases), injector)
        context = None if certificate is None else certificate.context()
        with Server(app, sys.stderr, context=context) as server:
            yield Front(server.url)

    return in_front


OWN = {
    "b2": "faultinject.store.b2:B2Store",
    "kodo": "faultinject.store.kodo:KodoStore",
    "swift": "faultinject.store.swift:SwiftStore",
}
"""Stores that take what a plan asks for, and no more."""


def played() -> tuple[str, ...]:
    """The vendors that there is a store for, sorted."""
    from faultinject.store.error_codes import ERROR_CODES

    return tuple(sorted({*ERROR_CODES, *OWN}))


def store(vendor: str, phases: Sequence[Phase]) -> Any:
    """The service, with everything in it that the phases read or complete.

    Raises:
        ConfigurationError: no store speaks for the vendor.
    """
    from faultinject.store import ObjectStore

    if vendor not in played():
        raise ConfigurationError(f"no store plays {vendor}: conformance plays {', '.join(played())}")
    if vendor in OWN:
        module, _, name = OWN[vendor].partition(":")
        store: Any = getattr(import_module(module), name)()
    else:
        store = ObjectStore(vendor)
    keys: dict[str, list[str]] = {kind: [] for kind in plan.KINDS}
    for phase in phases:
        for asked in phase.asked():
            keys[asked.kind].append(asked.key)
    store.fill(plan.BUCKET, objects=keys["get"], uploads=keys["complete"], content=plan.CONTENT)
    if vendor == "gcs":
        for bucket in (
            *keys["put"],
            *keys["post"],
        ):  # of the driver's own, since an upload's path names no object
            store.fill(bucket, objects=(), uploads=(), content=b"")
    return store
