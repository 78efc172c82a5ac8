"""Where a service is that more than its own vendor goes by."""

S3 = (
    "s3.dualstack.*.amazonaws.com",
    "s3-fips.dualstack.*.amazonaws.com",
    "s3-accesspoint.dualstack.*.amazonaws.com",
    "s3-accesspoint.*.amazonaws.com",
    "s3-accelerate.dualstack.amazonaws.com",
    "s3-fips.*.amazonaws.com",
    "s3-website.*.amazonaws.com",
    "s3express-*.*.amazonaws.com",
    "s3.dualstack.*.amazonaws.com.cn",
    "s3.*.amazonaws.com.cn",
    "s3.*.amazonaws.com",
    "s3.amazonaws.com",
    "s3-*.amazonaws.com",
)
"""What faults of S3, and those of no storage vendor, take for an endpoint: host suffixes, the most specific first.

https://docs.aws.amazon.com/general/latest/gr/s3.html, userguide/VirtualHosting.html, access-points-naming.html
"""
