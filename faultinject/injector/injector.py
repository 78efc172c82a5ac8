"""The one mutable object: which plan is in force, whether it is on, and where its counts and journal are."""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.processes import restarter, several_processes
from faultinject.engine.plan import Plan
from faultinject.engine.services import Services
from faultinject.exceptions import FaultInjectError, Problem
from faultinject.injector import instances as registry
from faultinject.injector.count_storage import CountStorage
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
    from faultinject.injector.rule_file import RuleFile
    from faultinject.rules.scenario import Rules

_STARTED = time.time()


class Off:
    """The plan of an injector that is off: no method has a rule."""

    environ: dict[str, None] = {}  # noqa: RUF012 - never changed
    scope: dict[str, None] = {}  # noqa: RUF012 - never changed
    environ_default = None
    scope_default = None
    ended = True


OFF = Off()


class Injector:
    """Decides for the apps that it is put around; its scenario can be swapped while they run.

    Args:
        scenario: rules, a `Scenario`, or None for those of the environment.
        seed: the seed's text or number; stands above the scenario's own, which stands above FAULTINJECT_SEED.
        store: where counts live: `memory:`, `file:DIRECTORY`, `redis://HOST` or a scheme of another package's; by default FAULTINJECT_STORE, else memory for one
            process and a private directory for several.
        clock: unix seconds, for ids, begin, end, rates and expiry.
        environ: the environment that settings are read from, by default the process's.
        test: a function to the id of the running test, for the journal.
        record_all: whether requests are noted that no rule matches.
        counts: makes the counts of a scenario, instead of a store.
        generation: of the first scenario.
        journal: a file for outcomes, instead of FAULTINJECT_JOURNAL.
        ends: whether that file says when this process has ended.

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
        test: Callable[[], str | None] | None = None,
        record_all: bool = False,
        counts: Callable[[], Counts] | None = None,
        generation: int = 0,
        journal: str | None = None,
        ends: bool = True,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._file = _file_of(environ) if scenario is None else None
        self._unwatched: RuleFile | None = None
        if self._file is not None and self._file.begun is not None:
            # The file may be another one by now, or wrong: it is looked at when this is ready.
            scenario = self._file.begun
        settings = read_environment(
            environ, now=clock(), started=_STARTED, rules_given=scenario is not None, forced=True
        )
        given = settings.scenario if scenario is None else Scenario.of(scenario)
        self.plan: Plan | Off = OFF
        self.follows = False
        """Whether `catch_up` must be asked before `plan` is: other processes may put something in force here."""
        journal = journal or settings.journal
        parent = restarter if ends else None
        self.journal = Journal(path=journal, test=test, measures=record_all, parent=parent)
        self.clock = clock
        self._failures = log.Failures()
        self.errors = self._failures.kept
        """The first hundred errors inside faultinject itself, each of which let a request pass."""
        self._services = Services(
            self.journal.add,
            clock,
            time.monotonic,
            self._failures.note,
            _tell_expired,
            marked=settings.header,
            endpoints=settings.endpoints,
            most_active=settings.max_active,
            record_all=record_all or journal is not None,
            expires=settings.expires,
        )
        self.scenario = Scenario([]) if given is None else given
        """The scenario in force, unless a test's stands in its place."""
        self._seed = str(int.from_bytes(os.urandom(4), "big")) if settings.seed is None else settings.seed
        self._chosen = settings.seed is None
        self._choose_seed(self.scenario, seed)
        self._generation = generation
        self._injected = 0
        if store is not None:
            _check_store(store)
        alone = record_all or counts is not None
        self._count_storage = CountStorage(
            None if alone else store or settings.store, alone=alone, make=counts
        )
        self._announced = -1
        self._enabled = settings.enabled is not False
        self._killed = not self._enabled
        self._paused = 0
        self._production = None if settings.production_allowed else production_reason(environ)
        self._change = allocate_lock()
        if several_processes() and not self._count_storage.settled and self.scenario.rules:
            self._count_storage.detach(self.scenario, self._given_seed())
        self._own = self._compile(self.scenario)
        registry.enter(self)
        if journal is not None:
            registry.finish_first()
        self._heed()
        if self._file is not None:
            if self.may_inject:
                self._file.watch = settings.watch
                self._file.belongs_to(self, seed)
            else:
                self._file = None

    def use(self, scenario: Rules, *, seed: str | int | None = None) -> None:
        """Swap the scenario: requests under way keep the old one, waits of it end, counts begin at zero.

        Args:
            scenario: the new one.
            seed: its seed; by default the scenario's own, else the one in force so far.

        Raises:
            ConfigurationError: the new scenario is wrong; the old one stays in force.
        """
        given = Scenario.of(scenario)
        with self._change:
            self._choose_seed(given, seed)
            self._generation += 1
            self._injected = self.injected
            self._swap(self._compile(given, anew=True), given)
        log.doubtful(given.rules, given.display_names)

    def add(self, rules: Rules) -> None:
        """Put more rules behind those in force, whose counts and draws go on.

        Raises:
            ConfigurationError: a rule is wrong; the scenario in force stays.
        """
        more = Scenario.of(rules).rules
        with self._change:
            given = Scenario([*self.scenario.rules, *more], seed=self.scenario.seed)
            self._generation += 1
            counts = self._count_storage.extend(given, self._seed) or self._own.counts
            plan = self._compile(given, counts=counts)
            plan.go_on_from(self._own)
            self._swap(plan, given)
        log.doubtful(more, given.display_names[-len(more) :] if more else ())

    def plan_beside(self, rules: Rules) -> Plan:
        """A plan of rules that have an owner of their own, beside the scenario: nobody's `use` or `add` disturbs it.

        It counts in memory and for itself alone, and notes in this injector's journal. Its owner ends its waits by
        `Plan.end`, and heeds `enabled`.

        Raises:
            ConfigurationError: a rule is wrong.
        """
        given = Scenario.of(rules)
        return Plan(
            given.rules,
            given.display_names,
            self._seed,
            counts=MemoryCounts(),
            services=self._services,
            generation=self._generation,
        )

    def put_in_force(self) -> None:
        """Let this injector's plan stand in the place of every other's, until it is taken out again."""
        if self._production is not None:
            self.announce()
        self._own.ended = False
        registry.put_first(self)

    def take_out_of_force(self) -> None:
        """The end of `put_in_force`: waits end too."""
        registry.take_away(self)
        self._own.end()

    def enable(self) -> None:
        """Switch faults on, unless the environment switches them off."""
        with registry.changes:
            self._enabled = not self._killed
            self._own.ended = False

    def disable(self) -> None:
        """Switch off: every request passes untouched, waits end; counts and journal stay."""
        with registry.changes:
            self._enabled = False
        self._own.end()

    def pause(self, by: int = 1) -> None:
        """Let new requests pass untouched and unrecorded until `pause(-1)`; those under way go on."""
        with registry.changes:
            self._paused += by

    @property
    def enabled(self) -> bool:
        """Whether faults may be injected now."""
        return self._enabled and not self._paused and self._production is None

    @property
    def paused(self) -> bool:
        """Whether requests pass untouched and unrecorded for now."""
        return self._paused > 0

    @property
    def failures(self) -> int:
        """How many errors inside faultinject there were."""
        return self._failures.number

    @property
    def undecided(self) -> int:
        """How many requests passed because the store that processes share could not be asked."""
        return self._failures.undecided

    @property
    def seed(self) -> str:
        """The seed in force."""
        return self._own.seed

    @property
    def own_plan(self) -> Plan:
        """The compiled scenario of this injector, whether or not it is in force."""
        return self._own

    @property
    def counted_in(self) -> object:
        """What tells the place of its counts from that of any other's."""
        directory = self._count_storage.directory
        return self if directory is None else directory.path

    @property
    def missing_store(self) -> str:
        """Why the store could not be had when this process began, and is not there since; else empty."""
        return self._count_storage.missing

    @property
    def injected(self) -> int:
        """How many requests got a fault, whatever the scenario was."""
        return self._injected + sum(injected for _, injected, _ in self._own.totals())

    def counts(self) -> dict[str, dict[str, int]]:
        """By rule name: `matched`, how many requests met its conditions; `injected`, how many got its fault.

        Where there were any also `failed`: how many met its conditions, and passed because of the store or an error of ours.
        """
        plan = self._own
        found = {}
        for name, (matched, injected, failed) in zip(plan.names, plan.totals(), strict=True):
            found[name] = {"matched": matched, "injected": injected}
            if failed:
                found[name]["failed"] = failed
        return found

    @property
    def may_inject(self) -> bool:
        """Whether neither the environment's kill switch nor production keeps it off for good."""
        return not self._killed and self._production is None

    def announce(self) -> None:
        """Log once what is in force: a shell that cut a rule short must be visible."""
        if self._announced == self._generation:
            return
        self._announced = self._generation
        if self._killed:
            return
        if self._production is not None:
            log.production(self._production)
        elif self._own.expired:
            assert self._services.expires is not None
            log.expired(self._services.expires)
        elif self._enabled and (self.scenario.rules or not os.environ.get("FAULTINJECT_SESSION")):
            log.on(self.seed, self.scenario.rules, self.scenario.display_names)
            self._count_storage.tell(self.seed)

    def detach(self) -> Plan:
        """Several processes serve the app: they share a directory, unless its store is `memory:`."""
        if not self._count_storage.settled:
            with self._change:
                if not self._count_storage.settled:  # pragma: no branch - another thread was faster
                    self._separate()
        return self._own

    def _separate(self, owner: int | None = None) -> None:
        told = bool(self._count_storage.salt)
        self._count_storage.detach(self.scenario, self._given_seed(), owner=owner)
        self._swap(self._compile(self.scenario), self.scenario)
        self._heed()
        if self.enabled and self.scenario.rules and not told:
            self._count_storage.tell(self.seed)

    def _heed(self) -> None:
        """What other processes of the store put in force is put in force here."""
        if self._count_storage.follows:
            self.follows = True

    @property
    def shares(self) -> bool:
        """Whether what is put in force here is in force in other processes, too."""
        return self._count_storage.shares

    def heed_file(self) -> None:
        """Look at the file of the rules again when it has changed, and at a SIGHUP.

        Raises:
            MissingExtra: that was asked for, and the extra `watch` is not installed.
        """
        if self._file is not None and self._file.watch is not False:
            from faultinject.injector import file_watch

            file_watch.heed(self._file)
            self._unwatched = self._file
            self.follows = True

    def _watch_file(self) -> None:
        file, self._unwatched = self._unwatched, None
        if file is not None:  # pragma: no branch - another thread was faster
            from faultinject.injector import file_watch

            try:
                file_watch.begin(file)
            except Exception as error:
                self._services.failed(error, "")
        self.follows = self._count_storage.follows or registry.follower() is not None

    def catch_up(self) -> None:
        """Put in force what has come since: into the file of the rules, or from other processes."""
        if self._unwatched is not None:
            self._watch_file()
        self.catch_up_with_others()

    def catch_up_with_others(self) -> None:
        """Put in force what other processes have put in force, in their session or in the store that this one shares."""
        follower = registry.follower()
        if follower is not None and follower.number.read() != follower.seen:
            follower.catch_up()
        if self._count_storage.stale:
            self._rejoin()

    def _rejoin(self) -> None:
        with self._change:
            if not self._count_storage.stale:  # pragma: no cover - another thread was faster
                return
            try:
                seen, scenario, counts, self._seed = self._count_storage.join()
            except FaultInjectError as error:
                if self._count_storage.postpone():
                    log.unread(error)
                return
            self._generation += 1
            self._injected = self.injected
            self._swap(self._compile(scenario, counts=counts), scenario)
            self._count_storage.seen = seen
        if self._count_storage.replaced_by:
            log.replaced(self._count_storage.replaced_by)
        self.announce()

    def before_fork(self) -> None:
        """In the parent: a child will count with it, if nothing was counted yet."""
        needed = (
            self.enabled
            and self._count_storage.undecided
            and self.scenario.rules
            and not self.journal.requests
        )
        if needed and self._change.acquire(blocking=False):
            try:
                self._separate(os.getpid())
            finally:
                self._change.release()

    def finish(self) -> int:
        """The process ends: waits end; how many faults are still under way."""
        self._own.end()
        return self._services.active

    def after_fork(self) -> None:
        """In a new child: locks of its parent's threads are held by nobody, and its journal begins empty."""
        self._change = allocate_lock()
        self.journal.clear()
        if self.enabled:  # pragma: no branch - children of tests end without a word
            self.detach()
        if self._file is not None and self._file.heeded:
            self._file.after_fork()
            self._unwatched, self.follows = self._file, True

    def _choose_seed(self, scenario: Scenario, seed: str | int | None) -> None:
        if seed is not None:
            scenario = Scenario([], seed=seed)
        if scenario.seed is not None:
            self._seed = scenario.seed
            self._chosen = False

    def _given_seed(self) -> str | None:
        return None if self._chosen else self._seed

    def _compile(self, scenario: Scenario, counts: Counts | None = None, *, anew: bool = False) -> Plan:
        if counts is None:
            counts, self._seed = self._count_storage.counts(
                scenario, self._seed, chosen=self._chosen, anew=anew
            )
        return Plan(
            scenario.rules,
            scenario.display_names,
            self._seed,
            counts=counts,
            services=self._services,
            generation=self._generation,
            salt=self._count_storage.salt,
        )

    def _swap(self, plan: Plan, scenario: Scenario) -> None:
        with registry.changes:
            old, self._own = self._own, plan
            self.scenario = scenario
        old.end()

    def settle(self, first: Injector | None) -> None:
        """Let that injector's plan be in force here, if anything may; None: its own."""
        first = first or self
        self.plan = first._own if self.may_inject and first.enabled else OFF  # noqa: SLF001 - of its own kind


def _file_of(environ: Mapping[str, str]) -> RuleFile | None:
    """The file of rules that the environment names; None where there is none that could be read again."""
    if not environ.get("FAULTINJECT_FILE"):
        return None
    from faultinject.injector.rule_file import RuleFile, is_watchable

    return RuleFile(environ) if is_watchable(environ) else None


def _check_store(store: object) -> None:
    try:
        read_store(store if isinstance(store, str) else repr(store))
    except Mistake as mistake:
        raise mistake.error([Problem(mistake.message, where="store")]) from None


def _tell_expired(moment: float) -> None:
    """The log says it at the first request that might have got a fault: until then nobody has missed one.

    A timer would tell an idle server as well. It needs a thread, with which every fork of the process warns (Python 3.12),
    and which servers without threads, or with greenlets, do not run.
    """
    log.expired(moment, registry.injected)
