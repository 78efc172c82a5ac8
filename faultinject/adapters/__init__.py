"""The engine's connection to web apps: WSGI, ASGI and the frameworks' ways of composing apps."""

from faultinject.faces import face

__getattr__, __all__ = face(__name__, forget="install", of_environ="servers", of_send="servers")
