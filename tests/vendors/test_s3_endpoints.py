"""Below which hosts S3 and R2 name the bucket, and which hosts are themselves an endpoint."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest

from faultinject import Injector, Rule, WSGIFaultMiddleware
from tests.engine.conftest import Reading
from tests.rows import row_by_row

from .sent import SentError, keep


def app(_environ, start_response):
    start_response("200 OK", [])
    return []


@pytest.fixture
def read():
    """Bucket and key of a request, as the journal has them, by vendor, Host and path."""

    def ask(vendor, host, path="/a/b"):
        injector = Injector(Rule(f"{vendor}:NoSuchKey"), environ={})
        environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "HTTP_HOST": host}
        list(WSGIFaultMiddleware(app, injector=injector)(environ, lambda *_: None))
        [outcome] = injector.journal.outcomes
        return outcome.bucket, outcome.key

    return ask


NAMING = [
    ("s3", "photos.s3.amazonaws.com"),
    ("s3", "Photos.S3.Amazonaws.Com:443"),
    ("s3", "photos.s3.eu-west-3.amazonaws.com"),
    ("s3", "photos.s3-us-west-2.amazonaws.com"),
    ("s3", "photos.s3.dualstack.eu-west-3.amazonaws.com"),
    ("s3", "photos.s3-fips.us-gov-west-1.amazonaws.com"),
    ("s3", "photos.s3-fips.dualstack.us-east-1.amazonaws.com"),
    ("s3", "photos.s3-accelerate.amazonaws.com"),
    ("s3", "photos.s3-accelerate.dualstack.amazonaws.com"),
    ("s3", "photos.s3-website-us-east-1.amazonaws.com"),
    ("s3", "photos.s3-website.eu-central-1.amazonaws.com"),
    ("s3", "photos.s3.cn-north-1.amazonaws.com.cn"),
    ("s3", "photos.s3express-usw2-az1.us-west-2.amazonaws.com"),
    ("s3", "photos.s3express-fips-use1-az4.us-east-1.amazonaws.com"),
    ("s3", "photos.s3express-use1-az4.dualstack.us-east-1.amazonaws.com"),
    ("s3", "photos.s3-accesspoint.us-west-2.amazonaws.com"),
    ("s3", "photos.s3-accesspoint-fips.us-gov-west-1.amazonaws.com"),
    ("s3", "photos.s3-accesspoint-fips.dualstack.us-gov-west-1.amazonaws.com"),
    ("s3", "photos.accesspoint.s3-global.amazonaws.com"),
    ("s3", "photos.s3-object-lambda.us-west-2.amazonaws.com"),
    ("s3", "photos.s3-object-lambda-fips.us-west-2.amazonaws.com"),
    ("s3", "photos.op-01ac5d28a6a232904.s3-outposts.us-west-2.amazonaws.com"),
    ("s3", "photos.bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com"),
    ("s3", "photos.accesspoint.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com"),
    ("s3", "photos.s3.eusc-de-east-1.amazonaws.eu"),
    ("s3", "photos.s3.us-iso-east-1.c2s.ic.gov"),
    ("s3", "photos.s3.us-isob-east-1.sc2s.sgov.gov"),
    ("s3", "photos.s3.eu-isoe-west-1.cloud.adc-e.uk"),
    ("s3", "photos.s3.us-isof-south-1.csp.hci.ic.gov"),
    ("s3", "photos.s3-accesspoint.cn-north-1.amazonaws.com.cn"),
    ("r2", "photos.0123456789abcdef.r2.cloudflarestorage.com"),
    ("r2", "photos.0123456789abcdef.eu.r2.cloudflarestorage.com"),
]


@row_by_row(("vendor", "host"), NAMING)
def test_bucket_in_the_host(vendor, host, read):
    """The whole path is the key."""
    assert read(vendor, host) == ("photos", "a/b")


@row_by_row(("vendor", "host"), NAMING)
def test_endpoint_itself(vendor, host, read):
    """Without a bucket before it the same host has it in the path."""
    assert read(vendor, host.lower().removeprefix("photos.")) == ("a", "b")


@row_by_row(
    ("vendor", "host", "found"),
    [
        ("s3", "my.holiday.photos.s3.eu-west-3.amazonaws.com", ("my.holiday.photos", "a/b")),
        ("s3", "photos.s3.example.com", ("a", "b")),
        ("s3", "photos.ec2.amazonaws.com", ("a", "b")),
        ("s3", "[::1]:9000", ("a", "b")),
        ("s3", "xn--fotos-8va.s3.amazonaws.com", ("xn--fotos-8va", "a/b")),
        ("s3", ".s3.amazonaws.com", ("a", "b")),
        ("minio", "photos.s3.amazonaws.com", ("a", "b")),
        ("rgw", "photos.example.com", ("a", "b")),
        ("r2", "photos.r2.cloudflarestorage.com", ("a", "b")),
    ],
)
def test_others(vendor, host, found, read):
    """Buckets with dots, hosts of others, addresses; MinIO and RGW have hosts only where they are told."""
    assert read(vendor, host) == found


# Where botocore itself sends requests.

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
    """What is called, and the operation, bucket and key that it is."""
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


def view(request):
    """What a server makes of it."""
    parts = urlsplit(request.url)
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "RAW_URI": parts.path,
        "QUERY_STRING": parts.query,
        **{f"HTTP_{name.upper().replace('-', '_')}": "x" for name in request.headers},
        "HTTP_HOST": parts.netloc,  # with awscrt botocore has it among the headers
    }


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
                asked = view(request)
                read = reading.operation(asked), *reading.read_address(asked)
                if read != expected:
                    wrong[request.url] = read, expected
    assert wrong == {}
    assert len(hosts) > 10
