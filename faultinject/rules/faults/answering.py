"""Faults that answer instead of the app."""

from __future__ import annotations

from faultinject.engine import answers
from faultinject.exceptions import ConfigurationError, UnknownVendorError
from faultinject.http import wire
from faultinject.rules import descriptions, values
from faultinject.rules.faults import middle
from faultinject.rules.faults.fault import Fault
from faultinject.rules.values import Mistake, listed, most_like, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.engine.actions import Act
    from faultinject.engine.plan import CompiledRule
    from faultinject.rules.key import Check
    from faultinject.rules.rule import Rule


HTTP = "http: and a status from 400 to 599"


class Documented(Fault):
    """The vendor's documented error, in the vendor's envelope; `@group` draws one of several.

    >>> print(Rule("cos:SlowDown", times=2))
    cos:SlowDown,times=2
    """

    title = "vendor:Code"
    takes = (
        "when",
        "delay",
        "retry_after",
        "hint",
        "status",
        "message",
        "resource",
        "share",
        "set",
        "drain",
        "after_bytes",
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
            if isinstance(error, UnknownVendorError) and most_like(id_, ("http",)):
                meant = f"a fault; did you mean http:{label}?" if is_status(label) else HTTP
                raise Mistake(f"{shown(text)} is not {meant}") from None
            if isinstance(error, UnknownVendorError) and vendors.having(label) and not vendors.meant(id_):
                there = [f"{each}:{label}" for each in vendors.having(label)]
                error = UnknownVendorError(
                    f"{id_!r} is not a vendor; did you mean {vendors.several(there, 'or')}?"
                )
            raise Mistake.of(error) from None

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if no status is known, or if a share is not one of keys."""
        if self.rows[0].status is None and "status" not in options:
            message = f"{self.text} is documented without a status; give one, such as status=400"
            yield Mistake(message, missing=("status",))
        if "share" in options:
            yield from self._check_share(options)
        yield from middle.check_answer(self.text, options)

    def _check_share(self, options: dict[str, str]) -> Iterator[Mistake]:
        assert self.vendor is not None
        if self.vendor.deletes is None:
            yield Mistake(f"share is not supported for {self.vendor.id}")
            return
        usual = self.vendor.content_type
        if all(self.vendor.form_of(each).content_type != usual for each in self.rows):
            yield Mistake(f"share: {self.text} is sent as a page, and never for a single key")
            return
        if any(options.get("status", str(each.status)) != "200" for each in self.rows):
            message = "share needs status=200: only an answer with that status reports each key"
            yield Mistake(message, missing=("status",))
        if "drain" in options and not values.yes_no(options["drain"]):
            yield Mistake("share needs the request's body, which names the keys; drain=no leaves it unread")

    def prepare(self, rule: CompiledRule) -> Act:
        """Answer with the row, or one of the group's."""
        assert self.vendor is not None
        tests: list[Check | None] = []
        if len(self.rows) > 1:
            from faultinject.rules.places import test_of

            tests = [test_of(row, rule.reading) for row in self.rows]
        return middle.in_an_upload(rule, self.text, answers.documented(rule, self.vendor, self.rows, tests))

    def in_words(self, rule: Rule) -> str:
        """The error, or how many there are, and their statuses."""
        statuses = listed(map(str, self._statuses(rule)))
        if len(self.rows) == 1:
            return f"{self.text} ({statuses})"
        return f"one of the {len(self.rows)} errors of {self.text} ({statuses})"

    def delay_in_words(self, rule: Rule) -> str:
        """Say how late it is; below status 300 the head goes out at once, and the error late."""
        late = f"{descriptions.wait(rule)} late"
        return f"the error {late} after the head" if self._statuses(rule)[0] < 300 else late

    def fails(self, rule: Rule) -> bool:
        """Whether the status is an error; an error in a 200 is not counted as a failure."""
        return self._statuses(rule)[0] >= 400

    def draws(self, rule: Rule) -> bool:
        """Whether the digest chooses among several errors, or the keys that fail."""
        return len(self.rows) > 1 or "share" in rule.options or super().draws(rule)

    def _statuses(self, rule: Rule) -> list[int]:
        return sorted({rule.value("status") or each.status or 0 for each in self.rows})


def is_status(text: str) -> bool:
    """Whether a text is a status that `http:` takes."""
    return text.isascii() and text.isdecimal() and len(text) == 3 and "400" <= text <= "599"


class Http(Fault):
    """A plain answer of that status, 400 to 599.

    >>> print(Rule("http:503", message="down for repair"))
    http:503,message="down for repair"
    """

    title = "http:NNN"
    takes = (
        "when",
        "delay",
        "retry_after",
        "hint",
        "message",
        "content_type",
        "set",
        "drain",
        "after_bytes",
        "cors",
    )

    def __init__(self, text: str) -> None:
        super().__init__(text)
        number = text.removeprefix("http:")
        if not is_status(number):
            raise Mistake(f"{shown(text)} is not {HTTP}")
        self.status = int(number)

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if the answer would come in the middle of a body where it cannot."""
        yield from middle.check_answer(self.text, options)

    def prepare(self, rule: CompiledRule) -> Act:
        """Answer with the status and a text."""
        return middle.in_an_upload(rule, self.text, answers.plain(rule, self.status))

    def in_words(self, rule: Rule) -> str:
        """The status with its reason phrase."""
        return f"a plain {self.status} {wire.reason(self.status)}"
