"""One rule of a plan, made of closures and numbers instead of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from faultinject.engine.counting import Counter
from faultinject.engine.draw import ONE, drawer, threshold
from faultinject.engine.request import Request
from faultinject.vendors.addressing import Addressing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from faultinject.engine.counting import SharedCounts
    from faultinject.engine.entry import Entry
    from faultinject.vendors.vendor import Vendor

    # Returns an action. Its type is not named, as `actions` imports `answers`, which imports this module.
    Act = Callable[[Request, Entry, bytes], Any]
    Scope = Callable[[Request, Addressing, str], str]


_OPTIONS = frozenset(("OPTIONS",))


class Rule(Protocol):
    """The part of `rules.rule.Rule` that a plan uses."""

    @property
    def fault(self) -> str:
        """The fault, as written."""

    @property
    def label(self) -> str:
        """The text on which the draws depend."""

    @property
    def vendor(self) -> Vendor | None:
        """The vendor that reads bucket, key and operation; None: as an S3 request."""

    @property
    def conditions(self) -> Mapping[str, tuple[str, ...]]:
        """The texts of each condition, by canonical key."""

    @property
    def unless(self) -> Mapping[str, tuple[str, ...]]:
        """The conditions under which it does not match, in the same form."""

    @property
    def options(self) -> Mapping[str, str]:
        """The text of each trigger and effect, by canonical key."""

    @property
    def set_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that it adds or replaces."""

    @property
    def changes_body(self) -> bool:
        """Whether its fault changes the body of an answer on its way."""

    @property
    def draws(self) -> bool:
        """Whether its fault draws more random values than the ids of its answers."""

    def value(self, key: str) -> Any:
        """The parsed value of a trigger or effect, or its default."""

    def prepare(self, compiled: CompiledRule) -> Act:
        """The action of its fault, prepared as far as possible."""

    def compile(self, context: Addressing, seed: bytes) -> Callable[[Request], bool]:
        """The test of a request."""


class Settings(Protocol):
    """The settings of a plan's services that the answers of its rules need."""

    marked: bool
    """Whether answers carry `x-faultinject` and `Cache-Control`."""
    guarded: bool
    """Whether answers carry `BROWSER_GUARDS`."""
    endpoints: tuple[str, ...]
    """The user's own host suffixes."""


class CompiledRule:
    """One rule of a plan, compiled: its tests, its draw and its action.

    Args:
        rule: the rule as written.
        number: the number under which it is counted.
        name: its name in the journal and in `x-faultinject`.
        duplicate: the number of earlier rules of the scenario with the same label.
        key: the key of the draws; it differs between processes that count separately.
        seed: the key of the seed alone, by which `sample` chooses the same requests in every process.
        reading: the reading of bucket, key and operation.
        services: the settings of its answers.
        shared: the counts that other processes share, or None.

    Attributes:
        number: the number under which it is counted.
        name: its name in the journal and in `x-faultinject`.
        rule: the rule as written.
        reading: the reading of bucket, key and operation.
        above: the rate as (limit, period in seconds), or None.
        takes_preflights: whether it may match CORS preflights.
        skips: tells, from the number of a match in its scope, whether `skip`, `from` or `every` skips it; None: never.
        scope: gives the name of the scope of a request's counts; None: the rule as a whole.
        fired: the number of decisions for its fault.
        undone: the number of these that were not carried out.
        failed: the number of decisions that an error in faultinject prevented.
        times: the most injections in its scope; None: no limit.
        lock_free_after: the number of takes in its scope after which no decision needs the shared counts: 0 for a rule
            that always or never fires, and draws nothing but ids; None: every decision needs them.
        act: makes the action for a request for which the rule fires.
        matches: tests whether all conditions hold for a request, and no `unless` condition does.
        always_fires: whether the probability is 1.
        drawn: gives the digest of the nth match of an identity, or None if the rule does not fire.
        window: tells, from the scenario's age in seconds, whether it is between `begin` and `end`; None: always.
    """

    def __init__(
        self,
        rule: Rule,
        number: int,
        name: str,
        *,
        duplicate: int,
        key: bytes,
        seed: bytes,
        reading: Addressing,
        services: Settings,
        shared: SharedCounts | None,
    ) -> None:
        self.rule = rule
        self.number = number
        self.name = name
        self.services = services
        self.reading = reading
        self.above: tuple[int, float] | None = rule.value("above")
        self.skips = _skips(rule.value("skip") + rule.value("from") - 1, rule.value("every"))
        self.times: int | None = rule.value("times")
        self.scope = SCOPES[rule.value("per")]
        self.window = _window(rule.value("begin"), rule.value("end"))
        self.takes_preflights = asks_for_options(rule, self.reading)
        self.fired = Counter()
        self.undone = Counter()
        self.failed = Counter()
        self._note_injected = None if shared is None else shared.note_injected
        limit = threshold(rule.value("probability"))
        self.always_fires = limit >= ONE
        label = f"{rule.label}#{duplicate + 1}" if duplicate else rule.label
        self.drawn = drawer(key, label, limit) if limit else _never
        self.lock_free_after = self._lock_free_after(limit)
        self.act = rule.prepare(self)
        self.matches = rule.compile(self.reading, seed)

    def _lock_free_after(self, limit: int) -> int | None:
        if not limit or self.times == 0:
            return 0
        counted = self.skips is not None or self.above is not None or not self.always_fires
        if counted or self.rule.draws:
            return None
        return self.times or 0

    def take_back(self) -> None:
        """Note that a fault was decided but not carried out."""
        self.undone.next()
        if self._note_injected is not None:
            self._note_injected(self.number, -1)


def asks_for_options(rule: Rule, reading: Addressing) -> bool:
    """Whether a rule names OPTIONS, or an operation that has no other method.

    A pattern that matches OPTIONS does not count.
    """
    if any(text.removeprefix("=").upper() == "OPTIONS" for text in rule.conditions.get("method", ())):
        return True
    texts = [text for text in rule.conditions.get("operation", ()) if text[:1] == "=" or "*" not in text]
    return any(
        reading.operations.methods(reading.operations.recognised_for((text,))) == _OPTIONS for text in texts
    )


def _never(identity: str, n: int) -> None:
    """The draw of a rule with probability 0."""


def _skips(skip: int, every: int) -> Callable[[int], bool] | None:
    if every == 1:
        return None if skip == 0 else lambda n: n < skip
    return lambda n: n < skip or (n - skip + 1) % every != 0


def _window(begin: float, end: float | None) -> Callable[[float], bool] | None:
    if end is None:
        return None if begin == 0 else lambda age: age >= begin
    return lambda age: begin <= age < end


SCOPES: dict[str, Scope | None] = {
    "rule": None,
    "call": lambda _request, _reading, exact: exact,
    "key": lambda request, reading, _exact: "/{}/{}".format(
        *(part or "" for part in reading.read_address(request))
    ),
    "bucket": lambda request, reading, _exact: f"/{reading.read_address(request)[0] or ''}",
    "operation": lambda request, reading, _exact: reading.operation(request) or "none",
    "client": lambda request, _reading, _exact: request.client or "none",
}
"""For each value of `per`, the function that names a request's scope; None: the whole rule."""


def duplicate_indices(rules: Iterable[Rule]) -> list[int]:
    """For each rule the number of earlier ones with the same label."""
    last_index: dict[str, int] = {}
    indices = []
    for rule in rules:
        label = rule.label
        last_index[label] = earlier = last_index.get(label, -1) + 1
        indices.append(earlier)
    return indices
