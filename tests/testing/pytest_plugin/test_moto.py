"""Faults inside moto's `mock_aws`, by the marker alone."""

import sys

# What a run imports is forgotten after it, so it is imported here, once.
import moto.core.models
import moto.dynamodb.models
import moto.s3.models  # noqa: F401
import pytest

S3 = """
import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from moto import mock_aws
from moto.core import botocore_stubber
from faultinject.clients.botocore import inject_into

session = boto3.Session("id", "key", region_name="us-east-1")  # reads the description of a service once

@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)

@pytest.fixture
def s3():
    with mock_aws():
        client = session.client("s3")
        client.create_bucket(Bucket="docbox")
        yield client
"""


def test_the_marker_is_all(passes):
    """Faults hit S3's requests below botocore's retries, each once.

    Also where the client has faults of its own. Other services get none.
    """
    passes(
        S3
        + """
@pytest.mark.faultinject("s3:SlowDown", times=2)
def test_retried(s3, faults):
    s3.put_object(Bucket="docbox", Key="cat", Body=b"meow")
    seen = [(each.operation, each.bucket, each.key, each.status) for each in faults.outcomes]
    assert seen == [("PutObject", "docbox", "cat", status) for status in (503, 503, 200)]

@pytest.mark.faultinject("s3:InternalError", key="cat")
def test_given_up(s3):
    with pytest.raises(ClientError, match="InternalError"):
        s3.put_object(Bucket="docbox", Key="cat", Body=b"meow")
    assert s3.list_objects_v2(Bucket="docbox")["KeyCount"] == 0

@pytest.mark.faultinject("reset", when="after", operation="PutObject", times=1)
def test_lost(s3, faults):
    inject_into(s3, "http:500")
    s3.put_object(Bucket="docbox", Key="cat", Body=b"meow")
    assert [each.operation for each in faults.outcomes] == ["PutObject"] * 2
    assert s3.get_object(Bucket="docbox", Key="cat")["Body"].read() == b"meow"

@pytest.mark.faultinject("http:503", times=1)
def test_other_services(s3, faults):
    session.client("dynamodb").list_tables()
    assert faults.attempts == 0
    s3.list_buckets()
    assert faults.injected == 1

@pytest.mark.faultinject("s3:SlowDown", times=1)
def test_a_store_beside_moto(s3, faults, faultinject_store):
    storage = faultinject_store("s3")
    client = session.client("s3", **storage.client_kwargs)
    client.create_bucket(Bucket="other")
    assert [each.status for each in faults.outcomes] == [503, 200]
    client.close()

# After the mock a client made inside sends its requests as without us.

@pytest.mark.faultinject("s3:SlowDown")
def test_switched_off(s3, faults):
    with pytest.raises(ClientError):
        s3.list_buckets()
    before = faults.attempts
    stubber = botocore_stubber.BotocoreStubber()
    assert stubber(event_name="before-send.s3.ListBuckets", request=None) is None
    assert faults.attempts == before
""",
        6,
    )


APPS = """
from flask import Flask
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import Response

flask, fastapi = Flask(__name__), FastAPI()

def store():
    session.client("s3").put_object(Bucket="docbox", Key="cat", Body=b"meow")

@flask.post("/docbox")
def of_flask():
    store()
    return "", 201

@flask.put("/cat")
def with_the_path_of_its_object():
    store()
    return "", 201

def read():
    try:
        return session.client("s3").get_object(Bucket="docbox", Key="cat")["Body"].read(), 200
    except BotoCoreError:
        return b"", 503

@flask.get("/cat")
def cat_of_flask():
    return read()

@fastapi.get("/cat")
def cat_of_fastapi():
    return Response(*read())

@flask.get("/about")
def about():
    return "", 200

@fastapi.post("/docbox", status_code=201)
def of_fastapi():
    store()

@pytest.fixture(params=["flask", "fastapi"])
def web(request, s3):
    return flask.test_client() if request.param == "flask" else TestClient(fastapi)
"""


def test_an_app_beside_moto(passes):
    """Its storage gets the faults, though the app's route has the name of the bucket."""
    passes(
        S3
        + APPS
        + """
@pytest.mark.faultinject("s3:SlowDown", times=2)
def test_any_request(web, faults):
    assert web.post("/docbox").status_code == 201
    assert [(each.operation, each.status) for each in faults.outcomes] == [
        ("PutObject", status) for status in (503, 503, 200)
    ]

@pytest.mark.faultinject("s3:SlowDown", times=1, bucket="docbox")
def test_the_bucket(web, faults):
    assert web.post("/docbox").status_code == 201
    assert faults.injected == 1

@pytest.mark.faultinject("http:418", path="/about")
@pytest.mark.faultinject("http:503", host="localhost")
def test_the_app_itself(s3, faults):
    assert flask.test_client().get("/about").status_code == 418
    assert flask.test_client().get("/other").status_code == 503
    assert faults.injected == 2

@pytest.mark.faultinject("s3:SlowDown", path="/**/cat", times=1)
def test_a_path_of_the_storage(web, faults):
    assert web.post("/docbox").status_code == 201
    assert [(each.operation, each.status) for each in faults.outcomes] == [("PutObject", 503), ("PutObject", 200)]

@pytest.mark.faultinject_explore("corrupt,method=GET")
def test_wrong_bytes_of_which_the_app_tells(web):
    store()
    web.get("/cat")

@pytest.mark.faultinject_explore("s3:SlowDown")
def test_explored(s3):
    assert flask.test_client().post("/docbox").status_code == 201
    assert flask.test_client().put("/cat").status_code == 201

@pytest.mark.faultinject("http:503", times=1)
def test_without_moto(faults):
    assert flask.test_client().get("/about").status_code == 503
""",
        11,
    )


def test_the_report_counts_them(run, project):
    """As those of any test."""
    run(
        S3
        + """
@pytest.mark.faultinject("s3:SlowDown", times=1, per="call")
def test_each_upload(s3):
    for n in range(5):
        s3.put_object(Bucket="docbox", Key=str(n), Body=b"meow")
""",
        "--faultinject-report=report.json",
    ).assert_outcomes(passed=1)
    assert '"calls":5,' in (project.path / "report.json").read_text().replace(" ", "")


@pytest.mark.parametrize("loaded", [True, False])
def test_where_nothing_is_met(shows, monkeypatch, loaded):
    """The message names moto where that is loaded."""
    if not loaded:
        monkeypatch.delitem(sys.modules, "moto")
    result = shows(
        """
        import pytest

        @pytest.mark.faultinject("s3:SlowDown")
        def test_nothing():
            pass
        """,
        ["    no request was seen", "Flask, Django*need no set-up. *"],
    )
    says = "Inside moto's mock_aws, requests of botocore clients to S3 need none either" in str(result.stdout)
    assert says is loaded
