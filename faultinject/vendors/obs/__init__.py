"""Huawei Cloud Object Storage Service (OBS), the REST API."""
