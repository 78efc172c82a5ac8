"""The embedded stores: one row for each vendor, with its differences from the others.

`serve`, `demo`, `explore`, `conformance`, `Storage` and the fixture find their store here.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import md5
from typing import Any

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.registry import Registry
from faultinject.store import sdk_clients
from faultinject.store.buckets import Headers
from faultinject.store.call import Dialect, S3Call
from faultinject.store.exchange import Service, StoreExchange
from faultinject.store.json import BosDocuments, JssDocuments, QingStorDocuments, TosDocuments
from faultinject.store.messages import StoreAnswer, StoreRequest
from faultinject.store.xml import OssDocuments, XmlDocuments

S3_NAMES = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
AZURE_NAMES = re.compile(r"\$web|[a-z0-9](?:-?[a-z0-9]){2,62}")
"""The names of Azure's containers.

https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
"""
GCS_NAMES = re.compile(r"(?=[^.]{1,63}(?:\.[^.]{1,63})*\Z)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
"""The names of Google's buckets; each part between dots is at most 63 characters long.

https://cloud.google.com/storage/docs/buckets#naming
"""


@dataclass(frozen=True, slots=True)
class ServiceAdapter:
    """The functions that speak one service's API.

    Attributes:
        read: a function from the store's data and a request to the exchange.
        perform: a function from the exchange to its answer; raises `StoreError`.
        names: the pattern of a bucket's name.
        describe: a function from content and unix seconds to the entity tag and the headers of an object.
        part: the number of the first part.
    """

    read: Callable[[Service, StoreRequest], StoreExchange]
    perform: Callable[[Any], StoreAnswer]
    names: re.Pattern[str]
    describe: Callable[[bytes, float], tuple[str, Headers]]
    part: int = 1


@dataclass(frozen=True, slots=True)
class VendorStore:
    """One vendor's store, and the settings for its SDK.

    Attributes:
        mistakes: the label of the documented error, by the mistake of a client.
        speaks: its differences from S3, or a function that makes the adapter for another API.
        client: the constructor of its SDK for Python, such as `boto3.client`.
        arguments: a function from the store's host and port to the arguments of the constructor.
        variables: the environment variables for its SDKs and tools, with `{url}` for the store's address.
    """

    mistakes: Mapping[str, str]
    speaks: Dialect | Callable[[], ServiceAdapter]
    client: str
    arguments: Callable[[str, int], dict[str, Any]]
    variables: Mapping[str, str] = field(default_factory=lambda: sdk_clients.AWS_VARIABLES)

    def environment(self, host: str, port: int) -> dict[str, str]:
        """Make the environment variables for programs that use a store at this address.

        They are `ENDPOINT` and the variables of the vendor's SDKs.
        """
        url = f"http://{host}:{port}"
        return {"ENDPOINT": url} | {name: text.format(url=url) for name, text in self.variables.items()}

    def adapter(self) -> ServiceAdapter:
        """Make the adapter that reads and performs requests."""
        if not isinstance(self.speaks, Dialect):
            return self.speaks()
        from faultinject.store import s3

        return ServiceAdapter(partial(S3Call, self.speaks), s3.perform, S3_NAMES, _describe)


def _describe(content: bytes, _now: float) -> tuple[str, Headers]:
    return md5(content, usedforsecurity=False).hexdigest(), (("Content-Type", "application/octet-stream"),)


def _azure() -> ServiceAdapter:
    from faultinject.store.azure import operations
    from faultinject.store.azure.call import AzureCall
    from faultinject.store.azure.documents import block_number

    first_part = block_number("AAAA")
    return ServiceAdapter(AzureCall, operations.perform, AZURE_NAMES, operations.describe, first_part)


def _gcs() -> ServiceAdapter:
    from faultinject.store.gcs import operations
    from faultinject.store.gcs.call import GcsCall
    from faultinject.store.gcs.resources import describe

    return ServiceAdapter(partial(GcsCall, OrderedDict()), operations.perform, GCS_NAMES, describe)


S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

GCS_NAMESPACE = "http://doc.s3.amazonaws.com/2006-03-01"
"""The namespace of Google's XML documents.

