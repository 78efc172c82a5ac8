"""Below which hosts the SDKs of S3's relatives name the bucket: where they really send their requests."""

from __future__ import annotations

import warnings

import pytest

from faultinject import vendors
from faultinject.vendors.addressing import host_bucket

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alibabacloud_oss_v2 import endpoints as oss
    from google.cloud.storage._http import Connection
    from qcloud_cos import CosConfig
    from qingstor.sdk.config import Config
    from qingstor.sdk.service.qingstor import QingStor


def cos_hosts():
    for region in ("ap-guangzhou", "accelerate"):
        for old in (False, True):
            for inside in (False, True):
                keys = {"EnableOldDomain": old, "EnableInternalDomain": inside}
                config = CosConfig(Region=region, SecretId="id", SecretKey="key", **keys)
                yield from (config._endpoint, config._endpoint_ci, config._endpoint_pic)


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
    "tos": {
        "tos-cn-beijing.volces.com",
        "tos-s3-cn-beijing.volces.com",
        "tos-accelerate.volces.com",
        "tos-cn-beijing.ivolces.com",
        "tos-s3-cn-beijing.ivolces.com",
    },
}


@pytest.mark.parametrize(
    ("vendor", "host"),
    sorted({(vendor, host) for table in (OF_SDKS, DOCUMENTED) for vendor in table for host in table[vendor]}),
)
def test_what_stands_before_an_endpoint_is_the_bucket(vendor, host):
    """And nothing of the endpoint: the most specific of the vendor's patterns comes first."""
    known = vendors.get(vendor).endpoints
    assert host_bucket(f"photos.{host}", known) == "photos"
    assert host_bucket(host, known) is None


@pytest.mark.parametrize("vendor", vendors.names())
def test_a_pattern_does_not_hide_a_later_one(vendor):
    """What the later one takes for an endpoint, no earlier one takes for a bucket in its own."""
    known = vendors.get(vendor).endpoints
    hosts = {each: each.replace("*", "x") for each in known}
    assert {each: host_bucket(f"photos.{host}", known) for each, host in hosts.items()} == dict.fromkeys(
        known, "photos"
    )
