"""Below which hosts S3 and R2 name the bucket, and which hosts are themselves an endpoint."""

from __future__ import annotations

import pytest

from faultinject import Injector, Rule, WSGIFaultMiddleware


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
    ("s3", "photos.s3-accesspoint.us-west-2.amazonaws.com"),
    ("r2", "photos.0123456789abcdef.r2.cloudflarestorage.com"),
    ("r2", "photos.0123456789abcdef.eu.r2.cloudflarestorage.com"),
]


@pytest.mark.parametrize(("vendor", "host"), NAMING)
def test_bucket_in_the_host(vendor, host, read):
    """The whole path is the key."""
    assert read(vendor, host) == ("photos", "a/b")


@pytest.mark.parametrize(("vendor", "host"), NAMING)
def test_endpoint_itself(vendor, host, read):
    """Without a bucket before it the same host has it in the path."""
    assert read(vendor, host.lower().removeprefix("photos.")) == ("a", "b")


@pytest.mark.parametrize(
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
