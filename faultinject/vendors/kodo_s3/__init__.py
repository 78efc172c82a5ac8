"""What Qiniu Kodo's S3-compatible service answers: little is published, the rest is marked unverified."""
