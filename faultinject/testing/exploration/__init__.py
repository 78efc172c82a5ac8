"""A fault at every request of the code under test, one run each, instead of a percentage.

The engine has no I/O: `choices` says what is injected, `points` where, `sweep` in which order, `strategies` turns the
result of a run into findings, `report` prints them. `faultinject.testing.runs` (`Exploration`) drives it in one
process; the pytest plugin and the command line do so in their own way.
"""

from __future__ import annotations
