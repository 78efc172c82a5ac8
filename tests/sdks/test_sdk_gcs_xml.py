"""boto3 reads every row of Google's XML API, and Google's own client for multipart uploads gets it whole.

The API has no id in the body: boto3 finds it among the headers. A redirect makes boto3 ask for the bucket's region,
and again when that is redirected, without end.
"""

from __future__ import annotations

from xml.etree import ElementTree

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from google.cloud.storage.exceptions import InvalidResponse

from faultinject import vendors

from .told import with_calls

BUCKET = "photos"
KEY = "cat pictures/猫&<1>.jpg"
ROWS = vendors.get("gcs-xml").errors
DETAILS = {
    "NoSuchKey": f"No such object: {BUCKET}/{KEY}",
    "SlowDown": f"Changing object {BUCKET}/{KEY} too quickly, please slow down",
}


@pytest.fixture(scope="module")
def client(server):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=60)
    made = boto3.Session("id", "key", region_name="us-east-1").client(
        "s3", endpoint_url=server.url, config=config
    )
    yield made
    made.close()


def use(server, row):
    """Put a row in force: a redirect once, so that the question for the region gets its answer."""
    server.use(row.address, **({"times": 1} if row.status in (301, 307) else {}))


def has_xml(row):
    return row.form not in ("html", "empty") and row.status != 304


@pytest.mark.slow
def test_rows(server, client):
    """Code, message, details and id of every row, by one of three calls; of an answer without XML the status."""
    calls = {
        "get": lambda: client.get_object(Bucket=BUCKET, Key=KEY),
        "put": lambda: client.put_object(Bucket=BUCKET, Key=KEY, Body=b"x" * 100),
        "delete": lambda: client.delete_object(Bucket=BUCKET, Key=KEY),
    }
    wrong = []
    for row, name in with_calls(ROWS, calls):
        wanted = {"Code": str(row.status)}
        if has_xml(row):
            wanted = {"Code": row.code, "Message": row.message}
            wanted |= {"Details": DETAILS[row.code]} if row.code in DETAILS else {}
        use(server, row)
        with pytest.raises(ClientError) as caught:
            calls[name]()
        answer = caught.value.response
        sent = server.outcomes[0]
        metadata = answer["ResponseMetadata"]
        assert (metadata["HTTPStatusCode"], sent.bucket, sent.key) == (row.status, BUCKET, KEY)
        assert metadata["HTTPHeaders"]["x-guploader-uploadid"] == sent.request_id
        got = {
            field: text for field, text in answer["Error"].items() if field in wanted or field == "Details"
        }
        if got != wanted:
            wrong.append((name, row.label, answer["Error"]))
    assert wrong == []


@pytest.mark.slow
def test_head(server, client):
    """HEAD: the status is the code, and the id is there."""
    wrong = []
    for row in ROWS:
        use(server, row)
        with pytest.raises(ClientError) as caught:
            client.head_object(Bucket=BUCKET, Key=KEY)
        answer = caught.value.response
        id = answer["ResponseMetadata"]["HTTPHeaders"]["x-guploader-uploadid"]
        if (answer["Error"]["Code"], id) != (str(row.status), server.outcomes[0].request_id):
            wrong.append((row.label, answer))
    assert wrong == []


@pytest.mark.slow
def test_rows_of_a_multipart_upload(server):
    """Google's client raises the answer as it came."""
    # It has no public door to one step of such an upload.
    upload = pytest.importorskip("google.cloud.storage._media.requests.upload")
    wrong = []
    with requests.Session() as session:
        for row in ROWS:
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
            if got != [("Code", row.code), ("Message", row.message)]:
                wrong.append((row.label, answer.text))
    assert wrong == []
