"""S3 reads operation, bucket and key of requests to botocore's own endpoints."""

from urllib.parse import urlsplit

import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest

from tests.engine.conftest import Reading, view_of

from .sent import SentError, keep, place_of

SESSION = botocore.session.Session()
SESSION.set_credentials("id", "key")
PARTITIONS = botocore.loaders.Loader().load_data("partitions")["partitions"]
REGIONS = [
    next(region for region in each["regions"] if not region.endswith("-global")) for each in PARTITIONS
] + ["us-east-1", "aws-global"]
SETTINGS = [
    {},
    {"s3": {"addressing_style": "path"}},
    {"s3": {"addressing_style": "virtual"}},
    {"s3": {"us_east_1_regional_endpoint": "legacy"}},
    {"s3": {"use_accelerate_endpoint": True}},
    {"s3": {"use_accelerate_endpoint": True}, "use_dualstack_endpoint": True},
    {"use_dualstack_endpoint": True},
    {"use_fips_endpoint": True},
    {"use_fips_endpoint": True, "use_dualstack_endpoint": True},
]
ZONAL = "photos--use1-az4--x-s3"


def calls(partition, region):
    """Calls, with their operation, bucket and key."""
    arn = f"arn:{partition}:{{}}:{region}:123456789012:{{}}"
    key = {"Key": "a/b"}
    access, behind = arn.format("s3", "accesspoint/mine"), arn.format("s3-object-lambda", "accesspoint/mine")
    outpost = arn.format("s3-outposts", "outpost/op-01ac5d28a6a232904/accesspoint/mine")
    return [
        ("get_object", {"Bucket": "photos", **key}, ("GetObject", "photos", "a/b")),
        ("put_object", {"Bucket": "my.photos.x", **key}, ("PutObject", "my.photos.x", "a/b")),
        ("list_objects_v2", {"Bucket": "photos"}, ("ListObjectsV2", "photos", None)),
        ("delete_bucket", {"Bucket": "photos"}, ("DeleteBucket", "photos", None)),
        ("list_buckets", {}, ("ListBuckets", None, None)),
        ("get_object", {"Bucket": access, **key}, ("GetObject", "mine-123456789012", "a/b")),
        ("get_object", {"Bucket": behind, **key}, ("GetObject", "mine-123456789012", "a/b")),
        ("get_object", {"Bucket": outpost, **key}, ("GetObject", "mine-123456789012", "a/b")),
        ("create_session", {"Bucket": ZONAL}, ("CreateSession", ZONAL, None)),
        ("create_bucket", {"Bucket": ZONAL}, ("CreateBucket", ZONAL, None)),
        ("list_directory_buckets", {}, ("ListDirectoryBuckets", None, None)),
        (
            "write_get_object_response",
            {"RequestRoute": "io-use1", "RequestToken": "t"},
            ("WriteGetObjectResponse", "io-use1", "WriteGetObjectResponse"),
        ),
    ]


READINGS = Reading("s3"), Reading()


def sent_by(region, partition, settings):
    """The requests of all calls that have an endpoint, each with what it is."""
    config = botocore.config.Config(retries={"total_max_attempts": 1}, **settings)
    try:
        client = SESSION.create_client("s3", region_name=region, config=config)
    except botocore.exceptions.EndpointVariantError:
        return
    client.meta.events.register("before-send.s3", keep)
    for name, keys, expected in calls(partition, region):
        try:
            getattr(client, name)(**keys)
        except SentError as sent:
            yield sent.args[0], expected
        except botocore.exceptions.BotoCoreError:
            pass  # there is no such endpoint


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_botocores_own_endpoints(region):
    """In every partition: what it calls is what is read, with S3 as the vendor and with none."""
    partition = next((each["id"] for each in PARTITIONS if region in each["regions"]), "aws")
    wrong, hosts = {}, set()
    for settings in SETTINGS:
        for request, expected in sent_by(region, partition, settings):
            hosts.add(urlsplit(request.url).netloc)
            for reading in READINGS:
                read = place_of(reading, view_of(request.method, request.url, request.headers))
                if read != expected:
                    wrong[request.url] = read, expected
    assert wrong == {}
    assert len(hosts) > 10
