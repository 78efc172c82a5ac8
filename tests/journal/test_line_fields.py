"""The fields of a line: the same whether an address was read for the decision already or is read for the line."""

from __future__ import annotations

import io

import pytest

from faultinject import Injector, WSGIFaultMiddleware, vendors

ADDRESSES = (
    ("127.0.0.1", "/photos/cat.jpg", ""),
    ("photos-1250000000.cos.ap-beijing.myqcloud.com", "/2026/cat.jpg", ""),
    ("127.0.0.1", "/", ""),
    ("127.0.0.1", "/photos/a%2Fb", ""),
    ("127.0.0.1", "/photos/why?sig=abc", ""),
    ("127.0.0.1", "/photos/" + "k" * 3000, ""),
    ("h" * 3000 + ".example.com", "/photos/cat.jpg", ""),
    ("127.0.0.1", "/account/photos", "restype=container&comp=list"),
    ("127.0.0.1", "/upload/storage/v1/b/photos/o", "uploadType=media&name=cat.jpg;sig=abc"),
    ("127.0.0.1", "/v1/account/photos/cat.jpg", ""),
    ("127.0.0.1", "/b2api/v3/b2_upload_file/photos", ""),
    ("", "", ""),
)


def app(environ, start_response):
    start_response("200 OK", [])
    return []


def outcome(rule, address, headers, mount, *, record_all):
    """What the journal says of one request that a rule is for."""
    injector = Injector(rule, seed=1, environ={}, record_all=record_all)
    host, path, query = address
    environ = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": mount, "PATH_INFO": path, "QUERY_STRING": query}
    environ |= {"HTTP_HOST": host, "wsgi.input": io.BytesIO(), "SERVER_PROTOCOL": "HTTP/1.1", **headers}
    list(WSGIFaultMiddleware(app, injector=injector)(environ, lambda *_: None))
    [told] = injector.journal.outcomes
    return told.did, told.operation, told.bucket, told.key, told.path


@pytest.mark.parametrize("vendor", vendors.names())
def test_an_address_is_read_once_and_means_the_same(vendor):
    """Also where the line keeps less of the request than the rule saw: cut texts, a query without its secrets."""
    error = next(each.address for each in vendors.get(vendor).errors if each.status >= 500)
    seen = set()
    for address in ADDRESSES:
        for headers in (
            {},
            {"HTTP_X_BZ_FILE_NAME": "k" * 3000},
            {"HTTP_X_AMZ_COPY_SOURCE": "/photos/dog.jpg"},
        ):
            for mount in ("", "/app"):
                for rule in (error, f"{error},probability=0"):
                    found, again = (
                        outcome(rule, address, headers, mount, record_all=each) for each in (True, False)
                    )
                    assert found == again
                    seen.add(found)
    assert len(seen) > len(ADDRESSES)
