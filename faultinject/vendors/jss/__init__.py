"""JD Cloud JSS (storage.jd.com), the JSON API; not the S3-compatible service of today."""
