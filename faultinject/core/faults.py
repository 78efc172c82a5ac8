"""The faults: what is done to one exchange. One class each; `get` finds the one that a rule names."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.core import answers
from faultinject.core.actions import Forward
from faultinject.core.draw import between
from faultinject.core.values import Mistake, listed, nearest, shown
from faultinject.exceptions import ConfigurationError, NotBuiltYet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.core.actions import Act, Action
    from faultinject.core.outcome import Entry
    from faultinject.core.ready import ReadyRule
    from faultinject.core.request import Request
    from faultinject.vendors.vendor import DocumentedError, Vendor

NOT_BUILT = ("hang", "reset", "close", "truncate", "drip", "corrupt")


class Fault:
    """What a rule does to the exchange.

    Attributes:
        text: as the rule names it.
        kind: the class's own word, for dispatch.
        takes: the effects that it takes.
        vendor: whose documented error it is, or None.
        rows: the documented errors that it gives, evenly drawn; empty when it gives none.
    """

    kind = ""
    title = ""
    takes: tuple[str, ...] = ()

    def __init__(self, text: str) -> None:
        self.text = text
        self.vendor: Vendor | None = None
        self.rows: tuple[DocumentedError, ...] = ()

    @property
    def meaning(self) -> str:
        """The first line of the docstring."""
        return (type(self).__doc__ or "").partition("\n")[0]

    @property
    def addressed(self) -> bool:
        """Whether the fault's own vendor says how requests are read as bucket, key and operation."""
        return self.vendor is not None and self.vendor.addressing is not None

    def check(self, options: dict[str, str]) -> None:
        """Raise `Mistake` when an effect is missing."""

    @abstractmethod
    def prepare(self, rule: ReadyRule) -> Act:
        """What is done to a request that the rule fires for, with all that can be worked out beforehand."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text}>"


class Documented(Fault):
    """The vendor's documented error, in the vendor's envelope; `@group` draws one of several.

    >>> print(Rule("cos:SlowDown", times=2))
    cos:SlowDown,times=2
    """

    kind = "documented"
    title = "vendor:Code"
    takes = (
        "when",
        "delay",
        "retry_after",
        "hint",
        "status",
        "message",
        "resource",
        "set",
        "drain",
        "cors",
    )

    def __init__(self, text: str) -> None:
        super().__init__(text)
        from faultinject import vendors

        id_, _, label = text.partition(":")
        try:
            self.vendor = vendors.get(id_)
            self.rows = self.vendor.group(label) if label[:1] == "@" else (self.vendor.find(label),)
        except ConfigurationError as error:
            raise Mistake.of(error) from None

    def check(self, options: dict[str, str]) -> None:
        """Raise `Mistake` when the row has no status and the rule gives none."""
        if self.rows[0].status is None and "status" not in options:
            raise Mistake(f"{self.text} is documented without a status; give one, such as status=400")

    def prepare(self, rule: ReadyRule) -> Act:
        """Answer with the row, or one of the group's."""
        assert self.vendor is not None
        return answers.documented(rule, self.vendor, self.rows)


class Http(Fault):
    """A plain answer of that status, 400 to 599.

    >>> print(Rule("http:503", message="down for repair"))
    http:503,message="down for repair"
    """

    kind = "http"
    title = "http:NNN"
    takes = ("when", "delay", "retry_after", "hint", "message", "content_type", "set", "drain", "cors")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        number = text.removeprefix("http:")
        if not (number.isascii() and number.isdecimal() and len(number) == 3 and "400" <= number <= "599"):
            raise Mistake(f"{shown(text)} is not http: and a status from 400 to 599")
        self.status = int(number)

    def prepare(self, rule: ReadyRule) -> Act:
        """Answer with the status and a text."""
        return answers.plain(rule, self.status)


class Latency(Fault):
    """The app's own answer, late: `delay` before the app, or `when=after` before its answer goes out.

    >>> print(Rule("latency", delay="2s", path="photos/"))
    latency,path=photos/,delay=2s
    """

    kind = "latency"
    title = "latency"
    takes = ("when", "delay")

    def check(self, options: dict[str, str]) -> None:
        """Raise `Mistake` without a delay."""
        if "delay" not in options:
            raise Mistake("latency needs a delay, such as delay=2s")

    def prepare(self, rule: ReadyRule) -> Act:
        """Let the app answer, later."""
        low, high = rule.rule.value("delay")
        when = rule.rule.value("when")

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault, entry.when = self.text, when
            delay = low if low == high else between(digest, low, high)
            return Forward(entry, after=when == "after", delay=delay)

        return act


FAULTS: tuple[type[Fault], ...] = (Documented, Http, Latency)

_found: dict[str, Fault] = {}


def get(text: str) -> Fault:
    """The fault that a rule names `cos:SlowDown`, `http:503` or `latency`; raises `Mistake`."""
    fault = _found.get(text)
    if fault is None:
        if len(_found) >= 4096:
            _found.clear()
        _found[text] = fault = _read(text)
    return fault


def _read(text: str) -> Fault:
    head, colon, _ = text.partition(":")
    if head == "http" and colon:
        return Http(text)
    if colon and head.lower() == "http":
        raise Mistake(f"{shown(text)} is not a fault; did you mean {text.lower()}?")
    if colon:
        return Documented(text)
    if text == "latency":
        return Latency(text)
    if text in NOT_BUILT:
        raise Mistake(f"{text} is not built yet; there are {_known()}", error=NotBuiltYet)
    raise Mistake(
        f"{shown(text)} is not a fault; {_guess(text)}"
        if text
        else f"there is no fault; there are {_known()}"
    )


def _known() -> str:
    return listed((each.title for each in FAULTS), "and")


def _guess(text: str) -> str:
    from faultinject import vendors

    ids = vendors.names()
    if text in ids:
        return f"name one of its errors, such as {text}:{vendors.get(text).errors[0].label}"
    having = [f"{id_}:{text}" for id_ in ids if vendors.get(id_).has(text)]
    if having:
        return f"did you mean {listed(having)}?"
    return nearest(text, ("latency", *NOT_BUILT)).removeprefix("; ") or f"there are {_known()}"
