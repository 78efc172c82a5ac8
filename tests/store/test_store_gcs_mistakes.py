"""The store's answers to requests that the JSON API refuses, and details that the SDK hides."""

import io
import json
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore

from .conftest import check_mistakes

BUCKET = "/storage/v1/b/photos"
THERE = f"{BUCKET}/o/there"
UPLOAD = "/upload/storage/v1/b/photos/o"
RELATED = "multipart/related; boundary=x"


class Visitor:
    """A client that sends what it likes, before a store with one bucket and one object."""

    def __init__(self, **options):
        self.store = ObjectStore("gcs", **options)
        self.client = Client(self.store)
        assert self.ask("POST", "/storage/v1/b", json={"name": "photos"}).status_code == 200
        assert self.media("there", b"0123456789").status_code == 200

    def ask(self, method, path, **options):
        return self.client.open(path, method=method, **options)

    def media(self, name, data, **options):
        return self.ask("POST", f"{UPLOAD}?uploadType=media&name={name}", data=data, **options)

    def multipart(self, body, content_type=RELATED):
        return self.ask("POST", UPLOAD, data=body, content_type=content_type)

    def start(self, document=None, **headers):
        """The path and query to which the pieces of a new upload go."""
        answer = self.ask("POST", f"{UPLOAD}?uploadType=resumable&name=k", json=document, headers=headers)
        parts = urlsplit(answer.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def piece(self, session, data, span, environ_overrides=None, **headers):
        headers = {"Content-Range": span, **headers}
        return self.ask("PUT", session, data=data, headers=headers, environ_overrides=environ_overrides or {})


def related(document, content=b"meow", head=b""):
    return b"--x\r\n\r\n" + document + b"\r\n--x\r\n" + head + b"\r\n" + content + b"\r\n--x--"


def patch(document):
    return lambda v: v.ask("PATCH", THERE, data=document)


def compose(document):
    return lambda v: v.ask("POST", f"{BUCKET}/o/k/compose", json=document)


def rewrite_unless_there(v):
    generation = v.ask("GET", THERE).json["generation"]
    return v.ask("POST", f"{THERE}/rewriteTo/b/photos/o/k?ifSourceGenerationNotMatch={generation}")


def session(data, span, **headers):
    """A case: a piece of a new upload, which stays with what it got."""

    def case(visitor):
        answer = visitor.piece(visitor.start(), data, span, **headers)
        visitor.used = visitor.store.buckets.used
        return answer

    return case


CASES = [
    ("argument", lambda v: v.ask("POST", f"{UPLOAD}?uploadType=other")),
    ("argument", lambda v: v.ask("GET", f"{THERE}?ifGenerationMatch=x")),
    ("argument", lambda v: v.ask("GET", f"{BUCKET}/o?pageToken=%C3%BC")),
    ("argument", lambda v: v.ask("GET", f"{BUCKET}/o?maxResults=many")),
    ("argument", patch(b'{"contentType": "a\\nb"}')),
    ("argument", patch(b'{"contentType": 1}')),
    ("argument", patch(b'{"metadata": []}')),
    ("argument", patch(b'{"metadata": {"a": 1}}')),
    ("argument", compose({"sourceObjects": [{"name": "there"}] * 33})),
    ("argument", compose({"sourceObjects": [{"name": "there"}], "destination": 1})),
    ("argument", compose({"sourceObjects": [{"name": "there", "objectPreconditions": 1}]})),
    ("argument", patch(b'{"storageClass": "NEARLINE"}')),
    ("argument", lambda v: v.multipart(related(b'{"name": "k", "storageClass": "NEAR"}'))),
    ("argument", lambda v: v.multipart(related(b'{"name": "k", "storageClass": []}'))),
    ("bad_digest", lambda v: v.media("k", b"x", headers={"X-Goog-Hash": "crc32c=AAAAAA=="})),
    ("bad_digest", lambda v: v.multipart(related(b'{"name": "k", "md5Hash": "AA=="}'))),
    ("bad_digest", session(b"x", "bytes 0-0/1", **{"X-Goog-Hash": "md5=AA=="})),
    ("bucket_exists", lambda v: v.ask("POST", "/storage/v1/b", json={"name": "photos"})),
    ("bucket_name", lambda v: v.ask("POST", "/storage/v1/b", json={"name": "No"})),
    ("bucket_not_empty", lambda v: v.ask("DELETE", BUCKET)),
    ("content_range", session(b"x", "bytes 5-5/9")),
    ("content_range", session(b"x", "bytes 0-/9")),
    ("content_range", session(b"x", "bytes 1-0/9")),
    ("content_range", session(b"x", "lines 0-1/9")),
    ("content_range", session(b"x", "bytes 0-0")),
    # Python reads no more than 4,300 digits, and says so by an error.
    ("content_range", session(b"x", f"bytes {'9' * 5000}-*/*")),
    ("content_range", session(b"x", f"bytes 0-3/{'9' * 5000}")),
    ("content_range", session(b"x", f"bytes 0-{'9' * 5000}/*")),
    ("content_range", session(b"x", f"bytes */{'9' * 5000}")),
    ("digest", lambda v: v.media("k", b"x", headers={"Content-MD5": "not base64"})),
    ("document", patch(b" " * (2 * 1024 * 1024 + 1))),
    ("document", lambda v: v.multipart(related(b" " * (2 * 1024 * 1024 + 1)))),
    ("full", lambda v: v.media("k", b"x" * 5_000_000)),
    ("incomplete", lambda v: v.media("k", b"short", environ_overrides={"CONTENT_LENGTH": "10"})),
    ("incomplete", session(b"short", "bytes 0-9/20")),
    ("key_length", lambda v: v.media("k" * 1025, b"x")),
    ("length", lambda v: v.media("k", b"", environ_overrides={"CONTENT_LENGTH": ""})),
    ("malformed", patch(b"{")),
    ("malformed", patch(b"[]")),
    ("malformed", patch(b'{"metadata": {"a": "\\ud800"}}')),
    ("malformed", patch(b"[" * 100_000)),
    ("malformed", lambda v: v.multipart(related(b"meow"))),
    ("metadata", patch(json.dumps({"metadata": {"a": "x" * 8192}}).encode())),
    ("method", lambda v: v.ask("PUT", UPLOAD)),
    ("method", lambda v: v.ask("POST", THERE)),
    ("method", lambda v: v.ask("POST", f"/download{THERE}")),
    ("multipart", lambda v: v.multipart(b"meow", "text/plain")),
    ("multipart", lambda v: v.multipart(b"--x--", RELATED)),
    ("multipart", lambda v: v.multipart(related(b"{}")[:-2])),
    ("multipart", lambda v: v.multipart(b"--x\r\n\r\n{}\r\n--x--")),
    ("no_bucket", lambda v: v.ask("GET", "/storage/v1/b/nowhere")),
    ("no_bucket", lambda v: v.ask("POST", f"{THERE}/rewriteTo/b/nowhere/o/k")),
    ("no_key", lambda v: v.ask("GET", f"{BUCKET}/o/gone")),
    ("no_key", lambda v: v.ask("PATCH", f"{BUCKET}/o/gone", json={})),
    ("no_key", lambda v: v.ask("DELETE", f"{THERE}?generation=5")),
    ("no_key", compose({"sourceObjects": [{"name": "there", "generation": 5}]})),
    ("no_key", compose({"sourceObjects": [{"name": "there", "generation": 0}]})),
    ("no_route", lambda v: v.ask("GET", "/")),
    ("no_route", lambda v: v.ask("GET", "/storage/v1/projects/p/other")),
    ("no_route", lambda v: v.ask("GET", "/storage/v1/projects/p")),
    ("no_route", lambda v: v.ask("GET", f"{BUCKET}/other")),
    ("no_route", lambda v: v.ask("GET", "/storage/v2/b")),
    ("no_route", lambda v: v.ask("GET", "/storage/v1/c")),
    ("no_route", lambda v: v.ask("GET", "/upload/storage/v1/projects/p/serviceAccount")),
    ("no_route", lambda v: v.ask("GET", f"{THERE}/other")),
    ("no_route", lambda v: v.ask("GET", f"{THERE}/")),
    ("no_route", lambda v: v.ask("GET", f"{BUCKET}/o//there")),
    ("no_route", lambda v: v.ask("POST", f"{THERE}/compose/")),
    ("no_route", lambda v: v.ask("POST", f"{THERE}/rewriteTo/b/photos/o/a/b")),
    ("no_route", lambda v: v.ask("POST", f"{BUCKET}/o/a/there/rewriteTo/b/photos/o/k")),
    ("no_route", lambda v: v.ask("GET", "/download/storage/v1/b/photos/o")),
    ("no_upload", lambda v: v.piece(f"{UPLOAD}?upload_id=gone", b"x", "bytes 0-0/1")),
    ("not_implemented", lambda v: v.ask("GET", f"{BUCKET}/o?softDeleted=true")),
    ("not_implemented", lambda v: v.ask("GET", f"{THERE}/iam")),
    ("not_implemented", lambda v: v.ask("GET", f"{THERE}/acl/allUsers")),
    ("not_implemented", lambda v: v.ask("PUT", f"{BUCKET}/iam", json={})),
    ("not_implemented", lambda v: v.ask("GET", "/storage/v1/projects/p/hmacKeys")),
    ("not_implemented", lambda v: v.ask("PUT", BUCKET, json={})),
    ("not_implemented", patch(b'{"acl": []}')),
    ("not_implemented", lambda v: v.ask("PATCH", f"{THERE}?predefinedAcl=publicRead", json={})),
    ("not_implemented", lambda v: v.ask("POST", "/batch/storage/v1")),
    ("not_implemented", lambda v: v.ask("POST", "/photos/there?uploads")),
    ("not_implemented", compose({"sourceObjects": [{"name": "there"}], "deleteSourceObjects": True})),
    ("precondition", lambda v: v.ask("GET", f"{THERE}?ifGenerationMatch=1")),
    ("precondition", rewrite_unless_there),
    ("precondition", lambda v: v.ask("GET", f"{BUCKET}?ifMetagenerationMatch=2")),
    ("precondition", lambda v: v.ask("DELETE", f"{BUCKET}?ifMetagenerationMatch=2")),
    ("precondition", lambda v: v.ask("GET", f"{BUCKET}?ifMetagenerationNotMatch=1")),
    (
        "precondition",
        compose({"sourceObjects": [{"name": "there", "objectPreconditions": {"ifGenerationMatch": "5"}}]}),
    ),
    ("range", lambda v: v.ask("GET", f"{THERE}?alt=media", headers={"Range": "bytes=10-"})),
    ("required", lambda v: v.multipart(related(b"{}"))),
    ("required", lambda v: v.ask("POST", "/storage/v1/b", json={})),
    ("required", compose({})),
    ("required", compose({"sourceObjects": [1]})),
    ("required", compose({"sourceObjects": [{}]})),
    ("uri", lambda v: v.ask("GET", THERE, environ_overrides={"PATH_INFO": f"{BUCKET}/o/\xff"})),
]


def test_what_is_just_allowed():
    """Metadata, sources of a composed object and the end of a listing are at a bound."""
    visitor = Visitor()
    asked = (
        patch(json.dumps({"metadata": {"a": "x" * 8191}}).encode()),
        compose({"sourceObjects": [{"name": "there"}] * 32}),
        lambda v: v.ask("GET", f"{BUCKET}/o?startOffset=k&endOffset=there"),
    )
    answers = [case(visitor) for case in asked]
    assert [each.status_code for each in answers] == [200, 200, 200]
    assert [each["name"] for each in answers[-1].json["items"]] == ["k"]


def test_a_mistake_gets_the_documented_error():
    """Status and reason are Google's; nothing is kept of what was refused."""

    def told(row, answer):
        # A request for content is refused in plain text, and pages of the front end name no reason.
        named = row.form in ("", "not-found") and answer.status_code != 416
        return answer.json["error"]["errors"][0]["reason"] if named else row.code

    check_mistakes("gcs", CASES, lambda: Visitor(max_bytes=5_000_000), told)


def test_names_with_dots():
    """Each part may be as long as a name without dots."""
    visitor = Visitor()
    names = [
        "a" * 63,
        "a" * 64,
        ".".join(["a" * 55] * 3),
        ".".join(["a" * 64, "b"]),
        ".".join(["a" * 60] * 4),
    ]
    statuses = [visitor.ask("POST", "/storage/v1/b", json={"name": each}).status_code for each in names]
    assert statuses == [200, 400, 200, 400, 400]


def test_a_piece_up_to_the_end():
    """Google's SDK for Node sends the rest of what it does not know the length of like this."""
    for total, status in (("*", 200), ("7", 200), ("9", 308)):
        visitor = Visitor()
        session = visitor.start()
        pieces = ((b"abc", "0-2/*"), (b"defg", f"3-*/{total}"))
        answers = [visitor.piece(session, data, f"bytes {span}") for data, span in pieces]
        assert [each.status_code for each in answers] == [308, status]
    wrong = [visitor.piece(session, b"", f"bytes {span}") for span in ("*-3/7", "-*/7", "*-*/7")]
    assert [each.status_code for each in wrong] == [400] * 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_of_a_multipart_upload(end):
    """gcsfs ends its lines with a bare LF; what looks like a line end in the content is content."""
    visitor = Visitor()
    content = b"meow\n\r\n\nmeow\r"
    document = related(b'{"name": "k"}', b"CONTENT", b"Content-Type: text/plain\r\n")
    stored = visitor.multipart(document.replace(b"\r\n", end).replace(b"CONTENT", content))
    assert (stored.status_code, stored.json["contentType"]) == (200, "text/plain")
    assert visitor.ask("GET", f"{BUCKET}/o/k?alt=media").data == content


def test_pieces_by_post():
    """gcsfs posts the pieces of a resumable upload, and asks by POST how far it is."""
    visitor = Visitor()
    session = visitor.start()
    spans = ((b"meow", "bytes 0-3/*"), (b"", "bytes */*"), (b"s", "bytes 4-4/5"), (b"", "bytes */5"))
    answers = [visitor.ask("POST", session, data=d, headers={"Content-Range": s}) for d, s in spans]
    assert [each.status_code for each in answers] == [308, 308, 200, 200]
    assert answers[1].headers["Range"] == "bytes=0-3"
    assert visitor.ask("GET", f"{BUCKET}/o/k?alt=media").data == b"meows"


def test_messages_say_what_is_wrong():
    """One reason stands for many mistakes; its documented message is that of one of them."""
    visitor = Visitor(max_bytes=8192)
    assert [
        visitor.ask(method, path).json["error"]["message"]
        for method, path in (("GET", f"{BUCKET}/o/a%2Fb"), ("GET", "/storage/v1/b/gone"), ("DELETE", BUCKET))
    ] == [
        "No such object: photos/a/b",
        "The specified bucket does not exist.",
        "The bucket you tried to delete is not empty.",
    ]
    full = visitor.media("k", b"x" * 9000).json["error"]["message"]
    assert full == "the embedded store is full (8192 bytes)"


def test_uploads_in_one_request():
    """Content alone has its type in the header; with a description it may have it in the part's."""
    visitor = Visitor()
    named = b'{"name": "part"}'
    typed = b'{"name": "part", "contentType": "c/d", "metadata": {"a": null}}'
    shown = [
        visitor.media("k", b"meow", content_type="x/y").json,
        visitor.media("k", b"", environ_overrides={"CONTENT_LENGTH": "0"}).json,
        visitor.multipart(related(named, head=b"Content-Type: a/b\r\n")).json,
        visitor.multipart(related(named, head=b"X: y\r\n")).json,
        # No line of a part's head keeps another from being read: the first is no header.
        visitor.multipart(related(named, head=b"X y\r\nContent-Type: a/b\r\n")).json,
        visitor.multipart(related(named, head=b"Content-Type : a/b\r\n")).json,
        visitor.multipart(related(typed, head=b"Content-Type: a/b\r\n")).json,
    ]
    assert [(each["contentType"], each["size"], "metadata" in each) for each in shown] == [
        ("x/y", "4", False),
        ("application/octet-stream", "0", False),
        ("a/b", "4", False),
        ("application/octet-stream", "4", False),
        ("a/b", "4", False),
        ("a/b", "4", False),
        ("c/d", "4", False),
    ]


@pytest.mark.parametrize(
    ("written", "boundary"),
    [
        ("boundary================56==", "===============56=="),
        ('charset=a=b; note="; boundary=no"; x; Boundary="a: b(\'?)=="; boundary=no', "a: b('?)=="),
        ("boundary = x ;charset=utf-8", "x"),
    ],
)
def test_a_boundary_as_clients_write_it(written, boundary):
    """aiohttp leaves the quotes out however it is made up; a quoted one may have anything in it."""
    body = related(b'{"name": "k"}').replace(b"--x", f"--{boundary}".encode())
    visitor = Visitor()
    assert visitor.multipart(body, f"multipart/related; {written}").status_code == 200
    assert visitor.ask("GET", f"{BUCKET}/o/k?alt=media").data == b"meow"


def test_an_upload_piece_by_piece():
    """A resumable upload reports its progress, skips known bytes, and repeats its final answer."""
    visitor = Visitor()
    session = visitor.start({"contentType": "x/y"})
    pieces = ((b"", "*/*"), (b"abc", "0-2/*"), (b"abc", "0-2/*"), (b"bcd", "1-3/6"))
    answers = [visitor.piece(session, data, f"bytes {span}") for data, span in pieces]
    assert [(each.status_code, each.headers.get("Range")) for each in answers] == [
        (308, None),
        (308, "bytes=0-2"),
        (308, "bytes=0-2"),
        (308, "bytes=0-3"),
    ]
    assert visitor.ask("GET", f"{BUCKET}/o/k").status_code == 404
    done = visitor.piece(session, b"ef", "bytes 4-5/6")
    assert (done.status_code, done.json["size"], done.json["contentType"]) == (200, "6", "x/y")
    assert visitor.ask("GET", f"{BUCKET}/o/k?alt=media").data == b"abcdef"
    again = visitor.piece(session, b"", "bytes */6")
    visitor.media("k", b"other")
    for each in (again, visitor.piece(session, b"", "bytes */6")):
        told = each.status_code, each.json, each.headers["Content-Type"]
        assert told == (200, done.json, done.headers["Content-Type"])
    assert visitor.ask("GET", f"{BUCKET}/o/k?alt=media").data == b"other"


class Interrupted:
    """A body at whose first reading something else happens."""

    def __init__(self, content, otherwise):
        self.content = io.BytesIO(content)
        self.otherwise = [otherwise]

    def read(self, size):
        if self.otherwise:
            self.otherwise.pop()()
        return self.content.read(size)


@pytest.mark.parametrize(("data", "span"), [(b"ow", "bytes 2-3/4"), (b"meow", "bytes 0-3/4")])
def test_an_upload_that_ends_while_its_last_piece_comes_again(data, span):
    """A slow piece of an upload that has ended gets the upload's result.

    The client gave up waiting, and sent the piece again.
    """
    visitor = Visitor()
    session = visitor.start()
    visitor.piece(session, b"me", "bytes 0-1/*")
    ended = []
    body = Interrupted(data, lambda: ended.append(visitor.piece(session, b"ow", "bytes 2-3/4")))
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(len(data))}
    slow_extender = visitor.ask("PUT", session, headers={"Content-Range": span}, environ_overrides=environ)
    assert (slow_extender.status_code, slow_extender.json) == (200, ended[0].json)
    assert visitor.ask("GET", f"{BUCKET}/o/k?alt=media").data == b"meow"


