"""Requests that delete several objects, and their answers, key by key.

No other answer depends on the request's body. An adapter that reads the body passes its pieces to a `Listing`. If the
body is too long, cut off, or not such a request, the answer is the error for the request as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Escape = Callable[[str], str]
# A key and its version; the version is None if the request names none.
ObjectVersion = tuple[str, str | None]
# A key, its version, and whether deleting it failed.
Result = tuple[ObjectVersion, bool]
# The objects, whether to list only errors, and the encoding of keys.
DeleteRequest = tuple[list[ObjectVersion], bool, str]

MOST_BYTES = 2 * 1024 * 1024
"""The longest request that is parsed: 1,000 keys of 1,024 bytes need less."""
MOST_TAGS = 20_000
"""The most tags of a request: twice as many as 1,000 objects with keys and versions need."""


class Listing:
    """The body of one request, as it is read, and its answer.

    Args:
        escape: escapes text in the vendor's answers.
        dialect: the vendor's form of requests and answers.
        error: the code and the message of the error.
        fails: whether a key, or a version of it, gets the error.

    Attributes:
        delete: deletes the keys that the answer reports as deleted; None if the app is not an embedded store.
        harmless: whether the answer reports every key as deleted.
    """

    __slots__ = ("_dialect", "_error", "_escape", "_fails", "_pieces", "_size", "delete", "harmless")

    def __init__(
        self, escape: Escape, dialect: Deletes, error: tuple[str, str], fails: Callable[[ObjectVersion], bool]
    ) -> None:
        self._escape = escape
        self._dialect = dialect
        self._error = error
        self._fails = fails
        self._pieces: list[bytes] = []
        self._size = 0
        self.delete: Callable[[list[str]], None] | None = None
        self.harmless = False

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the request's body."""
        self._size += len(piece)
        if self._size <= MOST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def answer(self) -> bytes | None:
        """The answer's body; None if the request does not delete 1 to 1,000 objects."""
        document, self._pieces = b"".join(self._pieces), []
        request = read(self._dialect, document)
        if request is None:
            return None
        objects, quiet, encoding = request
        results = [(named, self._fails(named)) for named in objects]
        self.harmless = not any(failed for _, failed in results)
        if self.delete is not None:
            self.delete([key for (key, _), failed in results if not failed])
        return self._dialect.write(self._escape, results, self._error, quiet=quiet, encoding=encoding)


def read(dialect: Deletes, document: bytes) -> DeleteRequest | None:
    """The objects that a request names; None if it does not delete 1 to 1,000 objects."""
    request = (_read_xml if dialect.format == "xml" else _read_json)(dialect.names, document)
    if request is None or not 0 < len(request[0]) <= MOST_KEYS or not all(key for key, _ in request[0]):
        return None
    return request


def _read_json(names: tuple[str, str, str, str], document: bytes) -> DeleteRequest | None:
    import json

    rows, key, version, quiet = names
    try:
        loaded = json.loads(document)
        objects = [(item[key], item.get(version)) for item in loaded[rows][: MOST_KEYS + 1]]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    if not all(isinstance(key, str) and isinstance(version, str | None) for key, version in objects):
        return None
    return objects, loaded.get(quiet) is True, ""


def _read_xml(names: tuple[str, str, str, str], document: bytes) -> DeleteRequest | None:
    """Read `<Delete><Quiet/><Object><Key/><VersionId/></Object>…</Delete>`, in any namespace."""
    from xml.etree import ElementTree as ET

    rows, key, version, quiet = names
    try:
        text = document.decode()
        # A document type can make an XML reader use any amount of memory, and each tag takes far more than its text.
        if "<!DOCTYPE" in text or text.count("<") > MOST_TAGS:
            return None
        root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities
    except (UnicodeDecodeError, ET.ParseError):
        return None
    if root.tag.rpartition("}")[2] != "Delete":
        return None
    objects = [
        (row.findtext(f"{{*}}{key}", ""), row.findtext(f"{{*}}{version}") or None)
        for row in root.iterfind(f"{{*}}{rows}")
    ]
    encoding = root.findtext("{*}EncodingType", "").strip()
    return objects, root.findtext(f"{{*}}{quiet}", "").strip().lower() == "true", encoding


