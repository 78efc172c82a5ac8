"""Signatures of a client: AWS Signature Version 4 and the Shared Key of Azure Storage.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and
https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key. What a service reads of a signature is in
`faultinject.vendors.signing`.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote

from faultinject.fidelity.exchange import Pairs

ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = ("authorization", "content-length", "transfer-encoding", "user-agent", "expect")
_AZURE = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date", "if-modified-since",
    "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip
"""The headers of which an Azure signature has a line each, in this order."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials: nothing of them is shown.

    Attributes:
        id: the access-key id, or the account.
        secret: the key.
        token: of a session, or empty.
    """

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def query_text(pairs: Pairs) -> str:
    """Parameters as they go into a target, each name with its `=`, encoded and sorted as a signature needs them."""
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def aws_headers(
    method: str,
    path: str,
    query: str,
    headers: Pairs,
    *,
    keys: Keys,
    region: str,
    moment: str,
) -> list[tuple[str, str]]:
    """The headers with `x-amz-date`, a session's token and `Authorization`.

    Args:
        method: the method.
        path: as it goes over the wire.
        query: as `query_text` writes it.
        headers: the request's, with Host and `x-amz-content-sha256`.
        keys: what to sign with.
        region: the region of the scope.
        moment: `20261122T120000Z`.
    """
    signed = [*headers, ("x-amz-date", moment)]
    if keys.token:
        signed.append(("x-amz-security-token", keys.token))
    lines = sorted(
        (name.lower(), " ".join(value.split())) for name, value in signed if name.lower() not in _UNSIGNED
    )
    names = ";".join(name for name, _ in lines)
    payload = dict(lines)["x-amz-content-sha256"]
    canonical = "\n".join(
        (method, path, query, *(f"{name}:{value}" for name, value in lines), "", names, payload)
    )
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for each in scope.split("/"):
        key = hmac.digest(key, each.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={keys.id}/{scope}"
    return [
        *signed,
        ("Authorization", f"{ALGORITHM} {credential},SignedHeaders={names},Signature={signature}"),
    ]


def azure_headers(
    method: str, path: str, query: Pairs, headers: Pairs, *, keys: Keys
) -> list[tuple[str, str]]:
    """The headers with `Authorization`.

    Args:
        method: the method.
        path: as it goes over the wire, with the account of an emulator before it.
        query: the parameters.
        headers: the request's, with `x-ms-date` and `x-ms-version`.
        keys: account and key in Base64.
    """
    given = {name.lower(): value.strip() for name, value in headers}
    values = [
        "" if given.get(name) == "0" and name == "content-length" else given.get(name, "") for name in _AZURE
    ]
    own = sorted((name, value) for name, value in given.items() if name.startswith("x-ms-"))
    resource = [f"/{keys.id}{path}", *(f"{name.lower()}:{value}" for name, value in sorted(query))]
    text = "\n".join((method, *values, *(f"{name}:{value}" for name, value in own), *resource))
    signature = b64encode(hmac.digest(b64decode(keys.secret), text.encode(), "sha256")).decode()
    return [*headers, ("Authorization", f"SharedKey {keys.id}:{signature}")]