https://cloud.google.com/storage/docs/xml-api/get-bucket-list
"""
OBS_NAMESPACE = "http://obs.myhwclouds.com/doc/2015-06-30/"
"""The namespace of OBS's XML documents.

https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0022.html, without the region.
"""


_S3 = {
    "argument": "InvalidArgument",
    "bad_digest": "BadDigest",
    "bucket_exists": "BucketAlreadyOwnedByYou",
    "bucket_has_uploads": "BucketNotEmpty",
    "bucket_name": "InvalidBucketName",
    "bucket_not_empty": "BucketNotEmpty",
    "digest": "InvalidDigest",
    "document": "MaxMessageLengthExceeded",
    "empty_document": "MissingRequestBodyError",
    "full": "EntityTooLarge",
    "incomplete": "IncompleteBody",
    "key_length": "KeyTooLong",
    "length": "MissingContentLength",
    "malformed": "MalformedXML",
    "metadata": "MetadataTooLarge",
    "method": "MethodNotAllowed",
    "no_bucket": "NoSuchBucket",
    "no_key": "NoSuchKey",
    "no_upload": "NoSuchUpload",
    "not_implemented": "NotImplemented",
    "object_exists": "PreconditionFailed",
    "part": "InvalidPart",
    "part_number": "InvalidArgument",
    "part_order": "InvalidPartOrder",
    "precondition": "PreconditionFailed",
    "range": "InvalidRange",
    "too_many_keys": "MalformedXML",
    "uri": "InvalidURI",
    "version": "InvalidArgument",
}
_VERSIONS = {"version": "NoSuchVersion"}

STORES: Mapping[str, VendorStore] = {
    "cos": VendorStore(
        {**_S3, **_VERSIONS, "bucket_exists": "BucketAlreadyExists"},
        Dialect(XmlDocuments(), ("x-cos-", "x-amz-"), checksums=True, empty_version=True),
        "qcloud_cos.CosConfig",
        sdk_clients.cos,
    ),
    "qiniu-mix": VendorStore(
        {**_S3, **_VERSIONS},
        Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",)),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "jss": VendorStore(
        {
            **_S3,
            "bucket_has_uploads": "BucketNotEmpty/2",
            "digest": "BadDigest",
            "document": "EntityTooLarge",
            "empty_document": "MalformedJson",
            "malformed": "MalformedJson",
            "metadata": "InvalidArgument",
            "not_implemented": "MethodNotAllowed",
            "part_number": "TooManyParts",
            "too_many_keys": "MalformedJson",
        },
        Dialect(JssDocuments(), ("x-jss-",), {"max-keys": "maxKeys"}),
        "jss_upload.jss.Jss",
        sdk_clients.jss,
    ),
    "qingstor": VendorStore(
        {
            "argument": "invalid_argument",
            "bad_digest": "bad_digest",
            "bucket_exists": "bucket_already_exists",
            "bucket_has_uploads": "bucket_not_empty",
            "bucket_name": "invalid_bucket_name",
            "bucket_not_empty": "bucket_not_empty",
            "digest": "invalid_argument",
            "document": "entity_too_large",
            "empty_document": "invalid_json",
            "full": "entity_too_large",
            "incomplete": "incomplete_body",
            "key_length": "invalid_object_name",
            "length": "invalid_request",
            "malformed": "invalid_json",
            "metadata": "metadata_too_large",
            "method": "method_not_allowed",
            "no_bucket": "bucket_not_exists",
            "no_key": "object_not_exists",
            "no_upload": "upload_not_exists",
            "not_implemented": "method_not_allowed",
            "object_exists": "precondition_failed",
            "part": "invalid_argument",
            "part_number": "max_parts_exceeded",
            "part_order": "invalid_argument",
            "precondition": "precondition_failed",
            "range": "invalid_range",
            "too_many_keys": "too_many_objects",
            "uri": "invalid_object_name",
            "version": "invalid_argument",
        },
        Dialect(
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
            pages=(200, 200),
        ),
        "qingstor.sdk.service.qingstor.QingStor",
        sdk_clients.qingstor,
    ),
    "s3": VendorStore(
        {**_S3, **_VERSIONS, "key_length": "KeyTooLongError"},
        Dialect(
            XmlDocuments(S3_NAMESPACE),
            ("x-amz-",),
            reads_parts=True,
            chunked="not_implemented",  # https://github.com/aws/aws-sdk-go/issues/4944
            self_copy="InvalidRequest/10",
            amz_checksums=True,
            amazon=True,
        ),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "minio": VendorStore(
        {
            **_S3,
            **_VERSIONS,
            "argument": "InvalidArgument/9",
            "document": "EntityTooLarge",
            "key_length": "KeyTooLongError",
            "part_number": "InvalidArgument/7",
            "uri": "XMinioInvalidObjectName",
        },
        Dialect(
            XmlDocuments(S3_NAMESPACE),
            ("x-amz-",),
            reads_parts=True,
            chunked="length",  # https://github.com/minio/minio/issues/7792
            self_copy="InvalidRequest",
            amz_checksums=True,
            absent=("write-offset-bytes", "meta-snowball-auto-extract"),
        ),
        "minio.Minio",
        sdk_clients.minio,
        {
            **sdk_clients.AWS_VARIABLES,
            "MINIO_ACCESS_KEY": sdk_clients.ID,
            "MINIO_SECRET_KEY": sdk_clients.SECRET,
        },
    ),
    "rgw": VendorStore(
        {
            **_S3,
            "bucket_exists": "BucketAlreadyExists",
            "document": "EntityTooLarge",
            "empty_document": "MalformedXML",
            "incomplete": "RequestTimeout",
            "key_length": "InvalidObjectName",
            "metadata": "InvalidArgument",
            "uri": "InvalidObjectName",
        },
        Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",)),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "r2": VendorStore(
        {
            **_S3,
            "argument": "InvalidObjectName",
            "bucket_exists": "BucketConflict",
            "document": "EntityTooLarge",
            "empty_document": "IncompleteBody",
            "key_length": "InvalidObjectName",
            "malformed": "IncompleteBody",
            "method": "NotEntitled",
            "not_implemented": "NotEntitled",
            "part_number": "InvalidPart",
            "part_order": "InvalidPart",
            "too_many_keys": "IncompleteBody",
            "uri": "InvalidObjectName",
            "version": "InvalidObjectName",
        },
        Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",), chunked="length"),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "kodo-s3": VendorStore(
        {
            **_S3,
            **dict.fromkeys(
                ("bad_digest", "digest", "incomplete", "key_length", "length", "metadata", "uri"),
                "InvalidArgument",
            ),
            "bucket_exists": "BucketAlreadyExists",
            "document": "EntityTooLarge",
            "empty_document": "MalformedXML",
            "part_order": "InvalidPart",
        },
        Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",)),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "jdcloud": VendorStore(
        {
            **_S3,
            "bucket_has_uploads": "BucketHasMutiUploads",
            "digest": "InvalidContentMD5Error",
            "document": "EntityTooLarge",
            "empty_document": "BadRequest",
            "malformed": "BadRequest",
            "metadata": "InvalidArgument",
            "object_exists": "BadRequest",
            "precondition": "BadRequest",
            "too_many_keys": "BadRequest",
        },
        Dialect(XmlDocuments(S3_NAMESPACE), ("x-amz-",)),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "gcs-xml": VendorStore(
        {
            **_S3,
            "not_implemented": "MethodNotAllowed",
            "part": "InvalidArgument",
            "part_order": "InvalidArgument",
        },
        Dialect(XmlDocuments(GCS_NAMESPACE), ("x-goog-", "x-amz-")),
        "boto3.client",
        sdk_clients.boto3,
    ),
    "oss": VendorStore(
        {
            **_S3,
            **_VERSIONS,
            "bad_digest": "InvalidDigest",
            "bucket_exists": "BucketAlreadyExists",
            "document": "EntityTooLarge",
            "empty_document": "MalformedXML",
            "key_length": "InvalidObjectName",
            "metadata": "InvalidArgument",
            "method": "OperationNotSupported",
            "object_exists": "FileAlreadyExists",
            "uri": "InvalidObjectName",
        },
        Dialect(
            OssDocuments(),
            ("x-oss-",),
            pages=(100, 1000),  # https://www.alibabacloud.com/help/en/oss/user-guide/list-objects-18
            checksums=True,
            range_inside=True,
        ),
        "oss2.Bucket",
        sdk_clients.oss,
        {
            "OSS_ENDPOINT": "{url}",
            "OSS_ACCESS_KEY_ID": sdk_clients.ID,
            "OSS_ACCESS_KEY_SECRET": sdk_clients.SECRET,
        },
    ),
    "obs": VendorStore(
        {
            **_S3,
            **_VERSIONS,
            "digest": "BadDigest",
            "key_length": "KeyTooLongError",
            "not_implemented": "ServiceNotImplemented",
            "uri": "InvalidArgument",
        },
        Dialect(XmlDocuments(OBS_NAMESPACE), ("x-obs-", "x-amz-")),
        "obs.ObsClient",
        sdk_clients.obs,
        {"OBS_ACCESS_KEY_ID": sdk_clients.ID, "OBS_SECRET_ACCESS_KEY": sdk_clients.SECRET},
    ),
    "tos": VendorStore(
        {
            **_S3,
            "document": "EntityTooLarge",
            "incomplete": "UnexpectedContent",
            "length": "InvalidRequest",
            "malformed": "MalformedBody",
            "not_implemented": "InvalidRequest",
            "part_number": "InvalidPartNumber",
            "part_order": "InvalidPart",
            "range": "InvalidArgument",
            "too_many_keys": "MalformedBody",
            "uri": "InvalidArgument",
        },
        Dialect(TosDocuments(), ("x-tos-",), checksums=True, any_order=True),
        "tos.TosClientV2",
        sdk_clients.tos,
        {"TOS_ENDPOINT": "{url}", "TOS_ACCESS_KEY": sdk_clients.ID, "TOS_SECRET_KEY": sdk_clients.SECRET},
    ),
    "bos": VendorStore(
        {
            **_S3,
            "bucket_exists": "BucketAlreadyExists",
            "digest": "BadDigest",
            "empty_document": "MalformedJSON",
            "incomplete": "InvalidHTTPRequest",
            "key_length": "InvalidObjectName",
            "malformed": "MalformedJSON",
            "too_many_keys": "InappropriateJSON",
        },
        Dialect(
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
        "baidubce.bce_client_configuration.BceClientConfiguration",
        sdk_clients.bos,
    ),
    "azure-blob": VendorStore(
        {
            "append_position": "AppendPositionConditionNotMet",
            "argument": "InvalidQueryParameterValue",
            "bad_digest": "Md5Mismatch",
            "blob_exists": "BlobAlreadyExists",
            "blob_type": "InvalidBlobType",
            "bucket_exists": "ContainerAlreadyExists",
            "bucket_name": "InvalidResourceName",
            "digest": "InvalidMd5",
            "document": "RequestBodyTooLarge",
            "empty_document": "InvalidXmlDocument",
            "full": "RequestBodyTooLarge",
            "header": "MissingRequiredHeader",
            "header_value": "InvalidHeaderValue",
            "incomplete": "InvalidInput",
            "key_length": "InvalidUri",
            "lease": "LeaseIdMissing",
            "length": "MissingContentLengthHeader",
            "malformed": "InvalidXmlDocument",
            "max_size": "MaxBlobSizeConditionNotMet",
            "metadata": "MetadataTooLarge",
            "metadata_key": "EmptyMetadataKey",
            "metadata_name": "InvalidMetadata",
            "method": "UnsupportedHttpVerb",
            "multipart": "InvalidInput",
            "no_bucket": "ContainerNotFound",
            "no_key": "BlobNotFound",
            "not_implemented": "UnsupportedQueryParameter",
            "out_of_range": "OutOfRangeQueryParameterValue",
            "part": "InvalidBlockList",
            "part_length": "InvalidBlobOrBlock",
            "part_number": "InvalidBlockId",
            "precondition": "ConditionNotMet/2",
            "range": "InvalidRange",
            "source": "InvalidSourceBlobUrl",
            "source_precondition": "SourceConditionNotMet",
            "unsupported_header": "UnsupportedHeader",
            "uri": "InvalidUri",
        },
        _azure,
        "azure.storage.blob.BlobServiceClient",
        sdk_clients.azure,
        {
            "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;"
            "BlobEndpoint={url}/account;",
        },
    ),
    "gcs": VendorStore(
        {
            "argument": "invalidParameter",
            "bad_digest": "invalid",
            "bucket_exists": "conflict",
            "bucket_name": "invalid",
            "bucket_not_empty": "conflict",
            "content_range": "invalid",
            "digest": "invalid",
            "document": "uploadTooLarge",
            "full": "uploadTooLarge",
            "incomplete": "uploadBrokenConnection",
            "key_length": "invalid",
            "length": "LengthRequired",
            "malformed": "parseError",
            "metadata": "invalid",
            "method": "methodNotAllowed",
            "multipart": "badRequest",
            "no_bucket": "notFound",
            "no_key": "notFound",
            "no_route": "notFound",
            "no_upload": "notFound",
            "not_implemented": "badRequest",
            "precondition": "conditionNotMet",
            "range": "requestedRangeNotSatisfiable",
            "required": "required",
            "uri": "invalid",
        },
        _gcs,
        "google.cloud.storage.Client",
        sdk_clients.gcs,
        {"STORAGE_EMULATOR_HOST": "{url}", "GOOGLE_CLOUD_PROJECT": "project"},
    ),
}
"""The stores by vendor.

