"""The control API: it shows and changes an injector while its apps run, by HTTP, and has a page for people.

It is off unless asked for (`FAULTINJECT_CONTROL`). `mount` puts it below a path of an app, `server` on an address of its own;
`api` answers, by the one table of calls in `calls`.
"""

from faultinject.faces import face

__getattr__, __all__ = face(__name__, CALLS="calls", ControlServer="server")
