"""The injector, the one mutable object: it holds, changes and syncs the state."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.processes import restarter, several_processes
from faultinject.engine.counting import ERRED, PASSED, REFUSED, UNDECIDED
from faultinject.engine.plan import Plan, Services
from faultinject.exceptions import (
    ConfigurationError,
    ConflictError,
    FaultInjectError,
    Problem,
    StoreUnavailableError,
)
from faultinject.injector import instances
from faultinject.injector.count_storage import CountStorage
from faultinject.injector.state import CHANGES_KEPT, RuleCounts, State, summary
from faultinject.journal import log
from faultinject.journal.changes import NOTED
from faultinject.journal.writing import Journal
from faultinject.locks import ReentrantLock
from faultinject.rules.environment import read_environment
from faultinject.rules.production import production_reason
from faultinject.rules.scenario import Rules, Scenario
from faultinject.rules.store import read_store
from faultinject.rules.values import Mistake, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultinject.counts.store import SharedAnswers
    from faultinject.engine.counting import Counts
    from faultinject.engine.entry import Entry
    from faultinject.engine.plan import Waits
    from faultinject.injector.failure_watch import FailureWatch
    from faultinject.injector.requested_rules import RequestedRules
    from faultinject.injector.rule_file import RuleFile
    from faultinject.injector.session_sync import Follower
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.control import ControlSettings
    from faultinject.rules.rule import Rule

WALL = time.time
"""The default clock; a test that moves this clock moves `begin` and `end`, too."""
_STARTED = WALL()
_LAST = 253_402_300_800.0
"""The end of the year 9999, in unix seconds."""


class OffPlan:
    """The plan of an injector that is off: no method has a rule."""

    environ: dict[str, None] = {}  # noqa: RUF012 - never changed
    scope: dict[str, None] = {}  # noqa: RUF012 - never changed
    environ_default = None
    scope_default = None
    special = False
    ended = True


OFF = OffPlan()


@dataclass(frozen=True)
class Joining:
    """The values that an injector shares with a test, or with a session's other processes.

    Attributes:
        test: returns the id of the running test, for the journal.
        counts: makes the counts of a scenario, instead of a store.
        generation: the generation of the first scenario.
        began: unix seconds at which it took effect; None: now.
        ends: whether the journal's file gets a line about this process's end.
    """

    test: Callable[[], str | None] | None = None
    counts: Callable[[], Counts] | None = None
    generation: int = 0
    began: float | None = None
    ends: bool = True


class Injector:
    """Decides about the faults of its apps; its scenario can be swapped while they run.

    Args:
        scenario: rules, a `Scenario`, or None for the rules of the environment.
        seed: the seed's text or number; overrides the scenario's own, which overrides FAULTINJECT_SEED.
        store: where counts live: `memory:`, `file:DIRECTORY`, `redis://HOST` or another package's scheme; by default
            FAULTINJECT_STORE, otherwise memory for one process and a private directory for several.
        clock: unix seconds, for ids, rates and expiry. A clock of your own also decides about `begin` and `end`; by
            default they follow a clock that a change of the system's time does not move.
        environ: the environment that settings are read from, by default the process's.
        waits: for tests of delays and durations, an object with `monotonic()`, which gives seconds, and
            `wait(seconds, sleep)`, which a thread calls instead of `sleep(seconds)`. Under ASGI the event loop waits,
            by its own clock. By default the system's clock and `sleep`.
        record_all: whether to record requests that no rule matches.
        journal: a file for outcomes, instead of FAULTINJECT_JOURNAL.

    Attributes:
        journal: its `Journal`.

    Raises:
        ConfigurationError: rules or variables are wrong; every mistake is named.
    """

    follows = False
    """Whether `catch_up` must be called before each use of `plan`, for other processes' changes."""
    # FAULTINJECT_FILE, if it can be read again.
    rule_file: RuleFile | None = None
    _unwatched: RuleFile | None = None
    _announced: tuple[Scenario, str, bool] | None = None
    _joining = Joining()
    _is_overridden = True

    def __init__(
        self,
        scenario: Rules | None = None,
        *,
        seed: str | int | None = None,
        store: str | None = None,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
        waits: Waits | None = None,
        record_all: bool = False,
        journal: str | None = None,
    ) -> None:
        joining = self._joining
        environ = os.environ if environ is None else environ
        file = _file_of(environ) if scenario is None else None
        if file is not None and file.first_scenario is not None:
            # The file may have changed since the server's start, or be wrong: it is read again at the end.
            scenario = file.first_scenario
        settings = read_environment(
            environ, now=clock(), started=_server_start, rules_given=scenario is not None, forced=True
        )
        rules = (settings.scenario or Scenario([])) if scenario is None else Scenario.of(scenario)
        own_seed = given_seed(rules, seed)
        if own_seed is None:
            own_seed = settings.seed
        self._seed_chosen = own_seed is None
        if store is not None:
            _check_store(store)
        path = journal or settings.journal
        self.journal = Journal(path=path, test=joining.test, parent=restarter if joining.ends else None)
        self._failures = log.Failures()
        self.errors = self._failures.errors
        """The first hundred errors inside faultinject itself, each of which let a request pass."""

        def note_failure(error: Exception, rule: str) -> None:
            self._failures.note(error, rule)
            self._note_passed(UNDECIDED if isinstance(error, StoreUnavailableError) else ERRED)

        def note_refused() -> None:
            self._note_passed(REFUSED)

        services = Services(
            self.journal.add,
            clock,
            time.monotonic,
            note_failure,
            partial(log_expired, settings.expires),
            note_refused,
            marked=settings.header,
            guarded=settings.control is not None or settings.on_request,
            endpoints=settings.endpoints,
            most_active=settings.max_active,
            record_all=record_all or path is not None,
            expires=settings.expires,
            steady=clock is WALL,
            waits=waits,
        )
        alone = record_all or joining.counts is not None
        storage = CountStorage(None if alone else store or settings.store, alone=alone, make=joining.counts)
        if several_processes() and has_to_share(rules, settings.control) and not storage.settled:
            storage.split_counts(rules, own_seed, shares=True)
        if own_seed is None:
            own_seed = str(int.from_bytes(os.urandom(4), "big"))
        self.plan: Plan | OffPlan = OFF
        self.overrides: Injector | None = None
        """The injector that it overrides while it is in force; None: all injectors."""
        self.clock = services.clock
        self.control: ControlSettings | None = settings.control
        """The settings of the control API, which the wrapper of an app serves; or None."""
        self._services = services
        self.of_run = False
        """Whether these are the rules given to `faultinject run`, which override others."""
        self.session: Follower | None = None
        """The session in which the processes of `faultinject run` find these rules."""
        self._count_storage = storage
        self.expires = settings.expires
        """Unix seconds of FAULTINJECT_EXPIRES, or None."""
        self._abort = settings.abort
        self._failure_watch: FailureWatch | None = None
        self._notes_faults = False
        self._requested_rules: RequestedRules | None = None
        if settings.on_request:
            from faultinject.injector.requested_rules import RequestedRules

            self._requested_rules = RequestedRules(self.plan_beside)
        self._injected = self._injected_before = 0
        self._passed_before: tuple[int, ...] = (0,) * len(PASSED)
        self._watched = False
        self._paused = 0
        self._killed = settings.enabled is False
        self.production = None if settings.production_allowed else production_reason(environ)
        """The variable that says that this is production, where nothing is injected; else None."""
        self.elsewhere = settings.elsewhere
        """The reason why FAULTINJECT_ONLY_WHERE permits no faults here; empty if it permits them."""
        self.may_inject = not (self._killed or self.production is not None or self.elsewhere)
        """Whether it may inject: no kill switch, production or FAULTINJECT_ONLY_WHERE forbids it."""
        # A flag, never waited for: locked when the log has said that faults are off, released when they are on again.
        self._off_is_logged = Lock()
        # Held during a change of the state. Reentrant, as a signal's handler may change it, too.
        self._change = ReentrantLock()
        began = joining.began
        if began is None:
            # Workers that share nothing have the start of their server in common.
            began = _server_start() if storage.salt and services.steady else clock()
        own_state = State(rules, own_seed, began=began, generation=joining.generation)
        self._state, counts_in_force = storage.begin(own_state, chosen=self._seed_chosen)
        self.scenario = self._state.scenario
        """The scenario in force, unless a test's overrides it."""
        self._since: dict[float, float] = {}
        self.own_plan = self._compile(self._state, counts_in_force)
        """The compiled scenario of this injector, whether or not it is in force."""
        storage.mark_adopted()
        self._set_expiry()
        instances.enter(self)
        if path is not None:
            instances.finish_before_journals()
        self._follow_others()
        if file is not None and self.may_inject:
            self.rule_file = file
            file.watch = settings.watch
            file.attach(self, rules, seed)

    def plan_beside(self, rules: Rules, names: Sequence[str] | None = None) -> Plan:
        """Compile rules into a plan of their own, which no `use` or `add` changes.

        The plan counts in memory, and records in this injector's journal. The caller must end the plan's waits, and use
        the plan only while `enabled` is true.

        Args:
            rules: the rules.
            names: their names, by default as in a scenario.

        Raises:
            ConfigurationError: a rule is wrong.
        """
        scenario = Scenario.of(rules)
        return Plan(
            scenario.rules,
            names or scenario.display_names,
            self.seed,
            counts=MemoryCounts(),
            services=self._services,
            generation=self._state.generation,
        )

    def disarm(self, why: str, in_background: bool = False) -> None:
        """Switch off in all processes of the store, because of the app's own failures.

        Only `enable` switches on again.

        Args:
            why: the limit that was exceeded, and the numbers.
            in_background: whether this runs outside of a request.
        """
        if not self._off_is_logged.acquire(blocking=False):
            return  # another process was faster
        # The app's own failures have exceeded the limit of `abort`: nothing is injected until somebody switches
        # faults on again.
        log.error("faultinject is off: %s; nothing is injected until it is enabled again by hand", why)
        if in_background or (not self._count_storage.shown and self.session is None):
            self._disarm(why)
            return
        # A thread tells the other processes, as the request may be on an event loop. It is not a daemon: a process
        # that ends because its app fails must wait for it.
        try:
            Thread(target=self._disarm, args=(why,), daemon=False).start()
        except RuntimeError:  # no thread can be started, or the interpreter is ending
            self._disarm(why)

    def _disarm(self, why: str) -> None:
        from contextlib import suppress

        with suppress(StoreUnavailableError):  # this process is off in any case
            self._switch_off(why)
            if self.session is not None:
                self.session.switch_off(why)

    def _switch_off(self, why: str, expected: int | None = None) -> State:
        try:
            return self._edit(lambda now: now.with_changes(on=False, until=None, why_off=why), expected)
        except StoreUnavailableError:
            # This process injects nothing, even if the others do not learn of it.
            with self._change:
                self._adopt(self._state.with_changes(on=False, until=None, why_off=why), self.own_plan.counts)
            raise

    @property
    def seed(self) -> str:
        """The seed in force."""
        return self._state.seed

    @property
    def enabled(self) -> bool:
        """Whether faults may be injected now."""
        return self._is_on and not self.own_plan.expired

    @property
    def _is_on(self) -> bool:
        """Whether faults are on, not counting an expiry, which each request checks."""
        return self._state.on and self.may_inject and not self._paused

    def _edit(
        self,
        change: Callable[[State], State],
        expected: int | None,
        *,
        anew: bool = False,
        in_any_case: bool = False,
    ) -> State:
        """Put another state in force, here and in all processes of the store.

        Args:
            change: makes the new state of the one in force; called again if another process was faster.
            expected: the generation to change, or None.
            anew: whether counts begin at zero.
            in_any_case: whether to replace a state in force that cannot be read.
        """
        storage, noted = self._count_storage, NOTED.get()
        with self._change:
            while True:
                now, version = storage.read_newest(self._state, in_any_case=in_any_case)
                if expected is not None and expected != now.generation:
                    raise ConflictError(
                        f"generation {now.generation} is in force, not {expected}: it was changed since"
                    )
                try:
                    new = change(now)
                    new = new.with_changes(over_http=new.over_http or self._services.guarded)
                    if noted is not None:
                        new = new.with_changes(changes=(*new.changes, noted)[-CHANGES_KEPT:])
                    published = storage.publish(new, based_on=version, anew=anew, counts=self.own_plan.counts)
                except ConflictError:
                    continue
                self._adopt(*published)
                if noted is not None:
                    self.journal.note_change(noted, self._state.generation)
                return self._state

    def _adopt(self, state: State, counts: Counts) -> None:
        """Put a state in force in this process."""
        before, old = self._state, self.own_plan
        plan = None
        if counts is not old.counts or not state.decides_as(before):
            plan = self._compile(state, counts)
            # The counts of removed rules are added up here, as they are kept nowhere else.
            places_kept = {*plan.places} if counts is old.counts else ()
            totals = zip(old.places, old.totals(), strict=True)
            self._injected += sum(injected for place, (_, injected, _) in totals if place not in places_kept)
            if counts is old.counts:
                plan.reuse_rules_of(old)
            else:
                self._passed_before, self._injected_before = self._passed_here, self._injected
        with instances.changes():
            self._state, self.scenario = state, state.scenario
            if plan is not None:
                self.own_plan = plan
            self._count_storage.mark_adopted()
            self._set_expiry()
            if state.on:
                self.own_plan.ended = False
                if self._off_is_logged.locked():
                    self._off_is_logged.release()
        # `armed` shows that other processes switched off and on again since this one looked.
        switched_on = state.armed != before.armed or (state.on and not before.on)
        if switched_on and self._failure_watch is not None:
            self._failure_watch.reset()
        if self._watched:
            self.share_outcomes()  # the store may have changed
        if plan is not None or not state.on:
            self._end(old)
        shared = old.counts.shared
        if shared is not None and shared is not counts.shared:
            shared.replaced()

    def _set_expiry(self) -> None:
        """Set the expiry: that of the environment or of the state, whichever comes first."""
        moments = [moment for moment in (self.expires, self._state.until) if moment is not None]
        self._services.expire(min(moments, default=None))

    @property
    def plans(self) -> list[Plan]:
        """The compiled scenario, and the plans of rules in requests' headers."""
        return (
            [self.own_plan]
            if self._requested_rules is None
            else [self.own_plan, *self._requested_rules.plans]
        )

    def _end(self, ended_plan: Plan) -> None:
        """End the waits of a scenario's plan, and of the plans of requests' headers.

        Later requests may use those headers again.
        """
        ended_plan.end()
        for plan in self.plans[1:]:
            plan.end()

    def _compile(self, state: State, counts: Counts) -> Plan:
        # Another server of the store may have accepted rules over HTTP.
        self._services.guarded |= state.over_http
        plan = Plan(
            state.scenario.rules,
            state.scenario.display_names,
            state.seed,
            counts=counts,
            services=self._services,
            generation=state.generation,
            watch=self._watch_of(state.scenario),
            requested_rules=self._requested_rules,
            salt=self._count_storage.salt,
            places=state.places,
            duplicates=state.duplicates,
            off=state.off,
            started=state.began,
            since=self._since.get(state.began),
        )
        # A change of single rules makes a new plan with the same `began`: it takes over `since`, so that the scenario's
        # age goes on even if a test has moved `clock`.
        self._since = {state.began: plan.since}
        return plan

    def _watch_of(self, scenario: Scenario) -> FailureWatch | None:
        """The watch over the app's failures; a new one only if the bound has changed."""
        text = self._abort or scenario.abort
        if text is None:
            self._failure_watch = None
        elif self._failure_watch is None or self._failure_watch.text != text:
            from faultinject.injector.failure_watch import FailureWatch

            self._failure_watch = FailureWatch(
                text, self._services.monotonic, self.disarm, self._shared_answers
            )
            if self._failure_watch.of_injected and not self._notes_faults:
                self._notes_faults = True
                self._services.journal = partial(self._journal_and_note, self._services.journal)
        return self._failure_watch

    def _journal_and_note(self, journal: Callable[[Entry], None], line: Entry) -> None:
        """Pass on a journal's line, and let the watch over failures note its fault."""
        journal(line)
        if self._failure_watch is not None:
            self._failure_watch.note_fault(line)

    def _shared_answers(self, bound: str, width: float) -> tuple[SharedAnswers, int] | None:
        """The app's answers that the processes of the store count together for a bound.

        The second value is the number of times that faults were switched on again.
        """
        store = self._count_storage.store or self.session
        answers = None if store is None else store.answers(bound, width)
        return None if answers is None else (answers, self._state.armed)

    def apply_override(self, override: Injector | None) -> None:
        """Put the plan of an override in force here; None: this injector's own plan.

        An injector that may not inject stays off.
        """
        source = override or self
        self.plan = source.own_plan if self.may_inject and source._is_on else OFF  # noqa: SLF001 - an injector, too

    def use(
        self,
        scenario: Rules,
        *,
        seed: str | int | None = None,
        expected: int | None = None,
    ) -> State:
        """Swap the scenario: running requests keep the old one, its waits end, counts begin at zero.

        As with every change, each process of the store has the new state at its next request. With a Redis server it
        may take up to a second longer.

        Args:
            scenario: the new one.
            seed: its seed; by default the scenario's own, otherwise the current one.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: the new scenario is wrong; the old one stays in force.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        new = Scenario.of(scenario)
        new_seed = given_seed(new, seed)
        state = self._edit(
            lambda now: now.with_scenario(new, new_seed, self.clock()), expected, anew=True, in_any_case=True
        )
        if new_seed is not None:
            self._seed_chosen = False
        log.log_new_rules(new.rules, new.display_names)
        return state

    def add(self, rules: Rules, *, expected: int | None = None) -> State:
        """Add rules after those in force, which keep their counts and draws.

        Args:
            rules: the rules.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: a rule is wrong; the scenario in force stays.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        new = Scenario.of(rules).rules
        return self._log_doubts(self._edit(lambda now: now.with_more(new), expected), new)

    def replace(self, name: str, rule: str | Rule, *, expected: int | None = None) -> State:
        """Replace one rule; the new one counts from zero, the others keep their counts and draws.

        A rule that was switched off stays so.

        Args:
            name: the name of the old rule, as in `counts()`.
            rule: the new rule. The same rule again changes nothing.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name, or the new one is wrong.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        new = Scenario.of(rule).rules
        return self._log_doubts(self._edit(lambda now: now.with_rule(name, new), expected), new)

    def remove(self, name: str, *, expected: int | None = None) -> State:
        """Remove one rule; all others keep their counts and draws.

        Args:
            name: the name of the rule, as in `counts()`.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        return self._edit(lambda now: now.without_rule(name), expected)

    def enable_rule(self, name: str, *, expected: int | None = None) -> State:
        """Let requests match a rule again that was switched off; it keeps its counts.

        Args:
            name: the name of the rule, as in `counts()`.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=True), expected)

    def disable_rule(self, name: str, *, expected: int | None = None) -> State:
        """Let no request match a rule; it keeps its counts, and all others keep their draws.

        Args:
            name: the name of the rule, as in `counts()`.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=False), expected)

    def reset(self, *, expected: int | None = None) -> State:
        """Set the counts of all rules to zero.

        Args:
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        return self._edit(State.with_zero_counts, expected, anew=True)

    def enable(self, *, until: float | None = None, expected: int | None = None) -> State:
        """Switch faults on in all processes of the store.

        The environment of a process may still keep them off there.

        Args:
            until: unix seconds at which they switch off again, as with FAULTINJECT_EXPIRES; None: never.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: `until` is not in the future.
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; nothing has changed.
        """
        if until is not None:
            until = _moment(until, self.clock())
        return self._edit(lambda now: now.with_faults_on(until), expected)

    def disable(self, *, why: str = "", expected: int | None = None) -> State:
        """Switch off in all processes of the store: every request passes untouched, and waits end.

        Counts and journal stay.

        Args:
            why: the reason, if no person did it; `state.why_off` has it until faults are switched on again.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConflictError: another generation is in force.
            StoreUnavailableError: the store cannot be written; this process is off until it sees a later change.
        """
        return self._switch_off(why, expected)

    def _log_doubts(self, state: State, new: Sequence[Rule]) -> State:
        """Log the doubts about new rules, and return the state."""
        names = dict(zip(state.scenario.rules, state.scenario.display_names, strict=True))
        log.log_new_rules(new, [names[rule] for rule in new])
        return state

    @property
    def state(self) -> State:
        """The state of all processes of this injector's store: rules, on or off, and until when."""
        self._catch_up_now()
        return self._state

    def catch_up(self) -> None:
        """Put the latest changes in force: from the rule file, the session, or the store."""
        if self._unwatched is not None:
            self._watch_file()
        _catch_up_with_session()
        if self._count_storage.stale:
            sender = self._count_storage.sender
            self._join_store() if sender is None else sender.do(self._join_store)

    def _catch_up_now(self) -> None:
        """Catch up with the store's current version; requests ask a Redis server once a second."""
        if not self.follows:
            return
        _catch_up_with_session()
        self._count_storage.refresh()
        if self._count_storage.stale:
            self._join_store()

    def _join_store(self) -> None:
        with self._change:
            if not self._count_storage.stale:  # pragma: no cover - another thread was faster
                return
            before = self._state
            try:
                joined, counts = self._count_storage.join(before)
            except FaultInjectError as error:
                if self._count_storage.postpone():
                    # The rules that another process of the store has put in force cannot be read here.
                    log.error(
                        "faultinject: the new rules cannot be read, the previous ones stay in force: %s",
                        error,
                    )
                return
            self._adopt(joined, counts)
        if self._count_storage.replaced_by and not joined.decides_as(before):
            # Another server or program has changed the rules of the shared store.
            log.warning("faultinject: process %s has changed the rules", self._count_storage.replaced_by)
        if (
            (joined.on, joined.until) != (before.on, before.until)
            and self.may_inject
            and (joined.on or self._off_is_logged.acquire(blocking=False))
        ):
            log.log_switched(joined.until, joined.why_off, on=joined.on)
        self.announce()

    @property
    def shares(self) -> bool:
        """Whether changes made here are in force in other processes, too."""
        return bool(self._count_storage.shown)

    def count_together(self) -> bool:
        """Count in a shared directory, as several processes serve; return False if nothing changes.

        With a store `memory:` each process counts separately.
        """
        if self._count_storage.settled:
            return False
        with self._change:
            if not self._count_storage.settled:  # pragma: no branch - another thread was faster
                self._move_counts()
        return True

    def _move_counts(self, owner: int | None = None, *, alone: bool = False) -> None:
        """Begin to count in another place: in a directory with other processes, or separately.

        Args:
            owner: the directory exists as long as this process; None: as long as the process that all the server's
                processes have in common.
            alone: whether this is a forked process that shares nothing.
        """
        had_salt = bool(self._count_storage.salt)
        if not alone:
            seed = None if self._seed_chosen else self.seed
            self._count_storage.split_counts(self.scenario, seed, owner=owner, shares=self._has_to_share)
        injected_before = self._injected
        self._adopt(*self._count_storage.begin(self._state, chosen=self._seed_chosen))
        # The faults counted so far are the parent's.
        self._injected = self._injected_before = injected_before
        self._follow_others()
        if self._is_on and self._has_to_share and not had_salt:
            self._count_storage.log_place(self.seed)

    @property
    def _has_to_share(self) -> bool:
        return has_to_share(self.scenario, self.control)

    @property
    def _shares_with_child(self) -> bool:
        """Whether a forked child shares rules with this process.

        Faults that are off now may be switched on by the control API.
        """
        return self._has_to_share and (self._is_on or (self.control is not None and self.may_inject))

    def _follow_others(self) -> None:
        """Follow the store, if there is one, and the session in which this process takes part."""
        in_session = self._is_overridden and instances.follower() is not None
        if in_session or self._count_storage.store is not None:
            self.follow()

    def follow(self) -> None:
        """Let requests and waits look for changes by other processes from now on."""
        self.follows = True
        self._services.look = instances.look

    def follow_file(self) -> None:
        """Read the rule file again when it has changed, and at a SIGHUP.

        Raises:
            MissingExtraError: watching was requested, and the extra `watch` is not installed.
        """
        if self.rule_file is not None and self.rule_file.watch is not False:
            from faultinject.injector.rule_file import reload_at_hangup

            reload_at_hangup(self.rule_file)
            self._unwatched = self.rule_file
            self.follows = True

    def _watch_file(self) -> None:
        file, self._unwatched = self._unwatched, None
        if file is not None:  # pragma: no branch - another thread was faster
            from faultinject.injector.rule_file import watch

            try:
                watch(file)
            except Exception as error:
                self._services.failed(error, "")
        self.follows = self._count_storage.store is not None or instances.follower() is not None

    def announce(self) -> None:
        """Log the rules in force once, so that a rule that a shell has cut short is visible."""
        state = self._state
        # If the store is unavailable at the start, the rules are announced again when it answers.
        new = state.scenario, state.seed, not self._count_storage.missing
        announced = self._announced
        if announced is not None and announced[0] is new[0] and announced[1:] == new[1:]:
            return
        self._announced = new
        if self._killed:
            return
        if self.production is not None:
            # The environment looks like production, so nothing is injected.
            log.error(
                "faultinject is off: %s looks like production; to inject there set FAULTINJECT_PRODUCTION=allow"
                " and FAULTINJECT_EXPIRES to at most 24h",
                self.production,
            )
        elif self.elsewhere:
            # FAULTINJECT_ONLY_WHERE names another environment, so nothing is injected.
            log.error("faultinject is off: %s", self.elsewhere)
        elif self.own_plan.expired:
            assert self._services.expires is not None
            log_expired(self.expires, self._services.expires, from_the_start=True)
        elif state.on and (self.scenario.rules or not os.environ.get("FAULTINJECT_SESSION")):
            log.log_enabled(self.seed, self.scenario.rules, self.scenario.display_names)
            if self._requested_rules is not None:
                # Requests may ask for their own faults: everybody who reaches the app can do so.
                log.warning(
                    "faultinject: FAULTINJECT_ON_REQUEST lets every request ask for its own faults, in the"
                    " header x-faultinject-rules"
                )
            self._count_storage.log_place(self.seed)
        elif not state.on and self._count_storage.shown and self._off_is_logged.acquire(blocking=False):
            log.log_switched(None, state.why_off, on=False)

    def before_fork(self) -> None:
        """Prepare a directory to share with a child, if nothing has been counted yet."""
        shares = (
            self._shares_with_child and self._count_storage.may_become_shared and not self.journal.requests
        )
        if shares and self._change.acquire(blocking=False):
            try:
                self._move_counts(os.getpid())
            finally:
                self._change.release()

    def after_fork(self, *, alone: bool) -> None:
        """Make new locks and an empty journal in a child.

        Args:
            alone: whether the child is not a worker of a server.
        """
        self._change = ReentrantLock()
        self.journal.clear()
        if self._is_on or self._shares_with_child:  # pragma: no branch - children of tests end without a word
            if not alone:
                self.count_together()
            elif not self._count_storage.settled:  # pragma: no branch - a named store goes on
                with self._change:
                    self._move_counts(alone=True)
        if self.rule_file is not None and self.rule_file.reloads:
            self.rule_file.after_fork()
            self._unwatched, self.follows = self.rule_file, True

    def put_in_force(self) -> None:
        """Let this injector's plan override the others' until `take_out_of_force`."""
        if not self.may_inject:
            self.announce()
        self.own_plan.ended = False
        instances.add_override(self)

    def take_out_of_force(self) -> None:
        """End `put_in_force`, and all waits."""
        instances.remove_override(self)
        self._end(self.own_plan)

    def finish(self) -> int:
        """End all waits as the process ends; return the number of faults that are still active."""
        self._end(self.own_plan)
        return self._services.active

    def pause(self, by: int = 1) -> None:
        """Let new requests pass untouched and unrecorded until `pause(-1)`; running requests go on."""
        with instances.changes():
            self._paused += by

    @property
    def paused(self) -> bool:
        """Whether requests pass untouched and unrecorded for now."""
        return self._paused > 0

    @property
    def disarmed(self) -> str:
        """The reason why `abort` has ended all faults until `enable`; empty if it has not."""
        return self._state.why_off

    @property
    def failures(self) -> int:
        """The number of errors inside faultinject."""
        return self._failures.number

    @property
    def undecided(self) -> int:
        """The number of requests that passed because the shared store was unavailable."""
        return self._failures.undecided

    def requests(self) -> tuple[int, int]:
        """The numbers of requests that matched a rule, and that got a fault.

        They cover all processes of the store, since counts began at zero. A request that met the conditions of
        several rules counts once.
        """
        counts = self.own_plan.counts
        shared = counts.shared
        injected = self.injected - self._injected_before if shared is None else shared.injected()
        return counts.requests(), injected

    def passed(self) -> tuple[int, ...]:
        """The numbers of requests that passed, for each reason.

        The reasons are: too many faults were under way, the store did not answer, an error inside faultinject.

        The numbers are those of all processes of the store, since counts began at zero.
        """
        shared = self.own_plan.counts.shared
        if shared is not None:
            return shared.passed()
        return tuple(now - before for now, before in zip(self._passed_here, self._passed_before, strict=True))

    @property
    def _passed_here(self) -> tuple[int, ...]:
        """The numbers of `passed` in this process alone, since the process began."""
        return self._services.refused, self.undecided, self.failures

    def _note_passed(self, why: int) -> None:
        shared = self.own_plan.counts.shared
        if shared is not None:
            shared.note_passed(why)

    @property
    def counted_in(self) -> object:
        """An object that identifies the place of its counts."""
        return self._count_storage.shown or self

    @property
    def store(self) -> str:
        """The place of the counts without a password: `memory:`, `file:…`, `redis://HOST:PORT/DB`."""
        return self._count_storage.place

    @property
    def missing_store(self) -> str:
        """The reason why the store is unavailable since this process began; otherwise empty."""
        return self._count_storage.missing

    @property
    def injected(self) -> int:
        """The number of requests that got a fault, in all scenarios."""
        return self._injected + sum(injected for _, injected, _ in self.own_plan.totals())

    def counts(self) -> dict[str, RuleCounts]:
        """Return the counts of each rule, by its name."""
        self._catch_up_now()
        plan = self.own_plan
        return {name: RuleCounts(*numbers) for name, numbers in zip(plan.names, plan.totals(), strict=True)}

    def share_outcomes(self) -> None:
        """Share this injector's outcomes with the other processes of its store from now on.

        From then on `events` returns the outcomes of all processes.
        """
        with self._change:
            self._watched = True
            shared = self._count_storage.journal
            self.journal.share = None if shared is None else shared.add

    def events(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """The outcomes of this process, or of all that share them by `share_outcomes`.

        If the end of a request is not known at once, there are two outcomes with the same `pid` and `seq`: the second,
        with `final` true, replaces the first.

        Args:
            after: the cursor of an earlier call, in any process; empty: from the oldest outcome.
            limit: the maximum number of outcomes.

        Returns:
            The outcomes in order, the next cursor, and how many outcomes between the two are no longer kept.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        shared = self._count_storage.journal if self._watched else None
        return (self.journal.events if shared is None else shared.read)(after, limit)

    def __repr__(self) -> str:
        return f"<Injector {summary(self.scenario, self.seed, on=self.enabled)}>"


class JoinedInjector(Injector):
    """The injector of a test's block, or of rules that another process has put in force."""

    _is_overridden = False  # as it overrides the others

    def __init__(
        self,
        scenario: Rules,
        joining: Joining,
        *,
        seed: str | int | None = None,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
        record_all: bool = False,
        journal: str | None = None,
    ) -> None:
        self._joining = joining
        super().__init__(
            scenario, seed=seed, clock=clock, environ=environ, record_all=record_all, journal=journal
        )


class OwnInjector(Injector):
    """The injector around faultinject's own servers.

    `inject`, tests and explorations override its rules; `faultinject run` does not.
    """

    def apply_override(self, override: Injector | None) -> None:
        """Put the plan of an override in force here, unless it has the rules of `run`."""
        super().apply_override(None if override is not None and override.of_run else override)


def _server_start() -> float:
    from faultinject.counts.private import server_start

    return server_start(_STARTED)


def given_seed(scenario: Scenario, seed: str | int | None) -> str | None:
    """The seed that is given beside a scenario, or in it; None if neither is."""
    return scenario.seed if seed is None else Scenario([], seed=seed).seed


def _moment(until: float, now: float) -> float:
    """Check that a moment, in unix seconds, is in the future."""
    if isinstance(until, bool) or not isinstance(until, int | float) or not now < until < _LAST:
        raise ConfigurationError(
            f"until: {shown(repr(until))} is not a moment in the future, in unix seconds; it is now {now:.0f}"
        )
    return float(until)


def _catch_up_with_session() -> None:
    follower = instances.follower()
    if follower is not None and follower.number() != follower.number_in_force:
        follower.catch_up()


def has_to_share(scenario: Scenario, control: ControlSettings | None) -> bool:
    """Whether processes have rules to share, or may get some by the control API."""
    return bool(scenario.rules) or control is not None


def log_expired(variable: float | None, moment: float, *, from_the_start: bool = False) -> None:
    """Log the expiry at the first request that would have matched a rule.

    Before that request no fault was missing. A timer would need a thread: with one, each fork of the process warns
    (Python 3.12), and servers without threads, or with greenlets, would not run it.

    Args:
        variable: the moment that FAULTINJECT_EXPIRES names, or None.
        moment: the moment that has passed.
        from_the_start: whether it had passed before this process began.
    """
    log.log_expired(moment, None if from_the_start else instances.injected, by_variable=moment == variable)


def _file_of(environ: Mapping[str, str]) -> RuleFile | None:
    """The file of rules that the environment names; None if it is not one to read again."""
    if not environ.get("FAULTINJECT_FILE"):
        return None
    from faultinject.injector.rule_file import RuleFile, is_watchable

    file = RuleFile(environ)
    # A file that is missing now may come back, if the server began with one.
    return file if is_watchable(environ) or file.first_scenario is not None else None


def _check_store(store: object) -> None:
    try:
        read_store(store if isinstance(store, str) else repr(store))
    except Mistake as mistake:
        raise mistake.error([Problem(mistake.message, where="store")]) from None
