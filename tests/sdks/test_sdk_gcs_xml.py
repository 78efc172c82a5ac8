"""Google's own client for multipart uploads gets every row of the XML API whole."""

from xml.etree import ElementTree

import pytest
import requests
from google.cloud.storage.exceptions import InvalidResponse

from faultinject import vendors

from .told import BUCKET, PAGES, of_each_row, raised

ROWS = vendors.get("gcs-xml").errors


@pytest.mark.slow
@of_each_row(ROWS)
def test_rows_of_a_multipart_upload(row, server):
    """Google's client raises the answer as it came."""
    # It has no public door to one step of such an upload.
    upload = pytest.importorskip("google.cloud.storage._media.requests.upload")
    container = upload.XMLMPUContainer(f"{server.url}/{BUCKET}/film", "film", retry=None)
    with requests.Session() as session:
        answer = raised(InvalidResponse, container.initiate, session, "video/mp4").response
    assert answer.headers["X-GUploader-UploadID"] == server.last.request_id
    assert (answer.status_code, server.last.operation) == (row.status, "CreateMultipartUpload")
    if row.form not in PAGES and row.status != 304:
        root = ElementTree.fromstring(answer.content)
        got = [(each.tag, each.text) for each in root if each.tag != "Details"]
        assert got == [("Code", row.code), ("Message", row.message)]
