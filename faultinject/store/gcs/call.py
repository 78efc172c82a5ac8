"""Requests to Google's JSON API: the names in their paths, their documents and conditions.

https://cloud.google.com/storage/docs/request-endpoints#encoding
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from faultinject.store.bodies import read_document
from faultinject.store.buckets import Stored, StoreError
from faultinject.store.exchange import Service, StoreExchange
from faultinject.store.gcs.resources import BUCKET_METAGENERATION, generations, object_resource
from faultinject.store.json import read_object
from faultinject.store.messages import StoreAnswer, StoreRequest

ROOTS = {"/storage/v1/": "", "/upload/storage/v1/": "upload", "/download/storage/v1/": "download"}
"""The purpose of a path, by its beginning."""
ABSENT = {
    "acl": "access control",
    "batch": "batches",
    "defaultObjectAcl": "access control",
    "hmacKeys": "HMAC keys",
    "iam": "access control",
    "lockRetentionPolicy": "retention policies",
    "notificationConfigs": "notifications",
    "restore": "soft deletion",
    "xml": "the XML API here; --vendor gcs-xml does",
}
"""The features that the store does not support, by the word that asks for them.

The word follows the name of a bucket, an object or a project, or begins a path outside of the JSON API.
"""
ELSEWHERE = {
    **dict.fromkeys(("", "storage", "upload", "download", "resumable", "discovery"), ""),
    "batch": "batch",
}
"""The kinds of paths outside of `ROOTS`, by their beginning, without those of the XML API."""

_OBJECT = r"({name})(?:/(?:(compose)|(moveTo)/o/({name})|(rewriteTo|copyTo)/b/([^/]+)/o/({name})))?"
_ENCODED = re.compile(_OBJECT.format(name="[^/]+"))
_DECODED = re.compile(_OBJECT.format(name=".+?"), re.DOTALL)


def read_path(path: str, *, encoded: bool) -> tuple[str, list[str]]:
    """Split a path into its kind and its encoded names: bucket, object, and a copy's target.

    Args:
        path: the path below the mount point.
        encoded: whether the path is as the client sent it, so that no name contains a slash. In a decoded path a slash
            may belong to a name, and names are read as long as possible.
    """
    root = next((root for root in ROOTS if path.startswith(root)), None)
    if root is None:
        return ELSEWHERE.get(path.removeprefix("/").partition("/")[0], "xml"), []
    use = ROOTS[root]
    first, _, rest = path[len(root) :].partition("/")
    if first == "projects" and not use:
        return _absent([*rest.split("/"), ""][1]), []
    if first != "b":
        return "", []
    bucket, _, rest = rest.partition("/")
    if not bucket:
        return _used(use, "buckets"), []
    if not rest:
        return _used(use, "bucket"), [bucket]
    collection, _, name = rest.partition("/")
    if collection != "o":
        return _absent(collection), [bucket]
    if not name:
        return _used(use, "objects"), [bucket]
    match = (_ENCODED if encoded else _DECODED).fullmatch(name)
    if match is None:
        source, verb = [*name.split("/"), ""][:2]
        return _absent(verb), [bucket, source]
    source, compose, move, new_name, verb, to_bucket, to_name = match.groups("")
    return _used(use, compose or move or verb or "object"), [
        bucket,
        source,
        to_bucket or bucket,
        to_name or new_name,
    ]


def _absent(word: str) -> str:
    return word if word in ABSENT else ""


def _used(use: str, kind: str) -> str:
    return f"{use} {kind}" if use else kind


MESSAGES = {
    "argument": "Invalid argument.",
    "bad_digest": "The content does not match the checksum that came with it.",
    "bucket_name": "Invalid bucket name.",
    "bucket_not_empty": "The bucket you tried to delete is not empty.",
    "content_range": "Failed to parse Content-Range header.",
    "digest": "Invalid Content-MD5.",
    "key_length": "The specified object name is too long.",
    "metadata": "The metadata is too large.",
    "multipart": "This is no multipart upload.",
    "no_bucket": "The specified bucket does not exist.",
    "no_key": "No such object: {bucket}/{key}",
    "no_upload": "There is no such upload.",
    "uri": "The object name is not UTF-8.",
}
"""The messages for mistakes that share one documented reason.