A full store answers `EntityTooLarge`: no documented error comes nearer, and no SDK retries this one. Other mistakes for
which a vendor documents no error, such as a malformed document for R2, also get the nearest error. TOS's SDK lists the
parts of an upload in the order in which they were uploaded. Qiniu MIX documents JSON errors and, with `MalformedXML`,
XML documents; it has no public client.
"""
FOR_PLANS = {
    "b2": "faultinject.store.plan_stores:B2Store",
    "kodo": "faultinject.store.plan_stores:KodoStore",
    "swift": "faultinject.store.plan_stores:SwiftStore",
}
"""Small stores of services unlike S3, which do only what conformance plans need."""


def names() -> list[str]:
    """List the vendors that have a store, including those of other packages, sorted."""
    return sorted({*STORES, *plugins.names()})


def find(vendor: str) -> VendorStore:
    """Find the row of a vendor.

    Raises:
        UnknownVendorError: there is no such vendor.
        ConfigurationError: it has no store.
    """
    vendors.get(vendor)
    row: VendorStore | None = STORES.get(vendor) or plugins.find(vendor)
    if row is None:
        raise ConfigurationError(
            f"the embedded store does not speak {vendor}; it speaks {', '.join(names())}"
        )
    return row


def _accept(name: str, given: Any) -> VendorStore:
    """Check a row of another package."""
    if not isinstance(given, VendorStore):
        raise ConfigurationError(f"its entry point names {type(given).__name__}, and not a VendorStore")
    return given


plugins = Registry("faultinject.embedded_stores", "embedded store", STORES.keys, _accept)
"""The rows of other packages."""
