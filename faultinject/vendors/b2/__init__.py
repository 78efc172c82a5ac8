"""Documented errors of Backblaze B2's native API."""