MOST_KEYS = 1000
"""The most keys of one request: all vendors here document that number."""


class Deletes:
    """The request and the answer of one dialect.

    An object is written with the holes `%(key)s`, `%(version)s` (empty if the request names none) and `%(versioned)s`
    (the version as `versioned` writes it, or nothing); an error also has `%(code)s` and `%(message)s`.

    Args:
        format: the format of both: `xml` or `json`.
        start: the beginning of the answer.
        deleted: the form of an object that was deleted; empty if such objects are never listed.
        deleted_list: the form of the list of deleted objects, with one `%s`.
        error: the form of an object that was not deleted.
        error_list: the form of the list of such objects, with one `%s`.
        end: the end of the answer.
        versioned: the form of an object's version, if it has one.
        mixed: whether objects are listed in the order of the request; otherwise the deleted ones come first.
        encoded: the form in which the answer repeats the request's encoding of keys, with one `%s`; empty if it does
            not repeat that.
        names: the request's names for the list of objects, a key, a version, and the option to list only errors.
    """

    __slots__ = (
        "deleted", "deleted_list", "encoded", "end", "error", "error_list", "format", "mixed", "names", "start",
        "versioned",
    )  # fmt: skip

    def __init__(
        self,
        format: str,  # noqa: A002 - what it is
        *,
        start: str,
        error: str,
        end: str,
        error_list: str = "%s",
        deleted: str = "",
        deleted_list: str = "%s",
        versioned: str = "",
        mixed: bool = False,
        encoded: str = "",
        names: tuple[str, str, str, str] = ("Object", "Key", "VersionId", "Quiet"),
    ) -> None:
        self.format = format
        self.names = names
        self.start = start
        self.end = end
        self.error, self.error_list = error, error_list
        self.deleted, self.deleted_list = deleted, deleted_list
        self.versioned = versioned
        self.mixed = mixed
        self.encoded = encoded

    def write(
        self,
        escape: Escape,
        objects: Sequence[Result],
        error: tuple[str, str],
        *,
        quiet: bool = False,
        encoding: str = "",
    ) -> bytes:
        """The body of the answer; empty if the vendor sends no body without errors.

        Args:
            escape: escapes text as the vendor does.
            objects: the objects of the request, and whether each gets the error.
            error: code and message; for an empty message the code is repeated, as in Ceph.
            quiet: whether deleted objects are not listed.
            encoding: the encoding of the request's keys; empty if they have none.
        """
        code, message = error
        values = {"code": escape(code), "message": escape(message or code)}
        lists_deleted = bool(self.deleted) and not quiet
        written = [
            (failed, self._object_text(escape, named, values if failed else None))
            for named, failed in objects
            if failed or lists_deleted
        ]
        if not (written or self.deleted):
            return b""
        text = self.start
        if encoding and self.encoded:
            text += self.encoded % escape(encoding)
        if self.mixed:
            return f"{text}{self._join(object_text for _, object_text in written)}{self.end}".encode()
        if lists_deleted:
            text += self.deleted_list % self._join(
                object_text for failed, object_text in written if not failed
            )
        errors = self._join(object_text for failed, object_text in written if failed)
        return f"{text}{self.error_list % errors}{self.end}".encode()

    def _object_text(self, escape: Escape, named: ObjectVersion, error_values: dict[str, str] | None) -> str:
        key, version = named
        holes = {"key": escape(key), "version": escape(version or ""), **(error_values or {})}
        holes["versioned"] = "" if version is None else self.versioned % holes
        return (self.deleted if error_values is None else self.error) % holes

    def _join(self, written: Iterable[str]) -> str:
        return ("," if self.format == "json" else "").join(written)


