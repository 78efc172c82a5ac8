"""The JSS client takes the store for JSS."""

import pytest
import requests
from jss_upload.jss import Jss


@pytest.fixture
def port(serve):
    return serve("jss")


@pytest.fixture
def service(port):
    return Jss(f"http://127.0.0.1:{port}", "id", "key")


@pytest.fixture
def bucket(service, port):
    # the client's own create() stumbles over its missing body before it sends anything
    assert requests.put(f"http://127.0.0.1:{port}/photos").status_code == 200
    return service.bucket("photos")


def test_buckets(service, bucket):
    """Buckets are listed, found and deleted."""
    assert [each["Name"] for each in service.list_buckets()] == ["photos"]
    assert [service.has_bucket(name) for name in ("photos", "other")] == [True, False]
    assert (bucket.delete().status_code, service.list_buckets()) == (204, [])


def test_objects(service, bucket, tmp_path):
    """Put from memory and file, get, head, exist, delete."""
    assert bucket.object("k").put_data("meow", "a/k").status_code == 200
    file = tmp_path / "file"
    file.write_text("purr")
    assert bucket.object("f").put_file(str(file), "f").status_code == 200
    stored = bucket.object("a/k")
    kept = {
        "Content-Length": "4",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment; filename=a%2Fk",
    }
    assert (stored.get().content, stored.head().items() >= kept.items()) == (b"meow", True)
    assert [stored.exist(), stored.delete().status_code, stored.exist()] == [True, 204, False]
    service.save_data("http://x/y/z", None, {"answer": 42}, bucket_name="photos")
    assert service.get_data("http://x/y/z", None, bucket_name="photos") == {"answer": 42}


def test_listing_follows_pages(bucket):
    """list_object goes on while HasNext says so, from the last key."""
    assert bucket.list_object() == []
    for number in range(5):
        bucket.object("k").put_data("x", f"k{number}")
    assert [each["Key"] for each in bucket.list_object(maxKeys=2)] == [f"k{number}" for number in range(5)]
    assert [each["Key"] for each in bucket.list_object(prefix="k3")] == ["k3"]
    assert len(bucket.list_object()) == 5


def test_multipart(bucket):
    """Initiate, upload, complete, abort, with the client's own documents."""
    stored = bucket.object("big")
    upload = stored.init_multipart_upload()
    parts = [
        {"PartNumber": str(number), "ETag": stored.upload_part(upload, number, b"%d" % number)["ETag"]}
        for number in (1, 2)
    ]
    done = stored.complete_multipart_upload(upload, parts)
    assert (done["Key"], done["ETag"][-2:], stored.get().content) == ("big", "-2", b"12")
    other = stored.init_multipart_upload()
    assert stored.abort_multipart_upload(other).status_code == 204
    assert stored.abort_multipart_upload(other).json()["code"] == "NoSuchUpload"


def test_documents_that_no_client_reads(bucket, port):
    """Uploads, parts, copies and multiple deletion have JSON documents too, named as in S3."""
    url = f"http://127.0.0.1:{port}/photos"
    upload = bucket.object("big").init_multipart_upload()
    etag = bucket.object("big").upload_part(upload, 1, b"x")["ETag"].strip('"')
    listed = requests.get(f"{url}?uploads").json()
    [row] = listed["Upload"]
    assert (listed["Bucket"], listed["HasNext"], row["Key"], row["UploadId"]) == (
        "photos",
        False,
        "big",
        upload,
    )
    parts = requests.get(f"{url}/big?uploadId={upload}").json()
    [part] = parts["Part"]
    assert (parts["HasNext"], part["PartNumber"], part["ETag"], part["Size"]) == (False, 1, etag, 1)
    bucket.object("a").put_data("meow", "a")
    copied = requests.put(f"{url}/b", headers={"x-jss-copy-source": "/photos/a"}).json()
    location = requests.get(f"{url}?location").json()
    assert (copied["ETag"], location) == ("4a4be40c96ac6314e91d93f38043a634", {})
    deleted = requests.post(f"{url}?delete", json={"Object": [{"Key": "a"}, {"Key": "x" * 2000}]})
    assert deleted.json() == {
        "Deleted": [{"Key": "a"}],
        "Error": [{"Key": "x" * 2000, "Code": "KeyTooLong", "Message": "Your key is too long."}],
    }


def test_errors(service, bucket):
    """Errors are JSS's JSON, its request id in header and body."""
    answer = bucket.object("gone").get()
    assert answer.status_code == 404
    assert answer.json() == {
        "code": "NoSuchKey",
        "message": "The specified key does not exist.",
        "resource": "/photos/gone",
        "requestId": answer.headers["x-jss-request-id"],
    }
    bucket.object("big").init_multipart_upload()
    refused = bucket.delete().json()
    assert refused["message"] == "The bucket you tried to delete has some muti uploads didn't delete."
