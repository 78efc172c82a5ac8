"""Recomputes the texts that a client signed by AWS Signature Version 4, from the request.

The service computes them in the same way:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html; for
S3 they use the path as it was sent. TOS and Google use the same scheme under their own names:
volcengine/ve-tos-python-sdk, tos/auth.py; https://cloud.google.com/storage/docs/authentication/canonical-requests.
For a request without such a signature, or a malformed one, the result is None, never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from faultinject.http.target import utf8
from faultinject.http.wire import iso_ms, moment_of

if TYPE_CHECKING:
    from faultinject.vendors.types import StorageRequest

PREFIXES = {"AWS4-": "X-Amz-", "TOS4-": "X-Tos-", "GOOG4-": "X-Goog-"}
"""The prefixes of a service's own parameters, by the prefix of its algorithms.

The algorithms are `AWS4-HMAC-SHA256`, `AWS4-ECDSA-P256-SHA256`, `TOS4-HMAC-SHA256` and `GOOG4-RSA-SHA256`.
"""
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The SHA-256 of an empty body."""
UNSIGNED = "UNSIGNED-PAYLOAD"
LAST = 253_402_300_799
"""The last second whose date has four digits for the year."""
_METADATA = "x-amz-meta-"
_NEEDED = ("Credential", "SignedHeaders", "Signature")


class Signed(NamedTuple):
    """The parts of a request's signature.

    Attributes:
        algorithm: the algorithm, such as `AWS4-HMAC-SHA256`.
        scope: date, region and service: `20261120/us-east-1/s3/aws4_request`.
        names: the names of the signed headers as they were sent, in lower case, with semicolons between them.
        prefix: the prefix of the service's own parameters, such as `X-Amz-`.
        signature: the signature as it was sent.
        time: the time of signing, as it was sent.
        presigned: whether the signature is in the query.
    """

    algorithm: str
    scope: str
    names: str
    prefix: str
    signature: str
    time: str
    presigned: bool


def read_signed(request: StorageRequest) -> Signed | None:
    """Read the signature in Authorization, or otherwise in the query."""
    authorization = _header(request, "authorization")
    if authorization is not None:
        algorithm, _, rest = authorization.strip().partition(" ")
        pairs = (pair.partition("=") for pair in rest.split(","))
        fields = {name.strip(): value.strip() for name, _, value in pairs}
        prefix = _prefix(algorithm)
        time = _header(request, f"{prefix}date".lower()) or _header(request, "date") or ""
    else:
        algorithms = [_parameter(request, service, "Algorithm") for service in PREFIXES.values()]
        algorithm = next(filter(None, algorithms), "")
        prefix = _prefix(algorithm)
        fields = {name: _parameter(request, prefix, name) for name in _NEEDED}
        time = _parameter(request, prefix, "Date")
    if not prefix or not all(fields.get(name) for name in _NEEDED):
        return None
    names = fields["SignedHeaders"].lower()
    if len({*names.split(";")}) <= names.count(";"):
        return None  # a repeated name would repeat its header, up to megabytes
    scope = fields["Credential"].partition("/")[2]
    return Signed(algorithm, scope, names, prefix, fields["Signature"], time, presigned=authorization is None)


def signature(request: StorageRequest) -> str | None:
    """The signature that the client sent, also one by Signature Version 2."""
    signed = read_signed(request)
    if signed is not None:
        return signed.signature
    scheme, _, rest = (_header(request, "authorization") or "").partition(" ")
    if scheme == "AWS":
        return rest.partition(":")[2].strip() or None
    return next(iter(request.query_values("Signature")), None)


def canonical_request(request: StorageRequest) -> str | None:
    """Method, path, query, signed headers and the body's digest, one per line."""
    signed = read_signed(request)
    return None if signed is None else _canonical(request, signed)


def string_to_sign(request: StorageRequest) -> str | None:
    """Algorithm, time, scope and the canonical request's digest, one per line."""
    signed = read_signed(request)
    if signed is None:
        return None
    from hashlib import sha256

    digest = sha256(_canonical(request, signed).encode("utf-8", "replace")).hexdigest()
    return f"{signed.algorithm}\n{signed.time}\n{signed.scope}\n{digest}"


def size_of_metadata(request: StorageRequest) -> str | None:
    """The bytes of all names and values of a user's metadata, or None if there are none.

    The signature has the names, as all metadata must be signed.
    """
    signed = read_signed(request)
    names = [] if signed is None else [name for name in signed.names.split(";") if name.startswith(_METADATA)]
    if not names:
        return None
    values = (value for name in names for value in request.header(name))
    return str(sum(len(name) - len(_METADATA) for name in names) + sum(map(len, values)))


def expires(request: StorageRequest) -> float | None:
    """Unix seconds at which a presigned request expires; None for any other."""
    prefix = next((name for name in PREFIXES.values() if _parameter(request, name, "Date")), "")
    time, seconds = _parameter(request, prefix, "Date"), _parameter(request, prefix, "Expires")
    signed = moment_of(time) if len(time) == 16 and iso_ms(time) is not None else None
    if signed is None or not (seconds.isascii() and seconds.isdecimal()) or len(seconds) > 9:
        return None
    moment = signed + int(seconds)
    return moment if moment <= LAST else None


def _prefix(algorithm: str) -> str:
    return next((prefix for begin, prefix in PREFIXES.items() if algorithm.startswith(begin)), "")


def _canonical(request: StorageRequest, signed: Signed) -> str:
    lines = [f"{name}:{_signed_value(request, name)}" for name in signed.names.split(";")]
    return "\n".join(
        (
            request.method,
            utf8(request.raw_path) or "/",
            _query(request.query, f"{signed.prefix}Signature"),
            *lines,
            "",
            signed.names,
            _payload(request, signed),
        )
    )


def _query(query: str, signature: str) -> str:
    """The parameters without the signature, encoded uniformly and sorted.

    A blank may have been sent as `+`.

    Args:
        query: the query as it was sent.
        signature: the name of the signature's parameter.
    """
    from urllib.parse import quote, unquote_to_bytes

    def encode(text: str) -> str:
        return quote(unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")), safe="-_.~")

    parts = (pair.partition("=") for pair in query.split("&") if pair)
    pairs = sorted((encode(name), encode(value)) for name, _, value in parts)
    return "&".join(f"{name}={value}" for name, value in pairs if name != signature)


def _payload(request: StorageRequest, signed: Signed) -> str:
    prefix = signed.prefix
    digest = _header(request, f"{prefix}content-sha256".lower())
    if not signed.presigned:
        return digest or (EMPTY if prefix == "X-Amz-" and not request.has_body else UNSIGNED)
    query_digest = _parameter(request, prefix, "Content-Sha256") or _parameter(
        request, prefix, "Content-SHA256"
    )
    return query_digest or digest or UNSIGNED


def _signed_value(request: StorageRequest, name: str) -> str:
    return ",".join(" ".join(utf8(value).split()) for value in request.header(name))


def _parameter(request: StorageRequest, prefix: str, name: str) -> str:
    return next(iter(request.query_values(f"{prefix}{name}")), "")


def _header(request: StorageRequest, name: str) -> str | None:
    return next(iter(request.header(name)), None)
