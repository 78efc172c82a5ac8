"""The store as a plain WSGI application: HTTP's own rules, addresses, threads, memory."""

import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.test import Client, run_wsgi_app

import faultinject
from faultinject.exceptions import ConfigurationError, UnknownVendorError
from faultinject.store import ObjectStore

from .conftest import begun, client_of, ended

COS_HOST = {"Host": "photos-1250000000.cos.ap-guangzhou.myqcloud.com"}


@pytest.fixture
def store():
    return ObjectStore("cos", clock=lambda: 1_784_548_800.5)  # 2026-07-20 12:00:00.5 UTC


@pytest.fixture
def client(store):
    client = Client(LintMiddleware(store))
    client.put("/photos")
    client.put("/photos/k", data=b"0123456789", headers={"Content-Type": "text/x"})
    return client


EMPTY = {"environ_overrides": {"CONTENT_LENGTH": "0"}}
ETAG = '"781e5e245d69b566979b86e28d23f2c7"'


@pytest.mark.parametrize(
    ("vendor", "error", "message"),
    [
        ("gateway", ConfigurationError, "does not speak gateway; it speaks azure-blob, .*cos, .*gcs, .*s3"),
        ("qiniu", UnknownVendorError, "did you mean qiniu-mix, kodo or kodo-s3"),
    ],
)
def test_only_storage_vendors_have_a_dialect(vendor, error, message):
    """Other vendors are refused when the store is made."""
    with pytest.raises(error, match=message):
        ObjectStore(vendor)
    assert repr(ObjectStore("jss")) == "<ObjectStore jss>"


def test_the_headers_of_an_object(client):
    """GET and HEAD carry the same headers; Connection, Date and Server are the server's own."""
    got, head = client.get("/photos/k"), client.head("/photos/k")
    headers = dict(got.headers)
    assert headers.pop("x-cos-request-id")
    assert headers == {
        "ETag": ETAG,
        "x-cos-hash-crc64ecma": "2838902930144391966",
        "Last-Modified": "Mon, 20 Jul 2026 12:00:00 GMT",
        "Content-Type": "text/x",
        "Accept-Ranges": "bytes",
        "Content-Length": "10",
    }
    assert (got.data, head.data) == (b"0123456789", b"")
    assert [each for each in head.headers if each[0][0] != "x"] == [
        each for each in got.headers if each[0][0] != "x"
    ]


@pytest.mark.parametrize(
    ("text", "status", "data", "content_range"),
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
        ("bytes=5-2", 200, b"0123456789", None),
    ],
)
def test_ranges(client, text, status, data, content_range):
    """One range gives 206; several, or one that cannot be read, give the whole object."""
    got = client.get("/photos/k", headers={"Range": text})
    assert (got.status_code, got.data, got.headers.get("Content-Range")) == (status, data, content_range)


def test_a_range_outside_says_how_long_the_object_is(client):
    """416 carries Content-Range; an empty object has no range at all."""
    client.put("/photos/empty", **EMPTY)
    asked = {"k": "bytes=10-20", "empty": "bytes=0-"}
    answers = [client.get(f"/photos/{key}", headers={"Range": text}) for key, text in asked.items()]
    told = [(each.status_code, each.headers["Content-Range"]) for each in answers]
    assert told == [(416, "bytes */10"), (416, "bytes */0")]


