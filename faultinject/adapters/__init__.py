"""Adapters connect the engine to web apps of WSGI, ASGI and the frameworks."""

from faultinject.faces import face

__getattr__, __all__ = face(__name__, forget="install")
