"""Volcengine's tos and aiobotocore, each in its own process: they pin common packages."""

import os
import subprocess
import sys

import pytest

PINNED = os.environ.get("PINNED_SDKS")
# It checks content by CRC-64, and lists parts in upload order.
TOS = """
import sys
import tos
from tos.models2 import ObjectTobeDeleted

# It writes the bucket into the Host, so the store is its proxy.
client = tos.TosClientV2(
    "id", "key", "http://tos-cn-beijing.volces.com", "cn-beijing", max_retry_count=0,
    proxy_host="127.0.0.1", proxy_port=int(sys.argv[1].rpartition(":")[2]),
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
TOS_SAYS = """['photos']
b'eo'
{'mood': 'sleepy'}
b'meow'
[(1, 4)]
['film']
b'filmme' 7513182539126557327
['a/b c'] True a/b c
['copy', 'film'] ['a/']
['film', 'copy']
404 NoSuchKey
True
412 PreconditionFailed
412 PreconditionFailed
412 PreconditionFailed
"""
# Its botocore is not boto3's.
ASYNC = """
import asyncio, sys
from aiobotocore.session import get_session

async def main(url):
    client = get_session().create_client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key"
    )
    async with client as s3:
        await s3.create_bucket(Bucket="photos")
        await s3.put_object(Bucket="photos", Key="a/b", Body=b"meow")
        upload = (await s3.create_multipart_upload(Bucket="photos", Key="film"))["UploadId"]
        place = {"Bucket": "photos", "Key": "film", "UploadId": upload}
        part = await s3.upload_part(PartNumber=1, Body=b"film", **place)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        await s3.complete_multipart_upload(MultipartUpload=parts, **place)
        await s3.copy_object(Bucket="photos", Key="copy", CopySource="photos/film")
        got = await s3.get_object(Bucket="photos", Key="copy", Range="bytes=1-2")
        print(await got["Body"].read())
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="photos", PaginationConfig={"PageSize": 1})
        print([each["Key"] async for page in pages for each in page["Contents"]])
        keys = {"Objects": [{"Key": "a/b"}, {"Key": "copy"}]}
        print(len((await s3.delete_objects(Bucket="photos", Delete=keys))["Deleted"]))
        try:
            await s3.get_object(Bucket="photos", Key="a/b")
        except s3.exceptions.NoSuchKey as error:
            print(error.response["Error"]["Key"])

asyncio.run(main(sys.argv[1]))
"""
ASYNC_SAYS = """b'il'
['a/b', 'copy', 'film']
2
a/b
"""


@pytest.mark.skipif(
    PINNED is None, reason="tos pins wrapt, aiobotocore botocore: they are in the folder of PINNED_SDKS"
)
@pytest.mark.parametrize(
    ("vendor", "program", "said"),
    [("tos", TOS, TOS_SAYS), ("s3", ASYNC, ASYNC_SAYS)],
    ids=["tos", "aiobotocore"],
)
def test_a_pinned_sdk(serve, tmp_path, vendor, program, said):
    """It takes the store for the vendor's."""
    command = [sys.executable, "-c", program, f"http://127.0.0.1:{serve(vendor)}", str(tmp_path / "big")]
    environ = {**os.environ, "PYTHONPATH": PINNED}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100)
    assert done.stdout == said, done.stderr
