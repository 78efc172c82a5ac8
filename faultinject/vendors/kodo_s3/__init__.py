"""Errors of Qiniu Kodo's S3-compatible service.

Little is published about them; the rest is marked as unverified.
"""
