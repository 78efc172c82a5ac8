"""What the log says of an injector; `logging` is loaded only when there is something to say."""

from __future__ import annotations

import os
import sys

from faultinject.engine.counting import Counter
from faultinject.engine.shown import quoted
from faultinject.exceptions import StoreUnavailable, UnsupportedServer
from faultinject.rules.values import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from faultinject.journal.outcome import Outcome
    from faultinject.rules.rule import Rule

DEBUG = 10
_ERRORS_KEPT = 100
_doubted: set[tuple[str, str]] = set()
_expired: dict[tuple[int, float], object] = {}
_injections: Logger | None = None
_MOST_RULES = 20
_LONGEST_RULE, _LONGEST_AGENT = 500, 100


def on(seed: str, rules: Sequence[Rule], names: Sequence[str]) -> None:
    """Faults may be injected: the scenario and its seed. A rule that a shell has cut short must be visible.

    Also what hardly any request can match, as a method that HTTP does not know, and keys that have no effect.
    """
    told = [_cut(str(each)) for each in rules[:_MOST_RULES]]
    if len(rules) > _MOST_RULES:
        told.append(f"and {len(rules) - _MOST_RULES} more")
    _warn("faultinject is on: seed %s, rules %s", seed, " ".join(told) or "none")
    _warn_of(_doubts(rules, names))


def asking() -> None:
    """Requests may ask for their own faults: everybody who reaches the app can do so."""
    _warn(
        "faultinject: FAULTINJECT_ON_REQUEST lets every request ask for its own faults, in the header x-faultinject-rules"
    )


def doubtful(rules: Sequence[Rule], names: Sequence[str]) -> None:
    """Rules come into force after the start: what hardly any request can match is said, of each rule once a process."""
    doubts = [each for each in _doubts(rules, names) if each not in _doubted]
    _doubted.update(doubts)
    _warn_of(doubts)


def _doubts(rules: Sequence[Rule], names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, doubt) for name, rule in zip(names, rules, strict=True) for doubt in rule.doubts()]


def _warn_of(doubts: list[tuple[str, str]]) -> None:
    """A rule has a method that almost no request has, or a key that has no effect."""
    for name, doubt in doubts[:_MOST_RULES]:
        _warn("faultinject: %s: %s", name, doubt)
    if len(doubts) > _MOST_RULES:
        _warn("faultinject: and %s more warnings about rules", len(doubts) - _MOST_RULES)


def expired(moment: float, injected: Callable[[], int] | None = None, *, by_variable: bool = True) -> None:
    """Faults have ended; logged once for each process and moment.

    Args:
        moment: in unix seconds.
        injected: tells how many faults were, until then; None: it had passed before the start.
        by_variable: whether FAULTINJECT_EXPIRES names it, or somebody who has switched faults on until then.
    """
    mine = object()
    if _expired.setdefault((os.getpid(), moment), mine) is not mine:
        return
    name = "FAULTINJECT_EXPIRES" if by_variable else "the time that it was switched on for"
    if injected is None:
        _warn("faultinject is off: %s has passed", name)
        return
    from time import gmtime, strftime

    number = injected()
    _warn(
        "faultinject is off: %s passed at %s, %s injected",
        name,
        strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment)),
        "1 fault was" if number == 1 else f"{number} faults were",
    )


def disarmed(why: str) -> None:
    """The app's own failures have exceeded the limit of `abort`: nothing is injected until somebody switches faults on again."""
    _log().error("faultinject is off: %s; nothing is injected until it is enabled again by hand", why)


def detach(why: str = "") -> None:
    """Several processes serve the app, and do not share counts."""
    cause = why or "FAULTINJECT_STORE is memory:"
    _warn("faultinject: several processes count separately and replay is off, because %s", cause)


def shared(path: str, seed: str) -> None:
    """Several processes serve the app, and share their counts."""
    _warn("faultinject: several processes share their counts in %s, seed %s", path, seed)


def production(variable: str) -> None:
    """Nothing is injected, because the environment looks like production."""
    _log().error(
        "faultinject is off: %s looks like production; to inject there set FAULTINJECT_PRODUCTION=allow"
        " and FAULTINJECT_EXPIRES to at most 24h",
        variable,
    )


