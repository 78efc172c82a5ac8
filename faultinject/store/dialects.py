"""How the vendors' services differ: documents, names of parameters and headers, statuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from faultinject.store.documents import Documents
from faultinject.store.json import JssDocuments, QingStorDocuments
from faultinject.store.tree import BosDocuments, TosDocuments
from faultinject.store.xml import OssDocuments, XmlDocuments

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

GCS_NAMESPACE = "http://doc.s3.amazonaws.com/2006-03-01"
"""https://cloud.google.com/storage/docs/xml-api/get-bucket-list"""
OBS_NAMESPACE = "http://obs.myhwclouds.com/doc/2015-06-30/"
"""https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0022.html, without the region."""

MARKED = ("marker", "max-keys")
"""Pages of buckets as OSS, COS and OBS have them."""


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
        bucket_pages: the parameters by which a page of buckets begins and ends.
        empty_version: whether an empty version is none; its SDK sends it.
        absent: headers of its own that would make a put another one, which the store has not.
    """

    documents: Documents
    prefixes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    created: int = 200
    parts: range = range(1, 10001)
    page: int = 1000
    checksums: bool = False
    self_copy: str = ""
    amz_checksums: bool = False
    any_order: bool = False
    bucket_pages: tuple[str, str] = ("continuation-token", "max-buckets")
    empty_version: bool = False
    absent: tuple[str, ...] = ("write-offset-bytes",)


DIALECTS: Mapping[str, Dialect] = {
    "s3": Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",), self_copy="InvalidRequest/10", amz_checksums=True),
    **dict.fromkeys(("rgw", "r2", "kodo-s3", "jdcloud"), Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",))),
    "minio": Dialect(
        XmlDocuments(S3_NAMESPACE),
        ("x-amz-",),
        self_copy="InvalidRequest",
        amz_checksums=True,
        absent=("write-offset-bytes", "meta-snowball-auto-extract"),
    ),
    "gcs-xml": Dialect(XmlDocuments(GCS_NAMESPACE), ("x-goog-", "x-amz-")),
    "obs": Dialect(XmlDocuments(OBS_NAMESPACE), ("x-obs-", "x-amz-"), bucket_pages=MARKED),
    "tos": Dialect(TosDocuments(), ("x-tos-",), checksums=True, any_order=True),
    "bos": Dialect(
        BosDocuments(),
        ("x-bce-",),
        {
            "max-keys": "maxKeys",
            "max-uploads": "maxUploads",
            "max-parts": "maxParts",
            "part-number-marker": "partNumberMarker",
            "key-marker": "keyMarker",
            "upload-id-marker": "uploadIdMarker",
        },
    ),
    "oss": Dialect(OssDocuments(), ("x-oss-",), checksums=True, bucket_pages=MARKED),
    "cos": Dialect(
        XmlDocuments(), ("x-cos-", "x-amz-"), checksums=True, empty_version=True, bucket_pages=MARKED
    ),
    "qiniu-mix": Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",)),
    "jss": Dialect(JssDocuments(), ("x-jss-",), {"max-keys": "maxKeys"}),
    "qingstor": Dialect(
        QingStorDocuments(),
        ("x-qs-",),
        {
            "max-keys": "limit",
            "max-uploads": "limit",
            "max-parts": "limit",
            "uploadId": "upload_id",
            "partNumber": "part_number",
            "part-number-marker": "part_number_marker",
            "key-marker": "key_marker",
            "upload-id-marker": "upload_id_marker",
        },
        created=201,
        parts=range(1000),
        page=200,
    ),
}
"""By vendor. TOS's SDK finishes an upload with the parts as they were done. Qiniu MIX documents JSON errors and, with `MalformedXML`, XML documents; no client of it is public."""
