"""Volcengine Torch Object Storage (TOS), the REST API."""