def test_an_upload_without_ranges():
    """An upload may come whole, or be ended by a status question once all of it is there."""
    visitor = Visitor()
    typed, session = visitor.start(**{"X-Upload-Content-Type": "x/y"}), visitor.start()
    assert visitor.ask("PUT", typed, data=b"whole").json["contentType"] == "x/y"
    visitor.piece(session, b"abc", "bytes 0-2/*")
    assert visitor.piece(session, b"", "bytes */3").json["size"] == "3"


def test_an_upload_that_is_given_up():
    """Its bytes are given back."""
    visitor = Visitor()
    used = visitor.store.buckets.used
    session = visitor.start()
    visitor.piece(session, b"abc", "bytes 0-2/*")
    assert visitor.ask("DELETE", session).status == "499 Client Closed Request"
    assert visitor.store.buckets.used == used
    assert visitor.piece(session, b"d", "bytes 3-3/4").status_code == 404


def test_only_the_last_ended_uploads_are_remembered():
    """A hundred: a store that runs for long does not grow by them."""
    visitor = Visitor()
    sessions = [visitor.start() for _ in range(101)]
    for each in sessions:
        assert visitor.piece(each, b"meow", "bytes 0-3/4").status_code == 200
    found = [visitor.piece(each, b"", "bytes */4").status_code for each in (*sessions[:2], sessions[-1])]
    assert found == [404, 200, 200]


