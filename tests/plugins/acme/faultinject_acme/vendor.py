"""ACME Storage: JSON, eight hex digits as id."""

from __future__ import annotations

from faultinject.plugins import Vendor


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """Eight lower-case hex digits."""
    return {"request_id": entropy[:4].hex()}


def resource(bucket: str | None, key: str | None, _raw_path: str) -> str:
    """`/bucket/key`."""
    return f"/{bucket or ''}/{key or ''}"


VENDOR = Vendor(
    id="acme",
    title="ACME Storage",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    package=__package__,
    id_headers=(("X-Acme-Request-Id", "request_id"),),
    make_ids=make_ids,
    resource=resource,
    endpoints=("storage.acme.example",),
    prefix="x-acme-",
    extras="extras.csv",
    child=',"%(name)s":"%(value)s"',
)
