"""Level, bucket and key at each kind of service, and input that no client should send."""

from base64 import b64encode, urlsafe_b64encode
from itertools import product
from urllib.parse import quote, unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject import vendors
from faultinject.vendors.operations import operations_of
from tests.decisions import reads, view
from tests.rows import each_row

ENDPOINTS = ("storage.example",)
OF_EACH_ADDRESSING = (None, "azure-blob", "b2", "gcs", "kodo", "minio", "oss", "rgw", "s3", "swift")


def seen_by(vendor, place):
    """A vendor's reading of a request."""
    return reads(vendor and vendors.get(vendor), view(place), ENDPOINTS)


def entry(text):
    return urlsafe_b64encode(text.encode()).decode()


AZURE = [
    # host, path and query, level, bucket, key
    ("account.blob.core.windows.net", "/", "account", None, None),
    ("account.blob.core.windows.net", "/?comp=list", "account", None, None),
    ("account.blob.core.windows.net", "/photos?restype=container", "container", "photos", None),
    ("account.blob.core.windows.net", "/photos/?comp=list", "container", "photos", None),
    ("account.blob.core.windows.net", "/photos?rest%79pe=container&comp=list", "container", "photos", None),
    ("account.blob.core.windows.net", "/cat.jpg?prefix=restype=x", "blob", "$root", "cat.jpg"),
    ("account.blob.core.windows.net", "/cat.jpg?xrestype=container", "blob", "$root", "cat.jpg"),
    ("account.blob.core.windows.net", "", "account", None, None),
    ("account.blob.core.windows.net", "*", "other", None, None),
    ("account.blob.core.windows.net", "/photos/a/b.jpg", "blob", "photos", "a/b.jpg"),
    ("account.blob.core.windows.net", "/photos/a%2Fb.jpg", "blob", "photos", "a/b.jpg"),
    ("account.blob.core.windows.net", "/photos//b", "blob", "photos", "/b"),
    ("account.blob.core.windows.net", "/photos/a/../b/", "blob", "photos", "a/../b/"),
    ("account.blob.core.windows.net", "/cat.jpg", "blob", "$root", "cat.jpg"),
    ("account.blob.core.windows.net", "//cat.jpg", "blob", "$root", "cat.jpg"),
    ("account-secondary.blob.core.windows.net", "/photos/k", "blob", "photos", "k"),
    ("cdn.shop.example", "/photos/k", "blob", "photos", "k"),
    ("account.storage.example:10000", "/photos/k", "blob", "photos", "k"),
    ("storage.example", "/account/photos/k", "blob", "photos", "k"),
    ("127.0.0.1:10000", "/account", "account", None, None),
    ("127.0.0.1:10000", "/account/photos?restype=container", "container", "photos", None),
    ("127.0.0.1:10000", "/account/photos/k", "blob", "photos", "k"),
    ("[::1]:10000", "/account/photos/k", "blob", "photos", "k"),
    ("[2001:DB8::1]", "/account/photos/k", "blob", "photos", "k"),
    ("[::ffff:192.0.2.1]:10000", "/account/photos/k", "blob", "photos", "k"),
    ("LOCALHOST", "/account/photos/k", "blob", "photos", "k"),
    ("azurite", "/account/photos/k", "blob", "photos", "k"),
    ("host.docker.internal:10000", "/account/photos/k", "blob", "photos", "k"),
    ("", "/account/photos/k", "blob", "photos", "k"),
    ("xn--bcher-kva.blob.core.windows.net", "/photos/k", "blob", "photos", "k"),
]
B2 = [
    ("", "/file/photos/a/b.jpg", "file", "photos", "a/b.jpg"),
    ("", "/file/photos/a%2Fb.jpg", "file", "photos", "a/b.jpg"),
    ("", "/file/photos", "file", "photos", None),
    ("", "/file//k", "other", None, None),
    ("", "/file/", "other", None, None),
    ("", "/b2api/v1/b2_upload_file?b%75cket=4a%2D48", "b2_upload_file", "4a-48", "a/ü b.jpg"),
    ("", "/b2api/v3/b2_list_file_names?bucketId=4a48", "b2_list_file_names", None, None),
    ("", "/b2api/v4/b2_upload_file/4a48fe/c001_v0001", "b2_upload_file", "4a48fe", "a/ü b.jpg"),
    ("", "/b2api/v1/b2_upload_file?cvt=c001_v1&bucket=4a48", "b2_upload_file", "4a48", "a/ü b.jpg"),
    ("", "/b2api/v1/b2_upload_file", "b2_upload_file", None, "a/ü b.jpg"),
    ("", "/b2api/v3/b2_upload_part/4_z27/c001", "b2_upload_part", None, None),
    ("", "/b2api/v3/else", "other", None, None),
    ("", "/b2api/b2_list_buckets", "other", None, None),
    ("", "/photos/k", "other", None, None),
    ("", "/", "other", None, None),
]
SWIFT = [
    ("", "/v1/account", "account", None, None),
    ("", "/v1/account/", "account", None, None),
    ("", "/v1/account//k", "other", None, None),
    ("", "/v1/account//", "account", None, None),
    ("", "//v1/account/photos", "other", None, None),
    ("", "/v1.0/account/photos", "container", "photos", None),
    ("", "/v1/account/photos/", "container", "photos", None),
    ("", "/v1/account/photos/a//b/", "object", "photos", "a//b/"),
    ("", "/v1/account/photos%2Fa%2Fb", "object", "photos", "a/b"),
    ("", "/info", "info", None, None),
    ("", "/info?swiftinfo_sig=x", "info", None, None),
    ("", "/infos", "other", None, None),
    ("", "/auth/v1.0", "other", None, None),
    ("", "/v1", "other", None, None),
    ("", "/v1//photos", "other", None, None),
    ("", "/v3/auth/tokens", "other", None, None),
    ("", "/", "other", None, None),
]
KODO = [
    ("", f"/stat/{entry('photos:a/b.jpg')}", "/stat/{entry}", "photos", "a/b.jpg"),
    ("", f"/stat/{entry('photos:a/b.jpg').rstrip('=')}", "/stat/{entry}", "photos", "a/b.jpg"),
    ("", f"/delete/{entry('photos:a:b')}", "/delete/{entry}", "photos", "a:b"),
    ("", f"/copy/{entry('a:b')}/{entry('photos:猫')}", "/copy/{entry}/{entry}", "photos", "猫"),
    ("", "/stat/!!!", "/stat/{entry}", None, None),
    ("", "/stat/w7w", "/stat/{entry}", "ü", None),
    ("", "/stat/é", "/stat/{entry}", None, None),
    ("", "/stat/a", "/stat/{entry}", None, None),
    ("", "/stat/", "other", None, None),
    ("", "/stat", "other", None, None),
    ("", "/cat.jpg", "/{object}", None, "cat.jpg"),
    ("", "*", "other", None, None),
    ("", "/list?bucket=photos&prefix=a", "/list", "photos", None),
    ("", "/", "/", None, None),
]
S3 = [
    ("", "", "service", None, None),
    ("", "/", "service", None, None),
    ("", "*", "other", None, None),
    ("", "//photos/cat.jpg", "other", None, None),
    ("", "//", "other", None, None),
    ("", "/photos//k", "object", "photos", "/k"),
    ("photos.storage.example", "*", "other", None, None),
    ("photos.storage.example", "", "bucket", "photos", None),
    ("photos.storage.example", "//k", "object", "photos", "/k"),
    ("", "/minio/health/live", "object", "minio", "health/live"),
    ("", "/swift/v1/c/o", "object", "swift", "v1/c/o"),
    ("", "/photos/a%2Fb", "object", "photos", "a/b"),
    ("photos.storage.example", "/a%2Fb", "object", "photos", "a/b"),
    ("photos.storage.example", "/", "bucket", "photos", None),
    ("photos.storage.example", "//", "object", "photos", "/"),
    ("storage.example", "/", "service", None, None),
    ("photos.s3.dualstack.eu-west-1.amazonaws.com", "/k", "object", "photos", "k"),
    ("photos--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com", "/k", "object",
     "photos--usw2-az1--x-s3", "k"),
    ("photos.s3-website.eu-central-1.amazonaws.com", "/", "bucket", "photos", None),
    ("photos.s3.cn-north-1.amazonaws.com.cn", "/k", "object", "photos", "k"),
    ("xn--bcher-kva.storage.example", "/k", "object", "xn--bcher-kva", "k"),
    ("PHOTOS.Storage.Example:443", "/k", "object", "photos", "k"),
]  # fmt: skip
OSS = [
    ("photos.oss-cn-hangzhou.aliyuncs.com", "/a%2Fb", "object", "photos", "a/b"),
    ("", "/photos/a%2fb/c", "object", "photos", "a/b/c"),
]
MINIO = [
    ("", "/minio/health/live", "other", None, None),
    ("", "/minio/admin/v3/info", "other", None, None),
    ("", "/minio", "other", None, None),
    ("", "/minio-backup/k", "object", "minio-backup", "k"),
    ("", "/photos/minio/k", "object", "photos", "minio/k"),
    ("", "/swift/v1/c/o", "object", "swift", "v1/c/o"),
    ("photos.storage.example", "/minio/k", "object", "photos", "minio/k"),
]
RGW = [
    ("", "/swift/v1/c/o", "other", None, None),
    ("", "/auth/v1.0", "other", None, None),
    ("", "/admin/user", "other", None, None),
    ("", "/admin%2Fuser", "other", None, None),
    ("admin.storage.example", "/user", "other", None, None),
    ("", "/administration/k", "object", "administration", "k"),
    ("photos.storage.example", "/swift/v1", "object", "photos", "swift/v1"),
]
PLACES = [
    *(("minio", *each) for each in MINIO),
    *(("rgw", *each) for each in RGW),
    *(("azure-blob", *each) for each in AZURE),
    *(("b2", *each) for each in B2),
    *(("swift", *each) for each in SWIFT),
    *(("kodo", *each) for each in KODO),
    *((None, *each) for each in S3),
    *(("oss", *each) for each in OSS),
]


