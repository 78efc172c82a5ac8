"""Matching, deciding and answering, pure: no framework, no socket, no sleep, no clock, no file and no grammar of its own."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    ASGIRequest="request",
    Disconnect="actions",
    Forward="actions",
    Pass="actions",  # noqa: S106 - it is no password
    Take="counting",
    WSGIRequest="request",
    locked="counting",
    shown_target="shown",
)
