"""The state that changes: the rules in force, the place of their counts, and how processes stay in sync."""

from faultinject.faces import face

__getattr__, __all__ = face(__name__, Session="session_sync", living="instances")
