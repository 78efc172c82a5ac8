"""Takes every 200 for success: https://github.com/awslabs/aws-sdk-rust/issues/1163."""

from __future__ import annotations

from .client import Client


class SwallowsError(Client):
    """The document is not read."""

    expected = {"error in 200": "FAIL"}

    def is_error(self, body):
        """Never."""
        return False
