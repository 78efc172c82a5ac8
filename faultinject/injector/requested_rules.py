"""Faults that a request itself asks for, with rules in its header `x-faultinject-rules`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from faultinject.counts.per_process import PerProcess
from faultinject.engine.plan import Plan
from faultinject.exceptions import ConfigurationError
from faultinject.http.target import utf8
from faultinject.rules.foreign import check_sent_rules
from faultinject.rules.scenario import Scenario

NAME = "on-request"
"""The name of a request's first rule in the journal; the second one is `on-request-2`."""
LONGEST = 2048
"""The most bytes of the header."""
MOST_RULES = 5
MOST_PLANS = 256
"""The most headers whose plans and counts are kept; the least recently used is dropped."""
LONGEST_REFUSAL = 200
"""The most characters of the message about a wrong header."""
ON_OTHER_CLIENTS = frozenset(("http2",))
"""Effects on other clients, whose requests a proxy may send over the same connection."""


class RequestedRules(PerProcess):
    """The plans for requests' headers: each text has a plan with counts of its own.

    A forked child begins without plans, as a thread of its parent may have held this lock or that of a plan.

    Args:
        make: makes the plan of a scenario and the names of its rules.
    """

    def __init__(self, make: Callable[[Scenario, Sequence[str]], Plan]) -> None:
        self._make = make

    def _begin(self) -> None:
        self._plans_by_text: OrderedDict[str, Plan | str] = OrderedDict()
        self._lock = Lock()  # its holder never waits: see `faultinject.locks`

    def plan(self, text: str) -> Plan | str:
        """The plan for a header's text, or the reason why there is none, in one line of ASCII."""
        if len(text) > LONGEST:
            return f"more than {LONGEST} bytes"
        self._begin_once()
        with self._lock:
            earlier = self._plans_by_text.get(text)
            if isinstance(earlier, str) or (earlier is not None and not earlier.ended):
                self._plans_by_text.move_to_end(text)
                return earlier
        # Rules are compiled without the lock, as a fork in another thread waits for the lock.
        new = self._read(text) if earlier is None else earlier.restarted()
        with self._lock:
            if self._plans_by_text.get(text) is earlier:
                self._plans_by_text[text] = new
            new = self._plans_by_text.setdefault(text, new)  # another thread may have been faster
            self._plans_by_text.move_to_end(text)
            dropped = (
                self._plans_by_text.popitem(last=False)[1] if len(self._plans_by_text) > MOST_PLANS else ""
            )
        if not isinstance(dropped, str):
            dropped.end()
        return new

    @property
    def plans(self) -> list[Plan]:
        """The plans that are kept."""
        self._begin_once()
        with self._lock:
            return [plan for plan in self._plans_by_text.values() if not isinstance(plan, str)]

    def _read(self, text: str) -> Plan | str:
        try:
            scenario = Scenario.parse(utf8(text))
            check_sent_rules(scenario, more=ON_OTHER_CLIENTS)
        except ConfigurationError as error:
            first = error.problems[0]
            line = f"{first.where}: {first.message}" if first.where else first.message
            return "".join(sign if " " <= sign <= "~" else "?" for sign in line)[:LONGEST_REFUSAL]
        number = len(scenario.rules)
        if not 1 <= number <= MOST_RULES:
            return f"{number or 'no'} rules; there may be 1 to {MOST_RULES}"
        return self._make(scenario, [NAME, *(f"{NAME}-{place}" for place in range(2, number + 1))])
