"""The one mutable object: which plan is in force, whether it is on, and where its counts and journal are."""

from __future__ import annotations

import os
import time
from functools import partial

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.processes import restarter, several_processes
from faultinject.engine.plan import Plan
from faultinject.engine.services import Services
from faultinject.exceptions import ConfigurationError, Conflict, FaultInjectError, Problem, StoreUnavailable
from faultinject.injector import instances as registry
from faultinject.injector.count_storage import CountStorage
from faultinject.injector.standing import Standing
from faultinject.injector.turn import Turn
from faultinject.journal import log
from faultinject.journal.writing import Journal
from faultinject.rules.environment import read_environment
from faultinject.rules.production import production_reason
from faultinject.rules.scenario import Scenario
from faultinject.rules.store import read_store
from faultinject.rules.values import Mistake, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultinject.engine.counting import Counts
    from faultinject.engine.journal_entry import Outcome
    from faultinject.injector.asked import Asked
    from faultinject.injector.failure_watch import FailureWatch
    from faultinject.injector.rule_file import RuleFile
    from faultinject.rules.rule import Rule
    from faultinject.rules.scenario import Rules

_STARTED = time.time()
_LAST = 253_402_300_800.0
"""The end of the year 9999, in unix seconds."""


class Off:
    """The plan of an injector that is off: no method has a rule."""

    environ: dict[str, None] = {}  # noqa: RUF012 - never changed
    scope: dict[str, None] = {}  # noqa: RUF012 - never changed
    environ_default = None
    scope_default = None
    special = False
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
        self.control = settings.control
        """Where the control API is asked for, or None; whoever puts the injector around an app opens it there."""
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
            partial(_tell_expired, settings.expires),
            marked=settings.header,
            endpoints=settings.endpoints,
            most_active=settings.max_active,
            record_all=record_all or journal is not None,
            expires=settings.expires,
        )
        self._expires = settings.expires
        self.scenario = Scenario([]) if given is None else given
        """The scenario in force, unless a test's stands in its place."""
        own_seed = _seed_of(self.scenario, seed)
        if own_seed is None:
            own_seed = settings.seed
        # Nobody gave it: where other processes have one already, theirs holds.
        self._chosen = own_seed is None
        if own_seed is None:
            own_seed = str(int.from_bytes(os.urandom(4), "big"))
        self._standing = Standing(self.scenario, own_seed, began=clock(), generation=generation)
        self._abort = settings.abort
        self._failure_watch: FailureWatch | None = None
        self._asked: Asked | None = None
        if settings.on_request:
            from faultinject.injector.asked import Asked

            self._asked = Asked(self.plan_beside)
        self._injected = 0
        if store is not None:
            _check_store(store)
        alone = record_all or counts is not None
        self._count_storage = CountStorage(
            None if alone else store or settings.store,
            alone=alone,
            make=counts,
            grows=self.control is not None,
        )
        self._announced: tuple[Scenario, str] | None = None
        self._killed = settings.enabled is False
        self._watched = False
        self._paused = 0
        self._production = None if settings.production_allowed else production_reason(environ)
        # A signal's handler may change what is in force while its own thread does.
        self._change = Turn()
        if several_processes() and not self._count_storage.settled and self._has_to_share:
            self._count_storage.detach(self.scenario, self._given_seed())
        self._standing, begun = self._count_storage.begin(self._standing, chosen=self._chosen)
        self._own = self._compile(self._standing, begun)
        self._heed_time()
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

    @property
    def standing(self) -> Standing:
        """What is in force for all processes of this injector's store: rules, on or off, and until when."""
        self._hurry()
        return self._standing

    def use(self, scenario: Rules, *, seed: str | int | None = None, expected: int | None = None) -> Standing:
        """Swap the scenario: requests under way keep the old one, waits of it end, counts begin at zero.

        As with every change, all processes of the store have it at their next request, on a Redis server a second later.

        Args:
            scenario: the new one.
            seed: its seed; by default the scenario's own, else the one in force so far.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: the new scenario is wrong; the old one stays in force.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; the old scenario stays in force.
        """
        given = Scenario.of(scenario)
        own_seed = _seed_of(given, seed)
        made = self._edit(
            lambda now: now.swapped(given, own_seed, self.clock()), expected, anew=True, in_any_case=True
        )
        if own_seed is not None:
            self._chosen = False
        log.doubtful(given.rules, given.display_names)
        return made

    def add(self, rules: Rules, *, expected: int | None = None) -> Standing:
        """Put more rules behind those in force, whose counts and draws go on.

        Args:
            rules: the rules.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: a rule is wrong; the scenario in force stays.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; nothing is added.
        """
        more = Scenario.of(rules).rules
        return self._told(self._edit(lambda now: now.with_more(more), expected), more)

    def replace(self, name: str, rule: str | Rule, *, expected: int | None = None) -> Standing:
        """Put another rule in the place of one; it counts from zero, and the counts and draws of all others go on.

        A rule that was switched off stays so.

        Args:
            name: what the rule that goes is called, as in `counts()`.
            rule: the one that comes. The same one again changes nothing.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name, or the new one is wrong.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; nothing is replaced.
        """
        given = Scenario.of(rule).rules
        return self._told(self._edit(lambda now: now.with_rule(name, given), expected), given)

    def remove(self, name: str, *, expected: int | None = None) -> Standing:
        """Take one rule away; the counts and draws of all others go on.

        Args:
            name: what the rule is called, as in `counts()`.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; the rule stays.
        """
        return self._edit(lambda now: now.without_rule(name), expected)

    def enable_rule(self, name: str, *, expected: int | None = None) -> Standing:
        """Let requests match a rule again that was switched off; its counts go on.

        Args:
            name: what the rule is called, as in `counts()`.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=True), expected)

    def disable_rule(self, name: str, *, expected: int | None = None) -> Standing:
        """Let no request match a rule; its counts stay, and the draws of all others are what they were.

        Args:
            name: what the rule is called, as in `counts()`.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=False), expected)

    def reset(self, *, expected: int | None = None) -> Standing:
        """Let the counts of all rules begin at zero.

        Args:
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; the counts go on.
        """
        return self._edit(Standing.from_zero, expected, anew=True)

    def plan_beside(self, rules: Rules, names: Sequence[str] | None = None) -> Plan:
        """A plan of rules that have an owner of their own, beside the scenario: nobody's `use` or `add` disturbs it.

        It counts in memory and for itself alone, and notes in this injector's journal. Its owner ends its waits by
        `Plan.end`, and heeds `enabled`.

        Args:
            rules: the rules.
            names: what they are called, by default as in a scenario.

        Raises:
            ConfigurationError: a rule is wrong.
        """
        given = Scenario.of(rules)
        return Plan(
            given.rules,
            names or given.display_names,
            self.seed,
            counts=MemoryCounts(),
            services=self._services,
            generation=self._standing.generation,
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

    def enable(self, *, until: float | None = None, expected: int | None = None) -> Standing:
        """Switch faults on in all processes of the store, unless the environment of one switches them off there.

        Args:
            until: unix seconds at which they are switched off again by themselves, as by FAULTINJECT_EXPIRES; None: never.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: `until` is no moment to come.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; nothing is switched on.
        """
        if until is not None:
            until = _moment(until, self.clock())
        return self._edit(lambda now: now.switched_on(until), expected)

    def disable(self, *, why: str = "", expected: int | None = None) -> Standing:
        """Switch off in all processes of the store: every request passes untouched, waits end; counts and journal stay.

        Args:
            why: the reason, where nobody asked for it; `standing.why_off` says it until faults are switched on again.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; this one is off until it hears of a later change.
        """
        try:
            return self._edit(lambda now: now.but(on=False, until=None, why_off=why), expected)
        except StoreUnavailable:
            # Whatever the others do, here nobody is to get a fault any more.
            with self._change:
                self._adopt(self._standing.but(on=False, until=None, why_off=why), self._own.counts)
            raise

    def disarm(self, why: str) -> None:
        """Switch off in all processes of the store because of what the app does by itself; only `enable` switches on again.

        Args:
            why: the bound that is passed, and the numbers.
        """
        log.disarmed(why)
        if not self._count_storage.shown:
            self._disarm(why)
            return
        # The others are told beside the request that has found it out: it may be served by an event loop.
        from threading import Thread

        Thread(target=self._disarm, args=(why,), daemon=True).start()

    def _disarm(self, why: str) -> None:
        from contextlib import suppress

        with suppress(StoreUnavailable):  # here it is off
            self.disable(why=why)

    @property
    def disarmed(self) -> str:
        """Why the app's own failures have ended all faults, until `enable`; empty when they have not."""
        return self._standing.why_off

    def pause(self, by: int = 1) -> None:
        """Let new requests pass untouched and unrecorded until `pause(-1)`; those under way go on."""
        with registry.changes:
            self._paused += by

    @property
    def enabled(self) -> bool:
        """Whether faults may be injected now."""
        return self._is_on and not self._own.expired

    @property
    def _is_on(self) -> bool:
        """The same but for a time that is over, which each request looks at."""
        return self._standing.on and not (self._killed or self._paused or self._production is not None)

    @property
    def _has_to_share(self) -> bool:
        """Whether processes have anything in common: rules, or those that somebody may put in force."""
        return bool(self.scenario.rules) or self.control is not None

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
        return self._standing.seed

    @property
    def own_plan(self) -> Plan:
        """The compiled scenario of this injector, whether or not it is in force."""
        return self._own

    @property
    def counted_in(self) -> object:
        """What tells the place of its counts from that of any other's."""
        return self._count_storage.shown or self

    @property
    def store(self) -> str:
        """Where counts live, as a log may have it: `memory:`, `file:DIRECTORY`, `redis://HOST:PORT/DB`; no password."""
        return self._count_storage.place

    @property
    def expires(self) -> float | None:
        """Unix seconds of FAULTINJECT_EXPIRES, or None."""
        return self._expires

    @property
    def production(self) -> str | None:
        """The variable that says that this is production, where nothing is injected; None: nothing says so, or it is allowed."""
        return self._production

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
        self._hurry()
        plan = self._own
        found = {}
        for name, (matched, injected, failed) in zip(plan.names, plan.totals(), strict=True):
            found[name] = {"matched": matched, "injected": injected}
            if failed:
                found[name]["failed"] = failed
        return found

    def let_watch(self) -> None:
        """Share this injector's outcomes, from now on, with the other processes of its store: `events` gives those of all."""
        with self._change:
            self._watched = True
            self.journal.share = self._count_storage.let_watch()

    def events(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """What happened, in all processes whose injectors share their outcomes (`let_watch`), else in this one.

        A request whose end is not known at once is told twice, the second time with `final` true: of one `pid` and `seq` the
        later outcome holds.

        Args:
            after: the cursor that an earlier call gave, in whatever process; empty: from the oldest that is kept.
            limit: how many outcomes at most.

        Returns:
            The outcomes in order, the cursor to go on from, and how many outcomes between the two are kept no longer.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        shared = self._count_storage.watched
        return (self.journal.events if shared is None else shared.read)(after, limit)

    @property
    def may_inject(self) -> bool:
        """Whether neither the environment's kill switch nor production keeps it off for good."""
        return not self._killed and self._production is None

    def announce(self) -> None:
        """Log once what is in force: a shell that cut a rule short must be visible."""
        standing = self._standing
        announced = self._announced
        if announced is not None and announced[0] is standing.scenario and announced[1] == standing.seed:
            return
        self._announced = standing.scenario, standing.seed
        if self._killed:
            return
        if self._production is not None:
            log.production(self._production)
        elif self._own.expired:
            assert self._services.expires is not None
            _tell_expired(self._expires, self._services.expires, from_the_start=True)
        elif standing.on and (self.scenario.rules or not os.environ.get("FAULTINJECT_SESSION")):
            log.on(self.seed, self.scenario.rules, self.scenario.display_names)
            self._count_storage.tell(self.seed)
        elif not standing.on and self._count_storage.shown:
            log.switched(None, standing.why_off, on=False)

    def detach(self) -> Plan:
        """Several processes serve the app: they share a directory, unless its store is `memory:`."""
        if not self._count_storage.settled:
            with self._change:
                if not self._count_storage.settled:  # pragma: no branch - another thread was faster
                    self._separate()
        return self._own

    def share(self) -> None:
        """Let the processes that serve the app share what is in force also where there is no rule yet, or where it is off.

        For those who change it from outside, in one process for all; with one process, or with `memory:`, nothing happens.
        """
        with self._change:
            if several_processes() and self._count_storage.undecided:
                self._separate(empty=True)

    def _separate(self, owner: int | None = None, *, empty: bool = False) -> None:
        told = bool(self._count_storage.salt)
        self._count_storage.detach(self.scenario, self._given_seed(), owner=owner, empty=empty)
        before = self._injected
        self._adopt(*self._count_storage.begin(self._standing, chosen=self._chosen))
        # What was counted so far is the parent's.
        self._injected = before
        self._heed()
        if self._is_on and self._has_to_share and not told:
            self._count_storage.tell(self.seed)

    def _heed(self) -> None:
        """What other processes of the store put in force is put in force here."""
        if self._count_storage.follows:
            from faultinject.injector.watching import watch

            self.follows = True
            self._services.watch = watch

    @property
    def shares(self) -> bool:
        """Whether what is put in force here is in force in other processes, too."""
        return bool(self._count_storage.shown)

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
        """Put in force what has come since: into the file of the rules, or from other processes of the session or the store."""
        if self._unwatched is not None:
            self._watch_file()
        _catch_up_with_session()
        storage = self._count_storage
        if storage.beside is not None:
            if storage.due:
                storage.beside.do(self._rejoin)
        elif storage.stale:
            self._rejoin()

    def _hurry(self) -> None:
        """As `catch_up`, at once: without the second that requests leave a server alone for, and whoever asks waits for it."""
        if not self.follows:
            return
        _catch_up_with_session()
        self._count_storage.hurry()
        if self._count_storage.stale:
            self._rejoin()

    def _rejoin(self) -> None:
        with self._change:
            if not self._count_storage.stale:  # pragma: no cover - another thread was faster
                return
            before = self._standing
            try:
                found, counts = self._count_storage.join(before)
            except FaultInjectError as error:
                if self._count_storage.postpone():
                    log.unread(error)
                return
            self._adopt(found, counts)
        if self._count_storage.replaced_by and not found.decides_as(before):
            log.replaced(self._count_storage.replaced_by)
        if (found.on, found.until) != (before.on, before.until) and self.may_inject:
            log.switched(found.until, found.why_off, on=found.on)
        self.announce()

    def before_fork(self) -> None:
        """In the parent: a child will count with it, if nothing was counted yet."""
        needed = (
            self._is_on and self._count_storage.undecided and self._has_to_share and not self.journal.requests
        )
        if needed and self._change.take(wait=False):
            try:
                self._separate(os.getpid())
            finally:
                self._change.end()

    def finish(self) -> int:
        """The process ends: waits end; how many faults are still under way."""
        self._own.end()
        return self._services.active

    def after_fork(self) -> None:
        """In a new child: locks of its parent's threads are held by nobody, and its journal begins empty."""
        self._change = Turn()
        self.journal.clear()
        if self._is_on:  # pragma: no branch - children of tests end without a word
            self.detach()
        if self._file is not None and self._file.heeded:
            self._file.after_fork()
            self._unwatched, self.follows = self._file, True

    def _given_seed(self) -> str | None:
        return None if self._chosen else self.seed

    def _edit(
        self,
        change: Callable[[Standing], Standing],
        expected: int | None,
        *,
        anew: bool = False,
        in_any_case: bool = False,
    ) -> Standing:
        """Put something else in force, here and in all processes of the store.

        Args:
            change: from what is in force to what is to be; asked again where another process was faster.
            expected: the generation that is to be changed, or None.
            anew: whether counts begin at zero.
            in_any_case: whether what is in force, and cannot be read, is replaced.
        """
        storage = self._count_storage
        with self._change:
            while True:
                now, after = storage.newest(self._standing, in_any_case=in_any_case)
                if expected is not None and expected != after:
                    raise Conflict(f"generation {after} is in force, not {expected}: it was changed since")
                try:
                    found = storage.publish(change(now), after=after, anew=anew, counts=self._own.counts)
                except Conflict:
                    continue
                self._adopt(*found)
                return self._standing

    def _told(self, made: Standing, new: Sequence[Rule]) -> Standing:
        """What is in force; the log says what hardly any request can match."""
        known = {*new}
        pairs = zip(made.scenario.rules, made.scenario.display_names, strict=True)
        named = [(rule, name) for rule, name in pairs if rule in known]
        log.doubtful([rule for rule, _ in named], [name for _, name in named])
        return made

    def _adopt(self, standing: Standing, counts: Counts) -> None:
        """From here on this is in force in this process."""
        before, old = self._standing, self._own
        plan = None
        if counts is not old.counts or not standing.decides_as(before):
            plan = self._compile(standing, counts)
            # Of rules that are counted no more only this process knows what they did.
            kept = {*plan.places} if counts is old.counts else ()
            totals = zip(old.places, old.totals(), strict=True)
            self._injected += sum(injected for place, (_, injected, _) in totals if place not in kept)
            if counts is old.counts:
                plan.go_on_from(old)
        with registry.changes:
            self._standing, self.scenario = standing, standing.scenario
            if plan is not None:
                self._own = plan
            self._heed_time()
            if standing.on:
                self._own.ended = False
        # Others may have switched off and on again since this process looked last.
        again = standing.armed != before.armed or (standing.on and not before.on)
        if again and self._failure_watch is not None:
            self._failure_watch.reset()
        if self._watched:
            # Where processes count together may have changed.
            self.journal.share = self._count_storage.let_watch()
        if plan is not None or not standing.on:
            old.end()

    def _heed_time(self) -> None:
        """Nothing is injected any more at the first of the moments that the environment and what is in force name."""
        moments = [each for each in (self._expires, self._standing.until) if each is not None]
        if self._services.expire(min(moments, default=None)):
            self._own.wake()

    def _compile(self, standing: Standing, counts: Counts) -> Plan:
        return Plan(
            standing.scenario.rules,
            standing.scenario.display_names,
            standing.seed,
            counts=counts,
            services=self._services,
            generation=standing.generation,
            watch=self._watch_of(standing.scenario),
            asked=self._asked,
            salt=self._count_storage.salt,
            places=standing.places,
            twins=standing.twins,
            off=standing.off,
            started=standing.began,
        )

    def _watch_of(self, scenario: Scenario) -> FailureWatch | None:
        """What watches the app under that scenario; the same as before where its bound is."""
        text = self._abort or scenario.abort
        if text is None:
            self._failure_watch = None
        elif self._failure_watch is None or self._failure_watch.text != text:
            from faultinject.injector.failure_watch import FailureWatch

            self._failure_watch = FailureWatch(text, time.monotonic, self.disarm)
        return self._failure_watch

    def settle(self, first: Injector | None) -> None:
        """Let that injector's plan be in force here, if anything may; None: its own."""
        first = first or self
        self.plan = first._own if self.may_inject and first._is_on else OFF  # noqa: SLF001 - of its own kind


def _catch_up_with_session() -> None:
    follower = registry.follower()
    if follower is not None and follower.number.read() != follower.seen:
        follower.catch_up()


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


def _seed_of(scenario: Scenario, seed: str | int | None) -> str | None:
    """The seed that is given with a scenario, or by it."""
    return scenario.seed if seed is None else Scenario([], seed=seed).seed


def _moment(until: float, now: float) -> float:
    """A moment to come, in unix seconds."""
    if isinstance(until, bool) or not isinstance(until, int | float) or not now < until < _LAST:
        raise ConfigurationError(
            f"until: {shown(repr(until))} is not a moment to come, in unix seconds; now it is {now:.0f}"
        )
    return float(until)


def _tell_expired(variable: float | None, moment: float, *, from_the_start: bool = False) -> None:
    """The log says it at the first request that might have got a fault: until then nobody has missed one.

    A timer would tell an idle server as well. It needs a thread, with which every fork of the process warns (Python 3.12),
    and which servers without threads, or with greenlets, do not run.

    Args:
        variable: the moment that FAULTINJECT_EXPIRES names, or None.
        moment: the one that has passed.
        from_the_start: whether it had passed before this process began.
    """
    log.expired(moment, None if from_the_start else registry.injected, by_variable=moment == variable)
