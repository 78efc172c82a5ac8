"""restic's backend for S3, which is minio-go with retries of restic's own around it."""

from __future__ import annotations

from .program import Program


class Client(Program):
    """restic, path style. A call makes a repository, whose path is the key: a look for an earlier one and two uploads.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._url = f"s3:{endpoint}/{bucket}"
        super().__init__(
            1.0,
            RESTIC_PASSWORD="password",  # noqa: S106 - of a repository that nobody reads
            AWS_ACCESS_KEY_ID="id",
            AWS_SECRET_ACCESS_KEY="key",  # noqa: S106 - nobody checks signatures here
            AWS_DEFAULT_REGION="us-east-1",
        )

    def put(self, key: str) -> None:
        """Make a repository."""
        self.run("restic", "--no-cache", "-r", f"{self._url}/{key}", "init")
