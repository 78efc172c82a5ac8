"""The embedded object store: a small in-memory service that the vendors' own SDKs accept.

`demo` and `serve` use it when no app is named, so that faults have something real to hit. It is a plain WSGI
application. Signatures are accepted, not checked; nothing is written to disk.
"""

from faultinject.faces import face
from faultinject.store.wsgi import ObjectStore as ObjectStore

__getattr__, _ = face(
    __name__,
    B2Store="plan_stores",
    KodoStore="plan_stores",
    ResettableStore="wsgi",
    STORES="stores",
    SwiftStore="plan_stores",
    VendorStore="stores",
    change="wsgi",
)
__all__ = ["ObjectStore"]