EARLIER, AT, LATER = (f"Mon, 20 Jul 2026 {time} GMT" for time in ("11:59:59", "12:00:00", "12:00:01"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": ETAG}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"a", "b"'}, 412),
        ({"If-Match": ETAG, "If-Unmodified-Since": EARLIER}, 200),
        ({"If-Unmodified-Since": EARLIER}, 412),
        ({"If-Unmodified-Since": AT}, 200),
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": f"W/{ETAG}"}, 304),
        ({"If-None-Match": '"a"'}, 200),
        ({"If-None-Match": '"a"', "If-Modified-Since": LATER}, 200),
        ({"If-Modified-Since": AT}, 304),
        ({"If-Modified-Since": EARLIER}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"Range": "bytes=0-1", "If-Range": ETAG}, 206),
        ({"Range": "bytes=0-1", "If-Range": '"a"'}, 200),
        ({"Range": "bytes=0-1", "If-Range": AT}, 206),
        ({"Range": "bytes=0-1", "If-Range": EARLIER}, 200),
    ],
)
def test_conditional_reads(client, headers, status):
    """ETags go before dates; 304 has ETag, checksum and request id, and no body (RFC 9110 13).

    HEAD is as GET.
    """
    got, head = (ask("/photos/k", headers=headers) for ask in (client.get, client.head))
    assert (got.status_code, head.status_code, head.data) == (status, status, b"")
    if status == 304:
        names = {name for name, _ in got.headers}
        assert (got.data, names) == (b"", {"ETag", "x-cos-hash-crc64ecma", "x-cos-request-id"})


def test_conditional_writes(client):
    """If-Match and If-None-Match guard puts; a missing object with If-Match is 404."""
    asked = [
        ("k", {"If-None-Match": ETAG}),
        ("k", {"If-Match": '"a"'}),
        ("new", {"If-None-Match": "*"}),
        ("k", {"If-Match": ETAG}),
        ("gone", {"If-Match": ETAG}),
    ]
    answers = [client.put(f"/photos/{key}", data=b"x", headers=headers) for key, headers in asked]
    assert [each.status_code for each in answers] == [412, 412, 200, 200, 404]


def test_headers_that_the_query_asks_for(client):
    """`response-…` parameters replace headers of the answer."""
    got = client.get("/photos/k?response-content-type=image/png&response-expires=never")
    assert [got.headers[name] for name in ("Content-Type", "Expires")] == ["image/png", "never"]


def test_virtual_hosts_and_paths_are_the_same_bucket(client):
    """A Host under the vendor's or a given endpoint names the bucket; the port is ignored."""
    with_port = {"Host": COS_HOST["Host"].upper() + ":8080"}
    own = Client(ObjectStore("cos", endpoints=["store.test"]))
    made = [
        client.put("/", headers=COS_HOST),
        client.put("/a/b", data=b"x", headers=COS_HOST),
        client.put("/", headers=with_port, environ_overrides={"PATH_INFO": "//slash"}, data=b"/"),
        own.put("/", headers={"Host": "photos.store.test"}),
        own.head("/photos"),
    ]
    assert [each.status_code for each in made] == [200] * 5
    read = [
        client.get("/photos-1250000000/a/b"),
        client.get("/photos-1250000000//slash"),
        client.get("/a/b", headers={"Host": COS_HOST["Host"] + ".:8080"}),
        client.get("/photos/k", headers={"Host": "[::1]:80"}),
    ]
    assert [each.data for each in read] == [b"x", b"/", b"x", b"0123456789"]


def test_a_copy_source_may_name_a_host(client):
    """A copy source may be `bucket.endpoint/key`, as in COS, or `/bucket/key`, encoded."""
    client.put("/", headers=COS_HOST)
    client.put("/a b", data=b"x", headers=COS_HOST)
    for source in (f"{COS_HOST['Host']}/a%20b?versionId=null", "/photos-1250000000/a%20b"):
        assert client.put("/photos/copy", headers={"x-cos-copy-source": source}).status_code == 200
        assert client.get("/photos/copy").data == b"x"


def test_the_resource_of_an_error_is_the_raw_path(client):
    """The path as it was sent, without query, below a mount point too."""
    plain = {"PATH_INFO": "/photos/A/gone", "RAW_URI": "/photos/%41%2Fgone?x=1"}
    mounted = {"SCRIPT_NAME": "/store", "PATH_INFO": "/photos/ü".encode().decode("latin-1")}
    for environ, path in (
        (plain, "/photos/%41%2Fgone"),
        ({**mounted, "RAW_URI": "", "REQUEST_URI": ""}, "/store/photos/%C3%BC"),
    ):
        got = client.get("/", environ_overrides=environ)
        # The phrase is the standard's: clients show it when they cannot read the body.
        assert (got.status, f"<Resource>{path}</Resource>" in got.text) == ("404 Not Found", True)


