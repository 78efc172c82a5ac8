"""OSS, TOS and COS send each content's CRC-64, which their SDKs compare with their own."""

import subprocess
import sys

import pytest
from werkzeug.test import Client

from faultinject.store import ObjectStore

from .conftest import begun, client_of, ended

CHECK = 0x995DC9BBDF1939FA
"""Of `123456789`, as CRC-64/XZ: https://reveng.sourceforge.io/crc-catalogue/17plus.htm"""


def crc64(content):
    """CRC-64/XZ, bit by bit."""
    value = 0xFFFFFFFFFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xC96C5795D7870F42 if value & 1 else 0)
    return str(value ^ 0xFFFFFFFFFFFFFFFF)


WITHOUT = """
import sys
sys.modules["crcmod"] = None
from werkzeug.test import Client
from faultinject.store import ObjectStore
for vendor, header in (("oss", "x-oss-hash-crc64ecma"), ("s3", "x-amz-checksum-crc64nvme")):
    client = Client(ObjectStore(vendor))
    client.put("/photos")
    asked = {"x-amz-sdk-checksum-algorithm": "CRC64NVME", "x-amz-checksum-crc64nvme": "rosUhgp5mIg="}
    print(client.put("/photos/k", data=b"123456789", headers=asked).headers.get(header))
"""


def test_without_crcmod():
    """The SDKs bring it along; the slow way gives the catalogue's values, too."""
    assert subprocess.check_output([sys.executable, "-c", WITHOUT], text=True) == f"{CHECK}\nrosUhgp5mIg=\n"


@pytest.mark.parametrize("vendor", ["oss", "tos", "cos"])
def test_every_answer_about_content_has_it(vendor):
    """Put, get, of a range too, head, copy, part, part's copy, and the end of an upload."""
    client, name = client_of(vendor), f"x-{vendor}-hash-crc64ecma"
    copying = {f"x-{vendor}-copy-source": "/photos/k"}
    answers = [
        client.put("/photos/k", data=b"123456789"),
        client.get("/photos/k"),
        client.get("/photos/k", headers={"Range": "bytes=0-1"}),
        client.head("/photos/k"),
        client.put("/photos/copy", headers=copying),
        client.get("/photos/copy"),
    ]
    upload = begun(client, "/photos/film")
    place = f"/photos/film?uploadId={upload}"
    parts = [
        client.put(f"{place}&partNumber=1", data=b"123456789"),
        client.put(f"{place}&partNumber=2", headers=copying),
    ]
    etags = [each.headers["ETag"] for each in parts]
    assert [each.headers.get(name) for each in (*answers, *parts)] == [str(CHECK)] * 8
    if vendor == "tos":
        rows = ",".join(f'{{"PartNumber":{at},"ETag":{each}}}' for at, each in enumerate(etags, 1))
        done = client.post(place, data=f'{{"Parts":[{rows}]}}')
    else:
        done = ended(client, "/photos/film", upload, *etags)
    twice = crc64(b"123456789" * 2)
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
    """oss2 reads the checksum of put and get, and raises if the content differs."""
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
    """The whole's checksum is right for any sizes of parts, and for parts sent repeatedly."""
    client = client_of("oss")
    place = f"/photos/film?uploadId={begun(client, '/photos/film')}"
    parts = [bytes([at]) * size for at, size in enumerate((1, 300, 1, 7, 300, 65536, 7))]
    for number, part in enumerate(parts, 1):
        assert client.put(f"{place}&partNumber={number}", data=part).status_code == 200
    done = client.post(place, headers={"x-oss-complete-all": "yes"})
    assert done.headers["x-oss-hash-crc64ecma"] == crc64(b"".join(parts))
