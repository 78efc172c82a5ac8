"""Matching, deciding and answering, pure: no framework, no socket, no sleep, no clock, no file and no grammar of its own."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    Take="counting",
    candidates="decision",
    decide="decision",
    locked="counting",
    meets="decision",
    reads="decision",
    shown_target="shown",
    view="decision",
)
