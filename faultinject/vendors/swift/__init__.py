"""Errors of OpenStack Swift: HTML, its rate limiter's plain text, and its S3 dialect."""
