"""A request that deletes several objects, answered key by key: which keys it names, and which of them fail.

The one answer that depends on the request's body. An adapter that reads the body anyway hands its pieces over; a body
that is too long, cut off or no such request leaves the answer as it is: the error for the request as a whole.
"""

from __future__ import annotations

from faultinject.core.draw import blake2b, threshold
from faultinject.vendors.deletes import MOST_KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.core.ready import ReadyRule
    from faultinject.core.request import Request
    from faultinject.vendors.deletes import Deletes, Named
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.vendor import Vendor

    # Objects, whether errors alone are to be told, encoding of keys.
    Wanted = tuple[list[Named], bool, str]
    Lister = Callable[[Request, bytes], "Listing | None"]

MOST_BYTES = 2 * 1024 * 1024
"""The longest request that is understood: 1,000 keys of 1,024 bytes need less."""
_DEEPEST = 8


def lister(rule: ReadyRule, vendor: Vendor, row: DocumentedError) -> Lister:
    """A function from a request and its digest to its listing; None when it does not delete several objects."""
    dialect = vendor.deletes
    assert dialect is not None
    message: str | None = rule.rule.value("message")
    said = row.code, row.message if message is None else message
    limit = threshold(rule.rule.value("share"))
    reading = rule.reading

    def begin(request: Request, digest: bytes) -> Listing | None:
        if reading.operation(request) != dialect.operation:
            return None
        return Listing(vendor, dialect, said, limit, digest)

    return begin


class Listing:
    """One request's body as it is read, and what it comes to.

    Args:
        vendor: whose request it is.
        dialect: how the vendor is asked, and answers.
        said: the error's code and message.
        limit: what the 64 bits drawn for a key must stay below to fail it.
        digest: where they are drawn from.
    """

    __slots__ = ("_dialect", "_digest", "_limit", "_pieces", "_said", "_size", "_vendor")

    def __init__(
        self, vendor: Vendor, dialect: Deletes, said: tuple[str, str], limit: int, digest: bytes
    ) -> None:
        self._vendor = vendor
        self._dialect = dialect
        self._said = said
        self._limit = limit
        self._digest = digest
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the request's body."""
        self._size += len(piece)
        if self._size <= MOST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def answer(self) -> bytes | None:
        """The answer's body; None where what was fed is no request to delete up to 1,000 objects."""
        document, self._pieces = b"".join(self._pieces), []
        wanted = read(self._dialect, document)
        if wanted is None:
            return None
        objects, quiet, encoding = wanted
        ends = [(each, fails(self._digest, each, self._limit)) for each in objects]
        return self._dialect.write(self._vendor.escape, ends, self._said, quiet=quiet, encoding=encoding)


def fails(digest: bytes, named: Named, limit: int) -> bool:
    """Whether a key gets the error, whatever other keys stand beside it.

    Bytes 24-31 of the digest are stretched, as for the ids; the `person` keeps the numbers apart.
    """
    key, version = named
    text = key if version is None else f"{key}\0{version}"
    drawn = blake2b(
        digest[24:32] + text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"faultinj-share"
    )
    return int.from_bytes(drawn.digest(), "big") < limit


def read(dialect: Deletes, document: bytes) -> Wanted | None:
    """What a request names; None where it is no request to delete up to 1,000 objects."""
    found = (_read_xml if dialect.format == "xml" else _read_json)(dialect.names, document)
    if found is None or not 0 < len(found[0]) <= MOST_KEYS or not all(key for key, _ in found[0]):
        return None
    return found


def _read_json(names: tuple[str, str, str, str], document: bytes) -> Wanted | None:
    import json

    rows, key, version, quiet = names
    try:
        loaded = json.loads(document)
        listed = loaded[rows]
        if not isinstance(listed, list):
            return None
        objects = [(each[key], each.get(version)) for each in listed[: MOST_KEYS + 1]]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    if not all(isinstance(key, str) and isinstance(version, str | None) for key, version in objects):
        return None
    return objects, loaded.get(quiet) is True, ""


class _Refused(Exception):
    """The document is no such request."""


def _read_xml(names: tuple[str, str, str, str], document: bytes) -> Wanted | None:
    # Nothing is built of the document but what it names, and a document type, from which all bombs come, is refused.
    from xml.parsers import expat

    reader = _XmlRequest(names)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, _Refused, ValueError, LookupError):
        return None
    return reader.objects, reader.quiet, reader.encoding


def _refuse(*_: object) -> None:
    raise _Refused


class _XmlRequest:
    """`<Delete><Quiet/><Object><Key/><VersionId/></Object>…</Delete>` as its elements come by, in any namespace."""

    def __init__(self, names: tuple[str, str, str, str]) -> None:
        self._object, self._key, self._version, self._quiet = names
        self._path: list[str] = []
        self._collected = ""
        self._fields: dict[str, str] = {}
        self.objects: list[Named] = []
        self.quiet = False
        self.encoding = ""

    def start(self, name: str, _attributes: object) -> None:
        """An element begins."""
        self._path.append(name.rpartition(" ")[2])
        self._collected = ""
        if len(self._path) > _DEEPEST or (len(self._path) == 1 and self._path[0] != "Delete"):
            raise _Refused
        if self._path[1:] == [self._object]:
            self._fields = {}

    def text(self, piece: str) -> None:
        """Text within an element."""
        self._collected += piece

    def end(self, _name: str) -> None:
        """An element ends."""
        below = self._path[1:]
        self._path.pop()
        text, self._collected = self._collected, ""
        if len(below) == 2 and below[0] == self._object:
            self._fields[below[1]] = text
        elif below == [self._object]:
            if len(self.objects) >= MOST_KEYS:
                raise _Refused
            self.objects.append((self._fields.get(self._key, ""), self._fields.get(self._version) or None))
        elif below == [self._quiet]:
            self.quiet = text.strip().lower() == "true"
        elif below == ["EncodingType"]:
            self.encoding = text.strip()
