"""What a vendor's dialect reads of a request: protocols, so that no vendor knows the view that implements them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    # Bucket and key, each None where a request does not name it.
    Address = tuple[str | None, str | None]
    # Level, bucket, key and the rest of the address.
    Target = tuple[str, str | None, str | None, str]

    class Readable(Protocol):
        """What tells where a request points and which operation it is.

        Attributes:
            read_by: who has found out `place`, so that many rules read a request once.
            named_by: who has found out `operation`.
        """

        method: str
        query: str
        read_by: object
        place: Target
        named_by: object
        operation: str | None

        @property
        def host(self) -> str: ...
        @property
        def below(self) -> str: ...
        def recorded(self, name: str) -> str | None: ...

    class StorageRequest(Readable, Protocol):
        """What the values of an answer are made from, besides.

        Attributes:
            identified_by: who has found out `identities`.
        """

        path: str
        identified_by: object
        identities: tuple[str, str]

        @property
        def raw_path(self) -> str: ...
        @property
        def content_length(self) -> int | None: ...
        @property
        def has_body(self) -> bool: ...
        def header(self, name: str) -> tuple[str, ...]: ...
        def query_values(self, name: str) -> tuple[str, ...]: ...
