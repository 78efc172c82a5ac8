"""requests with urllib3's Retry, the recipe that most Python programs without an SDK have."""

from __future__ import annotations

import os

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from faultinject.conformance.drivers.python.path_style import PathStyle


class Client(PathStyle):
    """A session that retries 500, 502, 503 and 504 three times, path style.

    Its retries are `Retry(total=3, backoff_factor=0.5, status_forcelist=[500, 502, 503, 504])`.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(f"{endpoint}/{bucket}", self._request)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        retries = Retry(total=3, backoff_factor=0.5, status_forcelist=[500, 502, 503, 504])
        for scheme in "http://", "https://":
            self._session.mount(scheme, HTTPAdapter(max_retries=retries))

    def _request(self, method: str, url: str, body: bytes | None) -> None:
        self._session.request(method, url, data=body).raise_for_status()
