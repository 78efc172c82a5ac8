"""The effects: how the fault is given. One class each; `faults` says which takes which, `EFFECTS` in which order they stand.

First when and how a fault acts on the exchange, then what an injected answer says, then what is done to a body on its way.
"""

from __future__ import annotations

from faultinject.engine.answers import FORMS, MARKS, MILLISECONDS
from faultinject.rules import descriptions, values
from faultinject.rules.key import Key
from faultinject.rules.values import Mistake, is_token, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.rules.rule import Rule

HOUR = 3600.0
"""The longest wait, seconds."""


class Effect(Key):
    """A key that shapes what is done to the exchange."""

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """What a reader of the rule must know of it; nothing where the fault's own words say it.

        Args:
            rule: the rule that gives it.
            text: the value as written.
            name: the NAME behind the key, if it has one.
        """
        return ""


class YesNo(Effect):
    """An effect that is on or off."""

    flag = True
    default = False
    default_text = "no"
    unusual = ""
    """What a value that is not the default comes to, in words."""

    def parse(self, text: str) -> bool:
        """Yes or no."""
        return values.yes_no(text)

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """The unusual."""
        return "" if self.parse(text) is self.default else self.unusual


class When(Effect):
    """`before`: the app never sees the request; `after`: it runs, and its answer is replaced.

    >>> print(Rule("http:503", when="after"))
    http:503,when=after
    """

    key = "when"
    choices = ("before", "after")
    default = "before"
    default_text = "before"

    def in_words(self, rule: Rule, text: str, name: str) -> str:
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

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """How late it is."""
        return rule.resolved.delay_in_words(rule) if rule.value("delay")[1] else ""


class Duration(Effect):
    """How long `hang` waits before the connection closes, and `stall` before it goes on; at most 1h.

    >>> print(Rule("hang", duration="30s"))
    hang,duration=30s
    """

    key = "duration"
    seconds = True
    longest = HOUR
    default = 300.0
    default_text = "5m"


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
    """Break a whole HTTP/2 connection, with all its requests; otherwise such requests get no fault.

    >>> print(Rule("reset", http2=True))
    reset,http2=yes
    """

    key = "http2"
    unusual = "over HTTP/2 together with all else on that connection"


