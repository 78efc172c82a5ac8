"""Faults that let the app answer, and change how its answer travels."""

from __future__ import annotations

from faultinject.engine import answers, filters
from faultinject.engine.actions import Act, Action, Forward, Pass
from faultinject.engine.compiled_rule import CompiledRule
from faultinject.engine.draw import delays
from faultinject.engine.filters import RANGES, STORE, Edited, Filter, Interrupted, ObjectChange
from faultinject.rules import descriptions
from faultinject.rules.faults import middle
from faultinject.rules.faults.answering import Documented
from faultinject.rules.faults.fault import Fault
from faultinject.rules.values import Mistake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faultinject.engine.entry import Entry
    from faultinject.engine.request import Request
    from faultinject.rules.rule import Rule


class OwnAnswer(Fault):
    """The app's own answer, delayed or changed."""

    def forward(
        self,
        rule: CompiledRule,
        text: str = "",
        *,
        after: bool = False,
        alter: Callable[[Request], Edited | ObjectChange | None] = lambda _: None,
    ) -> Act:
        """Let the app answer.

        Args:
            rule: the rule, which may have a delay.
            text: the fault's text in outcomes; by default its text in the rule.
            after: whether the delay is after the app has run, before its answer.
            alter: makes the filter of the answer to a request, or None for no change.
        """
        delay = delays(rule.rule.value("delay"))

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault, entry.when = text or self.text, "after" if after else "before"
            return Forward(entry, after=after, delay=delay(digest), filter=alter(request))

        return act

    def fails(self, rule: Rule) -> float:
        """Return 0, as the app's own answer is not a failure, even if it is late or subtly wrong.

        Only a careful client can tell that it is wrong.
        """
        return 0.0


class Latency(OwnAnswer):
    """The app's own answer, late: `delay` before the app, or before its answer.

    The answer is held back with `when=after`.

    >>> print(Rule("latency", delay="2s", path="photos/"))
    latency,path=photos/,delay=2s
    """

    title = "latency"
    takes = ("when", "delay")
    after = "held back when the app has run"

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if there is no delay."""
        if "delay" not in options:
            yield Mistake("latency needs a delay, such as delay=2s", missing=("delay",))

    def prepare(self, rule: CompiledRule) -> Act:
        """Let the app answer, later."""
        return self.forward(rule, after=rule.rule.value("when") == "after")

    def in_words(self, rule: Rule) -> str:
        """Say how late the answer is."""
        return f"the app's own answer {descriptions.wait(rule)} late"

    def delay_in_words(self, rule: Rule) -> str:
        """Say nothing, as `in_words` has the delay."""
        return ""


class Stall(OwnAnswer):
    """Nothing happens for `duration`; then everything goes on as without a fault.

    With `after_bytes` the pause is in the middle of a body.

    >>> print(Rule("stall", duration="30s", after_bytes="256KiB", method="PUT"))
    stall,method=PUT,duration=30s,after_bytes=256KiB
    """

    title = "stall"
    takes = ("when", "duration", "after_bytes")
    after = "when the app has run"

    def prepare(self, rule: CompiledRule) -> Act:
        """Let the app read, or answer, with a pause."""
        value = rule.rule.value
        when: str = value("when")
        seconds: float = value("duration")
        after_bytes: int | None = value("after_bytes")

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault, entry.when = self.text, when
            if after_bytes is None:
                return Forward(entry, after=when == "after", delay=seconds)
            if when == "after":
                pause = Interrupted(after_bytes, seconds, "stalled")
                return Forward(entry, after=False, delay=0.0, filter=pause)
            if middle.ends_before(request, after_bytes + 1):
                return Pass(entry, "nothing_to_cut")
            return Forward(entry, after=False, delay=seconds, upload=after_bytes)

        return act

    def in_words(self, rule: Rule) -> str:
        """Say how long the pause is."""
        pause = descriptions.seconds(rule.value("duration"))
        if "after_bytes" in rule.options:
            return f"the app's own answer with a pause of {pause}"
        return f"nothing for {pause}, and then the app's own answer"


class Shaped(Fault):
    """An answer whose body is changed as it is sent.

    It is the app's own answer, or with `of` a documented error.
    """

    changes_body = True

    def act_on(
        self, rule: CompiledRule, make: Callable[[bytes], Filter], refuses: Callable[[Request], bool]
    ) -> Act:
        """The action that changes the body of the answer.

        Args:
            rule: the rule.
            make: makes the filter of one body from the digest.
            refuses: whether a request must pass unchanged.
        """
        delay = delays(rule.rule.value("delay"))
        answer = None
        of = rule.rule.value("of")
        if of is not None:
            errors = Documented(of).answers(rule)
            answer = answers.one_of(errors, [None] * len(errors))

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault, entry.when = self.text, "before"
            if refuses(request):
                return Pass(entry, "refused")
            if answer is None:
                return Forward(entry, after=False, delay=delay(digest), filter=make(digest))
            action = answer(request, entry, digest)
            entry.fault, action.filter = f"{self.text},of={action.answer.fault}", make(digest)
            return action

        return act

    def draws(self, rule: Rule) -> bool:
        """Whether the digest chooses among several errors, or draws a delay."""
        of = rule.value("of")
        return (of is not None and Documented(of).draws(rule)) or super().draws(rule)

    def shaped_in_words(self, rule: Rule) -> str:
        """Say whether the answer is the app's own or a documented error."""
        of = rule.value("of")
        return "the app's own answer" if of is None else Documented(of).in_words(rule)


