"""A rule compiled: closures and numbers instead of text, made when the rule is first a candidate; and what it draws by."""

from __future__ import annotations

from faultinject.engine.counting import Counter
from faultinject.engine.draw import ONE, drawer, threshold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faultinject.engine.counting import SharedNotes
    from faultinject.engine.plan import Services
    from faultinject.engine.request import Request
    from faultinject.rules.rule import Rule
    from faultinject.vendors.addressing import Addressing

    Scope = Callable[[Request, Addressing, str], str]

    Check = Callable[[Request], bool]

_OPTIONS = frozenset(("OPTIONS",))


class CompiledRule:
    """One rule of a plan, ready to be asked about requests.

    Args:
        rule: the rule as written.
        number: the number under which it is counted.
        name: what it is called in the journal and in `x-faultinject`.
        duplicate: how many earlier rules of the scenario have the same label.
        key: the seed's key.
        seed: the same without what tells processes apart that count for themselves.
        reading: how it reads bucket, key and operation.
        services: clocks, journal and settings.
        shared: what other processes are told, if there may be any.

    Attributes:
        number: the number under which it is counted.
        name: what it is called in the journal and in `x-faultinject`.
        rule: the rule as written.
        reading: how it reads bucket, key and operation.
        above: the rate as (limit, period in seconds), or None.
        takes_preflights: whether it is for CORS preflights as well.
        skips: a function from the number of a match in its scope to whether skip, from and every leave it alone; None for never.
        scope: a function to the name of the scope that counts are kept in; None for the rule as a whole.
        fired: how often its fault was decided on.
        undone: how many of these were not carried out.
        failed: how often an error of ours kept it from doing what it had decided on.
        times: how often it injects in its scope; None for no limit.
        lock_free_after: takes after which it no longer needs the shared counts: 0 for a rule that always or never fires, and
            draws nothing but ids; None: one always does.
        act: what the fault does to a request that the rule fires for.
        matches: whether all conditions hold for a request, and no `unless` does.
        always_fires: whether the probability is 1.
        drawn: the digest of the nth match of an identity, or None when chance says no.
        window: a function from the scenario's age in seconds to whether begin and end are open; None for always.
    """

    __slots__ = (
        "_note_injected",
        "above",
        "act",
        "always_fires",
        "drawn",
        "failed",
        "fired",
        "lock_free_after",
        "matches",
        "name",
        "number",
        "reading",
        "rule",
        "scope",
        "services",
        "skips",
        "takes_preflights",
        "times",
        "undone",
        "window",
    )  # fmt: skip

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
        services: Services,
        shared: SharedNotes | None,
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
        self.act = rule.resolved.prepare(self)
        self.matches = rule.compile(self.reading, seed)

    def _lock_free_after(self, limit: int) -> int | None:
        if not limit or self.times == 0:
            return 0
        counted = self.skips is not None or self.above is not None or not self.always_fires
        if counted or self.rule.resolved.draws(self.rule):
            return None
        return self.times or 0

    def take_back(self) -> None:
        """A fault that was decided on is not carried out."""
        self.undone.next()
        if self._note_injected is not None:
            self._note_injected(self.number, -1)


def asks_for_options(rule: Rule, reading: Addressing) -> bool:
    """Whether a rule names OPTIONS, or an operation that is nothing else, as `OptionsObject`; a pattern names none."""
    if any(each.removeprefix("=").upper() == "OPTIONS" for each in rule.conditions.get("method", ())):
        return True
    named = [each for each in rule.conditions.get("operation", ()) if each[:1] == "=" or "*" not in each]
    return any(reading.operations.methods(reading.operations.meant((each,))) == _OPTIONS for each in named)


def _never(identity: str, n: int) -> None:
    """The draw of a rule with probability 0."""


def _skips(skip: int, every: int) -> Callable[[int], bool] | None:
    if every == 1:
        return None if skip == 0 else lambda place: place < skip
    return lambda place: place < skip or (place - skip + 1) % every != 0


def _window(begin: float, end: float | None) -> Callable[[float], bool] | None:
    if end is None:
        return None if begin == 0 else lambda age: age >= begin
    return lambda age: begin <= age < end


SCOPES: dict[str, Scope | None] = {
    "rule": None,
    "call": lambda _request, _reading, exact: exact,
    "key": lambda request, reading, _exact: "/{}/{}".format(
        *(each or "" for each in reading.read_address(request))
    ),
    "bucket": lambda request, reading, _exact: f"/{reading.read_address(request)[0] or ''}",
    "operation": lambda request, reading, _exact: reading.operation(request) or "none",
    "client": lambda request, _reading, _exact: request.client or "none",
}
"""What `per` may be, and how the scope of a request is named."""


def duplicate_indices(rules: Iterable[Rule]) -> list[int]:
    """For each rule how many earlier ones have the same label."""
    seen: dict[str, int] = {}
    found = []
    for rule in rules:
        label = rule.label
        seen[label] = earlier = seen.get(label, -1) + 1
        found.append(earlier)
    return found
