"""What goes into result documents, and what is read out of request documents, whatever their format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from faultinject.store.buckets import Part, Stored, Upload
from faultinject.store.listing import Name
from faultinject.store.refusal import StoreError

OWNER = "faultinject"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """What was asked of a bucket's objects or uploads, and the common prefixes on a page of them."""

    bucket: str
    prefix: str
    delimiter: str
    limit: int
    prefixes: list[str]
    encoded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsPage(KeysPage):
    """A page of a bucket's objects; `version` is 2 for S3's second listing, where `token` led here."""

    marker: str
    objects: list[Stored]
    next: str | None
    version: int
    token: str
    next_token: str
    owners: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsPage(KeysPage):
    """A page of a bucket's multipart uploads."""

    marker: Name
    uploads: list[Upload]
    next: Name | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPage:
    """A page of an upload's parts."""

    bucket: str
    upload: Upload
    marker: int | None
    limit: int
    parts: list[Part]
    next: int | None
    encoded: bool


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that is to be deleted; version and ETag are None where they are not given."""

    key: str
    version: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """What is to be deleted; `encoded` is whether keys are percent-encoded in the answer, `quiet` without the deleted."""

    objects: list[NamedObject]
    quiet: bool
    encoded: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that could not be deleted."""

    key: str
    version: str | None
    code: str
    message: str


def iso(moment: float) -> str:
    """Unix seconds as `2026-07-20T12:00:00.000Z`."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def read_number(text: str) -> int:
    """A part number as a document writes it."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise StoreError("malformed")
    return int(text)