def test_content_and_its_headers():
    """Content is served by two paths, with the metadata that a header can hold.

    Unchanged content is not sent again.
    """
    visitor = Visitor()
    visitor.ask("PATCH", THERE, json={"metadata": {"plain": "x", "ü": "y", "b": "ü", "c": "\n", "d e": "f"}})
    got = visitor.ask("GET", f"/download{THERE}?alt=media")
    assert [(name, value) for name, value in got.headers if "meta-" in name] == [("x-goog-meta-plain", "x")]
    assert got.data == visitor.ask("GET", f"{THERE}?alt=media").data == b"0123456789"
    stored = [got.headers[f"x-goog-stored-content-{name}"] for name in ("encoding", "length")]
    assert stored == ["identity", "10"]  # or Google's SDK for Node checks no content
    assert parse_qs(got.headers["x-goog-hash"].replace(",", "&"))["md5"] == ["eB5eJF1ptWaXm4bijSPyxw=="]
    # Conditions on time are the XML API's alone.
    asked = {
        f"{THERE}?ifGenerationNotMatch={got.headers['x-goog-generation']}": {},
        f"{THERE}?alt=media": {"If-Modified-Since": "Mon, 20 Jul 2099 12:00:00 GMT"},
        f"/download{THERE}?alt=media": {"If-Unmodified-Since": "Tue, 20 Jul 1999 12:00:00 GMT"},
    }
    statuses = [visitor.ask("GET", path, headers=headers).status_code for path, headers in asked.items()]
    assert statuses == [304, 200, 200]
    assert visitor.ask("PATCH", THERE, json={"metadata": None}).json.get("metadata") is None
    assert visitor.ask("POST", f"{THERE}/copyTo/b/photos/o/c%2Fd").json["name"] == "c/d"


