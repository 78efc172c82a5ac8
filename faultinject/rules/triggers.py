"""The triggers: which of the matching attempts get the fault. One class each, in the canonical order."""

from __future__ import annotations

from faultinject.rules import values
from faultinject.rules.key import Key

SCOPES = ("rule", "call", "key", "bucket", "operation", "client")


class Trigger(Key):
    """A key that decides which matches count and fire."""


class Probability(Trigger):
    """The chance per matching attempt, 0 to 1.

    >>> print(Rule("http:503", probability=1e-3))
    http:503,probability=0.001
    """

    key = "probability"
    number = True
    default = 1.0
    default_text = "1"

    def parse(self, text: str) -> float:
        """A number from 0 to 1."""
        return values.probability(text)

    def spell(self, text: str) -> str:
        """The number without an exponent."""
        return values.number_text(float(text)) if "e" in text.lower() else text


class Skip(Trigger):
    """Skip the first N matching attempts.

    >>> Rule("http:503", skip=2).value("skip")
    2
    """

    key = "skip"
    number = True
    default = 0
    default_text = "0"

    def parse(self, text: str) -> int:
        """A whole number, 0 or more."""
        return values.count(text)


class From(Trigger):
    """Fire from the Nth matching attempt on, for good; in Python `from_`.

    >>> print(Rule("cos:ExpiredToken", from_=3))
    cos:ExpiredToken,from=3
    """

    key = "from"
    number = True
    default = 1
    default_text = "1"

    def parse(self, text: str) -> int:
        """A whole number, 1 or more."""
        return values.count(text, 1)


class Every(Trigger):
    """Then only every Nth of them: the Nth, the 2Nth and so on.

    >>> Rule("http:503", every=10).value("every")
    10
    """

    key = "every"
    number = True
    default = 1
    default_text = "1"

    def parse(self, text: str) -> int:
        """A whole number, 1 or more."""
        return values.count(text, 1)


class Times(Trigger):
    """At most N injected faults; 0 is never.

    >>> Rule("http:503", times=2).value("times")
    2
    """

    key = "times"
    number = True
    default_text = "no limit"

    def parse(self, text: str) -> int:
        """A whole number, 0 or more."""
        return values.count(text)


class Per(Trigger):
    """The scope in which skip, from, every, times and above count.

    One of `rule`, `call` (the retries of one thing: method, bucket, key, query), `key` (bucket and key), `bucket`,
    `operation`, `client`.

    >>> print(Rule("http:503", per="call", times=2))
    http:503,times=2,per=call
    """

    key = "per"
    choices = SCOPES
    default = "rule"
    default_text = "rule"


class Above(Trigger):
    """Only the attempts in excess of a rate, `100/s` or `5/10s`.

    >>> Rule("http:503", above="5/10s").value("above")
    (5, 10.0)
    """

    key = "above"
    default_text = "off"

    def parse(self, text: str) -> tuple[int, float]:
        """How many, and in how many seconds."""
        return values.rate(text)


class Begin(Trigger):
    """Only from this long after the scenario took effect.

    >>> Rule("http:503", begin=90).value("begin")
    90.0
    """

    key = "begin"
    seconds = True
    default = 0.0
    default_text = "0"


class End(Trigger):
    """Only until this long after the scenario took effect.

    >>> Rule("http:503", end="5m").value("end")
    300.0
    """

    key = "end"
    seconds = True
    default_text = "no end"


TRIGGERS: dict[str, Trigger] = {
    each.key: each
    for each in (Probability(), Skip(), From(), Every(), Times(), Per(), Above(), Begin(), End())
}
FOR_GOOD, NOT_FOR_GOOD = "from", ("skip", "every", "times")
"""A fault that stays, and what says that it does not."""
