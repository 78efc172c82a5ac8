"""Requests that delete several objects, and their answers, key by key.

No other answer depends on the request's body. An adapter that reads the body anyway hands its pieces over; a body
that is too long, cut off or no such request leaves the answer as it is: the error for the request as a whole.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Escape = Callable[[str], str]
    # A key and its version; None where the request names no version.
    Named = tuple[str, str | None]
    # And whether it failed.
    End = tuple[Named, bool]
    # Objects, whether errors alone are to be told, encoding of keys.
    Wanted = tuple[list[Named], bool, str]

MOST_BYTES = 2 * 1024 * 1024
"""The longest request that is understood: 1,000 keys of 1,024 bytes need less."""
MOST_TAGS = 20_000
"""Twice as many as 1,000 objects need, each with a key, a version and more."""


class Listing:
    """The body of one request, as it is read, and its answer.

    Args:
        escape: escapes text in the vendor's answers.
        dialect: the vendor's form of requests and answers.
        said: the error's code and message.
        fails: whether a key, or a version of it, gets the error.

    Attributes:
        delete: deletes the keys that the answer reports as deleted; None: the app is no embedded store, and nothing
            does.
    """

    __slots__ = ("_dialect", "_escape", "_fails", "_pieces", "_said", "_size", "delete")

    def __init__(
        self, escape: Escape, dialect: Deletes, said: tuple[str, str], fails: Callable[[Named], bool]
    ) -> None:
        self._escape = escape
        self._dialect = dialect
        self._said = said
        self._fails = fails
        self._pieces: list[bytes] = []
        self._size = 0
        self.delete: Callable[[list[str]], None] | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the request's body."""
        self._size += len(piece)
        if self._size <= MOST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def answer(self) -> bytes | None:
        """The answer's body; None if the body is no request to delete up to 1,000 objects."""
        document, self._pieces = b"".join(self._pieces), []
        wanted = read(self._dialect, document)
        if wanted is None:
            return None
        objects, quiet, encoding = wanted
        ends = [(each, self._fails(each)) for each in objects]
        if self.delete is not None:
            self.delete([key for (key, _), failed in ends if not failed])
        return self._dialect.write(self._escape, ends, self._said, quiet=quiet, encoding=encoding)


def read(dialect: Deletes, document: bytes) -> Wanted | None:
    """The objects that a request names; None if it is no request to delete up to 1,000 objects."""
    wanted = (_read_xml if dialect.format == "xml" else _read_json)(dialect.names, document)
    if wanted is None or not 0 < len(wanted[0]) <= MOST_KEYS or not all(key for key, _ in wanted[0]):
        return None
    return wanted


def _read_json(names: tuple[str, str, str, str], document: bytes) -> Wanted | None:
    import json

    rows, key, version, quiet = names
    try:
        loaded = json.loads(document)
        objects = [(each[key], each.get(version)) for each in loaded[rows][: MOST_KEYS + 1]]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    if not all(isinstance(key, str) and isinstance(version, str | None) for key, version in objects):
        return None
    return objects, loaded.get(quiet) is True, ""


def _read_xml(names: tuple[str, str, str, str], document: bytes) -> Wanted | None:
    """Read `<Delete><Quiet/><Object><Key/><VersionId/></Object>…</Delete>`, in any namespace."""
    from xml.etree import ElementTree as ET

    rows, key, version, quiet = names
    try:
        text = document.decode()
        # A document type is how XML attacks its reader, and each tag takes far more memory than its text.
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

    An object is written with the holes `%(key)s`, `%(version)s` (empty where the request names none) and
    `%(versioned)s` (the same as `versioned` writes it, or nothing); an error has `%(code)s` and `%(message)s` too.

    Args:
        format: of both: `xml` or `json`.
        start: what the answer begins with.
        deleted: one object that was deleted; empty where they are never listed.
        deleted_list: how all of them are written, with one `%s`.
        error: one object that was not.
        error_list: how all of them are written, with one `%s`.
        end: what the answer ends with.
        versioned: how the version of an object is written where it has one.
        mixed: the deleted and the failed come as the request names them; else the deleted come first.
        encoded: how the request's own encoding of keys is repeated, with one `%s`; empty where it is not.
        names: what the request calls the list of objects, a key, a version, and the wish to be told errors alone.
    """

    __slots__ = (
        "_deleted", "_deleted_list", "_encoded", "_end", "_error", "_error_list", "_start", "_versioned",
        "format", "mixed", "names",
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
        self._start = start
        self._end = end
        self._error, self._error_list = error, error_list
        self._deleted, self._deleted_list = deleted, deleted_list
        self._versioned = versioned
        self.mixed = mixed
        self._encoded = encoded

    def write(
        self,
        escape: Escape,
        objects: Sequence[End],
        error: tuple[str, str],
        *,
        quiet: bool = False,
        encoding: str = "",
    ) -> bytes:
        """The body of the answer; empty if the vendor sends none for want of errors.

        Args:
            escape: how the vendor escapes text.
            objects: what the request names, and whether it gets the error.
            error: code and message; an empty message is the code again, as in Ceph.
            quiet: the deleted are not listed.
            encoding: how the request encodes its keys; empty where it does not.
        """
        code, message = error
        said = {"code": escape(code), "message": escape(message or code)}
        tells = bool(self._deleted) and not quiet
        written = [
            (failed, self._one(escape, named, said if failed else None))
            for named, failed in objects
            if failed or tells
        ]
        if not (written or self._deleted):
            return b""
        text = self._start
        if encoding and self._encoded:
            text += self._encoded % escape(encoding)
        if self.mixed:
            return f"{text}{self._join(each for _, each in written)}{self._end}".encode()
        if tells:
            text += self._deleted_list % self._join(each for failed, each in written if not failed)
        errors = self._join(each for failed, each in written if failed)
        return f"{text}{self._error_list % errors}{self._end}".encode()

    def _one(self, escape: Escape, named: Named, said: dict[str, str] | None) -> str:
        key, version = named
        holes = {"key": escape(key), "version": escape(version or ""), **(said or {})}
        holes["versioned"] = "" if version is None else self._versioned % holes
        return (self._deleted if said is None else self._error) % holes

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
# https://cloud.baidu.com/doc/BOS/s/tkc5twspg: errors alone, and no body where there are none.
BOS = Deletes(
    "json",
    start="{",
    error='{"key":"%(key)s","code":"%(code)s","message":"%(message)s"}',
    error_list='"errors":[%s]',
    end="}",
    names=("objects", "key", "", ""),
)
