"""What a client can do wrong."""

from __future__ import annotations

from collections.abc import Sequence


class StoreError(Exception):
    """A request that the store refuses.

    Attributes:
        mistake: a key of the tables in `labels`.
        message: the text to send instead of the documented one, or None.
        headers: further headers of the answer.
    """

    def __init__(
        self, mistake: str, message: str | None = None, *, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(mistake)
        self.mistake = mistake
        self.message = message
        self.headers = tuple(headers)
