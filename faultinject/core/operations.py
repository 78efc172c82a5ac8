"""The storage operation of a request, by S3's names (source: the S3 API's own service model)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.core.reading import Readable

    Shape = tuple[str, tuple[tuple[str, str | None], ...], str]

# Every S3-like vendor has its own prefix for the headers that tell operations apart.
_PREFIXES = ("x-amz-", "x-cos-", "x-qs-", "x-jss-", "x-qiniu-")

_shapes: dict[tuple[str, str], tuple[Shape, ...]] = {}


def names() -> tuple[str, ...]:
    """The names of all operations, sorted."""
    return tuple(sorted({name for shapes in _table().values() for name, _, _ in shapes}))


def operation(request: Readable, bucket: str | None, key: str | None) -> str | None:
    """The operation of a request for that bucket and key, or None when no operation has its form.

    Of several that fit, the one that asks for most parameters, then for a header, is meant:
    `PUT /b/k?partNumber=1&uploadId=x` is `UploadPart`, not `PutObject`.
    """
    level = "service" if bucket is None else "bucket" if key is None else "object"
    shapes = _table().get((request.method.upper(), level), ())
    parameters = _parameters(request.query)
    for name, query, header in shapes:
        if all(
            parameter in parameters and value in (None, parameters[parameter]) for parameter, value in query
        ) and (not header or any(request.header(prefix + header) for prefix in _PREFIXES)):
            return name
    return None


def _parameters(query: str) -> dict[str, str]:
    split = (pair.partition("=") for pair in query.split("&") if pair)
    return {name: value for name, _, value in split}


def _table() -> dict[tuple[str, str], tuple[Shape, ...]]:
    if not _shapes:
        import csv

        from faultinject.vendors.vendor import read

        found: dict[tuple[str, str], list[Shape]] = {}
        for row in csv.DictReader(read("faultinject.vendors", "s3-operations.csv").decode().splitlines()):
            split = (each.partition("=") for each in row["query"].split())
            query = tuple((name, value or None) for name, _, value in split)
            found.setdefault((row["method"], row["level"]), []).append(
                (row["operation"], query, row["header"])
            )
        for place, shapes in found.items():
            shapes.sort(key=lambda shape: (-len(shape[1]), -len(shape[2].split()), shape[0]))
            _shapes[place] = tuple(shapes)
    return _shapes
