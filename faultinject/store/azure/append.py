"""Append blobs: made empty, then made longer at their end.

https://learn.microsoft.com/rest/api/storageservices/append-block
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

from faultinject.http.wire import whole
from faultinject.store.azure.call import COUNT, AzureCall, etag_headers, kind_of, new_etag
from faultinject.store.bodies import receive
from faultinject.store.exchange import Answer
from faultinject.store.refusal import StoreError


def append_block(call: AzureCall) -> Answer:
    """Append Block."""
    if call.header("x-ms-copy-source") is not None:
        raise StoreError("unsupported_header", "the embedded store does not support Append Block From URL")
    buckets = call.service.buckets
    buckets.find(call.bucket)
    with buckets.budget.hold() as hold:
        content = receive(call.request, hold)
        if not content.size:
            raise StoreError("header_value")
        with buckets.lock:
            before = buckets.get(call.bucket, call.key)
            call.judge_write(before)
            if kind_of(before) != "AppendBlob":
                raise StoreError("blob_type")
            _judge_end(call, before.size, content.size)
            headers = dict(before.headers)
            count = int(headers[COUNT]) + 1
            after = replace(
                before,
                blocks=before.blocks + content.blocks,
                size=before.size + content.size,
                etag=new_etag(call.now),
                modified=call.now,
                headers=tuple({**headers, COUNT: str(count)}.items()),
            )
            buckets.put(call.bucket, after, lambda _: None, hold)
    shown = [
        ("Content-MD5", b64encode(bytes.fromhex(content.md5)).decode()),
        ("x-ms-blob-append-offset", str(before.size)),
        (COUNT, str(count)),
        ("x-ms-request-server-encrypted", "true"),
    ]
    return call.answer(201, headers=[*etag_headers(after), *shown])


def _judge_end(call: AzureCall, size: int, more: int) -> None:
    """Refuse to append elsewhere, or more, than the request's conditions say.

    Raises:
        StoreError: `header_value`, `append_position`, `max_size`.
    """
    bounds = {"append_position": ("appendpos", size), "max_size": ("maxsize", size + more)}
    for mistake, (name, actual) in bounds.items():
        text = call.header(f"x-ms-blob-condition-{name}")
        if text is None:
            continue
        wanted = whole(text)
        if wanted is None:
            raise StoreError("header_value")
        if actual > wanted or (name == "appendpos" and actual != wanted):
            raise StoreError(mistake)
