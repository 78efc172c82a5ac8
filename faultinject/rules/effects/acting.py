"""When and how a fault acts on the exchange, whatever it is."""

from __future__ import annotations

from faultinject.rules import values
from faultinject.rules.key import HOUR, Effect, YesNo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.rules.types import WrittenRule


class When(Effect):
    """`before`: the app never sees the request; `after`: it runs, and its answer is replaced.

    >>> print(Rule("http:503", when="after"))
    http:503,when=after
    """

    key = "when"
    choices = ("before", "after")
    default = "before"
    default_text = "before"

    def parse(self, text: str) -> str:
        """`before` or `after`."""
        return values.choice(text, self.choices)

    def in_words(self, rule: WrittenRule, text: str, name: str) -> str:
        """What `after` comes to."""
        return rule.resolved.after if text == "after" else ""


class Delay(Effect):
    """Wait before acting: `200ms`, or `100ms..2s` drawn evenly; at most 1h.

    >>> Rule("latency", delay="100ms..2s").value("delay")
    (0.1, 2.0)
    """

    key = "delay"
    seconds = True
    default = (0.0, 0.0)
    default_text = "0"

    def parse(self, text: str) -> tuple[float, float]:
        """Shortest and longest wait, seconds."""
        return values.duration_range(text, HOUR)

    def in_words(self, rule: WrittenRule, text: str, name: str) -> str:
        """How late it is."""
        return rule.resolved.delay_in_words(rule) if rule.value("delay")[1] else ""


class Duration(Effect):
    """How long `hang` says nothing before the connection closes; at most 1h.

    >>> print(Rule("hang", duration="30s"))
    hang,duration=30s
    """

    key = "duration"
    seconds = True
    default = 300.0
    default_text = "5m"

    def parse(self, text: str) -> float:
        """Seconds."""
        return values.duration(text, HOUR)


class Drain(YesNo):
    """Read the request's body before answering.

    >>> print(Rule("http:503", drain=False))
    http:503,drain=no
    """

    key = "drain"
    unusual = "without reading the request's body"
    default = True
    default_text = "yes"


class Http2(YesNo):
    """Break a whole HTTP/2 connection, with all the requests on it; without it such requests are left alone.

    >>> print(Rule("reset", http2=True))
    reset,http2=yes
    """

    key = "http2"
    unusual = "over HTTP/2 together with all else on that connection"
