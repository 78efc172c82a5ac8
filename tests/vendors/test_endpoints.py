"""The hosts below which S3 and its relatives name the bucket, from SDKs and documents.

The hosts to which their SDKs really send requests.
"""

import warnings
from itertools import product

from faultinject import vendors
from tests.decisions import reads, view
from tests.rows import each_row

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alibabacloud_oss_v2 import endpoints as oss
    from google.cloud.storage._http import Connection
    from qcloud_cos import CosConfig
    from qingstor.sdk.config import Config
    from qingstor.sdk.service.qingstor import QingStor


def cos_hosts():
    for region, old, inside in product(("ap-guangzhou", "accelerate"), (False, True), (False, True)):
        keys = {"EnableOldDomain": old, "EnableInternalDomain": inside}
        config = CosConfig(Region=region, SecretId="id", SecretKey="key", **keys)
        yield from (vars(config)[each] for each in ("_endpoint", "_endpoint_ci", "_endpoint_pic"))


def oss_hosts():
    for kind in ("default", "internal", "dualstack", "accelerate", "overseas"):
        yield oss.from_region("cn-hangzhou", disable_ssl=False, etype=kind).partition("://")[2]


def qingstor_hosts():
    config = Config("id", "key")
    config.enable_virtual_host_style = True
    sent = QingStor(config).Bucket("photos", "pek3a").get_object_request("a").sign()
    yield sent.url.partition("://")[2].partition("/")[0].removeprefix("photos.").partition(":")[0]


OF_SDKS = {
    "cos": set(cos_hosts()),
    "gcs-xml": {
        each.partition("://")[2]
        for each in (Connection.DEFAULT_API_ENDPOINT, Connection.DEFAULT_API_MTLS_ENDPOINT)
    },
    "oss": set(oss_hosts()),
    "qingstor": set(qingstor_hosts()),
}
# Those that their documents name, and that the SDK takes as it is given.
DOCUMENTED = {
    "bos": {"bj.bcebos.com", "s3.bj.bcebos.com", "cdn.bcebos.com"},
    "cos": {"cosrapid.ap-guangzhou.myqcloud.com", "file.myqcloud.com"},
    "gcs-xml": {"storage.me-central2.rep.googleapis.com", "commondatastorage.googleapis.com"},
    "jdcloud": {
        "s3.cn-north-1.jdcloud-oss.com",
        "s3-internal.cn-north-1.jdcloud-oss.com",
        "s3-ipv6.cn-north-1.jdcloud-oss.com",
        "s3.cn-north-1.jcloudcs.com",
    },
    "kodo-s3": {"s3.cn-east-1.qiniucs.com", "s3-cn-east-1.qiniucs.com"},
    "obs": {
        "obs.cn-north-4.myhuaweicloud.com",
        "obs.eu-west-101.myhuaweicloud.eu",
        "obs.eu-de.otc.t-systems.com",
        "obs.tr-central-201.hc.vodafone.com.tr",
        "oss.eu-west-0.prod-cloud-ocb.orange-business.com",
        "obs.myhuaweicloud.com",
    },
    "oss": {"s3.oss-cn-hangzhou.aliyuncs.com", "s3.oss-cn-hangzhou-internal.aliyuncs.com"},
    "qingstor": {"s3.pek3a.qingstor.com"},
    "r2": {
        "0123456789abcdef.r2.cloudflarestorage.com",
        "0123456789abcdef.eu.r2.cloudflarestorage.com",
    },
    "s3": {
        "s3.amazonaws.com",
        "s3.eu-west-3.amazonaws.com",
        "s3-us-west-2.amazonaws.com",
        "s3.dualstack.eu-west-3.amazonaws.com",
        "s3-fips.us-gov-west-1.amazonaws.com",
        "s3-fips.dualstack.us-east-1.amazonaws.com",
        "s3-accelerate.amazonaws.com",
        "s3-accelerate.dualstack.amazonaws.com",
        "s3-website-us-east-1.amazonaws.com",
        "s3-website.eu-central-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
        "s3express-usw2-az1.us-west-2.amazonaws.com",
        "s3express-fips-use1-az4.us-east-1.amazonaws.com",
        "s3express-use1-az4.dualstack.us-east-1.amazonaws.com",
        "s3-accesspoint.us-west-2.amazonaws.com",
        "s3-accesspoint-fips.us-gov-west-1.amazonaws.com",
        "s3-accesspoint-fips.dualstack.us-gov-west-1.amazonaws.com",
        "accesspoint.s3-global.amazonaws.com",
        "s3-object-lambda.us-west-2.amazonaws.com",
        "s3-object-lambda-fips.us-west-2.amazonaws.com",
        "op-01ac5d28a6a232904.s3-outposts.us-west-2.amazonaws.com",
        "bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
        "accesspoint.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
        "s3.eusc-de-east-1.amazonaws.eu",
        "s3.us-iso-east-1.c2s.ic.gov",
        "s3.us-isob-east-1.sc2s.sgov.gov",
        "s3.eu-isoe-west-1.cloud.adc-e.uk",
        "s3.us-isof-south-1.csp.hci.ic.gov",
        "s3-accesspoint.cn-north-1.amazonaws.com.cn",
    },
    "tos": {
        "tos-cn-beijing.volces.com",
        "tos-s3-cn-beijing.volces.com",
        "tos-accelerate.volces.com",
        "tos-cn-beijing.ivolces.com",
        "tos-s3-cn-beijing.ivolces.com",
    },
}


def bucket_of(vendor, host):
    """The name before the endpoint in a host."""
    place = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": "", "HTTP_HOST": host}
    return reads(vendors.get(vendor), view(place)).bucket


@each_row(
    ("vendor", "host", "bucket"),
    [
        ("s3", "Photos.S3.Amazonaws.Com:443", "photos"),
        ("s3", "my.holiday.photos.s3.eu-west-3.amazonaws.com", "my.holiday.photos"),
        ("s3", "xn--fotos-8va.s3.amazonaws.com", "xn--fotos-8va"),
        ("s3", "photos.s3.example.com", None),
        ("s3", "photos.ec2.amazonaws.com", None),
        ("s3", "[::1]:9000", None),
        ("s3", ".s3.amazonaws.com", None),
        ("minio", "photos.s3.amazonaws.com", None),
        ("rgw", "photos.example.com", None),
        ("r2", "photos.r2.cloudflarestorage.com", None),
    ],
)
def test_other_hosts(vendor, host, bucket):
    """Buckets with dots, foreign hosts and addresses; MinIO and RGW only have given hosts."""
    assert bucket_of(vendor, host) == bucket


def test_what_stands_before_an_endpoint_is_the_bucket():
    """And nothing of the endpoint: the most specific of the vendor's patterns comes first."""
    named = {(vendor, host) for table in (OF_SDKS, DOCUMENTED) for vendor in table for host in table[vendor]}
    for vendor, host in named:
        assert (bucket_of(vendor, f"photos.{host}"), bucket_of(vendor, host)) == ("photos", None)


def test_a_pattern_does_not_hide_a_later_one():
    """No earlier pattern takes a later one's endpoint for a bucket of its own."""
    found = [each for each in map(vendors.get, vendors.names()) if each.addressing == "s3"]
    named = [(vendor.id, f"photos.{each.replace('*', 'x')}") for vendor in found for each in vendor.endpoints]
    assert {bucket_of(vendor, host) for vendor, host in named} == {"photos"}
