"""The fields of a line are the same, however early the request's address was read."""

import io
from itertools import product

from faultinject import Injector
from faultinject.vendors import get, names
from tests.asking import ask
from tests.rows import each_row

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
HEADERS = ({}, {"HTTP_X_BZ_FILE_NAME": "k" * 3000}, {"HTTP_X_AMZ_COPY_SOURCE": "/photos/dog.jpg"})


def told(rule, requests, *, method="POST", record_all=True):
    """The outcomes of requests that a rule matches."""
    injector = Injector(rule, seed=1, environ={}, record_all=record_all)
    for (host, path, query), headers, mount in requests:
        environ = {"SCRIPT_NAME": mount, "QUERY_STRING": query, "HTTP_HOST": host, "wsgi.input": io.BytesIO()}
        ask(injector, path, method, **environ, SERVER_PROTOCOL="HTTP/1.1", **headers)
    found = injector.journal.outcomes
    return [(each.did, each.operation, each.bucket, each.key, each.path) for each in found]


@each_row("vendor", names())
def test_an_address_is_read_once_and_means_the_same(vendor):
    """An address read for the line means the same as one read for the rule.

    So it is where the line keeps less than the rule saw: cut texts, a query without its secrets.
    """
    requests = [(*each, ("", "/app")[number % 2]) for number, each in enumerate(product(ADDRESSES, HEADERS))]
    error = next(each.address for each in get(vendor).errors if each.status >= 500)
    for rule in (error, f"{error},probability=0"):
        found = told(rule, requests)
        assert found == told(rule, requests, record_all=False)
        assert len(found) == len(requests)
    unmatched = told(f"{error},path=/elsewhere", requests)
    assert [each[1:] for each in unmatched] == [each[1:] for each in found]
    assert {did for did, *_ in unmatched} == {"passed"}