class Truncate(Shaped):
    """The answer keeps its Content-Length, has fewer bytes, and the connection closes.

    >>> print(Rule("truncate", keep=0.9, path="photos/"))
    truncate,path=photos/,keep=0.9
    """

    title = "truncate"
    takes = ("delay", "of", "keep", "keep_bytes", "http2")

    def prepare(self, rule: CompiledRule) -> Act:
        """Let a part of the body through."""
        value = rule.rule.value
        share, most = value("keep"), value("keep_bytes")
        whole_connections = value("http2")
        return self.act_on(
            rule,
            lambda _: filters.Truncated(share, most),
            lambda request: request.http2 and not whole_connections,
        )

    def in_words(self, rule: Rule) -> str:
        """Say at which point the answer is cut."""
        share, most = rule.value("keep"), rule.value("keep_bytes")
        part = descriptions.share(share) if most is None else descriptions.count(most, "byte")
        where = f"{part} of its body" if (share if most is None else most) else "its head"
        return f"{self.shaped_in_words(rule)} cut off after {where}"


class Drip(Shaped):
    """The answer's body at `rate` bytes a second.

    >>> print(Rule("drip", rate="1KiB", of="cos:SlowDown"))
    drip,of=cos:SlowDown,rate=1KiB
    """

    title = "drip"
    takes = ("delay", "of", "rate")

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if there is no rate."""
        if "rate" not in options:
            yield Mistake("drip needs a rate in bytes a second, such as rate=1KiB", missing=("rate",))

    def prepare(self, rule: CompiledRule) -> Act:
        """Let the body through slowly."""
        rate = rule.rule.value("rate")
        return self.act_on(rule, lambda _: filters.Dripped(rate), lambda _: False)

    def in_words(self, rule: Rule) -> str:
        """Say how fast the body is sent."""
        return f"{self.shaped_in_words(rule)} at {descriptions.count(rule.value('rate'), 'byte')} a second"

    def fails(self, rule: Rule) -> float:
        """The chance that the slowed answer is an error."""
        of = rule.value("of")
        return Documented(of).fails(rule) if of is not None else 0.0


class Corrupt(Shaped):
    """The answer with some bytes of its body changed, and the same length.

    >>> print(Rule("corrupt", flips=3, path="photos/"))
    corrupt,path=photos/,flips=3
    """

    title = "corrupt"
    takes = ("delay", "flips")

    def prepare(self, rule: CompiledRule) -> Act:
        """Change bytes at drawn positions."""
        flips = rule.rule.value("flips")
        return self.act_on(rule, lambda digest: filters.Corrupted(flips, digest), lambda _: False)

    def in_words(self, rule: Rule) -> str:
        """Say how many bytes are wrong."""
        changed = descriptions.count(rule.value("flips"), "byte")
        return f"{self.shaped_in_words(rule)} with {changed} of its body changed"

    def draws(self, rule: Rule) -> bool:
        """Yes: the digest chooses the bytes that change."""
        return True

    def fails(self, rule: Rule) -> float:
        """Return 0, as only a client that compares a digest gets an error."""
        return 0.0


class Edit(OwnAnswer):
    """The app's own answer with headers set or dropped, or with another range.

    The range differs from the one that the client asked for.

    >>> print(Rule("edit", set={"etag": "W/1"}, drop={"content-range": ""}))
    edit,set.etag=W/1,drop.content-range=
    """

    title = "edit"
    takes = ("delay", "set", "drop", "range")

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if the rule changes nothing, or sets `connection`."""
        needed = ("set", "drop", "range")
        if not any(key.partition(".")[0] in needed for key in options):
            message = "edit needs something to change: set.NAME, drop.NAME or range, such as drop.etag"
            yield Mistake(message, missing=needed)
        if "set.connection" in options:
            yield Mistake("edit does not change the connection; the faults close and truncate end it")

    def prepare(self, rule: CompiledRule) -> Act:
        """Let the app answer, and change its headers."""
        headers = list(rule.rule.set_headers)
        dropped = [key.removeprefix("drop.") for key in rule.rule.options if key.startswith("drop.")]
        ranged = rule.rule.value("range")

        def edited(request: Request) -> Edited:
            ignored = ranged == "ignore" and any(map(request.header, RANGES))
            return Edited(headers, dropped, shifted=ranged == "shift", ignored=ignored)

        return self.forward(rule, f"{self.text},range={ranged}" if ranged else "", alter=edited)

    def in_words(self, rule: Rule) -> str:
        """Name the answer; the effects say how it is changed."""
        return "the app's own answer"


class StoreChange(OwnAnswer):
    """A change in the embedded store before it answers.

    The answer is the store's own, and right for the changed store.
    """

    takes = ("delay",)
    of_store = True
    did = ""
    words = ""

    def prepare(self, rule: CompiledRule) -> Act:
        """Let the store make the change, and answer."""

        def change_object(request: Request) -> ObjectChange:
            change = ObjectChange(self.did)
            request.set_extra(STORE, change)
            return change

        return self.forward(rule, alter=change_object)

    def in_words(self, rule: Rule) -> str:
        """Say what the store does."""
        return self.words


class Overwrite(StoreChange):
    """Before this request another writer replaces the object in the embedded store.

    The new object has the same length, and every byte differs.

    >>> print(Rule("overwrite", operation="GetObject", skip=1))
    overwrite,operation=GetObject,skip=1
    """

    title = "overwrite"
    did = "overwritten"
    words = "the embedded store's own answer, after another writer has replaced the object"


class Stale(StoreChange):
    """The embedded store answers a read with an earlier state.

    A read of an object gets the state before the object's last change. A list of objects gets the state before the
    bucket's last change.

    >>> print(Rule("stale", operation="ListObjectsV2", times=1))
    stale,operation=ListObjectsV2,times=1
    """

    title = "stale"
    did = "stale"
    words = "the embedded store's own answer, with the state before the last change"
