"""Drivers of libraries for Python, whatever these are written in; each is a class or function that makes a client."""

from __future__ import annotations

import os


def without_aws_settings() -> None:
    """Forget what the user has set for his own buckets, such as AWS_MAX_ATTEMPTS: it is not what a client does by itself.

    What `CONFORMANCE_SETTINGS` names stays: the cases of a specification set it.
    """
    kept = os.environ.get("CONFORMANCE_SETTINGS", "").split()
    for name in [each for each in os.environ if each.startswith("AWS_") and each not in kept]:
        del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true"
    )
