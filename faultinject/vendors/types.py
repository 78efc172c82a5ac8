"""Types of the requests that a vendor's dialect reads, and of their parts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    # Bucket and key, each None where a request does not name it.
    Address = tuple[str | None, str | None]
    # Level, bucket, key and the rest of the address.
    Target = tuple[str, str | None, str | None, str]

    class Readable(Protocol):
        """The address and the operation of a request, or of the journal's record of it."""

        method: str
        path: str
        query: str
        host: str
        read_by: object
        place: Target
        named_by: object
        operation: str | None

        @property
        def below(self) -> str: ...
        def recorded(self, name: str) -> str | None: ...

    class StorageRequest(Readable, Protocol):
        """A request with all that the values of an answer are made from."""

        identified_by: object
        identities: tuple[str, str]

        @property
        def raw_path(self) -> str: ...
        @property
        def has_body(self) -> bool: ...
        @property
        def content_length(self) -> int | None: ...
        def header(self, name: str) -> tuple[str, ...]: ...
        def query_values(self, name: str) -> tuple[str, ...]: ...

    # From a request and the bucket (Azure: the account) that its Host names, or None.
    TargetReader = Callable[[Readable, str | None], Target]
