"""Google's SDK for Cloud Storage."""

from __future__ import annotations

import os
from typing import Any

# Without this the SDK asks about the bucket for its traces, between the requests of the plan's calls.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from faultinject.conformance import plan

TIMEOUT = 12.0
"""Seconds after which the SDK gives up; its default of 120 is more than a plan waits."""
RETRY = DEFAULT_RETRY.with_timeout(TIMEOUT)


class Client:
    """google-cloud-storage's client.

    An upload's path names only the bucket, so the bucket is the call's key.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        nobody: Any = AnonymousCredentials
        self._storage: Any = storage.Client(
            project=self._name, credentials=nobody(), client_options={"api_endpoint": endpoint}
        )

    def get(self, key: str) -> None:
        """objects.get with `alt=media`."""
        self._storage.bucket(self._name).blob(key).download_as_bytes(retry=RETRY)

    def put(self, key: str) -> None:
        """objects.insert: a POST without a precondition, as by default."""
        self._storage.bucket(key).blob(key).upload_from_string(plan.BODY, retry=RETRY)

    def post(self, key: str) -> None:
        """objects.insert that begins a resumable upload."""
        self._storage.bucket(key).blob(key).create_resumable_upload_session(retry=RETRY)
