"""OpenStack's client for Swift."""

from __future__ import annotations

from typing import Any

from swiftclient.client import Connection

from faultinject.conformance import plan


class Client:
    """python-swiftclient's connection with a token.

    Each call has a connection of its own, because a connection counts its attempts. A call that gets nothing but errors
    waits for 31 seconds.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._url = f"{endpoint}/v1/AUTH_conformance"

    def get(self, key: str) -> None:
        """Read an object."""
        self._do("get_object", key)

    def put(self, key: str) -> None:
        """Write an object."""
        self._do("put_object", key, plan.BODY)

    def _do(self, call: str, *arguments: object) -> None:
        connection: Any = Connection(preauthurl=self._url, preauthtoken="token")
        try:
            getattr(connection, call)(self._name, *arguments)
        finally:
            connection.close()
