"""The evidence of a finding: its kinds, and the documents that it cites."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

EVERYBODY, VENDOR, CLIENT, NOBODY = BINDING = ("everybody", "vendor", "client", "nobody")
"""Whom a document binds."""


class EvidenceKind(StrEnum):
    """A kind of evidence."""

    WIRE = "wire"
    """Requests and their answers."""
    TOLD = "told"
    """The result that a caller got, as a named call, a driver, an exit code or a test says."""
    STORE = "store"
    """The contents of the store, or an answer of the app that shows its effect."""
    DOCUMENT = "document"
    """A document that asks for something else."""


class Document(Struct, frozen=True, omit_defaults=True):
    """A document that asks something of clients.

    Attributes:
        name: Its name.
        binds: Whom it binds: everybody, a vendor's clients, the client that has promised it, or nobody if it is
            advice.
        address: Its address; null: it has none.
        vendor: The vendor whose clients it binds: `aws`, `azure`, `cos`; null: none.
    """

    name: str
    binds: Annotated[str, Meta(extra_json_schema={"enum": [*BINDING]})]
    address: str | None = None
    vendor: str | None = None

    @property
    def bound(self) -> str:
        """Whom it binds, in words."""
        names = {VENDOR: f"the clients of {self.vendor or 'that vendor'}", CLIENT: "this client"}
        return names.get(self.binds, self.binds)

    def applies_to(self, vendors: frozenset[str]) -> bool:
        """Whether it binds a client of these vendors; a promise binds the client that made it."""
        return self.binds in (EVERYBODY, CLIENT) or self.vendor in vendors

    def __str__(self) -> str:
        return self.name if self.address is None else f"{self.name} ({self.address})"


def rfc(number: int, section: str) -> Document:
    """A section of an RFC.

    >>> str(rfc(9110, "15.5"))
    'RFC 9110 15.5 (https://www.rfc-editor.org/rfc/rfc9110#section-15.5)'
    """
    return Document(
        f"RFC {number} {section}",
        EVERYBODY,
        f"https://www.rfc-editor.org/rfc/rfc{number}#section-{section}",
    )


def reference(documents: Iterable[Document]) -> str:
    """The documents in one line."""
    return "; ".join(map(str, documents))


def vendor_of(service: str) -> str:
    """The vendor of a service's id: `azure` of `azure-blob`."""
    return service.partition("-")[0]


AWS_SDKS = Document(
    "AWS SDKs: retry behavior",
    VENDOR,
    "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    "aws",
)
AZURE = Document(
    "Azure: transient fault handling",
    VENDOR,
    "https://learn.microsoft.com/en-us/azure/architecture/best-practices/transient-faults",
    "azure",
)
CLOUD_STORAGE = Document(
    "Cloud Storage: retry strategy", VENDOR, "https://cloud.google.com/storage/docs/retry-strategy", "gcs"
)
AWS_BLOG = Document(
    "AWS: exponential backoff and jitter",
    NOBODY,
    "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
)
SRE = Document("Google SRE book: Handling Overload", NOBODY, "https://sre.google/sre-book/handling-overload/")
TAIL_AT_SCALE = Document("The Tail at Scale", NOBODY, "https://cacm.acm.org/research/the-tail-at-scale/")
LOST_RETRIES = Document(
    "RFC 9110 13.1.1: a request that has already been applied",
    NOBODY,
    "https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1",
)
"""It allows a server to answer with success, and asks nothing of a client."""
CONTRACT = Document("`faultinject conformance --contract`", CLIENT)
PROMISE = Document("the profile", CLIENT)
"""Stands for the client's own promise; a finding names the profile's reference instead."""
TABLE = Document("the vendor's table of errors", VENDOR)
"""Stands for the table of any vendor; a finding has the vendor whose errors came."""
SDKS = {
    "aws": ("aws-sdk-", "Boto3/", "Botocore/", "botocore/", "aws-cli/", "CRTS3NativeClient/"),
    "azure": ("azsdk-",),
    "gcs": ("gccl/", "gcloud-"),
}
"""Texts in the user agents of each vendor's own clients."""
