"""Finds the storage operation of a request in tables, and names it as its vendor does.

A vendor's table has a row for each form of an operation: method, level, and the parts of query, headers and host that
distinguish it. The sources are S3's own service model, Azure's generated client, and Google's storage-testbench.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from faultinject.http import patterns
from faultinject.http.target import decode_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from faultinject.vendors.types import Readable, StorageRequest
    from faultinject.vendors.vendor import Vendor

    Wanted = tuple[tuple[str, str | None], ...]
    Headers = tuple[tuple[tuple[str, ...], str | None], ...]

S3_TABLES = ("s3/operations.csv",)
"""The tables for faults without a storage vendor, and for relatives of S3 without their own."""
S3_PREFIXES = tuple(f"x-{vendor}-" for vendor in "amz cos qs jss qiniu oss obs tos bce goog".split())
"""The prefixes of headers of S3's relatives; a fault without a storage vendor accepts all."""

# The number of texts of conditions that are cached.
_REMEMBERED = 1024


class Row(NamedTuple):
    """One form of an operation.

    Attributes:
        operation: the vendor's name.
        method: the method.
        level: the level of the address: `bucket`, `blob`, or a route.
        query: the required parameters, with or without a value; a parameter after a `-` must be absent.
        header: the required headers in the same form; for relatives of S3 a name may lack the vendor's prefix.
        host: a pattern of the Host; empty for any.
    """

    operation: str
    method: str
    level: str
    query: tuple[str, ...]
    header: tuple[str, ...]
    host: str

    @property
    def shape(self) -> tuple[object, ...]:
        """All columns but the name; rows with the same shape fit the same requests."""
        return self.method, self.level, frozenset(self.query), frozenset(self.header), self.host

    @property
    def weight(self) -> tuple[int, int, int]:
        """The number of requirements; of the forms that fit a request, the one with most is chosen."""
        valued = sum("=" in word for word in (*self.query, *self.header))
        required = sum(word[:1] != "-" for word in self.query)
        return required, len(self.header) + bool(self.host), valued


class Operations:
    """The operations of one vendor.

    Args:
        rows: the forms; of those with equally many requirements a later one is preferred.
        prefixes: the possible prefixes of each header's name.

    Attributes:
        rows: the forms.
        names: all names.
    """

    def __init__(self, rows: Sequence[Row], prefixes: Sequence[str] = ("",)) -> None:
        self.rows = tuple(rows)
        self.names = frozenset(row.operation for row in rows)
        self._groups: dict[tuple[str, str], _FormGroup] = {}
        for row in sorted(rows, key=lambda row: row.weight)[::-1]:
            self._groups.setdefault((row.method, row.level), _FormGroup()).file(_Form(row, prefixes))
        by_shape = {row.shape: row.operation for row in rows}
        self._recognised_as = {row.operation: by_shape[row.shape] for row in rows}
        # A name stands for itself if requests of at least one of its forms are recognised as this operation.
        self._recognised_as.update({name: name for name in by_shape.values()})
        self._named = lru_cache(_REMEMBERED)(self._find_names)
        self._methods_of = lru_cache(_REMEMBERED)(self._find_methods)

    def find(self, request: Readable, level: str) -> str | None:
        """The operation of a request of that level, or None if no operation has its form.

        `PUT /b/k?partNumber=1&uploadId=x` is `UploadPart`, not `PutObject`. Parameters that are in no form are ignored:
        `PUT /b?x` is `CreateBucket`.
        """
        group = self._groups.get((request.method, level)) or self._groups.get((request.method.upper(), level))
        if group is None:
            return None
        query = request.query
        parameters = group.distinguishing_in(query) if query and group.distinguishing else {}
        for form in group.forms if parameters else group.plain:
            if form.fits(request, parameters):
                return form.row.operation
        return None

    def recognised_for(self, texts: Iterable[str]) -> frozenset[str]:
        """The operations that are recognised for these names and patterns.

        A deprecated operation that looks like its successor on the wire stands for the successor.
        """
        operations = [self._named(text) for text in texts]
        return operations[0] if len(operations) == 1 else frozenset().union(*operations)

    def _find_names(self, text: str) -> frozenset[str]:
        if text[:1] != "=" and "*" in text:
            fits = patterns.compile_plain(text)
            return frozenset(self._recognised_as[name] for name in self.names if fits(name))
        name = text.removeprefix("=")
        return frozenset((self._recognised_as[name],) if name in self._recognised_as else ())

    def methods(self, operations: Iterable[str]) -> frozenset[str]:
        """The methods, in upper case, of requests that can be one of these operations."""
        return self._methods_of(frozenset(operations))

    def _find_methods(self, operations: frozenset[str]) -> frozenset[str]:
        return frozenset(row.method for row in self.rows if row.operation in operations)

    def twin(self, name: str) -> str | None:
        """The operation of the same form that is recognised instead of this one, or None."""
        recognised = self._recognised_as[name]
        return None if recognised == name else recognised


