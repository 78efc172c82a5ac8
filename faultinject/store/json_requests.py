"""What is read out of request documents in JSON."""

from __future__ import annotations

import json
from typing import Any

from faultinject.store.documents import Deletion, Named, read_number
from faultinject.store.mistakes import StoreError


def read_object(document: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        StoreError: `malformed`.
    """
    try:
        loaded = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise StoreError("malformed") from error
    if not isinstance(loaded, dict):
        raise StoreError("malformed")
    return loaded


def _rows(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = document.get(name)
    if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
        raise StoreError("malformed")
    return rows


def parts_in(document: dict[str, Any], rows: str, number: str, etag: str) -> list[tuple[int, str | None]]:
    """Part numbers and ETags, by the names of the list and of its fields.

    Raises:
        StoreError: `malformed`.
    """
    found: list[tuple[int, str | None]] = []
    for row in _rows(document, rows):
        tag = row.get(etag)
        if not (tag is None or isinstance(tag, str)):
            raise StoreError("malformed")
        found.append((read_number(str(row.get(number))), tag))
    return found


def objects_in(document: dict[str, Any], rows: str, key: str, version: str, quiet: str) -> Deletion:
    """Objects to delete, and whether to be quiet, by the names of the list and of the fields.

    Raises:
        StoreError: `malformed`.
    """
    named: list[tuple[Any, Any]] = [(row.get(key), row.get(version) or None) for row in _rows(document, rows)]
    try:
        "".join(text for each in named for text in (each[0], each[1] or "")).encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise StoreError("malformed") from error
    return Deletion([Named(key, version) for key, version in named], document.get(quiet) is True)
