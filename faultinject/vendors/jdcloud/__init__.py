"""Documented errors of today's S3-compatible JD Cloud Object Storage Service.

JSS is its predecessor, which answers in JSON.
"""
