"""A gateway in front of the storage: nginx's built-in error pages, without a vendor's ids."""

from __future__ import annotations

from faultinject.vendors.vendor import Vendor

VENDOR = Vendor(
    id="gateway",
    title="Gateway (nginx)",
    content_type="text/html",
    template="envelope.html",
    escape="html",
    package=__package__,
    addressing=None,
    # ngx_http_header_filter_module.c: the same words as in its pages
    reason=lambda row, _: row.message,
)
