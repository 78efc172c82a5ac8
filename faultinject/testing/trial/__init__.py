"""Somebody else's test suite, run once for each fault, and compared test by test.

`results` reads what a suite says of its tests, `faults` says what is injected, `running` runs the suite and hears its
runner meanwhile, `comparison` says which tests a fault breaks. What lies in `beside` is loaded by the
suite's own pytest or Node.
"""

from __future__ import annotations

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    Suite="running",
    Trial="running",
    TrialReport="comparison",
    faults_of="faults",
    report_of="comparison",
    spelled="comparison",
)
