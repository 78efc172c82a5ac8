"""Qiniu MIX Service, the S3-like migration API; not Kodo."""
