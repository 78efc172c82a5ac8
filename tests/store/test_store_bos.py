"""The SDKs of Baidu and Volcengine take the store for BOS and TOS: S3 with JSON documents."""

import io
import os
import subprocess
import sys

import pytest

PINNED = os.environ.get("PINNED_SDKS")


@pytest.fixture
def bos(serve):
    pytest.importorskip("baidubce")
    from baidubce.auth.bce_credentials import BceCredentials
    from baidubce.bce_client_configuration import BceClientConfiguration
    from baidubce.retry.retry_policy import NoRetryPolicy
    from baidubce.services.bos.bos_client import BosClient

    client = BosClient(
        BceClientConfiguration(
            credentials=BceCredentials("id", "key"),
            endpoint=f"http://127.0.0.1:{serve('bos')}",
            retry_policy=NoRetryPolicy(),
        )
    )
    client.create_bucket("photos")
    return client


def test_bos(bos):
    """Objects, listings, parts, copies, deletions, and the error of what is not there."""
    from baidubce.exception import BceHttpClientError

    bos.put_object_from_string("photos", "a/ü b", "meow", user_metadata={"mood": "sleepy"})
    known = bos.get_object_meta_data("photos", "a/ü b").metadata
    copied = bos.copy_object("photos", "a/ü b", "photos", "copy").etag
    assert (known.content_length, known.bce_meta_mood, known.etag) == ("4", "sleepy", copied)
    upload = bos.initiate_multipart_upload("photos", "film").upload_id
    part = bos.upload_part("photos", "film", upload, 1, 4, io.BytesIO(b"film")).metadata.etag
    [listed] = bos.list_parts("photos", "film", upload).parts
    [pending] = bos.list_multipart_uploads("photos").uploads
    done = bos.complete_multipart_upload("photos", "film", upload, [{"partNumber": 1, "eTag": part}])
    assert (listed.part_number, listed.size, pending.key, done.etag[-2:]) == (1, 4, "film", "-1")
    page = bos.list_objects("photos", max_keys=1)
    seen = {
        "buckets": [each.name for each in bos.list_buckets().buckets],
        "range": bos.get_object_as_string("photos", "a/ü b", range=[1, 2]),
        "page": ([each.key for each in page.contents], page.is_truncated, page.next_marker),
        "objects": [each.key for each in bos.list_all_objects("photos")],
        "prefixes": [each.prefix for each in bos.list_objects("photos", delimiter="/").common_prefixes],
    }
    assert seen == {
        "buckets": ["photos"],
        "range": b"eo",
        "page": (["a/ü b"], True, "a/ü b"),
        "objects": ["a/ü b", "copy", "film"],
        "prefixes": ["a/"],
    }
    [failed] = bos.delete_multiple_objects("photos", ["copy", "film", "k" * 1025]).errors
    assert (failed.key, failed.code) == ("k" * 1025, "InvalidObjectName")
    bos.delete_object("photos", "a/ü b")
    with pytest.raises(BceHttpClientError) as caught:
        bos.get_object_as_string("photos", "a/ü b")
    assert (caught.value.last_error.code, caught.value.last_error.status_code) == ("NoSuchKey", 404)


TOS = """
import sys
import tos
from tos.models2 import ObjectTobeDeleted

# It writes the bucket into the Host, so the store is its proxy.
client = tos.TosClientV2(
    "id", "key", "http://tos-cn-beijing.volces.com", "cn-beijing", max_retry_count=0,
    proxy_host="127.0.0.1", proxy_port=int(sys.argv[1]),
)
client.create_bucket("photos")
print([each.name for each in client.list_buckets().buckets])
client.put_object("photos", "a/b c", content=b"meow", meta={"mood": "sleepy"})
print(client.get_object("photos", "a/b c", range_start=1, range_end=2).read())
print(client.head_object("photos", "a/b c").meta)
print(b"".join(client.get_object("photos", "a/b c")))
client.copy_object("photos", "copy", "photos", "a/b c")
upload = client.create_multipart_upload("photos", "film").upload_id
part = client.upload_part("photos", "film", upload, 1, content=b"film")
print([(each.part_number, each.size) for each in client.list_parts("photos", "film", upload).parts])
print([each.key for each in client.list_multipart_uploads("photos").uploads])
second = client.upload_part_copy("photos", "film", upload, 2, "photos", "a/b c", copy_source_range_start=0,
                                 copy_source_range_end=1)
client.complete_multipart_upload("photos", "film", upload, [second, part])
print(client.get_object("photos", "film").read(), client.head_object("photos", "film").hash_crc64_ecma)
page = client.list_objects("photos", max_keys=1)
print([each.key for each in page.contents], page.is_truncated, page.next_marker)
page = client.list_objects_type2("photos", delimiter="/")
print([each.key for each in page.contents], [each.prefix for each in page.common_prefixes])
keys = [ObjectTobeDeleted("film"), ObjectTobeDeleted("copy")]
print([each.key for each in client.delete_multi_objects("photos", keys).deleted])
client.delete_object("photos", "a/b c")
try:
    client.get_object("photos", "a/b c")
except tos.exceptions.TosServerError as error:
    print(error.status_code, error.code)
big = bytes(range(256)) * 4096 * 11
with open(sys.argv[2], "wb") as file:
    file.write(big)
client.upload_file("photos", "big", sys.argv[2], part_size=5 * 1024 * 1024, task_num=3)
client.download_file("photos", "big", sys.argv[2], part_size=5 * 1024 * 1024, task_num=3)
with open(sys.argv[2], "rb") as file:
    print(file.read() == big)
for call, source, condition in (
    (client.put_object, (), {"forbid_overwrite": True}),
    (client.copy_object, ("photos", "big"), {"forbid_overwrite": True}),
    (client.put_object, (), {"if_match": '"other"'}),
):
    try:
        call("photos", "big", *source, **condition)
    except tos.exceptions.TosServerError as error:
        print(error.status_code, error.code)
client.close()
"""
SAID = """['photos']
b'eo'
{'mood': 'sleepy'}
b'meow'
[(1, 4)]
['film']
b'filmme' {crc}
['a/b c'] True a/b c
['copy', 'film'] ['a/']
['film', 'copy']
404 NoSuchKey
True
412 PreconditionFailed
412 PreconditionFailed
412 PreconditionFailed
"""


@pytest.mark.skipif(PINNED is None, reason="tos pins wrapt, so it is in the folder of PINNED_SDKS")
def test_tos(serve, tmp_path):
    """In its own process, tos checks content by CRC-64, and lists parts in upload order."""
    program = [sys.executable, "-c", TOS, str(serve("tos")), str(tmp_path / "big")]
    done = subprocess.run(
        program, env={**os.environ, "PYTHONPATH": PINNED}, capture_output=True, text=True, timeout=100
    )
    assert done.stdout == SAID.replace("{crc}", "7513182539126557327"), done.stderr
