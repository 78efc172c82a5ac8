"""Backblaze B2, native API: JSON without any id; status and code identify the error."""

from __future__ import annotations

from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.types import StorageRequest

TYPE = "application/json;charset=utf-8"


def form_for(_row: DocumentedError, request: StorageRequest, status: int) -> str:
    """The form without a message for a download without a valid token.

    Backblaze/B2_Command_Line_Tool#984 shows that it has only the code.
    """
    return "download" if status == 401 and request.below.startswith("/file/") else ""


VENDOR = Vendor(
    id="b2",
    title="Backblaze B2 (native API)",
    content_type=TYPE,
    template="envelope.json",
    escape="json",
    forms={"download": Form("envelope-download.json", TYPE, "json")},
    form_for=form_for,
    package=__package__,
    addressing="b2",
    operations=("b2/operations.csv",),
    extras="extras.csv",
)
