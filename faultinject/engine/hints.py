"""How an answer asks a client to wait: `Retry-After`, or a header of a vendor's own that counts milliseconds."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MILLISECONDS = ("x-amz-retry-after", "x-ms-retry-after-ms", "retry-after-ms")
"""Headers that ask in milliseconds."""
FORMS = ("seconds", "date", *MILLISECONDS)
"""What `hint` may be: the two of `Retry-After`, or a header."""
HEADERS = ("retry-after", *MILLISECONDS)
"""The headers that ask to wait."""


def write_hint(wait: float, form: str) -> tuple[str, str, float]:
    """The header that asks to wait, and the wait in seconds that it comes to.

    Args:
        wait: seconds.
        form: one of FORMS.

    Returns:
        The header's name, its text and the wait: whole seconds or milliseconds, rounded up. The text of a `date` is
        worked out when the answer starts; whole seconds rounded up are never earlier than the wait itself.

    >>> write_hint(1.5, "seconds"), write_hint(1.5, "x-amz-retry-after")
    (('Retry-After', '2', 2.0), ('x-amz-retry-after', '1500', 1.5))
    """
    if form in MILLISECONDS:
        milliseconds = int(-(-round(wait * 1000, 6) // 1))
        return form, str(milliseconds), milliseconds / 1000
    seconds = float(-(-wait // 1))
    return "Retry-After", f"{seconds:.0f}", wait if form == "date" else seconds


def read_hint(headers: Mapping[str, str]) -> tuple[float | None, str | None]:
    """The wait in seconds that headers of lower-case names ask for, and in which form.

    >>> read_hint({"x-amz-retry-after": "1500"})
    (1.5, 'x-amz-retry-after')
    """
    if "retry-after" in headers:
        text = headers["retry-after"]
        if text.isascii() and text.isdecimal():
            return float(text), "seconds"
        return None, "date" if text.endswith(" GMT") else "unreadable"
    for name in MILLISECONDS:
        if name in headers:
            text = headers[name]
            return (int(text) / 1000, name) if text.isascii() and text.isdecimal() else (None, "unreadable")
    return None, None