def environ_of(target, host, *, method="GET", headers=()):
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("latin-1"),
        "RAW_URI": target.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": query.encode("utf-8", "surrogateescape").decode("latin-1"),
        **({"HTTP_HOST": host} if host else {}),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
    }


def scope_of(target, host, *, method="GET", headers=()):
    path, _, query = target.partition("?")
    wire = path.encode("utf-8", "surrogateescape")
    given = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return {
        "type": "http",
        "method": method,
        "path": unquote_to_bytes(wire).decode("utf-8", "replace"),
        "raw_path": wire,
        "root_path": "",
        "query_string": query.encode("utf-8", "surrogateescape"),
        "headers": [(b"host", host.encode("latin-1")), *given] if host else given,
    }


NAMED = [("x-bz-file-name", "a/%C3%BC%20b.jpg"), ("x-bz-part-number", "3")]


def test_every_address_is_read():
    """By both views alike."""
    for (vendor, host, target, *place), make in product(PLACES, (environ_of, scope_of)):
        seen = seen_by(vendor, make(target, host, headers=NAMED))
        assert [seen.level, seen.bucket, seen.key] == place, (vendor, host, target, make)


def test_what_is_no_address_of_the_service_is_no_operation():
    """Such requests are left alone by `operation=`; an empty path is the service's own."""
    asked = {
        "s3": ["GET //photos/cat.jpg", "GET *", "PUT *", "DELETE //"],
        "minio": ["GET /minio/health/live", "PUT /minio/admin/v3/add-user", "GET //"],
        "rgw": ["GET /swift/v1/c/o", "PUT /swift/v1/c", "DELETE /admin/user?uid=x", "GET /auth"],
        "swift": ["GET /v1/account//o", "PUT /v1/account//o"],
        "b2": ["GET /file//a", "HEAD /file/"],
        "azure-blob": ["GET *", "PUT *"],
        "kodo": ["GET *"],
    }
    found = {
        (vendor, each): seen_by(vendor, environ_of(target, "", method=method)).operation
        for vendor, targets in asked.items()
        for each in targets
        for method, target in [each.split(" ")]
    }
    assert found == dict.fromkeys(found)
    assert seen_by("s3", environ_of("", "")).operation == "ListBuckets"
    assert seen_by("s3", environ_of("*", "photos.s3.amazonaws.com")).operation is None


