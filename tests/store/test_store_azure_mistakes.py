"""The store's answers to requests that Azure Blob Storage refuses, and the state afterwards."""

import re
from base64 import b64encode
from urllib.parse import quote

from werkzeug.test import Client

from faultinject.store import ObjectStore

from .conftest import check_mistakes

ROOT = "/account/photos"
BLOB = {"x-ms-blob-type": "BlockBlob"}
DAMAGED = {**BLOB, "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}


class Visitor:
    """A client that sends what it likes, before a store with one container and one blob."""

    def __init__(self, **options):
        self.store = ObjectStore("azure-blob", **options)
        self.client = Client(self.store)
        assert self.ask("PUT", f"{ROOT}?restype=container").status_code == 201
        assert self.put("there", data=b"0123456789").status_code == 201

    def ask(self, method, path, **options):
        return self.client.open(path, method=method, **options)

    def put(self, name, headers=(), **options):
        return self.ask("PUT", f"{ROOT}/{name}", headers={**BLOB, **dict(headers)}, **options)

    def block(self, identity, data=b"x", **options):
        return self.ask("PUT", f"{ROOT}/k?comp=block&blockid={identity}", data=data, **options)

    def commit(self, document):
        return self.ask("PUT", f"{ROOT}/k?comp=blocklist", data=document)

    def batch(self, body):
        kind = "multipart/mixed; boundary=x"
        return self.ask("POST", "/account?comp=batch", data=body.encode(), content_type=kind)

    def copy(self, source, **headers):
        return self.ask("PUT", f"{ROOT}/copy", headers={"x-ms-copy-source": source, **headers})


def leased(visitor):
    """A case: write to a blob that has a lease."""
    headers = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "-1"}
    assert visitor.ask("PUT", f"{ROOT}/there?comp=lease", headers=headers).status_code == 201
    return visitor.put("there", data=b"x")


def lengths(visitor):
    """A case: stage a block, and one whose id has another length."""
    visitor.block("YQ==")
    visitor.used = visitor.store.buckets.used
    return visitor.block("YWE=")


def appended(data=b"x", **headers):
    """A case: put an append blob in the place of the blob that is there, and append to it."""

    def case(visitor):
        empty = {"CONTENT_LENGTH": "0"}
        visitor.put("there", {"x-ms-blob-type": "AppendBlob"}, environ_overrides=empty)
        visitor.used = visitor.store.buckets.used
        length = {} if data else empty
        path = f"{ROOT}/there?comp=appendblock"
        return visitor.ask("PUT", path, data=data, headers=headers, environ_overrides=length)

    return case


