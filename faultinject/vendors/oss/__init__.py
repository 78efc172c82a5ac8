"""Alibaba Cloud Object Storage Service (OSS), the REST API."""
