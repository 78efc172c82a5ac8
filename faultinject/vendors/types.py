"""Types of the requests that a vendor's dialect reads, and of their parts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from faultinject.engine.entry import Entry
    from faultinject.engine.request import Request

    # What the values of an answer are made from.
    StorageRequest: TypeAlias = Request
    # What tells where a request points and which operation it is: the request, or what the journal notes of it.
    Readable: TypeAlias = Request | Entry
    # Bucket and key, each None where a request does not name it.
    Address = tuple[str | None, str | None]
    # Level, bucket, key and the rest of the address.
    Target = tuple[str, str | None, str | None, str]
    # From a request and the bucket (Azure: the account) that its Host names, or None.
    TargetReader = Callable[[Readable, str | None], Target]
