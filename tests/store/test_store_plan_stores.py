"""The small stores of B2, Kodo and Swift, through their SDKs and by hand."""

import io
from hashlib import md5, sha1

import pytest
from werkzeug.test import Client

from faultinject.store.plan_stores import B2Store, KodoStore, SwiftStore
from tests.on_loopback import on_loopback


def filled(store):
    """The store with one object in it."""
    store.fill("photos", objects=["old.jpg"], uploads=["u"], content=b"purr")
    return store


def test_a_file_by_b2_s_sdk():
    """The SDK asks for an upload address, uploads a file, and downloads new and old files whole."""
    b2sdk = pytest.importorskip("b2sdk.v3")
    raw = b2sdk.B2RawHTTPApi(b2sdk.B2Http())
    with on_loopback(filled(B2Store())) as port:
        there = f"http://127.0.0.1:{port}"
        address = raw.get_upload_url(f"{there}/any", "token", "photos")
        assert address["uploadUrl"].startswith(f"{there}/any/b2api/v4/b2_upload_file/photos/")
        account = b2sdk.InMemoryAccountInfo()
        account.set_auth_data(
            account_id="account", auth_token="token", api_url=f"{there}/any", download_url=there,
            recommended_part_size=100_000_000, absolute_minimum_part_size=5_000_000, application_key="key",
            realm=there, s3_api_url=there, application_key_id="id",
            allowed={"buckets": None, "capabilities": b2sdk.ALL_CAPABILITIES, "namePrefix": None},
        )  # fmt: skip
        bucket = b2sdk.Bucket(b2sdk.B2Api(account), "photos", name="photos")
        version = bucket.upload_bytes(b"meow", "a b.jpg")
        assert (version.file_name, version.size, version.content_sha1) == (
            "a b.jpg",
            4,
            sha1(b"meow").hexdigest(),
        )
        for name, content in (("a b.jpg", b"meow"), ("old.jpg", b"purr")):
            into = io.BytesIO()
            bucket.download_file_by_name(name).save(into)
            assert into.getvalue() == content
    raw.b2_http.session.close()


def test_a_body_with_its_digits_or_without():
    """The SHA-1 stands in the header, or behind the content."""
    store, whole = Client(B2Store()), sha1(b"meow").hexdigest()
    for digits, behind in ((whole, b""), ("hex_digits_at_end", b"0" * 40)):
        headers = {"X-Bz-File-Name": "a%20b.jpg", "X-Bz-Content-Sha1": digits}
        answer = store.post("/b2api/v4/b2_upload_file/photos/x", data=b"meow" + behind, headers=headers)
        assert (answer.status_code, answer.json["contentSha1"]) == (200, whole)
        assert store.get("/file/photos/a%20b.jpg").data == b"meow"


def test_an_upload_by_qiniu_s_sdk():
    """The SDK takes the answer for the service's, and the hash is that of the content."""
    qiniu = pytest.importorskip("qiniu")
    from qiniu.http.endpoint import Endpoint
    from qiniu.http.region import Region, ServiceName

    with on_loopback(KodoStore()) as port:
        regions = [Region("z0", services={ServiceName.UP: [Endpoint(f"127.0.0.1:{port}/any", "http")]})]
        token = qiniu.Auth("id", "key").upload_token("photos", "a b.jpg")
        result, info = qiniu.put_data(token, "a b.jpg", b"meow", regions=regions)
    assert (result, info.ok()) == (
        {"hash": qiniu.utils.etag_stream(io.BytesIO(b"meow")), "key": "a b.jpg"},
        True,
    )
    assert info.req_id


@pytest.mark.parametrize("form", [{}, {"key": "k"}, {"file": (io.BytesIO(b"meow"), "name")}])
def test_a_form_that_lacks_something(form):
    """It is refused in Qiniu's form."""
    answer = Client(KodoStore()).post("/", data=form)
    assert (answer.status_code, answer.json) == (400, {"error": "file or key is not specified in the form"})


def test_an_object_by_swift_s_client():
    """A written object is read with its content's tag, and a missing one is 404."""
    swift = pytest.importorskip("swiftclient.client")
    with on_loopback(filled(SwiftStore())) as port:
        there = swift.Connection(
            preauthurl=f"http://127.0.0.1:{port}/v1/AUTH_test", preauthtoken="token", retries=0
        )
        assert there.put_object("photos", "a b.jpg", b"meow") == md5(b"meow").hexdigest()
        read = [there.get_object("photos", name) for name in ("a b.jpg", "old.jpg")]
        assert [(headers["etag"], content) for headers, content in read] == [
            (md5(content).hexdigest(), content) for content in (b"meow", b"purr")
        ]
        with pytest.raises(swift.ClientException) as caught:
            there.get_object("photos", "new.jpg")
        there.close()
    assert (caught.value.http_status, caught.value.http_response_headers["x-trans-id"][:2]) == (404, "tx")


@pytest.mark.parametrize(
    ("store", "method", "path", "status", "said"),
    [
        (B2Store, "POST", "/b2api/v4/b2_hide_file", 404, {"code": "not_found", "status": 404}),
        # Reading is refused, also from a store that was filled.
        (KodoStore, "GET", "/stat/old.jpg", 405, {"error": "method not allowed"}),
        (SwiftStore, "POST", "/v1/AUTH_test/photos/old.jpg", 405, {}),
    ],
)
def test_nothing_else_is_there(store, method, path, status, said):
    """It is refused in the vendor's form."""
    answer = Client(filled(store())).open(path, method=method)
    assert answer.status_code == status
    assert said.items() <= (answer.json or {}).items()
