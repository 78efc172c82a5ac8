"""A compiled scenario finds the rule that fires for a request, and makes its action.

`Plan.decide` is one plain method that returns one action for an adapter to carry out. All that it needs from outside
is given to the plan: the counts, and clocks and journal as `Services`. A rule is compiled when it is a candidate for
the first time.
"""

from __future__ import annotations

from _thread import allocate_lock
from copy import copy
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from faultinject.engine.actions import Action, Pass
from faultinject.engine.compiled_rule import CompiledRule, Rule, duplicate_indices
from faultinject.engine.counting import Counter, Counts, MatchKey, Take
from faultinject.engine.draw import seed_key
from faultinject.engine.entry import Entry
from faultinject.engine.index import index
from faultinject.engine.request import Request
from faultinject.vendors.addressing import Addressing, common
from faultinject.vendors.operations import headers_of
from faultinject.vendors.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence


CHECK_EVERY = 0.5
"""Seconds between two checks whether a wait is over."""


class Waits(Protocol):
    """A clock of a test, in place of the system's."""

    def monotonic(self) -> float:
        """Return the time in seconds, for waits and durations."""

    def wait(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Called by a thread instead of `sleep(seconds)`.

        It may call `sleep`, or move the clock and return at once. If it returns early, the thread reads the clock and
        waits for the remaining time.
        """


class Services:
    """All that a plan needs from outside: clocks, the journal and its injector's settings.

    Attributes:
        journal: takes an entry as a line.
        clock: unix seconds, for ids and rates, and for a scenario's age unless `steady`.
        steady: whether the age of a scenario is measured by `monotonic`, so that a test that moves `time.time` does
            not change the age.
        monotonic: seconds of the clock for durations.
        waits: a test's clock, or None.
        marked: whether injected answers carry `x-faultinject` and `Cache-Control`.
        guarded: whether injected answers carry `BROWSER_GUARDS`, because their rules may have come over HTTP.
        endpoints: the user's own host suffixes.
        most_active: the most faults under way at the same time.
        record_all: whether to record requests that no rule matches.
        expires: unix seconds from which nothing is injected, or None.
        deadline: the same moment on the monotonic clock, as unix time may be set back.
        failed: called with an error inside faultinject itself, and the rule's name if it is known.
        expired: called with `expires` for a request after that moment.
        finish: called when a fault is over, to free its slot.
        refuse: called for a request that gets no fault because all slots are taken.
        look: reads changes of other processes, which may end a wait; None without other processes.
    """

    def __init__(
        self,
        journal: Callable[[Entry], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        failed: Callable[[Exception, str], None],
        expired: Callable[[float], None],
        refuse: Callable[[], object],
        *,
        marked: bool = True,
        guarded: bool = False,
        endpoints: tuple[str, ...] = (),
        most_active: int = 100,
        record_all: bool = False,
        expires: float | None = None,
        steady: bool = False,
        waits: Waits | None = None,
    ) -> None:
        self.journal = journal
        self.steady = steady
        self.clock = clock
        self.monotonic = monotonic if waits is None else waits.monotonic
        self.waits = waits
        self.marked = marked
        self.guarded = guarded
        self.endpoints = endpoints
        self.most_active = most_active
        self.record_all = record_all
        self.look: Callable[[], None] | None = None
        self.expires: float | None = None
        self.deadline = float("inf")
        self.expire(expires)
        self.failed = failed
        self.expired = expired
        self.refuse = refuse
        # One item for each fault that may still begin. `list.pop` and `list.append` are atomic.
        self._free_slots: list[None] = [None] * most_active
        self.finish: Callable[[], None] = partial(self._free_slots.append, None)
        self._refused = Counter()

    def expire(self, moment: float | None) -> None:
        """Inject nothing from that moment on, in unix seconds; None: no end.

        A call with the moment that is already set does not compute the deadline again.
        """
        if moment != self.expires:
            self.deadline = float("inf") if moment is None else self.monotonic() + moment - self.clock()
            self.expires = moment

    def wait(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Let a thread wait by `sleep` or by the test's clock, and return the result of `sleep`."""
        return sleep(seconds) if self.waits is None else self.waits.wait(seconds, sleep)

    def begin(self) -> bool:
        """Take a slot for one more fault under way; return False if all are taken."""
        try:
            self._free_slots.pop()
        except IndexError:
            self._refused.next()
            self.refuse()
            return False
        return True

    @property
    def active(self) -> int:
        """The number of faults under way."""
        return self.most_active - len(self._free_slots)

    @property
    def refused(self) -> int:
        """The number of requests that got no fault because all slots were taken."""
        return self._refused.value


class Watch(Protocol):
    """Counts the app's own answers and failures."""

    @property
    def text(self) -> str:
        """The bound of failures, as a rule file states it."""

    def note(self, *, failed: bool, again: bool) -> None:
        """Note an answer; `again`: it replaces one that was noted before."""


class RequestedRules(Protocol):
    """The rules that requests ask for themselves, by a header."""

    def plan(self, text: str) -> Plan | str:
        """The plan of the rules in a text, or the reason why they are refused."""


class Plan:
    """A scenario ready to decide; only its end, and data prepared on first use, can change.

    Args:
        rules: the rules in the order written.
        names: a name for each rule.
        seed: the seed's text.
        counts: where matches and takes are counted.
        services: clocks, journal and settings.
        generation: the number of scenarios that the injector had before.
        watch: counts the app's own answers and failures, or None.
        requested_rules: makes plans of the rules that requests ask for themselves; None if no request may.
        salt: added to the seed, so that independent processes draw different values.
        places: for each rule the number under which it is counted; by default 0, 1, 2, …
        duplicates: for each rule the number of earlier ones with the same label; by default in the order written.
        off: the numbers of the rules that are switched off.
        started: unix seconds at which the scenario took effect; by default now.
        since: the same moment on the monotonic clock; None: it is computed from `started`.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        names: Sequence[str],
        seed: str,
        *,
        counts: Counts,
        services: Services,
        generation: int = 0,
        watch: Watch | None = None,
        requested_rules: RequestedRules | None = None,
        salt: bytes = b"",
        places: Sequence[int] | None = None,
        duplicates: Sequence[int] = (),
        off: Collection[int] = (),
        started: float | None = None,
        since: float | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.names = tuple(names)
        self.seed = seed
        self.counts = counts
        self.services = services
        self.generation = generation
        self.watch = watch
        self.requested_rules = requested_rules
        self.special = watch is not None or requested_rules is not None
        """Whether there is a watch, or requests may ask for rules; adapters test only this value."""
        now = services.clock()
        self.started = now if started is None else started
        self.since = services.monotonic() - (now - self.started) if since is None else since
        self.places = range(len(self.rules)) if places is None else places
        """For each rule the number under which it is counted."""
        self.endings = 0
        """The number of times that the scenario was ended; each end also ends all waits."""
        self.ended = False
        """Set when the scenario is replaced or switched off."""
        self.key = seed_key(seed + salt.hex())
        self.origin = (generation, seed, seed_key(seed))
        self._readings: dict[str, Addressing] = {}
        self.more_headers: dict[str, bool] = {}
        """Further headers to record: a vendor of another package recognises operations by them.

        The value is True if the operation depends on the header's value, not only on its presence.
        """
        for vendor in {rule.vendor for rule in self.rules if rule.vendor is not None}:
            self.more_headers |= headers_of(vendor)
        (self.environ, self.environ_default), (self.scope, self.scope_default) = index(
            self.rules, self.reading, record_all=services.record_all, off=off
        )
        self._ready: list[CompiledRule | None] = [None] * len(self.rules)
        self._duplicates = duplicates
        # Shared counts also keep the number of injections, and have a lock that a request acquires once.
        self._shared = counts.shared
        self._holds = counts.holds
        self.counts_on_server = getattr(counts, "waits", False)
        """Whether the counts are on a server."""
        self._lock = allocate_lock()  # its holder never waits: see `faultinject.locks`

    def decide(self, request: Request, candidates: Sequence[int]) -> Action | None:
        """Decide one request: match the candidate rules, and find the one that fires.

        A match may lock shared counts; the lock is released as soon as no further take is needed.

        Returns:
            None if no rule's conditions hold, `Pass` if no rule fires, else the action.

        Raises:
            StoreUnavailableError: the counts are unavailable; the request was not counted.
        """
        services = self.services
        arrived, now = services.monotonic(), services.clock()
        expires = services.expires
        if expires is not None and (now >= expires or arrived >= services.deadline):
            services.expired(expires)
            return None
        matched, keys = self._matching(request, candidates, now, arrived)
        if not matched:
            return None
        counts = self.counts
        hold = False
        lock_free_after: list[int] | None = None
        if self._holds:
            hold = not all(rule.times is None for rule in matched)
            lock_free_after = [rule.lock_free_after for rule in matched if rule.lock_free_after is not None]
            if len(lock_free_after) < len(matched):
                lock_free_after = None
        numbers = counts.match(keys, now - self.started, hold, lock_free_after)
        held = hold and numbers[0][1] >= 0
        take: Take | None = None
        try:
            counted = zip(matched, keys, numbers)  # noqa: B905 - one key and one number for each rule
            for rule, (_, scope, identity, _), (n_in_scope, n, exceeds) in counted:
                if not exceeds or (rule.skips is not None and rule.skips(n_in_scope)):
                    continue
                # A rule of probability 1 needs no draw before its take: most of its requests need none at all.
                digest = b"" if rule.always_fires else rule.drawn(identity, n)
                if digest is None:
                    continue
                if rule.times is not None:
                    take = Take(rule.number, scope, rule.times)
                    if not counts.take(take, held):
                        take = None
                        continue
                if held:
                    held = False
                    counts.release()
                return self._inject(rule, request, identity, n, now, arrived, take, digest, matched)
        finally:
            if held:
                counts.release()
        rule = matched[0]
        return Pass(self._entry(rule, request, numbers[0][1], now, arrived, matched))

    def needs_server(self, request: Request, candidates: Sequence[int]) -> bool:
        """Whether the decision waits for a server of counts, so that an event loop would block."""
        matched, _ = self._matching(request, candidates, *self._now())
        return any(rule.lock_free_after != 0 for rule in matched)

    def _entry(
        self,
        rule: CompiledRule,
        request: Request,
        n: int,
        now: float,
        arrived: float,
        matched: Sequence[CompiledRule],
    ) -> Entry:
        entry = Entry(self, request, rule.reading, now, arrived, rule.name, n)
        if len(matched) > 1:
            entry.matched = [other.name for other in matched]
        return entry

    def _inject(
        self,
        rule: CompiledRule,
        request: Request,
        identity: str,
        n: int,
        now: float,
        arrived: float,
        take: Take | None,
        digest: bytes,
        matched: Sequence[CompiledRule],
    ) -> Action:
        """Make the action of a rule that fires, if a slot is free; otherwise return its count."""
        services = self.services
        entry = self._entry(rule, request, n, now, arrived, matched)
        entry.take = take
        digest = digest or rule.drawn(identity, n) or b""
        action: Action
        if services.begin():
            try:
                action = rule.act(request, entry, digest)
            except Exception as error:
                rule.failed.next()
                services.failed(error, rule.name)
                action = Pass(entry, "failed")
            if not isinstance(action, Pass):
                rule.fired.next()
                if self._shared is not None:
                    self._shared.note_injected(rule.number)
                entry.undo = rule.take_back
                return action
            services.finish()
        else:
            entry.fault = rule.rule.fault
            action = Pass(entry, "refused")
        if take is not None:
            self.counts.give_back(take)
        return action

    def matches(self, request: Request, candidates: Sequence[int]) -> bool:
        """Whether the conditions of any of these rules hold; nothing is counted."""
        return bool(self._matching(request, candidates, *self._now())[0])

    def age(self, now: float, arrived: float) -> float:
        """The seconds since the scenario took effect.

        Args:
            now: unix seconds.
            arrived: the same moment on the monotonic clock.
        """
        return arrived - self.since if self.services.steady else now - self.started

    def _now(self) -> tuple[float, float]:
        return self.services.clock(), self.services.monotonic()

    def end(self) -> None:
        """End the waits of this plan, which is replaced or switched off."""
        self.ended = True
        self.endings += 1

    def restarted(self) -> Plan:
        """A copy with the same counts, in force again; waits from before the end stay ended."""
        plan = copy(self)
        plan.ended = False
        return plan

    def over(self, endings: int) -> bool:
        """Whether a wait is over: its scenario was replaced, switched off or expired.

        Args:
            endings: the value of `endings` when the wait began.
        """
        if self.services.look is not None:
            self.services.look()
        return self.ended or self.endings != endings or self.expired

    def pauses(self, seconds: float, longest: float = CHECK_EVERY) -> Iterator[float]:
        """Yield the pauses of a wait, and check before each whether the wait is over.

        Args:
            seconds: how long; zero or below: no pause.
            longest: the longest pause, in seconds.
        """
        clock, endings = self.services.monotonic, self.endings
        end = clock() + seconds
        while (remaining := end - clock()) > 0 and not self.over(endings):
            yield min(remaining, longest)

    @property
    def expired(self) -> bool:
        """Whether the moment has passed from which nothing is injected."""
        services = self.services
        expires = services.expires
        return expires is not None and (
            services.clock() >= expires or services.monotonic() >= services.deadline
        )

    def reuse_rules_of(self, old: Plan) -> None:
        """Take over the compiled rules of an older plan with the same counts."""
        ready = {rule.number: rule for rule in old._ready if rule is not None}
        if not ready:
            return
        for number, place in enumerate(self.places):
            rule = ready.get(place)
            if rule is None:
                continue
            if rule.name != self.names[number]:
                # Its answers carry its name, which may depend on its position among the rules.
                renamed = self._compile(number)
                renamed.fired, renamed.undone, renamed.failed = rule.fired, rule.undone, rule.failed
                rule = renamed
            self._ready[number] = rule

    def note(self, request: Request) -> Entry:
        """Make an entry for a request that no rule matches."""
        now, arrived = self._now()
        return Entry(self, request, self._unmatched, now, arrived)

    @cached_property
    def _unmatched(self) -> Addressing:
        """The reading of a request that no rule matches."""
        return self.reading(common(rule.vendor for rule in self.rules))

    def totals(self) -> list[tuple[int, int, int]]:
        """Count for each rule the requests that matched, got its fault, or were undecided."""
        if self._shared is None:
            count_of = self.counts.matched
            totals = [
                (count_of(place), 0 if rule is None else rule.fired.value - rule.undone.value, 0)
                for place, rule in zip(self.places, self._ready, strict=True)
            ]
        else:
            totals = self._shared.totals(self.places)
        return [
            (matched, injected, undecided + (0 if rule is None else rule.failed.value))
            for (matched, injected, undecided), rule in zip(totals, self._ready, strict=True)
        ]

    def ready(self, number: int) -> CompiledRule:
        """The compiled rule of that number, compiled when it is first a candidate."""
        rule = self._ready[number]
        if rule is None:
            with self._lock:
                rule = self._ready[number]
                if rule is None:
                    rule = self._ready[number] = self._compile(number)
        return rule

    def _compile(self, number: int) -> CompiledRule:
        rule = self.rules[number]
        if not self._duplicates:
            self._duplicates = duplicate_indices(self.rules)
        return CompiledRule(
            rule,
            self.places[number],
            self.names[number],
            duplicate=self._duplicates[number],
            key=self.key,
            seed=self.origin[2],
            reading=self.reading(rule.vendor),
            services=self.services,
            shared=self._shared,
        )

    def reading(self, vendor: Vendor | None) -> Addressing:
        """The reading of requests for that vendor, one object for each vendor."""
        name = vendor.id if vendor is not None and vendor.addressing else ""
        reading = self._readings.get(name)
        if reading is None:
            reading = self._readings[name] = Addressing(vendor if name else None, self.services.endpoints)
        return reading

    def _matching(
        self, request: Request, candidates: Sequence[int], now: float, arrived: float
    ) -> tuple[list[CompiledRule], list[MatchKey]]:
        matched: list[CompiledRule] = []
        keys: list[MatchKey] = []
        preflight = False
        if not request.ordinary:
            if request.upgrades:
                return matched, keys
            preflight = request.is_preflight
        ready = self._ready
        for number in candidates:
            rule = ready[number] or self.ready(number)
            if (
                (rule.window is None or rule.window(self.age(now, arrived)))
                and (not preflight or rule.takes_preflights)
                and rule.matches(request)
            ):
                exact, identity = rule.reading.identify(request)
                scope = "" if rule.scope is None else rule.scope(request, rule.reading, exact)
                matched.append(rule)
                keys.append((rule.number, scope, identity, rule.above))
        return matched, keys
