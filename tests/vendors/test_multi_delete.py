"""Which keys of a DeleteObjects get the error, and which documents are understood as one."""

from __future__ import annotations

import json
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from faultinject import WSGIFaultMiddleware
from faultinject.engine.draw import drawer, entropy, fails, seed_key, stretched, threshold
from faultinject.store import ObjectStore
from faultinject.vendors import multi_delete
from faultinject.vendors.envelope import ESCAPES
from faultinject.vendors.multi_delete import MOST_BYTES, read

DIGEST = bytes(range(32))
KEYS = [f"photos/{number}.jpg" for number in range(1000)]


def digest(n=0, seed="0"):
    return drawer(seed_key(seed), "s3:InternalError,status=200", 2**64)("POST /photos/?delete=", n)


def failing(keys, share, drawn=DIGEST):
    return [key for key in keys if fails(drawn, (key, None), threshold(share))]


def test_the_share_is_met_over_many_keys():
    """20 requests of 1,000 keys: within four standard deviations of the share, whatever it is."""
    for share in (0.001, 0.1, 0.5, 0.93):
        number = sum(len(failing(KEYS, share, digest(n))) for n in range(20))
        spread = (20_000 * share * (1 - share)) ** 0.5
        assert abs(number - 20_000 * share) < 4 * spread


def test_none_and_all():
    """A share of 0 fails no key, 1 fails all."""
    assert failing(KEYS, 0) == []
    assert failing(KEYS, 1) == KEYS


def test_a_key_is_drawn_for_on_its_own():
    """Neither its place nor its neighbours change a key's fate."""
    found = set(failing(KEYS, 0.5))
    shuffled = random.Random(6).sample(KEYS, 1000)
    assert set(failing(shuffled, 0.5)) == found
    assert set(failing(KEYS[::3], 0.5)) == found & set(KEYS[::3])


def test_a_greater_share_only_adds_errors():
    """As with `probability`."""
    assert set(failing(KEYS, 0.2)) < set(failing(KEYS, 0.6))


def test_the_next_try_draws_anew():
    """What failed once does not fail for ever: about a quarter fails twice."""
    twice = set(failing(KEYS, 0.5, digest(0))) & set(failing(KEYS, 0.5, digest(1)))
    assert 180 < len(twice) < 320
    assert failing(KEYS, 0.5, digest(1)) == failing(KEYS, 0.5, digest(1))
    assert failing(KEYS, 0.5, digest(1)) != failing(KEYS, 0.5, digest(1, seed="1"))


def test_versions_of_a_key_are_drawn_for_apart():
    """A version is an object of its own."""
    ends = {fails(DIGEST, ("k", f"{version}"), threshold(0.5)) for version in range(20)}
    assert ends == {True, False}


def test_no_number_serves_two_decisions():
    """A key that reads like a number of ours, or the digest's other parts, leads to no number that is used elsewhere."""
    used = [each[:8] for number in range(50) for each in (entropy(DIGEST, number), stretched(DIGEST, number))]
    used += [DIGEST[at : at + 8] for at in range(0, 32, 8)]
    for number in range(50):
        key = f"{number}", None
        for drawn in (int.from_bytes(each, "big") for each in used):
            assert not (fails(DIGEST, key, drawn + 1) and not fails(DIGEST, key, drawn))
    # Where only other parts of the digest differ, ends are the same.
    other = bytes(24) + DIGEST[24:]
    assert failing(KEYS, 0.5, other) == failing(KEYS, 0.5)


XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Object><Key> a &amp; b/&#xD;\xe7\x8c\xab</Key><VersionId>v1</VersionId><ETag>x</ETag></Object>
  <Object><VersionId/><Key><![CDATA[<c>]]></Key></Object>
  <Quiet> True </Quiet><EncodingType>url</EncodingType>
</Delete>"""


def test_what_an_xml_request_says():
    """Keys byte for byte, in any order of elements and any namespace."""
    wanted = [(" a & b/\r猫", "v1"), ("<c>", None)], True, "url"
    assert read(multi_delete.S3, XML) == wanted
    assert (
        read(multi_delete.COS, XML.replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b""))
        == wanted
    )
    prefixed = b'<d:Delete xmlns:d="urn:x"><d:Object><d:Key>k</d:Key></d:Object></d:Delete>'
    assert read(multi_delete.S3, prefixed) == ([("k", None)], False, "")
    assert read(multi_delete.S3, prefixed.decode().encode("utf-16")) == ([("k", None)], False, "")


def test_what_a_json_request_says():
    """Each vendor's own names."""
    both = {"Objects": [{"Key": "a", "VersionId": None}, {"Key": "b", "VersionId": "v"}], "Quiet": True}
    assert read(multi_delete.TOS, json.dumps(both).encode()) == ([("a", None), ("b", "v")], True, "")
    small = b'{"quiet": false, "objects": [{"key": "a"}, {"key": "\xe7\x8c\xab"}]}'
    assert read(multi_delete.QINGSTOR, small) == ([("a", None), ("猫", None)], False, "")
    assert read(multi_delete.BOS, small) == ([("a", None), ("猫", None)], False, "")


def test_what_no_format_can_hold_is_written_all_the_same():
    """A lone surrogate in a JSON key: its fate is drawn, and the answer is UTF-8."""
    objects, _, _ = read(multi_delete.QINGSTOR, b'{"objects":[{"key":"a\\ud800"}]}')
    assert objects == [("a\ud800", None)]
    assert fails(DIGEST, objects[0], threshold(1))
    said = multi_delete.QINGSTOR.write(ESCAPES["json"], [(objects[0], True)], ("c", "m"))
    assert json.loads(said) == {"deleted": [], "errors": [{"key": "a\ufffd", "code": "c", "message": "m"}]}


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
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><Delete>' + ONE + b"</Delete>",
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


@pytest.mark.parametrize("name", NOT_XML)
def test_no_xml_request(name):
    """None, never an exception."""
    assert read(multi_delete.S3, NOT_XML[name]) is None


@pytest.mark.parametrize("name", NOT_JSON)
def test_no_json_request(name):
    """None, never an exception."""
    assert read(multi_delete.QINGSTOR, NOT_JSON[name]) is None


@given(st.binary(max_size=300))
def test_any_bytes(document):
    """Whatever comes is read or left alone."""
    assert read(multi_delete.S3, document) is None
    assert read(multi_delete.S3, b"<Delete>" + document) is None
    assert read(multi_delete.QINGSTOR, b'{"objects":' + document) is None


def test_a_hostile_document_takes_no_great_memory():
    """Elements, attributes, depth, text in small pieces: at most a few dozen times their size."""
    size = MOST_BYTES // 16
    for document in (
        BOMB,
        b"<Delete>" + b"<a/>" * (size // 4),
        b"<Delete " + b" ".join(b'a%d=""' % each for each in range(size // 10)) + b"/>",
        b"<Delete>" + b"<a>" * (size // 3),
        b"<Delete><Object><Key>" + b"&amp;" * (size // 5),
    ):
        tracemalloc.start()
        try:
            assert read(multi_delete.S3, document) is None
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 40 * size


def test_a_document_beyond_the_bound_is_not_read():
    """It is dropped as it comes, and answered as a whole."""
    rule = "s3:InternalError,status=200,operation=DeleteObjects,share=0"
    client = Client(WSGIFaultMiddleware(ObjectStore("s3"), rule, seed="0"))
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    told = [
        client.post("/photos?delete", data=document.ljust(size)).data.count(b"<Error>")
        for size in (MOST_BYTES, MOST_BYTES + 1)
    ]
    assert told == [0, 1]
