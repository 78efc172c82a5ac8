"""Every program, by name."""

from importlib import import_module

from .program import FOUND

GROUPS = (
    "credentials preconditions absent waiters forbidden beats keys crowds hedged reauthorised bounds bodies time_stamps"
    " layers herds loops asked_to_wait late_answers never"
).split()
"""The classes, in the order of the table."""

for _each in GROUPS:
    import_module(f"{__package__}.{_each}")

PROGRAMS = dict(sorted(FOUND.items(), key=lambda item: GROUPS.index(item[1].group)))