@each_row(
    ("vendor", "method", "target", "identity"),
    [
        ("azure-blob", "PUT", "/account/photos/a%2Fb?comp=block&blockid=x", "PUT /photos/a/b?blockid=x&comp=block"),
        ("azure-blob", "GET", "/account?comp=list&sv=2025-01-05&sig=x&se=y", "GET /account?comp=list"),
        ("b2", "GET", "/file/photos/k", "GET /photos/k"),
        ("b2", "POST", "/b2api/v3/b2_list_buckets", "POST /b2api/v3/b2_list_buckets"),
        ("b2", "POST", "/b2api/v3/b2_upload_file/4a48/c001_v1", "POST /4a48/a/ü b.jpg?b2_upload_file"),
        ("b2", "POST", "/b2api/v3/b2_upload_file/4a48/c002_v7", "POST /4a48/a/ü b.jpg?b2_upload_file"),
        ("b2", "POST", "/b2api/v3/b2_upload_part/4_z27/c001_v1", "POST /b2_upload_part/4_z27/3"),
        ("swift", "PUT", "/v1/account/photos/k?temp_url_sig=x&temp_url_expires=1", "PUT /photos/k"),
        ("swift", "GET", "/v1/account", "GET /v1/account"),
        ("kodo", "POST", f"/delete/{entry('photos:k')}", "POST /photos/k?delete"),
        ("kodo", "POST", f"/stat/{entry('photos:k')}", "POST /photos/k?stat"),
        ("gcs", "GET", "/storage/v1/b/photos/o/a%2Fb", "GET /photos/a/b"),
        ("gcs", "GET", "/storage/v1/b/photos/o?prefix=x", "GET /photos/?o&prefix=x"),
        ("gcs", "GET", "/storage/v1/b/photos", "GET /photos/"),
        ("gcs", "POST", "/storage/v1/b/a/o/b/rewriteTo/b/photos/o/k", "POST /photos/k?a/b/rewriteTo"),
        ("gcs", "POST", "/storage/v1/b/a/o/b%2Fc/rewriteTo/b/photos/o/k", "POST /photos/k?a/b/c/rewriteTo"),
        ("gcs", "DELETE", "/storage/v1/b/photos/o/k/acl/user-x", "DELETE /photos/k?acl/user-x"),
        ("s3", "GET", "/photos/k?uploadId=u&partNumber=1", "GET /photos/k?partNumber=1"),
    ],
)  # fmt: skip
def test_an_identity_reads_sensibly(vendor, method, target, identity):
    """An identity has method, bucket, key and distinctions, and nothing that an attempt changes."""
    places = [make(target, "", method=method, headers=NAMED) for make in (environ_of, scope_of)]
    assert [seen_by(vendor, place).exact for place in places] == [identity] * 2


