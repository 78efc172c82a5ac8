"""Google Cloud Storage, XML API: one line of XML without an id, HTML from the front end."""

from __future__ import annotations

from faultinject.vendors import multi_delete
from faultinject.vendors.envelopes import Form
from faultinject.vendors.gcs.vendor import make_ids
from faultinject.vendors.vendor import Vendor

XML = "application/xml; charset=UTF-8"


def resource(bucket: str | None, key: str | None, _raw_path: str) -> str:
    """`bucket/key`, as in the details of a missing object."""
    return f"{bucket or ''}/{key}" if key else bucket or ""


VENDOR = Vendor(
    id="gcs-xml",
    title="Google Cloud Storage (XML API)",
    content_type=XML,
    template="envelope.xml",
    escape="xml",
    child="<%(name)s>%(value)s</%(name)s>",
    forms={
        "no-such-key": Form("envelope-no-such-key.xml", XML, "xml"),
        "slow-down": Form("envelope-slow-down.xml", XML, "xml"),
        "html": Form("envelope-google.html", "text/html; charset=UTF-8", "html"),
        "empty": Form("envelope-empty.txt", "text/html; charset=UTF-8", "text"),
    },
    package=__package__,
    extras="extras.csv",
    id_headers=(("X-GUploader-UploadID", "request_id"),),
    make_ids=make_ids,
    resource=resource,
    # https://docs.cloud.google.com/storage/docs/request-endpoints; mtls: google-cloud-storage 3.17.1,
    # storage/_http.py
    endpoints=(
        "storage.*.rep.googleapis.com",
        "storage.mtls.googleapis.com",
        "storage.googleapis.com",
        "commondatastorage.googleapis.com",
    ),
    prefix="x-goog-",
    # https://docs.cloud.google.com/storage/docs/xml-api/put-bucket-metadata and /get-bucket-metadata
    operations=("s3/operations.csv", "gcs_xml/operations.csv"),
    # https://docs.cloud.google.com/storage/docs/xml-api/post-bucket
    deletes=multi_delete.GCS_XML,
    # seen: https://github.com/getsentry/objectstore/pull/575
    completes_again=True,
)
