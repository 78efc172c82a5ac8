"""Cloudflare R2, the S3-compatible API."""
