"""Operations of COS, recognised in what its own SDK serialises, for every call that it has."""

import inspect
import io
import warnings
from contextlib import suppress

import pytest
import requests

from faultinject import vendors
from faultinject.vendors.operations import operations_of
from tests.engine.conftest import Reading

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from qcloud_cos import CosConfig, CosS3Client

BUCKET = "photos-1250000000"
READING = Reading("cos")

# Without a request, or with those of other calls here: signing, URLs, and the SDK's own machinery.
NOT_CALLS = {
    *("ci_auditing_submit_common", "generate_built_in_connection_pool", "get_auth", "get_conf"),
    *("get_object_url", "get_presigned_download_url", "get_presigned_url", "get_retry_exe_times"),
    # It makes twelve calls in threads, of which any can be the first.
    "get_bucket_meta",
    *("get_rtmp_signed_url", "handle_built_in_connection_pool_by_pid", "inc_retry_exe_times"),
    *("send_request", "should_switch_domain"),
}
# What S3 calls otherwise, and what is made of other calls: the first of them.
CALLED = {
    "append_object": "AppendObject",
    "bucket_exists": "HeadBucket",
    "change_object_storage_class": "CopyObject",
    "copy": "HeadObject",
    "delete_bucket_inventory": "DeleteBucketInventoryConfiguration",
    "delete_bucket_referer": "PutBucketReferer",
    "download_file": "HeadObject",
    "get_bucket_intelligenttiering": "GetBucketIntelligentTiering",
    "get_bucket_intelligenttiering_v2": "GetBucketIntelligentTieringConfiguration",
    "get_bucket_inventory": "GetBucketInventoryConfiguration",
    "get_bucket_lifecycle": "GetBucketLifecycleConfiguration",
    "get_bucket_object_lock": "GetObjectLockConfiguration",
    "list_bucket_intelligenttiering_configurations": "ListBucketIntelligentTieringConfigurations",
    "list_objects_versions": "ListObjectVersions",
    "object_exists": "HeadObject",
    "put_bucket_intelligenttiering": "PutBucketIntelligentTiering",
    "put_bucket_intelligenttiering_v2": "PutBucketIntelligentTieringConfiguration",
    "put_bucket_inventory": "PutBucketInventoryConfiguration",
    "put_bucket_lifecycle": "PutBucketLifecycleConfiguration",
    "put_bucket_object_lock": "PutObjectLockConfiguration",
    "put_object_from_local_file": "PutObject",
    "update_object_meta": "CopyObject",
    "upload_file": "PutObject",
    "upload_file_from_buffer": "PutObject",
    # Of Cloud Infinite, which processes what COS stores.
    "ci_delete_image_style": "DeleteImageStyle",
    "ci_download_compress_image": "GetObject",
    "ci_get_image_ave_info": "GetObject",
    "ci_get_image_exif_info": "GetObject",
    "ci_get_image_info": "GetObject",
    "ci_get_image_style": "GetImageStyle",
    "ci_get_object": "GetObject",
    "ci_image_inspect": "GetObject",
    "ci_image_process": "CIImageProcess",
    "ci_put_image_style": "PutImageStyle",
    "ci_put_object": "PutObject",
    "ci_put_object_from_local_file": "PutObject",
    "ci_put_object_from_local_file_and_get_qrcode": "PutObject",
}


class Session(requests.Session):
    """Keeps what it is to send, and sends nothing."""

    def __init__(self):
        super().__init__()
        self.sent = []

    def send(self, request, **_):
        self.sent.append(request)
        raise OSError


def arguments(path):
    """The arguments of calls, by parameter."""
    return {
        "Bucket": BUCKET, "Key": "a/key.jpg", "UploadId": "u", "PartNumber": 1, "Body": b"x", "Data": b"x",
        "Position": 0, "Id": "i", "CopySource": {"Bucket": "from-1250000000", "Key": "k", "Region": "ap-x"},
        "Status": "Enabled", "ChannelName": "channel", "Switch": "enabled", "PlaylistName": "p.m3u8",
        "SymlinkName": "link", "SymlinkTarget": "a/key.jpg", "StorageClass": "STANDARD", "Type": "audio",
        "LocalFilePath": str(path), "DestFilePath": str(path), "DestImagePath": str(path), "TaskId": "t",
        "JobID": "j", "JobIDs": "j", "JobId": "j", "TemplateId": "t", "WorkflowId": "w", "RunId": "r",
        "QueueId": "q", "QueueID": "q", "CompressType": "tpg", "Rule": "imageMogr2/thumbnail/!50p",
        "UpdateState": "active", "InstanceId": "i", "CiProcess": "pm3u8", "StartTime": 1, "EndTime": 2,
        "MultipartUpload": {"Part": [{"PartNumber": 1, "ETag": "e"}]},
    }  # fmt: skip