# The server's own: a second one, or a wrong one, breaks the connection rather than the answer. A WSGI application
# may send no hop-by-hop header at all (https://peps.python.org/pep-3333/#other-http-features); so also
# `set.connection=close` tells the server, and sends one only where it cannot be told otherwise.
FORBIDDEN = frozenset(
    (
        "content-length",
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


class RetryAfter(Effect):
    """The wait that the answer demands, in the form of `hint`; `Retry-After` has whole seconds, rounded up.

    >>> Rule("http:503", retry_after=1.5).value("retry_after")
    1.5
    """

    key = "retry_after"
    seconds = True
    default_text = "none"

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """How long."""
        vendor = rule.resolved.vendor
        form = rule.value("hint") or (vendor.hint if vendor is not None else "seconds")
        return f"asked to wait {text} by {form if form in MILLISECONDS else 'Retry-After'}"


class Hint(Effect):
    """The form of `retry_after`: `seconds`, `date` for an HTTP-date (both rounded up), or a header of milliseconds.

    The headers are `x-amz-retry-after`, `x-ms-retry-after-ms` and `retry-after-ms`.

    >>> print(Rule("http:503", retry_after="2s", hint="date"))
    http:503,retry_after=2s,hint=date
    """

    key = "hint"
    choices = FORMS
    default_text = "the vendor's own, else seconds"

    def parse(self, text: str) -> str:
        """One of the forms; a header's name in any case."""
        name = text.lower()
        return name if name in MILLISECONDS else super().parse(text)


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


class _Said(Effect):
    """An effect that is told as it is written."""

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """Its name and value."""
        return f"with the {self.key.replace('_', ' ')} {shown(text)}"


class Message(_Said):
    """The message instead of the documented one; for `http:NNN` the whole body.

    >>> print(Rule("http:503", message="come back later"))
    http:503,message="come back later"
    """

    key = "message"
    default_text = "as documented"


class Resource(_Said):
    """The resource that the envelope names, instead of the request's.

    >>> print(Rule("cos:SlowDown", resource="/photos"))
    cos:SlowDown,resource=/photos
    """

    key = "resource"
    default_text = "as documented"


class Share(Effect):
    """The share of the keys that fail in a DeleteObjects answered with status 200, 0 to 1.

    There is one draw for each key; the answer reports the other keys as deleted. With `when=before` the app deletes none,
    with `after` all. The whole request gets the error if its body is not read, lists no keys, or is longer than 2 MiB.

    >>> print(Rule("cos:InternalError", operation="DeleteObjects", status=200, share=0.5))
    cos:InternalError,operation=DeleteObjects,status=200,share=0.5
    """

    key = "share"
    number = True
    default = 1.0
    default_text = "1"

    def parse(self, text: str) -> float:
        """A chance."""
        return values.probability(text)

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """How much of a request fails."""
        share = self.parse(text)
        part = {0.0: "none", 1.0: "all"}.get(share) or descriptions.share(share)
        return f"in a DeleteObjects for {part} of its keys"


class ContentType(_Said):
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
    """Add or replace a header of the injected answer; `set.connection=close` makes the server close the connection.

    With `edit` it is a header of the app's own answer, and not `connection`. `set.date` sends another time than the server's, with which SDKs correct their clock; uvicorn, hypercorn and
    gunicorn send their own Date as well. The mark of an injected answer (`x-faultinject`, `Cache-Control`) does not
    change, unless `FAULTINJECT_HEADER=0` leaves it out.

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
            raise Mistake(f"{self.key}.{name}: the server sets {name} itself", at_key=True)

    def check_text(self, name: str, text: str) -> None:
        """Raise `Mistake` when a connection is to do anything but close."""
        if name == "connection" and text.strip().lower() != "close":
            raise Mistake(f"{shown(text)} is the server's choice; a rule can only set set.connection=close")

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """The header, or what it comes to."""
        if name == "connection":
            return "and the connection closes behind it"
        if name in MARKS:
            return f"with the header {name}: {text} where FAULTINJECT_HEADER=0"
        return f"with the header {name}: {text}"


class Drop(Set):
    """Leave a header out of the app's own answer: `drop.content-range`, in TOML and Python with an empty value.

    >>> print(Rule("edit", drop={"content-range": ""}))
    edit,drop.content-range=
    """

    key = "drop"

    def check_text(self, name: str, text: str) -> None:
        """Raise `Mistake` for a value, or where a connection is to be kept."""
        if text:
            raise Mistake(f"drop.{name} takes no value")
        if name == "connection":
            raise Mistake("drop.connection: the server sets connection itself", at_key=True)

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """The header."""
        return f"without the header {name}"


class Range(Effect):
    """What is wrong with the answer to a request for a range.

    `ignore`: the app does not get to see the range, so that it answers with the whole, as servers may. `shift`: the
    Content-Range is off by one byte.

    >>> print(Rule("edit", range="ignore"))
    edit,range=ignore
    """

    key = "range"
    choices = ("ignore", "shift")
    default_text = "none"

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """What it comes to."""
        return (
            "with the whole instead of a range"
            if text == "ignore"
            else "with a Content-Range off by one byte"
        )


class Cors(YesNo):
    """Let a browser's script see the injected answer.

    >>> print(Rule("http:503", cors=False))
    http:503,cors=no
    """

    key = "cors"
    unusual = "without CORS headers"
    default = True
    default_text = "yes"


class Exact(YesNo):
    """Send the vendor's own reason phrase, header case and order past the server, and close the connection.

    It works only if the server shows its connection, without TLS and HTTP/2. Otherwise, and for a late answer (a status
    below 300 with a delay), the answer has the server's phrase and case.

    >>> print(Rule("cos:SlowDown", exact=True))
    cos:SlowDown,exact=yes
    """

    key = "exact"
    unusual = "in the vendor's own words and order where the server allows it"


class AfterBytes(Effect):
    """The fault comes after that many bytes of a body: with `when=before` of the request's, with `after` of the answer's.

    A body that ends before gets no fault. For a `stall` or an answer the body must be longer: after its last byte there
    is nothing to hold back or to cut off. No more bytes of a request's body are read.

    >>> print(Rule("reset", method="PUT", after_bytes="256KiB"))
    reset,method=PUT,after_bytes=256KiB
    """

    key = "after_bytes"
    number = True
    default_text = "none"

    def parse(self, text: str) -> int:
        """Bytes."""
        return values.size(text)

    def in_words(self, rule: Rule, text: str, name: str) -> str:
        """Of which body."""
        whose = "answer" if rule.value("when") == "after" else "request"
        return f"after {descriptions.count(self.parse(text), 'byte')} of the {whose}'s body"


class Of(Effect):
    """The documented error that is cut or slowed, instead of the app's own answer.

    >>> print(Rule("truncate", of="cos:InternalError"))
    truncate,of=cos:InternalError
    """

    key = "of"
    default_text = "the app's answer"

    def parse(self, text: str) -> str:
        """A documented error or a group of them."""
        from faultinject.rules.faults.answering import Documented

        if ":" not in text or text.lower().startswith("http:"):
            raise Mistake(f"{shown(text)} is not a documented error, such as cos:InternalError")
        if Documented(text).rows[0].status is None:
            raise Mistake(
                f"{shown(text)} is documented without a status, and only a rule of its own can give it one"
            )
        return text


class Keep(Effect):
    """The share of the body that `truncate` lets through, from 0 to below 1.

    For a body without a Content-Length it is the share of its first piece.

    >>> print(Rule("truncate", keep=0.9))
    truncate,keep=0.9
    """

    key = "keep"
    number = True
    default = 0.5
    default_text = "0.5"

    def parse(self, text: str) -> float:
        """A share."""
        share = values.decimal(text)
        if share is None or share >= 1:
            all_of_it = "; that would cut nothing" if share == 1 else ""
            raise Mistake(f"{shown(text)} is not a share from 0 to below 1{all_of_it}")
        return share


class KeepBytes(Effect):
    """The bytes of the body that `truncate` lets through; a body of at most this length passes untouched.

    >>> print(Rule("truncate", keep_bytes="4KiB"))
    truncate,keep_bytes=4KiB
    """

    key = "keep_bytes"
    number = True
    default_text = "none"

    def parse(self, text: str) -> int:
        """Bytes."""
        return values.size(text)


class Rate(Effect):
    """How fast `drip` sends the body, bytes a second.

    >>> print(Rule("drip", rate="1KiB"))
    drip,rate=1KiB
    """

    key = "rate"
    number = True
    default_text = "none"

    def parse(self, text: str) -> int:
        """Bytes a second."""
        rate = values.size(text)
        if not rate:
            raise Mistake("a rate of 0 would never end; it is 1 byte a second or more")
        return rate


class Flips(Effect):
    """How many bytes of the body `corrupt` changes, 1 to 1000; all bytes of a shorter body.

    They are drawn over the Content-Length, or without one over the first piece.

    >>> print(Rule("corrupt", flips=3))
    corrupt,flips=3
    """

    key = "flips"
    number = True
    default = 1
    default_text = "1"

    def parse(self, text: str) -> int:
        """A number."""
        return values.count(text, 1, 1000)


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
        Share(),
        ContentType(),
        Set(),
        Drop(),
        Range(),
        Drain(),
        Cors(),
        Exact(),
        Duration(),
        AfterBytes(),
        Of(),
        Keep(),
        KeepBytes(),
        Rate(),
        Flips(),
        Http2(),
    )
}