def test_ids_that_are_new_in_each_run_are_drawn_alike():
    """New ids in each run are drawn alike, and calls still differ by them.

    Azure's SDK has random numbers in base64 for blocks, or random bytes; what counts calls still distinguishes them.
    """

    def block(raw):
        target = f"/account/photos/k?comp=block&blockid={quote(b64encode(raw))}"
        return seen_by("azure-blob", environ_of(target, "", method="PUT"))

    numbers = [b"%048d" % number for number in (2**127 + 1, 2**128 - 1)]
    blocks = [block(raw) for raw in (*numbers, b"\xff" * 9, b"\x00" * 9)]
    files = ["4_z27_f1_d20261120_m120000", "4_z27_f2_d20261120_m120001"]
    targets = [f"/b2api/v3/b2_upload_part/{each}/c001" for each in files]
    parts = [seen_by("b2", environ_of(each, "", method="POST", headers=NAMED)) for each in targets]
    for drawn, identity in (
        (blocks, "PUT /photos/k?blockid=~&comp=block"),
        (parts, "POST /b2_upload_part/~/3"),
    ):
        assert {each.identity for each in drawn} == {identity}
        assert len({each.exact for each in drawn}) == len(drawn)
    assert block(b"00001").identity != block(b"00002").identity
    assert seen_by("azure-blob", environ_of("/account/photos/k?", "")).identity == "GET /photos/k"