class _Form:
    """One row, compiled."""

    __slots__ = ("_headers", "_host", "query", "row", "without")

    def __init__(self, row: Row, prefixes: Sequence[str]) -> None:
        self.row = row
        self.without = tuple(word[1:] for word in row.query if word[:1] == "-")
        self.query = _pairs(word for word in row.query if word[:1] != "-")
        self._headers: Headers = tuple(
            (
                (name,) if name[:2] == "x-" else tuple(prefix + name for prefix in prefixes),
                value and value.lower(),
            )
            for name, value in _pairs(row.header)
        )
        self._host: Callable[[str], bool] | None = patterns.compile_plain(row.host) if row.host else None

    def fits(self, request: Readable, parameters: dict[str, str]) -> bool:
        for name, value in self.query:
            if name not in parameters or (value is not None and parameters[name] != value):
                return False
        if parameters and self.without and not parameters.keys().isdisjoint(self.without):
            return False
        for names, value in self._headers:
            for name in names:
                value_given = request.recorded(name)
                if value_given is not None and (value is None or value_given.lower() == value):
                    break
            else:
                return False
        return self._host is None or self._host(request.host)


class _FormGroup:
    """The forms of one method and level, those with most requirements first.

    Attributes:
        plain: the forms without required parameters.
        distinguishing: the parameters that distinguish the forms.
    """

    __slots__ = ("distinguishing", "forms", "plain")

    def __init__(self) -> None:
        self.forms: list[_Form] = []
        self.plain: list[_Form] = []
        self.distinguishing: set[str] = set()

    def file(self, form: _Form) -> None:
        self.forms.append(form)
        if not form.query:
            self.plain.append(form)
        self.distinguishing.update(name for name, _ in form.query)
        self.distinguishing.update(form.without)

    def distinguishing_in(self, query: str) -> dict[str, str]:
        """The parameters of a query that distinguish the forms of this group."""
        parameters = {}
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            if "%" in pair:
                name, value = decode_form(name), decode_form(value)
            if name in self.distinguishing:
                parameters[name] = value
        return parameters


def operations_of(vendor: Vendor | None) -> Operations:
    """The operations of a vendor; those of S3 if it has no addressing of its own, or is None."""
    if vendor is None or vendor.addressing is None:
        return read_tables(S3_TABLES, S3_PREFIXES)
    if vendor.addressing != "s3":
        return read_tables(tuple(vendor.operations), ("",))
    prefixes = (vendor.prefix, "x-amz-") if vendor.prefix not in ("", "x-amz-") else ("x-amz-",)
    return read_tables(tuple(vendor.operations) or S3_TABLES, prefixes)


def headers_of(vendor: Vendor) -> dict[str, bool]:
    """The headers that distinguish a vendor's operations, and whether their values matter.

    It is empty for vendors whose headers the engine records anyway.
    """
    related = vendor.addressing == "s3"
    if vendor.package.startswith(f"{__package__}.") and (not related or vendor.prefix in S3_PREFIXES):
        return {}
    headers: dict[str, bool] = {}
    for row in operations_of(vendor).rows if vendor.addressing else ():
        for word in row.header:
            name, equals, _ = word.partition("=")
            name = name if name[:2] == "x-" or not related else f"{vendor.prefix}{name}"
            headers[name] = headers.get(name, False) or bool(equals)
    return headers


@cache
def read_tables(files: tuple[str, ...], prefixes: tuple[str, ...]) -> Operations:
    """The operations of tables; a later table's rows replace those of the same name.

    Args:
        files: the tables, below the vendors' folder or, as `acme:operations.csv`, in a package.
        prefixes: the beginnings of the names of the vendors' own headers.
    """
    rows: list[Row] = []
    for file in files:
        later = _read(file)
        replaced = {row.operation for row in later}
        rows = [row for row in rows if row.operation not in replaced] + later
    return Operations(rows, prefixes)


def _read(file: str) -> list[Row]:
    from _csv import reader  # `csv` itself would load `re`

    from faultinject.vendors.vendor import read

    package, _, name = file.rpartition(":")
    lines = reader(read(package or "faultinject.vendors", name).decode().splitlines())
    columns = next(lines)
    return [_row(**dict(zip(columns, cells, strict=True))) for cells in lines]


def _row(
    operation: str, method: str, level: str, query: str = "", header: str = "", host: str = "", **_: str
) -> Row:
    return Row(operation, method, level, tuple(query.split()), tuple(header.split()), host)


def _pairs(words: Iterable[str]) -> Wanted:
    split = (word.partition("=") for word in words)
    return tuple((name, value or None) for name, _, value in split)


# The order of S3: https://github.com/brekkylab/backlot/issues/230 and 312; OPTIONS is never among them.
_ORDER = ("HEAD", "DELETE", "POST", "GET", "PUT")


def allowed_methods(request: StorageRequest, rows: Sequence[Row], level: str) -> str | None:
    """The methods in the Allow header of a 405, such as `GET, PUT`, without the refused one.

    It is None if there is no other method. For a subresource such as `?acl` the methods for buckets and for objects
    count together.
    """
    # The subresource is the form with the most parameters that the request has. A first parameter with a value, as
    # in `list-type=2`, names no subresource.
    forms = [row.query for row in rows if row.query and "=" not in row.query[0] and _has(request, row.query)]
    subresource = {*max(forms, key=len)} if forms else set()
    methods = {
        row.method for row in rows if {*row.query} == subresource and (subresource or row.level == level)
    }
    methods.discard(request.method.upper())
    return ", ".join(method for method in _ORDER if method in methods) or None


def _has(request: StorageRequest, words: Iterable[str]) -> bool:
    return all(request.query_values(word.partition("=")[0]) for word in words)