_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_S3_RESULT = '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
_VERSION = "<VersionId>%(version)s</VersionId>"
_DELETED = "<Deleted><Key>%(key)s</Key>%(versioned)s</Deleted>"
_ERROR = "<Error><Key>%(key)s</Key>%(versioned)s<Code>%(code)s</Code><Message>%(message)s</Message></Error>"

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html; its relatives send the same.
S3 = Deletes(
    "xml",
    start=f"{_DECLARATION}\n{_S3_RESULT}",
    deleted=_DELETED,
    error=_ERROR,
    end="</DeleteResult>",
    versioned=_VERSION,
)
# minio/minio cmd/api-response.go and cmd/bucket-handlers.go: the fields of Go's structs in their order, and an empty
# version is written out.
MINIO = Deletes(
    "xml",
    start=f"{_DECLARATION}\n{_S3_RESULT}",
    deleted=_DELETED,
    error=(
        "<Error><Code>%(code)s</Code><Message>%(message)s</Message><Key>%(key)s</Key>"
        "<VersionId>%(version)s</VersionId></Error>"
    ),
    end="</DeleteResult>",
    versioned=_VERSION,
)
# ceph/ceph src/rgw/rgw_rest_s3.cc, send_partial_response: one object after the other, and an empty version is written
# out.
RGW = Deletes(
    "xml",
    start=f"{_DECLARATION}{_S3_RESULT}",
    deleted=_DELETED,
    error=(
        "<Error><Key>%(key)s</Key><VersionId>%(version)s</VersionId><Code>%(code)s</Code>"
        "<Message>%(message)s</Message></Error>"
    ),
    end="</DeleteResult>",
    versioned=_VERSION,
    mixed=True,
)
# https://cloud.tencent.com/document/api/436/8289; declaration and indentation as in the vendor's other documents.
COS = Deletes(
    "xml",
    start="<?xml version='1.0' encoding='utf-8' ?>\n<DeleteResult>\n",
    deleted="\t<Deleted>\n\t\t<Key>%(key)s</Key>\n%(versioned)s\t</Deleted>\n",
    error=(
        "\t<Error>\n\t\t<Key>%(key)s</Key>\n%(versioned)s\t\t<Code>%(code)s</Code>\n"
        "\t\t<Message>%(message)s</Message>\n\t</Error>\n"
    ),
    end="</DeleteResult>\n",
    versioned=f"\t\t{_VERSION}\n",
)
# https://support.huaweicloud.com/api-obs/obs_04_0086.html
OBS = Deletes(
    "xml",
    start=(
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<DeleteResult xmlns="http://obs.region.myhuaweicloud.com/doc/2015-06-30/">'
    ),
    deleted=_DELETED,
    error=_ERROR,
    end="</DeleteResult>",
    versioned=_VERSION,
    encoded="<EncodingType>%s</EncodingType>",
)
# https://docs.cloud.google.com/storage/docs/xml-api/post-bucket; declaration as in the vendor's errors.
GCS_XML = Deletes(
    "xml",
    start=(
        "<?xml version='1.0' encoding='UTF-8'?><DeleteResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>"
    ),
    deleted=_DELETED,
    error=_ERROR,
    end="</DeleteResult>",
    versioned=_VERSION,
)
# https://docs.qingcloud.com/qingstor/api/bucket/delete_multiple: `deleted` is left out where the request is quiet.
QINGSTOR = Deletes(
    "json",
    start="{",
    deleted='{"key":"%(key)s"}',
    deleted_list='"deleted":[%s],',
    error='{"key":"%(key)s","code":"%(code)s","message":"%(message)s"}',
    error_list='"errors":[%s]',
    end="}",
    names=("objects", "key", "", "quiet"),
)
# https://www.volcengine.com/docs/6349/74857
TOS = Deletes(
    "json",
    start="{",
    deleted='{"Key":"%(key)s"%(versioned)s}',
    deleted_list='"Deleted":[%s],',
    error='{"Code":"%(code)s","Message":"%(message)s","Key":"%(key)s"%(versioned)s}',
    error_list='"Error":[%s]',
    end="}",
    versioned=',"VersionId":"%(version)s"',
    names=("Objects", "Key", "VersionId", "Quiet"),
)
# https://cloud.baidu.com/doc/BOS/s/tkc5twspg: only errors, and no body without errors.
BOS = Deletes(
    "json",
    start="{",
    error='{"key":"%(key)s","code":"%(code)s","message":"%(message)s"}',
    error_list='"errors":[%s]',
    end="}",
    names=("objects", "key", "", ""),
)
