"""Resumable uploads: begun, filled piece by piece, asked how far they are.

https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

from __future__ import annotations

from urllib.parse import urlencode

from faultinject.http.wire import whole
from faultinject.store.bodies import cut, drain, receive
from faultinject.store.buckets import Part, Stored, Upload
from faultinject.store.exchange import Answer
from faultinject.store.gcs import resources
from faultinject.store.gcs.call import GcsCall
from faultinject.store.gcs.uploads import claimed_sums, name_of, sums
from faultinject.store.refusal import StoreError

ENDED = 100
"""Uploads that are over whose objects are remembered."""


def start_upload(call: GcsCall) -> Answer:
    """objects.insert with `uploadType=resumable`: the answer says where the pieces go."""
    document = dict(call.document)
    name = name_of(call, document)
    sent = call.request.headers.get("x-upload-content-type") or "application/octet-stream"
    document.setdefault("contentType", sent)
    headers = resources.described(document)
    call.judge_write(call.service.buckets.find(call.bucket).objects.get(name))
    upload = call.service.uploads.start(call.bucket, name, headers, call.now)
    query = urlencode({**call.request.args, "name": name, "upload_id": upload.id})
    return call.answer(
        200, headers=[("Location", f"{call.request.base_url}?{query}"), ("X-GUploader-UploadID", upload.id)]
    )


def continue_upload(call: GcsCall) -> Answer:
    """A piece of an upload, its last piece, or the question how far it is.

    An upload may end while this request is under way, by another one: both are told what it became, also when that
    is not there any more.

    Raises:
        StoreError: `no_upload`, `content_range`, `incomplete`, `bad_digest`, `precondition`, `full`.
    """
    identity = call.argument("upload_id")
    try:
        upload = _find(call, identity)
        total = _advance(call, upload)
        return _progress(call, upload, total) or _finish(call, upload, total)
    except StoreError as error:
        ended = call.finished.get(identity)
        if error.mistake != "no_upload" or ended is None:
            raise
        drain(call.request)
        return call.answer(200, ended, document=True)


def cancel_upload(call: GcsCall) -> Answer:
    """Give an upload up."""
    upload = _find(call, call.argument("upload_id"))
    call.service.uploads.abort(call.bucket, upload.key, upload.id)
    answer = call.answer(204)
    answer.status = "499 Client Closed Request"
    return answer


def _find(call: GcsCall, identity: str) -> Upload:
    found = call.service.buckets.find(call.bucket).uploads.get(identity)
    if found is None:
        raise StoreError("no_upload")
    return found


def _advance(call: GcsCall, upload: Upload) -> int | None:
    """Store the piece that the request brings, if any; gives the size of the whole, where it tells that."""
    start, stop, total = _range(call.request.headers.get("content-range"))
    if start is None:
        drain(call.request)
        return total
    size = _add(call, upload, start)
    if stop is None:
        return start + size if total is None else total
    if size != stop - start:
        raise StoreError("incomplete")
    return total


def _progress(call: GcsCall, upload: Upload, total: int | None) -> Answer | None:
    """How far an upload is; None when all of it is there."""
    with call.service.buckets.lock:
        received = _received(_find(call, upload.id))
    if total == received:
        return None
    shown = [("Range", f"bytes=0-{received - 1}")] if received else []
    return call.answer(308, headers=[*shown, ("X-GUploader-UploadID", upload.id)])


def _add(call: GcsCall, upload: Upload, start: int) -> int:
    """Store a piece that begins at `start`; what was there already is passed over. Gives the piece's size."""
    with call.service.buckets.budget.hold() as hold:
        content = receive(call.request, hold)
        with call.service.buckets.lock:
            known = _received(upload) - start
            if known < 0:
                raise StoreError("content_range")
            if known < content.size:
                blocks = cut(content.blocks, known, content.size)
                number = len(upload.parts) + 1
                part = Part(number, blocks, content.size - known, "", call.now)
                call.service.uploads.put_part(call.bucket, upload.key, upload.id, part, hold)
    return content.size


def _finish(call: GcsCall, upload: Upload, total: int | None) -> Answer:
    """Make the object. Its checksums take long, so the lock is left for them: who comes back first decides."""
    with call.service.buckets.lock:
        parts = [upload.parts[number] for number in sorted(upload.parts)]
    blocks = tuple(block for each in parts for block in each.blocks)
    headers = resources.whole(upload.headers, sums(blocks, claimed_sums(call, {})), call.now)
    size = sum(each.size for each in parts)
    with call.service.buckets.lock:
        if more := _progress(call, upload, total):
            return more
        stored = Stored(upload.key, blocks, size, resources.etag(headers), call.now, headers)
        call.service.uploads.become(call.bucket, upload.id, stored, call.judge_write)
        answer = call.json(200, call.resource_of(call.bucket, stored))
        call.finished[upload.id] = answer.get_data()
        if len(call.finished) > ENDED:
            call.finished.popitem(last=False)
    return answer


def _received(upload: Upload) -> int:
    return sum(each.size for each in upload.parts.values())


def _range(text: str | None) -> tuple[int | None, int | None, int | None]:
    """Start, stop and total of a Content-Range; no start is a question, no stop all that is left, no total a piece.

    `bytes 5-*/*` is how Google's SDK for Node sends what it does not know the length of.

    Raises:
        StoreError: `content_range`.
    """
    if text is None:
        return 0, None, None
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    numbers = [each for each in (first, last, total) if each not in ("", "*")]
    if unit != "bytes" or not total or any(whole(each) is None for each in numbers):
        raise StoreError("content_range")
    size = whole(total)
    if span == "*":
        return None, None, size
    if first.isdecimal() and last == "*":
        return int(first), None, size
    if "*" in (first, last) or not (first and last) or int(last) < int(first):
        raise StoreError("content_range")
    return int(first), int(last) + 1, size
