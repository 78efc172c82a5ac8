"""The log of the package; `logging` is loaded only when there is something to log."""

from __future__ import annotations

import os
import sys
from functools import cache

from faultinject.engine.counting import Counter
from faultinject.exceptions import StoreUnavailableError, UnsupportedServerError
from faultinject.rules.values import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from faultinject.rules.rule import Rule

LONGEST_TEXT = 500
"""The most characters of a rule, or of a change, that a line shows."""
_ERRORS_KEPT = 100
_logged_doubts: set[tuple[str, str]] = set()
_logged_expiries: dict[tuple[int, float], object] = {}
_MOST_RULES = 20


def warning(text: str, *values: object) -> None:
    """Log a warning; line ends in values, which may come from a request, are escaped.

    The documentation lists all warnings. It takes the explanation of each from the comment above the call, or from the
    docstring of the function with the call.
    """
    shown = tuple(visible(str(value)) for value in values)
    if "logging" in sys.modules:
        _logger().warning(text, *shown)
    else:
        # `logging` without a configuration prints the same, but loading it would triple the start-up time.
        print(text % shown, file=sys.stderr)  # noqa: T201 - stands for the log


def error(text: str, *values: object, cause: Exception | None = None) -> None:
    """Log an error, with the traceback of its cause if there is one."""
    _logger().error(text, *values, exc_info=cause)


def log_enabled(seed: str, rules: Sequence[Rule], names: Sequence[str]) -> None:
    """Faults may be injected by these rules; a rule that a shell has cut short shows here.

    Warnings follow about rules that match almost no request, such as rules for a method that HTTP does not know, and
    about keys without an effect.
    """
    shown = [shorten(str(rule)) for rule in rules[:_MOST_RULES]]
    if len(rules) > _MOST_RULES:
        shown.append(f"and {len(rules) - _MOST_RULES} more")
    warning("faultinject is on: seed %s, rules %s", seed, " ".join(shown) or "none")
    _warn_of_doubts(_doubts(rules, names))


def log_new_rules(rules: Sequence[Rule], names: Sequence[str]) -> None:
    """Warn of doubtful rules that came into force after the start, of each doubt once a process."""
    doubts = [doubt for doubt in _doubts(rules, names) if doubt not in _logged_doubts]
    _logged_doubts.update(doubts)
    _warn_of_doubts(doubts)


def _doubts(rules: Sequence[Rule], names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, doubt) for name, rule in zip(names, rules, strict=True) for doubt in rule.doubts()]


def _warn_of_doubts(doubts: list[tuple[str, str]]) -> None:
    """A rule has a method that almost no request has, or a key that has no effect."""
    for name, doubt in doubts[:_MOST_RULES]:
        warning("faultinject: %s: %s", name, doubt)
    if len(doubts) > _MOST_RULES:
        warning("faultinject: and %s more warnings about rules", len(doubts) - _MOST_RULES)


def log_expired(
    moment: float, injected: Callable[[], int] | None = None, *, by_variable: bool = True
) -> None:
    """Faults have ended; logged once for each process and moment.

    Args:
        moment: in unix seconds.
        injected: returns the number of faults until then; None: it had passed before the start.
        by_variable: whether FAULTINJECT_EXPIRES names it; else somebody has switched faults on until then.
    """
    mark = object()
    if _logged_expiries.setdefault((os.getpid(), moment), mark) is not mark:
        return
    name = "FAULTINJECT_EXPIRES" if by_variable else "the time that it was switched on for"
    if injected is None:
        warning("faultinject is off: %s has passed", name)
        return
    from time import gmtime, strftime

    number = injected()
    warning(
        "faultinject is off: %s passed at %s, %s injected",
        name,
        strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment)),
        "1 fault was" if number == 1 else f"{number} faults were",
    )


def log_switched(until: float | None, reason: str, *, on: bool) -> None:
    """Somebody has switched faults on or off in all processes of a store.

    Args:
        until: unix seconds at which they go off by themselves, or None.
        reason: the reason why `abort` has switched them off; else empty.
        on: which of the two.
    """
    if not on:
        warning(
            "faultinject is off: it was switched off for all processes of its store%s",
            reason and f": {reason}",
        )
        return
    from time import gmtime, strftime

    end = "" if until is None else strftime(" until %Y-%m-%dT%H:%M:%SZ", gmtime(until))
    warning("faultinject is on%s: it was switched on for all processes of its store", end)


def log_rule_failure(failure: Exception, rule: str) -> None:
    """An error inside faultinject itself, or a server that it does not support."""
    if isinstance(failure, UnsupportedServerError):
        error("faultinject: %s", failure)
        return
    error("faultinject: rule %s failed, the request passed untouched", rule or "?", cause=failure)


class Failures:
    """The errors inside faultinject itself, each of which left a request without a fault.

    Attributes:
        errors: the first hundred errors, without those of a store.
        number: the number of errors, without those of a store.
    """

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.number = 0
        self._undecided = Counter()
        self._blamed: set[str] = set()

    def note(self, failure: Exception, rule: str) -> None:
        """Keep an error, and log it once for each rule; a store's errors are logged by its counts."""
        if isinstance(failure, StoreUnavailableError):
            self._undecided.next()
            return
        self.number += 1
        if len(self.errors) < _ERRORS_KEPT:
            self.errors.append(failure)
        if rule not in self._blamed:
            self._blamed.add(rule)
            log_rule_failure(failure, rule)

    @property
    def undecided(self) -> int:
        """The number of requests that passed because of a store's error."""
        return self._undecided.value


@cache
def log_server_hidden() -> None:
    """Another middleware stands outside and hides the server; logged once a process."""
    warning(
        "faultinject: a middleware outside of faultinject hides the server, so answers are cut beneath it,"
        " and it may log errors of its own: put faultinject outermost, by install() or the last"
        " add_middleware()"
    )


def log_rules_kept(failure: Exception) -> None:
    """The new rules of the rule file cannot be put in force."""
    error("faultinject: the file of rules has changed, the previous rules stay in force: %s", failure)


def shorten(text: str) -> str:
    """The text, cut after `LONGEST_TEXT` characters."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _logger() -> Logger:
    import logging

    return logging.getLogger("faultinject")
