"""QingStor object storage, the JSON API."""
