"""Raises an error when it is imported: there is no adapter for requests."""

from faultinject.exceptions import UnsupportedClientError

raise UnsupportedClientError(
    "there is no adapter for requests: an adapter sits above urllib3's retries, so that an injected answer"
    " would never be retried and a test would prove nothing; put faultinject around the server (faultinject"
    " serve, install(app)), or use faultinject.clients.httpx or faultinject.clients.botocore"
)
