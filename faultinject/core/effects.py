"""The effects: how the fault is given. One class each, in the canonical order; `faults` says which takes which."""

from __future__ import annotations

from faultinject.core import values
from faultinject.core.key import Key
from faultinject.core.values import Mistake, is_token, shown

HOUR = 3600.0
# Reserved words of the grammar, and effects of faults that this version does not have.
LATER = frozenset(("exact", "http2"))
OF_LATER_FAULTS = frozenset(("duration", "of", "keep", "keep_bytes", "rate", "flips"))
# The server's own: a second one, or a wrong one, breaks the connection rather than the answer. A WSGI application
# may send no hop-by-hop header at all (https://peps.python.org/pep-3333/#other-http-features).
FORBIDDEN = frozenset(
    (
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)


class Effect(Key):
    """A key that shapes what is done to the exchange."""


class When(Effect):
    """`before`: the app never sees the request; `after`: it runs, and its answer is replaced.

    >>> print(Rule("http:503", when="after"))
    http:503,when=after
    """

    key = "when"
    default = "before"
    default_text = "before"

    def parse(self, text: str) -> str:
        """`before` or `after`."""
        return values.choice(text, ("before", "after"))


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


class RetryAfter(Effect):
    """Ask the client to wait, in `Retry-After`, whole seconds rounded up.

    >>> Rule("http:503", retry_after=1.5).value("retry_after")
    1.5
    """

    key = "retry_after"
    seconds = True
    default_text = "none"

    def parse(self, text: str) -> float:
        """Seconds."""
        return values.duration(text)


class Hint(Effect):
    """How `retry_after` is said: `seconds`, or `date` for an HTTP-date, rounded up.

    >>> print(Rule("http:503", retry_after="2s", hint="date"))
    http:503,retry_after=2s,hint=date
    """

    key = "hint"
    default = "seconds"
    default_text = "seconds"

    def parse(self, text: str) -> str:
        """`seconds` or `date`."""
        return values.choice(text, ("seconds", "date"))


class Status(Effect):
    """The status instead of the documented one, 200 to 599.

    >>> print(Rule("cos:SlowDown", status=429))
    cos:SlowDown,status=429
    """

    key = "status"
    number = True
    default_text = "as documented"

    def parse(self, text: str) -> int:
        """A status."""
        return values.status(text)


class Message(Effect):
    """The message instead of the documented one; for `http:NNN` the whole body.

    >>> print(Rule("http:503", message="come back later"))
    http:503,message="come back later"
    """

    key = "message"
    default_text = "as documented"


class Resource(Effect):
    """The resource that the envelope names, instead of the request's.

    >>> print(Rule("cos:SlowDown", resource="/photos"))
    cos:SlowDown,resource=/photos
    """

    key = "resource"
    default_text = "as documented"


class ContentType(Effect):
    """The Content-Type of `http:NNN`.

    >>> print(Rule("http:503", content_type="text/html"))
    http:503,content_type=text/html
    """

    key = "content_type"
    default = "text/plain; charset=utf-8"
    default_text = "text/plain; charset=utf-8"

    def parse(self, text: str) -> str:
        """A header's value."""
        if not text:
            raise Mistake("needs a value")
        return values.header_text(text)


class Set(Effect):
    """Add or replace a header of the injected answer.

    >>> print(Rule("http:503", set={"location": "/elsewhere"}))
    http:503,set.location=/elsewhere
    """

    key = "set"
    named = True
    header = True
    default_text = "none"

    def parse(self, text: str) -> str:
        """A header's value."""
        return values.header_text(text)

    def check_name(self, name: str) -> None:
        """Raise `Mistake` when no answer can have that header, or only the server sets it."""
        if not is_token(name):
            raise Mistake(f"{shown(name)} cannot be the name of a header", at_key=True)
        if name in FORBIDDEN:
            raise Mistake(f"set.{name}: the server sets {name} itself", at_key=True)


class Drain(Effect):
    """Read the request's body before answering.

    >>> print(Rule("http:503", drain=False))
    http:503,drain=no
    """

    key = "drain"
    flag = True
    default = True
    default_text = "yes"

    def parse(self, text: str) -> bool:
        """Yes or no."""
        return values.yes_no(text)


class Cors(Effect):
    """Let a browser's script see the injected answer.

    >>> print(Rule("http:503", cors=False))
    http:503,cors=no
    """

    key = "cors"
    flag = True
    default = True
    default_text = "yes"

    def parse(self, text: str) -> bool:
        """Yes or no."""
        return values.yes_no(text)


EFFECTS: dict[str, Effect] = {
    each.key: each
    for each in (
        When(),
        Delay(),
        RetryAfter(),
        Hint(),
        Status(),
        Message(),
        Resource(),
        ContentType(),
        Set(),
        Drain(),
        Cors(),
    )
}
