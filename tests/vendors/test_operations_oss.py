"""Operations of OSS, recognised in what its own SDK serialises, for every call that it has."""

import inspect
from contextlib import suppress

import alibabacloud_oss_v2 as oss
import pytest

from tests.engine.conftest import Reading

READING = Reading("oss")
# By S3's name; the rest is called what the SDK calls it.
CALLED = {
    "delete_bucket_inventory": "DeleteBucketInventoryConfiguration",
    "delete_bucket_public_access_block": "DeletePublicAccessBlock",
    "delete_bucket_tags": "DeleteBucketTagging",
    "delete_multiple_objects": "DeleteObjects",
    "get_bucket_inventory": "GetBucketInventoryConfiguration",
    "get_bucket_lifecycle": "GetBucketLifecycleConfiguration",
    "get_bucket_object_worm_configuration": "GetObjectLockConfiguration",
    "get_bucket_public_access_block": "GetPublicAccessBlock",
    "get_bucket_tags": "GetBucketTagging",
    "get_bucket_transfer_acceleration": "GetBucketAccelerateConfiguration",
    "initiate_multipart_upload": "CreateMultipartUpload",
    "list_bucket_inventory": "ListBucketInventoryConfigurations",
    "option_object": "OptionsObject",
    "put_bucket": "CreateBucket",
    "put_bucket_inventory": "PutBucketInventoryConfiguration",
    "put_bucket_lifecycle": "PutBucketLifecycleConfiguration",
    "put_bucket_object_worm_configuration": "PutObjectLockConfiguration",
    "put_bucket_public_access_block": "PutPublicAccessBlock",
    "put_bucket_tags": "PutBucketTagging",
    "put_bucket_transfer_acceleration": "PutBucketAccelerateConfiguration",
}
# What must have a document of its own is left out, and what makes other calls.
LEFT_OUT = {
    *(
        "create_select_object_meta",
        "delete_multiple_objects",
        "do_data_pipeline_action",
        "do_meta_query_action",
    ),
    *(
        "get_object_to_file",
        "put_bucket_inventory",
        "put_object_from_file",
        "put_object_tagging",
        "put_style",
    ),
    *("presign", "select_object"),
}
VALUES = {
    "access_point_name": "mine", "acl": "private", "async_process": "x", "body": b"x", "bucket": "photos", "channel": "ch",
    "cname": "photos.example", "end_time": 2, "inventory_id": "i", "key": "a/key.jpg", "object_acl": "private",
    "part_number": 1, "playlist": "p.m3u8", "position": 0, "process": "image/x", "redundancy_transition_taskid": "t",
    "rule_id": "r", "source_bucket": "films", "source_key": "k", "start_time": 1, "style_name": "s",
    "symlink_target": "k", "target_redundancy_type": "ZRS", "upload_id": "u", "worm_id": "w",
}  # fmt: skip


class Nowhere:
    """An HTTP client of the SDK that keeps what it is to send, and sends nothing."""

    def __init__(self):
        self.sent = []

    def open(self):
        """Nothing is opened."""

    def close(self):
        """And nothing closed."""

    def send(self, request, **_):
        self.sent.append(request)
        raise OSError


@pytest.fixture(scope="module")
def nowhere():
    return Nowhere()


@pytest.fixture(scope="module", params=[False, True], ids=["virtual", "path"])
def client(request, nowhere):
    config = oss.config.load_default()
    config.region, config.http_client, config.retry_max_attempts = "cn-hangzhou", nowhere, 1
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "key")
    config.use_path_style = request.param
    return oss.Client(config)


def test_every_call_of_the_sdk_is_what_it_is(client, nowhere, view):
    """No call is read as making, listing or removing a bucket or object, unless it does."""
    seen = 0
    for name, call in inspect.getmembers(client, inspect.ismethod):
        taken = [*inspect.signature(call).parameters.values()]
        if name[0] == "_" or name in LEFT_OUT or not taken or taken[0].name != "request":
            continue
        make = taken[0].annotation
        fields = inspect.signature(make.__init__).parameters
        nowhere.sent.clear()
        with suppress(oss.exceptions.OperationError):
            call(make(**{key: value for key, value in VALUES.items() if key in fields}))
        [sent] = nowhere.sent
        seen += 1
        found = READING.operation(view(sent.method, sent.url, sent.headers))
        meant = CALLED.get(name, "".join(word.capitalize() for word in name.split("_")))
        assert found == meant, (name, sent.method, sent.url)
    assert seen > 100


def test_what_the_sdk_has_not(view):
    """The SDK lacks Rename, which the documentation has.

    https://www.alibabacloud.com/help/en/oss/developer-reference/rename
    """
    request = view("POST", "https://photos.oss-cn-hangzhou.aliyuncs.com/new?x-oss-rename")
    assert READING.operation(request) == "Rename"
