"""Baidu AI Cloud Object Storage (BOS), the REST API."""
