"""Backblaze B2, native API: JSON without any id; the pair of status and code decides."""

from __future__ import annotations

from faultinject.vendors.vendor import Vendor

VENDOR = Vendor(
    id="b2",
    title="Backblaze B2 (native API)",
    content_type="application/json;charset=utf-8",
    template="envelope.json",
    escape="json",
    package=__package__,
    addressing="b2",
    operations=("b2/operations.csv",),
    extras="extras.csv",
    head=("Server", "Content-Type", "Content-Length", "Date", "Retry-After"),
)