HOSTS = [
    "", ":", ":80", "[", "[]", "[::1", "[::1]:9000", "[fe80::1%25eth0]:80", "a:b:c", "..", ".", "-", "*", "a" * 300,
    "photos..storage.example", ".storage.example", "photos.storage.example.", "PHOTOS.STORAGE.EXAMPLE:443",
    "xn--bcher-kva.storage.example:1", "büchér.storage.example", "user@photos.storage.example", "127.0.0.1",
    "0x7f.1", "1.2.3.4.5", "photos.s3.amazonaws.com:99999", "acct.blob.core.windows.net:0", "\xff\xfe",
]  # fmt: skip
PATHS = [
    "", "*", "/", "//", "///", "/%", "/%2", "/%zz/%2F", "/%2F", "/%2f%2F/%2F", "/b/%2F", "/b/..", "/b/../..", "/./b",
    "/b//k", "/b/%FF%FE", "/b/%C3", "/b/\udcff", "/b/%00", "/b/%252F", "/b/?", "http://h/b/k", "b/k", "/é/猫",
    "/storage/v1/b", "/storage/v1/b//o//acl", "/storage/v1/b/%2F/o/%2F/rewriteTo/b//o/", "/upload/storage/v1/b/b/o?name=",
    "/storage/v1/b/b/o/" + "x/acl/" * 200, "/storage/v1/b/b/o/" + "copyTo/b/" * 300, "/b2api", "/b2api/v/b2_",
    "/b2api/v3/b2_upload_file//", "/file/%2F%2F", "/v1/%2F/%2F", "/v1/a/%2F", "/stat/%FF", "/stat/====", "/stat/-_-_",
    "/copy/YTpi/", "/mkfile//key//", "/a?restype", "/a?restype=container&restype=x", "/a/b?comp=%FF&&&=%3D",
]  # fmt: skip
QUERIES = [
    "",
    "?",
    "?&",
    "?uploads",
    "?=",
    "?%FF=%FE",
    "?uploadId=%00",
    "?comp=list&comp",
    "?list-type=%32",
    "?+=+",
]


def test_input_that_no_client_should_send_is_read_or_left_alone():
    """Hostile input never raises, and both views read the same.

    Every host with some paths, every path with every query.
    """
    asked = [(host, path) for host in HOSTS for path in ("/", "/a/b%2Fc", "/a")]
    asked += [
        ("h.example", path + query) for path in PATHS for query in QUERIES if "?" not in path or not query
    ]
    for number, vendor in enumerate(OF_EACH_ADDRESSING):
        for at, (host, target) in enumerate(asked):
            method = ("GET", "PUT")[(number + at) % 2]
            seen = [seen_by(vendor, made(target, host, method=method)) for made in (environ_of, scope_of)]
            assert all(each.level and each.bucket != "" and each.key != "" for each in seen)
            # An absolute target, and one without a slash, are given out differently by the two interfaces.
            assert seen[0] == seen[1] or target[:1] != "/", (vendor, method, host, target)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    vendor=st.sampled_from(OF_EACH_ADDRESSING),
    host=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30),
    path=st.lists(
        st.sampled_from(
            [
                *("storage", "v1", "b", "o", "upload", "acl", "copyTo", "photos", "%2F", "%FF", "", ".."),
                *("b2api", "v3", "b2_upload_file", "file", "info", "stat", "list", "buckets", "objects"),
            ]
        )
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="?#"), max_size=6),
        max_size=9,
    ),
    query=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    method=st.sampled_from(["GET", "put", "POST", "DELETE", "HEAD", "OPTIONS", "BREW", "PATCH"]),
)
def test_anything_at_all_is_read_or_left_alone(vendor, host, path, query, method):
    """Never an exception, in either view."""
    target = f"/{'/'.join(path)}?{query}"
    for make in (environ_of, scope_of):
        seen = seen_by(vendor, make(target, host, method=method))
        assert seen.level and seen.bucket != "" and seen.key != ""
        assert seen.operation is None or seen.operation in operations_of(vendor and vendors.get(vendor)).names
        assert seen.exact.startswith(method.upper()) and seen.identity
