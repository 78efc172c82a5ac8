"""Baidu's SDK takes the store for BOS: S3 with JSON documents."""

import io

import pytest


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
