"""Clients written in Rust, C++, C and Go read every row that they can reach, and what each of them hides is stated.

They are libraries here, and two programs, which take a process for many rows or for one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from faultinject import vendors

from .told import BUCKET, Told, in_xml, raised, rows_of, sent, use_all, with_azures_id

pytestmark = pytest.mark.slow

S3_LIKE = ("s3", "minio", "r2", "rgw", "oss", "obs", "cos", "jdcloud", "kodo-s3", "gcs-xml", "swift")
"""Those whose errors are S3's XML, or nearly, and that clients of S3 are used with."""
DIALECT = {"rgw": "", "swift": "s3api"}
"""What these answer a client of S3 in; their other rows are for clients of Swift."""
ID_IN_HEADERS_ALONE = ("r2", "gcs-xml")
PAGES = ("html",)
"""Google's front ends answer with a page, in which is no code."""
KEYS = {"access_key_id": "id", "secret_access_key": "key", "region": "us-east-1"}


def s3_rows(vendor):
    return rows_of(vendor, DIALECT.get(vendor))


def id_header(vendor):
    """The header that has the id, in small letters."""
    return vendors.get(vendor).id_headers[0][0].lower()


def wrong(told, was, rows, hides=lambda row: ()):
    """The rows of which a client tells something else than was sent, but for what it hides."""
    return [
        (row.label, told[key], was[key])
        for key, row in rows.items()
        if told[key] != was[key].without(*hides(row))
    ]


def page_hides(row):
    return ("code", "message") if row.form in PAGES else ()


# object_store


def by_object_store(error):
    """Its text has the status and the body as it came; the headers are nowhere."""
    found = re.search(r"non-2xx status code: (\d+) [^:]*: (.*?)\n\nDebug source", str(error), re.DOTALL)
    return in_xml(int(found[1]), found[2]) if found else Told()


def object_store(vendor, url):
    store = pytest.importorskip("obstore.store", reason="of the extra conformance-native")
    options = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}
    if vendor == "azure-blob":
        account = {"account_name": "account", "account_key": "a2V5", "endpoint": f"{url}/account"}
        return store.AzureStore(BUCKET, **account, **options)
    if vendor == "gcs-xml":
        return store.GCSStore(BUCKET, base_url=url, bearer_token="token", **options)
    return store.S3Store(BUCKET, endpoint=url, virtual_hosted_style_request=False, **KEYS, **options)


@pytest.mark.parametrize("vendor", [*S3_LIKE, "azure-blob"])
def test_object_store(vendor, server):
    """Status, code, message and id of every row; the id that is among the headers alone is hidden."""
    obstore = pytest.importorskip("obstore", reason="of the extra conformance-native")
    store, rows = object_store(vendor, server.url), s3_rows(vendor)

    def hides(row):
        return (*page_hides(row), *(("request_id",) if vendor in ID_IN_HEADERS_ALONE else ()))

    for call in (lambda key: obstore.get(store, key), lambda key: obstore.put(store, key, b"x")):
        use_all(server, rows)
        told = {key: by_object_store(raised(call, key)) for key in rows}
        assert wrong(told, sent(server, rows), rows, hides) == []
