"""A reverse proxy with faults in front of any HTTP server.

Without a fault it forwards requests and answers unchanged, except for headers about the connection itself. `client` has
the connections of clients, `upstream` the connections to the server behind the proxy; h11 parses both. `app` is the
ASGI app between them, and faults are injected around it as around any other app. uvicorn accepts the connections.
"""

from faultinject.exceptions import MissingExtraError

# Every command with `--to` imports this package first, so a missing extra is reported here.
try:
    import h11  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError:
    raise MissingExtraError(
        'a server behind --to needs uvicorn and h11: pip install "faultinject[proxy]"'
    ) from None
