"""The embedded object store: a small in-memory service that the vendors' own SDKs accept.

`demo` and `serve` use it when no app is named, so that faults hit a real service. It answers a request object, made of
a request of WSGI or ASGI (`app`). Signatures are accepted, not checked; nothing is written to disk.
"""

from faultinject.exceptions import MissingExtraError

# The check is here, since every user of the store imports this package first.
try:
    import werkzeug  # noqa: F401
except ImportError:
    raise MissingExtraError(
        'the embedded object store needs werkzeug: pip install "faultinject[serve]"'
    ) from None

from faultinject.store.wsgi import ObjectStore as ObjectStore

__all__ = ["ObjectStore"]