def test_what_is_deleted_is_given_back():
    """Objects and buckets leave nothing behind, nor do the uploads in them."""
    visitor = Visitor()
    visitor.ask("PATCH", THERE, json={"metadata": {"a": "b"}})
    visitor.ask("POST", f"{THERE}/rewriteTo/b/photos/o/there")
    visitor.ask("DELETE", THERE)
    visitor.piece(visitor.start(), b"abc", "bytes 0-2/*")
    assert (visitor.ask("DELETE", BUCKET).status_code, visitor.store.buckets.used) == (204, 0)


def test_a_filled_store():
    """Objects and uploads of a filled store are there."""
    store = ObjectStore("gcs", clock=lambda: 0)
    store.fill("photos", objects=["a"], uploads=["b"], content=b"meow")
    client = Client(store)
    shown = client.get(f"{BUCKET}/o/a").json
    assert (shown["name"], shown["size"], shown["updated"]) == ("a", "4", "1970-01-01T00:00:00.000Z")
    assert client.put(f"{UPLOAD}?upload_id=b", headers={"Content-Range": "bytes */4"}).json["name"] == "b"


WITHOUT = """
import sys
sys.modules["google_crc32c"] = None
from werkzeug.test import Client
from faultinject.store import ObjectStore
client = Client(ObjectStore("gcs"))
client.post("/storage/v1/b", json={"name": "photos"})
print(client.post("/upload/storage/v1/b/photos/o?uploadType=media&name=k", data=bytes(32)).json["crc32c"])
"""


