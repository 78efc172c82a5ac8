"""Faults that answer instead of the app."""

from __future__ import annotations

from functools import lru_cache

from faultinject.engine import answers
from faultinject.exceptions import ConfigurationError, UnknownVendorError
from faultinject.http import wire
from faultinject.rules import descriptions, values
from faultinject.rules.faults import middle
from faultinject.rules.faults.fault import Fault
from faultinject.rules.values import Mistake, listed, most_like, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from faultinject.engine.actions import Act
    from faultinject.engine.answers import ActByAnswering
    from faultinject.engine.compiled_rule import CompiledRule
    from faultinject.rules.key import Check
    from faultinject.rules.rule import Rule


HTTP = "http: and a status from 400 to 599"


class Documented(Fault):
    """The vendor's documented error, in the vendor's envelope; `@group` draws one of several.

    >>> print(Rule("cos:SlowDown", times=2))
    cos:SlowDown,times=2
    """

    title = "vendor:Code"
    takes: tuple[str, ...] = (
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
                suggestion = f"a fault; did you mean http:{label}?" if is_status(label) else HTTP
                raise Mistake(f"{shown(text)} is not {suggestion}") from None
            if (
                isinstance(error, UnknownVendorError)
                and vendors.vendors_with_code(label)
                and not vendors.nearest_ids(id_)
            ):
                documented = [f"{vendor_id}:{label}" for vendor_id in vendors.vendors_with_code(label)]
                error = UnknownVendorError(
                    f"{id_!r} is not a vendor; did you mean {vendors.abridge(documented, 'or')}?"
                )
            raise Mistake.of(error) from None

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if no status is known, or if the error cannot have a `share`."""
        if self.rows[0].status is None and "status" not in options:
            message = f"{self.text} is documented without a status; give one, such as status=400"
            yield Mistake(message, missing=("status",))
        if "share" in options:
            yield from self.check_share(options)
        yield from middle.check_answer(self.text, options)

    def check_share(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if the error cannot be given for single keys of a request."""
        assert self.vendor is not None
        if self.vendor.deletes is None:
            yield Mistake(f"share is not supported for {self.vendor.id}")
            return
        usual = self.vendor.content_type
        if all(self.vendor.form_of(row).content_type != usual for row in self.rows):
            yield Mistake(f"share: {self.text} is sent as a page, and never for a single key")
            return
        if any(options.get("status", str(row.status)) != "200" for row in self.rows):
            message = "share needs status=200: only an answer with that status reports each key"
            yield Mistake(message, missing=("status",))
        if "drain" in options and not values.yes_no(options["drain"]):
            yield Mistake("share needs the request's body, which names the keys; drain=no leaves it unread")

    def doubts(self, rule: Rule) -> Iterator[str]:
        """Yield a doubt if the service never gives the error to a request of the rule."""
        # Few rules have such a row; the others must not pay for the import when 10,000 rules are installed.
        if any(row.where for row in self.rows):
            from faultinject.rules.places import doubt_of_place

            yield from filter(None, (doubt_of_place(rule, self),))

    def prepare(self, rule: CompiledRule) -> Act:
        """Answer with the row, or one of the group's."""
        answer = answers.one_of(self.answers(rule), self.tests(rule))
        return middle.in_an_upload(rule, self.text, answer)

    def answers(self, rule: CompiledRule) -> list[ActByAnswering]:
        """The answer of each row."""
        assert self.vendor is not None
        return [answers.documented(rule, self.vendor, row) for row in self.rows]

    def tests(self, rule: CompiledRule) -> Sequence[Check | None]:
        """For each row, the test of the requests that may get it; a single row is for all requests."""
        if len(self.rows) == 1:
            return (None,)
        from faultinject.rules.places import test_of

        assert self.vendor is not None
        reading = answers.reading_of(rule, self.vendor)
        return [test_of(row, reading) for row in self.rows]

    def in_words(self, rule: Rule) -> str:
        """The error, or how many there are, and their statuses."""
        statuses = listed(map(str, self._statuses(rule)))
        if len(self.rows) == 1:
            return f"{self.text} ({statuses})"
        return f"one of the {len(self.rows)} errors of {self.text} ({statuses})"

    def delay_in_words(self, rule: Rule) -> str:
        """The delay in words; below status 300 the head is on time, and the error late."""
        late = f"{descriptions.wait(rule)} late"
        return f"the error {late} after the head" if self._statuses(rule)[-1] < 300 else late

    def fails(self, rule: Rule) -> float:
        """The share of errors whose status is 400 or more: an error in a 200 does not count."""
        status = rule.value("status")
        failing = [row for row in self.rows if (status or row.status or 0) >= 400]
        return len(failing) / len(self.rows)

    def draws(self, rule: Rule) -> bool:
        """Whether the digest chooses among several errors, or the keys that fail."""
        return len(self.rows) > 1 or "share" in rule.options or super().draws(rule)

    def _statuses(self, rule: Rule) -> list[int]:
        return sorted({rule.value("status") or row.status or 0 for row in self.rows})


class OneOf(Documented):
    """One of the documented errors that `of=` names, each with the same chance.

    An error that is named twice has twice the chance; a group counts as all of its errors.

    >>> print(Rule("oneof", of=["cos:SlowDown", "qingstor:service_unavailable"], probability=0.2))
    oneof,probability=0.2,of=cos:SlowDown,of=qingstor:service_unavailable
    """

    title = "oneof"
    takes = (*Documented.takes, "of")
    several = ("of",)

    def __init__(self, text: str, errors: Sequence[Documented] = ()) -> None:
        Fault.__init__(self, text)
        self.errors = errors
        self.rows = tuple(row for error in errors for row in error.rows)
        vendors_with_code = {error.vendor for error in errors}
        self.vendor = vendors_with_code.pop() if len(vendors_with_code) == 1 else None

    def with_options(self, options: Mapping[str, str]) -> Fault:
        """The fault with the errors that `of` names."""
        return _one_of(options["of"]) if "of" in options else self

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield a mistake if there are no errors, or if one of them cannot have a `share`."""
        if not self.errors:
            yield Mistake("oneof needs errors, such as of=cos:SlowDown,of=cos:InternalError", missing=("of",))
        if "share" in options:
            mistakes = {
                mistake.message: mistake for error in self.errors for mistake in error.check_share(options)
            }
            yield from mistakes.values()
        yield from middle.check_answer(self.text, options)

    def doubts(self, rule: Rule) -> Iterator[str]:
        """Yield a doubt for each error that the service gives no request of the rule."""
        for error in dict.fromkeys(self.errors):
            yield from error.doubts(rule)

    def answers(self, rule: CompiledRule) -> list[ActByAnswering]:
        """The answer of each row of each error."""
        return [answer for error in self.errors for answer in error.answers(rule)]

    def tests(self, rule: CompiledRule) -> Sequence[Check | None]:
        """For each row, the test of a request that may get it."""
        return [test for error in self.errors for test in error.tests(rule)]

    def in_words(self, rule: Rule) -> str:
        """Name the errors, in their order, each with its status."""
        named = listed(error.in_words(rule).removeprefix("one of ") for error in self.errors)
        return f"one of {named}" if len(self.errors) > 1 else self.errors[0].in_words(rule)


@lru_cache(1024)
def _one_of(named: str) -> OneOf:
    return OneOf("oneof", [Documented(error) for error in named.split(",")])


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
        """Yield a mistake if the rule's other keys exclude an answer in the middle of a body."""
        yield from middle.check_answer(self.text, options)

    def prepare(self, rule: CompiledRule) -> Act:
        """Answer with the status and a text."""
        return middle.in_an_upload(rule, self.text, answers.plain(rule, self.status))

    def in_words(self, rule: Rule) -> str:
        """The status with its reason phrase."""
        return f"a plain {self.status} {wire.reason(self.status)}"
