"""S3's documents as JSON: what TOS, BOS and JSS have.

TOS keeps S3's names, https://www.volcengine.com/docs/6349/74868; BOS's begin with a small letter,
https://cloud.baidu.com/doc/BOS/s/Ejwvyqobd. What is repeated in XML is a list in JSON, under its plural.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from faultinject.store.documents import Deletion
from faultinject.store.json import objects_in, parts_in, read_object
from faultinject.store.xml import Field, XmlDocuments

LISTS = {
    "Bucket": "Buckets",
    "CommonPrefixes": "CommonPrefixes",
    "Contents": "Contents",
    "Deleted": "Deleted",
    "Error": "Error",
    "Part": "Parts",
    "Upload": "Uploads",
}
"""From a repeated element to its list."""


class TosDocuments(XmlDocuments):
    """Writes and reads TOS's documents."""

    content_type = "application/json"
    quoted = True
    """Whether entity tags have their quotes."""

    def read_parts(self, document: bytes) -> list[tuple[int, str | None]]:
        """The parts of `{"Parts": [{"PartNumber", "ETag"}]}`."""
        loaded = read_object(document)
        return parts_in(loaded, self._name("Parts"), self._name("PartNumber"), self._name("ETag"))

    def read_keys(self, document: bytes) -> Deletion:
        """The objects of `{"Objects": [{"Key", "VersionId"}], "Quiet"}`."""
        names = map(self._name, ("Objects", "Key", "VersionId", "Quiet"))
        return objects_in(read_object(document), *names)

    def _document(self, root: str, fields: Sequence[Field]) -> bytes:  # noqa: ARG002
        return json.dumps(self._object(fields), ensure_ascii=False, separators=(",", ":")).encode()

    def _object(self, fields: Sequence[Field]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in fields:
            if value is None:
                continue
            if name == "ETag" and isinstance(value, str) and not self.quoted:
                value = value.strip('"')  # noqa: PLW2901
            if name in LISTS and isinstance(value, list):
                found.setdefault(self._name(LISTS[name]), []).append(self._object(value))
            elif name == "Buckets" and isinstance(value, list):
                found[self._name(name)] = [self._object(each) for _, each in value]
            else:
                found[self._name(name)] = self._object(value) if isinstance(value, list) else value
        return found

    def _name(self, name: str) -> str:
        return name


class BosDocuments(TosDocuments):
    """Writes and reads BOS's documents."""

    content_type = "application/json; charset=utf-8"
    quoted = False

    def _name(self, name: str) -> str:
        if name == "Error":
            return "errors"
        return "id" if name == "ID" else name[0].lower() + name[1:]


class JssDocuments(TosDocuments):
    """Writes and reads JSS's documents: lists have the name of one entry. No other field than `HasNext` is known to differ from S3's."""

    content_type = "application/json;charset=UTF-8"
    quoted = False

    def _object(self, fields: Sequence[Field]) -> dict[str, Any]:
        found = super()._object(fields)
        return (
            {"Contents": [], **found} if "MaxKeys" in found else found
        )  # its client reads it of an empty page too

    def _name(self, name: str) -> str:
        own = {"IsTruncated": "HasNext", "Objects": "Object", "Parts": "Part", "Uploads": "Upload"}
        return own.get(name, name)
