"""What a fault is."""

from __future__ import annotations

from abc import abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.core.actions import Act
    from faultinject.core.ready import ReadyRule
    from faultinject.vendors.vendor import DocumentedError, Vendor


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
