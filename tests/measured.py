"""Removes times from printed text, so that tests compare the rest."""

import re


def without_times(text: str) -> str:
    """Replace seconds and the backoff's share by `~`, and drop the hint at a long backoff."""
    text = re.sub(r"in [\d.]+ s \(backoff \d+%\)", "~", text)
    return re.sub(r"\n+more than half of the time was the client's own backoff: .*", "", text)


def without_busy(text: str) -> str:
    """The text without the line that `conformance` has for a machine that was busy."""
    return re.sub(r"^.*: the machine was busy \(.*\): waits may look longer\n", "", text, flags=re.MULTILINE)
