"""What a client can do wrong, and which documented error each vendor answers it with."""

from __future__ import annotations

from collections.abc import Sequence


class StoreError(Exception):
    """A request that the store refuses.

    Attributes:
        mistake: a key of `LABELS`' tables.
        message: the text to send instead of the documented one, or None.
        headers: further headers of the answer.
    """

    def __init__(
        self, mistake: str, message: str | None = None, *, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(mistake)
        self.mistake = mistake
        self.message = message
        self.headers = tuple(headers)


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
    "part": "InvalidPart",
    "part_number": "InvalidArgument",
    "part_order": "InvalidPartOrder",
    "precondition": "PreconditionFailed",
    "range": "InvalidRange",
    "too_many_keys": "MalformedXML",
    "too_small": "EntityTooSmall",
    "uri": "InvalidURI",
}

LABELS = {
    "cos": {**_S3, "bucket_exists": "BucketAlreadyExists"},
    "qiniu-mix": _S3,
    "jss": {
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
    "qingstor": {
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
        "part": "invalid_argument",
        "part_number": "max_parts_exceeded",
        "part_order": "invalid_argument",
        "precondition": "precondition_failed",
        "range": "invalid_range",
        "too_many_keys": "too_many_objects",
        "too_small": "entity_too_small",
        "uri": "invalid_object_name",
    },
}
"""By vendor: the label of the documented error for each mistake.

A full store is `EntityTooLarge`: the nearest documented meaning, and one that no SDK retries.
"""
