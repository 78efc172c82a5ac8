"""Somebody else's test suite, run once for each fault, and compared test by test.

`running` says what is injected, runs the suite and hears its runner meanwhile; `comparison` reads what the suite says of its
tests, and says which a fault breaks. What lies in `beside` is loaded by the suite's own pytest or Node.
"""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    Suite="running",
    Trial="running",
    TrialReport="comparison",
    faults_of="running",
    report_of="comparison",
    spelled="comparison",
)