def forgotten() -> None:
    """Rules were given in code, and nothing switches them on."""
    _warn("faultinject: rules were given to install(), but it is off: set FAULTINJECT_ENABLED=1")


def misspelled(variable: str) -> None:
    """It is off, and a variable of the environment was probably meant to switch it on."""
    _warn("faultinject is off: did you mean FAULTINJECT_ENABLED? %s is set and means nothing", variable)


def no_answer(why: str) -> None:
    """The proxy has no answer from its server, or only a part of one."""
    _warn("faultinject: %s", why)


def waiting(variable: str) -> None:
    """It is off, and a variable of the environment gives rules."""
    _warn(
        "faultinject is off: %s is set, FAULTINJECT_ENABLED is not; set it to 1, or to 0 to silence this message",
        variable,
    )


def failed(error: Exception, rule: str) -> None:
    """An error inside faultinject itself."""
    if isinstance(error, UnsupportedServer):
        refused(error)
        return
    _log().error("faultinject: rule %s failed, the request passed untouched", rule or "?", exc_info=error)


def beside_failed(error: Exception) -> None:
    """An error in background work."""
    _log().error("faultinject: background work failed, requests go on", exc_info=error)


class Failures:
    """The errors inside faultinject itself, each of which let a request pass.

    Attributes:
        kept: the first hundred, but for those of a store.
        number: how many there were, but for those of a store.
    """

    def __init__(self) -> None:
        self.kept: list[Exception] = []
        self.number = 0
        self._undecided = Counter()
        self._blamed: set[str] = set()

    def note(self, error: Exception, rule: str) -> None:
        """Keep one, and log it once a rule; what a store has is told by what guards it."""
        if isinstance(error, StoreUnavailable):
            self._undecided.next()
            return
        self.number += 1
        if len(self.kept) < _ERRORS_KEPT:
            self.kept.append(error)
        if rule not in self._blamed:
            self._blamed.add(rule)
            failed(error, rule)

    @property
    def undecided(self) -> int:
        """How many requests passed because of a store."""
        return self._undecided.value


def refused(error: Exception) -> None:
    """A wrong configuration, or an unsupported server, that could not be raised as an exception."""
    _log().error("faultinject: %s", error)


def journal_ends(path: str, why: str) -> None:
    """A journal's file cannot be written any more."""
    _log().error("faultinject: writing to the journal %s has stopped: %s", path, why)


def journal_anew(path: str) -> None:
    """A journal's file was removed or renamed, as log rotation does, and another one takes the lines."""
    _log().warning("faultinject: the journal %s was removed or renamed; a new file is opened", path)


def events_lost(place: str, why: str) -> None:
    """Other processes cannot get the outcomes; logged for the first lost line."""
    _log().error(
        "faultinject: the shared journal in %s cannot be written to, lines are dropped: %s", place, why
    )


def store_busy(number: int) -> None:
    """Requests got no decision because another process had the lock of the store."""
    _warn(
        "faultinject: another process held the store's lock for too long: %s %s passed without a decision",
        number,
        "request" if number == 1 else "requests",
    )


def store_away(error: Exception) -> None:
    """The shared store is unavailable: nothing is injected until it is back."""
    _log().error("faultinject: nothing is injected while the store is unavailable: %s", error)


def store_lost(store: str) -> None:
    """A server has lost what was counted."""
    _log().error("faultinject: %s has lost its data: counts begin at zero again", store)


def unread(error: Exception) -> None:
    """The rules that another process of the store has put in force cannot be read here."""
    _log().error("faultinject: the new rules cannot be read, the previous ones stay in force: %s", error)


def counted_apart(variable: str) -> None:
    """Each worker counts metrics for itself, and nothing adds them up."""
    _warn("faultinject: a scrape shows the metrics of one worker of several: set %s", variable)


def file_changed(path: str) -> None:
    """The rule file has new rules, which are now in force."""
    _warn("faultinject: %s has changed, its rules are in force from now on", path)