def test_checksums():
    """CRC-32C has RFC 3720's value for 32 zero bytes (B.4), without Google's library too."""
    assert Visitor().media("k", bytes(32)).json["crc32c"] == "ipE2qg=="
    assert subprocess.check_output([sys.executable, "-c", WITHOUT], text=True) == "ipE2qg==\n"


@pytest.mark.parametrize("mounted", [True, False])
def test_a_store_below_a_mount_point(mounted):
    """The mount point is no part of the path, whether the server shows the raw target or not."""
    visitor = Visitor()
    environ = {"SCRIPT_NAME": "/m", "PATH_INFO": THERE, "REQUEST_URI": f"/m{THERE}" if mounted else ""}
    answer = visitor.ask("GET", THERE, environ_overrides={**environ, "RAW_URI": environ["REQUEST_URI"]})
    assert answer.json["name"] == "there"


@pytest.mark.parametrize("sent", [True, False])
def test_a_slash_in_a_path(sent):
    """An encoded slash belongs to the name; if only the decoded path is known, any slash may."""
    visitor = Visitor()
    visitor.media("there%2Facl", b"other")
    raw = {} if sent else {"REQUEST_URI": "", "RAW_URI": ""}
    asked = [
        visitor.ask("GET", f"{BUCKET}/o/there%2Facl", environ_overrides=raw),
        visitor.ask("POST", f"{BUCKET}/o/there%2Facl/copyTo/b/photos/o/a%2Fb", environ_overrides=raw),
        visitor.ask("DELETE", f"{BUCKET}/o/there/acl", environ_overrides=raw),
    ]
    assert [each.status_code for each in asked] == [200, 200, 400 if sent else 204]
    assert [asked[0].json["name"], asked[1].json["name"]] == ["there/acl", "a/b"]


def test_what_came_twice_is_held_once():
    """A piece that is sent again costs no bytes of the store's budget but its entry."""
    used = []
    for pieces in ((b"abcdef", "bytes 0-5/*"),), ((b"abcd", "bytes 0-3/*"), (b"abcdef", "bytes 0-5/*")):
        visitor = Visitor()
        session = visitor.start()
        for data, span in pieces:
            assert visitor.piece(session, data, span).status_code == 308
        used.append(visitor.store.buckets.used)
    assert used[1] - used[0] == 512
