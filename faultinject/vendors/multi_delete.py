"""A request that deletes several objects, answered key by key: which keys it names, and which of them fail.

The one answer that depends on the request's body. An adapter that reads the body anyway hands its pieces over; a body
that is too long, cut off or no such request leaves the answer as it is: the error for the request as a whole.
"""

from __future__ import annotations

from faultinject.vendors.deletes import MOST_KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.vendors.deletes import Deletes, Named
    from faultinject.vendors.vendor import Vendor

    # Objects, whether errors alone are to be told, encoding of keys.
    Wanted = tuple[list[Named], bool, str]

MOST_BYTES = 2 * 1024 * 1024
"""The longest request that is understood: 1,000 keys of 1,024 bytes need less."""
_DEEPEST = 8


class Listing:
    """One request's body as it is read, and what it comes to.

    Args:
        vendor: whose request it is.
        dialect: how the vendor is asked, and answers.
        said: the error's code and message.
        fails: whether a key, or a version of it, gets the error.
    """

    __slots__ = ("_dialect", "_fails", "_pieces", "_said", "_size", "_vendor")

    def __init__(
        self, vendor: Vendor, dialect: Deletes, said: tuple[str, str], fails: Callable[[Named], bool]
    ) -> None:
        self._vendor = vendor
        self._dialect = dialect
        self._said = said
        self._fails = fails
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
        ends = [(each, self._fails(each)) for each in objects]
        return self._dialect.write(self._vendor.escape, ends, self._said, quiet=quiet, encoding=encoding)


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
