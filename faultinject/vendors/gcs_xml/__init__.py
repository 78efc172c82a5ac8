"""Google Cloud Storage, XML API."""
