"""A reverse proxy with faults in front of any HTTP server: it forwards requests and answers unchanged.

What the rest needs of it is named here: `proxy_server` serves a `Proxy` in front of a `Target`, within `LIMITS`.

`client` is one client's connection, `upstream` that to the server behind, both read by h11; `app` is the ASGI app between them, which
faults are put around as around any other. uvicorn listens.
"""

from faultinject.exceptions import MissingExtra
from faultinject.faces import face
from faultinject.installation import install_extra

# Here, since every command that has a server of somebody else behind it comes by this way.
try:
    import h11  # noqa: F401
    import httptools  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError:
    raise MissingExtra(
        f"a server behind --to needs uvicorn, httptools and h11: {install_extra('proxy')}"
    ) from None

__getattr__, __all__ = face(__name__, LIMITS="upstream", Proxy="app", Target="target", proxy_server="client")
