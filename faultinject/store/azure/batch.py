"""Blob Batch, as far as it deletes: several requests in one, each with an answer of its own.

https://learn.microsoft.com/rest/api/storageservices/blob-batch
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import uuid4

from faultinject.store.azure.blobs import delete_blob
from faultinject.store.azure.call import AzureCall, refuse_absent
from faultinject.store.bodies import read_document, split_multipart
from faultinject.store.error_codes import StoreError
from faultinject.store.exchange import Answer

MOST = 256
"""The most requests in a batch."""


def submit_batch(call: AzureCall) -> Answer:
    """Blob Batch.

    Raises:
        StoreError: `multipart`, when it is none or has too many parts.
    """
    parts = split_multipart(read_document(call.request), call.header("content-type"))
    if len(parts) > MOST:
        raise StoreError("multipart")
    environs = [_environ(call, request) for _, request in parts]
    boundary = f"batchresponse_{uuid4()}"
    body = b"".join(
        f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n".encode()
        + _written(_answer(call, environ))
        for number, environ in enumerate(environs)
    )
    headers = [("Content-Type", f"multipart/mixed; boundary={boundary}")]
    return call.answer(202, body + f"--{boundary}--\r\n".encode(), headers=headers)


def _answer(call: AzureCall, environ: dict[str, Any]) -> Answer:
    """The answer to one of the requests."""
    one = AzureCall(call.service, environ)
    try:
        if not one.valid:
            raise StoreError("uri")
        if (one.level, one.request.method, one.request.args.get("comp")) != ("blob", "DELETE", None):
            raise StoreError("not_implemented", "the embedded store supports batches of deletions only")
        refuse_absent(one)
        return delete_blob(one)
    except StoreError as error:
        return one.refusal(error)


def _environ(call: AzureCall, request: bytes) -> dict[str, Any]:
    """The batch's own environment, with the method, the target and the headers of one of its requests.

    Raises:
        StoreError: `multipart`.
    """
    line, *headers = request.partition(b"\r\n\r\n")[0].decode("latin-1").splitlines() or [""]
    words = line.split(" ")
    if len(words) != 3 or not words[1].startswith("/"):
        raise StoreError("multipart")
    target = words[1]
    path, _, query = target.partition("?")
    environ = {name: value for name, value in call.request.environ.items() if not name.startswith("HTTP_")}
    mount: str = environ.get("SCRIPT_NAME", "")
    below = unquote_to_bytes(path).decode("latin-1").removeprefix(mount)
    return {
        **environ,
        "HTTP_HOST": call.request.environ.get("HTTP_HOST", ""),
        **dict(_headers(headers)),
        "REQUEST_METHOD": words[0],
        "PATH_INFO": below,
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "CONTENT_LENGTH": "0",
        "wsgi.input": BytesIO(),
    }


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(":")
        yield f"HTTP_{name.strip().upper().replace('-', '_')}", value.strip()


def _written(answer: Answer) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    return f"HTTP/1.1 {answer.status}\r\n{headers}\r\n".encode() + answer.get_data() + b"\r\n"
