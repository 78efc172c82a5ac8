"""A reverse proxy with faults in front of any HTTP server.

It forwards requests and answers unchanged. The names for other rooms are here: `proxy_server` serves a `Proxy` in
front of a `Target`, within `LIMITS`.

`client` is one client's connection, `upstream` that to the server behind, both read by h11; `app` is the ASGI app
between them, which faults are put around as around any other. uvicorn listens.
"""

from faultinject.exceptions import MissingExtraError

# Here, since every command that has a server of somebody else behind it comes by this way.
try:
    import h11  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError:
    raise MissingExtraError(
        'a server behind --to needs uvicorn and h11: pip install "faultinject[proxy]"'
    ) from None
