"""What a fault is."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.rules import descriptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.engine.actions import Act
    from faultinject.engine.compiled_rule import CompiledRule, RuleLike
    from faultinject.rules.types import WrittenRule
    from faultinject.rules.values import Mistake
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.vendor import Vendor


class Fault:
    """What a rule does to the exchange.

    Attributes:
        text: as the rule names it.
        kind: the class's own word, for dispatch.
        takes: the effects that it takes.
        after: what `when=after` comes to, in words.
        vendor: whose documented error it is, or None.
        rows: the documented errors that it gives, evenly drawn; empty when it gives none.
    """

    kind = ""
    title = ""
    takes: tuple[str, ...] = ()
    after = "after the app has run and in place of its answer"

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

    def check(self, options: dict[str, str]) -> Iterator[Mistake]:
        """What is wrong with a rule's effects as a whole, such as one that is missing."""
        return iter(())

    @abstractmethod
    def prepare(self, rule: CompiledRule) -> Act:
        """What is done to a request that the rule fires for, with all that can be worked out beforehand."""

    @abstractmethod
    def in_words(self, rule: WrittenRule) -> str:
        """What a request gets: `cos:SlowDown (503)`."""

    def delay_in_words(self, rule: WrittenRule) -> str:
        """How the rule's `delay` shows; nothing where `in_words` has said it."""
        return f"{descriptions.wait(rule)} late"

    def fails(self, rule: WrittenRule) -> bool:
        """Whether a client must take the attempt for failed."""
        return True

    def draws(self, rule: RuleLike) -> bool:
        """Whether anything but the ids of its answers is drawn once the rule fires."""
        return "delay" in self.takes and len(set(rule.value("delay"))) > 1

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text}>"
