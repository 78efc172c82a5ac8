"""Google Cloud Storage, JSON API: nested JSON, and HTML from the front end.

Its only id is the upload id.
"""

from __future__ import annotations

from binascii import b2a_base64

from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.types import StorageRequest

# the beginning of the ids of 2019 (`AEnB2U`) as bytes, and the four bits that follow
PREFIX = b"\x00\x49\xc1\xd9\x4a"
CHILD = ',\n        "%(name)s": "%(value)s"'
JSON = ("", "usage-limits", "not-found")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """98 characters of base64url, `AEnB2U` first, as in captures of X-GUploader-UploadID."""
    raw = b2a_base64(PREFIX + entropy + entropy[:4], newline=False)
    return {"request_id": raw.translate(_URL_SAFE, b"=").decode()}


def form_for(row: DocumentedError, request: StorageRequest, _status: int) -> str:
    """A text form for downloads (`alt=media`), as seen on the wire; other requests get JSON."""
    if request.method != "GET" or "alt=media" not in request.query.split("&") or row.form not in JSON:
        return ""
    return "no-such-object" if row.code == "notFound" else "media"


VENDOR = Vendor(
    id="gcs",
    title="Google Cloud Storage (JSON API)",
    content_type="application/json; charset=UTF-8",
    template="envelope.json",
    escape="json",
    child=CHILD,
    forms={
        "usage-limits": Form(
            "envelope-usage-limits.json", "application/json; charset=UTF-8", "json", child=CHILD
        ),
        "not-found": Form("envelope-not-found.json", "application/json; charset=UTF-8", "json", child=CHILD),
        "html": Form("envelope-google.html", "text/html; charset=UTF-8", "html"),
        "media": Form("envelope-media.txt", "text/html; charset=UTF-8", "html"),
        # firebase/firebase-tools#3647
        "no-such-object": Form("envelope-no-such-object.txt", "text/html; charset=UTF-8", "html"),
        "gone": Form("envelope-gone.json", "application/json; charset=UTF-8", "json"),
        "empty": Form("envelope-empty.txt", "text/html; charset=UTF-8", "text"),
    },
    form_for=form_for,
    package=__package__,
    extras="extras.csv",
    id_headers=(("X-GUploader-UploadID", "request_id"),),
    make_ids=make_ids,
    # https://docs.cloud.google.com/storage/docs/request-endpoints
    endpoints=("storage.*.rep.googleapis.com", "storage.googleapis.com", "www.googleapis.com"),
    addressing="gcs",
    prefix="x-goog-",
    operations=("gcs/operations.csv",),
    typical={"broken": "backendError/2"},
)
