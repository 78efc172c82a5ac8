"""The failing keys of a DeleteObjects, and the documents that are one."""

import json
import random
import re
import tracemalloc
from hashlib import blake2b
from xml.sax.saxutils import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.conftest import Site
from tests.rows import each_row

KEYS = [f"photos/{number}.jpg" for number in range(1000)]
MOST_BYTES = 2 * 1024 * 1024
ROWS = {
    "s3": "s3:InternalError", "cos": "cos:InternalError", "qingstor": "qingstor:internal_error",
    "tos": "tos:InternalError", "bos": "bos:InternalError",
}  # fmt: skip


class Deleting:
    """A service whose requests to delete several objects fail for a share of the keys."""

    def __init__(self, share=1, vendor="s3", seed="0"):
        self.site = Site(f"{ROWS[vendor]},status=200,operation=DeleteObjects,share={share}", seed)

    def answer(self, document):
        return self.site.meet("POST /photos?delete", body=document).decode()

    def failing(self, keys):
        """Those of these keys that get the error."""
        named = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        said = self.answer(f"<Delete>{named}</Delete>".encode())
        return [unescape(key) for key in re.findall("<Error><Key>(.*?)</Key>", said)]


def failing(keys, share, seed="0"):
    return Deleting(share, seed=seed).failing(keys)


def read(vendor, document):
    """The keys and versions with an answer; None if the whole request is answered."""
    said = Deleting(1, vendor).answer(document)
    if said[:1] == "{":
        found = json.loads(said)
        listed = found.get("errors", found.get("Error"))
        if not isinstance(listed, list):
            return None
        return [(each.get("key", each.get("Key")), each.get("VersionId")) for each in listed]
    if "<DeleteResult" not in said:
        return None
    pairs = re.findall(r"<Key>(.*?)</Key>\s*(?:<VersionId>(.*?)</VersionId>)?", said, re.DOTALL)
    return [
        (unescape(key, {"&#13;": "\r", "&#xd;": "\r", "&#xD;": "\r"}), version or None)
        for key, version in pairs
    ]


def test_the_share_is_met_over_many_keys():
    """5 requests of 1,000 keys: within four standard deviations of the share, whatever it is."""
    for share in (0.001, 0.1, 0.5, 0.93):
        made = Deleting(share)
        number = sum(len(made.failing(KEYS)) for _ in range(5))
        spread = (5_000 * share * (1 - share)) ** 0.5
        assert abs(number - 5_000 * share) < 4 * spread


def test_a_key_is_drawn_for_on_its_own():
    """Neither its place nor its neighbours change a key's fate."""
    found = set(failing(KEYS, 0.5))
    assert set(failing(random.Random(6).sample(KEYS, 1000), 0.5)) == found
    assert set(failing(KEYS[::3], 0.5)) == found & set(KEYS[::3])


def test_a_greater_share_only_adds_errors():
    """As with `probability`: a share of 0 fails no key, 1 fails all."""
    none, some, more, every = (failing(KEYS, share) for share in (0, 0.2, 0.6, 1))
    assert (none, every) == ([], KEYS)
    assert set(some) < set(more)


def test_the_next_try_draws_anew():
    """The next attempt draws again: about a quarter of the keys fails twice."""
    one, again, other = Deleting(0.5), Deleting(0.5), Deleting(0.5, seed="1")
    first, second = one.failing(KEYS), one.failing(KEYS)
    assert 180 < len(set(first) & set(second)) < 320
    assert [first, second] == [again.failing(KEYS), again.failing(KEYS)]
    assert first != other.failing(KEYS)


def test_versions_of_a_key_are_drawn_for_apart():
    """A version is an object of its own."""
    named = "".join(f"<Object><Key>k</Key><VersionId>{each}</VersionId></Object>" for each in range(20))
    said = Deleting(0.5).answer(f"<Delete>{named}</Delete>".encode())
    assert 0 < said.count("<Error>") < 20
    assert said.count("<Error>") + said.count("<Deleted>") == 20


def test_the_numbers_of_the_keys_are_their_own():
    """A key's number comes from the draw's digest and the key, never from another draw.

    From the end of the digest, spelt out here once more: a key that reads like a number leads to no other draw.
    """
    digest = blake2b(
        b"s3:InternalError,operation=DeleteObjects\0POST /photos/?delete\x000",
        key=blake2b(b"0").digest(),
        digest_size=32,
    ).digest()
    numbers = {
        each: int.from_bytes(
            blake2b(digest[24:32] + each.encode(), digest_size=8, person=b"faultinj-share").digest(), "big"
        )
        / 2**64
        for each in KEYS[:50]
    }
    assert set(failing(KEYS[:50], 0.5)) == {each for each, number in numbers.items() if number < 0.5}


XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Object><Key> a &amp; b/&#xD;\xe7\x8c\xab</Key><VersionId>v1</VersionId><ETag>x</ETag></Object>
  <Object><VersionId/><Key><![CDATA[<c>]]></Key></Object>
  <Quiet> True </Quiet><EncodingType>url</EncodingType>
