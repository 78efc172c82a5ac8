"""Uploads films in parts: as it is often written, and repaired."""

import re
from io import BytesIO
from typing import BinaryIO

import httpx

PASSING = {"InternalError", "OperationAborted", "RequestTimeout"}  # whatever the status; and all from 500 on


class UploadError(Exception):
    """The archive does not take the film."""


class Uploader:
    """The client's side of the archive.

    Args:
        client: reaches the archive.
        part_size: bytes of a part.
    """

    def __init__(self, client: httpx.Client, part_size: int = 8) -> None:
        self.client = client
        self.part_size = part_size

    def upload(self, name: str, film: BinaryIO) -> None:
        """Store a film; raises `UploadError` when a request fails three times, or for good."""
        url = f"/films/{name}"
        upload = re.findall("<UploadId>(.+)</UploadId>", self.call("POST", f"{url}?uploads"))[0]
        for number, part in enumerate(iter(lambda: film.read(self.part_size), b""), 1):
            self.call("PUT", f"{url}?partNumber={number}&uploadId={upload}", BytesIO(part))
        self.call("POST", f"{url}?uploadId={upload}")

    def call(self, method: str, url: str, body: BinaryIO | None = None) -> str:
        """The answer to one of at most three attempts."""
        why = ""
        for _ in range(3):
            try:
                answer = self.attempt(method, url, body)
            except httpx.TransportError as error:
                why = str(error)
                continue
            code = "".join(re.findall("<Code>(.+)</Code>", answer.text))
            if answer.is_success and not code:
                return answer.text
            why = f"{answer.status_code} {code}"
            if answer.status_code < 500 and code not in PASSING:
                break
        raise UploadError(f"{method} {url}: {why}")

    def attempt(self, method: str, url: str, body: BinaryIO | None) -> httpx.Response:
        """Send one request; bytes of the body that an earlier attempt has read are gone."""
        return self.client.request(method, url, content=body and body.read())


class RewindingUploader(Uploader):
    """The same, repaired: each attempt sends the body from its beginning."""

    def attempt(self, method: str, url: str, body: BinaryIO | None) -> httpx.Response:
        """One request."""
        if body is not None:
            body.seek(0)
        return super().attempt(method, url, body)
