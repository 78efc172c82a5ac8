"""A reverse proxy with faults in front of any HTTP server.

It forwards requests and answers unchanged. `client` has the connections of clients, `upstream` the connections to the
server behind; h11 reads both. `app` is the ASGI app between them, and faults are injected around it as around any
other app. uvicorn listens.
"""

from faultinject.exceptions import MissingExtraError

# The check is here, since every command with `--to` imports this package first.
try:
    import h11  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError:
    raise MissingExtraError(
        'a server behind --to needs uvicorn and h11: pip install "faultinject[proxy]"'
    ) from None
