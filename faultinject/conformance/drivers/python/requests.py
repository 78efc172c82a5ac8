"""requests with urllib3's Retry, the recipe that most Python programs without an SDK have."""

from __future__ import annotations

import os

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from faultinject.conformance import plan

BODY = b"written by requests"


class Client:
    """A session with `Retry(total=3, backoff_factor=0.5, status_forcelist=[500, 502, 503, 504])`, path style.

    Args:
        endpoint: the server's URL.
        bucket: where its keys are.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._url = f"{endpoint}/{bucket}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        retries = Retry(total=3, backoff_factor=0.5, status_forcelist=[500, 502, 503, 504])
        for scheme in "http://", "https://":
            self._session.mount(scheme, HTTPAdapter(max_retries=retries))

    def get(self, key: str) -> None:
        """GET."""
        self._session.get(f"{self._url}/{key}").raise_for_status()

    def put(self, key: str) -> None:
        """PUT."""
        self._session.put(f"{self._url}/{key}", data=BODY).raise_for_status()

    def post(self, key: str) -> None:
        """POST that begins a multipart upload."""
        self._session.post(f"{self._url}/{key}?uploads").raise_for_status()

    def complete(self, key: str) -> None:
        """POST that ends it."""
        part = f"<Part><PartNumber>1</PartNumber><ETag>{plan.ETAG}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
        self._session.post(f"{self._url}/{key}", params={"uploadId": key}, data=document).raise_for_status()

    def close(self) -> None:
        """Close its connections."""
        self._session.close()
