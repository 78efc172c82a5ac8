"""The journal: the outcome of each request is written, and read back as attempts. Also the lines of the log."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    CallWindow="call_window",
    DrivenRun="driven_run",
    Writers="reading",
    last_run="driven_run",
    of_outcomes="reading",
    read="reading",
)
