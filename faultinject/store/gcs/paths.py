"""What the path of a request to Google's JSON API names.

https://cloud.google.com/storage/docs/request-endpoints#encoding
"""

from __future__ import annotations

import re

ROOTS = {"/storage/v1/": "", "/upload/storage/v1/": "upload", "/download/storage/v1/": "download"}
"""From what a path begins with to what it is for."""
ABSENT = {
    "acl": "access control",
    "batch": "batches",
    "defaultObjectAcl": "access control",
    "hmacKeys": "HMAC keys",
    "iam": "access control",
    "lockRetentionPolicy": "retention policies",
    "moveTo": "moveTo",
    "notificationConfigs": "notifications",
    "restore": "soft deletion",
    "xml": "the XML API here; --vendor gcs-xml does",
}
"""From a word behind the name of a bucket, of an object or of a project, and from what is no path of the JSON API, to what it is
that the service has there and this store has not."""
JSON_API = ("", "storage", "upload", "download", "resumable", "discovery")
"""What the paths of the JSON API begin with, and `/`, which is none of the XML API that has an object in it."""

_OBJECT = r"({name})(?:/(?:(compose)|(rewriteTo|copyTo)/b/([^/]+)/o/({name})))?"
_ENCODED = re.compile(_OBJECT.format(name="[^/]+"))
_DECODED = re.compile(_OBJECT.format(name=".+?"), re.DOTALL)


def read(path: str, *, encoded: bool) -> tuple[str, list[str]]:
    """What a path names, and the encoded names in it: bucket, object, and those of a copy's target.

    Args:
        path: below the mount point.
        encoded: whether it is as the client sent it. A slash in it is none of a name, then; where the server tells
            the decoded path only, nobody knows, and a name has all that it may have.
    """
    root = next((each for each in ROOTS if path.startswith(each)), None)
    if root is None:
        return _elsewhere(path), []
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
    what, _, name = rest.partition("/")
    if what != "o":
        return _absent(what), [bucket]
    if not name:
        return _used(use, "objects"), [bucket]
    found = (_ENCODED if encoded else _DECODED).fullmatch(name)
    if found is None:
        source, verb = [*name.split("/"), ""][:2]
        return _absent(verb), [bucket, source]
    source, compose, verb, to_bucket, to_name = found.groups("")
    return _used(use, compose or verb or "object"), [bucket, source, to_bucket, to_name]


def _elsewhere(path: str) -> str:
    """What a path names that is none of the JSON API's: what the XML API has is /BUCKET or /BUCKET/OBJECT."""
    first = path.removeprefix("/").partition("/")[0]
    if first in JSON_API:
        return ""
    return "batch" if first == "batch" else "xml"


def _absent(word: str) -> str:
    return word if word in ABSENT else ""


def _used(use: str, kind: str) -> str:
    return f"{use} {kind}" if use else kind
