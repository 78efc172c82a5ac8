"""How vendors answer a request that deletes several objects: each key by itself, in an answer with status 200.

One constant a dialect. Alibaba documents no error of a single key, only the keys that were deleted
(https://www.alibabacloud.com/help/en/oss/developer-reference/deletemultipleobjects), so there is none for OSS;
JSS's and Qiniu MIX's documents name no such operation.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Escape = Callable[[str], str]
    # A key and its version; None where the request names no version.
    Named = tuple[str, str | None]

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
        encoded: how the request's own encoding of keys is repeated, with one `%s`; empty where it is not.
        names: what the request calls the list of objects, a key, a version, and the wish to be told errors alone.
        operation: the operation that is answered so.
    """

    __slots__ = (
        "_deleted", "_deleted_list", "_encoded", "_end", "_error", "_error_list", "_start", "_versioned",
        "format", "names", "operation",
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
        self._encoded = encoded

    def write(
        self,
        escape: Escape,
        deleted: Iterable[Named],
        failed: Iterable[Named],
        error: tuple[str, str],
        *,
        quiet: bool = False,
        encoding: str = "",
    ) -> bytes:
        """The body of the answer; empty where the vendor sends none for want of errors.

        Args:
            escape: how the vendor escapes text.
            deleted: what is said to be deleted.
            failed: what gets the error.
            error: code and message; an empty message is the code again, as in Ceph.
            quiet: the deleted are not listed.
            encoding: how the request encodes its keys; empty where it does not.
        """
        code, message = error
        said = {"code": escape(code), "message": escape(message or code)}
        errors = self._list(escape, self._error, failed, said)
        if not (errors or self._deleted):
            return b""
        text = self._start
        if encoding and self._encoded:
            text += self._encoded % escape(encoding)
        if self._deleted and not quiet:
            text += self._deleted_list % self._list(escape, self._deleted, deleted, {})
        return f"{text}{self._error_list % errors}{self._end}".encode()

    def _list(self, escape: Escape, one: str, objects: Iterable[Named], holes: dict[str, str]) -> str:
        written = []
        for key, version in objects:
            holes["key"], holes["version"] = escape(key), escape(version or "")
            holes["versioned"] = "" if version is None else self._versioned % holes
            written.append(one % holes)
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
# ceph/ceph src/rgw/rgw_rest_s3.cc, send_partial_response: an empty version is written out.
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