def test_names_that_xml_cannot_hold(client):
    """A key with control characters is listed readably, and exactly if encoding is requested."""
    client.put("/photos/%01%26", data=b"x")
    keys = [
        re.findall("<Key>(.*?)</Key>", client.get(f"/photos{query}").text)
        for query in ("", "?encoding-type=url")
    ]
    assert keys == [["&amp;", "k"], ["%01%26", "k"]]


def test_listing_a_list_of_uploads(client):
    """Uploads page by key and id, grouped by delimiter; each is shown once."""
    for key in ("a/1", "a/2", "b", "b", "c/1"):
        client.post(f"/photos/{key}?uploads")
    shown, marker = [], ""
    for _ in range(9):
        text = client.get(f"/photos?uploads&delimiter=/&max-uploads=1{marker}").text
        shown += re.findall(r"<(?:Upload|CommonPrefixes)>\s*<(?:Key|Prefix)>(.*?)<", text)
        if "<IsTruncated>false" in text:
            break
        key, identity = re.findall("<Next(?:Key|UploadId)Marker>(.*?)<", text)
        marker = f"&key-marker={key}&upload-id-marker={identity}"
    assert shown == ["a/", "b", "b", "c/"]
    behind = client.get(
        "/photos?uploads&key-marker=b&delimiter=%2B&encoding-type=url&max-uploads=9999"
    ).get_data(as_text=True)
    assert behind.count("<Upload>") == 1
    assert "<Delimiter>%2B</Delimiter><MaxUploads>1000</MaxUploads>" in behind


def test_a_page_of_no_entries(client):
    """`max-keys=0` shows nothing and says that nothing follows."""
    got = client.get("/photos?max-keys=0").get_data(as_text=True)
    assert "<Contents>" not in got and "<IsTruncated>false<" in got


def test_a_second_part_replaces_the_first(client, store):
    """A part that is sent again counts once, in memory too; unused parts are dropped at the end."""
    used = store.buckets.used
    upload = begun(client, "/photos/big")
    for data in (b"old", b"new"):
        part = client.put(f"/photos/big?partNumber=1&uploadId={upload}", data=data)
    client.put(f"/photos/big?partNumber=2&uploadId={upload}", data=b"unused")
    assert b"<MaxParts>1000</MaxParts>" in client.get(f"/photos/big?uploadId={upload}&max-parts=9999").data
    done = [ended(client, "/photos/big", upload, part.headers["ETag"]) for _ in range(2)]
    assert ["NoSuchUpload" in each.text for each in done] == [False, True]
    assert client.get("/photos/big").data == b"new"
    client.delete("/photos/big")
    assert store.buckets.used == used


def test_a_multipart_upload_replaces_an_object(client, store):
    """The object that was there is gone, with its bytes."""
    used = store.buckets.used
    upload = begun(client, "/photos/k", headers={"Content-Type": "text/x"})
    part = client.put(f"/photos/k?partNumber=1&uploadId={upload}", data=b"9876543210")
    ended(client, "/photos/k", upload, part.headers["ETag"])
    assert (client.get("/photos/k").data, store.buckets.used) == (b"9876543210", used)


def test_everything_deleted_leaves_nothing(client, store):
    """All bytes are given back; deleting twice is fine."""
    answers = [client.delete(path) for path in ("/photos/k", "/photos/k", "/photos")]
    assert [each.status_code for each in answers] == [204] * 3
    assert store.buckets.used == 0


