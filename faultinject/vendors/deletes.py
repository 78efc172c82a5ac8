"""How vendors answer a request that deletes several objects: each key by itself, in an answer with status 200.

One constant a dialect. Alibaba documents no error of a single key, only the keys that were deleted
(https://www.alibabacloud.com/help/en/oss/developer-reference/deletemultipleobjects), so there is none for OSS;
JSS's and Qiniu MIX's documents name no such operation.
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
        operation: the operation that is answered so.
    """

    __slots__ = (
        "_deleted", "_deleted_list", "_encoded", "_end", "_error", "_error_list", "_start", "_versioned",
        "format", "mixed", "names", "operation",
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
        operation: str = "DeleteObjects",
    ) -> None:
        self.format = format
        self.names = names
        self.operation = operation
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
        """The body of the answer; empty where the vendor sends none for want of errors.

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
    start="<?xml version='1.0' encoding='UTF-8'?><DeleteResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>",
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