The document has the message of only one of them.
"""


class GcsCall(StoreExchange):
    """One request.

    Attributes:
        kind: the kind of its target: `buckets`, `bucket`, `objects`, `object`, `rewriteTo`, `copyTo`, `moveTo`,
            `compose`, each with `upload ` or `download ` in front if the path has
            that; a word of `ABSENT`; empty for anything else.
        target: the bucket and the object that a copy or a move makes.
        finished: the documents of objects, by the session of the ended upload that made them.
    """

    content_type = "application/json; charset=UTF-8"

    def __init__(self, finished: OrderedDict[str, bytes], service: Service, request: StoreRequest) -> None:
        super().__init__(service, request)
        self.finished = finished
        self.kind, names = self._find_names()
        self.bucket, self.key, to_bucket, to_key = [*map(unquote, names), "", "", "", ""][:4]
        self.target = to_bucket, to_key

    def _find_names(self) -> tuple[str, list[str]]:
        view = self.request.view
        targets = [target.partition("?")[0] for target in self.request.targets]
        return read_path(view.raw_path.removeprefix(view.mount), encoded=view.raw_path in targets)

    @cached_property
    def document(self) -> dict[str, Any]:
        """Read the request's JSON object; empty if the body is empty.

        Raises:
            StoreError: `malformed`, `document`, `incomplete`.
        """
        try:
            return read_object(read_document(self.request))
        except StoreError as error:
            if error.mistake != "empty_document":
                raise
            return {}

    def argument(self, name: str) -> str:
        """Find a query parameter; empty if it is missing."""
        return self.request.args.get(name, "")

    def get(self, bucket: str, key: str, generation: str) -> Stored:
        """Find an object, of this generation if one is given.

        Raises:
            StoreError: `no_bucket`, `no_key`.
        """
        stored = self.service.buckets.find(bucket).objects.get(key)
        if stored is None or not _is_meant(stored, generation):
            raise StoreError("no_key", MESSAGES["no_key"].format(bucket=bucket, key=key))
        return stored

    def judge(self, present: Stored | None, prefix: str = "if") -> bool:
        """Check the request's conditions for the present object; False means "not modified".

        Raises:
            StoreError: `precondition`.
        """
        return self._holds(*generations(present), prefix)

    def judge_bucket(self) -> None:
        """Refuse a request if its conditions on the bucket do not hold.

        Raises:
            StoreError: `precondition`.
        """
        if not self._holds("", BUCKET_METAGENERATION, "if"):
            raise StoreError("precondition")

    def _holds(self, generation: str, metageneration: str, prefix: str) -> bool:
        for name, actual in (("Generation", generation), ("Metageneration", metageneration)):
            wanted, unwanted = self._number(f"{prefix}{name}Match"), self._number(f"{prefix}{name}NotMatch")
            if wanted and wanted != actual:
                raise StoreError("precondition")
            if unwanted and unwanted == actual:
                return False
        return True

    def judge_write(self, present: Stored | None) -> None:
        """Refuse a write if the request's conditions forbid it for the present object.

        Raises:
            StoreError: `precondition`.
        """
        if not self.judge(present):
            raise StoreError("precondition")

    def judge_change(self, present: Stored | None) -> None:
        """Refuse a change if there is no object, or if the request's conditions forbid it.

        Raises:
            StoreError: `no_key`, `precondition`.
        """
        if present is None or not _is_meant(present, self.argument("generation")):
            raise StoreError("no_key")
        self.judge_write(present)

    def json(self, document: Mapping[str, Any], **headers: str) -> StoreAnswer:
        """Make a successful answer with a JSON document."""
        body = json.dumps(document, ensure_ascii=False).encode()
        return self.answer(200, body, document=True, headers=headers.items())

    def resource_of(self, bucket: str, stored: Stored) -> dict[str, Any]:
        """Make an object's resource."""
        return object_resource(bucket, stored, self.request.root_url)

    def refusal(self, error: StoreError) -> StoreAnswer:
        """Answer with the documented error, and with a message that fits the mistake."""
        if error.message is None and error.mistake in MESSAGES:
            error.message = MESSAGES[error.mistake].format(bucket=self.bucket, key=self.key)
        return super().refusal(error)

    def _number(self, name: str) -> str:
        text = self.argument(name)
        if text and not (text.isascii() and text.isdecimal()):
            raise StoreError("argument")
        return str(int(text[:20])) if text else ""


def _is_meant(stored: Stored, generation: str) -> bool:
    return not generation or generation == generations(stored)[0]
