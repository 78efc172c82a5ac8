"""MinIO, the object store."""
