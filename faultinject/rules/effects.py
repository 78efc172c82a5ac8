"""The effects: the details of a fault, one row each.

Each class in `faults` says which effects it takes. `EFFECTS` has them in order: first those for when and how a fault
acts, then those for the content of an injected answer, then those for a body as it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from faultinject.engine.answers import FORMS, MARKS, MILLISECONDS
from faultinject.engine.draw import LONGEST_DELAY, LogNormal
from faultinject.rules import descriptions, values
from faultinject.rules.key import Key
from faultinject.rules.values import Mistake, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.rules.rule import Rule

MOST_SIGMA = 10
"""The largest sigma: with it, one wait in seven is longer than 22,000 medians."""

# The server sets these headers: a second or a wrong one breaks the connection rather than the answer. A WSGI
# application must not send hop-by-hop headers (https://peps.python.org/pep-3333/#other-http-features). So
# `set.connection=close` asks the server to close, and the header is sent only if there is no other way to ask.
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


@dataclass(kw_only=True, eq=False, repr=False)
class Effect(Key):
    """A key that changes the fault or its answer.

    Attributes:
        in_words: describes the effect, from the rule, the value as written and the NAME after the key; empty if the
            fault's own words include it.
    """

    in_words: Callable[[Rule, str, str], str] = lambda _rule, _text, _name: ""


def yes_no(key: str, doc: str, unusual: str, *, default: bool) -> Effect:
    """Make an effect that is either on or off.

    Args:
        key: the key.
        doc: its documentation, as in `Key`.
        unusual: the description of the value that is not the default.
        default: the value in a rule without it.
    """
    return Effect(
        key=key,
        doc=doc,
        read=values.yes_no,
        flag=True,
        default=default,
        default_text="yes" if default else "no",
        in_words=lambda _rule, text, _name: "" if values.yes_no(text) is default else unusual,
    )


def _hint(text: str) -> str:
    """The form of a wait: one of `FORMS`; a header name may be in any case."""
    name = text.lower()
    return name if name in MILLISECONDS else values.choice(text, FORMS)


def _content_type(text: str) -> str:
    if not text:
        raise Mistake("needs a value")
    return values.header_text(text)


def _check_of(_name: str, text: str) -> None:
    """Check that a text names a documented error, or a group of them."""
    from faultinject.rules.faults.answering import Documented

    if ":" not in text or text.lower().startswith("http:"):
        raise Mistake(f"{shown(text)} is not a documented error, such as cos:InternalError")
    if Documented(text).rows[0].status is None:
        raise Mistake(
            f"{shown(text)} is documented without a status, and only a rule of its own can give it one"
        )


def _delay(text: str) -> tuple[float, float] | LogNormal:
    """Read the shortest and the longest seconds, or a distribution."""
    kind, colon, rest = text.partition(":")
    if not colon:
        return values.duration_range(text, LONGEST_DELAY)
    if kind.lower() != "lognormal":
        raise Mistake(f"{shown(kind)} is not lognormal, with median and sigma, as in lognormal:80ms:0.4")
    median, _, spread = rest.partition(":")
    sigma = values.decimal(spread)
    if not sigma or sigma > MOST_SIGMA:
        raise Mistake(
            f"{shown(spread)} is not a sigma above 0 and up to {MOST_SIGMA}, as in lognormal:80ms:0.4"
        )
    seconds = values.duration(median, LONGEST_DELAY)
    if not seconds:
        raise Mistake(f"{shown(median)} is no median: it is above 0")
    return LogNormal(seconds, sigma)


def _keep(text: str) -> float:
    share = values.decimal(text)
    if share is None or share >= 1:
        reason = "; that would cut nothing" if share == 1 else ""
        raise Mistake(f"{shown(text)} is not a share from 0 to below 1{reason}")
    return share


def _rate(text: str) -> int:
    rate = values.size(text)
    if not rate:
        raise Mistake("a rate of 0 would never end; it is 1 byte a second or more")
    return rate


def _check_set(name: str, text: str) -> None:
    if name == "connection" and text.strip().lower() != "close":
        raise Mistake(f"{shown(text)} is the server's choice; a rule can only set set.connection=close")


def _check_drop(name: str, text: str) -> None:
    if text:
        raise Mistake(f"drop.{name} takes no value")


def _retry_after_in_words(rule: Rule, text: str, _name: str) -> str:
    vendor = rule.resolved.vendor
    form = rule.value("hint") or (vendor.hint if vendor is not None else "seconds")
    return f"asked to wait {text} by {form if form in MILLISECONDS else 'Retry-After'}"


def _share_in_words(_rule: Rule, text: str, _name: str) -> str:
    share = values.probability(text)
    part = {0.0: "none", 1.0: "all"}.get(share) or descriptions.share(share)
    return f"in a DeleteObjects for {part} of its keys"


def _set_in_words(_rule: Rule, text: str, name: str) -> str:
    if name == "connection":
        return "and the connection closes behind it"
    return f"with the header {name}: {text}{' where FAULTINJECT_HEADER=0' if name in MARKS else ''}"


def _after_bytes_in_words(rule: Rule, text: str, _name: str) -> str:
    body = "answer" if rule.value("when") == "after" else "request"
    return f"after {descriptions.count(values.size(text), 'byte')} of the {body}'s body"


EFFECTS: dict[str, Effect] = {
    effect.key: effect
    for effect in (
        Effect(
            key="when",
            doc="""`before`: the app never sees the request; `after`: it runs, and its answer is replaced.

            >>> print(Rule("http:503", when="after"))
            http:503,when=after
            """,
            choices=("before", "after"),
            default="before",
            default_text="before",
            in_words=lambda rule, text, _name: rule.resolved.after if text == "after" else "",
        ),
        Effect(
            key="delay",
            doc="""Wait before acting: `200ms`, `100ms..2s` (even), `lognormal:80ms:0.4` (median, sigma); at most 1h.

            >>> Rule("latency", delay="100ms..2s").value("delay")
            (0.1, 2.0)
            >>> Rule("latency", delay="lognormal:80ms:0.4").value("delay")
            LogNormal(median=0.08, sigma=0.4)
            """,
            read=_delay,
            seconds=True,
            default=(0.0, 0.0),
            default_text="0s",
            in_words=lambda rule, _text, _name: (
                rule.resolved.delay_in_words(rule) if rule.value("delay")[1] else ""
            ),
        ),
        Effect(
            key="retry_after",
            doc="""The wait that the answer demands, in the form of `hint`.

            `Retry-After` has whole seconds, rounded up.

            >>> Rule("http:503", retry_after=1.5).value("retry_after")
            1.5
            """,
            seconds=True,
            default_text="none",
            in_words=_retry_after_in_words,
        ),
        Effect(
            key="hint",
            doc="""The form of `retry_after`: `seconds`, `date`, or a header of milliseconds.

            `date` is an HTTP-date; seconds and date are rounded up. The headers are `x-amz-retry-after`,
            `x-ms-retry-after-ms` and `retry-after-ms`.

            >>> print(Rule("http:503", retry_after="2s", hint="date"))
            http:503,retry_after=2s,hint=date
            """,
            read=_hint,
            choices=FORMS,
            default_text="the vendor's own, else seconds",
        ),
        Effect(
            key="status",
            doc="""The status instead of the documented one, 200 to 599.

            >>> print(Rule("cos:SlowDown", status=429))
            cos:SlowDown,status=429
            """,
            read=values.status,
            number=True,
            default_text="as documented",
        ),
        Effect(
            key="message",
            doc="""The message instead of the documented one; for `http:NNN` the whole body.

            >>> print(Rule("http:503", message="come back later"))
            http:503,message="come back later"
            """,
            default_text="as documented",
            in_words=lambda _rule, text, _name: f"with the message {shown(text)}",
        ),
        Effect(
            key="resource",
            doc="""The resource that the envelope names, instead of the request's.

            >>> print(Rule("cos:SlowDown", resource="/photos"))
            cos:SlowDown,resource=/photos
            """,
            default_text="as documented",
            in_words=lambda _rule, text, _name: f"with the resource {shown(text)}",
        ),
        Effect(
            key="share",
            doc="""The share of the keys that fail in a DeleteObjects answered with status 200, 0 to 1.

            There is one draw for each key; the answer reports the other keys as deleted. With `when=before`
            the embedded store deletes the keys that the answer reports as deleted, and an app of your own
            deletes none; with `after` the app deletes all. If no key fails, no fault counts. The whole request
            gets the error if its body is not read, lists no keys, or is longer than 2 MiB.

            >>> print(Rule("cos:InternalError", operation="DeleteObjects", status=200, share=0.5))
            cos:InternalError,operation=DeleteObjects,status=200,share=0.5
            """,
            read=values.probability,
            number=True,
            default=1.0,
            default_text="1",
            in_words=_share_in_words,
        ),
        Effect(
            key="content_type",
            doc="""The Content-Type of `http:NNN`.

            >>> print(Rule("http:503", content_type="text/html"))
            http:503,content_type=text/html
            """,
            read=_content_type,
            default="text/plain; charset=utf-8",
            default_text="text/plain; charset=utf-8",
            in_words=lambda _rule, text, _name: f"with the content type {shown(text)}",
        ),
        Effect(
            key="set",
            doc="""Add or replace a header of the injected answer.

            `set.connection=close` makes the server close the connection. With `edit` the header is in the
            app's own answer, and cannot be `connection`. `set.date` replaces the server's time, by which
            SDKs correct their clock; uvicorn, hypercorn and gunicorn send their own Date as well. The
            mark of an injected answer (`x-faultinject`, `Cache-Control`) does not change, unless
            `FAULTINJECT_HEADER=0` leaves it out.

            >>> print(Rule("http:503", set={"location": "/elsewhere"}))
            http:503,set.location=/elsewhere
            """,
            read=values.header_text,
            named=True,
            header=True,
            only_the_server=FORBIDDEN,
            check_text=_check_set,
            default_text="none",
            in_words=_set_in_words,
        ),
        Effect(
            key="drop",
            doc="""Leave a header out of the app's own answer.

            An example is `drop.content-range`, in TOML and Python with an empty value.

            >>> print(Rule("edit", drop={"content-range": ""}))
            edit,drop.content-range=
            """,
            read=values.header_text,
            named=True,
            header=True,
            only_the_server=FORBIDDEN | {"connection"},
            check_text=_check_drop,
            default_text="none",
            in_words=lambda _rule, _text, name: f"without the header {name}",
        ),
        Effect(
            key="range",
            doc="""The mistake in the answer to a request for a range.

            `ignore`: the header with the range is hidden from the app, so the app answers with the whole
            object, as servers may. `shift`: the Content-Range is off by one byte.

            >>> print(Rule("edit", range="ignore"))
            edit,range=ignore
            """,
            choices=("ignore", "shift"),
            default_text="none",
            in_words=lambda _rule, text, _name: (
                "with the whole instead of a range"
                if text == "ignore"
                else "with a Content-Range off by one byte"
            ),
        ),
        yes_no(
            "drain",
            """Read the request's body before answering.

            >>> print(Rule("http:503", drain=False))
            http:503,drain=no
            """,
            "without reading the request's body",
            default=True,
        ),
        yes_no(
            "cors",
            """Let a browser's script see the injected answer.

            >>> print(Rule("http:503", cors=False))
            http:503,cors=no
            """,
            "without CORS headers",
            default=True,
        ),
        Effect(
            key="duration",
            doc="""The time that `hang` waits before it closes, and `stall` before it goes on; at most 1h.

            >>> print(Rule("hang", duration="30s"))
            hang,duration=30s
            """,
            seconds=True,
            longest=LONGEST_DELAY,
            default=300.0,
            default_text="5m",
        ),
        Effect(
            key="after_bytes",
            doc="""The fault comes after that many bytes of a body.

            With `when=before` they are bytes of the request's body, with `after` of the answer's. A shorter
            body gets no fault. A `stall`, and a fault in an answer, also need a byte after them: otherwise
            there is nothing to hold back or to cut off. The rest of a request's body is not read.

            >>> print(Rule("reset", method="PUT", after_bytes="256KiB"))
            reset,method=PUT,after_bytes=256KiB
            """,
            read=values.size,
            number=True,
            default_text="none",
            in_words=_after_bytes_in_words,
        ),
        Effect(
            key="of",
            doc="""The documented error that is cut or slowed, instead of the app's own answer.

            `oneof` takes several, and gives one of them.

            >>> print(Rule("truncate", of="cos:InternalError"))
            truncate,of=cos:InternalError
            """,
            check_text=_check_of,
            default_text="the app's answer",
        ),
        Effect(
            key="keep",
            doc="""The share of the body that `truncate` lets through, from 0 to below 1.

            For a body without a Content-Length it is the share of its first piece.

            >>> print(Rule("truncate", keep=0.9))
            truncate,keep=0.9
            """,
            read=_keep,
            number=True,
            default=0.5,
            default_text="0.5",
        ),
        Effect(
            key="keep_bytes",
            doc="""The bytes of the body that `truncate` lets through.

            A body of at most this length passes untouched.

            >>> print(Rule("truncate", keep_bytes="4KiB"))
            truncate,keep_bytes=4KiB
            """,
            read=values.size,
            number=True,
            default_text="none",
        ),
        Effect(
            key="rate",
            doc="""The speed at which `drip` sends the body, bytes a second.

            >>> print(Rule("drip", rate="1KiB"))
            drip,rate=1KiB
            """,
            read=_rate,
            number=True,
            default_text="none",
        ),
        Effect(
            key="flips",
            doc="""The number of bytes of the body that `corrupt` changes, 1 to 1000.

            All bytes of a shorter body change. The bytes are drawn from the whole body if it has a
            Content-Length, otherwise from its first piece.

            >>> print(Rule("corrupt", flips=3))
            corrupt,flips=3
            """,
            read=partial(values.count, least=1, most=1000),
            number=True,
            default=1,
            default_text="1",
        ),
        yes_no(
            "http2",
            """Break a whole HTTP/2 connection, with all its requests; otherwise such requests get no fault.

            >>> print(Rule("reset", http2=True))
            reset,http2=yes
            """,
            "over HTTP/2 together with all else on that connection",
            default=False,
        ),
    )
}
EXCLUDING = (("keep", "keep_bytes"), ("after_bytes", "drain"))
"""Pairs of effects that set the same thing: how much of a body is kept, or read."""
