"""What today's S3-compatible JD Cloud Object Storage Service documents about its errors; JSS is its JSON predecessor."""
