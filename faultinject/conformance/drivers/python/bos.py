"""Baidu AI Cloud's SDK for BOS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from baidubce.auth.bce_credentials import BceCredentials
from baidubce.bce_client_configuration import BceClientConfiguration
from baidubce.exception import BceHttpClientError
from baidubce.protocol import HTTP
from baidubce.services.bos.bos_client import BosClient

from faultinject.conformance import plan
from faultinject.conformance.drivers.python import Refused


class Client:
    """bce-python-sdk's client of BOS; it uses path style, as the endpoint is an IP address.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._bos: Any = BosClient(
            BceClientConfiguration(
                credentials=BceCredentials("id", "key"),
                endpoint=endpoint.removeprefix("http://"),
                protocol=HTTP,
            )
        )

    def get(self, key: str) -> None:
        """GetObject."""
        done(self._bos.get_object_as_string, self._name, key)

    def put(self, key: str) -> None:
        """PutObject."""
        done(self._bos.put_object_from_string, self._name, key, plan.BODY.decode())

    def post(self, key: str) -> None:
        """InitiateMultipartUpload."""
        done(self._bos.initiate_multipart_upload, self._name, key)

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = [{"partNumber": 1, "eTag": plan.ETAG.strip('"')}]
        done(self._bos.complete_multipart_upload, self._name, key, key, parts)


def done(call: Callable[..., Any], *arguments: Any) -> None:
    """Make a call; a refusal is raised as `Refused`."""
    try:
        call(*arguments)
    except BceHttpClientError as error:
        raise Refused(f"{error.status_code} {error.code}: {error.last_error}") from error
