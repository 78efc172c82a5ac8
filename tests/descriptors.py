"""The open files of this process under one folder.

Other tests' threads open and close files elsewhere meanwhile.
"""

import os


def opened(place):
    """The open descriptors under a folder, and the file of each; none without Linux's /proc."""
    found = {}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():  # noqa: PTH112, PTH208 - numbers
        try:
            target = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except OSError:  # the listing's own
            continue
        if target == str(place) or target.startswith(f"{place}/"):
            found[int(name)] = target
    return found
