"""The base class of all faults."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.engine.draw import LogNormal
from faultinject.rules import descriptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from faultinject.engine.actions import Act
    from faultinject.engine.compiled_rule import CompiledRule
    from faultinject.rules.rule import Rule
    from faultinject.rules.values import Mistake
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.vendor import Vendor


class Fault:
    """The effect of a rule on the exchange.

    Attributes:
        text: the fault as the rule names it.
        takes: the effects that it takes.
        after: the effect of `when=after`, in words.
        of_store: whether the embedded store carries it out.
        changes_body: whether it changes the body of an answer as it is sent, so that there must be a body.
        breaks: whether the connection ends instead of an answer, or within one.
        vendor: the vendor that documents the error, or None.
        rows: its documented errors, one of which is drawn, each with the same chance; empty if it has none.
        several: the effects that a rule may have several times.
    """

    title = ""
    takes: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    after = "after the app has run and in place of its answer"
    of_store = False
    changes_body = False
    breaks = False

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
        """Whether the fault has a vendor, which reads bucket, key and operation of requests."""
        return self.vendor is not None and self.vendor.addressing is not None

    def with_options(self, options: Mapping[str, str]) -> Fault:
        """The fault with the documented errors that a rule's options name."""
        return self

    def doubts(self, rule: Rule) -> Iterator[str]:
        """Describe the errors that the service never gives to requests of the rule."""
        return iter(())

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """Yield mistakes in a rule's effects taken together, such as a missing one."""
        return iter(())

    @abstractmethod
    def prepare(self, rule: CompiledRule) -> Act:
        """Prepare, as far as possible, the action on a request for which the rule fires."""

    @abstractmethod
    def in_words(self, rule: Rule) -> str:
        """The fault in words: `cos:SlowDown (503)`."""

    def delay_in_words(self, rule: Rule) -> str:
        """The rule's `delay` in words; empty if `in_words` has it."""
        return f"{descriptions.wait(rule)} late"

    def fails(self, rule: Rule) -> float:
        """The chance that an attempt with this fault has failed for the client."""
        return 1.0

    def draws(self, rule: Rule) -> bool:
        """Whether the rule draws more than the ids of its answers when it fires."""
        if "delay" not in self.takes:
            return False
        delay = rule.value("delay")
        return isinstance(delay, LogNormal) or delay[0] != delay[1]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text}>"
