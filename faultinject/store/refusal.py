"""A request that the store refuses."""

from __future__ import annotations

from collections.abc import Sequence


class StoreError(Exception):
    """A request that the store refuses.

    Attributes:
        mistake: a key of `VendorStore.mistakes`.
        message: the text to send instead of the documented one, or None.
        headers: further headers of the answer.
        label: the label of the documented error that says it, where that is not the table's; or None.
        size: bytes of the object, where an error may tell them; or None.
    """

    def __init__(
        self,
        mistake: str,
        message: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        label: str | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__(mistake)
        self.mistake = mistake
        self.label = label
        self.message = message
        self.headers = tuple(headers)
        self.size = size