CASES = [
    ("append_position", appended(**{"x-ms-blob-condition-appendpos": "1"})),
    ("argument", lambda v: v.ask("GET", f"{ROOT}?restype=container&comp=list&maxresults=many")),
    ("argument", lambda v: v.ask("GET", f"{ROOT}?restype=container&comp=list&marker=%C3%BC")),
    ("argument", lambda v: v.ask("GET", f"{ROOT}/there?comp=blocklist&blocklisttype=other")),
    ("bad_digest", lambda v: v.put("k", {"x-ms-blob-content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, data=b"x")),
    ("bad_digest", lambda v: v.put("k", {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, data=b"x")),
    # Nothing of a body is judged before it is known where it goes.
    *(
        (
            "no_bucket",
            lambda v, behind=behind: v.ask("PUT", f"/account/nowhere/k{behind}", data=b"x", headers=DAMAGED),
        )
        for behind in ("", "?comp=block&blockid=YQ==", "?comp=appendblock")
    ),
    ("blob_exists", lambda v: v.put("there", {"If-None-Match": "*"}, data=b"x")),
    ("blob_type", lambda v: v.ask("PUT", f"{ROOT}/there?comp=appendblock", data=b"x")),
    ("bucket_exists", lambda v: v.ask("PUT", f"{ROOT}?restype=container")),
    ("bucket_name", lambda v: v.ask("PUT", "/account/No?restype=container")),
    ("bucket_name", lambda v: v.ask("PUT", "/account/a--b?restype=container")),
    ("bucket_name", lambda v: v.ask("GET", "/account/a_b?restype=container")),
    ("digest", lambda v: v.put("k", {"Content-MD5": "not base64"}, data=b"x")),
    ("document", lambda v: v.commit(b" " * (2 * 1024 * 1024 + 1))),
    ("empty_document", lambda v: v.commit(b"")),
    ("full", lambda v: v.put("k", data=b"x" * 20_000)),
    ("header", lambda v: v.ask("PUT", f"{ROOT}/k", data=b"x")),
    ("header_value", lambda v: v.put("k", {"x-ms-blob-type": "blockblob"}, data=b"x")),
    ("header_value", lambda v: v.put("k", {"x-ms-blob-type": "AppendBlob"}, data=b"x")),
    ("header_value", appended(b"")),
    ("header_value", appended(**{"x-ms-blob-condition-appendpos": "end"})),
    ("incomplete", lambda v: v.put("k", data=b"short", environ_overrides={"CONTENT_LENGTH": "10"})),
    ("key_length", lambda v: v.put("k" * 1025, data=b"x")),
    ("key_length", lambda v: v.ask("PUT", f"{ROOT}/{'k' * 1025}?comp=blocklist", data=b"<BlockList/>")),
    ("lease", leased),
    ("length", lambda v: v.put("k", environ_overrides={"CONTENT_LENGTH": ""})),
    ("malformed", lambda v: v.commit(b"<BlockList><Any>YQ==</Any></BlockList>")),
    ("malformed", lambda v: v.commit(b"<BlockList>")),
    ("max_size", appended(**{"x-ms-blob-condition-maxsize": "0"})),
    ("metadata", lambda v: v.put("k", {"x-ms-meta-a": "x" * 8192}, data=b"x")),
    ("metadata_key", lambda v: v.put("k", {"x-ms-meta-": "x"}, data=b"x")),
    ("metadata_name", lambda v: v.put("k", {"x-ms-meta-a-b": "x"}, data=b"x")),
    ("method", lambda v: v.ask("POST", f"{ROOT}/there")),
    ("multipart", lambda v: v.ask("POST", f"{ROOT}?restype=container&comp=batch", data=b"x")),
    ("no_bucket", lambda v: v.ask("PUT", "/account/nowhere/k", headers=BLOB, data=b"x")),
    ("no_bucket", lambda v: v.copy("http://localhost/account/nowhere/k")),
    ("no_key", lambda v: v.ask("GET", f"{ROOT}/gone")),
    ("no_key", lambda v: v.copy("http://localhost/account/photos/gone")),
    ("not_implemented", lambda v: v.ask("PUT", f"{ROOT}/there?comp=undelete")),
    ("not_implemented", lambda v: v.ask("PUT", "/account/in-root", headers=BLOB, data=b"x")),
    ("bucket_name", lambda v: v.ask("PUT", "/account/$root?restype=container")),
    ("not_implemented", lambda v: v.ask("GET", f"{ROOT}/there?snapshot=2026-11-20T12:00:00.0000000Z")),
    ("not_implemented", lambda v: v.ask("GET", "/account?restype=service&comp=properties")),
    ("out_of_range", lambda v: v.ask("GET", "/account?comp=list&maxresults=0")),
    ("part", lambda v: v.commit(b"<BlockList><Latest>YQ==</Latest></BlockList>")),
    ("part_length", lengths),
    ("part_number", lambda v: v.block("not base64")),
    ("part_number", lambda v: v.block("")),
    ("part_number", lambda v: v.block("YWFh" * 22)),
    ("precondition", lambda v: v.ask("GET", f"{ROOT}/there", headers={"If-Match": '"other"'})),
    ("range", lambda v: v.ask("GET", f"{ROOT}/there", headers={"Range": "bytes=10-"})),
    ("source", lambda v: v.copy("http://[")),
    ("source", lambda v: v.copy("http://localhost/account/photos")),
    (
        "source_precondition",
        lambda v: v.copy(f"http://localhost{ROOT}/there", **{"x-ms-source-if-match": '"other"'}),
    ),
    ("unsupported_header", lambda v: v.put("k", {"x-ms-blob-type": "PageBlob"}, data=b"x")),
    ("unsupported_header", appended(**{"x-ms-copy-source": f"http://localhost{ROOT}/there"})),
    ("unsupported_header", lambda v: v.put("k", {"x-ms-structured-body": "XSM/1.0"}, data=b"x")),
    ("unsupported_header", lambda v: v.put("k", {"x-ms-tags": "a=b"}, data=b"x")),
    ("unsupported_header", lambda v: v.copy("http://elsewhere.test/account/photos/there")),
    ("uri", lambda v: v.ask("GET", f"{ROOT}/k", environ_overrides={"PATH_INFO": f"{ROOT}/\xff"})),
]


def test_a_mistake_gets_the_documented_error():
    """Status and code are Azure's, in body and header, and nothing of the request is kept."""

    def told(row, answer):
        code = re.search("<Code>(.*?)</Code>", answer.text)
        return code and code[1] if answer.headers["x-ms-error-code"] == row.code else None

    check_mistakes("azure-blob", CASES, lambda: Visitor(max_bytes=16_384), told)


def test_a_full_store_says_so():
    """The message names the limit, so that nobody takes it for Azure's own."""
    answer = Visitor(max_bytes=8192).put("k", data=b"x" * 9000)
    assert "the embedded store is full (8192 bytes)" in answer.get_data(as_text=True)


def test_what_is_just_allowed():
    """Metadata, block ids, the end of an append blob and moments of conditions are at a bound."""
    visitor = Visitor(clock=lambda: 1_784_548_800.25)
    moment, later = "Mon, 20 Jul 2026 12:00:00 GMT", "Mon, 20 Jul 2026 12:00:01 GMT"
    answers = [
        visitor.put("k", {"x-ms-meta-a": "x" * 8191}, data=b"x"),
        visitor.block(quote(b64encode(b"x" * 64))),
        appended(**{"x-ms-blob-condition-maxsize": "1"})(visitor),
    ]
    assert [each.status_code for each in answers] == [201] * 3
    asked = [{"If-Unmodified-Since": moment}, {"If-Modified-Since": moment}, {"If-Modified-Since": later}]
    answers = [visitor.put("k", headers, data=b"x") for headers in asked]
    assert [each.status_code for each in answers] == [201, 412, 412]


def test_a_batch_has_deletions_only():
    """Another request in it is refused in its own answer, and does nothing."""
    body = (
        f"--x\r\nContent-ID: 0\r\n\r\nPUT {ROOT}/k HTTP/1.1\r\nx-ms-blob-type: BlockBlob\r\n\r\n\r\n--x--\r\n"
    )
    visitor = Visitor()
    answer = visitor.batch(body)
    assert (answer.status_code, b"batches of deletions only" in answer.data) == (202, True)
    assert visitor.ask("GET", f"{ROOT}/k").status_code == 404


def test_a_batch_with_what_is_no_request():
    """It is refused whole: what stands before it is not deleted."""
    deletion = f"--x\r\n\r\nDELETE {ROOT}/there HTTP/1.1\r\n\r\n\r\n"
    for wrong in (
        "",
        "GARBAGE",
        f"DELETE {ROOT}/there",
        "DELETE http://[ HTTP/1.1",
        "DELETE /a HTTP/1.1\r\nA: b\nc",
    ):
        visitor = Visitor()
        answer = visitor.batch(f"{deletion}--x\r\n\r\n{wrong}\r\n\r\n\r\n--x--\r\n")
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "InvalidInput")
        assert visitor.ask("GET", f"{ROOT}/there").status_code == 200


def test_answers_carry_what_azure_s_carry():
    """Every answer has the request's version and id, and an id of its own."""
    visitor = Visitor()
    headers = {"x-ms-version": "2021-08-06", "x-ms-client-request-id": "mine"}
    for path, status in ((f"{ROOT}/there", 200), (f"{ROOT}/gone", 404)):
        answer = visitor.ask("HEAD", path, headers=headers)
        assert answer.status_code == status
        assert headers.items() <= dict(answer.headers).items()
        assert answer.headers["x-ms-request-id"].endswith("000000")
    assert visitor.ask("GET", f"{ROOT}/there").headers["x-ms-version"] == "2021-12-02"


def test_the_account_may_stand_in_the_host():
    """As it does in the cloud; the listing repeats the address that was used."""
    visitor = Visitor()
    host = {"Host": "account.blob.core.windows.net"}
    assert visitor.ask("GET", "/photos/there", headers=host).data == b"0123456789"
    listing = visitor.ask("GET", "/?comp=list", headers=host).get_data(as_text=True)
    assert 'ServiceEndpoint="http://account.blob.core.windows.net/"' in listing
    assert "<Name>photos</Name>" in listing
    copy = {**host, "x-ms-copy-source": "https://account.blob.core.windows.net/photos/there"}
    assert visitor.ask("PUT", "/photos/copy", headers=copy).status_code == 202
    by_path = visitor.ask("GET", f"{ROOT}?restype=container&comp=list").text
    assert 'ServiceEndpoint="http://localhost/account/" ContainerName="photos"' in by_path


def test_what_is_deleted_is_given_back():
    """A container takes blobs, blocks and metadata with it; a blob its unused blocks."""
    visitor = Visitor()
    empty = ObjectStore("azure-blob").buckets.used
    described, block = {"headers": {"x-ms-meta-a": "b"}}, {"data": b"0123456789"}
    for method, target, options in (
        ("PUT", "?restype=container&comp=metadata", described),
        ("PUT", "/k?comp=block&blockid=YQ==", block),
        ("PUT", "/k?comp=block&blockid=Yg==", block),
        ("PUT", "/k?comp=blocklist", {"data": b"<BlockList><Latest>YQ==</Latest></BlockList>"}),
        ("PUT", "/k?comp=block&blockid=Yw==", block),
        ("DELETE", "/k", {}),
        ("PUT", "/k?comp=block&blockid=Yw==", block),
        ("PUT", "/there?comp=metadata", described),
        ("DELETE", "?restype=container", {}),
    ):
        assert visitor.ask(method, f"{ROOT}{target}", **options).status_code < 300
    assert visitor.store.buckets.used == empty


def test_every_write_says_that_the_content_is_encrypted():
    """The names of the writes are those of Azure's documentation."""
    visitor = Visitor()
    answers = {
        "Put Blob": visitor.put("k", data=b"x"),
        "Put Append Blob": visitor.put(
            "log", {"x-ms-blob-type": "AppendBlob"}, environ_overrides={"CONTENT_LENGTH": "0"}
        ),
        "Append Block": visitor.ask("PUT", f"{ROOT}/log?comp=appendblock", data=b"x"),
        "Put Block": visitor.block("YQ=="),
        "Put Block List": visitor.commit(b"<BlockList><Latest>YQ==</Latest></BlockList>"),
        "Set Blob Metadata": visitor.ask("PUT", f"{ROOT}/k?comp=metadata"),
    }
    encrypted = [
        name for name, got in answers.items() if got.headers.get("x-ms-request-server-encrypted") == "true"
    ]
    assert encrypted == list(answers)


def test_a_filled_store():
    """Blobs are there with what Azure shows of them; an upload is a block that waits."""
    store = ObjectStore("azure-blob", clock=lambda: 0)
    store.fill("photos", objects=["a"], uploads=["b"], content=b"meow")
    client = Client(store)
    got = client.get(f"{ROOT}/a")
    shown = [got.headers[name] for name in ("x-ms-creation-time", "Content-MD5")]
    assert (got.data, shown) == (b"meow", ["Thu, 01 Jan 1970 00:00:00 GMT", "SkvkDJasYxTpHZPzgEOmNA=="])
    client.put(f"{ROOT}/b?comp=blocklist", data=b"<BlockList><Latest>AAAA</Latest></BlockList>")
    assert client.get(f"{ROOT}/b").data == b"meow"
    assert "<Name>photos</Name>" in client.get("/account?comp=list").get_data(as_text=True)


def test_blocks_are_found_again():
    """Whatever order they stand in; an empty one as well."""
    visitor = Visitor()
    names = [b64encode(b"%04d" % number).decode() for number in range(30)]
    contents = [b"" if number == 7 else b"%d," % number for number in range(30)]
    for name, content in zip(names, contents, strict=True):
        length = {"CONTENT_LENGTH": str(len(content))}
        assert visitor.block(quote(name), content, environ_overrides=length).status_code == 201
    for kind, order in (("Latest", names), ("Committed", names[::-1])):
        listed = "".join(f"<{kind}>{each}</{kind}>" for each in order)
        assert visitor.commit(f"<BlockList>{listed}</BlockList>").status_code == 201
    assert visitor.ask("GET", f"{ROOT}/k").data == b"".join(contents[::-1])


def test_a_list_of_blocks_heeds_conditions():
    """A great blob is one only by its list, so it is there that the SDK says not to overwrite."""
    visitor = Visitor()
    assert visitor.block("YQ==").status_code == 201
    commit = {"data": "<BlockList><Latest>YQ==</Latest></BlockList>", "headers": {"If-None-Match": "*"}}
    answers = [visitor.ask("PUT", f"{ROOT}/k?comp=blocklist", **commit) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 409]


def test_a_list_with_a_block_many_times_is_not_beyond_the_limit():
    """The blob would take more than the store may; what was staged and the blob before stay."""
    visitor = Visitor(max_bytes=200_000)
    assert visitor.block("YQ==", b"x" * 10_000).status_code == 201
    used = visitor.store.buckets.used
    listed = "<Latest>YQ==</Latest>"
    answer = visitor.commit(f"<BlockList>{listed * 40}</BlockList>")
    assert (answer.status_code, visitor.store.buckets.used) == (413, used)
    assert visitor.commit(f"<BlockList>{listed * 4}</BlockList>").status_code == 201
    assert len(visitor.ask("GET", f"{ROOT}/k").data) == 40_000


def test_a_blob_may_take_more_than_half_of_the_limit():
    """It stands in the place of its blocks, and made of them once more in its own."""
    visitor = Visitor(max_bytes=100_000)
    assert visitor.block("YQ==", b"x" * 60_000).status_code == 201
    for _ in range(2):
        assert visitor.commit("<BlockList><Latest>YQ==</Latest></BlockList>").status_code == 201


def test_a_listing_says_little_of_blobs_that_have_blocks_only():
    """A listing omits tag, time, type and metadata of uncommitted blobs, as Azure does.

    A committed blob is listed as it is.
    """
    visitor = Visitor()
    for identity in ("YQ==", "Yg=="):
        visitor.block(identity)
    query = f"{ROOT}?restype=container&comp=list&include=metadata,uncommittedblobs&prefix=k"
    assert "<Blob>" not in visitor.ask("GET", query.replace(",uncommittedblobs", "")).text
    assert visitor.ask("GET", query).text == (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<EnumerationResults ServiceEndpoint="http://localhost/account/" ContainerName="photos">'
        "<Prefix>k</Prefix><Blobs><Blob><Name>k</Name><Properties><Content-Length>0</Content-Length>"
        "<BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties></Blob></Blobs>"
        "<NextMarker></NextMarker></EnumerationResults>"
    )
    visitor.commit(b"<BlockList><Latest>YQ==</Latest></BlockList>")
    visitor.block("Yw==")
    assert visitor.ask("GET", query).text.count("<Etag>") == 1
