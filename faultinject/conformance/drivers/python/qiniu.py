"""Qiniu's SDK for Kodo."""

from __future__ import annotations

import os
from typing import Any

import qiniu
from qiniu.http.default_client import qn_http_client
from qiniu.http.endpoint import Endpoint
from qiniu.http.region import Region, ServiceName

from faultinject.conformance import plan
from faultinject.conformance.drivers.python import Refused


class Client:
    """qiniu's uploads: objects are read by other means, so every call is one.

    The key of an upload is in its body. So that its requests can be told by their path, the key is put into the
    addresses of the region too, of which there are two, as Qiniu's regions have.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._scheme, _, self._host = endpoint.partition("://")
        if self._scheme == "https":
            qiniu.set_default(default_zone=qiniu.Zone(scheme="https"))
            # It looks at no variable.
            qn_http_client.session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._auth = qiniu.Auth("id", "key")

    def put(self, key: str) -> None:
        """An upload by a form."""
        hosts: Any = [Endpoint(f"{self._host}/{key}", self._scheme) for _ in range(2)]
        region = Region("z0", services={ServiceName.UP: hosts})
        token = self._auth.upload_token(self._name, key)
        result, info = qiniu.put_data(token, key, plan.BODY, regions=[region])
        if result is None:
            raise Refused(f"{info.status_code} {info.error}")

    get = put
