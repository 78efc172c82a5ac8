"""Google's own client for multipart uploads gets every row of the XML API whole."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import requests
from google.cloud.storage.exceptions import InvalidResponse

from faultinject import vendors

BUCKET = "photos"
ROWS = vendors.get("gcs-xml").errors


def has_xml(row):
    return row.form not in ("html", "empty") and row.status != 304


@pytest.mark.slow
def test_rows_of_a_multipart_upload(server, subtests):
    """Google's client raises the answer as it came."""
    # It has no public door to one step of such an upload.
    upload = pytest.importorskip("google.cloud.storage._media.requests.upload")
    with requests.Session() as session:
        for row in ROWS:
            with subtests.test(row.label):
                server.use(row.address)
                container = upload.XMLMPUContainer(f"{server.url}/{BUCKET}/film", "film", retry=None)
                with pytest.raises(InvalidResponse) as caught:
                    container.initiate(session, "video/mp4")
                answer = caught.value.response
                assert answer.headers["X-GUploader-UploadID"] == server.last.request_id
                assert (answer.status_code, server.last.operation) == (row.status, "CreateMultipartUpload")
                if not has_xml(row):
                    continue
                root = ElementTree.fromstring(answer.content)
                got = [(each.tag, each.text) for each in root if each.tag != "Details"]
                assert got == [("Code", row.code), ("Message", row.message)]
