"""The one mutable object: how it is made of rules and settings, and what it tells of itself."""

from __future__ import annotations

import os
import time
from functools import partial

from faultinject.counts.processes import restarter, several_processes
from faultinject.engine.services import Services
from faultinject.exceptions import Problem
from faultinject.injector import instances as registry
from faultinject.injector.changes import Changes, given_seed
from faultinject.injector.count_storage import CountStorage
from faultinject.injector.in_step import InStep, has_to_share, tell_expired
from faultinject.injector.state import State
from faultinject.journal import log
from faultinject.journal.writing import Journal
from faultinject.rules.environment import read_environment
from faultinject.rules.production import production_reason
from faultinject.rules.scenario import Scenario
from faultinject.rules.store import read_store
from faultinject.rules.values import Mistake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultinject.engine.counting import Counts
    from faultinject.engine.services import Waits
    from faultinject.injector.rule_file import RuleFile
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.scenario import Rules

WALL = time.time
"""The clock that a test moves, and with it what is measured by it; but not under a clock that somebody gives."""
_STARTED = WALL()


class Injector(Changes, InStep):
    """Decides about the faults of its apps; its scenario can be swapped while they run.

    Args:
        scenario: rules, a `Scenario`, or None for the rules of the environment.
        seed: the seed's text or number; overrides the scenario's own, which overrides FAULTINJECT_SEED.
        store: where counts live: `memory:`, `file:DIRECTORY`, `redis://HOST` or another package's scheme; by default
            FAULTINJECT_STORE, otherwise memory for one process and a private directory for several.
        clock: unix seconds, for ids, rates and expiry; a clock of your own also moves begin and end, which a test that
            travels in time does not.
        environ: the environment that settings are read from, by default the process's.
        waits: for tests of what lasts, the clock by which delays and durations are measured, and how a thread waits: an
            object with `monotonic()`, which gives seconds, and `wait(seconds, sleep)`, called where a thread would call
            `sleep(seconds)`. Under ASGI the event loop waits, by its own clock. By default the system's.
        test: a function to the id of the running test, for the journal.
        record_all: whether to record requests that no rule matches.
        counts: makes the counts of a scenario, instead of a store.
        generation: the generation of the first scenario.
        journal: a file for outcomes, instead of FAULTINJECT_JOURNAL.
        ends: whether that file records the end of this process.

    Raises:
        ConfigurationError: rules or variables are wrong; every mistake is named.
    """

    def __init__(
        self,
        scenario: Rules | None = None,
        *,
        seed: str | int | None = None,
        store: str | None = None,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
        waits: Waits | None = None,
        test: Callable[[], str | None] | None = None,
        record_all: bool = False,
        counts: Callable[[], Counts] | None = None,
        generation: int = 0,
        journal: str | None = None,
        ends: bool = True,
    ) -> None:
        environ = os.environ if environ is None else environ
        file = _file_of(environ) if scenario is None else None
        if file is not None and file.begun is not None:
            # The file may be another one by now, or wrong: it is looked at when this is ready.
            scenario = file.begun
        settings = read_environment(
            environ, now=clock(), started=_STARTED, rules_given=scenario is not None, forced=True
        )
        given = settings.scenario if scenario is None else Scenario.of(scenario)
        given = Scenario([]) if given is None else given
        own_seed = given_seed(given, seed)
        if own_seed is None:
            own_seed = settings.seed
        chosen = own_seed is None
        if store is not None:
            _check_store(store)
        path = journal or settings.journal
        kept = Journal(path=path, test=test, parent=restarter if ends else None)
        self._failures = log.Failures()
        self.errors = self._failures.kept
        """The first hundred errors inside faultinject itself, each of which let a request pass."""
        services = Services(
            kept.add,
            clock,
            time.monotonic,
            self._failures.note,
            partial(tell_expired, settings.expires),
            marked=settings.header,
            guarded=settings.control is not None or settings.on_request,
            endpoints=settings.endpoints,
            most_active=settings.max_active,
            record_all=record_all or path is not None,
            expires=settings.expires,
            steady=clock is WALL,
            waits=waits,
        )
        alone = record_all or counts is not None
        storage = CountStorage(None if alone else store or settings.store, alone=alone, make=counts)
        if several_processes() and has_to_share(given, settings.control) and not storage.settled:
            storage.detach(given, own_seed, shares=True)
        if own_seed is None:
            own_seed = str(int.from_bytes(os.urandom(4), "big"))
        super().__init__(
            State(given, own_seed, began=clock(), generation=generation),
            chosen=chosen,
            settings=settings,
            production=None if settings.production_allowed else production_reason(environ),
            services=services,
            storage=storage,
            journal=kept,
        )
        registry.enter(self)
        if path is not None:
            registry.finish_first()
        self._heed()
        if file is not None and self.may_inject:
            self._file = file
            file.watch = settings.watch
            file.belongs_to(self, given, seed)

    def put_in_force(self) -> None:
        """Let this injector's plan replace every other's, until `take_out_of_force`."""
        if self._production is not None:
            self.announce()
        self._own.ended = False
        registry.put_first(self)

    def take_out_of_force(self) -> None:
        """The end of `put_in_force`: waits end too."""
        registry.take_away(self)
        self._own.end()

    def finish(self) -> int:
        """End all waits, because the process ends; return how many faults are still active."""
        self._own.end()
        return self._services.active

    def pause(self, by: int = 1) -> None:
        """Let new requests pass untouched and unrecorded until `pause(-1)`; running requests go on."""
        with registry.changes:
            self._paused += by

    @property
    def paused(self) -> bool:
        """Whether requests pass untouched and unrecorded for now."""
        return self._paused > 0

    @property
    def disarmed(self) -> str:
        """Why the app's own failures have ended all faults, until `enable`; empty if they have not."""
        return self._state.why_off

    @property
    def failures(self) -> int:
        """How many errors inside faultinject there were."""
        return self._failures.number

    @property
    def undecided(self) -> int:
        """How many requests passed because the shared store was unavailable."""
        return self._failures.undecided

    @property
    def counted_in(self) -> object:
        """Identifies the place of its counts."""
        return self._count_storage.shown or self

    @property
    def store(self) -> str:
        """Where counts live, fit for a log: `memory:`, `file:DIRECTORY`, `redis://HOST:PORT/DB`; no password."""
        return self._count_storage.place

    @property
    def expires(self) -> float | None:
        """Unix seconds of FAULTINJECT_EXPIRES, or None."""
        return self._expires

    @property
    def production(self) -> str | None:
        """The variable that says that this is production, where nothing is injected; None: no variable says so, or it is allowed."""
        return self._production

    @property
    def missing_store(self) -> str:
        """Why the store has been unavailable since this process began; otherwise empty."""
        return self._count_storage.missing

    @property
    def injected(self) -> int:
        """How many requests got a fault, in all scenarios."""
        return self._injected + sum(injected for _, injected, _ in self._own.totals())

    def counts(self) -> dict[str, dict[str, int]]:
        """By rule name: `matched`, how many requests met its conditions; `injected`, how many got its fault.

        If there were any also `failed`: how many met its conditions, and passed because of the store or an error of ours.
        """
        self._hurry()
        plan = self._own
        found = {}
        for name, (matched, injected, failed) in zip(plan.names, plan.totals(), strict=True):
            found[name] = {"matched": matched, "injected": injected}
            if failed:
                found[name]["failed"] = failed
        return found

    def let_watch(self) -> None:
        """Share this injector's outcomes, from now on, with the other processes of its store: `events` returns those of all."""
        with self._change:
            self._watched = True
            self.journal.share = self._count_storage.let_watch()

    def events(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """The outcomes of all processes whose injectors share them (`let_watch`), otherwise of this one.

        If the end of a request is not known at once, there are two outcomes, the second with `final` true: for one
        `pid` and `seq` the later outcome is right.

        Args:
            after: the cursor of an earlier call, in any process; empty: from the oldest outcome.
            limit: the maximum number of outcomes.

        Returns:
            The outcomes in order, the next cursor, and how many outcomes between the two are no longer kept.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        shared = self._count_storage.watched
        return (self.journal.events if shared is None else shared.read)(after, limit)


def _file_of(environ: Mapping[str, str]) -> RuleFile | None:
    """The file of rules that the environment names; None where there is none that could be read again."""
    if not environ.get("FAULTINJECT_FILE"):
        return None
    from faultinject.injector.rule_file import RuleFile, has_begun, is_watchable

    return RuleFile(environ) if is_watchable(environ) or has_begun(environ) else None


def _check_store(store: object) -> None:
    try:
        read_store(store if isinstance(store, str) else repr(store))
    except Mistake as mistake:
        raise mistake.error([Problem(mistake.message, where="store")]) from None
