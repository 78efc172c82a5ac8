"""What OpenStack Swift says in its own HTML, in its rate limiter's plain text and in its S3 dialect."""
