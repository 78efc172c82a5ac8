"""What an exploration prints, without what depends on how long it took."""

import re


def without_times(text: str) -> str:
    """The text with `~` for the seconds and the backoff's part in them, and without the hint at a long backoff."""
    text = re.sub(r"in [\d.]+ s \(backoff \d+%\)", "~", text)
    return re.sub(r"\n+more than half of the time was the client's own backoff: .*", "", text)
