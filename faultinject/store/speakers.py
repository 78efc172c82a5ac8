"""How each service is spoken: what reads a request to it, and what does what the request asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import md5
from typing import Any

from faultinject.store.buckets import Headers
from faultinject.store.exchange import Answer, Exchange, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

S3_NAMES = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
AZURE_NAMES = re.compile(r"\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62}")
"""https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata"""
GCS_NAMES = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
"""https://cloud.google.com/storage/docs/buckets#naming"""


@dataclass(frozen=True, slots=True)
class ServiceAdapter:
    """One way of speaking.

    Attributes:
        read: from the store and the WSGI environment to the request as the service reads it.
        perform: from that request, as `read` gives it, to its answer; raises `StoreError`.
        names: what the name of a bucket may be.
        made: from a content and unix seconds to the entity tag and the headers of an object made of it.
        part: the number of a first part.
    """

    read: Callable[[Service, WSGIEnvironment], Exchange]
    perform: Callable[[Any], Answer]
    names: re.Pattern[str]
    made: Callable[[bytes, float], tuple[str, Headers]]
    part: int = 1


def speaker(vendor: str) -> ServiceAdapter:
    """How the service of that vendor is spoken; what others need is not loaded."""
    if vendor == "azure-blob":
        from faultinject.store.azure import routes as azure
        from faultinject.store.azure.blobs import made as made_blob
        from faultinject.store.azure.documents import block_number

        return ServiceAdapter(azure.AzureCall, azure.perform, AZURE_NAMES, made_blob, block_number("AAAA"))
    if vendor == "gcs":
        from faultinject.store.gcs import routes as gcs
        from faultinject.store.gcs.resources import made as made_object
        from faultinject.store.gcs.sessions import Finished

        return ServiceAdapter(partial(gcs.GcsCall, Finished()), gcs.perform, GCS_NAMES, made_object)
    from faultinject.store import s3
    from faultinject.store.call import Call
    from faultinject.store.dialects import DIALECTS

    return ServiceAdapter(partial(Call, DIALECTS[vendor]), s3.perform, S3_NAMES, _made)


def _made(content: bytes, _now: float) -> tuple[str, Headers]:
    return md5(content, usedforsecurity=False).hexdigest(), (("Content-Type", "application/octet-stream"),)
