"""python-swiftclient reads Swift's own rows, boto3 what those of its S3 dialect carry.

swiftclient has no code and no message of its own: status, reason phrase and body are all there is.
"""

from xml.etree import ElementTree

import pytest
from swiftclient import client as swift
from swiftclient.exceptions import ClientException

from faultinject import vendors

from .path_style import client_of, error_of
from .told import BUCKET, KEY, of_each_row, raised

ROWS = vendors.get("swift").errors
OWN = [row for row in ROWS if row.form != "s3api"]


@pytest.fixture
def store(server):
    return f"{server.url}/v1/AUTH_test"


PLACES = {
    "get_account": (None, None),
    "put_container": (BUCKET, None),
    "get_object": (BUCKET, KEY),
    "put_object": (BUCKET, KEY),
    "copy_object": (BUCKET, KEY),
    "head_object": (BUCKET, KEY),
}
"""Container and object of the calls that get every row."""
OPERATIONS = {
    "get_account": lambda url: swift.get_account(url, "token"),
    "head_account": lambda url: swift.head_account(url, "token"),
    "post_account": lambda url: swift.post_account(url, "token", {}),
    "bulk_delete": lambda url: swift.post_account(
        url, "token", {}, query_string="bulk-delete", data=b"/photos/a"
    ),
    "get_container": lambda url: swift.get_container(url, "token", BUCKET, prefix="a/", limit=2),
    "head_container": lambda url: swift.head_container(url, "token", BUCKET),
    "put_container": lambda url: swift.put_container(url, "token", BUCKET),
    "post_container": lambda url: swift.post_container(url, "token", BUCKET, {}),
    "delete_container": lambda url: swift.delete_container(url, "token", BUCKET),
    "get_object": lambda url: swift.get_object(url, "token", BUCKET, KEY),
    "head_object": lambda url: swift.head_object(url, "token", BUCKET, KEY),
    "put_object": lambda url: swift.put_object(url, "token", BUCKET, KEY, b"x"),
    "post_object": lambda url: swift.post_object(url, "token", BUCKET, KEY, {}),
    "copy_object": lambda url: swift.copy_object(url, "token", BUCKET, KEY),
    "delete_object": lambda url: swift.delete_object(url, "token", BUCKET, KEY),
    "put_static_large_object": lambda url: swift.put_object(
        url, "token", BUCKET, KEY, b"[]", query_string="multipart-manifest=put"
    ),
    "get_static_large_object": lambda url: swift.get_object(
        url, "token", BUCKET, KEY, query_string="multipart-manifest=get"
    ),
    "delete_static_large_object": lambda url: swift.delete_object(
        url, "token", BUCKET, KEY, query_string="multipart-manifest=delete"
    ),
    "put_dynamic_large_object": lambda url: swift.put_object(
        url, "token", BUCKET, KEY, b"", headers={"X-Object-Manifest": "photos/parts"}
    ),
    "get_capabilities": lambda url: swift.get_capabilities(
        swift.http_connection(url.replace("/v1/AUTH_test", "/info"))
    ),
    "get_auth": lambda url: swift.get_auth_1_0(url.replace("/v1/AUTH_test", "/auth/v1.0"), "user", "key"),
}


def test_operations(server, store):
    """Each function of swiftclient is recognised under its name."""
    found = {}
    for name, call in OPERATIONS.items():
        server.use("swift:404")
        raised(ClientException, call, store)
        found[server.last.operation] = name
    assert found == {name: name for name in OPERATIONS}


@pytest.mark.parametrize("path", ["AUTH_test", "AUTH_test/photos", "AUTH_test/photos/cat.jpg"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_bulk_delete(server, method, path):
    """Swift's bulk middleware looks at the query alone."""
    server.use("swift:404")
    server.raw(method, f"/v1/{path}?bulk-delete")
    assert server.last.operation == "bulk_delete"


def body_of(row):
    if row.form == "plain":
        return row.message.encode()
    return f"<html><h1>{row.reason}</h1><p>{row.message}</p></html>".encode()


@pytest.mark.slow
@of_each_row(OWN, PLACES)
def test_rows(row, call, server, store):
    """Status, reason phrase, body and transaction id of each row are read; HEAD has no body."""
    server.use(row.address, operation=call)
    error = raised(ClientException, OPERATIONS[call], store)
    headers = error.http_response_headers
    ids = {headers["x-trans-id"], headers["x-openstack-request-id"], server.last.request_id}
    found = (error.http_status, error.http_reason, error.http_response_content, len(ids))
    body = b"" if row.status == 304 or call == "head_object" else body_of(row)
    place = (server.last.operation, server.last.bucket, server.last.key)
    assert (found, place) == ((row.status, row.reason, body, 1), (call, *PLACES[call]))
    assert not body or headers["content-type"] == "text/html; charset=UTF-8"


def test_title_under_another_status(server, store):
    """With the rule's own status the title is that status's reason phrase."""
    server.use("swift:503", status=500)
    error = raised(ClientException, swift.get_object, store, "token", BUCKET, KEY)
    assert error.http_status == 500
    assert error.http_response_content.startswith(b"<html><h1>Internal Server Error</h1>")


def test_children_of_the_s3_dialect(server):
    """Bucket, key and version are the request's, after the id."""
    server.use("swift:NoSuchVersion")
    got = server.raw("GET", f"/{BUCKET}/cat.jpg?versionId=7")
    assert [(each.tag, each.text) for each in ElementTree.fromstring(got.body)] == [
        ("Code", "NoSuchVersion"),
        ("Message", "The specified version does not exist."),
        ("RequestId", got.headers["x-trans-id"]),
        ("Key", "cat.jpg"),
        ("VersionId", "7"),
    ]
    server.use("swift:SignatureDoesNotMatch")
    with client_of(server.url) as s3:
        error = error_of(s3.get_object, Bucket=BUCKET, Key="cat.jpg")["Error"]
    assert error["AWSAccessKeyId"] == "id"
    assert bytes.fromhex(error["StringToSignBytes"]).decode() == error["StringToSign"]
    assert error["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
