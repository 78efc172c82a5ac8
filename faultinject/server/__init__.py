"""uvicorn over httptools, as `serve`, `demo`, `explore`, `conformance` and `faultinject_store` use it, and what lets it serve a WSGI app.

Nothing here reads a request: httptools does. The refusal of heads that it lets pass looks at what it has read.
"""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    LIMITS="connections",
    Certificate="certificates",
    Server="connections",
    certificate="certificates",
)
