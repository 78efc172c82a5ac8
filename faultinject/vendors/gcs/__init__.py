"""Google Cloud Storage, JSON API."""
