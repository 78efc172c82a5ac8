"""A rule and its fault as the parts of the grammar see them: protocols, so that no part imports the whole."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from faultinject.engine.compiled_rule import FaultLike, RuleLike
    from faultinject.vendors.vendor import Vendor

    class DescribedFault(FaultLike, Protocol):
        """A fault that can say in words what it does."""

        @property
        def after(self) -> str: ...
        @property
        def vendor(self) -> Vendor | None: ...
        def delay_in_words(self, rule: WrittenRule) -> str: ...

    class WrittenRule(RuleLike, Protocol):
        """A rule as written."""

        @property
        def resolved(self) -> DescribedFault: ...
