"""OSS, TOS and COS send the CRC-64 of every content, which their SDKs compare with their own."""

from __future__ import annotations

import re
import sys

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore
from faultinject.store.crc64 import crc64, extended, fastest, joined

CHECK = 0x995DC9BBDF1939FA
"""Of `123456789`, as CRC-64/XZ: https://reveng.sourceforge.io/crc-catalogue/17plus.htm"""


@pytest.fixture(params=["with crcmod", "without"])
def speed(request, monkeypatch):
    """The SDKs bring crcmod along; the store does without it."""
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "crcmod", None)
    else:
        pytest.importorskip("crcmod")
    fastest.cache_clear()
    yield request.param
    fastest.cache_clear()


@pytest.mark.usefixtures("speed")
def test_the_checksum():
    """The catalogue's value, in however many blocks the content comes, and of none."""
    assert [crc64([b"123456789"]), crc64([b"1234", b"", b"56789"]), crc64([])] == [CHECK, CHECK, 0]


@pytest.mark.usefixtures("speed")
def test_checksums_joined():
    """That of a whole, of its parts' alone."""
    parts = [b"", b"x", bytes(1000), bytes(range(256)) * 7]
    for first in parts:
        for second in parts:
            assert joined(extended(first), crc64([second]), len(second)) == crc64([first, second])


def test_the_slow_one_is_only_without_crcmod(speed):
    """It takes fifty times as long."""
    assert (fastest() is extended) == (speed == "without")


@pytest.mark.parametrize("vendor", ["oss", "tos", "cos"])
def test_every_answer_about_content_has_it(vendor):
    """Put, get, of a range too, head, copy, part, part's copy, and the end of an upload."""
    client = Client(ObjectStore(vendor))
    name = f"x-{vendor}-hash-crc64ecma"
    copying = {f"x-{vendor}-copy-source": "/photos/k"}
    client.put("/photos")
    answers = [
        client.put("/photos/k", data=b"123456789"),
        client.get("/photos/k"),
        client.get("/photos/k", headers={"Range": "bytes=0-1"}),
        client.head("/photos/k"),
        client.put("/photos/copy", headers=copying),
        client.get("/photos/copy"),
    ]
    upload = re.search("[0-9a-f]{64}", client.post("/photos/film?uploads").get_data(as_text=True))[0]
    place = f"/photos/film?uploadId={upload}"
    answers.append(client.put(f"{place}&partNumber=1", data=b"123456789"))
    answers.append(client.put(f"{place}&partNumber=2", headers=copying))
    etags = [each.headers["ETag"] for each in answers[-2:]]
    if vendor == "tos":
        rows = ",".join(f'{{"PartNumber":{at + 1},"ETag":{each}}}' for at, each in enumerate(etags))
        document = f'{{"Parts":[{rows}]}}'
    else:
        rows = "".join(
            f"<Part><PartNumber>{at + 1}</PartNumber><ETag>{each}</ETag></Part>"
            for at, each in enumerate(etags)
        )
        document = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>"
    assert [each.headers.get(name) for each in answers] == [str(CHECK)] * len(answers)
    done = client.post(place, data=document)
    twice = str(extended(b"123456789" * 2))
    assert [each.headers.get(name) for each in (done, client.head("/photos/film"))] == [twice, twice]


def test_what_was_there_before_the_first_request_has_it_too():
    """Objects and parts that the store was filled with."""
    store = ObjectStore("tos")
    store.fill("photos", objects=["k"], uploads=["film"], content=b"123456789")
    client = Client(store)
    etag = client.head("/photos/k").headers["ETag"]
    document = f'{{"Parts":[{{"PartNumber":1,"ETag":{etag}}}]}}'
    answers = [client.get("/photos/k"), client.post("/photos/film?uploadId=film", data=document)]
    assert [each.headers["x-tos-hash-crc64ecma"] for each in answers] == [str(CHECK)] * 2


def test_oss2_checks_what_it_gets(serve):
    """It reads the checksum from the answers to put and get, and raises when the content is another one."""
    oss2 = pytest.importorskip("oss2")
    session = oss2.Session()
    bucket = oss2.Bucket(
        oss2.Auth("id", "key"), f"http://127.0.0.1:{serve('oss')}", "photos", session=session
    )
    bucket.create_bucket()
    assert bucket.put_object("k", b"123456789").crc == CHECK
    got = bucket.get_object("k")
    assert (got.read(), got.client_crc, got.server_crc) == (b"123456789", CHECK, CHECK)
    assert not bucket.object_exists("gone")
    assert bucket.get_object_meta("k").headers["Content-Length"] == "9"
    session.session.close()


def test_parts_of_many_sizes():
    """The checksum of the whole is right whatever the parts' sizes, however often one comes again."""
    client = Client(ObjectStore("oss"))
    client.put("/photos")
    upload = re.search("[0-9a-f]{64}", client.post("/photos/film?uploads").get_data(as_text=True))[0]
    place, whole = f"/photos/film?uploadId={upload}", b""
    for number, size in enumerate((1, 300, 1, 7, 300, 65536, 7), 1):
        part = bytes([number]) * size
        whole += part
        assert client.put(f"{place}&partNumber={number}", data=part).status_code == 200
    done = client.post(place, headers={"x-oss-complete-all": "yes"})
    assert done.headers["x-oss-hash-crc64ecma"] == str(extended(whole))
