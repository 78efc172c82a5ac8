"""Backblaze's SDK for the native API of B2."""

from __future__ import annotations

import io
from typing import Any

from b2sdk.v3 import ALL_CAPABILITIES, B2Api, Bucket, InMemoryAccountInfo

from faultinject.conformance import plan

ALLOWED = {"buckets": None, "capabilities": ALL_CAPABILITIES, "namePrefix": None}


class Client:
    """b2sdk's bucket, each call with an account of its own that is authorized already.

    The path of an upload names no file, but a request's path must show its call. So the key is a part of the API's
    address and of the upload's address. The account has that address already, as after an earlier upload.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._name = bucket
        self._endpoint = endpoint

    def get(self, key: str) -> None:
        """b2_download_file_by_name."""
        self._bucket(key).download_file_by_name(key).save(io.BytesIO())

    def put(self, key: str) -> None:
        """b2_upload_file."""
        self._bucket(key).upload_bytes(plan.BODY, key)

    def _bucket(self, key: str) -> Any:
        account, api = InMemoryAccountInfo(), f"{self._endpoint}/{key}"
        account.set_auth_data(
            account_id="account",
            auth_token="token",  # noqa: S106 - nobody checks it here
            api_url=api,
            download_url=self._endpoint,
            recommended_part_size=100_000_000,
            absolute_minimum_part_size=5_000_000,
            application_key="key",
            realm=api,
            s3_api_url=self._endpoint,
            allowed=ALLOWED,
            application_key_id="id",
        )
        account.put_bucket_upload_url(
            self._name, f"{api}/b2api/v4/b2_upload_file/{self._name}/first", "token"
        )
        return Bucket(B2Api(account), self._name, name=self._name)