GIVEN = {"upload_file_from_buffer": {"Body": io.BytesIO(b"x")}}
# Optional for the SDK, but not for the request.
ASKED = ("Id", "MultipartUpload", "StartTime", "EndTime")


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """The first request of each call, with what the call must have."""
    path = tmp_path_factory.mktemp("cos") / "file"
    path.write_bytes(b"0123456789")
    known = arguments(path)
    config = CosConfig(Region="ap-x", SecretId="id", SecretKey="key", Appid="1250000000")
    session = Session()
    client = CosS3Client(config, retry=0, session=session)
    found = {}
    for name, call in inspect.getmembers(client, inspect.ismethod):
        if name[0] == "_" or name in NOT_CALLS:
            continue
        keys = {
            each.name: known.get(each.name, {})
            for each in inspect.signature(call).parameters.values()
            if each.kind is not each.VAR_KEYWORD and (each.default is each.empty or each.name in ASKED)
        }
        session.sent.clear()
        with suppress(Exception):  # each call has its own error for one that was not sent
            call(**keys | GIVEN.get(name, {}))
        found[name] = session.sent[0]
    return found


def expected(name, request):
    """The operation by S3's name, else by COS's own: `put_bucket_referer` is PutBucketReferer."""
    if name in CALLED:
        return CALLED[name]
    if ".ci." in request.url or "//ci." in request.url:
        return "CIRequest"
    if "ci-process=" in request.url:
        return "CIProcess"
    return "".join(each.capitalize() for each in name.split("_")).replace("certificate", "Certificate")


def test_every_call_of_the_sdk_is_what_it_is(sent, view):
    """No call is read as making, listing or removing a bucket or object, unless it does."""
    for name, request in sent.items():
        seen = READING.operation(view(request.method, request.url, request.headers))
        assert seen == expected(name, request), (name, request.method, request.url)
    assert len(sent) > 200


def test_bucket_and_key_are_the_callers(sent, view):
    """Also on the hosts of Cloud Infinite: what stands behind it is its path there."""
    places = {
        "put_object": (BUCKET, "a/key.jpg"),
        "put_bucket_referer": (BUCKET, None),
        "list_buckets": (None, None),
        "put_live_channel": (BUCKET, "channel"),
        "ci_get_image_style": (BUCKET, None),
        "ci_delete_template": (BUCKET, "template/t"),
        "put_async_fetch_task": (BUCKET, None),
    }
    asked = {name: view(sent[name].method, sent[name].url, sent[name].headers) for name in places}
    assert {name: READING.read_address(asked[name]) for name in places} == places


def test_what_the_sdk_has_not(view):
    """From the documents, and the SDKs for Java and Go."""
    headers = {"x-cos-rename-source": "/old"}
    asked = [
        ("GET", "/?accessmonitor", {}),
        ("PUT", "/?accessmonitor", {}),
        ("PUT", "/new?rename", headers),
        ("PUT", "/new", headers),
    ]
    host = f"http://{BUCKET}.cos.ap-x.myqcloud.com"
    assert [READING.operation(view(method, f"{host}{path}", given)) for method, path, given in asked] == [
        "GetBucketAccessMonitor",
        "PutBucketAccessMonitor",
        "RenameObject",
        "RenameObject",
    ]


def test_rules_take_their_names(site):
    """A rule on the deletion of buckets leaves that of a bucket's domain alone."""
    assert {"PutBucketReferer", "PostBucketInventory", "CIRequest"} <= operations_of(vendors.get("cos")).names
    made = site("cos:SlowDown,operation=DeleteBucket,name=bucket cos:SlowDown,operation=*Domain,name=domain")
    assert made.asks(["DELETE /photos?domain", "DELETE /photos"]) == ["domain", "bucket"]
    assert [each.operation for each in made.outcomes] == ["DeleteBucketDomain", "DeleteBucket"]
