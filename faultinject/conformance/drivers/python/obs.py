"""Huawei Cloud's SDK for OBS."""

from __future__ import annotations

from typing import Any

from obs import CompleteMultipartUploadRequest, CompletePart, ObsClient

from faultinject.conformance import plan
from faultinject.conformance.drivers.python import Refused


class Client:
    """esdk-obs-python's client, path style.

    The call that asks for the server's kind of signature has no key and is left out.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._obs: Any = ObsClient(
            "id", "key", server=endpoint, path_style=True, is_signature_negotiation=False
        )

    def get(self, key: str) -> None:
        """GetObject."""
        accepted(self._obs.getObject(self._name, key, loadStreamInMemory=True))

    def put(self, key: str) -> None:
        """PutObject."""
        accepted(self._obs.putContent(self._name, key, plan.BODY.decode()))

    def post(self, key: str) -> None:
        """InitiateMultipartUpload."""
        accepted(self._obs.initiateMultipartUpload(self._name, key))

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = CompleteMultipartUploadRequest([CompletePart(1, plan.ETAG)])
        accepted(self._obs.completeMultipartUpload(self._name, key, key, parts))


def accepted(answer: Any) -> None:
    """Raise for an answer that is an error."""
    if answer.status >= 300:
        raise Refused(f"{answer.status} {answer.errorCode}: {answer.errorMessage}")
