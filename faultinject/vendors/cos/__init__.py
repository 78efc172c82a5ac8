"""Tencent Cloud Object Storage (COS), the XML API."""
