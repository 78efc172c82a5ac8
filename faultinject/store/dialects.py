"""How the services that speak S3 differ: documents, names of parameters and headers, statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faultinject.store.json import QingStorDocuments
from faultinject.store.xml import XmlDocuments


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's way of speaking S3.

    Attributes:
        documents: its result and request documents.
        prefixes: the prefixes of its own headers; the first is its own, the others are understood as well.
        parameters: from S3's name of a query parameter to its own, where they differ.
        created: the status for something made.
        parts: the part numbers that it takes.
        page: how many entries a listing shows when the client names no number.
        checksums: whether answers about content have its CRC-64, which SDKs check.
        self_copy: the label of the error for a copy onto itself that changes nothing; empty where that is allowed.
        amz_checksums: whether it keeps the checksums of `x-amz-checksum-…` and gives them back.
        any_order: whether an upload may be finished with its parts in any order.
        empty_version: whether an empty version is none; its SDK sends it.
        absent: headers of its own that would make a put another one, which the store has not.
        first_region: whether a bucket that is there is made again with success, as S3 does in us-east-1
            (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html); with a configuration it is for another region.
    """

    documents: XmlDocuments | QingStorDocuments
    prefixes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    created: int = 200
    parts: range = range(1, 10001)
    page: int = 1000
    checksums: bool = False
    self_copy: str = ""
    amz_checksums: bool = False
    any_order: bool = False
    empty_version: bool = False
    absent: tuple[str, ...] = ("write-offset-bytes",)
    first_region: bool = False
