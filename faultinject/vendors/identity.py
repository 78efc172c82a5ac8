"""What a request is *about*, written so that a retry of it has the same identity.

`METHOD /bucket/key?query` without the volatile parameters; UUIDs, long hexadecimal runs and long numbers are
written `~`, so that a test's random keys and timestamps do not change its draws.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern

    from faultinject.vendors.types import StorageRequest

# An identity's shape has "0" for every hexadecimal digit. What a placeholder may stand for is found in it by plain
# search, many times faster than by regular expressions, and most identities have no run of ten at all.
_SHAPE = bytes(ord("0") if chr(each) in "0123456789ABCDEFabcdef" else each for each in range(256))
_UUID = "00000000-0000-0000-0000-000000000000"
_LONG_HEX = "0" * 16
_LONG = "0" * 10
_runs: list[Pattern[str]] = []

_volatile: frozenset[str] | None = None
# Short words that only beside the two that every shared access signature has are such parameters
# (https://learn.microsoft.com/rest/api/storageservices/create-service-sas).
_SIGNED = frozenset(("sig", "sv"))
_SHARED_ACCESS = _SIGNED.union("se st sp sr skoid sktid skt ske sks skv".split())


def volatile_parameters() -> frozenset[str]:
    """The query parameters that differ from attempt to attempt, in lower case (a data file)."""
    global _volatile  # noqa: PLW0603
    if _volatile is None:
        from faultinject.vendors.vendor import read

        lines = read("faultinject.vendors", "volatile-parameters.txt").decode().splitlines()
        _volatile = frozenset(line for line in lines if line and line[0] != "#")
    return _volatile


def exact_identity(request: StorageRequest, bucket: str | None, key: str | None, rest: str = "") -> str:
    """The identity letter for letter, without placeholders: what `per=call` counts by.

    Args:
        request: the request.
        bucket: its bucket, or None.
        key: its key, or None.
        rest: what else its address says, such as the `iam` of `/storage/v1/b/photos/iam`; it stands beside the
            parameters, where S3 has it. Without a bucket one that begins with `/` stands for the path.
    """
    if bucket is None:
        place, rest = (rest, "") if rest[:1] == "/" else (request.path, "")
    else:
        place = f"/{bucket}/{key or ''}"
    exact = f"{request.method.upper()} {place}"
    query = request.query
    if not query:
        return f"{exact}?{rest}" if rest else exact
    pairs = [(_name(pair), pair) for pair in query.split("&") if pair]
    volatile = volatile_parameters()
    if _SIGNED.issubset(name for name, _ in pairs):
        volatile |= _SHARED_ACCESS
    kept = [pair for name, pair in pairs if name not in volatile]
    if rest:
        kept.append(rest)
    return f"{exact}?{'&'.join(sorted(kept))}" if kept else exact


def with_placeholders(identity: str) -> str:
    """The identity that draws depend on.

    >>> with_placeholders("PUT /photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d/1700000000.jpg")
    'PUT /photos/~/~.jpg'
    """
    shape = identity.encode("ascii", "replace").translate(_SHAPE).decode()
    if _LONG not in shape:
        return identity
    parts = shape.split(_UUID)
    if len(parts) > 1:
        kept, at = [], 0
        for part in parts:
            end = at + len(part)
            kept.append(identity[at:end])
            at = end + len(_UUID)
        identity, shape = "~".join(kept), "~".join(parts)
    if _LONG not in shape:
        return identity
    if not _runs:
        import re  # slow to load, and most scenarios never come here

        _runs.extend((re.compile(r"[0-9A-Fa-f]{16,}"), re.compile(r"[0-9]{10,}")))
    if _LONG_HEX in shape:
        identity = _runs[0].sub("~", identity)
    return _runs[1].sub("~", identity)


def without_new_ids(identity: str, addressing: str | None) -> str:
    """The identity without ids that are new in each run and that `with_placeholders` does not see through.

    Azure's SDK gives blocks random ids, written in base64
    (https://github.com/Azure/azure-sdk-for-python, azure/storage/blob/_shared/uploads.py), and B2 writes the time
    into the id of a file (https://www.backblaze.com/docs/cloud-storage-files).

    >>> without_new_ids("PUT /photos/k?blockid=MDAwMDAwMDE%3D&comp=block", "azure")
    'PUT /photos/k?blockid=00000001&comp=block'
    >>> without_new_ids("POST /b2_upload_part/4_z27_f1_d20261120_m120000/3", "b2")
    'POST /b2_upload_part/~/3'
    """
    if addressing == "azure":
        place, mark, query = identity.rpartition("?")
        pairs = (
            f"blockid={_block(pair[8:])}" if pair[:8] == "blockid=" else pair for pair in query.split("&")
        )
        return f"{place}{mark}{'&'.join(pairs)}"
    if addressing == "b2" and identity[:21] == "POST /b2_upload_part/":
        return f"{identity[:21]}~/{identity.rpartition('/')[2]}"
    return identity


def _block(text: str) -> str:
    """The id of a block as its maker wrote it; `~` where that is no text."""
    from binascii import Error, a2b_base64

    from faultinject.http.target import decode

    try:
        plain = a2b_base64(decode(text), strict_mode=True).decode("ascii")
    except (Error, ValueError):
        return "~"
    return plain if plain.isprintable() else "~"


def _name(pair: str) -> str:
    name = pair.partition("=")[0].lower()
    if "%" in name or "+" in name:
        from urllib.parse import unquote_plus

        name = unquote_plus(name)
    return name.lower()