def test_empty_objects_are_bounded_too():
    """Keys without content fill the store as well."""
    client = client_of("cos", max_bytes=100 * 1024)
    answers = [client.put(f"/photos/{number}", **EMPTY).status_code for number in range(300)]
    assert (answers.index(400), set(answers[:150]), set(answers[250:])) == (
        185,
        {200},
        {400},
    )


def test_a_large_upload_is_refused_before_it_is_kept():
    """A large upload is refused at once by its length, or when it exceeds the room.

    The rest is read and dropped.
    """
    client = client_of("cos", max_bytes=1024 * 1024)
    used = client.application.buckets.used
    declared, chunked = (io.BytesIO(bytes(2 * 1024 * 1024)) for _ in range(2))
    environ = {"wsgi.input": chunked, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answers = [
        client.put("/photos/k", input_stream=declared),
        client.put("/photos/k", environ_overrides=environ),
    ]
    assert [each.status_code for each in answers] == [400, 400]
    assert (declared.read(), client.application.buckets.used) == (b"", used)


def test_many_threads_count_exactly():
    """Puts, deletes, copies and uploads from many threads: what is left adds up."""
    store = client_of("cos").application
    used = store.buckets.used
    failures = []

    def work(number):
        client = Client(store)
        for turn in range(10):
            answers = [
                client.put("/photos/shared", data=b"x" * (number + turn + 1)),
                client.put(f"/photos/{number}", data=b"y" * 100),
                client.put(f"/photos/{number}-copy", headers={"x-cos-copy-source": f"/photos/{number}"}),
                client.get("/photos?delimiter=/"),
                client.delete(f"/photos/{number}-copy"),
                client.delete(f"/photos/{number}"),
            ]
            failures.extend(each.status for each in answers if each.status_code >= 300)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    Client(store).delete("/photos/shared")
    assert (failures, store.buckets.used) == ([], used)


@pytest.mark.live
@pytest.mark.parametrize(
    ("vendor", "path", "name", "kept"),
    [
        ("s3", "/photos", "X-Amz-Meta-My_Mood", "x-amz-meta-my_mood"),
        ("azure-blob", "/account/photos", "X-MS-Meta-My_Mood", "x-ms-meta-My_Mood"),
    ],
)
def test_names_of_metadata(vendor, path, name, kept):
    """Names of metadata keep underscores, which WSGI lacks, and at Azure their capitals.

    https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources
    """
    storage = faultinject.Storage(vendor)
    try:
        requests.put(f"{storage.url}{path}?restype=container", timeout=60)
        url, headers = f"{storage.url}{path}/k", {name: "sleepy", "x-ms-blob-type": "BlockBlob"}
        assert requests.put(url, b"x", headers=headers, timeout=60).ok
        assert [each for each in requests.head(url, timeout=60).headers if "-meta-" in each.lower()] == [kept]
    finally:
        storage.close()


@pytest.mark.parametrize(
    ("vendor", "path", "own"),
    [
        ("s3", "/photos", {"x-amz-meta-my_mood": "sleepy"}),
        ("azure-blob", "/account/photos", {"x-ms-meta-my_mood": "sleepy", "x-ms-blob-type": "BlockBlob"}),
    ],
)
def test_names_of_metadata_behind_a2wsgi(vendor, path, own):
    """It gives the scope of ASGI, where names have their underscores."""
    client = Client(ObjectStore(vendor))
    client.put(f"{path}?restype=container")
    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in own.items()]}
    headers = {name.replace("_", "-"): value for name, value in own.items()}
    answer = client.put(f"{path}/k", data=b"x", headers=headers, environ_overrides={"asgi.scope": scope})
    assert answer.status_code < 300
    kept = client.head(f"{path}/k").headers
    assert {name: kept.get(name) for name in own} == own


def test_the_environ_is_enough():
    """A request with no more than PEP 3333 demands is answered, validly."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    chunks, status, _ = run_wsgi_app(ObjectStore(), environ)
    assert status == "200 OK"
    assert b"<ListAllMyBucketsResult>" in b"".join(chunks)
