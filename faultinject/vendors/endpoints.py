"""Host suffixes of services that several vendors share."""

_SUFFIXES = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
)
_FORMS = (
    # Below a VPC endpoint: docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
    "bucket.vpce-*.s3.*.vpce",
    "accesspoint.vpce-*.s3.*.vpce",
    "accesspoint.s3-global",
    "op-*.s3-outposts.*",
    "ec2.s3-outposts.*",
    "s3-accesspoint-fips.dualstack.*",
    "s3-accesspoint-fips.*",
    "s3-accesspoint.dualstack.*",
    "s3-accesspoint.*",
    "s3-object-lambda-fips.*",
    "s3-object-lambda.*",
    "s3-accelerate.dualstack.*",
    "s3-accelerate.dualstack",
    "s3express-*.dualstack.*",
    "s3express-*.*",
    "s3-fips.dualstack.*",
    "s3-fips.*",
    "s3.dualstack.*",
    "s3-website.*",
    "s3.*",
    "s3",
    # The old form with a hyphen before the region; also s3-accelerate, s3-website-us-east-1.
    "s3-*",
)

S3 = tuple(f"{form}.{suffix}" for form in _FORMS for suffix in _SUFFIXES)
"""Endpoints of S3, as host suffixes, the most specific first.

Faults without a storage vendor use them, too. They are those of each partition: botocore 1.44.5,
data/partitions.json and data/s3/2006-03-01/endpoint-rule-set-1.json, and
https://docs.aws.amazon.com/general/latest/gr/s3.html, userguide/VirtualHosting.html, access-points-naming.html.
"""
