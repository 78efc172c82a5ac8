"""QingCloud's SDK for QingStor."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from qingstor.sdk.config import Config
from qingstor.sdk.service.qingstor import QingStor

from faultinject.conformance import plan
from faultinject.conformance.drivers.python import Refused


class Client:
    """qingstor-sdk's bucket, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        config = Config("id", "key")
        place = urlsplit(endpoint)
        config.host, config.port, config.protocol = "127.0.0.1", place.port, place.scheme
        service: Any = QingStor(config)
        service.client.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True  # it looks at no variable
        self._bucket = service.Bucket(self._name, "")

    def get(self, key: str) -> None:
        """Get Object."""
        len(accepted(self._bucket.get_object(key)).content)  # read, or its connection is lost

    def put(self, key: str) -> None:
        """Put Object."""
        accepted(self._bucket.put_object(key, body=plan.BODY))

    def post(self, key: str) -> None:
        """Initiate Multipart Upload."""
        accepted(self._bucket.initiate_multipart_upload(key))

    def complete(self, key: str) -> None:
        """Complete Multipart Upload."""
        parts = [{"part_number": 1, "etag": plan.ETAG}]
        accepted(self._bucket.complete_multipart_upload(key, upload_id=key, object_parts=parts))


def accepted(answer: Any) -> Any:
    """The answer; raises for one that is an error by its status."""
    if answer.status_code >= 400:
        raise Refused(f"{answer.status_code} {answer.get('code')}")
    return answer
