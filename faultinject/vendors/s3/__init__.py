"""Amazon S3, the REST API."""
