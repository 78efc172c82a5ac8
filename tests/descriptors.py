"""What this process has open in a place of a test's own: other tests' threads open and close elsewhere meanwhile."""

from __future__ import annotations

import os


def opened(place):
    """The descriptors of this process that are files of a place, with what each is; none where Linux does not tell."""
    found = {}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():  # noqa: PTH112, PTH208 - numbers
        try:
            target = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except OSError:  # the listing's own
            continue
        if target == str(place) or target.startswith(f"{place}/"):
            found[int(name)] = target
    return found
