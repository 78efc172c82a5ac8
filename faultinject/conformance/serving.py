"""What a plan is run against: a store on loopback, with the faults in front."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module

from faultinject.adapters.wsgi import wrap
from faultinject.conformance import plan
from faultinject.injector.own import OwnInjector
from faultinject.server.connections import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from faultinject.conformance.plan import Codes, Phase
    from faultinject.conformance.playing import Script
    from faultinject.injector.injector import Injector
    from faultinject.journal.outcome import Outcome
    from faultinject.server.certificates import Certificate

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
    codes: Codes,
    phases: Sequence[Phase] | Sequence[Script],
    *,
    seed: str = SEED,
    journal: str | None = None,
    certificate: Certificate | None = None,
) -> Iterator[ServedPlan]:
    """Serve a filled store with the faults of the phases.

    Args:
        codes: the service's faults.
        phases: of the plan, or the scripts of cases.
        seed: of the scenario.
        journal: a file that gets every outcome as well, or None.
        certificate: what encrypts its connections, or None.
    """
    injector = OwnInjector(plan.rules(phases, codes), seed=seed, environ={}, record_all=True, journal=journal)
    app = wrap(store(codes.vendor, phases), injector)
    context = None if certificate is None else certificate.context()
    with Server(app, context=context) as server:
        try:
            yield ServedPlan(server.url, injector)
        finally:
            injector.disable()
    injector.journal.end()


def store(vendor: str, phases: Sequence[Phase] | Sequence[Script]) -> Any:
    """The service, with everything in it that the phases read or complete.

    Raises:
        ConfigurationError: no store speaks for the vendor.
    """
    from faultinject.store import ObjectStore
    from faultinject.store.stores import FOR_PLANS

    if vendor in FOR_PLANS:
        module, _, name = FOR_PLANS[vendor].partition(":")
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