</Delete>"""


def test_what_an_xml_request_says():
    """Keys byte for byte, in any order of elements and any namespace."""
    wanted = [(" a & b/\r猫", "v1"), ("<c>", None)]
    assert read("s3", XML) == wanted
    assert read("cos", XML.replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b"")) == wanted
    prefixed = b'<d:Delete xmlns:d="urn:x"><d:Object><d:Key>k</d:Key></d:Object></d:Delete>'
    assert read("s3", prefixed) == [("k", None)]
    quiet, told = Deleting(0).answer(XML), Deleting(0).answer(XML.replace(b" True ", b"false"))
    assert ("<Key>" in quiet, "<Key>" in told) == (False, True)


def test_what_a_json_request_says():
    """Each vendor's own names."""
    both = {"Objects": [{"Key": "a", "VersionId": None}, {"Key": "b", "VersionId": "v"}], "Quiet": True}
    assert read("tos", json.dumps(both).encode()) == [("a", None), ("b", "v")]
    small = b'{"quiet": false, "objects": [{"key": "a"}, {"key": "\xe7\x8c\xab"}]}'
    assert read("qingstor", small) == [("a", None), ("猫", None)]
    assert read("bos", small) == [("a", None), ("猫", None)]
    quiet, told = (
        Deleting(0, "qingstor").answer(small.replace(b"false", each)) for each in (b"true", b"false")
    )
    assert (json.loads(quiet)["errors"], "deleted" in quiet, "deleted" in told) == ([], False, True)


def test_what_no_format_can_hold_is_written_all_the_same():
    """A lone surrogate in a JSON key: its fate is drawn, and the answer is UTF-8."""
    assert read("qingstor", b'{"objects":[{"key":"a\\ud800"}]}') == [("a\ufffd", None)]


BOMB = (
    b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9))
    + b"]><Delete><Object><Key>&j;</Key></Object></Delete>"
)
ONE = b"<Object><Key>k</Key></Object>"
NOT_XML = {
    "empty": b"",
    "blanks": b"  \n",
    "bytes": bytes(range(256)),
    "json": b'{"objects":[{"key":"k"}]}',
    "cut off": XML[:-9],
    "two roots": b"<Delete>" + ONE + b"</Delete><Delete/>",
    "another root": b"<CompleteMultipartUpload>" + ONE + b"</CompleteMultipartUpload>",
    "no objects": b"<Delete><Quiet>true</Quiet></Delete>",
    "an object without key": b"<Delete><Object><VersionId>v</VersionId></Object>" + ONE + b"</Delete>",
    "an empty key": b"<Delete><Object><Key></Key></Object></Delete>",
    "1,001 keys": b"<Delete>" + ONE * 1001 + b"</Delete>",
    "an entity bomb": BOMB,
    "any document type": b"<!DOCTYPE Delete><Delete>" + ONE + b"</Delete>",
    "a file as entity": b'<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&f;</Key></Object></Delete>',
    "an unknown entity": b"<Delete><Object><Key>&nbsp;</Key></Object></Delete>",
    "a wrong encoding": "<Delete><Object><Key>é</Key></Object></Delete>".encode("latin-1"),
    "too deep": b"<Delete>" + b"<a>" * 300_000,
    "an undeclared prefix": b"<x:Delete>" + ONE + b"</x:Delete>",
}
NOT_JSON = {
    "empty": b"",
    "xml": XML,
    "cut off": b'{"objects":[{"key":"a"}',
    "a list": b'[{"key":"a"}]',
    "a number": b"1",
    "no objects": b'{"quiet":true}',
    "objects that are one": b'{"objects":{"key":"a"}}',
    "an empty list": b'{"objects":[]}',
    "a key that is none": b'{"objects":[{"key":"a"},{"key":7}]}',
    "an object that is none": b'{"objects":["a"]}',
    "no key": b'{"objects":[{"name":"a"}]}',
    "an empty key": b'{"objects":[{"key":""}]}',
    "1,001 keys": json.dumps({"objects": [{"key": "k"}] * 1001}).encode(),
    "too deep": b'{"objects":' + b"[" * 300_000,
    "a long number": b'{"objects":' + b"1" * 10_000 + b"}",
    "bytes": bytes(range(256)),
}


@each_row(
    ("vendor", "document"),
    [
        pytest.param(vendor, documents[name], id=f"{vendor}: {name}")
        for vendor, documents in (("s3", NOT_XML), ("qingstor", NOT_JSON))
        for name in documents
    ],
)
def test_what_is_no_such_request(vendor, document):
    """It is answered as a whole, never an exception."""
    assert read(vendor, document) is None


@given(st.binary(max_size=300))
def test_any_bytes(document):
    """Whatever comes is read or left alone."""
    assert read("s3", document) is None
    assert read("s3", b"<Delete>" + document) is None
    assert read("qingstor", b'{"objects":' + document) is None


def test_a_hostile_document_takes_no_great_memory():
    """Elements, attributes, depth, text in small pieces: at most a few dozen times their size."""
    size = MOST_BYTES // 16
    made = Deleting()
    made.answer(BOMB)
    for document in (
        BOMB,
        b"<Delete>" + b"<a/>" * (size // 4),
        b"<Delete " + b" ".join(b'a%d=""' % each for each in range(size // 10)) + b"/>",
        b"<Delete>" + b"<a>" * (size // 3),
        b"<Delete><Object><Key>" + b"&amp;" * (size // 5),
    ):
        tracemalloc.start()
        try:
            assert "<DeleteResult" not in made.answer(document)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 40 * size
