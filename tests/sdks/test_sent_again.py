"""Rows that the vendor's SDK for Python retries are played to that SDK."""

import importlib
import json
import warnings

import pytest

from faultinject import vendors

from .processes import pinned

pytestmark = pytest.mark.slow

DRIVERS = {"obs": "obs", "qingstor": "qingstor", "swift": "swift", "kodo": "qiniu"}
"""The drivers of `conformance` for these vendors' SDKs."""


def rows_of(vendor):
    """Rows whose note says that the SDK for Python retries; new signatures have a module."""
    found = vendors.get(vendor).errors
    return [row for row in found if "Python SDK" in row.note and row.retryable == "yes" and not row.again]


TOS = """
import json, sys
import tos

there = {"proxy_host": "127.0.0.1", "proxy_port": int(sys.argv[1])}
client = tos.TosClientV2("id", "key", "http://tos-cn-beijing.volces.com", "cn-beijing", **there)
said = []
for number in range(int(sys.argv[2])):
    client.user_agent = f"row {number}"
    said.append(client.head_object("photos", "k").status_code)
json.dump(said, sys.stdout)
"""


def test_which_rows_rest_on_an_sdk():
    """Such rows belong to the vendors here, to OSS (another module) and MinIO (its SDK for Go)."""
    assert {vendor for vendor in vendors.names() if rows_of(vendor)} == {*DRIVERS, "tos", "oss"}


@pytest.mark.parametrize("vendor", DRIVERS)
def test_the_request_comes_again(server, monkeypatch, vendor):
    """After one such error a call succeeds, with one more request."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        driver = importlib.import_module(f"faultinject.conformance.drivers.python.{DRIVERS[vendor]}")
    for row in rows_of(vendor):
        server.use(row.address, times=1)
        client = driver.Client(server.url, "photos")
        try:
            client.get("k")
        finally:
            seen = server.counts().matched, server.counts().injected
        assert seen == (2, 1), row


def test_volcengines(server):
    """Volcengine's SDK retries them, in a process of its own with pinned packages."""
    rows = rows_of("tos")
    server.injector.use(
        "\n".join(
            f'{row.address},header.user-agent="=row {number}",times=1' for number, row in enumerate(rows)
        )
    )
    server.injector.journal.clear()
    assert json.loads(pinned(TOS, server.port, len(rows))) == [200] * len(rows)
    assert [(each.matched, each.injected) for each in server.injector.counts().values()] == [(2, 1)] * len(
        rows
    )
