"""What is in force in this process: the state, the plan that is made of it, and how either gives way to another."""

from __future__ import annotations

from threading import Lock

from faultinject.counts.memory import MemoryCounts
from faultinject.engine.plan import Plan
from faultinject.exceptions import Conflict, StoreUnavailable
from faultinject.injector import instances as registry
from faultinject.injector.turn import Turn
from faultinject.journal import log
from faultinject.rules.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from faultinject.engine.counting import Counts
    from faultinject.engine.services import Services
    from faultinject.injector.asked import Asked
    from faultinject.injector.count_storage import CountStorage
    from faultinject.injector.failure_watch import FailureWatch
    from faultinject.injector.state import State
    from faultinject.journal.writing import Journal
    from faultinject.rules.control import ControlSettings
    from faultinject.rules.environment import Environment
    from faultinject.rules.scenario import Rules


class Off:
    """The plan of an injector that is off: no method has a rule."""

    environ: dict[str, None] = {}  # noqa: RUF012 - never changed
    scope: dict[str, None] = {}  # noqa: RUF012 - never changed
    environ_default = None
    scope_default = None
    special = False
    ended = True


OFF = Off()


class InForce:
    """One state and its plan, of which either is swapped for another whole.

    Args:
        state: what this process would put in force; that of other processes may stand in its place.
        chosen: nobody gave its seed: where other processes have one already, theirs holds.
        settings: those of the environment.
        production: the variable that says that nothing may be injected, or None.
        services: what plans need from outside.
        storage: where counts live.
        journal: where outcomes are kept.
    """

    def __init__(
        self,
        state: State,
        *,
        chosen: bool,
        settings: Environment,
        production: str | None,
        services: Services,
        storage: CountStorage,
        journal: Journal,
    ) -> None:
        self.plan: Plan | Off = OFF
        self.journal = journal
        self.clock = services.clock
        self.control: ControlSettings | None = settings.control
        """Where the control API is asked for, or None; whoever puts the injector around an app opens it there."""
        self._services = services
        self.of_run = False
        """Whether these are the rules that `faultinject run` was given, which stand in the place of others."""
        self._count_storage = storage
        self._expires = settings.expires
        self._abort = settings.abort
        self._failure_watch: FailureWatch | None = None
        self._asked: Asked | None = None
        if settings.on_request:
            from faultinject.injector.asked import Asked

            self._asked = Asked(self.plan_beside)
        self._chosen = chosen
        self._injected = 0
        self._watched = False
        self._paused = 0
        self._killed = settings.enabled is False
        self._production = production
        # Held once the log has said that faults are off, until they are on again.
        self._off_is_said = Lock()
        # A signal's handler may change what is in force while its own thread does.
        self._change = Turn()
        self._state, counts = storage.begin(state, chosen=chosen)
        self.scenario = self._state.scenario
        """The scenario in force, unless a test's stands in its place."""
        self._since: dict[float, float] = {}
        self._own = self._compile(self._state, counts)
        self._heed_time()

    def plan_beside(self, rules: Rules, names: Sequence[str] | None = None) -> Plan:
        """A plan of rules with its own owner, in addition to the scenario: no `use` or `add` changes it.

        It counts in memory, only for itself, and records in this injector's journal. Its owner ends its waits with
        `Plan.end`, and honours `enabled`.

        Args:
            rules: the rules.
            names: their names, by default as in a scenario.

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
            generation=self._state.generation,
        )

    def disarm(self, why: str) -> None:
        """Switch off in all processes of the store because of the app's own failures; only `enable` switches on again.

        Args:
            why: the limit that was exceeded, and the numbers.
        """
        if not self._off_is_said.acquire(blocking=False):
            return  # another process was faster
        log.disarmed(why)
        if not self._count_storage.shown:
            self._disarm(why)
            return
        # The others are told beside the request that has found it out: it may be served by an event loop. A process that ends
        # because its app fails ends behind that.
        from threading import Thread

        try:
            Thread(target=self._disarm, args=(why,), daemon=False).start()
        except RuntimeError:  # there is no room for one, or the interpreter ends
            self._disarm(why)

    def _disarm(self, why: str) -> None:
        from contextlib import suppress

        with suppress(StoreUnavailable):  # here it is off
            self._switch_off(why)

    def _switch_off(self, why: str, expected: int | None = None) -> State:
        try:
            return self._edit(lambda now: now.but(on=False, until=None, why_off=why), expected)
        except StoreUnavailable:
            # Whatever the others do, here nobody is to get a fault any more.
            with self._change:
                self._adopt(self._state.but(on=False, until=None, why_off=why), self._own.counts)
            raise

    @property
    def seed(self) -> str:
        """The seed in force."""
        return self._state.seed

    @property
    def own_plan(self) -> Plan:
        """The compiled scenario of this injector, whether or not it is in force."""
        return self._own

    @property
    def enabled(self) -> bool:
        """Whether faults may be injected now."""
        return self._is_on and not self._own.expired

    @property
    def _is_on(self) -> bool:
        """The same but for a time that is over, which each request looks at."""
        return self._state.on and not (self._killed or self._paused or self._production is not None)

    @property
    def may_inject(self) -> bool:
        """Whether it can be on: neither the environment's kill switch nor production keeps it off."""
        return not self._killed and self._production is None

    def _given_seed(self) -> str | None:
        return None if self._chosen else self.seed

    def _edit(
        self,
        change: Callable[[State], State],
        expected: int | None,
        *,
        anew: bool = False,
        in_any_case: bool = False,
    ) -> State:
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
                now, after = storage.newest(self._state, in_any_case=in_any_case)
                if expected is not None and expected != after:
                    raise Conflict(f"generation {after} is in force, not {expected}: it was changed since")
                try:
                    found = storage.publish(change(now), after=after, anew=anew, counts=self._own.counts)
                except Conflict:
                    continue
                self._adopt(*found)
                return self._state

    def _adopt(self, state: State, counts: Counts) -> None:
        """From here on this is in force in this process."""
        before, old = self._state, self._own
        plan = None
        if counts is not old.counts or not state.decides_as(before):
            plan = self._compile(state, counts)
            # Of rules that are counted no more only this process knows what they did.
            kept = {*plan.places} if counts is old.counts else ()
            totals = zip(old.places, old.totals(), strict=True)
            self._injected += sum(injected for place, (_, injected, _) in totals if place not in kept)
            if counts is old.counts:
                plan.go_on_from(old)
        with registry.changes:
            self._state, self.scenario = state, state.scenario
            if plan is not None:
                self._own = plan
            self._heed_time()
            if state.on:
                self._own.ended = False
                if self._off_is_said.locked():
                    self._off_is_said.release()
        # Others may have switched off and on again since this process looked last.
        again = state.armed != before.armed or (state.on and not before.on)
        if again and self._failure_watch is not None:
            self._failure_watch.reset()
        if self._watched:
            # Where processes count together may have changed.
            self.journal.share = self._count_storage.let_watch()
        if plan is not None or not state.on:
            old.end()

    def _heed_time(self) -> None:
        """Nothing is injected any more at the first of the moments that the environment and what is in force name."""
        moments = [each for each in (self._expires, self._state.until) if each is not None]
        if self._services.expire(min(moments, default=None)):
            self._own.wake()

    def _compile(self, state: State, counts: Counts) -> Plan:
        plan = Plan(
            state.scenario.rules,
            state.scenario.display_names,
            state.seed,
            counts=counts,
            services=self._services,
            generation=state.generation,
            watch=self._watch_of(state.scenario),
            asked=self._asked,
            salt=self._count_storage.salt,
            places=state.places,
            duplicates=state.duplicates,
            off=state.off,
            started=state.began,
            since=self._since.get(state.began),
        )
        self._since = {state.began: plan.since}  # a test's clock may have moved when single rules change
        return plan

    def _watch_of(self, scenario: Scenario) -> FailureWatch | None:
        """What watches the app under that scenario; the same as before where its bound is."""
        text = self._abort or scenario.abort
        if text is None:
            self._failure_watch = None
        elif self._failure_watch is None or self._failure_watch.text != text:
            from faultinject.injector.failure_watch import FailureWatch

            self._failure_watch = FailureWatch(text, self._services.monotonic, self.disarm)
        return self._failure_watch

    def settle(self, first: Self | None) -> None:
        """Put that injector's plan in force here, if it may inject; None: its own."""
        first = first or self
        self.plan = first._own if self.may_inject and first._is_on else OFF  # noqa: SLF001 - of its own kind
