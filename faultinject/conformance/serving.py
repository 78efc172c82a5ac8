"""What a plan is run against: a store on loopback, with the faults in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any

from faultinject.adapters.wsgi import wrap
from faultinject.conformance import plan
from faultinject.conformance.plan import PlannedCall
from faultinject.injector.injector import Injector
from faultinject.injector.own import OwnInjector
from faultinject.journal.outcome import Outcome
from faultinject.server.certificates import Certificate
from faultinject.server.connections import Server
from faultinject.store import ObjectStore
from faultinject.store.stores import FOR_PLANS

SEED = "conformance"
"""What every draw of a run is made with."""


class ServedPlan:
    """The faults in force and what came of them.

    Attributes:
        url: the server's.
        injector: counts, and can be switched off.
    """

    def __init__(self, url: str, injector: Injector) -> None:
        self.url = url
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
    vendor: str,
    asked: Sequence[PlannedCall],
    rules: str,
    *,
    journal: str | None = None,
    certificate: Certificate | None = None,
) -> Iterator[ServedPlan]:
    """Serve a store that has what these calls read or complete, with faults in front.

    Args:
        vendor: whose dialect it speaks.
        asked: the calls that a client will make.
        rules: of the faults, one a line.
        journal: a file that gets every outcome as well, or None.
        certificate: what encrypts its connections, or None.
    """
    injector = OwnInjector(rules, seed=SEED, environ={}, record_all=True, journal=journal)
    app = wrap(store(vendor, asked), injector)
    context = None if certificate is None else certificate.context()
    with Server(app, context=context) as server:
        try:
            yield ServedPlan(server.url, injector)
        finally:
            injector.disable()
    injector.journal.end()


def store(vendor: str, calls: Sequence[PlannedCall]) -> Any:
    """The service, with everything in it that the calls read or complete.

    Raises:
        ConfigurationError: no store speaks for the vendor.
    """
    store: Any = resolve_name(FOR_PLANS[vendor])() if vendor in FOR_PLANS else ObjectStore(vendor)
    keys = {kind: [each.key for each in calls if each.kind == kind] for kind in plan.KINDS}
    store.fill(plan.BUCKET, objects=keys["get"], uploads=keys["complete"], content=plan.CONTENT)
    if vendor == "gcs":
        # Of the driver's own, since an upload's path names no object.
        for bucket in (*keys["put"], *keys["post"]):
            store.fill(bucket, objects=(), uploads=(), content=b"")
    return store