def rules_kept(error: Exception) -> None:
    """The new rules of the rule file cannot be put in force."""
    _log().error("faultinject: the file of rules has changed, the previous rules stay in force: %s", error)


def replaced(by: int) -> None:
    """Another server or program has changed the rules of the shared store."""
    _warn("faultinject: process %s has changed the rules", by)


def switched(until: float | None, why: str, *, on: bool) -> None:
    """Somebody has switched faults on or off in all processes of a store.

    Args:
        until: unix seconds at which they go off by themselves, or None.
        why: why they are off where nobody asked for it; else empty.
        on: which of the two.
    """
    if not on:
        _warn(
            "faultinject is off: it was switched off for all processes of its store%s",
            why and f": {why}",
        )
        return
    from time import gmtime, strftime

    end = "" if until is None else strftime(" until %Y-%m-%dT%H:%M:%SZ", gmtime(until))
    _warn("faultinject is on%s: it was switched on for all processes of its store", end)


def session_unread(error: Exception) -> None:
    """The rules of the session cannot be read here; it has probably ended."""
    _log().error(
        "faultinject: the rules of the session cannot be read, so this process has none in force: %s", error
    )


def store_back(missed: int) -> None:
    """The store is available again."""
    _warn("faultinject: the store is available again; %s requests passed without a decision", missed)


def injections_told() -> Callable[[int], bool]:
    """A function from a level to whether anybody wants a record of each injected fault: of `faultinject.injections`."""
    global _injections  # noqa: PLW0603
    if _injections is None:
        import logging

        _injections = logging.getLogger("faultinject.injections")
    return _injections.isEnabledFor


def injection(outcome: Outcome) -> None:
    """One injected fault, or one that was not carried out after all: the journal's fields are those of the record."""
    assert _injections is not None
    given = (
        "injected %s (%s) into %s %s by %s"
        if outcome.injected
        else "did not inject %s (%s) into %s %s by %s after all"
    )
    what = f"{outcome.did} {outcome.status}" if outcome.status else outcome.did
    _injections.log(
        DEBUG,
        given,
        quoted(outcome.fault or ""),
        what,
        quoted(outcome.method),
        quoted(outcome.path),
        quoted(outcome.rule or ""),
        extra=escaped(outcome.to_dict()),
    )


def escaped(fields: dict[str, object]) -> dict[str, object]:
    """Plain data with the text in it fit for a log."""
    return {
        name: quoted(value)
        if isinstance(value, str)
        else escaped(value)
        if isinstance(value, dict)
        else value
        for name, value in fields.items()
    }


def changed(what: str, client: str, agent: str, place: str, generation: int) -> None:
    """Somebody has changed the rules or the switch with the control API.

    Args:
        what: what was done.
        client: the address that asked for it, as the server says it.
        agent: the User-Agent that asked for it, as it says itself.
        place: where the API was asked.
        generation: of what is in force now.
    """
    _warn(
        "faultinject: %s%s %s by the control API (%s), generation %s",
        client or "somebody",
        f" ({agent[:_LONGEST_AGENT]})" if agent else "",
        _cut(what),
        place,
        generation,
    )


def control(place: str, token: str | None) -> None:
    """The control API is ready.

    Args:
        place: where.
        token: the random one that nobody can know otherwise; None where the environment gives it.
    """
    if token is None:
        _warn("faultinject: the control API is at %s, its token is in FAULTINJECT_TOKEN", place)
    else:
        _warn("faultinject: the control API is at %s, its token is %s", place, token)


def _warn(text: str, *values: object) -> None:
    told = tuple(visible(str(each)) for each in values)  # a rule or a seed of a request could end the line
    if "logging" in sys.modules:
        _log().warning(text, *told)
    else:
        # What logging itself would do where nobody has set it up, at a third of the start-up time.
        print(text % told, file=sys.stderr)  # noqa: T201 - stands for the log


def _cut(rule: str) -> str:
    return rule if len(rule) <= _LONGEST_RULE else f"{rule[:_LONGEST_RULE]}…"


def _log() -> Logger:
    import logging

    return logging.getLogger("faultinject")
